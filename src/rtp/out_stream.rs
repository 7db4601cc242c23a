//! What we send to one party, whatever its sound is made of: one synchronisation source for its whole life.
//!
//! Invariant: at a switch of source the sequence goes on by 1 and the timestamp by the wall time passed, within a
//! frame. Inside a relay the source's own losses stay visible as gaps; its SSRC changes and timestamp jumps do not.
//!
//! ```text
//! source A   7 8   10 11                      prompt              source B    900 901
//! sent       1 2    4  5                      6  7  8  9                       10  11
//! marker     M                                M                                M
//! ```
use crate::base::{Instant, Rng};
use crate::rtp::packet::Header;
use crate::rtp::sequence::{MAX_DROPOUT, MAX_MISORDER};
use crate::rtp::stats::samples;

/// One frame: how far our timestamps may stand from the wall clock before the anchor follows them, in milliseconds.
const FRAME_MS: u32 = 20;
/// A source's timestamp that differs from the wall time passed by more than this is a jump of its clock, in
/// milliseconds. Far above any network's jitter.
const JUMP_MS: u32 = 1_000;

/// Where the next packet's sound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Made by us, frame after frame.
    Frames,
    /// Another party's packets.
    Relay(Relay),
}

/// The source's numbers that our last ones stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relay {
    source: u64,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    at: Instant,
    /// How many of the source's numbers before `sequence` are mapped the same way.
    depth: u16,
}

/// The outgoing stream's numbers.
#[derive(Clone, Debug)]
pub struct OutStream {
    ssrc: u32,
    clock_hz: u32,
    sequence: u16,
    timestamp: u32,
    /// Samples that the last packet carried.
    length: u32,
    begun: bool,
    /// Timestamp minus clock, in samples.
    anchor: u32,
    source: Option<Source>,
    sent: u64,
    octets: u64,
}

