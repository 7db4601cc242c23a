//! A range for a rule that gives a single number: how far off it was on the training days, in ten bins of its own size.
use super::score::quantile;

const BINS: usize = 10;

/// How errors are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Wait less estimate.
    Difference,
    /// Wait over estimate.
    Ratio,
}

/// Quantiles of errors by bin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranges {
    measure: Measure,
    edges: Vec<f64>,
    errors: Vec<[f64; 3]>,
}

impl Ranges {
    /// From estimates and the waits that followed.
    pub(super) fn fit(measure: Measure, pairs: &[(f64, f64)]) -> Self {
        let mut sizes: Vec<f64> = pairs.iter().map(|(estimate, _)| *estimate).collect();
        sizes.sort_by(f64::total_cmp);
        let edges: Vec<f64> =
            (1..BINS).map(|i| quantile(&sizes, f64::from(u8::try_from(i).unwrap_or(0)) / 10.0)).collect();
        let mut binned = vec![Vec::new(); BINS];
        for (estimate, wait) in pairs {
            binned[edges.partition_point(|e| e <= estimate)].push(match measure {
                Measure::Difference => wait - estimate,
                Measure::Ratio => wait / estimate.max(1.0),
            });
        }
        let errors = binned.into_iter().map(|mut errors| {
            errors.sort_by(f64::total_cmp);
            [0.1, 0.5, 0.9].map(|q| quantile(&errors, q))
        });
        Self { measure, edges, errors: errors.collect() }
    }

    /// 10 %, 50 % and 90 % quantiles of the wait, in seconds.
    pub(super) fn at(&self, estimate: f64) -> [f64; 3] {
        let bin = self.edges.partition_point(|e| *e <= estimate);
        let errors = self.errors.get(bin).copied().unwrap_or_default();
        errors.map(|error| match self.measure {
            Measure::Difference => (estimate + error).max(0.0),
            Measure::Ratio => estimate.max(1.0) * error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_has_the_errors_of_its_own_size() {
        let pairs: Vec<(f64, f64)> =
            (0..1000).map(|i| (f64::from(i % 100), f64::from(i % 100) * 2.0)).collect();
        let ratio = Ranges::fit(Measure::Ratio, &pairs).at(50.0);
        assert!(ratio.iter().all(|q| (q - 100.0).abs() < 1.0), "{ratio:?}");
        let difference = Ranges::fit(Measure::Difference, &pairs).at(50.0);
        assert!((difference[1] - 100.0).abs() < 6.0, "{difference:?}");
    }
}
