//! What others hear of one leg when it is mixed: the jitter buffer. Packets are decoded into a ring by their timestamps;
//! sound is made of it once, as far as the most impatient ear wants it, and every ear reads the same.
//!
//! Invariant: a sample is decoded and played once, however many ears there are; what never came or came too late is
//! concealed (ITU-T G.711 Appendix I), described silence is noise (RFC 3389), and the delay follows the measured jitter and
//! the far end's clock by whole pitch periods, never by a jump in sound. Memory: 14 KiB, from the first mix on.
//!
//! ```text
//! said (timestamps)  ....|#######   ####|.........
//!                        ^ front+offset  ^ head: behind it nothing was written
//! made (our clock)   ####|..............
//!                        ^ front: 3.75 ms ahead of the ear, so that a gap can be led into
//! ```
mod depth;
mod making;

use depth::Crossing;

use crate::base::Instant;
use crate::media::SoundRules;
use crate::media::conceal::Concealer;
use crate::media::noise::{NoiseMaker, NoiseShape};
use crate::media::pace::Pace;

/// Samples in the ring of what was said: 512 ms.
const SAID: usize = 4_096;
const SAID_SPAN: i32 = 4_096;
/// Samples in the ring of what was made: 256 ms, for the ear that is most behind.
const MADE: usize = 2_048;
/// Beyond these the source's clock jumped, in samples: 0.4 s ahead, 0.5 s behind.
const AHEAD_MAX: i32 = 3_200;
const BEHIND_MAX: i32 = 4_000;
/// A pause after which the depth is measured anew, in samples: 2 s.
const LONG_PAUSE: i32 = 16_000;
/// What did not come, in the ring: no codec decodes to it, or it is turned into its neighbour.
const MISSING: i16 = i16::MIN;

/// What is made at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    /// Nothing was ever heard.
    Nothing,
    /// Sound as it was said, or concealment of a gap in it.
    Sound,
    /// Silence or noise that the far end told us of.
    Rest,
}

/// How a source's timestamps stand to our clock.
#[derive(Clone, Copy, Debug)]
struct Map {
    ssrc: u32,
    /// The timestamp played at an instant is the clock in samples plus this, modulo 2^32.
    offset: u32,
    /// The timestamp after the newest sample written.
    head: u32,
}

/// A silence that the far end told us of: from a timestamp on.
#[derive(Debug)]
struct Rest {
    from: u32,
    noise: Option<NoiseMaker>,
}

/// What was counted, in samples but for `late`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PlayoutFigures {
    /// Packets that came after their time, in whole or in part.
    pub(super) late: u64,
    /// Made in place of what did not come.
    pub(super) concealed: u64,
    /// Added, so that the depth grows.
    pub(super) stretched: u64,
    /// Left out, so that the depth shrinks.
    pub(super) cut: u64,
}

/// What a stretch of time has for an ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing at all.
    Nothing,
    /// Noise of this level below 0 dBov, in dB.
    Noise(u8),
    /// Sound.
    Sound,
}

/// The buffer.
#[derive(Debug)]
pub(super) struct Playout {
    said: Box<[i16]>,
    made: Box<[i16]>,
    map: Option<Map>,
    pace: Pace,
    /// Our clock in samples: up to here sound is made.
    front: u64,
    /// Until here it is sound, or noise.
    sound_until: u64,
    noise_until: u64,
    making: Making,
    concealer: Concealer,
    rest: Option<Rest>,
    /// The timestamp after the last sample of sound that was made as it was said.
    last_said: u32,
    /// What is added to the next samples, so that there is no step; and for how many more.
    step: (i32, i32),
    /// Samples to cut (positive) or to add (negative).
    pending: i32,
    looked_at: u64,
    looks: u32,
    crossing: Option<Crossing>,
    figures: PlayoutFigures,
}

impl Playout {
    /// Silence.
    pub(super) fn new(rules: &SoundRules) -> Self {
        Self {
            said: vec![MISSING; SAID].into_boxed_slice(),
            made: vec![0; MADE].into_boxed_slice(),
            map: None,
            pace: Pace::new(rules),
            front: 0,
            sound_until: 0,
            noise_until: 0,
            making: Making::Nothing,
            concealer: Concealer::new(),
            rest: None,
            last_said: 0,
            step: (0, 0),
            pending: 0,
            looked_at: 0,
            looks: 0,
            crossing: None,
            figures: PlayoutFigures::default(),
        }
    }
    /// What was counted.
    pub(super) fn figures(&self) -> PlayoutFigures {
        self.figures
    }

