//! What a queue has learned of its waits, on line, from the state that callers found and the waits that followed.
//!
//! 1. The mean: ridge regression on all features of a [`Sight`], from sums that never forget, solved anew now and then.
//! 2. Two views of the spread, averaged: quantiles as lines in a few features and the mean ([`Quantiles`]), and the errors
//!    of like estimates ([`Residuals`]), which also move the mean where a line does not bend.
//! 3. Where the state lies beyond all that was seen, and while little was, the formula speaks: [`Learned::mixed`].
use serde::{Deserialize, Serialize};

use super::algebra::{Sums, dot};
use super::quantiles::Quantiles;
use super::residuals::Residuals;
use super::sight::{FEATURES, Features, Sight};

/// How many numbers the second stage has.
pub(super) const SECOND: usize = 32;
/// Outcomes before the first regression.
const FIRST: u32 = 80;
/// Outcomes between two regressions.
const SOLVE_EVERY: u32 = 25;
/// Draws coefficients of standardised features to 0.
const PENALTY: f64 = 150.0;
/// Evidence, in outcomes, at which what was learned counts as much as the formula.
const TRUST: f64 = 150.0;
/// From this many standard deviations beyond the mean on, what was learned counts less; from twice as many, nothing.
const SEEN: f64 = 5.0;
/// The least estimate, in seconds.
const LEAST_S: f64 = 3.0;
/// At most one outcome in this time is learned from, in seconds: the bound on what learning costs.
const APART_S: f64 = 1.0;

/// A predicted wait: its mean and three quantiles, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Mean.
    pub mean_s: f64,
    /// 10 % quantile.
    pub low_s: f64,
    /// Median.
    pub typical_s: f64,
    /// 90 % quantile.
    pub high_s: f64,
}

/// What was learned of one queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    count: u32,
    last_s: f64,
    /// Sums of features, of their products and with the waits: features, then the wait itself.
    means: Vec<f64>,
    sums: Sums,
    fit: Option<Fit>,
    quantiles: Quantiles,
    #[serde(skip)]
    residuals: Residuals,
}

super::flat!(Learned { count, last_s, means, sums, fit, quantiles, residuals });
super::flat!(Fit { intercept, slopes, centre, deviation });

/// A solved regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fit {
    intercept: f64,
    slopes: Vec<f64>,
    centre: Vec<f64>,
    deviation: Vec<f64>,
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            count: 0,
            last_s: -1e9,
            means: vec![0.0; FEATURES + 1],
            sums: Sums::new(FEATURES),
            fit: None,
            quantiles: Quantiles::new(SECOND),
            residuals: Residuals::default(),
        }
    }
}

impl Learned {
    /// Whether it is one that this program could have made.
    pub(super) fn is_whole(&self) -> bool {
        let fits = |f: &Fit| [&f.slopes, &f.centre, &f.deviation].iter().all(|v| v.len() == FEATURES);
        self.means.len() == FEATURES + 1
            && self.sums.is_of(FEATURES)
            && self.fit.as_ref().is_none_or(fits)
            && self.quantiles.is_of(SECOND)
            && self.residuals.is_bounded()
    }

    /// It is `now_s`: nothing was learned later.
    pub(super) const fn not_after(&mut self, now_s: f64) {
        self.last_s = self.last_s.min(now_s);
    }

    /// Outcomes learned from.
    pub fn outcomes(&self) -> u32 {
        self.count
    }

    /// A caller who found this was served after `wait_s` seconds, at `now_s` of any clock that goes on. Outcomes that come
    /// too fast are passed over.
    pub fn learn(&mut self, now_s: f64, sight: &Sight, wait_s: f64) {
        if now_s - self.last_s < APART_S || !wait_s.is_finite() {
            return;
        }
        self.last_s = now_s;
        let features = sight.features();
        if let Some(estimate) = self.fit.as_ref().map(|fit| fit.at(&features)) {
            self.residuals.learn((estimate, wait_s), key(sight));
            self.quantiles.learn(&sight.second_stage(estimate), wait_s);
        }
        self.count = self.count.saturating_add(1);
        self.sums.add(&features, wait_s, 1.0);
        for (sum, x) in self.means.iter_mut().zip(features.iter().chain([&wait_s])) {
            *sum += x;
        }
        if self.count >= FIRST && self.count.is_multiple_of(SOLVE_EVERY) {
            self.fit = Some(self.solve());
        }
    }

    /// Ridge regression on standardised features.
    fn solve(&self) -> Fit {
        let n = f64::from(self.count.max(1));
        let centre: Vec<f64> = self.means.iter().take(FEATURES).map(|s| s / n).collect();
        let wait = self.means.last().copied().unwrap_or(0.0) / n;
        let spread = |i: usize| libm::sqrt((self.sums.entry(i, i) / n - centre[i] * centre[i]).max(1e-9));
        let deviation: Vec<f64> =
            (0..FEATURES).map(spread).map(|s| if s < 1e-3 { f64::MAX } else { s }).collect();
        let mut scaled = self.sums.clone();
        for i in 0..FEATURES {
            for j in 0..=i {
                let product = self.sums.entry(i, j) - n * centre[i] * centre[j];
                scaled.set(i, j, product / deviation[i] / deviation[j]);
            }
            scaled.set_right(i, (self.sums.right(i) - n * centre[i] * wait) / deviation[i]);
        }
        let found = scaled.solve(|_| PENALTY);
        let slopes: Vec<f64> = found.iter().zip(&deviation).map(|(b, d)| b / d).collect();
        Fit { intercept: wait - dot(&slopes, &centre), slopes, centre, deviation }
    }

