//! Which address a party's packets come from: symmetric RTP (RFC 4961), locked.
//!
//! A party is known by what signalling says: the address in its SDP, and the host that its SIP comes from, where a NAT
//! shows it. Whoever else sends is a stranger: not heard, not answered, however early and however much he sends.
//!
//! Invariant: once locked, packets of any other address are strangers until the lock's address was silent for
//! [`SourceRules::rebind_after`] or signalling says anew where the party is; the signalled address itself alone may
//! take the lock from another that still sends.
//!
//! ```text
//! state            from the signalled    from a known host     from elsewhere
//! open             locked at once        after 3 in a row      stranger (after 25 in a row where rules allow any)
//! locked to it     heard                 heard                 heard
//! another sends    after 3 in a row      stranger              stranger
//! another silent   after 3 in a row      after 3 in a row      after 3 in a row that go on with the stream: its
//!                                                              SSRC, its next sequence numbers
//! new signalling   locked at once        after 3 in a row      stranger
//! ```
//!
//! A packet that SRTP proves to be the party's counts as from a known host wherever it comes from.
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::Instant;
use crate::rtp::packet::Header;
use crate::rtp::sequence::MAX_DROPOUT;

/// Packets in a row that prove a source.
pub(crate) const LOCK_AFTER: u8 = 3;
/// Packets in a row from a host that signalling does not know, where that is allowed: half a second of sound.
const LOCK_ANYBODY_AFTER: u8 = 25;
/// The ports below are nobody's sound.
const LOWEST_PORT: u16 = 1_024;

/// How a source may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// How long a party's address must have been silent before another may follow it.
    pub rebind_after: Duration,
    /// A host that signalling does not know may be a party's, when nobody else sends: some carriers send from another
    /// host than they name. Whoever finds the port first is then heard and answered.
    pub any_host: bool,
}

impl Default for SourceRules {
    fn default() -> Self {
        Self { rebind_after: Duration::from_secs(1), any_host: false }
    }
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is the party's.
    Ours,
    /// It is not, or not proven yet.
    Stranger,
}

/// What signalling says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is the one in the SDP.
    Signalled,
    /// Its host is the one in the SDP, or the one that the SIP comes from.
    KnownHost,
    Elsewhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    next: u16,
    count: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Locked {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    heard: Instant,
    /// Nothing but its perseverance speaks for it.
    is_anybody: bool,
}

/// The lock of one leg.
#[derive(Clone, Debug)]
pub struct SourceLock {
    rules: SourceRules,
    signalled: SocketAddr,
    host: Option<IpAddr>,
    locked: Option<Locked>,
    candidate: Option<Candidate>,
    /// The address that signalling took the lock from, and when it was last heard: what still comes from there is old.
    left: Option<(SocketAddr, Instant)>,
}

impl SourceLock {
    /// Open, waiting for the address that signalling named; `host` is where the signalling itself comes from.
    pub fn new(signalled: SocketAddr, host: Option<IpAddr>, rules: SourceRules) -> Self {
        let host = host.map(|h| h.to_canonical());
        Self { rules, signalled: canonical(signalled), host, locked: None, candidate: None, left: None }
    }

    /// Signalling names an address again: the same one changes nothing, a new one opens the lock.
    pub fn signal(&mut self, address: SocketAddr, host: Option<IpAddr>) {
        let left = self.locked.map(|l| (l.address, l.heard)).or(self.left);
        if canonical(address) == self.signalled {
            self.host = host.map(|h| h.to_canonical());
        } else {
            *self = Self { left, ..Self::new(address, host, self.rules) };
        }
    }

