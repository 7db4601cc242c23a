//! From a forecast to the words that are spoken, so that what is *said* holds as often as it claims.
//!
//! Words are coarse (minutes), so a range may be wider or narrower once it is spoken. How far both ends stand from the
//! median is therefore corrected by the outcomes of what was said, for each half-hour of the day (Gibbs and Candes 2021):
//! a wait beyond an end moves that end outwards by nine tenths of a step, any other moves it inwards by one tenth. In the
//! long run one wait in ten lies beyond each end, whatever the forecast's errors.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::learned::Forecast;
use super::residuals::half_hour;
use super::sight::Sight;

/// Edges of the ranges spoken, in minutes; then by ten.
const EDGES_MIN: [u64; 11] = [0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30];
/// Of waits, the share allowed beyond each end.
const BEYOND: f64 = 0.1;
/// A step of the correction for all day, and for its half-hour.
const STEPS: (f64, f64) = (0.01, 0.04);
/// The first step where few outcomes were seen.
const SOON: f64 = 0.12;
/// The least of those steps.
const SOON_LEAST: f64 = 0.05;
/// The share allowed beyond each end while steps are so quick, and what was learned is of yesterday's traffic.
const SOON_BEYOND: f64 = 0.085;
/// The least and the most that an end's distance is multiplied by.
const BOUNDS: (f64, f64) = (0.0, 3.0);

/// A range as far as its ends are claimed to hold: the lower one may not be.
type Claimed = (Option<Duration>, Duration);

/// What multiplies the distances of the lower and the upper end from the median.
type Factors = (f64, f64);

/// The correction of both ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    all_day: Factors,
    by_half_hour: Vec<Factors>,
    /// Outcomes learned from at a quicker step.
    #[serde(default)]
    soon: u32,
}

super::flat!(Calibration { all_day, by_half_hour, soon });

impl Calibration {
    /// Whether it is one that this program could have made.
    pub(super) fn is_whole(&self) -> bool {
        self.by_half_hour.len() == 48
    }
}

impl Default for Calibration {
    fn default() -> Self {
        Self { all_day: (1.0, 1.0), by_half_hour: vec![(0.0, 0.0); 48], soon: 0 }
    }
}

/// The largest edge not above `d`.
fn edge_below(d: Duration) -> Duration {
    let minutes = d.as_secs() / 60;
    let edge = EDGES_MIN.into_iter().rev().find(|e| *e <= minutes).unwrap_or(0);
    Duration::from_secs(60 * if minutes >= 30 { minutes / 10 * 10 } else { edge })
}

/// The smallest edge not below `d`, at least a minute.
pub(in crate::exchange::acd) fn edge_above(d: Duration) -> Duration {
    let minutes = u64::try_from(d.as_nanos().div_ceil(60_000_000_000)).unwrap_or(u64::MAX / 600).max(1);
    let edge = EDGES_MIN.into_iter().find(|e| *e >= minutes).unwrap_or(minutes.div_ceil(10) * 10);
    Duration::from_secs(60 * edge)
}

fn nearest(d: Duration) -> Duration {
    let (below, above) = (edge_below(d), edge_above(d));
    if above.saturating_sub(d) < d.saturating_sub(below) { above } else { below }
}

/// A range in words people use: both ends at the nearer edge, never empty.
pub fn words(low: Duration, high: Duration) -> (Duration, Duration) {
    let high = nearest(high).max(Duration::from_mins(1));
    (lower_end(low, high), high)
}

/// The upper end to be said to somebody to whom the end of `left` was promised: never a later one. `None`: what is now
/// expected does not fit under the promise.
pub fn under_promise(high: Duration, left: Duration) -> Option<Duration> {
    let (fresh, whole) =
        (nearest(high).max(Duration::from_mins(1)), Duration::from_secs(left.as_secs() / 60 * 60));
    if fresh <= left { Some(fresh) } else { (high <= whole).then_some(whole) }
}

/// The lower end to be said with this upper end.
pub(in crate::exchange::acd) fn lower_end(low: Duration, high: Duration) -> Duration {
    nearest(low).min(edge_below(high.saturating_sub(Duration::from_secs(1))))
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)
}

impl Calibration {
    fn factors(&self, day_s: f64) -> Factors {
        let (low, high) = self.by_half_hour.get(usize::from(half_hour(day_s))).copied().unwrap_or_default();
        let bound = |x: f64| x.clamp(BOUNDS.0, BOUNDS.1);
        (bound(self.all_day.0 + low), bound(self.all_day.1 + high))
    }

