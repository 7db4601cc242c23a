//! Keys in the sound itself: two tones at once (ITU-T Q.23), found by Goertzel's filter at the eight frequencies, within
//! the limits of ITU-T Q.24.
//!
//! Invariant: a key is two pure tones and nothing else for 35 ms: each within 2.5 % of its frequency, neither much
//! stronger than the other, together more than four fifths of all power. Speech and music are never that for so long.
//! The same key counts again only after 20 ms without it.
//!
//! ```text
//! samples --5 ms--> 8 complex amplitudes, energy --20 ms, coherent--> a key at all? --35 ms, at +-52 Hz--> which, how pure
//! ```
//! Sound is looked at in frames of 20 ms; where nothing is loud enough the filters do not run. A key's 35 ms hold the last
//! block of at least one of the two frames they lie in: while those blocks cannot belong to a key, no other is filtered.
use std::sync::LazyLock;

use crate::base::Key;
use crate::media::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::media::tone::{COLUMNS, Goertzel, ROWS, key_of};

/// Samples in a block: 5 ms.
const BLOCK: usize = 40;
const BLOCKS_IN_FRAME: usize = FRAME_SAMPLES / BLOCK;
/// Blocks that a key must fill: 35 ms. 40 ms hold as many whole ones however they lie, 23 ms touch one less.
const WHOLE: usize = 7;
/// Blocks that are looked at first: 20 ms.
const GLANCE: usize = 4;
/// Blocks without the key after which it was released: 20 ms. An interruption of 10 ms touches three.
const RELEASED: u8 = 4;
/// Peak amplitude of the weakest tone that counts: -27 dBm0 (0 dBm0 is 3.17 dB below full scale). Q.24 wants -24 dBm.
const FAINTEST: f32 = 1_012.0;
/// Power a sample without which no block can hold a key: two such tones, less what beats and edges take.
const POWER_MIN: f32 = FAINTEST * FAINTEST * 0.5;
/// Frequencies may be off by this part: 1.5 % must be taken, 3.5 % refused.
const OFF: f32 = 0.025;
/// The column's tone may be this much stronger than the row's, and weaker: +6 and -10 dB. Q.24 wants +4 and -8.
const STRONGER: f32 = 4.0;
const WEAKER: f32 = 0.1;
/// The part of all power that the two tones have, at a glance and for good. Noise 15 dB below leaves 0.97.
const GLANCED: f32 = 0.25;
const PURE: f32 = 0.82;
/// The same in a single block, where the two tones are in each other's way.
const LIKELY: f32 = 0.4;
/// The part of a tone's power that its second harmonic may have: -15 dB. Voices and instruments have more, the keypad's
/// generators and a telephone line's clipping hardly any.
const HARMONIC: f32 = 0.03;
/// Samples in which harmonics are looked for: 25 ms; and how far from the other tone one must lie to be told apart, in Hz.
const HARMONIC_WINDOW: usize = FRAME_SAMPLES + BLOCK;
const APART_HZ: f64 = 90.0;
/// A block is as loud as this part of the loudest, and of the key while that is held.
const EVEN: f32 = 0.2;
const HELD: f32 = 0.1;
const HELD_PURE: f32 = 0.4;
/// How far from a filter's frequency a tone is looked for, in Hz: steps of this, so many to each side.
const STEP_HZ: f32 = 7.5;
const STEPS: usize = 7;
/// A gap in the timestamps up to this is loss, in samples: a key that is held goes on. 60 ms.
const LOST_MAX: u32 = 480;

/// A complex number.
#[derive(Clone, Copy, Debug, Default)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    fn turn(angle: f64) -> Self {
        Self { re: libm::cos(angle) as f32, im: libm::sin(angle) as f32 }
    }
    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

/// What the eight filters need, the same for all.
struct Filters {
    hz: [f32; 8],
    turn: [f32; 8],
    /// A filter's two last values become the amplitude at the block's beginning by these.
    last: [Complex; 8],
    before: [Complex; 8],
    /// What a block later turns by; and the same at each step beside the filter's frequency.
    block: [Complex; 8],
    beside: [[Complex; 2 * STEPS + 1]; 8],
    window: [f64; HARMONIC_WINDOW],
}

