//! Keys as named events, RFC 4733 section 2: receiver and sender.
//!
//! Invariant: an event is its timestamp. It counts at its first packet that arrives, whichever that is, and once,
//! however often it is repeated, reordered or doubled.
use std::time::Duration;

use crate::base::Key;

/// Events remembered, so that a late packet of an old one is not taken for a key. More than can be in flight.
const REMEMBERED: usize = 16;
/// The longest duration a packet can carry; a longer event goes on in a new segment, RFC 4733 section 2.5.1.3.
const SEGMENT_SAMPLES: u32 = 0xFFFF;
/// How often the end is sent, RFC 4733 section 2.5.1.4.
const END_PACKETS: u8 = 3;

/// The payload of one packet, RFC 4733 section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// The event code; 0-15 are keys.
    pub event: u8,
    /// The end of the event.
    pub end: bool,
    /// Power level in -dBm0, 0-63.
    pub volume: u8,
    /// How long so far, in samples.
    pub duration: u16,
}

impl EventPayload {
    /// Reads the first event block of a payload.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low, ..] = *payload else { return None };
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration })
    }

    /// As bytes.
    pub fn bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (u8::from(self.end) << 7) | (self.volume & 0x3F), high, low]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    ended: bool,
}

/// Makes keys out of packets.
#[derive(Clone, Debug, Default)]
pub struct EventReceiver {
    seen: [Option<Seen>; REMEMBERED],
    next: usize,
}

impl EventReceiver {
    /// Takes a packet of the telephone-event payload type; `Some` when it is the first of a key's event.
    pub fn packet(&mut self, ssrc: u32, timestamp: u32, payload: EventPayload) -> Option<Key> {
        let key = Key::from_event(payload.event)?;
        let known = self.seen.iter_mut().flatten().find(|s| s.ssrc == ssrc && s.timestamp == timestamp);
        if let Some(seen) = known {
            seen.ended |= payload.end;
            return None;
        }
        let goes_on = self.seen.iter().flatten().any(|s| {
            s.ssrc == ssrc
                && s.event == payload.event
                && !s.ended
                && timestamp.wrapping_sub(s.timestamp) == SEGMENT_SAMPLES
        });
        self.remember(Seen { ssrc, timestamp, event: payload.event, ended: payload.end });
        (!goes_on).then_some(key)
    }

    fn remember(&mut self, seen: Seen) {
        if let Some(place) = self.seen.get_mut(self.next) {
            *place = Some(seen);
        }
        self.next = self.next.wrapping_add(1).checked_rem(REMEMBERED).unwrap_or(0);
    }
}

/// One packet of an event to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first packet of the event.
    pub marker: bool,
    /// To add to the timestamp at which the event began, in samples: zero but for events longer than 8 s.
    pub timestamp_offset: u32,
    /// The payload.
    pub payload: EventPayload,
}

/// Sends one key: a packet at each call, 3 of them with the end.
#[derive(Clone, Debug)]
pub struct EventSender {
    key: Key,
    clock_hz: u32,
    total: u32,
    step: u32,
    passed: u32,
    segment: u32,
    ends: u8,
    begun: bool,
}

impl EventSender {
    /// A key held for `held`, in packets of `ptime`, told in the clock of the event's own format (RFC 4733, section
    /// 2.3.4): `clock_hz` units a second.
    pub fn new(key: Key, held: Duration, ptime: Duration, clock_hz: u32) -> Self {
        let in_samples = |d: Duration| {
            u32::try_from(d.as_micros().saturating_mul(u128::from(clock_hz)) / 1_000_000).unwrap_or(u32::MAX)
        };
        let step = in_samples(ptime).max(1);
        let total = in_samples(held).max(step);
        Self { key, clock_hz: clock_hz.max(1), total, step, passed: 0, segment: 0, ends: 0, begun: false }
    }

