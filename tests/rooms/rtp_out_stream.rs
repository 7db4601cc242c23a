//! One outgoing stream for a leg's whole life, under random switches of source: RFC 3550 as the far end sees it.
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::rtp::{Header, OutStream};
use proptest::prelude::*;

const CLOCK_HZ: u32 = 8_000;

/// A stretch of sound from one source.
#[derive(Clone, Debug)]
enum Stretch {
    Frames { count: u16, ptime_ms: u32 },
    Relay { source: u64, packets: Vec<Packet>, ptime_ms: u32 },
    Silence { ms: u64 },
}

/// A packet of a relayed source, as the network treats it.
#[derive(Clone, Debug)]
struct Packet {
    lost: bool,
    late_ms: u64,
    /// What the source does before this packet.
    oddity: Oddity,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Oddity {
    None,
    NewSsrc,
    ClockJump(u32),
    NumbersJump(u16),
}

fn packet() -> impl Strategy<Value = Packet> {
    let oddity = prop_oneof![
        40 => Just(Oddity::None),
        1 => Just(Oddity::NewSsrc),
        1 => (20_000u32..u32::MAX - 20_000).prop_map(Oddity::ClockJump),
        1 => (5_000u16..60_000).prop_map(Oddity::NumbersJump),
    ];
    (prop::bool::weighted(0.1), 0u64..15, oddity).prop_map(|(lost, late_ms, oddity)| Packet {
        lost,
        late_ms,
        oddity,
    })
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let ptime_ms = prop::sample::select(vec![10u32, 20, 30, 60]);
    prop_oneof![
        (1u16..30, ptime_ms.clone()).prop_map(|(count, ptime_ms)| Stretch::Frames { count, ptime_ms }),
        (1u64..4, prop::collection::vec(packet(), 1..40), ptime_ms)
            .prop_map(|(source, packets, ptime_ms)| Stretch::Relay { source, packets, ptime_ms }),
        (1u64..5_000).prop_map(|ms| Stretch::Silence { ms }),
    ]
}

/// A source: its own numbers, which go on while nobody relays it.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

/// What was sent, and what the source itself lost before it.
struct Sent {
    at: Instant,
    header: Header,
    length: u32,
    lost_before: u16,
    follows_source: bool,
}

struct World {
    now: Instant,
    out: OutStream,
    sources: [Source; 4],
    sent: Vec<Sent>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_number(seed);
        let out = OutStream::new(&mut rng, CLOCK_HZ);
        let sources = [(); 4].map(|()| Source {
            ssrc: rng.next_u32(),
            sequence: u16::try_from(rng.below(65_536)).unwrap(),
            timestamp: rng.next_u32(),
        });
        Self { now: Instant::from_secs(rng.below(1_000_000)), out, sources, sent: Vec::new() }
    }

    fn play(&mut self, stretch: &Stretch) {
        match stretch {
            Stretch::Silence { ms } => self.now += Duration::from_millis(*ms),
            Stretch::Frames { count, ptime_ms } => {
                self.out.switch();
                for _ in 0..*count {
                    let length = ptime_ms * 8;
                    let header = self.out.frame(self.now, 0, length);
                    let (at, follows_source) = (self.now, false);
                    self.sent.push(Sent { at, header, length, lost_before: 0, follows_source });
                    self.now += Duration::from_millis(u64::from(*ptime_ms));
                }
            }
            Stretch::Relay { source, packets, ptime_ms } => {
                self.out.switch();
                let mut lost = None;
                for packet in packets {
                    lost = self.relay(*source, packet, *ptime_ms, lost);
                }
            }
        }
    }

    /// One packet of a source. `lost` counts its losses since the last that was sent on; `None`: a new beginning.
    fn relay(&mut self, source: u64, packet: &Packet, ptime_ms: u32, lost: Option<u16>) -> Option<u16> {
        let length = ptime_ms * 8;
        let s = &mut self.sources[usize::try_from(source).unwrap()];
        // Nobody sees a jump whose packet is lost; two of them may lead back to where a late packet could come from.
        let oddity = if packet.lost { Oddity::None } else { packet.oddity };
        match oddity {
            Oddity::None => {}
            Oddity::NewSsrc => s.ssrc = s.ssrc.wrapping_add(1),
            Oddity::ClockJump(by) => s.timestamp = s.timestamp.wrapping_add(by),
            Oddity::NumbersJump(by) => s.sequence = s.sequence.wrapping_add(by),
        }
        let lost = if oddity == Oddity::None { lost } else { None };
        let Source { ssrc, sequence, timestamp } = *s;
        s.sequence = sequence.wrapping_add(1);
        s.timestamp = timestamp.wrapping_add(length);
        let at = self.now + Duration::from_millis(packet.late_ms.min(u64::from(ptime_ms) - 1));
        self.now += Duration::from_millis(u64::from(ptime_ms));
        if packet.lost {
            return lost.map(|n| n + 1);
        }
        let header = Header { payload_type: 0, marker: false, sequence, timestamp, ssrc };
        let header = self.out.relay(at, source, header, length);
        assert!(header.is_some(), "a packet in order was dropped");
        let header = header?;
        let (lost_before, follows_source) = (lost.unwrap_or(0), lost.is_some());
        self.sent.push(Sent { at, header, length, lost_before, follows_source });
        Some(0)
    }
}

