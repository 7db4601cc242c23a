//! The estimator of one queue: formula, what was learned, and the words that keep their word, as one.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, words};
use super::learned::{Forecast, Learned};
use super::sight::Sight;

/// The estimator of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimator {
    learned: Learned,
    calibration: Calibration,
}

/// What a caller was told at entry and what it rested on: kept until his wait is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What he found.
    pub sight: Sight,
    /// What was predicted.
    pub forecast: Forecast,
    /// The range said, or that would have been.
    pub said: (Duration, Duration),
}

impl Estimator {
    /// Outcomes learned from.
    pub fn outcomes(&self) -> u32 {
        self.learned.outcomes()
    }

    /// A caller comes: what is predicted and said.
    pub fn enter(&mut self, sight: &Sight, formula: &Forecast) -> Entry {
        self.learned.prepare(sight);
        let forecast = self.learned.mixed(sight, formula);
        let (low, high) = self.calibration.range(&forecast, sight.day_s);
        Entry { sight: *sight, forecast, said: words(low, high) }
    }

    /// The forecast with its ends corrected, for a caller who waits; without working out anything anew.
    pub fn range(&self, sight: &Sight, formula: &Forecast) -> Forecast {
        let forecast = self.learned.mixed(sight, formula);
        let (low, high) = self.calibration.range(&forecast, sight.day_s);
        Forecast { low_s: low.as_secs_f64(), high_s: high.as_secs_f64(), ..forecast }
    }

    /// He was served.
    pub fn served(&mut self, now_s: f64, entry: &Entry, waited: Duration) {
        self.learned.learn(now_s, &entry.sight, waited.as_secs_f64());
        self.calibration.learn(entry.said, waited, entry.sight.day_s);
    }
}