impl OutStream {
    /// A stream with random SSRC, sequence number and timestamp (RFC 3550 section 5.1).
    pub fn new(rng: &mut Rng, clock_hz: u32) -> Self {
        Self {
            ssrc: rng.next_u32(),
            clock_hz,
            // Far from the wrap: whoever misses the first packets of SRTP cannot count wraps (RFC 3711 section 3.3.1).
            sequence: (rng.next_u32() & 0x7FFF) as u16,
            timestamp: 0,
            length: 0,
            begun: false,
            anchor: rng.next_u32(),
            source: None,
            sent: 0,
            octets: 0,
        }
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The clock of its timestamps, in Hz.
    pub fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// Packets sent, and octets of payload in them.
    pub fn sent(&self) -> (u64, u64) {
        (self.sent, self.octets)
    }

    /// The timestamp of sound spoken now: what a sender report pairs with its NTP time.
    pub fn timestamp_at(&self, now: Instant) -> u32 {
        samples(now, self.clock_hz).wrapping_add(self.anchor)
    }

    /// The next packet begins a new source (another prompt): it carries the marker.
    pub fn switch(&mut self) {
        self.source = None;
    }

    /// The header of the next frame of ours, `length` samples long.
    pub fn frame(&mut self, now: Instant, payload_type: u8, length: u32) -> Header {
        let goes_on = self.source == Some(Source::Frames) && !self.is_behind(now, length);
        let timestamp = if goes_on { self.after_last() } else { self.after_pause(now) };
        self.source = Some(Source::Frames);
        self.sequence = self.sequence.wrapping_add(1);
        self.note(now, timestamp, length);
        self.header(payload_type, !goes_on)
    }

    /// The header of an event's packet (RFC 4733): `began` is the timestamp at which the event began, see
    /// [`Self::begin_event`].
    pub fn event(&mut self, payload_type: u8, marker: bool, began: u32) -> Header {
        self.source = None;
        self.sequence = self.sequence.wrapping_add(1);
        Header { timestamp: began, ..self.header(payload_type, marker) }
    }

    /// The timestamp of an event that begins now and lasts `length` samples; sound after it comes later than it.
    pub fn begin_event(&mut self, now: Instant, length: u32) -> u32 {
        let timestamp = self.after_pause(now);
        self.note(now, timestamp, length);
        timestamp
    }

    /// The header under which a packet of party `source` goes on, `length` samples long. `None` for a packet so
    /// late that it belongs before the switch to this source.
    pub fn relay(&mut self, now: Instant, source: u64, from: Header, length: u32) -> Option<Header> {
        let relay = match self.source {
            Some(Source::Relay(relay)) if relay.source == source && relay.ssrc == from.ssrc => relay,
            Some(Source::Relay(_) | Source::Frames) | None => {
                return Some(self.begin_relay(now, source, from, length));
            }
        };
        let ahead = from.sequence.wrapping_sub(relay.sequence);
        let behind = relay.sequence.wrapping_sub(from.sequence);
        if ahead == 0 || ahead >= MAX_DROPOUT {
            return if behind <= MAX_MISORDER {
                self.relay_late(relay, from, behind)
            } else {
                Some(self.begin_relay(now, source, from, length))
            };
        }
        if self.jumped(now, relay, from) {
            return Some(self.begin_relay(now, source, from, length));
        }
        let step = from.timestamp.wrapping_sub(relay.timestamp);
        self.sequence = self.sequence.wrapping_add(ahead);
        self.source = Some(Source::Relay(Relay {
            sequence: from.sequence,
            timestamp: from.timestamp,
            at: now,
            depth: relay.depth.saturating_add(ahead),
            ..relay
        }));
        self.note(now, self.timestamp.wrapping_add(step), length);
        Some(self.header(from.payload_type, from.marker))
    }

    /// A packet of `source` stays with us (a key): its number leaves no gap.
    pub fn consumed(&mut self, source: u64, from: Header) {
        let Some(Source::Relay(relay)) = &mut self.source else { return };
        let ahead = from.sequence.wrapping_sub(relay.sequence);
        if relay.source != source || relay.ssrc != from.ssrc || ahead == 0 || ahead >= MAX_DROPOUT {
            return;
        }
        self.sequence = self.sequence.wrapping_add(ahead.wrapping_sub(1));
        relay.sequence = from.sequence;
        relay.depth = 0;
    }

    /// Counts a packet that was sent with this much payload.
    pub fn count(&mut self, octets: usize) {
        self.sent = self.sent.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
    }

    fn begin_relay(&mut self, now: Instant, source: u64, from: Header, length: u32) -> Header {
        let timestamp = self.after_pause(now);
        self.sequence = self.sequence.wrapping_add(1);
        self.source = Some(Source::Relay(Relay {
            source,
            ssrc: from.ssrc,
            sequence: from.sequence,
            timestamp: from.timestamp,
            at: now,
            depth: 0,
        }));
        self.note(now, timestamp, length);
        self.header(from.payload_type, true)
    }

    fn relay_late(&self, relay: Relay, from: Header, behind: u16) -> Option<Header> {
        if behind > relay.depth {
            return None;
        }
        let back = relay.timestamp.wrapping_sub(from.timestamp);
        Some(Header {
            sequence: self.sequence.wrapping_sub(behind),
            timestamp: self.timestamp.wrapping_sub(back),
            ..self.header(from.payload_type, from.marker)
        })
    }

    fn jumped(&self, now: Instant, relay: Relay, from: Header) -> bool {
        let step = from.timestamp.wrapping_sub(relay.timestamp);
        let passed = samples(now, self.clock_hz).wrapping_sub(samples(relay.at, self.clock_hz));
        let difference = step.wrapping_sub(passed).cast_signed();
        difference.unsigned_abs() > self.in_samples(JUMP_MS) || step.cast_signed() < 0
    }

    fn is_behind(&self, now: Instant, length: u32) -> bool {
        let lag = self.timestamp_at(now).wrapping_sub(self.after_last()).cast_signed();
        lag >= length.max(self.in_samples(FRAME_MS)).cast_signed()
    }

    fn after_last(&self) -> u32 {
        self.timestamp.wrapping_add(self.length)
    }

    /// The wall clock's timestamp, but never inside the last packet's sound.
    fn after_pause(&self, now: Instant) -> u32 {
        let wall = self.timestamp_at(now);
        let overlap = self.after_last().wrapping_sub(wall).cast_signed();
        if self.begun && overlap > 0 { self.after_last() } else { wall }
    }

    /// Remembers a packet, and lets the anchor follow a source whose clock drifts, a frame behind.
    fn note(&mut self, now: Instant, timestamp: u32, length: u32) {
        let slack = self.in_samples(FRAME_MS).max(length).cast_signed();
        let off = timestamp.wrapping_sub(self.timestamp_at(now)).cast_signed();
        let excess = off.wrapping_sub(off.clamp(slack.wrapping_neg(), slack));
        self.anchor = self.anchor.wrapping_add(excess.cast_unsigned());
        self.timestamp = timestamp;
        self.length = length;
        self.begun = true;
    }

    fn in_samples(&self, ms: u32) -> u32 {
        self.clock_hz.saturating_mul(ms) / 1_000
    }

    fn header(&self, payload_type: u8, marker: bool) -> Header {
        Header { payload_type, marker, sequence: self.sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }
}
