//! The sound for the ears: made once, as far as the most impatient ear wants it, of what was said; where that is missing,
//! of concealment (ITU-T G.711 Appendix I), and of noise where the far end told us of its silence (RFC 3389).
//!
//! Invariant: what was made is not made again, and joins what was made before without a step.
use super::{Heard, MADE, MISSING, Making, Playout, SAID_SPAN, clock, distance, made, said};
use crate::base::Instant;
use crate::media::conceal::{HISTORY, LOOK_AHEAD};
use crate::media::frame::FRAME_SAMPLES;
use crate::media::mixer::Mixer;
use crate::media::noise::NoiseMaker;

/// Sound is made in pieces of at most this many samples: 10 ms.
pub(super) const PIECE: usize = 80;
/// A step between silence, noise and sound is smoothed over this many samples: 4 ms.
const SMOOTHED: i32 = 32;

impl Playout {
    /// Adds what is played in the `samples` from `at` on.
    ///
    /// A packet longer than a frame looks back, so that its end is as old as a frame's end would be: all that it
    /// needs has had the time to come.
    pub(in crate::media) fn read(&mut self, at: Instant, samples: usize, mixer: &mut Mixer) -> Heard {
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
    pub(super) fn run(&self, from: u32, most: usize) -> (bool, usize) {
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
    pub(super) fn copy(&self, from: u32, to: &mut [i16]) {
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
}
