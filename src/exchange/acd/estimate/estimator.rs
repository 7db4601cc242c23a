//! The estimator of one queue: formula, what was learned, and the words that keep their word, as one; and futures, where the formula does not reach.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, words};
use super::learned::{Forecast, Learned};
use super::sight::Sight;

/// Outcomes at which what was learned has half of its weight.
const TRUST: f64 = 150.0;
/// One who was served stands for so many at most.
const STANDS_FOR: f64 = 4.0;
/// Of so many who wait at a time the outcomes count in full. More were told before anything was known of any of them, so
/// that all err to one side: taken in full, they would throw the ends to and fro.
const AT_A_TIME: f64 = 20.0;
/// An end lies at least this share of the median from it where futures speak: many agents make a wait sure, but nothing
/// makes the guess sure of how many come, stay and talk for how long.
const SURE_AT_MOST: f64 = 0.15;

/// The estimator of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimator {
    learned: Learned,
    calibration: Calibration,
    /// The same for what futures say.
    #[serde(default)]
    ahead: Calibration,
    /// How far futures were off, and how far what was learned was, as fading squares.
    #[serde(default)]
    off: (f64, f64),
}

super::flat!(Estimator { learned, calibration, ahead, off });

/// What a caller was told at entry and what it rested on: kept until his wait is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What he found.
    pub sight: Sight,
    /// What was predicted.
    pub forecast: Forecast,
    /// The range said, or that would have been.
    pub said: (Duration, Duration),
    /// Means that futures and what was learned said, in seconds; `None`: the formula reaches.
    pub ahead: Option<(f64, f64)>,
}

impl Entry {
    /// The ends that his wait says something of. Where phones were lost the lower one stands for their coming back: whether
    /// they did says nothing of the ends of other days, and would draw it in for as long as they do not.
    fn claimed(&self) -> (Option<Duration>, Duration) {
        ((self.sight.cut_off <= 0.0).then_some(self.said.0), self.said.1)
    }
}

/// What an estimate begins from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::exchange::acd) enum Ground {
    /// The formula, with ends of shifts, and without them where there are some.
    Formula {
        /// With them.
        staffed: Forecast,
        /// Without; `None`: there are none.
        steady: Option<Forecast>,
    },
    /// Futures, and by how much waits are longer because shifts end, which nothing was learned of.
    Futures(Forecast, f64),
}

impl Ground {
    /// What it says before anything learned.
    pub(in crate::exchange::acd) const fn forecast(&self) -> Forecast {
        match self {
            Self::Formula { staffed, .. } => *staffed,
            Self::Futures(forecast, _) => *forecast,
        }
    }
}

impl Estimator {
    /// Whether it is one that this program could have made. Its last outcome lies in the past.
    pub(in crate::exchange::acd) fn is_whole(&self) -> bool {
        self.learned.is_whole() && self.calibration.is_whole() && self.ahead.is_whole()
    }

    /// It is `now_s`: nothing was learned later.
    pub(in crate::exchange::acd) fn not_after(&mut self, now_s: f64) {
        self.learned.not_after(now_s);
    }

    /// Outcomes learned from.
    pub fn outcomes(&self) -> u32 {
        self.learned.outcomes()
    }

    /// A caller comes: what is predicted and said.
    pub fn enter(&mut self, sight: &Sight, formula: &Forecast) -> Entry {
        self.prepare(sight);
        self.note(sight, &Ground::Formula { staffed: *formula, steady: None })
    }

    /// The forecast with its ends corrected, for a caller who waits; without working out anything anew.
    pub fn range(&self, sight: &Sight, formula: &Forecast) -> Forecast {
        self.told(sight, &Ground::Formula { staffed: *formula, steady: None })
    }

    /// Works out what is needed of what was learned.
    pub(in crate::exchange::acd) fn prepare(&mut self, sight: &Sight) {
        self.learned.prepare(sight);
    }

    /// What is noted of a caller who comes.
    pub(in crate::exchange::acd) fn note(&self, sight: &Sight, ground: &Ground) -> Entry {
        let forecast = self.forecast(sight, ground);
        let (low, high) = self.calibration(ground).range(&forecast, sight);
        let ahead = match ground {
            Ground::Formula { .. } => None,
            Ground::Futures(f, longer) => {
                Some((f.mean_s, longer * self.learned.forecast(sight).map_or(f.mean_s, |l| l.mean_s)))
            }
        };
        Entry { sight: *sight, forecast, said: words(low, high), ahead }
    }

    /// The forecast with its ends corrected.
    pub(in crate::exchange::acd) fn told(&self, sight: &Sight, ground: &Ground) -> Forecast {
        let forecast = self.forecast(sight, ground);
        let (low, high) = self.calibration(ground).range(&forecast, sight);
        Forecast { low_s: low.as_secs_f64(), high_s: high.as_secs_f64(), ..forecast }
    }

