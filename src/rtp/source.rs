//! Which address a party's packets come from: symmetric RTP (RFC 4961), locked.
//!
//! Invariant: once locked, packets of any other address are strangers until signalling says anew where the party is;
//! the signalled address itself alone may take the lock from an unsignalled one.
//!
//! ```text
//! Open --3 from the signalled address--> Locked(signalled)
//! Open --3 in a row from one other address, none from the signalled--> Locked(other) --3 signalled--> Locked(signalled)
//! Locked --signalling names a new address--> Open
//! ```
use std::net::SocketAddr;

use crate::rtp::packet::Header;

/// Valid packets that lock a source.
pub(crate) const LOCK_AFTER: u8 = 3;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the party's.
    Ours,
    /// It is not, or not proven yet.
    Stranger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    next: u16,
    count: u8,
}

/// The lock of one leg.
#[derive(Clone, Debug)]
pub struct SourceLock {
    signalled: SocketAddr,
    from_signalled: u8,
    locked: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

impl SourceLock {
    /// Open, waiting for the address that signalling named.
    pub fn new(signalled: SocketAddr) -> Self {
        Self { signalled: canonical(signalled), from_signalled: 0, locked: None, candidate: None }
    }

    /// Signalling names an address again: the same one changes nothing, a new one opens the lock.
    pub fn signal(&mut self, address: SocketAddr) {
        if canonical(address) != self.signalled {
            *self = Self::new(address);
        }
    }

    /// Judges a packet that is well-formed and of an agreed payload type.
    pub(crate) fn judge(&mut self, from: SocketAddr, header: Header) -> Judgement {
        let from = canonical(from);
        if from == self.signalled {
            self.from_signalled = self.from_signalled.saturating_add(1).min(LOCK_AFTER);
            if self.from_signalled == LOCK_AFTER {
                (self.locked, self.candidate) = (Some(from), None);
            }
            let open = self.locked.is_none_or(|l| l == from);
            return if open { Judgement::Ours } else { Judgement::Stranger };
        }
        match self.locked {
            Some(locked) if locked == from => Judgement::Ours,
            Some(_) => Judgement::Stranger,
            None if self.from_signalled > 0 => Judgement::Stranger,
            None => self.judge_candidate(from, header),
        }
    }

    fn judge_candidate(&mut self, from: SocketAddr, header: Header) -> Judgement {
        let count = match self.candidate {
            Some(c) if c.address == from && c.ssrc == header.ssrc && c.next == header.sequence => {
                c.count.saturating_add(1)
            }
            Some(_) | None => 1,
        };
        let next = header.sequence.wrapping_add(1);
        self.candidate = Some(Candidate { address: from, ssrc: header.ssrc, next, count });
        if count < LOCK_AFTER {
            return Judgement::Stranger;
        }
        (self.locked, self.candidate) = (Some(from), None);
        Judgement::Ours
    }

    /// Where to send: to the lock, else to the signalled address; `None` when that is no address (old-style hold).
    pub fn destination(&self) -> Option<SocketAddr> {
        let to = self.locked.unwrap_or(self.signalled);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// Whether an address, by its host alone, belongs to the party: RTCP comes from another port.
    pub fn is_host(&self, from: SocketAddr) -> bool {
        canonical(from).ip() == self.locked.unwrap_or(self.signalled).ip()
    }

    /// The address that is locked.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.locked
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Ours, Stranger};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn packet(sequence: u16) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc: 1 }
    }

    #[test]
    fn the_signalled_address_is_heard_at_once_and_shuts_strangers_out() {
        let mut lock = SourceLock::new(at(4_000));
        assert_eq!(lock.judge(at(4_000), packet(1)), Ours);
        for n in 0..10 {
            assert_eq!(lock.judge(at(6_666), packet(n)), Stranger);
        }
        assert_eq!(lock.locked(), None);
        lock.judge(at(4_000), packet(2));
        lock.judge(at(4_000), packet(3));
        assert_eq!(lock.locked(), Some(at(4_000)));
    }

    #[test]
    fn behind_a_nat_one_consistent_source_takes_the_lock() {
        let mut lock = SourceLock::new(SocketAddr::from(([10, 0, 0, 5], 4_000)));
        let judged = [1, 2, 3, 4].map(|n| lock.judge(at(50_000), packet(n)));
        assert_eq!(judged, [Stranger, Stranger, Ours, Ours]);
        assert_eq!(lock.destination(), Some(at(50_000)));
        assert_eq!(lock.judge(at(50_001), packet(5)), Stranger);
    }

    #[test]
    fn two_sources_that_alternate_lock_nothing() {
        let mut lock = SourceLock::new(SocketAddr::from(([10, 0, 0, 5], 4_000)));
        for n in 0..20 {
            assert_eq!(lock.judge(at(50_000 + n % 2), packet(n / 2)), Stranger);
        }
    }

    #[test]
    fn the_signalled_address_takes_the_lock_back_and_nobody_else_does() {
        let mut lock = SourceLock::new(at(4_000));
        (1..4).for_each(|n| {
            lock.judge(at(6_666), packet(n));
        });
        assert_eq!(lock.judge(at(7_777), packet(1)), Stranger);
        assert_eq!([1, 2, 3].map(|n| lock.judge(at(4_000), packet(n))), [Stranger, Stranger, Ours]);
        assert_eq!(lock.judge(at(6_666), packet(4)), Stranger);
    }

    #[test]
    fn only_a_new_address_in_signalling_opens_the_lock() {
        let mut lock = SourceLock::new(at(4_000));
        (1..4).for_each(|n| {
            lock.judge(at(4_000), packet(n));
        });
        lock.signal(at(4_000));
        assert_eq!(lock.locked(), Some(at(4_000)));
        lock.signal(at(4_002));
        assert_eq!(lock.destination(), Some(at(4_002)));
        assert_eq!(lock.judge(at(4_002), packet(1)), Ours);
    }

    #[test]
    fn nothing_is_sent_to_no_address() {
        assert_eq!(SourceLock::new(SocketAddr::from(([0, 0, 0, 0], 4_000))).destination(), None);
    }

    #[test]
    fn a_mapped_address_is_the_same_host() {
        let mut lock = SourceLock::new(at(4_000));
        assert_eq!(lock.judge("[::ffff:192.0.2.1]:4000".parse().unwrap(), packet(1)), Ours);
    }
}