    /// Works out what the next [`Learned::forecast`] of this sight needs; cheap when it is fresh.
    pub fn prepare(&mut self, sight: &Sight) {
        if let Some(fit) = &self.fit {
            let estimate = fit.at(&sight.features());
            self.residuals.prepare(estimate, key(sight));
        }
    }

    /// What was learned says this. `None`: too little was.
    pub fn forecast(&self, sight: &Sight) -> Option<Forecast> {
        let estimate = self.fit.as_ref()?.at(&sight.features());
        let mut all = self.quantiles.at(&sight.second_stage(estimate))?;
        let mut mean_s = estimate;
        if let Some(around) = self.residuals.around(estimate, key(sight)) {
            mean_s += 0.5 * around.mean_s;
            for (line, error) in all.iter_mut().zip(around.quantiles_s) {
                *line = 0.5 * (*line + estimate + error);
            }
        }
        let [low_s, typical_s, high_s] = all.map(|q| q.max(0.0));
        Some(Forecast { mean_s: mean_s.max(LEAST_S), low_s, typical_s, high_s: high_s.max(LEAST_S) })
    }

    /// The formula and what was learned, weighed by the evidence, and by how like this state is to those seen.
    pub fn mixed(&self, sight: &Sight, formula: &Forecast) -> Forecast {
        let Some(learned) = self.forecast(sight) else { return *formula };
        let evidence = f64::from(self.count);
        let weight = evidence / (evidence + TRUST) * self.likeness(sight);
        let mix = |a: f64, b: f64| a + (b - a) * weight;
        Forecast {
            mean_s: mix(formula.mean_s, learned.mean_s),
            low_s: mix(formula.low_s, learned.low_s),
            typical_s: mix(formula.typical_s, learned.typical_s),
            high_s: mix(formula.high_s, learned.high_s),
        }
    }

    /// 1 within what was seen, down to 0 far beyond it.
    fn likeness(&self, sight: &Sight) -> f64 {
        let Some(fit) = &self.fit else { return 0.0 };
        let features = sight.features();
        let far = |i: usize| (features[i] - fit.centre[i]).abs() / fit.deviation[i].max(0.5);
        let furthest = MEASURE.iter().map(|i| far(*i)).fold(0.0, f64::max);
        (2.0 - furthest / SEEN).clamp(0.0, 1.0)
    }
}

/// The features by which a state is told to be like those seen: waiting, ahead, agents busy, agents at work, their time,
/// the formula.
const MEASURE: [usize; 6] = [0, 1, 5, 6, 7, 8];

impl Fit {
    fn at(&self, features: &Features) -> f64 {
        (self.intercept + dot(&self.slopes, features)).max(LEAST_S)
    }
}

fn key(sight: &Sight) -> (bool, u8, f64) {
    (sight.urgent > 0.5, sight.kind, sight.day_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn sight(ahead: f64) -> Sight {
        Sight {
            ahead,
            waiting: ahead,
            rivals: ahead,
            agents: 4.0,
            able: 4.0,
            busy: 4.0,
            handle_s: 200.0,
            ..Sight::default()
        }
    }

    /// Waits are twice what the formula says, give or take a third.
    fn taught(outcomes: u32) -> Learned {
        let (mut learned, mut rng) = (Learned::default(), Rng::from_number(5));
        for i in 0..outcomes {
            let ahead = f64::from(u32::try_from(rng.below(12)).unwrap());
            let wait = (ahead + 1.0) * 100.0 * (0.67 + 0.66 * rng.unit());
            learned.learn(f64::from(i) * 10.0, &sight(ahead), wait);
        }
        learned
    }

    #[test]
    fn with_no_history_the_formula_speaks_and_evidence_draws_it() {
        let formula = Forecast { mean_s: 300.0, low_s: 100.0, typical_s: 280.0, high_s: 500.0 };
        assert_eq!(Learned::default().mixed(&sight(5.0), &formula), formula);
        let (some, much) =
            (taught(300).mixed(&sight(5.0), &formula), taught(3000).mixed(&sight(5.0), &formula));
        assert!(
            some.mean_s > 400.0 && much.mean_s > some.mean_s && (much.mean_s - 600.0).abs() < 40.0,
            "{some:?} {much:?}"
        );
        assert!(much.low_s > 380.0 && much.high_s < 820.0 && much.low_s < much.typical_s, "{much:?}");
    }

    #[test]
    fn beyond_what_was_seen_the_formula_speaks() {
        let formula = Forecast { mean_s: 9000.0, low_s: 8000.0, typical_s: 9000.0, high_s: 10_000.0 };
        assert_eq!(taught(1000).mixed(&sight(400.0), &formula), formula);
    }

    #[test]
    fn what_was_learned_survives_as_text() {
        let learned = taught(500);
        let text = serde_json::to_string(&learned).unwrap();
        let back: Learned = serde_json::from_str(&text).unwrap();
        let (was, is) = (learned.forecast(&sight(3.0)).unwrap(), back.forecast(&sight(3.0)).unwrap());
        assert!((was.mean_s - is.mean_s).abs() < 1e-6, "{was:?} {is:?}");
    }

    #[test]
    fn outcomes_that_come_too_fast_are_passed_over() {
        let mut learned = Learned::default();
        for i in 0..10 {
            learned.learn(f64::from(i) * 0.1, &sight(1.0), 50.0);
        }
        assert_eq!(learned.outcomes(), 1);
    }
}
