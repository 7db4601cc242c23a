//! A distribution of times: recorded as they come, told by its quantiles. Three digits are exact, at any size.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: no count comes near 2^52"
)]
use std::fmt;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};
use serde::Serialize;

/// The longest time told apart, in microseconds: an hour. Longer ones count as this.
const LONGEST_US: u64 = 3_600_000_000;
/// The quantiles of a curve: where pictures bend.
const CURVE: [f64; 25] = [
    0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99,
    0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0,
];

/// Times as they come.
#[derive(Clone, Debug)]
pub struct Meter(Histogram<u64>);

impl Meter {
    /// Has measured nothing.
    ///
    /// # Errors
    /// When the histogram's bounds are refused.
    pub fn new() -> Result<Self, CreationError> {
        Histogram::new_with_max(LONGEST_US, 3).map(Self)
    }

    /// One more.
    pub fn record(&mut self, time: Duration) {
        self.record_us(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// One more, in microseconds.
    pub fn record_us(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it tells: one pass over what was recorded, for it is asked while calls stand.
    pub fn quantiles(&self) -> Quantiles {
        if self.0.is_empty() {
            return Quantiles::default();
        }
        let mut upto = 0;
        let steps: Vec<(u64, u64)> = self
            .0
            .iter_recorded()
            .map(|step| {
                upto += step.count_since_last_iteration();
                (step.value_iterated_to(), upto)
            })
            .collect();
        let at = |q: f64| {
            let needed = ((q * upto as f64).ceil() as u64).max(1);
            let place = steps.partition_point(|(_, upto)| *upto < needed);
            steps.get(place).or(steps.last()).map_or(0, |(value, _)| *value)
        };
        Quantiles {
            count: upto,
            mean_us: self.0.mean(),
            min_us: self.0.min(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.max(),
            curve: CURVE.iter().map(|q| (*q, at(*q) as f64)).collect(),
        }
    }
}

/// A distribution told, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// The mean.
    pub mean_us: f64,
    /// The smallest.
    pub min_us: u64,
    /// The median.
    pub p50_us: u64,
    /// 90 of 100 are at most this.
    pub p90_us: u64,
    /// 95 of 100.
    pub p95_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1,000.
    pub p999_us: u64,
    /// The largest.
    pub max_us: u64,
    /// Quantile and value, for pictures.
    pub curve: Vec<(f64, f64)>,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return write!(f, "not measured");
        }
        let ms = |us: u64| us as f64 / 1e3;
        write!(
            f,
            "p50 {:>8.1}  p90 {:>8.1}  p99 {:>8.1}  max {:>8.1} ms  ({})",
            ms(self.p50_us),
            ms(self.p90_us),
            ms(self.p99_us),
            ms(self.max_us),
            self.count
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut meter = Meter::new().unwrap();
        (1..=1_000).for_each(|ms| meter.record(Duration::from_millis(ms)));
        let told = meter.quantiles();
        assert_eq!(told.count, 1_000);
        for (is, wanted) in [(told.p50_us, 500_000_u64), (told.p90_us, 900_000), (told.p99_us, 990_000)] {
            assert!(is.abs_diff(wanted) <= wanted / 500, "{is} {wanted}");
        }
        assert!(told.curve.windows(2).all(|w| w[0].1 <= w[1].1));
    }

    #[test]
    fn nothing_measured_says_so() {
        let told = Meter::new().unwrap().quantiles();
        assert_eq!((told.count, told.max_us, told.curve.len()), (0, 0, 0));
        assert_eq!(told.to_string(), "not measured");
    }

    #[test]
    fn a_time_beyond_the_longest_counts_as_the_longest() {
        let mut meter = Meter::new().unwrap();
        meter.record(Duration::from_secs(100_000));
        assert!(meter.quantiles().max_us >= LONGEST_US);
    }
}
