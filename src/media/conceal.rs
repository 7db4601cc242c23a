//! Concealment of lost sound, ITU-T G.711 Appendix I: the last pitch periods are said again, joined to what was heard
//! before and after by overlap and add, and fade to silence after 60 ms. It works in runs of any length: the Appendix's
//! 10 ms units are counted in samples.
//!
//! Invariant: sound is not touched but for the quarter of a period before a gap and at most 10 ms after it. To change
//! what lies before the gap it must not have been heard yet: whoever uses this is [`LOOK_AHEAD`] ahead of the ear.
use crate::media::frame::SAMPLES_PER_MS;

/// How far ahead of the ear sound is made, in samples: 3.75 ms, the Appendix's delay.
pub(super) const LOOK_AHEAD: usize = PITCH_MAX / 4;
/// What must be known of the past, in samples: three of the longest periods and a quarter.
pub(super) const HISTORY: usize = 3 * PITCH_MAX + LOOK_AHEAD;
/// The shortest and the longest pitch period, in samples: 200 and 66 Hz.
pub(super) const PITCH_MIN: usize = 5 * SAMPLES_PER_MS;
pub(super) const PITCH_MAX: usize = 15 * SAMPLES_PER_MS;
/// The window in which periods are compared: 20 ms.
const CORRELATED: usize = 20 * SAMPLES_PER_MS;
/// Every second sample is compared at first.
const COARSE: usize = 2;
/// Below this power all windows are alike: silence.
const POWER_MIN: f32 = 250.0;
/// The unit of the Appendix: 10 ms.
const UNIT: u32 = 80;
/// Full strength in the first unit; then a fifth less in each.
const FADED: u32 = 6 * UNIT;
/// The join after a gap grows by 4 ms with each unit of the gap, up to 10 ms.
const JOIN_STEP: u32 = 32;
const JOIN_MAX: u32 = 80;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Sound comes as it was said.
    Whole,
    /// In a gap, this many samples long so far.
    Gap(u32),
    /// Behind a gap: `done` of `total` samples are joined.
    Join { done: u32, total: u32, gap: u32 },
}

/// The concealment of one source.
#[derive(Debug)]
pub(super) struct Concealer {
    phase: Phase,
    past: [i16; HISTORY],
    /// The quarter period before the gap as it was said.
    quarter: [i16; LOOK_AHEAD],
    /// What the shorter buffer would have said at the moment it was lengthened.
    tail: [i16; LOOK_AHEAD],
    tail_at: usize,
    pitch: usize,
    periods: usize,
    at: usize,
}