    /// Judges a packet that is well-formed and of an agreed payload type. One that is `authentic` (SRTP) was made by the
    /// party, so that its host needs no other witness.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: Header,
        authentic: bool,
    ) -> Judgement {
        let from = canonical(from);
        if let Some(locked) = self.locked.as_mut().filter(|l| l.address == from) {
            (locked.ssrc, locked.sequence, locked.heard) = (header.ssrc, header.sequence, now);
            return Judgement::Ours;
        }
        let standing = match self.standing(from) {
            Standing::Elsewhere if authentic => Standing::KnownHost,
            other => other,
        };
        let Some(needed) = self.needed(now, from, standing, header) else { return Judgement::Stranger };
        if self.in_a_row(from, header) < needed {
            return Judgement::Stranger;
        }
        let is_anybody = self.locked.is_none() && standing == Standing::Elsewhere;
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        self.locked = Some(Locked { address: from, ssrc, sequence, heard: now, is_anybody });
        (self.candidate, self.left) = (None, None);
        Judgement::Ours
    }

    fn standing(&self, from: SocketAddr) -> Standing {
        if from == self.signalled {
            Standing::Signalled
        } else if from.ip() == self.signalled.ip() || Some(from.ip()) == self.host {
            Standing::KnownHost
        } else {
            Standing::Elsewhere
        }
    }

    /// How many packets in a row give a source the lock; `None` when none do.
    fn needed(&mut self, now: Instant, from: SocketAddr, standing: Standing, header: Header) -> Option<u8> {
        if from.port() < LOWEST_PORT {
            return None;
        }
        match (self.locked, standing) {
            (None, Standing::Signalled) => Some(1),
            (None, Standing::KnownHost) => (!self.is_leftover(now, from)).then_some(LOCK_AFTER),
            (None, Standing::Elsewhere) => self.rules.any_host.then_some(LOCK_ANYBODY_AFTER),
            (Some(_), Standing::Signalled) => Some(LOCK_AFTER),
            (Some(l), Standing::KnownHost) => {
                (l.is_anybody || l.is_silent(now, self.rules)).then_some(LOCK_AFTER)
            }
            (Some(l), Standing::Elsewhere) => {
                (l.is_silent(now, self.rules) && l.goes_on(header)).then_some(LOCK_AFTER)
            }
        }
    }

    /// A packet of the address that signalling replaced: until it was silent as long as any other would have to be.
    fn is_leftover(&mut self, now: Instant, from: SocketAddr) -> bool {
        let Some((address, heard)) = &mut self.left else { return false };
        let is_old = *address == from && now.since(*heard) < self.rules.rebind_after;
        if is_old {
            *heard = now;
        }
        is_old
    }

    /// How many packets of this source came in a row, with this one.
    fn in_a_row(&mut self, address: SocketAddr, header: Header) -> u8 {
        let before = self
            .candidate
            .filter(|c| c.address == address && c.ssrc == header.ssrc && c.next == header.sequence);
        let count = before.map_or(0, |c| c.count).saturating_add(1);
        let next = header.sequence.wrapping_add(1);
        self.candidate = Some(Candidate { address, ssrc: header.ssrc, next, count });
        count
    }

    /// Where to send: to the lock, else to the signalled address; `None` when that is no address (old-style hold).
    pub fn destination(&self) -> Option<SocketAddr> {
        let to = self.locked().unwrap_or(self.signalled);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// Whether the party's reports may come from an address: from the lock's host, by another port; before there is
    /// a lock, from a host that signalling knows. On the port of the sound, only from where the sound comes.
    pub fn may_report(&self, from: SocketAddr, rtcp_mux: bool) -> bool {
        let from = canonical(from);
        match self.locked {
            Some(l) if rtcp_mux => l.address == from,
            Some(l) => l.address.ip() == from.ip(),
            None => self.standing(from) != Standing::Elsewhere,
        }
    }

    /// Whether an address is of the host that the signalling comes from, as far as that is known.
    pub fn is_signalling_host(&self, to: SocketAddr) -> bool {
        self.host.is_none_or(|h| h == to.ip().to_canonical())
    }

    /// The address that is locked.
    pub fn locked(&self) -> Option<SocketAddr> {
        self.locked.map(|l| l.address)
    }
}

impl Locked {
    fn is_silent(&self, now: Instant, rules: SourceRules) -> bool {
        now.since(self.heard) >= rules.rebind_after
    }
    /// The same stream from elsewhere: who was not on its way cannot know its numbers.
    fn goes_on(&self, header: Header) -> bool {
        let ahead = header.sequence.wrapping_sub(self.sequence);
        header.ssrc == self.ssrc && (1..MAX_DROPOUT).contains(&ahead)
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Ours, Stranger};

