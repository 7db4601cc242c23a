//! Keys pressed at the far end of a leg, one after the other, as named events (RFC 4733).
//!
//! Invariant: while keys are pressed the leg is sent nothing else, so that the far end's ear takes no tone for a second
//! key; what it would have heard meanwhile is gone.
use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Instant, Key};
use crate::rtp::{EventSender, Outgoing, RtpSession};

/// How long each key is pressed. ITU-T Q.24: 40 ms are enough for any receiver; gateways that make a tone of it want more.
const HELD: Duration = Duration::from_millis(100);
/// Packets that are left out between two keys: the pause that Q.24 wants (40 ms), in packets of 20 ms.
const PAUSE_PACKETS: u8 = 3;
/// Most keys that wait: more than a person types in ten seconds.
const WAITING: usize = 32;

/// The keys that wait, and the one that is pressed.
#[derive(Debug, Default)]
pub(super) struct Pressing {
    waiting: VecDeque<Key>,
    now: Option<(EventSender, u32)>,
    pause: u8,
}

impl Pressing {
    /// One more key; `false` when too many wait.
    pub(super) fn push(&mut self, key: Key) -> bool {
        let room = self.waiting.len() < WAITING;
        if room {
            self.waiting.push_back(key);
        }
        room
    }

    /// The key that is pressed next.
    pub(super) fn next(&self) -> Option<Key> {
        self.waiting.front().copied()
    }

    /// Whether a key is pressed, or waits for it.
    pub(super) fn is_busy(&self) -> bool {
        self.now.is_some() || !self.waiting.is_empty()
    }

    /// The next packet, one `period` after the last.
    pub(super) fn packet(
        &mut self,
        at: Instant,
        (period, clock_hz): (Duration, u32),
        rtp: &mut RtpSession,
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        if self.now.is_none() && self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.now.is_none() {
            let sender = EventSender::new(self.waiting.pop_front()?, HELD, period, rtp.event_clock_hz());
            let began = rtp.begin_event(at, sender.samples_at(clock_hz));
            self.now = Some((sender, began));
        }
        let (sender, began) = self.now.as_mut()?;
        let packet = sender.next_packet();
        let began = *began;
        if sender.is_done() {
            self.now = None;
            self.pause = if self.waiting.is_empty() { 0 } else { PAUSE_PACKETS };
        }
        rtp.send_event(began, packet?, buffer)
    }
}
