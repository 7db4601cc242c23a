//! Those who hang up hide their true wait. Kaplan and Meier's estimate of how many would still be there after a time gives
//! each caller who was served the weight of those like him who had gone by then (inverse probability of censoring).
/// Least share still there that a weight is made of: no caller counts for more than twenty.
const LEAST: f64 = 0.05;

/// The share of callers whose patience is longer than a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Patience {
    /// From this time on, this share.
    steps: Vec<(f64, f64)>,
}

impl Patience {
    /// From waits and whether each ended by hanging up.
    pub(super) fn of(mut waits: Vec<(f64, bool)>) -> Self {
        waits.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut share, mut steps, mut rest) = (1.0, Vec::new(), super::walk::count(waits.len()));
        for (wait, hung_up) in waits {
            if hung_up {
                share *= 1.0 - 1.0 / rest;
                steps.push((wait, share));
            }
            rest -= 1.0;
        }
        Self { steps }
    }

    /// How many callers one counts for who was served after this wait.
    pub(super) fn weight(&self, wait: f64) -> f64 {
        let gone = self.steps.partition_point(|(at, _)| *at < wait);
        let share = gone.checked_sub(1).and_then(|i| self.steps.get(i)).map_or(1.0, |(_, share)| *share);
        1.0 / share.max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_stayed_counts_for_those_like_him_who_left() {
        let patience = Patience::of(vec![(10.0, true), (20.0, false), (30.0, true), (40.0, false)]);
        assert!((patience.weight(5.0) - 1.0).abs() < 1e-12);
        assert!((patience.weight(20.0) - 4.0 / 3.0).abs() < 1e-12);
        assert!((patience.weight(40.0) - 8.0 / 3.0).abs() < 1e-12);
        assert!((Patience::default().weight(9.0) - 1.0).abs() < 1e-12);
    }
}
