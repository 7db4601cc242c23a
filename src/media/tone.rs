//! Tones: a generator, and Goertzel's filter that measures how loud a given frequency is. Phones and robots make and hear
//! them, and tests prove with them who hears whom.
//!
//! Invariant: levels are peak amplitudes in sample units (0-32,767), so what is made at 8,000 is measured as 8,000.
//! Times: a window of `n` samples tells tones apart that differ by 4 x 8,000 / n Hz (Hann): 80 Hz at 50 ms.
use std::f64::consts::PI;

use crate::base::Key;
use crate::media::frame::SAMPLE_RATE;

/// The rows of the keypad, in Hz (ITU-T Q.23).
pub(super) const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
/// The columns of the keypad, in Hz (ITU-T Q.23).
pub(super) const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keys, row by row.
const KEYPAD: &[u8; 16] = b"123A456B789C*0#D";

/// The two frequencies of a key, in Hz (ITU-T Q.23): row, column.
pub fn key_frequencies(key: Key) -> (f64, f64) {
    let at = KEYPAD.iter().position(|k| char::from(*k) == key.as_char()).unwrap_or_default();
    (ROWS[at / 4 % 4], COLUMNS[at % 4])
}

/// The key of a row and a column, each 0-3.
pub(super) fn key_of(row: usize, column: usize) -> Option<Key> {
    KEYPAD.get(4 * row + column).and_then(|k| Key::from_char(char::from(*k)))
}

/// One sine that goes on for ever: no clicks between calls, no sine computed per sample.
#[derive(Clone, Debug)]
pub struct Tone {
    turn: f64,
    last: f64,
    before: f64,
}

impl Tone {
    /// A tone of `frequency` Hz and peak `amplitude` (0-32,767), from phase 0.
    pub fn new(frequency: f64, amplitude: f64) -> Self {
        let step = 2.0 * PI * frequency / f64::from(SAMPLE_RATE);
        Self {
            turn: 2.0 * libm::cos(step),
            last: -amplitude * libm::sin(step),
            before: -amplitude * libm::sin(2.0 * step),
        }
    }
    /// The next sample, as a real number.
    pub fn advance(&mut self) -> f64 {
        let next = self.turn * self.last - self.before;
        (self.before, self.last) = (self.last, next);
        next
    }
    /// Fills `samples` with what comes next.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            *sample = to_sample(self.advance());
        }
    }
}

/// Several tones at once: a chord, a key of the keypad.
#[derive(Clone, Debug)]
pub struct Chord(Vec<Tone>);

impl Chord {
    /// Of these tones.
    pub fn new(tones: Vec<Tone>) -> Self {
        Self(tones)
    }
    /// The two tones of a key, each at peak `amplitude`.
    pub fn of_key(key: Key, amplitude: f64) -> Self {
        let (row, column) = key_frequencies(key);
        Self(vec![Tone::new(row, amplitude), Tone::new(column, amplitude)])
    }
    /// Fills `samples` with the saturated sum of what comes next.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            *sample = to_sample(self.0.iter_mut().map(Tone::advance).sum());
        }
    }
}

