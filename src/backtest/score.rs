//! How good predictions were.
use serde::Serialize;

use super::walk::count;

/// The figures of one estimator. Times in seconds; shares from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Callers scored.
    pub n: usize,
    /// Root of the mean squared error.
    pub rmse_s: f64,
    /// Mean absolute error.
    pub mae_s: f64,
    /// Mean of estimate less wait.
    pub bias_s: f64,
    /// Root mean squared error over mean wait.
    pub rrmse: f64,
    /// Mean check loss of the 10 %, 50 % and 90 % quantiles.
    pub pinball_s: f64,
    /// Share whose wait lay in the range stated at entry.
    pub coverage_80: f64,
    /// Mean width of that range.
    pub width_s: f64,
    /// Share that waited longer than twice the estimate plus 30 s.
    pub over_twice_30: f64,
    /// Share of callers, those who hung up included, to whom a later end was told than before.
    pub upward_share: f64,
}

/// One caller judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Judged {
    /// His wait.
    pub(super) wait_s: f64,
    /// What he was predicted.
    pub(super) estimate_s: f64,
    /// 10 %, 50 % and 90 %.
    pub(super) quantiles_s: [f64; 3],
    /// The range stated.
    pub(super) range_s: (f64, f64),
    /// Whether he was served.
    pub(super) served: bool,
    /// Whether he was told a later end.
    pub(super) upward: bool,
    /// When in the day he came.
    pub(super) day_s: f64,
    /// How many he counts for.
    pub(super) weight: f64,
}

/// The check loss of a quantile.
fn pinball(tau: f64, wait: f64, quantile: f64) -> f64 {
    if wait >= quantile { tau * (wait - quantile) } else { (1.0 - tau) * (quantile - wait) }
}

impl Score {
    /// Of these callers, each counting once, or for as many as his weight says.
    pub(super) fn of<'j>(judged: impl Iterator<Item = &'j Judged> + Clone, weighted: bool) -> Self {
        let served = judged.clone().filter(|j| j.served);
        let weight = |j: &Judged| if weighted { j.weight } else { 1.0 };
        let all: f64 = served.clone().map(weight).sum();
        let mean = |f: &dyn Fn(&Judged) -> f64| {
            let sum: f64 = served.clone().map(|j| weight(j) * f(j)).sum();
            if all > 0.0 { sum / all } else { 0.0 }
        };
        let error = |j: &Judged| j.estimate_s - j.wait_s;
        let rmse_s = libm::sqrt(mean(&|j| error(j) * error(j)));
        let wait = mean(&|j| j.wait_s);
        let check = |j: &Judged| {
            let [low, typical, high] = j.quantiles_s;
            (pinball(0.1, j.wait_s, low) + pinball(0.5, j.wait_s, typical) + pinball(0.9, j.wait_s, high))
                / 3.0
        };
        let share = |yes: bool| f64::from(u8::from(yes));
        let callers = judged.clone().count();
        Self {
            n: served.clone().count(),
            rmse_s,
            mae_s: mean(&|j| error(j).abs()),
            bias_s: mean(&error),
            rrmse: if wait > 0.0 { rmse_s / wait } else { 0.0 },
            pinball_s: mean(&check),
            coverage_80: mean(&|j| share(j.range_s.0 <= j.wait_s && j.wait_s <= j.range_s.1)),
            width_s: mean(&|j| j.range_s.1 - j.range_s.0),
            over_twice_30: mean(&|j| share(j.wait_s > 2.0 * j.estimate_s + 30.0)),
            upward_share: count(judged.filter(|j| j.upward).count()) / count(callers.max(1)),
        }
    }
}

/// A quantile of ascending values, between two of them drawn straight.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * count(sorted.len().saturating_sub(1));
    let whole = (0..sorted.len()).rev().find(|i| count(*i) <= place).unwrap_or(0);
    let at = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(0.0);
    at(whole) + (at(whole + 1) - at(whole)) * (place - count(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_their_definitions() {
        let one = |wait_s: f64, estimate_s: f64, upward: bool| Judged {
            wait_s,
            estimate_s,
            quantiles_s: [50.0, 100.0, 200.0],
            range_s: (60.0, 180.0),
            served: true,
            upward,
            day_s: 0.0,
            weight: wait_s / 100.0,
        };
        let all = [
            one(100.0, 110.0, false),
            one(300.0, 100.0, true),
            Judged { served: false, ..one(5.0, 100.0, false) },
        ];
        let score = Score::of(all.iter(), false);
        assert_eq!(score.n, 2);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(score.rmse_s, libm::sqrt(20_050.0));
        close(score.mae_s, 105.0);
        close(score.bias_s, -95.0);
        close(score.rrmse, score.rmse_s / 200.0);
        close(score.coverage_80, 0.5);
        close(score.width_s, 120.0);
        close(score.over_twice_30, 0.5);
        close(score.upward_share, 1.0 / 3.0);
        close(score.pinball_s, ((5.0 + 0.0 + 10.0) + (25.0 + 100.0 + 90.0)) / 6.0);
        close(Score::of(all.iter(), true).bias_s, (10.0 - 600.0) / 4.0);
    }
}
