//! The depth is mended: in silence without a sound, in speech by whole pitch periods, where one is like the next.
//!
//! Invariant: a correction never is a jump in sound; what it adds or leaves out is counted.
use super::making::PIECE;
use super::{Making, Playout};
use crate::media::conceal::{PITCH_MAX, PITCH_MIN, rounded};

/// Two places of the sound are crossed over this many samples when it is stretched or cut.
const CROSSED: usize = 80;
/// How often a place to stretch or cut at is looked for, in samples: 20 ms.
const LOOK_EVERY: u64 = 160;
/// Power a sample below which any place is good: nobody hears it.
const QUIET_POWER: f32 = 2_500.0;
/// A correction so large that a less good place will do, in samples: 100 ms.
const URGENT: i32 = 800;

/// Two places being crossed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    by: i32,
    done: usize,
}

impl Playout {
    /// In silence the depth is mended without a sound.
    #[expect(clippy::cast_possible_wrap, reason = "at most PITCH_MAX")]
    pub(super) fn correct_in_silence(&mut self) {
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
    /// In sound the depth is mended by one pitch period, at a place where it is like the next.
    #[expect(clippy::cast_possible_wrap, reason = "a lag of at most PITCH_MAX")]
    pub(super) fn look_for_crossing(&mut self) {
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
    pub(super) fn cross(&mut self, crossing: Crossing, from: u32, piece: &mut [i16]) -> usize {
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