    const fn calibration(&self, ground: &Ground) -> &Calibration {
        match ground {
            Ground::Formula { .. } => &self.calibration,
            Ground::Futures(..) => &self.ahead,
        }
    }

    /// If phones that were lost stay so.
    fn forecast(&self, sight: &Sight, ground: &Ground) -> Forecast {
        match ground {
            Ground::Formula { staffed, steady: None } => self.learned.mixed(sight, staffed),
            // Nothing was learned of ends of shifts: what was is moved as the formula is by them.
            Ground::Formula { staffed, steady: Some(steady) } => {
                times(&self.learned.mixed(sight, steady), staffed.mean_s / steady.mean_s.max(1.0))
            }
            Ground::Futures(forecast, longer) => {
                let learned = self.learned.forecast(sight);
                let both = learned.map_or(*forecast, |l| self.blended(forecast, &times(&l, *longer)));
                unsure(both)
            }
        }
    }

    /// Futures and what was learned, weighed by how far each was off.
    fn blended(&self, futures: &Forecast, learned: &Forecast) -> Forecast {
        let (a, b) = self.off;
        let evidence = f64::from(self.learned.outcomes());
        let weight = a / (a + b).max(1.0) * evidence / (evidence + TRUST);
        let mix = |a: f64, b: f64| a + (b - a) * weight;
        Forecast {
            mean_s: mix(futures.mean_s, learned.mean_s),
            low_s: mix(futures.low_s, learned.low_s),
            typical_s: mix(futures.typical_s, learned.typical_s),
            high_s: mix(futures.high_s, learned.high_s),
        }
    }

    /// He was served.
    pub fn served(&mut self, now_s: f64, entry: &Entry, waited: Duration) {
        self.learned.learn(now_s, &entry.sight, waited.as_secs_f64());
        let Some((futures, learned)) = entry.ahead else {
            return self.calibration.learn(entry.claimed(), waited, entry.sight.day_s);
        };
        let waited_s = waited.as_secs_f64();
        let fading = |was: f64, said: f64| 0.98 * was + 0.02 * (said - waited_s) * (said - waited_s);
        self.off = (fading(self.off.0, futures), fading(self.off.1, learned));
        // He stands for those like him who had hung up by then.
        let stands_for = libm::exp(entry.sight.theta * waited_s).min(STANDS_FOR);
        let one_of_many = (AT_A_TIME / (entry.sight.waiting + 1.0)).min(1.0);
        self.ahead.learn_soon(entry.claimed(), waited, (entry.sight.day_s, stands_for * one_of_many));
    }
}

/// A forecast that is not surer than anybody can be.
fn unsure(f: Forecast) -> Forecast {
    let least = SURE_AT_MOST * f.typical_s;
    Forecast { low_s: f.low_s.min(f.typical_s - least), high_s: f.high_s.max(f.typical_s + least), ..f }
}

/// A forecast of waits so many times as long.
fn times(f: &Forecast, longer: f64) -> Forecast {
    Forecast {
        mean_s: f.mean_s * longer,
        low_s: f.low_s * longer,
        typical_s: f.typical_s * longer,
        high_s: f.high_s * longer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMULA: Forecast = Forecast { mean_s: 600.0, low_s: 450.0, typical_s: 600.0, high_s: 800.0 };

    fn sight(cut_off: f64) -> Sight {
        Sight { able: 7.0, cut_off, ..Sight::default() }
    }

    /// Both ends after so many callers who found this waited as was typical.
    fn ends(outcomes: u32, taught: &Sight, asked: &Sight) -> (Duration, Duration) {
        let mut estimator = Estimator::default();
        for i in 0..outcomes {
            let entry = estimator.enter(taught, &FORMULA);
            estimator.served(f64::from(i) * 10.0, &entry, Duration::from_mins(10));
        }
        let range = estimator.range(asked, &FORMULA);
        (Duration::from_secs_f64(range.low_s), Duration::from_secs_f64(range.high_s))
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn while_phones_are_lost_the_lower_end_is_that_with_all_of_them_there() {
        assert_eq!(ends(0, &sight(0.0), &sight(0.0)), (s(450), s(800)));
        assert_eq!(ends(0, &sight(0.0), &sight(14.0)), (s(150), s(800)), "a third of the agents are left");
    }

    #[test]
    fn waits_while_phones_stay_lost_do_not_draw_the_lower_end_in() {
        let calm = ends(60, &sight(0.0), &sight(0.0));
        assert!(calm.0 > s(480) && calm.1 < s(760), "sure waits draw both ends in: {calm:?}");
        let lost = ends(60, &sight(14.0), &sight(14.0));
        assert_eq!(lost.0, s(150));
        assert_eq!(lost.1, calm.1, "the upper end learns as ever");
    }
}
