//! What others hear of one leg when it is mixed: a ring of decoded samples, written as packets come and read by every
//! ear's tick. This is the jitter buffer: sound is played [`DELAY`] after it came.
//!
//! Invariant: a sample is decoded once, however many ears read it; what never came is silence, what came twice is
//! written twice to the same place, what came too late is counted and not heard. Memory: 8 KiB, from the first mix on.
//!
//! ```text
//! timestamps   ....|#######   ####|.........
//!                  ^ play(now)    ^ head: behind it nothing was written
//! ```
use crate::base::Instant;
use crate::media::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::media::mixer::Mixer;

/// Samples in the ring: 512 ms.
const RING: usize = 4_096;
/// The same, as a distance between timestamps.
const RING_SPAN: i32 = 4_096;
/// How long after its arrival a sound is played, in samples: 40 ms.
const DELAY: i32 = 320;
/// With less slack than this a tick may come before its packet, in samples: one frame.
const SLACK_MIN: i32 = 160;
/// More slack than this is delay for nothing, in samples: 60 ms.
const SLACK_MAX: i32 = 480;
/// Beyond these the source's clock jumped, in samples: 200 ms ahead, half a second behind.
const AHEAD_MAX: i32 = 1_600;
const BEHIND_MAX: i32 = 4_000;
/// Late packets in a row after which the delay is set anew at once.
const LATE_IN_A_ROW: u8 = 3;
/// Packets over which the least slack is taken before the delay is mended: about 5 s.
const WINDOW: u16 = 250;