    /// A packet's sound, decoded; `begins` when it carries the marker: the first one after a silence.
    pub(super) fn write(&mut self, now: Instant, (ssrc, timestamp): (u32, u32), begins: bool, sound: &[i16]) {
        let clock = clock(now);
        let mut map = self.place(clock, ssrc, timestamp, begins);
        let slack = distance(timestamp, map.at(clock));
        let late = self.is_made(clock) && distance(timestamp, map.at(self.front)) < 0;
        self.figures.late += u64::from(late);
        if self.pace.is_slower(clock, late) {
            self.place_anew(&mut map, slack - self.pace.first());
        } else if let Some(wrong) = self.pace.note(clock, slack).filter(|_| self.crossing.is_none()) {
            self.pending = wrong;
            self.looks = if wrong == 0 { 0 } else { self.looks };
        }
        self.forget_between(&mut map, timestamp);
        if distance(map.head, timestamp) <= SAID_SPAN {
            let (first, rest) = sound.split_at(sound.len().min(SAID - said(timestamp)));
            let ring = self.said[said(timestamp)..].iter_mut().zip(first);
            ring.for_each(|(to, from)| *to = (*from).max(MISSING + 1));
            self.said.iter_mut().zip(rest).for_each(|(to, from)| *to = (*from).max(MISSING + 1));
            let end = timestamp.wrapping_add(sound.len() as u32);
            if distance(end, map.head) > 0 {
                map.head = end;
            }
        }
        self.map = Some(map);
    }
    /// The far end is silent from this timestamp on, until it speaks again: comfort noise of this shape.
    pub(super) fn noise(&mut self, now: Instant, (ssrc, timestamp): (u32, u32), shape: NoiseShape) {
        let mut map = self.place(clock(now), ssrc, timestamp, false);
        // Sound that came already is played first.
        self.forget_between(&mut map, timestamp);
        self.map = Some(map);
        let from = map.head;
        match &mut self.rest {
            Some(Rest { from: since, noise: Some(noise) }) if distance(from, *since) <= 0 => noise.set(shape),
            rest => *rest = Some(Rest { from, noise: Some(NoiseMaker::new(shape, ssrc)) }),
        }
    }
    /// What the far end says from this timestamp on is not to be heard, until the next sound is written. What of it
    /// came already and was not played yet is not played. Without a timestamp: from the last sound on.
    pub(super) fn hush(&mut self, now: Instant, ssrc: u32, timestamp: Option<u32>) {
        let (front, is_made) = (self.front, self.is_made(clock(now)));
        let Some(map) = self.map.as_mut().filter(|m| m.ssrc == ssrc) else { return };
        let timestamp = timestamp.unwrap_or(map.head);
        let played = is_made && distance(timestamp, map.at(front)) < 0;
        let from = if played { map.at(front) } else { timestamp };
        if distance(map.head, from) > 0 {
            map.head = from;
        }
        // The silence began earlier and goes on.
        if !self.rest.as_ref().is_some_and(|r| r.noise.is_none() && distance(map.head, r.from) <= 0) {
            self.rest = Some(Rest { from, noise: None });
        }
    }

    /// Where a packet's timestamp belongs: where the others are, or anew.
    fn place(&mut self, clock: u64, ssrc: u32, timestamp: u32, begins: bool) -> Map {
        let slack = |m: &Map| distance(timestamp, m.at(clock));
        let Some(mut map) =
            self.map.filter(|m| m.ssrc == ssrc && (-BEHIND_MAX..=AHEAD_MAX).contains(&slack(m)))
        else {
            self.said.fill(MISSING);
            self.start_over();
            (self.rest, self.last_said) = (None, timestamp);
            let offset = timestamp.wrapping_sub(clock as u32).wrapping_sub(self.pace.first().cast_unsigned());
            return Map { ssrc, offset, head: timestamp };
        };
        // After a silence the packet may be placed anew without anybody hearing it.
        let idle = self.is_made(clock) && distance(map.head, map.at(self.front)) <= 0 && !self.is_sounding();
        let paused = begins || distance(timestamp, map.head) > 0;
        if idle && paused && !self.pace.is_good(slack(&map)) {
            let by = slack(&map) - self.pace.again();
            self.place_anew(&mut map, by);
        } else if distance(timestamp, map.head) > LONG_PAUSE {
            // The clocks went apart meanwhile: what was measured before it says nothing of what comes now.
            self.pace.forget();
        }
        map
    }
    /// Moves all that is to come, at once; what was measured no longer holds.
    fn place_anew(&mut self, map: &mut Map, by: i32) {
        map.offset = map.offset.wrapping_add(by.cast_unsigned());
        self.count(by);
        self.start_over();
    }
    /// What was measured no longer holds.
    fn start_over(&mut self) {
        self.pace.forget();
        (self.pending, self.looks, self.crossing) = (0, 0, None);
    }
    /// A correction that was made.
    fn count(&mut self, by: i32) {
        let counter = if by > 0 { &mut self.figures.cut } else { &mut self.figures.stretched };
        *counter += u64::from(by.unsigned_abs());
    }
    /// What lies between the newest sample and this packet has not come, until it comes after all.
    fn forget_between(&mut self, map: &mut Map, timestamp: u32) {
        let gap = distance(timestamp, map.head);
        if gap <= 0 {
            return;
        }
        if gap >= SAID_SPAN {
            self.said.fill(MISSING);
        } else {
            for n in 0..gap.cast_unsigned() {
                self.said[said(map.head.wrapping_add(n))] = MISSING;
            }
        }
        map.head = timestamp;
    }
    /// Whether sound is being made up to about now: somebody listens.
    const fn is_made(&self, clock: u64) -> bool {
        self.front + MADE as u64 > clock
    }
    /// Whether something can be heard at the front.
    const fn is_sounding(&self) -> bool {
        matches!(self.making, Making::Sound) && !self.concealer.is_silent()
    }
}

impl Map {
    /// The timestamp that is played at a moment of our clock.
    const fn at(&self, clock: u64) -> u32 {
        (clock as u32).wrapping_add(self.offset)
    }
}

/// Our clock in samples.
const fn clock(at: Instant) -> u64 {
    at.as_nanos() / 125_000
}

/// How far `a` lies after `b`, modulo 2^32.
const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

const fn said(timestamp: u32) -> usize {
    timestamp as usize % SAID
}

const fn made(clock: u64) -> usize {
    clock as usize % MADE
}

#[cfg(test)]
mod tests;