static FILTERS: LazyLock<Filters> = LazyLock::new(|| {
    let hz: [f64; 8] = std::array::from_fn(|k| if k < 4 { ROWS[k] } else { COLUMNS[k - 4] });
    let step = hz.map(|f| std::f64::consts::TAU * f / f64::from(SAMPLE_RATE));
    Filters {
        hz: hz.map(|f| f as f32),
        turn: step.map(|w| (2.0 * libm::cos(w)) as f32),
        last: step.map(|w| Complex::turn(-w * (BLOCK - 1) as f64)),
        before: step.map(|w| Complex::turn(-w * BLOCK as f64)),
        block: step.map(|w| Complex::turn(-w * BLOCK as f64)),
        beside: step.map(|w| {
            std::array::from_fn(|n| {
                let off = f64::from(STEP_HZ) * (n as f64 - STEPS as f64);
                let off = std::f64::consts::TAU * off / f64::from(SAMPLE_RATE);
                Complex::turn(-(w + off) * BLOCK as f64)
            })
        }),
        window: std::array::from_fn(|n| {
            let angle = std::f64::consts::TAU * (n as f64 + 0.5) / HARMONIC_WINDOW as f64;
            0.5 - 0.5 * libm::cos(angle)
        }),
    }
});

/// 5 ms of sound as the filters see it.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    energy: f32,
    tones: [Complex; 8],
}

impl Block {
    /// Whether it may belong to a key, as far as 5 ms can tell: a quick no.
    fn is_likely(&self) -> bool {
        let powers = self.tones.map(Complex::power);
        let (rows, columns) = powers.split_at(4);
        let best = |group: &[f32]| group.iter().copied().fold(0.0, f32::max);
        2.0 * (best(rows) + best(columns)) >= LIKELY * BLOCK as f32 * self.energy
    }
}

/// A key that is held.
#[derive(Clone, Copy, Debug)]
struct Held {
    key: Key,
    tones: (usize, usize),
    /// Of a block, while it is held.
    energy: f32,
    without: u8,
}

/// A tone that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    hz: f64,
    power: f32,
}

/// Listens to one leg. 1.3 KiB.
#[derive(Debug)]
pub(super) struct InbandDetector {
    before: [i16; FRAME_SAMPLES],
    frame: [i16; FRAME_SAMPLES],
    filled: usize,
    /// The newest last.
    blocks: [Block; WHOLE],
    /// Blocks in a row that are loud enough.
    loud: usize,
    /// Whether the last block of the frame before may belong to a key.
    likely: bool,
    held: Option<Held>,
    next: Option<(u32, u32)>,
}

impl InbandDetector {
    /// Nothing was heard.
    pub(super) fn new() -> Self {
        Self {
            before: [0; FRAME_SAMPLES],
            frame: [0; FRAME_SAMPLES],
            filled: 0,
            blocks: [Block::default(); WHOLE],
            loud: 0,
            likely: false,
            held: None,
            next: None,
        }
    }
    /// Takes a packet's sound; the key that began in it.
    pub(super) fn packet(&mut self, (ssrc, timestamp): (u32, u32), sound: &[i16]) -> Option<Key> {
        let gap = match self.next {
            Some((known, next)) if known == ssrc => timestamp.wrapping_sub(next),
            Some(_) | None => u32::MAX / 2,
        };
        if gap > u32::MAX - 8_000 {
            // Out of order: what comes is older than what was heard.
            return None;
        }
        if gap > 0 {
            (self.filled, self.loud, self.likely) = (0, 0, false);
        }
        if gap > LOST_MAX {
            self.held = None;
        }
        self.next = Some((ssrc, timestamp.wrapping_add(sound.len() as u32)));
        self.sound(sound)
    }
    /// Takes sound; the key that began in it.
    pub(super) fn sound(&mut self, mut sound: &[i16]) -> Option<Key> {
        let mut found = None;
        while !sound.is_empty() {
            // Most packets are a frame: those are read where they lie.
            if let Some((frame, later)) = sound.split_first_chunk().filter(|_| self.filled == 0) {
                sound = later;
                found = self.frame(frame).or(found);
                continue;
            }
            let n = sound.len().min(FRAME_SAMPLES - self.filled);
            let (now, later) = sound.split_at(n);
            self.frame[self.filled..self.filled + n].copy_from_slice(now);
            (self.filled, sound) = (self.filled + n, later);
            if self.filled == FRAME_SAMPLES {
                self.filled = 0;
                let frame = self.frame;
                found = self.frame(&frame).or(found);
            }
        }
        found
    }
    /// The key that is held now.
    pub(super) fn held(&self) -> Option<Key> {
        self.held.map(|h| h.key)
    }
    /// How long ago, in samples of the newest packet's end, a key that was just found began at the latest.
    pub(super) const fn began(&self) -> u32 {
        ((WHOLE + BLOCKS_IN_FRAME) * BLOCK + self.filled) as u32
    }