proptest! {
    #[test]
    fn numbers_go_on_by_one_and_time_by_the_wall(seed in any::<u64>(), story in prop::collection::vec(stretch(), 1..20)) {
        let mut world = World::new(seed);
        for stretch in &story {
            world.play(stretch);
        }
        for pair in world.sent.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            prop_assert_eq!(a.header.ssrc, b.header.ssrc);
            let step = b.header.sequence.wrapping_sub(a.header.sequence);
            prop_assert_eq!(step, 1 + b.lost_before);
            let time = b.header.timestamp.wrapping_sub(a.header.timestamp).cast_signed();
            prop_assert!(time > 0, "time stood still or went back by {}", time);
            if !b.follows_source {
                let passed = i32::try_from(b.at.since(a.at).as_micros() * 8 / 1_000).unwrap();
                let frame = i32::try_from(a.length.max(b.length).max(160)).unwrap();
                prop_assert!(time.cast_unsigned() >= a.length, "a switch cuts into the sound before it");
                prop_assert!((time - passed).abs() <= frame + 1, "{} samples in {} of wall time", time, passed);
            }
        }
    }
}

#[test]
fn the_first_packet_of_each_source_carries_the_marker_and_no_other() {
    let mut world = World::new(1);
    let clean = Packet { lost: false, late_ms: 0, oddity: Oddity::None };
    let relay = |source| Stretch::Relay { source, packets: vec![clean.clone(); 3], ptime_ms: 20 };
    let frames = Stretch::Frames { count: 3, ptime_ms: 20 };
    for stretch in [relay(1), frames.clone(), relay(2), relay(1), frames] {
        world.play(&stretch);
    }
    let markers: Vec<bool> = world.sent.iter().map(|s| s.header.marker).collect();
    assert_eq!(markers, [true, false, false].repeat(5));
}

#[test]
fn a_packet_that_the_network_overtook_goes_out_in_its_own_place() {
    let mut out = OutStream::new(&mut Rng::from_number(4), CLOCK_HZ);
    let from = |n: u16| Header {
        payload_type: 8,
        marker: false,
        sequence: n,
        timestamp: u32::from(n) * 160,
        ssrc: 5,
    };
    let mut send = |ms: u64, n: u16| out.relay(Instant::from_millis(ms), 1, from(n), 160);
    let (first, third, second) = (send(0, 10).unwrap(), send(40, 12).unwrap(), send(45, 11).unwrap());
    assert_eq!(third.sequence.wrapping_sub(second.sequence), 1);
    assert_eq!(second.sequence.wrapping_sub(first.sequence), 1);
    assert_eq!(third.timestamp.wrapping_sub(second.timestamp), 160);
    let (sixth, fourth) = (send(100, 15).unwrap(), send(105, 13).unwrap());
    assert_eq!(sixth.sequence.wrapping_sub(fourth.sequence), 2);
    assert_eq!(send(50, 9), None, "it belongs before the switch to this source");
}

#[test]
fn a_key_that_stays_with_us_leaves_no_gap() {
    let mut out = OutStream::new(&mut Rng::from_number(4), CLOCK_HZ);
    let from =
        |n: u16, ts: u32| Header { payload_type: 8, marker: false, sequence: n, timestamp: ts, ssrc: 5 };
    let before = out.relay(Instant::from_millis(0), 1, from(10, 0), 160).unwrap();
    for n in 11..20 {
        out.consumed(1, from(n, 160));
    }
    let after = out.relay(Instant::from_millis(200), 1, from(20, 1_600), 160).unwrap();
    assert_eq!(after.sequence.wrapping_sub(before.sequence), 1);
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 1_600);
    assert!(!after.marker);
    assert_eq!(out.relay(Instant::from_millis(201), 1, from(15, 800), 160), None);
}

#[test]
fn a_source_that_was_silent_without_counting_time_goes_on_by_the_wall() {
    let mut out = OutStream::new(&mut Rng::from_number(4), CLOCK_HZ);
    let from = |n: u16| Header {
        payload_type: 8,
        marker: false,
        sequence: n,
        timestamp: u32::from(n) * 160,
        ssrc: 5,
    };
    let before = out.relay(Instant::from_secs(1), 1, from(1), 160).unwrap();
    let after = out.relay(Instant::from_secs(11), 1, from(2), 160).unwrap();
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 80_000);
    assert!(after.marker);
}

#[test]
fn frames_that_were_skipped_show_in_the_timestamp_and_not_in_the_number() {
    let mut out = OutStream::new(&mut Rng::from_number(4), CLOCK_HZ);
    let a = out.frame(Instant::from_millis(0), 0, 160);
    let b = out.frame(Instant::from_millis(35), 0, 160);
    let c = out.frame(Instant::from_millis(40), 0, 160);
    let d = out.frame(Instant::from_millis(260), 0, 160);
    let steps = [(a, b), (b, c), (c, d)].map(|(x, y)| y.timestamp.wrapping_sub(x.timestamp));
    assert_eq!(steps, [160, 160, 1_760]);
    assert_eq!(d.sequence.wrapping_sub(a.sequence), 3);
    assert_eq!([b.marker, c.marker, d.marker], [false, false, true]);
}

#[test]
fn a_clock_that_drifts_for_an_hour_is_followed() {
    let mut out = OutStream::new(&mut Rng::from_number(9), CLOCK_HZ);
    let mut last = None;
    for n in 0..180_000u32 {
        let at = Instant::from_nanos(u64::from(n) * 20_004_000);
        let header = Header {
            payload_type: 0,
            marker: false,
            sequence: u16::try_from(n & 0xFFFF).unwrap(),
            timestamp: n * 160,
            ssrc: 1,
        };
        last = Some((at, out.relay(at, 1, header, 160).unwrap()));
    }
    let (at, last) = last.unwrap();
    let prompt = out.frame(at + Duration::from_millis(20), 0, 160);
    let step = prompt.timestamp.wrapping_sub(last.timestamp);
    assert!((160..=320).contains(&step), "{step}");
}