fn to_sample(x: f64) -> i16 {
    x.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// Goertzel's filter: the level of one frequency in a run of samples.
#[derive(Clone, Debug)]
pub struct Goertzel {
    frequency: f64,
    turn: f64,
    last: f64,
    before: f64,
}

impl Goertzel {
    /// For `frequency` Hz.
    pub fn new(frequency: f64) -> Self {
        let turn = 2.0 * libm::cos(2.0 * PI * frequency / f64::from(SAMPLE_RATE));
        Self { frequency, turn, last: 0.0, before: 0.0 }
    }
    /// The frequency, in Hz.
    pub fn frequency(&self) -> f64 {
        self.frequency
    }
    /// Takes in one sample, already weighted if a window is used.
    pub fn feed(&mut self, sample: f64) {
        let next = sample + self.turn * self.last - self.before;
        (self.before, self.last) = (self.last, next);
    }
    /// The squared magnitude over all samples since the last call; forgets them.
    pub fn take_power(&mut self) -> f64 {
        let power = self.last * self.last + self.before * self.before - self.turn * self.last * self.before;
        (self.last, self.before) = (0.0, 0.0);
        power.max(0.0)
    }
}

/// The peak amplitude of `frequency` Hz in `samples`, as one window.
pub fn amplitude(samples: &[i16], frequency: f64) -> f64 {
    let mut meter = ToneMeter::new(&[frequency], samples.len());
    meter.feed(samples);
    meter.level(0)
}

/// Listens to a few frequencies, window by window.
///
/// ```
/// use hotline::media::{Tone, ToneMeter};
/// let mut sound = [0; 400];
/// Tone::new(700.0, 8_000.0).fill(&mut sound);
/// let mut meter = ToneMeter::new(&[400.0, 700.0], 400);
/// assert_eq!(meter.feed(&sound), 1);
/// assert!(meter.level(0) < 50.0 && (meter.level(1) - 8_000.0).abs() < 100.0);
/// ```
#[derive(Clone, Debug)]
pub struct ToneMeter {
    filters: Vec<Goertzel>,
    /// Hann's window: frequencies between the bins do not leak into each other.
    weights: Vec<f64>,
    weight_sum: f64,
    fed: usize,
    levels: Vec<f64>,
    energy: f64,
    loudness: f64,
}

impl ToneMeter {
    /// For `frequencies` in Hz, in windows of `window` samples (400 = 50 ms is a good choice).
    pub fn new(frequencies: &[f64], window: usize) -> Self {
        let window = window.max(1);
        let step = 2.0 * PI / window as f64;
        let weights: Vec<f64> = (0..window).map(|n| 0.5 - 0.5 * libm::cos(step * (n as f64 + 0.5))).collect();
        Self {
            filters: frequencies.iter().map(|f| Goertzel::new(*f)).collect(),
            weight_sum: weights.iter().sum(),
            weights,
            fed: 0,
            levels: vec![0.0; frequencies.len()],
            energy: 0.0,
            loudness: 0.0,
        }
    }
    /// Takes in sound; hands back how many windows were completed.
    pub fn feed(&mut self, samples: &[i16]) -> usize {
        let mut windows = 0;
        for sample in samples {
            let sample = f64::from(*sample);
            let weighted = sample * self.weights[self.fed];
            self.filters.iter_mut().for_each(|f| f.feed(weighted));
            self.energy += sample * sample;
            self.fed += 1;
            if self.fed == self.weights.len() {
                self.finish_window();
                windows += 1;
            }
        }
        windows
    }
    fn finish_window(&mut self) {
        for (level, filter) in self.levels.iter_mut().zip(&mut self.filters) {
            *level = 2.0 * filter.take_power().sqrt() / self.weight_sum;
        }
        self.loudness = (2.0 * self.energy / self.weights.len() as f64).sqrt();
        (self.energy, self.fed) = (0.0, 0);
    }
    /// The peak amplitude of the `index`th frequency in the last whole window.
    pub fn level(&self, index: usize) -> f64 {
        self.levels.get(index).copied().unwrap_or_default()
    }
    /// The frequencies that were at least `amplitude` loud in the last whole window, in the order given to `new`.
    pub fn heard(&self, amplitude: f64) -> impl Iterator<Item = f64> {
        let pairs = self.filters.iter().zip(&self.levels);
        pairs.filter(move |(_, level)| **level >= amplitude).map(|(filter, _)| filter.frequency())
    }
    /// The peak amplitude a sine would have that is as loud as the last whole window: whatever its frequencies.
    pub fn loudness(&self) -> f64 {
        self.loudness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_measured_at_the_level_it_was_made_and_nowhere_else() {
        let all = [400.0, 700.0, 1_000.0, 1_300.0];
        for (at, frequency) in all.into_iter().enumerate() {
            let mut sound = [0; 400];
            Tone::new(frequency, 8_000.0).fill(&mut sound);
            let mut meter = ToneMeter::new(&all, 400);
            meter.feed(&sound);
            assert_eq!(meter.heard(1_000.0).collect::<Vec<_>>(), [frequency]);
            assert!((meter.level(at) - 8_000.0).abs() < 20.0, "{}", meter.level(at));
            assert!((meter.loudness() - 8_000.0).abs() < 100.0, "{}", meter.loudness());
            for other in (0..4).filter(|o| *o != at) {
                assert!(meter.level(other) < 8.0, "{}", meter.level(other));
            }
        }
    }

    #[test]
    fn a_tone_an_hour_long_keeps_its_level() {
        let mut tone = Tone::new(440.0, 8_000.0);
        for _ in 0..3_600 * 8_000 {
            tone.advance();
        }
        let mut sound = [0; 800];
        tone.fill(&mut sound);
        assert!((amplitude(&sound, 440.0) - 8_000.0).abs() < 20.0);
    }

    #[test]
    fn every_key_has_its_own_two_tones() {
        for event in 0..16 {
            let key = Key::from_event(event).unwrap();
            let mut sound = [0; 800];
            Chord::of_key(key, 6_000.0).fill(&mut sound);
            let (row, column) = key_frequencies(key);
            let mut meter = ToneMeter::new(&[ROWS, COLUMNS].concat(), 800);
            meter.feed(&sound);
            assert_eq!(meter.heard(3_000.0).collect::<Vec<_>>(), [row, column], "{key}");
        }
        assert_eq!(key_frequencies(Key::STAR), (941.0, 1_209.0));
        assert_eq!(key_frequencies(Key::from_char('5').unwrap()), (770.0, 1_336.0));
    }

    #[test]
    fn silence_has_no_level_and_windows_are_counted_across_calls() {
        let mut meter = ToneMeter::new(&[400.0], 400);
        assert_eq!(meter.feed(&[0; 160]), 0);
        assert_eq!(meter.feed(&[0; 160]), 0);
        assert_eq!(meter.feed(&[0; 500]), 2);
        assert!(meter.level(0) < 1e-9 && meter.loudness() < 1e-9);
    }
}
