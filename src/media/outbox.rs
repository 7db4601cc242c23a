//! Packets on their way out: written once, in place, into buffers that are used again.
//!
//! Invariant: no allocation per packet; the outbox holds at most [`OUTBOX_PACKETS`], the rest is counted.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::base::LegId;
use crate::rtp::Outgoing;

/// Most packets that wait to be fetched: 2.2 MB. A tick of the plane makes at most [`super::plane::WAKES_AT_ONCE`].
pub(super) const OUTBOX_PACKETS: usize = 4_096;
/// The longest packet, in bytes: 60 ms of G.711 with its header, or a compound RTCP packet.
pub(super) const SLOT_BYTES: usize = 512;

/// A packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaTransmit<'a> {
    /// From whose socket.
    pub leg: LegId,
    /// To which address.
    pub to: SocketAddr,
    /// From the RTCP socket (the next port up), not the RTP one.
    pub rtcp: bool,
    /// The datagram.
    pub bytes: &'a [u8],
}

/// Which of a leg's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    Rtp,
    Rtcp,
}

impl Socket {
    /// Where reports leave: by the RTP socket when that was agreed (RFC 5761).
    pub(super) const fn for_reports(rtcp_mux: bool) -> Self {
        if rtcp_mux { Self::Rtp } else { Self::Rtcp }
    }
}

#[derive(Debug)]
struct Slot {
    leg: LegId,
    to: SocketAddr,
    socket: Socket,
    length: usize,
    bytes: [u8; SLOT_BYTES],
}

impl Slot {
    fn empty() -> Self {
        let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self { leg: LegId(0), to, socket: Socket::Rtp, length: 0, bytes: [0; SLOT_BYTES] }
    }
}

/// The packets, oldest first. Slots grow to the most that ever waited and stay.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
    /// Slots `next..used` wait.
    next: usize,
    used: usize,
    dropped: u64,
}

impl Outbox {
    /// Lets `write` write a packet in place; nothing is added when it returns `None`.
    pub(super) fn put(
        &mut self,
        leg: LegId,
        socket: Socket,
        write: impl FnOnce(&mut [u8]) -> Option<Outgoing>,
    ) {
        if self.used == self.slots.len() {
            if self.used == OUTBOX_PACKETS {
                self.dropped += 1;
                return;
            }
            self.slots.push(Slot::empty());
        }
        let Some(slot) = self.slots.get_mut(self.used) else { return };
        let Some(Outgoing { to, length }) = write(&mut slot.bytes) else { return };
        (slot.leg, slot.to, slot.socket, slot.length) = (leg, to, socket, length);
        self.used += 1;
    }
    /// The oldest packet.
    pub(super) fn pop(&mut self) -> Option<MediaTransmit<'_>> {
        if self.next == self.used {
            (self.next, self.used) = (0, 0);
            return None;
        }
        let slot = self.slots.get(self.next)?;
        self.next += 1;
        let bytes = slot.bytes.get(..slot.length).unwrap_or_default();
        Some(MediaTransmit { leg: slot.leg, to: slot.to, rtcp: slot.socket == Socket::Rtcp, bytes })
    }
    /// Packets that found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(outbox: &mut Outbox, n: u8) {
        let to = SocketAddr::from(([192, 0, 2, 1], 4_000));
        outbox.put(LegId(u64::from(n)), Socket::Rtp, |buffer| {
            buffer[0] = n;
            Some(Outgoing { to, length: 1 })
        });
    }

    #[test]
    fn packets_come_out_in_order_and_their_room_is_used_again() {
        let mut outbox = Outbox::default();
        for round in 0..3 {
            (0..5).for_each(|n| put(&mut outbox, n + round));
            outbox.put(LegId(0), Socket::Rtcp, |_| None);
            for n in 0..5 {
                assert_eq!(outbox.pop().map(|t| t.bytes.to_vec()), Some(vec![n + round]));
            }
            assert_eq!(outbox.pop(), None);
        }
        assert_eq!(outbox.slots.len(), 6);
    }

    #[test]
    fn a_full_outbox_counts_what_it_drops() {
        let mut outbox = Outbox::default();
        (0..=OUTBOX_PACKETS).for_each(|_| put(&mut outbox, 0));
        assert_eq!(outbox.dropped(), 1);
        assert_eq!(std::iter::from_fn(|| outbox.pop().map(|_| ())).count(), OUTBOX_PACKETS);
    }
}