    /// Both ends, corrected, before they are rounded. Phones that were lost come back as suddenly: the lower end is that
    /// with all of them there.
    pub(super) fn range(&self, forecast: &Forecast, sight: &Sight) -> (Duration, Duration) {
        let (low, high) = self.factors(sight.day_s);
        let Forecast { low_s, typical_s, high_s, .. } = *forecast;
        let low_s = (typical_s - low * (typical_s - low_s)) * sight.left();
        (seconds(low_s), seconds(typical_s + high * (high_s - typical_s)))
    }

    /// The same, of a caller who stands for several, and the first of them count for more.
    pub(super) fn learn_soon(&mut self, said: Claimed, waited: Duration, (day_s, weight): (f64, f64)) {
        self.soon = self.soon.saturating_add(1);
        let first = (SOON / (1.0 + f64::from(self.soon) / 40.0)).max(SOON_LEAST);
        self.step((said, waited), (day_s, (weight * first, weight * STEPS.1)), SOON_BEYOND);
    }

    /// A caller who was told this range at entry waited so long.
    pub(super) fn learn(&mut self, said: Claimed, waited: Duration, day_s: f64) {
        self.step((said, waited), (day_s, STEPS), BEYOND);
    }

    fn step(
        &mut self,
        ((low, high), waited): (Claimed, Duration),
        (day_s, steps): (f64, (f64, f64)),
        allowed: f64,
    ) {
        let step = |beyond: bool| if beyond { 1.0 - allowed } else { -allowed };
        let (lower, upper) = (low.map_or(0.0, |low| step(waited < low)), step(waited > high));
        let move_by = |factors: &mut Factors, size: f64, middle: f64| {
            let within = |x: f64| x.clamp(BOUNDS.0 - middle, BOUNDS.1 - middle);
            *factors = (within(factors.0 + size * lower), within(factors.1 + size * upper));
        };
        move_by(&mut self.all_day, steps.0, 0.0);
        if let Some(factors) = self.by_half_hour.get_mut(usize::from(half_hour(day_s))) {
            move_by(factors, steps.1, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn minutes(low: f64, high: f64) -> (u64, u64) {
        let (low, high) = words(Duration::from_secs_f64(low * 60.0), Duration::from_secs_f64(high * 60.0));
        (low.as_secs() / 60, high.as_secs() / 60)
    }

    #[test]
    fn ranges_end_on_the_edges_people_use() {
        assert_eq!(minutes(0.1, 0.5), (0, 1));
        assert_eq!(minutes(0.2, 1.0), (0, 1));
        assert_eq!(minutes(0.9, 1.2), (0, 1), "never empty");
        assert_eq!(minutes(2.9, 4.7), (3, 5));
        assert_eq!(minutes(2.2, 8.0), (2, 7));
        assert_eq!(minutes(17.0, 31.0), (15, 30));
        assert_eq!(minutes(36.0, 76.0), (40, 80));
    }

    #[test]
    fn under_a_promise_no_later_end_is_said() {
        let s = Duration::from_secs;
        assert_eq!(under_promise(s(200), s(400)), Some(s(180)), "a shorter wait is good news");
        assert_eq!(
            under_promise(s(235), s(239)),
            Some(s(180)).filter(|_| false),
            "it does not fit in whole minutes"
        );
        assert_eq!(under_promise(s(235), s(245)), Some(s(240)));
        assert_eq!(under_promise(s(500), s(400)), None);
    }

    #[test]
    fn what_is_said_holds_as_often_as_it_claims_even_when_the_forecast_is_wrong() {
        let mut calibration = Calibration::default();
        let mut rng = Rng::from_number(4);
        let narrow = Forecast { mean_s: 300.0, low_s: 200.0, typical_s: 300.0, high_s: 400.0 };
        let sight = Sight { day_s: 40_000.0, ..Sight::default() };
        let (mut held, mut judged) = (0, 0);
        for i in 0..5000 {
            let waited = Duration::from_secs_f64(600.0 * rng.unit());
            let (low, high) = calibration.range(&narrow, &sight);
            let said = words(low, high);
            calibration.learn((Some(said.0), said.1), waited, sight.day_s);
            if i > 1000 {
                judged += 1;
                held += i32::from(said.0 <= waited && waited <= said.1);
            }
        }
        let share = f64::from(held) / f64::from(judged);
        assert!((0.77..=0.83).contains(&share), "{share}");
    }
}