/// How a source's timestamps stand to our clock.
#[derive(Clone, Copy, Debug)]
struct Map {
    ssrc: u32,
    /// The timestamp played at an instant is the clock in samples plus this, modulo 2^32.
    offset: u32,
    /// The timestamp after the newest sample written.
    head: u32,
    least_slack: i32,
    in_window: u16,
    late_in_a_row: u8,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Playout {
    ring: Box<[i16]>,
    map: Option<Map>,
    late: u64,
}

impl Playout {
    /// Silence.
    pub(super) fn new() -> Self {
        Self { ring: vec![0; RING].into_boxed_slice(), map: None, late: 0 }
    }
    /// Packets that came after their time.
    pub(super) fn late(&self) -> u64 {
        self.late
    }
    /// A packet's sound, decoded.
    pub(super) fn write(&mut self, now: Instant, (ssrc, timestamp): (u32, u32), sound: &[i16]) {
        let clock = clock(now);
        let known = self.map.filter(|m| m.ssrc == ssrc);
        let in_reach =
            |m: &Map| (-BEHIND_MAX..=AHEAD_MAX).contains(&distance(timestamp, clock.wrapping_add(m.offset)));
        let mut map = known.filter(in_reach).unwrap_or_else(|| self.begin(ssrc, timestamp, clock));
        let slack = distance(timestamp, clock.wrapping_add(map.offset));
        map.keep_pace(slack);
        self.late += u64::from(slack < 0);
        self.fill_gap(&mut map, timestamp);
        if distance(map.head, timestamp) <= RING_SPAN {
            for (n, sample) in (0u32..).zip(sound) {
                self.ring[place(timestamp.wrapping_add(n))] = *sample;
            }
            let end = timestamp.wrapping_add(sound.len() as u32);
            if distance(end, map.head) > 0 {
                map.head = end;
            }
        }
        self.map = Some(map);
    }
    fn begin(&mut self, ssrc: u32, timestamp: u32, clock: u32) -> Map {
        self.ring.fill(0);
        let offset = timestamp.wrapping_sub(clock).wrapping_sub(DELAY.cast_unsigned());
        Map { ssrc, offset, head: timestamp, least_slack: i32::MAX, in_window: 0, late_in_a_row: 0 }
    }
    /// What lies between the newest sample and this packet has not come: silence, until it comes after all.
    fn fill_gap(&mut self, map: &mut Map, timestamp: u32) {
        let gap = distance(timestamp, map.head);
        if gap <= 0 {
            return;
        }
        if gap >= RING_SPAN {
            self.ring.fill(0);
        } else {
            for n in 0..gap.cast_unsigned() {
                self.ring[place(map.head.wrapping_add(n))] = 0;
            }
        }
        map.head = timestamp;
    }
    /// Adds what is played in the `samples` from `at` on. `false` when nothing was there: silence.
    ///
    /// A packet longer than a frame looks back, so that its end is as old as a frame's end would be: all that it
    /// needs has had the time to come.
    pub(super) fn read(&self, at: Instant, samples: usize, mixer: &mut Mixer) -> bool {
        let Some(map) = self.map else { return false };
        let back = samples.saturating_sub(FRAME_SAMPLES) as u32;
        let start = clock(at).wrapping_add(map.offset).wrapping_sub(back);
        // Only [head - RING, head) is in the ring.
        let ahead = distance(map.head, start);
        let skipped = usize::try_from(ahead - RING_SPAN).unwrap_or(0);
        let end = usize::try_from(ahead).unwrap_or(0).min(samples);
        if skipped >= end {
            return false;
        }
        let (mut offset, mut left) = (skipped, end - skipped);
        while left > 0 {
            let from = place(start.wrapping_add(offset as u32));
            let n = left.min(RING - from);
            mixer.add_at(offset, &self.ring[from..from + n]);
            (offset, left) = (offset + n, left - n);
        }
        true
    }
}

impl Map {
    /// Sets the delay anew when packets come too late, or far too early for a whole window: clocks drift, paths change.
    fn keep_pace(&mut self, slack: i32) {
        self.least_slack = self.least_slack.min(slack);
        self.in_window += 1;
        self.late_in_a_row = if slack < 0 { self.late_in_a_row + 1 } else { 0 };
        let window_is_over = self.in_window >= WINDOW;
        let too_late = self.late_in_a_row >= LATE_IN_A_ROW;
        if too_late {
            self.offset = self.offset.wrapping_add((slack - DELAY).cast_unsigned());
            self.late_in_a_row = 0;
        } else if window_is_over && !(SLACK_MIN..=SLACK_MAX).contains(&self.least_slack) {
            // A frame at a time: one packet that was very late must not make everything late.
            let step = (self.least_slack - DELAY).clamp(-SLACK_MIN, SLACK_MIN);
            self.offset = self.offset.wrapping_add(step.cast_unsigned());
        }
        if too_late || window_is_over {
            (self.least_slack, self.in_window) = (i32::MAX, 0);
        }
    }
}

/// The clock in samples, modulo 2^32.
fn clock(at: Instant) -> u32 {
    (u128::from(at.as_nanos()) * u128::from(SAMPLE_RATE) / 1_000_000_000) as u32
}

/// How far `a` lies after `b`, modulo 2^32.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

fn place(timestamp: u32) -> usize {
    timestamp as usize % RING
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Sample `n` of the source carries a value that tells which it is.
    fn value(n: u32) -> i16 {
        (n % 30_000) as i16 + 1
    }

    struct World {
        playout: Playout,
        first: u32,
    }

    impl World {
        fn new(first: u32) -> Self {
            Self { playout: Playout::new(), first }
        }
        /// Packet `n` of `len` samples comes at `ms`.
        fn packet(&mut self, ms: u64, n: u32, len: u32) {
            let sound: Vec<i16> = (n * len..(n + 1) * len).map(value).collect();
            let timestamp = self.first.wrapping_add(n * len);
            self.playout.write(Instant::from_millis(ms), (7, timestamp), &sound);
        }
        fn hear(&self, ms: u64, samples: usize) -> Vec<i16> {
            let (mut mixer, mut out) = (Mixer::new(samples), vec![0; samples]);
            self.playout.read(Instant::from_millis(ms), samples, &mut mixer);
            mixer.finish(&mut out);
            out
        }
    }

    fn sound(from: u32, to: u32) -> Vec<i16> {
        (from..to).map(value).collect()
    }

    #[test]
    fn sound_is_played_40_ms_after_it_came_across_the_wrap_of_the_timestamp() {
        for first in [0, 5_000, u32::MAX - 200] {
            let mut w = World::new(first);
            for n in 0..10 {
                w.packet(1_000 + 20 * u64::from(n), n, 160);
            }
            assert_eq!(w.hear(1_020, 160), vec![0; 160], "not yet");
            assert_eq!(w.hear(1_040, 160), sound(0, 160));
            assert_eq!(w.hear(1_047, 160), sound(56, 216), "an ear with another phase");
            assert_eq!(w.hear(1_080, 480), sound(0, 480), "a 60 ms ear looks back 40 ms");
            assert_eq!(w.hear(1_240, 160), vec![0; 160], "after the last packet");
        }
    }

    #[test]
    fn every_packet_size_has_come_in_time_for_every_ear() {
        for len in [80u32, 160, 240, 480] {
            for (ear, period) in [(80usize, 10u64), (160, 20), (240, 30), (480, 60)] {
                let mut w = World::new(77);
                let mut heard = Vec::new();
                for ms in 0..2_000 {
                    if ms % u64::from(len / 8) == 0 {
                        w.packet(1_000 + ms, (ms / u64::from(len / 8)) as u32, len);
                    }
                    if ms > 120 && ms % period == 7 % period {
                        heard.extend(w.hear(1_000 + ms, ear));
                    }
                }
                assert!(heard.len() > 14_000, "{len} {ear}");
                assert!(heard.windows(2).all(|w| w[1] == w[0] + 1), "source {len} ear {ear}");
            }
        }
    }

    #[test]
    fn a_lost_packet_is_silence_and_a_late_or_doubled_one_is_sound_once() {
        let mut w = World::new(9);
        for (ms, n) in [(0, 0), (20, 1), (61, 3), (62, 2), (63, 2), (100, 5)] {
            w.packet(ms, n, 160);
        }
        assert_eq!(w.hear(80, 160), sound(320, 480), "came late, but in time");
        assert_eq!(w.hear(100, 160), sound(480, 640));
        assert_eq!(w.hear(120, 160), vec![0; 160], "lost");
        assert_eq!(w.hear(140, 160), sound(800, 960));
        assert_eq!(w.playout.late(), 0);
    }

    #[test]
    fn a_path_that_became_slower_is_followed_after_three_late_packets() {
        let mut w = World::new(9);
        (0..10).for_each(|n| w.packet(u64::from(n) * 20, n, 160));
        (10..30).for_each(|n| w.packet(u64::from(n) * 20 + 100, n, 160));
        assert_eq!(w.playout.late(), 3);
        assert_eq!(w.hear(29 * 20 + 140, 160), sound(29 * 160, 30 * 160));
    }

    #[test]
    fn a_new_source_and_a_jump_of_the_clock_begin_anew() {
        let mut w = World::new(9);
        (0..3).for_each(|n| w.packet(u64::from(n) * 20, n, 160));
        w.first = 1_000_000;
        w.packet(60, 3, 160);
        assert_eq!(w.hear(100, 160), sound(480, 640));
        w.playout.write(Instant::from_millis(80), (8, 3), &[5; 160]);
        assert_eq!(w.hear(120, 160), vec![5; 160]);
    }

    #[test]
    fn a_clock_that_drifts_is_followed_without_a_gap_that_lasts() {
        for period_us in [19_997, 20_003] {
            let mut w = World::new(9);
            let (mut silent, mut next) = (0, 0u32);
            for tick in 0..30_000u64 {
                let ear = Instant::from_millis(1_000 + tick * 20);
                while let came = Instant::from_millis(1_000) + Duration::from_micros(period_us) * next
                    && came <= ear
                {
                    w.playout.write(came, (7, 9 + next * 160), &[1; 160]);
                    next += 1;
                }
                silent += usize::from(tick > 2 && w.hear(ear.as_millis(), 160).contains(&0));
            }
            assert!(silent < 12, "{period_us}: {silent} of 30,000 frames");
        }
    }
}