    fn frame(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Option<Key> {
        let before = std::mem::replace(&mut self.likely, may_end_in_key(frame));
        if !before && !self.likely && self.held.is_none() {
            self.loud = 0;
            return None;
        }
        let found = self.blocks(frame);
        self.before = *frame;
        found
    }
    fn blocks(&mut self, frame: &[i16; FRAME_SAMPLES]) -> Option<Key> {
        let energies: [f32; BLOCKS_IN_FRAME] =
            std::array::from_fn(|b| energy(&frame[b * BLOCK..(b + 1) * BLOCK]));
        let least = POWER_MIN * BLOCK as f32;
        let mut found = None;
        for pair in 0..BLOCKS_IN_FRAME / 2 {
            let at = 2 * pair;
            let loud = energies[at] >= least || energies[at + 1] >= least;
            let mut tones = [[Complex::default(); 8]; 2];
            if loud {
                tones = filter(&frame[at * BLOCK..(at + 2) * BLOCK]);
            }
            for (block, (energy, tones)) in (at..).zip(energies[at..].iter().zip(tones)) {
                self.blocks.rotate_left(1);
                self.blocks[WHOLE - 1] = Block { energy: *energy, tones };
                self.loud = if *energy >= least { self.loud + 1 } else { 0 };
                found = self.block(frame, block).or(found);
            }
        }
        found
    }
    /// A block more was heard, the `at`th of the frame.
    fn block(&mut self, frame: &[i16; FRAME_SAMPLES], at: usize) -> Option<Key> {
        // What goes on as it was is no other key.
        let goes_on = self.hold_on();
        if goes_on || self.loud < WHOLE || !self.blocks[WHOLE - 1].is_likely() || !self.is_even() {
            return None;
        }
        let tones = self.glance()?;
        let key = self.look(tones, &frame[..(at + 1) * BLOCK])?;
        if self.held.is_some_and(|h| h.key == key) {
            return None;
        }
        let energy = self.blocks.iter().map(|b| b.energy).sum::<f32>() / WHOLE as f32;
        self.held = Some(Held { key, tones, energy, without: 0 });
        Some(key)
    }
    /// Whether the newest block still holds the key.
    fn hold_on(&mut self) -> bool {
        let Some(held) = &mut self.held else { return false };
        let block = &self.blocks[WHOLE - 1];
        let tones = block.tones[held.tones.0].power() + block.tones[held.tones.1].power();
        let is_in =
            block.energy >= HELD * held.energy && 2.0 * tones >= HELD_PURE * BLOCK as f32 * block.energy;
        held.without = if is_in { 0 } else { held.without + 1 };
        if held.without >= RELEASED {
            self.held = None;
        }
        is_in
    }
    /// Whether no block is much fainter than the others: the key fills them all.
    fn is_even(&self) -> bool {
        let most = self.blocks.iter().map(|b| b.energy).fold(0.0, f32::max);
        self.blocks.iter().all(|b| b.energy >= EVEN * most)
    }
    /// The strongest row and column of the last 20 ms, if the two are something among the rest.
    fn glance(&self) -> Option<(usize, usize)> {
        let blocks = &self.blocks[WHOLE - GLANCE..];
        let powers: [f32; 8] = std::array::from_fn(|k| {
            let turn = FILTERS.block[k];
            // Horner: the newest block is turned most.
            let sum = blocks.iter().rev().fold(Complex::default(), |sum, b| sum.times(turn).plus(b.tones[k]));
            sum.power()
        });
        let best =
            |from: usize| (from..from + 4).fold(from, |a, b| if powers[b] > powers[a] { b } else { a });
        let (row, column) = (best(0), best(4));
        let energy: f32 = blocks.iter().map(|b| b.energy).sum();
        let part = 2.0 * (powers[row] + powers[column]) / ((GLANCE * BLOCK) as f32 * energy);
        (part >= GLANCED).then_some((row, column))
    }
    /// The key of these tones, if the last 35 ms are that and nothing else.
    fn look(&self, (row, column): (usize, usize), now: &[i16]) -> Option<Key> {
        let low = self.strongest(row)?;
        let high = self.strongest(column)?;
        let power = self.blocks.iter().map(|b| b.energy).sum::<f32>() / (WHOLE * BLOCK) as f32;
        let least = FAINTEST * FAINTEST / 2.0;
        let is_key = low.power >= least
            && high.power >= least
            && (WEAKER..=STRONGER).contains(&(high.power / low.power))
            && low.power + high.power >= PURE * power;
        if is_key && self.is_bare(low, high, now) { key_of(row, column - 4) } else { None }
    }
    /// Whether the two tones have no second harmonics, as far as those can be told from the tones themselves.
    fn is_bare(&self, low: Found, high: Found, now: &[i16]) -> bool {
        let bare = |tone: Found| self.power_at(2.0 * tone.hz, now) <= HARMONIC * tone.power;
        let told = (2.0 * low.hz - high.hz).abs() >= APART_HZ;
        (!told || bare(low)) && bare(high)
    }
    /// The power of a frequency in the 25 ms up to the end of `now`, the beginning of this frame.
    fn power_at(&self, hz: f64, now: &[i16]) -> f32 {
        let end = now.len();
        let before = &self.before[FRAME_SAMPLES - (HARMONIC_WINDOW - end).min(FRAME_SAMPLES)..];
        let mut filter = Goertzel::new(hz);
        let window = before.iter().chain(now);
        let skip = before.len() + end - HARMONIC_WINDOW;
        // Hann's window: the tones themselves do not leak into their harmonics.
        for (weight, sample) in FILTERS.window.iter().zip(window.skip(skip)) {
            filter.feed(weight * f64::from(*sample));
        }
        let amplitude = 4.0 * filter.take_power().sqrt() / HARMONIC_WINDOW as f64;
        (amplitude * amplitude / 2.0) as f32
    }
    /// The tone near a filter's frequency; `None` when it is too far off.
    fn strongest(&self, filter: usize) -> Option<Found> {
        let powers: [f32; 2 * STEPS + 1] =
            std::array::from_fn(|n| self.power(filter, FILTERS.beside[filter][n]));
        let best = (0..powers.len()).fold(0, |a, b| if powers[b] > powers[a] { b } else { a });
        let (left, right) = (powers.get(best.wrapping_sub(1))?.sqrt(), powers.get(best + 1)?.sqrt());
        let top = powers[best].sqrt();
        // A parabola through the three finds the true place.
        let bend = (left - 2.0 * top + right).min(-f32::MIN_POSITIVE);
        let beside = 0.5 * (left - right) / bend;
        let off = STEP_HZ * (best as f32 - STEPS as f32 + beside);
        if off.abs() > OFF * FILTERS.hz[filter] {
            return None;
        }
        let at_top = top - 0.25 * (left - right) * beside;
        // Within a block the filter stood beside the tone.
        let angle = std::f64::consts::PI * f64::from(off) / f64::from(SAMPLE_RATE);
        let loss = if off.abs() < 0.1 {
            1.0
        } else {
            libm::sin(angle * BLOCK as f64) / (BLOCK as f64 * libm::sin(angle))
        };
        let amplitude = 2.0 * at_top / ((WHOLE * BLOCK) as f32 * loss as f32);
        let hz = f64::from(FILTERS.hz[filter]) + f64::from(off);
        Some(Found { hz, power: amplitude * amplitude / 2.0 })
    }
    /// The squared magnitude over all blocks at the frequency that turns by `turn` in each.
    fn power(&self, filter: usize, turn: Complex) -> f32 {
        let blocks = self.blocks.iter().rev();
        blocks.fold(Complex::default(), |sum, b| sum.times(turn).plus(b.tones[filter])).power()
    }
}

/// The energy of a block.
fn energy(sound: &[i16]) -> f32 {
    sound.iter().map(|s| f32::from(*s) * f32::from(*s)).sum()
}

/// Whether the frame's last block may belong to a key, as far as 5 ms can tell.
fn may_end_in_key(frame: &[i16; FRAME_SAMPLES]) -> bool {
    let last = &frame[FRAME_SAMPLES - BLOCK..];
    let energy = energy(last);
    energy >= POWER_MIN * BLOCK as f32 && Block { energy, tones: filter_one(last) }.is_likely()
}

/// A block through the eight filters.
fn filter_one(block: &[i16]) -> [Complex; 8] {
    let f: &Filters = &FILTERS;
    let (mut last, mut before) = ([0.0_f32; 8], [0.0_f32; 8]);
    for sample in block {
        let sample = f32::from(*sample);
        for k in 0..8 {
            let next = sample - before[k] + f.turn[k] * last[k];
            before[k] = last[k];
            last[k] = next;
        }
    }
    amplitudes(f, last, before)
}

/// Two blocks through the eight filters, side by side: neither waits for the other's last step.
fn filter(sound: &[i16]) -> [[Complex; 8]; 2] {
    let f: &Filters = &FILTERS;
    let (mut last, mut before) = ([[0.0_f32; 8]; 2], [[0.0_f32; 8]; 2]);
    let (first, second) = sound.split_at(BLOCK.min(sound.len()));
    for (a, b) in first.iter().zip(second) {
        for (block, sample) in [f32::from(*a), f32::from(*b)].into_iter().enumerate() {
            for k in 0..8 {
                let next = sample - before[block][k] + f.turn[k] * last[block][k];
                before[block][k] = last[block][k];
                last[block][k] = next;
            }
        }
    }
    std::array::from_fn(|block| amplitudes(f, last[block], before[block]))
}

/// The amplitudes at a block's beginning, from the filters' two last values.
fn amplitudes(f: &Filters, last: [f32; 8], before: [f32; 8]) -> [Complex; 8] {
    std::array::from_fn(|k| Complex {
        re: f.last[k].re * last[k] - f.before[k].re * before[k],
        im: f.last[k].im * last[k] - f.before[k].im * before[k],
    })
}

#[cfg(test)]
mod tests;
