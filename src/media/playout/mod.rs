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
use crate::base::Instant;
use crate::media::SoundRules;
use crate::media::conceal::{Concealer, HISTORY, LOOK_AHEAD, PITCH_MAX, PITCH_MIN, rounded};
use crate::media::frame::FRAME_SAMPLES;
use crate::media::mixer::Mixer;
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
/// Sound is made in pieces of at most this many samples: 10 ms.
const PIECE: usize = 80;
/// Two places of the sound are crossed over this many samples when it is stretched or cut.
const CROSSED: usize = 80;
/// A step between silence, noise and sound is smoothed over this many samples: 4 ms.
const SMOOTHED: i32 = 32;
/// How often a place to stretch or cut at is looked for, in samples: 20 ms.
const LOOK_EVERY: u64 = 160;
/// Power a sample below which any place is good: nobody hears it.
const QUIET_POWER: f32 = 2_500.0;
/// A correction so large that a less good place will do, in samples: 100 ms.
const URGENT: i32 = 800;

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

/// Two places being crossed.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    by: i32,
    done: usize,
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

    /// Adds what is played in the `samples` from `at` on.
    ///
    /// A packet longer than a frame looks back, so that its end is as old as a frame's end would be: all that it
    /// needs has had the time to come.
    pub(super) fn read(&mut self, at: Instant, samples: usize, mixer: &mut Mixer) -> Heard {
        let start = clock(at).saturating_sub(samples.saturating_sub(FRAME_SAMPLES) as u64);
        let end = start + samples as u64;
        self.make_until(start, end + LOOK_AHEAD as u64);
        // Only [front - MADE, front) is in the ring.
        let heard = if self.sound_until > start {
            Heard::Sound
        } else if self.noise_until > start {
            Heard::Noise(self.rest.as_ref().and_then(|r| r.noise.as_ref()).map_or(127, NoiseMaker::level))
        } else {
            return Heard::Nothing;
        };
        let mut offset =
            self.front.saturating_sub(MADE as u64).saturating_sub(start).min(samples as u64) as usize;
        while offset < samples {
            let from = made(start + offset as u64);
            let n = (samples - offset).min(MADE - from);
            mixer.add_at(offset, &self.made[from..from + n]);
            offset += n;
        }
        heard
    }
    fn make_until(&mut self, start: u64, end: u64) {
        if self.front + MADE as u64 <= end {
            // Nobody listened for a while.
            self.made.fill(0);
            self.front = start;
            self.concealer.reset();
            (self.making, self.crossing, self.step) = (Making::Nothing, None, (0, 0));
            (self.sound_until, self.noise_until) = (self.front, self.front);
            if let Some(map) = &self.map {
                self.last_said = map.at(self.front);
            }
        }
        while self.front < end {
            let room = usize::try_from(end - self.front).unwrap_or(PIECE).min(PIECE);
            self.make(room);
        }
    }
    /// Makes at most `room` samples more, at least one.
    fn make(&mut self, room: usize) {
        let mut piece = [0; PIECE];
        let room = room.min(MADE - made(self.front));
        let Some(map) = self.map else {
            return self.put(&piece[..room]);
        };
        self.correct_in_silence();
        self.look_for_crossing();
        let map = self.map.unwrap_or(map);
        let from = map.at(self.front);
        if let Some(crossing) = self.crossing {
            let n = self.cross(crossing, from, &mut piece[..room]);
            return self.put_sound(from, &mut piece[..n]);
        }
        let (here, n) = self.run(from, room);
        if here {
            self.copy(from, &mut piece[..n]);
            self.put_sound(from, &mut piece[..n]);
        } else {
            self.put_gap(from, &mut piece[..n]);
        }
    }
    /// Whether the sample of this timestamp is there, and how many after it are alike: at most `most`.
    #[expect(clippy::cast_sign_loss, reason = "ahead is above 0 here")]
    fn run(&self, from: u32, most: usize) -> (bool, usize) {
        let Some(map) = self.map else { return (false, most) };
        let ahead = distance(map.head, from);
        if ahead <= 0 || ahead > SAID_SPAN {
            return (false, most);
        }
        let most = most.min(ahead as usize);
        if let Some(all) = self.said.get(said(from)..said(from) + most)
            && !all.contains(&MISSING)
        {
            return (true, most);
        }
        let is_here = |n: usize| self.said[said(from.wrapping_add(n as u32))] != MISSING;
        let here = is_here(0);
        (here, (1..most).find(|n| is_here(*n) != here).unwrap_or(most))
    }
    fn copy(&self, from: u32, to: &mut [i16]) {
        if let Some(all) = self.said.get(said(from)..said(from) + to.len())
            && !all.contains(&MISSING)
        {
            return to.copy_from_slice(all);
        }
        for (n, sample) in (0u32..).zip(to) {
            let said = self.said[said(from.wrapping_add(n))];
            *sample = if said == MISSING { 0 } else { said };
        }
    }
    /// Sound that is there.
    fn put_sound(&mut self, from: u32, piece: &mut [i16]) {
        if self.making == Making::Rest {
            self.smooth(piece.first().copied().unwrap_or(0));
        } else if !self.concealer.is_whole() {
            self.concealer.join(piece);
        }
        if self.making != Making::Sound {
            self.concealer.reset();
        }
        self.making = Making::Sound;
        self.put(piece);
        self.last_said = from.wrapping_add(piece.len() as u32);
        self.sound_until = self.front;
    }
    /// Sound that is not there.
    fn put_gap(&mut self, from: u32, piece: &mut [i16]) {
        let rests = self.rest.as_ref().is_some_and(|r| {
            self.making == Making::Rest
                || (distance(from, r.from) >= 0 && distance(r.from, self.last_said) >= 0)
        });
        if rests {
            return self.put_rest(piece);
        }
        if self.making != Making::Sound {
            return self.put(piece);
        }
        if !self.concealer.in_gap() {
            let mut past = [0; HISTORY];
            self.recall(&mut past);
            self.concealer.begin(&mut past);
            self.amend(&past);
        }
        let silent = self.concealer.is_silent();
        self.concealer.fill(piece);
        self.put(piece);
        if !silent {
            self.figures.concealed += piece.len() as u64;
            self.sound_until = self.front;
        }
    }
    fn put_rest(&mut self, piece: &mut [i16]) {
        let noise = self.rest.as_mut().and_then(|r| r.noise.as_mut());
        let is_noise = noise.is_some();
        if let Some(noise) = noise {
            noise.fill(piece);
        }
        if self.making != Making::Rest {
            self.smooth(piece.first().copied().unwrap_or(0));
        }
        self.making = Making::Rest;
        self.put(piece);
        if is_noise {
            self.noise_until = self.front;
        }
    }
    /// What comes next begins with `first`: the step to it is spread.
    fn smooth(&mut self, first: i16) {
        let last = self.made[made(self.front.wrapping_sub(1))];
        self.step = (i32::from(last) - i32::from(first), SMOOTHED);
    }
    /// Appends to what was made. Wants room up to the ring's end.
    #[expect(clippy::cast_sign_loss, reason = "a count of steps")]
    fn put(&mut self, piece: &[i16]) {
        let at = made(self.front);
        let room = &mut self.made[at..at + piece.len()];
        room.copy_from_slice(piece);
        for sample in room.iter_mut().take(self.step.1 as usize) {
            let sum = i32::from(*sample) + self.step.0 * self.step.1 / SMOOTHED;
            *sample = sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
            self.step.1 -= 1;
        }
        self.front += piece.len() as u64;
    }
    fn recall(&self, past: &mut [i16; HISTORY]) {
        for (n, sample) in (1u64..).zip(past.iter_mut().rev()) {
            *sample = self.made[made(self.front.wrapping_sub(n))];
        }
    }
    /// Writes back the end of the past, which nobody has heard yet.
    fn amend(&mut self, past: &[i16; HISTORY]) {
        for (n, sample) in (1u64..).zip(past.iter().rev()).take(LOOK_AHEAD) {
            self.made[made(self.front.wrapping_sub(n))] = *sample;
        }
    }

    /// In silence the depth is mended without a sound.
    #[expect(clippy::cast_possible_wrap, reason = "at most PITCH_MAX")]
    fn correct_in_silence(&mut self) {
        if self.pending == 0 || self.is_sounding() || self.crossing.is_some() {
            return;
        }
        let Some(map) = self.map else { return };
        let by = if self.pending > 0 {
            let (here, missing) = self.run(map.at(self.front), PITCH_MAX);
            if here { 0 } else { self.pending.min(missing as i32) }
        } else {
            // What was said before the silence is not said again.
            let silent = self.front - self.sound_until.min(self.front);
            self.pending.max(-i32::try_from(silent).unwrap_or(i32::MAX))
        };
        if by != 0 {
            self.move_by(by);
        }
    }
    fn move_by(&mut self, by: i32) {
        if let Some(map) = &mut self.map {
            map.offset = map.offset.wrapping_add(by.cast_unsigned());
        }
        self.pace.shift(by);
        self.pending -= by;
        self.looks = 0;
        self.count(by);
    }
    fn count(&mut self, by: i32) {
        let counter = if by > 0 { &mut self.figures.cut } else { &mut self.figures.stretched };
        *counter += u64::from(by.unsigned_abs());
    }
    /// In sound the depth is mended by one pitch period, at a place where it is like the next.
    #[expect(clippy::cast_possible_wrap, reason = "a lag of at most PITCH_MAX")]
    fn look_for_crossing(&mut self) {
        let is_time = self.front >= self.looked_at + LOOK_EVERY;
        let enough = self.pending.unsigned_abs() as usize >= PITCH_MIN;
        if !enough || !is_time || !self.concealer.is_whole() || self.making != Making::Sound {
            return;
        }
        let Some(map) = self.map.filter(|_| self.crossing.is_none()) else { return };
        let from = map.at(self.front);
        let longest = (self.pending.unsigned_abs() as usize).min(PITCH_MAX);
        let begin = if self.pending > 0 { from } else { from.wrapping_sub(longest as u32) };
        if self.run(begin, CROSSED + longest) != (true, CROSSED + longest) {
            return;
        }
        self.looked_at = self.front;
        self.looks += 1;
        let (likeness, lag) = self.most_alike(begin, longest);
        let wanted = match self.looks {
            _ if self.pending.abs() > URGENT => 0.5,
            0..25 => 0.9,
            25..50 => 0.7,
            50..100 => 0.4,
            _ => f32::NEG_INFINITY,
        };
        if likeness >= wanted {
            self.crossing = Some(Crossing { by: lag as i32 * self.pending.signum(), done: 0 });
        }
    }
    /// How alike two places that lie a period apart are at best (1: the same), and how far apart they lie.
    fn most_alike(&self, begin: u32, longest: usize) -> (f32, usize) {
        let mut window = [0; CROSSED + PITCH_MAX];
        let window = &mut window[..CROSSED + longest];
        self.copy(begin, window);
        let power = |s: &[i16]| s.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>();
        if power(window) < QUIET_POWER * window.len() as f32 {
            return (1.0, longest);
        }
        // Cutting compares what comes now with what comes later, stretching with what came before.
        let (fixed, moving): (&[i16], _) = if self.pending > 0 {
            (&window[..CROSSED], PITCH_MIN..=longest)
        } else {
            (&window[longest..], 0..=longest - PITCH_MIN)
        };
        let own = power(fixed);
        let mut best = (f32::NEG_INFINITY, longest);
        for at in moving {
            let other = &window[at..at + CROSSED];
            let product: f32 = fixed.iter().zip(other).map(|(a, b)| f32::from(*a) * f32::from(*b)).sum();
            let likeness = product / (own * power(other)).max(1.0).sqrt();
            let lag = if self.pending > 0 { at } else { longest - at };
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best
    }
    /// Goes on crossing from one place to the other; hands back how many samples were made.
    fn cross(&mut self, crossing: Crossing, from: u32, piece: &mut [i16]) -> usize {
        let n = piece.len().min(CROSSED - crossing.done);
        let mut other = [0; PIECE];
        self.copy(from, &mut piece[..n]);
        self.copy(from.wrapping_add(crossing.by.cast_unsigned()), &mut other[..n]);
        for (k, (to, other)) in (crossing.done..).zip(piece[..n].iter_mut().zip(other)) {
            let weight = (k + 1) as f32 / CROSSED as f32;
            *to = rounded(f32::from(*to) * (1.0 - weight) + f32::from(other) * weight);
        }
        self.crossing = Some(Crossing { done: crossing.done + n, ..crossing });
        if crossing.done + n == CROSSED {
            self.crossing = None;
            self.move_by(crossing.by);
        }
        n
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
