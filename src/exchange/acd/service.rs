//! How well a queue is served: service level, hang-ups, distributions of waits and talks.
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One queue's figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceFigures {
    /// Callers who joined.
    pub entered: u64,
    /// Callers an agent answered.
    pub answered: u64,
    /// Of those, answered within the queue's `service_target`.
    pub answered_in_target: u64,
    /// Callers who left by themselves.
    pub left: u64,
    /// Callers the queue's rules sent elsewhere.
    pub overflowed: u64,
    /// `answered_in_target / (answered + left)`; `None` before the first.
    pub service_level: Option<f64>,
    /// Waits of those answered, by their clocks.
    pub wait: Spread,
    /// Talks.
    pub talk: Spread,
}

/// A distribution in four figures; quantiles to two digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: Duration,
    /// Median.
    pub p50: Duration,
    /// 90 % are at most this long.
    pub p90: Duration,
    /// The longest.
    pub max: Duration,
}

/// Durations counted in buckets of two digits, in milliseconds.
#[derive(Clone, Debug)]
struct Durations {
    buckets: Option<Histogram<u32>>,
    sum: Duration,
    max: Duration,
    count: u32,
}

impl Default for Durations {
    fn default() -> Self {
        Self { buckets: Histogram::new(2).ok(), sum: Duration::ZERO, max: Duration::ZERO, count: 0 }
    }
}

impl Durations {
    fn record(&mut self, d: Duration) {
        let ms = u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let kept = self.buckets.as_mut().is_some_and(|b| b.record(ms).is_ok());
        if kept && self.count < u32::MAX {
            self.sum = self.sum.saturating_add(d);
            self.max = self.max.max(d);
            self.count += 1;
        }
    }
    fn spread(&self) -> Spread {
        let at = |q| {
            self.buckets.as_ref().map_or(Duration::ZERO, |b| Duration::from_millis(b.value_at_quantile(q)))
        };
        let mean = self.sum.checked_div(self.count).unwrap_or_default();
        Spread { mean, p50: at(0.5), p90: at(0.9), max: self.max }
    }
}

/// One queue's counting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    entered: u64,
    answered: u64,
    answered_in_target: u64,
    left: u64,
    overflowed: u64,
    wait: Durations,
    talk: Durations,
}

impl Service {
    /// Nothing was counted, and no room is held for it.
    pub(crate) fn clear(&mut self) {
        let nothing = || Durations { buckets: None, sum: Duration::ZERO, max: Duration::ZERO, count: 0 };
        *self = Self { wait: nothing(), talk: nothing(), ..*self };
    }
    /// A caller joined.
    pub(crate) fn entered(&mut self) {
        self.entered += 1;
    }
    /// An agent answered a caller who had waited `waited`.
    pub(crate) fn answered(&mut self, waited: Duration, target: Duration) {
        self.answered += 1;
        self.answered_in_target += u64::from(waited <= target);
        self.wait.record(waited);
    }
    /// A caller left by himself.
    pub(crate) fn left(&mut self) {
        self.left += 1;
    }
    /// The queue's rules sent a caller elsewhere.
    pub(crate) fn overflowed(&mut self) {
        self.overflowed += 1;
    }
    /// A conversation is over.
    pub(crate) fn talked(&mut self, talked: Duration) {
        self.talk.record(talked);
    }
    /// All figures.
    #[expect(clippy::cast_precision_loss, reason = "numbers of calls are far below 2^52")]
    pub(crate) fn figures(&self) -> ServiceFigures {
        let judged = self.answered + self.left;
        ServiceFigures {
            entered: self.entered,
            answered: self.answered,
            answered_in_target: self.answered_in_target,
            left: self.left,
            overflowed: self.overflowed,
            service_level: (judged > 0).then(|| self.answered_in_target as f64 / judged as f64),
            wait: self.wait.spread(),
            talk: self.talk.spread(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_level_counts_those_who_hung_up_against_us() {
        let mut service = Service::default();
        assert_eq!(service.figures().service_level, None);
        for s in [5, 20, 90] {
            service.entered();
            service.answered(Duration::from_secs(s), Duration::from_secs(20));
        }
        service.left();
        let figures = service.figures();
        assert_eq!(figures.service_level, Some(0.5));
        assert_eq!(figures.wait.max, Duration::from_secs(90));
        assert!((figures.wait.p50.as_secs_f64() - 20.0).abs() < 0.5, "{figures:?}");
        assert_eq!(figures.wait.mean, Duration::from_secs(115) / 3);
    }
}