    /// The next packet, to be sent one `ptime` after the last; `None` when the key is done.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.ends == END_PACKETS {
            return None;
        }
        self.passed = self.passed.saturating_add(self.step).min(self.total);
        while self.passed.saturating_sub(self.segment) > SEGMENT_SAMPLES {
            self.segment = self.segment.saturating_add(SEGMENT_SAMPLES);
        }
        let end = self.passed == self.total;
        self.ends = self.ends.saturating_add(u8::from(end));
        let marker = !std::mem::replace(&mut self.begun, true);
        let duration = u16::try_from(self.passed.saturating_sub(self.segment)).unwrap_or(u16::MAX);
        let payload = EventPayload { event: self.key.event(), end, volume: 10, duration };
        Some(EventPacket { marker, timestamp_offset: self.segment, payload })
    }

    /// Whether its last packet was handed out.
    pub fn is_done(&self) -> bool {
        self.ends == END_PACKETS
    }

    /// How long the event takes from first to last packet, in the clock of the sound beside it: the sound goes on this
    /// far after its timestamp.
    pub fn samples_at(&self, sound_hz: u32) -> u32 {
        let ticks = u64::from(self.total).saturating_mul(u64::from(sound_hz));
        let samples = ticks.checked_div(u64::from(self.clock_hz)).unwrap_or(ticks);
        u32::try_from(samples).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char) -> Key {
        Key::from_char(c).unwrap()
    }

    fn packets(c: char, held_ms: u64) -> Vec<EventPacket> {
        packets_at(8_000, c, held_ms)
    }

    fn packets_at(clock_hz: u32, c: char, held_ms: u64) -> Vec<EventPacket> {
        let mut sender =
            EventSender::new(key(c), Duration::from_millis(held_ms), Duration::from_millis(20), clock_hz);
        std::iter::from_fn(|| sender.next_packet()).collect()
    }

    fn hear(receiver: &mut EventReceiver, timestamp: u32, packets: &[EventPacket]) -> Vec<char> {
        let take = |p: &EventPacket| {
            let read = EventPayload::read(&p.payload.bytes()).unwrap();
            receiver.packet(1, timestamp.wrapping_add(p.timestamp_offset), read)
        };
        packets.iter().filter_map(take).map(Key::as_char).collect()
    }

    #[test]
    fn a_key_is_sent_with_a_marker_a_growing_duration_and_three_ends() {
        let sent = packets('5', 100);
        let shape: Vec<_> = sent.iter().map(|p| (p.marker, p.payload.duration, p.payload.end)).collect();
        assert_eq!(
            shape,
            [
                (true, 160, false),
                (false, 320, false),
                (false, 480, false),
                (false, 640, false),
                (false, 800, true),
                (false, 800, true),
                (false, 800, true)
            ]
        );
        assert!(sent.iter().all(|p| p.timestamp_offset == 0 && p.payload.event == 5));
    }

    #[test]
    fn any_one_packet_is_enough_and_all_are_one_key() {
        let sent = packets('#', 100);
        for only in &sent {
            assert_eq!(hear(&mut EventReceiver::default(), 9, &[*only]), ['#']);
        }
        assert_eq!(hear(&mut EventReceiver::default(), 9, &sent), ['#']);
    }

    #[test]
    fn the_same_key_twice_is_two_keys_even_without_ends_between() {
        let mut receiver = EventReceiver::default();
        assert_eq!(hear(&mut receiver, 1_000, &packets('1', 80)[..2]), ['1']);
        assert_eq!(hear(&mut receiver, 2_600, &packets('1', 80)[1..]), ['1']);
    }

    #[test]
    fn a_key_held_for_half_a_minute_is_one_key() {
        let sent = packets('*', 30_000);
        assert!(sent.iter().any(|p| p.timestamp_offset == 3 * 0xFFFF));
        assert_eq!(hear(&mut EventReceiver::default(), u32::MAX - 70_000, &sent), ['*']);
    }

    #[test]
    fn in_each_clock_durations_grow_by_its_ticks_and_long_keys_go_on_in_segments() {
        for (clock_hz, step, segments) in [(8_000, 160, 1), (16_000, 320, 3), (48_000, 960, 10)] {
            let sent = packets_at(clock_hz, '7', 14_000);
            assert!(sent.iter().take(40).map(|p| p.payload.duration).eq((1..=40).map(|n| n * step)));
            let offsets: std::collections::BTreeSet<u32> = sent.iter().map(|p| p.timestamp_offset).collect();
            assert!(
                offsets.iter().copied().eq((0..=segments).map(|n| n * 0xFFFF)),
                "{clock_hz}: {offsets:?}"
            );
            let last = sent.last().unwrap();
            assert_eq!(last.timestamp_offset + u32::from(last.payload.duration), 14 * clock_hz);
            assert_eq!(sent.iter().filter(|p| p.payload.end).count(), 3);
            assert_eq!(sent.iter().filter(|p| p.marker).count(), 1);
            assert_eq!(hear(&mut EventReceiver::default(), 5, &sent), ['7'], "one key at {clock_hz}");
            let sender =
                EventSender::new(key('7'), Duration::from_secs(14), Duration::from_millis(20), clock_hz);
            assert_eq!(
                sender.samples_at(8_000),
                14 * 8_000,
                "the sound's own clock moves on by its own ticks"
            );
        }
    }

    #[test]
    fn a_late_packet_of_an_old_key_is_no_key() {
        let mut receiver = EventReceiver::default();
        let (one, two) = (packets('1', 60), packets('2', 60));
        hear(&mut receiver, 100, &one[..2]);
        assert_eq!(hear(&mut receiver, 1_700, &two[..1]), ['2']);
        assert_eq!(hear(&mut receiver, 100, &one[2..]), [] as [char; 0]);
    }

    #[test]
    fn a_flash_hook_is_no_key_and_a_short_payload_is_nothing() {
        let flash = EventPayload { event: 16, end: true, volume: 0, duration: 800 };
        assert_eq!(EventReceiver::default().packet(1, 5, flash), None);
        assert_eq!(EventPayload::read(&[1, 0, 0]), None);
    }
}