impl Concealer {
    /// Nothing is missing.
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Whole,
            past: [0; HISTORY],
            quarter: [0; LOOK_AHEAD],
            tail: [0; LOOK_AHEAD],
            tail_at: 0,
            pitch: PITCH_MAX,
            periods: 1,
            at: 0,
        }
    }
    /// Forgets a gap: what comes next is not joined to it.
    pub(super) const fn reset(&mut self) {
        self.phase = Phase::Whole;
    }
    /// Whether it is within a gap.
    pub(super) const fn in_gap(&self) -> bool {
        matches!(self.phase, Phase::Gap(_))
    }
    /// Whether it is within a gap so long that it has faded to silence.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Gap(FADED..))
    }
    /// Whether sound passes as it is.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self.phase, Phase::Whole)
    }
    /// A gap begins after `past`, whose last quarter period is changed: it leads into the periods to come.
    pub(super) fn begin(&mut self, past: &mut [i16; HISTORY]) {
        self.past = *past;
        self.pitch = pitch_of(&self.past);
        (self.periods, self.at, self.tail_at) = (1, 0, LOOK_AHEAD);
        self.phase = Phase::Gap(0);
        let quarter = self.pitch / 4;
        self.quarter[..quarter].copy_from_slice(&past[HISTORY - quarter..]);
        self.lead_in();
        past[HISTORY - quarter..].copy_from_slice(&self.past[HISTORY - quarter..]);
    }
    /// What is said in place of the next samples. Wants a gap that was begun.
    pub(super) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            let Phase::Gap(gap) = self.phase else { return };
            if gap >= FADED {
                *sample = 0;
                continue;
            }
            if gap == UNIT || gap == 2 * UNIT {
                self.lengthen();
            }
            *sample = rounded(f32::from(self.next()) * strength(gap));
            self.phase = Phase::Gap(gap + 1);
        }
    }
    /// Joins sound that came after a gap to what was said in its place.
    pub(super) fn join(&mut self, sound: &mut [i16]) {
        if let Phase::Gap(gap) = self.phase {
            let units = gap.div_ceil(UNIT).max(1);
            let total = (self.pitch as u32 / 4 + (units - 1) * JOIN_STEP).min(JOIN_MAX);
            self.phase = Phase::Join { done: 0, total, gap };
        }
        for sample in sound {
            let Phase::Join { done, total, gap } = self.phase else { return };
            let done = done + 1;
            let weight = done as f32 / total as f32;
            let before = f32::from(self.next()) * strength(gap) * (1.0 - weight);
            *sample = rounded(f32::from(*sample) * weight + before);
            self.phase = if done == total { Phase::Whole } else { Phase::Join { done, total, gap } };
        }
    }
    /// The next sample of the periods that are said again and again.
    fn next(&mut self) -> i16 {
        let sample = self.step();
        let quarter = self.pitch / 4;
        if self.tail_at >= quarter {
            return sample;
        }
        let before = self.tail[self.tail_at];
        self.tail_at += 1;
        mixed(before, sample, self.tail_at, quarter)
    }
    fn step(&mut self) -> i16 {
        let length = self.pitch * self.periods;
        let sample = self.past[HISTORY - length + self.at];
        self.at = if self.at + 1 == length { 0 } else { self.at + 1 };
        sample
    }
    /// One more period of the past is said again, so that a long gap does not sound like a buzzer.
    fn lengthen(&mut self) {
        let at = self.at;
        for n in 0..self.pitch / 4 {
            self.tail[n] = self.step();
        }
        self.tail_at = 0;
        self.at = at % self.pitch;
        self.periods += 1;
        self.lead_in();
    }
    /// The end of the periods leads into their beginning.
    fn lead_in(&mut self) {
        let quarter = self.pitch / 4;
        let begin = HISTORY - self.pitch * self.periods;
        for n in 0..quarter {
            let into = self.past[begin - quarter + n];
            self.past[HISTORY - quarter + n] = mixed(self.quarter[n], into, n + 1, quarter);
        }
    }
}

/// How strong the `gap`th sample of a gap is.
fn strength(gap: u32) -> f32 {
    let faded = gap.saturating_sub(UNIT).min(FADED - UNIT);
    1.0 - faded as f32 / (FADED - UNIT) as f32
}

/// `part` of `whole` of the way from `from` to `to`.
fn mixed(from: i16, to: i16, part: usize, whole: usize) -> i16 {
    let weight = part as f32 / whole as f32;
    rounded(f32::from(from) * (1.0 - weight) + f32::from(to) * weight)
}

/// The nearest sample.
pub(super) fn rounded(x: f32) -> i16 {
    (x + 0.5_f32.copysign(x)) as i16
}

