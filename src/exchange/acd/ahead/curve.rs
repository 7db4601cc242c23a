//! From futures to a correction: by what the formula's waits of a line are multiplied, by how long they are.
//!
//! Each caller of a future who was taken to stay is a sample: what the formula said of him there, and how long he waited.
//! Samples of a line are sorted by the formula and cut into bins of like ones; a bin is a knot. So callers who come after the
//! batch was run are told from it too, and the formula goes on to see who is ahead now. In whole numbers, so that a tape
//! holds it to the last bit.
use crate::exchange::acd::estimate::float;
use crate::exchange::acd::waiting::LineId;
use crate::exchange::acd::{Forecast, LineAhead};

/// Samples of one knot, at least.
const KNOT: usize = 15;
/// Knots of one line, at most.
const KNOTS: usize = 6;
/// Added to both waits before they are divided, in seconds: ratios of very short waits say nothing.
const SHORT_S: f64 = 5.0;
/// The least and the most that a wait is multiplied by, in thousandths.
const RATIOS: (f64, f64) = (100.0, 10_000.0);
/// The same of an end's distance from the median.
const SPREADS: (f64, f64) = (400.0, 2_500.0);
/// How much of the logarithm of a ratio is believed: some dozen futures of a moment ago err too, and the formula sees now.
const BELIEVED: f64 = 0.8;
/// Of samples, the share beyond each end.
const BEYOND: f64 = 0.1;

/// One caller in one future.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// What the formula said when he was first seen there.
    pub(super) formula: Forecast,
    /// How long he then waited, in seconds.
    pub(super) wait_s: f64,
}

impl Sample {
    fn mean(&self) -> f64 {
        self.formula.mean_s + SHORT_S
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded just before")]
fn whole(x: f64, (least, most): (f64, f64)) -> u32 {
    x.max(least).min(most) as u32
}

/// What these samples say of their line. `None`: there are too few. `sure`: there are enough futures to tell the spread.
pub(super) fn curve(line: LineId, mut samples: Vec<Sample>, sure: bool) -> Option<LineAhead> {
    if samples.len() < KNOT {
        return None;
    }
    samples.sort_by(|a, b| a.formula.mean_s.total_cmp(&b.formula.mean_s));
    let bins = (samples.len() / KNOT).min(KNOTS);
    let size = samples.len().div_ceil(bins);
    let knots = samples.chunks(size).map(|bin| {
        let formula: f64 = bin.iter().map(Sample::mean).sum();
        let wait: f64 = bin.iter().map(|s| s.wait_s + SHORT_S).sum();
        let at = formula / float(bin.len()) - SHORT_S;
        (whole(at * 1000.0, (0.0, 4e9)), whole(1000.0 * wait / formula, RATIOS))
    });
    let mut all = LineAhead { line, knots: knots.collect(), spread: (1000, 1000) };
    if sure {
        all.spread = spread(&all, &samples);
    }
    Some(all)
}

/// How far the ends must stand from the median, that the shares of samples beyond them are right.
fn spread(curve: &LineAhead, samples: &[Sample]) -> (u32, u32) {
    let mut off: Vec<(f64, f64)> = Vec::with_capacity(samples.len());
    for sample in samples {
        let told = curve.apply(&sample.formula);
        let off_by = sample.wait_s - told.typical_s;
        let to = |end: f64| (told.typical_s - end).abs().max(1.0);
        off.push((-off_by / to(told.low_s), off_by / to(told.high_s)));
    }
    let at = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        let place = (0..all.len()).find(|i| float(*i) >= (1.0 - BEYOND) * float(all.len()));
        place.and_then(|i| all.get(i)).copied().unwrap_or(1.0)
    };
    let (low, high): (Vec<f64>, Vec<f64>) = off.into_iter().unzip();
    (whole(1000.0 * at(low), SPREADS), whole(1000.0 * at(high), SPREADS))
}

impl LineAhead {
    /// The formula's forecast, corrected.
    pub(in crate::exchange::acd) fn apply(&self, formula: &Forecast) -> Forecast {
        let ratio = libm::pow(self.ratio(formula.mean_s * 1000.0), BELIEVED);
        let Forecast { mean_s, low_s, typical_s, high_s } = *formula;
        let times = |s: f64| ((s + SHORT_S) * ratio - SHORT_S).max(0.0);
        let (low, high) = (f64::from(self.spread.0) / 1000.0, f64::from(self.spread.1) / 1000.0);
        Forecast {
            mean_s: times(mean_s),
            low_s: (times(typical_s) - low * ratio * (typical_s - low_s)).max(0.0),
            typical_s: times(typical_s),
            high_s: times(typical_s) + high * ratio * (high_s - typical_s),
        }
    }

    /// Between two knots a line, beyond them as at the last.
    fn ratio(&self, formula_ms: f64) -> f64 {
        let knots = self.knots.iter().map(|(at, ratio)| (f64::from(*at), f64::from(*ratio) / 1000.0));
        let mut before: Option<(f64, f64)> = None;
        for (at, ratio) in knots {
            if formula_ms <= at {
                return before.map_or(ratio, |(from, was)| {
                    was + (ratio - was) * (formula_ms - from) / (at - from).max(1.0)
                });
            }
            before = Some((at, ratio));
        }
        before.map_or(1.0, |(_, ratio)| ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn formula(mean_s: f64) -> Forecast {
        Forecast { mean_s, low_s: 0.5 * mean_s, typical_s: mean_s, high_s: 1.5 * mean_s }
    }

    #[test]
    fn a_formula_that_is_off_is_corrected_by_how_far_back_in_line_somebody_is() {
        let mut rng = Rng::from_number(3);
        let samples = (0..600).map(|_| {
            let mean_s = 600.0 * rng.unit();
            let truth = if mean_s < 300.0 { mean_s } else { 2.0 * mean_s };
            Sample { formula: formula(mean_s), wait_s: truth * (0.9 + 0.2 * rng.unit()) }
        });
        let curve = curve(7, samples.collect(), true).unwrap();
        let (near, far) = (curve.apply(&formula(100.0)), curve.apply(&formula(500.0)));
        assert!((near.mean_s - 100.0).abs() < 15.0 && (far.mean_s - 874.0).abs() < 60.0, "{near:?} {far:?}");
        assert!(far.high_s - far.low_s < 1000.0, "they vary less than the formula thinks: {far:?}");
    }

    #[test]
    fn few_samples_say_nothing() {
        let few = vec![Sample { formula: formula(10.0), wait_s: 20.0 }; KNOT - 1];
        assert_eq!(curve(7, few, true), None);
    }
}
