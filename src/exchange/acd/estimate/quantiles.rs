//! Three quantiles as linear functions of a few features, fitted to the last outcomes without end.
//!
//! Koenker and Bassett's check loss by weighted least squares: an outcome `r` away from a quantile's line weighs
//! `tau / |r|` above it and `(1 - tau) / |r|` below. With each new outcome a few of the kept ones are weighed and summed;
//! when all have been, the lines are solved anew and the next round begins. So no step is ever long.
use serde::{Deserialize, Serialize};

use super::algebra::{Sums, dot};

/// The quantiles.
pub(super) const TAUS: [f64; 3] = [0.1, 0.5, 0.9];
/// Outcomes kept.
const KEPT: usize = 8192;
/// Outcomes after which features are scaled and the first lines are drawn.
const FIRST: usize = 200;
/// Outcomes weighed with each new one.
const PACE: usize = 8;
/// Nearer than this to a line, in seconds, an outcome weighs no more.
const NEAR_S: f64 = 3.0;
/// Draws coefficients to 0.
const PENALTY: f64 = 1.0;
/// A feature counts at most so many standard deviations from its mean.
const FAR: f64 = 4.0;

/// Lines for the three quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Quantiles {
    scale: Option<Vec<(f64, f64)>>,
    lines: [Vec<f64>; 3],
    sums: [Sums; 3],
    /// Scaled features and outcome; made anew after a restart.
    #[serde(skip)]
    kept: Vec<(Box<[f32]>, f32)>,
    #[serde(skip)]
    next: usize,
    #[serde(skip)]
    weighed: usize,
}

super::flat!(Quantiles { scale, lines, sums, kept, next, weighed });

impl Quantiles {
    /// Whether it is for rows of this width, and within its bounds.
    pub(super) fn is_of(&self, width: usize) -> bool {
        self.scale.as_ref().is_none_or(|scale| scale.len() == width)
            && self.lines.iter().all(|line| line.len() == width)
            && self.sums.iter().all(|sums| sums.is_of(width))
            && self.kept.len() <= KEPT
            && self.kept.iter().all(|(row, _)| row.len() == width)
            && self.next < KEPT
    }

    /// For rows of this width; the first entry of each is 1.
    pub(super) fn new(width: usize) -> Self {
        Self {
            scale: None,
            lines: std::array::from_fn(|_| vec![0.0; width]),
            sums: std::array::from_fn(|_| Sums::new(width)),
            kept: Vec::new(),
            next: 0,
            weighed: 0,
        }
    }

    /// The quantiles here, ascending. `None` before the first round.
    pub(super) fn at(&self, row: &[f64]) -> Option<[f64; 3]> {
        let z = scaled(row, self.scale.as_ref()?);
        let mut all = std::array::from_fn(|k| dot(&self.lines[k], &z));
        all.sort_by(f64::total_cmp);
        Some(all)
    }

    /// One more outcome.
    pub(super) fn learn(&mut self, row: &[f64], outcome_s: f64) {
        let Some(scale) = &self.scale else {
            self.keep(row, outcome_s);
            if self.kept.len() == FIRST {
                self.begin();
            }
            return;
        };
        let z = scaled(row, scale);
        self.keep(&z, outcome_s);
        self.weigh(PACE);
    }

    #[expect(clippy::cast_possible_truncation, reason = "kept in half the room: seven digits are enough")]
    fn keep(&mut self, row: &[f64], outcome_s: f64) {
        let entry = (row.iter().map(|x| *x as f32).collect(), outcome_s as f32);
        if self.kept.len() < KEPT {
            self.kept.push(entry);
        } else if let Some(oldest) = self.kept.get_mut(self.next) {
            *oldest = entry;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// Scales the features by what was seen, and draws the first lines.
    fn begin(&mut self) {
        let width = self.lines[0].len();
        let count = f64::from(u32::try_from(self.kept.len()).unwrap_or(u32::MAX));
        let moments = (0..width).map(|i| {
            let column = || self.kept.iter().map(move |(row, _)| f64::from(row[i]));
            let mean = column().sum::<f64>() / count;
            let variance = column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            if i == 0 { (0.0, 1.0) } else { (mean, libm::sqrt(variance).max(0.01)) }
        });
        let scale: Vec<(f64, f64)> = moments.collect();
        let mut outcomes: Vec<f32> = self.kept.iter().map(|(_, y)| *y).collect();
        outcomes.sort_by(f32::total_cmp);
        for (line, at) in self.lines.iter_mut().zip([FIRST / 10, FIRST / 2, FIRST * 9 / 10]) {
            line[0] = f64::from(outcomes[at]);
        }
        for (row, _) in &mut self.kept {
            let z = scaled(&row.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), &scale);
            for (old, new) in row.iter_mut().zip(z) {
                #[expect(clippy::cast_possible_truncation, reason = "kept in half the room")]
                {
                    *old = new as f32;
                }
            }
        }
        self.scale = Some(scale);
        for _ in 0..5 {
            self.weigh(FIRST);
        }
    }

    /// Weighs so many of the kept outcomes; solves when all have been.
    fn weigh(&mut self, count: usize) {
        for _ in 0..count {
            let Some((row, outcome)) = self.kept.get(self.weighed) else { break };
            let z: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            let outcome = f64::from(*outcome);
            for ((sums, line), tau) in self.sums.iter_mut().zip(&self.lines).zip(TAUS) {
                let off = outcome - dot(line, &z);
                let side = if off > 0.0 { tau } else { 1.0 - tau };
                sums.add(&z, outcome, side / off.abs().max(NEAR_S));
            }
            self.weighed += 1;
        }
        if self.weighed >= self.kept.len() && self.kept.len() >= FIRST {
            self.weighed = 0;
            for (sums, line) in self.sums.iter_mut().zip(&mut self.lines) {
                *line = sums.solve(|i| if i == 0 { 1e-3 } else { PENALTY });
                sums.clear();
            }
        }
    }
}

fn scaled(row: &[f64], scale: &[(f64, f64)]) -> Vec<f64> {
    row.iter().zip(scale).map(|(x, (mean, deviation))| ((x - mean) / deviation).clamp(-FAR, FAR)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    #[test]
    fn the_lines_are_the_quantiles_of_what_came() {
        let mut rng = Rng::from_number(3);
        let mut quantiles = Quantiles::new(2);
        for _ in 0..6000 {
            let x = rng.unit() * 10.0;
            quantiles.learn(&[1.0, x], x * 10.0 + rng.unit() * 20.0 * x);
        }
        let [low, middle, high] = quantiles.at(&[1.0, 8.0]).unwrap();
        assert!(
            (low - 96.0).abs() < 8.0 && (middle - 160.0).abs() < 8.0 && (high - 224.0).abs() < 8.0,
            "{low} {middle} {high}"
        );
    }

    #[test]
    fn before_enough_came_it_says_nothing() {
        let mut quantiles = Quantiles::new(1);
        for _ in 1..FIRST {
            quantiles.learn(&[1.0], 5.0);
            assert_eq!(quantiles.at(&[1.0]), None);
        }
        quantiles.learn(&[1.0], 5.0);
        assert!(quantiles.at(&[1.0]).is_some());
    }
}