/// The pitch period at the end of `past`, in samples: where its last 20 ms are most like what went before.
fn pitch_of(past: &[i16; HISTORY]) -> usize {
    let likeness = |lag: usize, step: usize| {
        let (now, then) = (&past[HISTORY - CORRELATED..], &past[HISTORY - CORRELATED - lag..]);
        let (mut power, mut product) = (0.0_f32, 0.0_f32);
        for (now, then) in now.iter().zip(then).step_by(step) {
            let (now, then) = (f32::from(*now), f32::from(*then));
            power += then * then;
            product += now * then;
        }
        product / power.max(POWER_MIN).sqrt()
    };
    // From the longest on; of two alike the shorter one, as the Appendix has it.
    let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
        let mut best = (f32::NEG_INFINITY, PITCH_MAX);
        for lag in lags {
            let found = likeness(lag, step);
            if found >= best.0 {
                best = (found, lag);
            }
        }
        best.1
    };
    let coarse = best(&mut (PITCH_MIN..=PITCH_MAX).rev().step_by(COARSE), COARSE);
    let near = (coarse - 1).max(PITCH_MIN)..=(coarse + 1).min(PITCH_MAX);
    best(&mut near.rev(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Tone, amplitude};

    /// 50 ms of a voice: harmonics of `pitch` Hz.
    fn voice(pitch: f64, samples: usize) -> Vec<i16> {
        let mut tones: Vec<Tone> = (1..=6).map(|n| Tone::new(pitch * f64::from(n), 2_000.0)).collect();
        (0..samples).map(|_| tones.iter_mut().map(Tone::advance).sum::<f64>() as i16).collect()
    }

    /// `sound` with a gap of `lost` samples at `at`, concealed.
    fn with_gap(sound: &[i16], at: usize, lost: usize) -> Vec<i16> {
        let mut out = sound[..at].to_vec();
        let mut concealer = Concealer::new();
        let mut past = [0; HISTORY];
        past.copy_from_slice(&out[at - HISTORY..]);
        concealer.begin(&mut past);
        out[at - HISTORY..].copy_from_slice(&past);
        // In runs of odd lengths: units are counted in samples.
        let mut left = lost;
        while left > 0 {
            let mut run = vec![0; left.min(37)];
            concealer.fill(&mut run);
            left -= run.len();
            out.extend(run);
        }
        for run in sound[at + lost..].chunks(23) {
            let mut run = run.to_vec();
            if !concealer.is_whole() {
                concealer.join(&mut run);
            }
            out.extend(run);
        }
        out
    }

    fn steepest(sound: &[i16]) -> i32 {
        sound.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap()
    }

    #[test]
    fn the_pitch_of_a_voice_is_found() {
        for hz in [80.0, 100.0, 125.0, 160.0] {
            let sound = voice(hz, HISTORY);
            let pitch = pitch_of(sound.as_slice().try_into().unwrap());
            let period = 8_000.0 / hz;
            assert!((pitch as f64 - period).abs() <= 1.0, "{hz} Hz: {pitch}");
        }
    }

    #[test]
    fn one_lost_packet_of_a_voice_is_hardly_missed() {
        for hz in [80.0, 110.0, 125.0, 190.0] {
            let sound = voice(hz, 2_400);
            let mended = with_gap(&sound, 1_000, 160);
            assert_eq!(mended.len(), sound.len());
            assert!(steepest(&mended) <= steepest(&sound) * 5 / 4, "a click at {hz} Hz");
            let gap = &mended[1_000..1_160];
            let loud = |s: &[i16]| s.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let share = loud(gap) / loud(&sound[1_000..1_160]);
            assert!((0.6..1.1).contains(&share), "{hz} Hz: {share}");
            assert_eq!(mended[..1_000 - LOOK_AHEAD], sound[..1_000 - LOOK_AHEAD]);
            assert_eq!(mended[1_240..], sound[1_240..], "10 ms later all is as it was said");
        }
    }

    #[test]
    fn a_tone_goes_on_in_its_phase() {
        let mut sound = vec![0; 2_000];
        Tone::new(400.0, 8_000.0).fill(&mut sound);
        let mended = with_gap(&sound, 800, 160);
        let level = amplitude(&mended[800..960], 400.0);
        assert!(level > 6_500.0, "{level}");
        assert!(steepest(&mended) < 3_200, "{}", steepest(&mended));
    }

    #[test]
    fn a_long_gap_fades_within_60_ms_and_stays_silent() {
        let sound = voice(100.0, 2_400);
        let mended = with_gap(&sound, 1_000, 800);
        let peak =
            |from: usize| mended[1_000 + from..1_000 + from + 80].iter().map(|s| s.abs()).max().unwrap();
        assert!(peak(0) > 6_000 && peak(200) < peak(0) && peak(320) < peak(160));
        assert!(mended[1_480..1_800].iter().all(|s| *s == 0));
        assert!(steepest(&mended) <= steepest(&sound) * 5 / 4);
        assert_eq!(mended[1_880..], sound[1_880..]);
    }

    #[test]
    fn silence_before_a_gap_is_silence_in_it() {
        let mended = with_gap(&vec![0; 1_000], 500, 300);
        assert!(mended.iter().all(|s| *s == 0));
    }
}