    /// The phone's own address, as its SDP names it.
    const PHONE: &str = "192.0.2.1:4000";

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    /// A packet of stream 1 or another.
    fn packet(ssrc: u32, sequence: u16) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc }
    }

    struct World {
        lock: SourceLock,
        ms: u64,
    }

    impl World {
        fn new(signalled: &str, host: &str) -> Self {
            let host = Some(host.parse().unwrap());
            Self { lock: SourceLock::new(at(signalled), host, SourceRules::default()), ms: 5_000 }
        }
        /// `n` packets of a stream in a row, 20 ms apart; how many were taken.
        fn sends(&mut self, from: &str, ssrc: u32, sequences: std::ops::Range<u16>) -> usize {
            let mut taken = 0;
            for sequence in sequences {
                self.ms += 20;
                taken += usize::from(self.one(from, ssrc, sequence) == Ours);
            }
            taken
        }
        fn one(&mut self, from: &str, ssrc: u32, sequence: u16) -> Judgement {
            let authentic = false;
            self.lock.judge(Instant::from_millis(self.ms), at(from), packet(ssrc, sequence), authentic)
        }
    }

    #[test]
    fn the_signalled_address_is_heard_from_its_first_packet_and_nobody_else() {
        let mut w = World::new(PHONE, "192.0.2.1");
        assert_eq!(w.sends(PHONE, 1, 0..5), 5);
        for stranger in ["203.0.113.66:4000", "192.0.2.1:4002", "192.0.2.7:4000"] {
            assert_eq!(w.one(PHONE, 1, 6), Ours);
            assert_eq!(w.sends(stranger, 9, 0..40), 0, "{stranger}");
        }
        assert_eq!(w.lock.locked(), Some(at(PHONE)));
    }

    #[test]
    fn a_stranger_who_floods_the_port_before_the_phone_speaks_takes_nothing() {
        let mut w = World::new("10.0.0.5:4000", "192.0.2.1");
        assert_eq!(w.sends("203.0.113.66:4000", 9, 0..2_000), 0);
        assert_eq!(w.lock.destination(), Some(at("10.0.0.5:4000")), "nothing goes to him either");
        // The phone behind its NAT: the host that its signalling comes from.
        assert_eq!(w.sends("192.0.2.1:50000", 1, 0..5), 3);
        assert_eq!(w.lock.destination(), Some(at("192.0.2.1:50000")));
        assert_eq!(w.sends("203.0.113.66:4000", 9, 2_000..2_040), 0);
    }

    #[test]
    fn two_sources_of_the_known_host_that_alternate_lock_nothing() {
        let mut w = World::new("10.0.0.5:4000", "192.0.2.1");
        for n in 0..20 {
            let from = if n % 2 == 0 { "192.0.2.1:50000" } else { "192.0.2.1:50001" };
            assert_eq!(w.one(from, 1, n / 2), Stranger);
        }
    }

    #[test]
    fn a_nat_that_binds_anew_is_followed_after_silence_and_not_before() {
        let mut w = World::new("10.0.0.5:4000", "192.0.2.1");
        w.sends("192.0.2.1:50000", 1, 0..50);
        assert_eq!(w.sends("192.0.2.1:50001", 1, 50..90), 0, "0.8 s: the old address may still speak");
        assert_eq!(w.sends("192.0.2.1:50001", 1, 90..150), 49, "three of them prove it");
        assert_eq!(w.lock.locked(), Some(at("192.0.2.1:50001")));
        assert_eq!(w.sends("192.0.2.1:50000", 1, 150..170), 0);
    }

    #[test]
    fn another_host_is_followed_after_silence_only_with_the_same_stream() {
        let mut w = World::new(PHONE, "192.0.2.1");
        w.sends(PHONE, 1, 0..50);
        w.ms += 3_000;
        assert_eq!(w.sends("203.0.113.66:4000", 9, 50..150), 0, "another stream");
        assert_eq!(w.sends("203.0.113.66:4000", 1, 9_000..9_100), 0, "numbers that nobody counted up to");
        assert_eq!(w.sends("198.51.100.20:31000", 1, 200..210), 8, "the phone went to another network");
        assert_eq!(w.lock.locked(), Some(at("198.51.100.20:31000")));
    }

    #[test]
    fn the_signalled_address_takes_the_lock_back_while_another_sends() {
        let mut w = World::new(PHONE, "192.0.2.1");
        w.sends("192.0.2.1:6000", 1, 0..10);
        assert_eq!(w.sends(PHONE, 2, 0..5), 3);
        assert_eq!(w.sends("192.0.2.1:6000", 1, 10..20), 0);
    }

    #[test]
    fn only_a_new_address_in_signalling_opens_the_lock_and_what_still_comes_from_the_old_is_old() {
        let mut w = World::new(PHONE, "192.0.2.1");
        w.sends(PHONE, 1, 0..5);
        w.lock.signal(at(PHONE), None);
        assert_eq!(w.lock.locked(), Some(at(PHONE)));
        w.lock.signal(at("192.0.2.1:4002"), None);
        assert_eq!(w.lock.destination(), Some(at("192.0.2.1:4002")));
        assert_eq!(w.sends(PHONE, 1, 5..200), 0);
        assert_eq!(w.sends("192.0.2.1:4002", 2, 0..5), 5);
    }

    #[test]
    fn where_the_rules_allow_anybody_half_a_second_of_one_stream_proves_him_until_a_known_one_speaks() {
        let rules = SourceRules { any_host: true, ..SourceRules::default() };
        let mut w = World::new(PHONE, "192.0.2.1");
        w.lock = SourceLock::new(at(PHONE), None, rules);
        assert_eq!(w.sends("198.51.100.20:7000", 3, 0..50), 26);
        assert_eq!(w.sends("203.0.113.66:4000", 9, 0..100), 0);
        assert_eq!(w.sends("192.0.2.1:4100", 1, 0..5), 3);
    }

    #[test]
    fn a_protected_packet_proves_its_host_but_not_that_the_old_address_is_silent() {
        let mut w = World::new("10.0.0.5:4000", "192.0.2.1");
        let sends = |w: &mut World, from: &str, sequences: std::ops::Range<u16>| {
            sequences
                .filter(|n| {
                    w.ms += 20;
                    w.lock.judge(Instant::from_millis(w.ms), at(from), packet(1, *n), true) == Ours
                })
                .count()
        };
        assert_eq!(sends(&mut w, "198.51.100.20:7000", 0..10), 8);
        assert_eq!(sends(&mut w, "198.51.100.21:7000", 10..20), 0);
        w.ms += 1_000;
        assert_eq!(sends(&mut w, "198.51.100.21:7000", 20..30), 8);
    }

    #[test]
    fn no_port_below_1024_is_anybodys_sound() {
        let mut w = World::new(PHONE, "192.0.2.1");
        assert_eq!(w.sends("192.0.2.1:53", 1, 0..50), 0);
    }

    #[test]
    fn reports_come_from_the_partys_host_and_on_the_port_of_the_sound_from_its_address() {
        let mut w = World::new("10.0.0.5:4000", "192.0.2.1");
        let may = |w: &World, from: &str, mux| w.lock.may_report(at(from), mux);
        assert!(may(&w, "192.0.2.1:50001", false) && may(&w, "10.0.0.5:4001", false));
        assert!(!may(&w, "203.0.113.66:4001", false));
        w.sends("192.0.2.1:50000", 1, 0..5);
        assert!(may(&w, "192.0.2.1:50001", false) && may(&w, "192.0.2.1:50000", true));
        assert!(!may(&w, "192.0.2.1:50001", true) && !may(&w, "10.0.0.5:4001", false));
    }

    #[test]
    fn nothing_is_sent_to_no_address() {
        assert_eq!(World::new("0.0.0.0:4000", "192.0.2.1").lock.destination(), None);
    }

    #[test]
    fn a_mapped_address_is_the_same_host() {
        let mut w = World::new(PHONE, "192.0.2.1");
        assert_eq!(w.one("[::ffff:192.0.2.1]:4000", 1, 1), Ours);
    }
}
