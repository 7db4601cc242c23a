//! How far off estimates were where they were alike: the last errors, weighed by how near they are to this estimate in
//! length, urgency, kind of need and time of day.
use std::collections::{BTreeMap, VecDeque};

/// Errors kept.
const KEPT: usize = 8192;
/// Least weight that says anything.
const ENOUGH: f64 = 20.0;
/// Errors after which what was worked out is worked out again.
const STALE: u64 = 100;
/// Estimates, in seconds, at which errors are worked out; between them they are drawn straight.
const KNOTS: [f64; 22] = [
    0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 110.0, 130.0, 155.0, 180.0, 210.0, 240.0, 280.0, 330.0,
    400.0, 500.0, 700.0, 1000.0, 1800.0, 3600.0,
];
/// Half-hours of a day.
const SLOTS: u8 = 48;

/// An error with what it is known by.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Error {
    estimate_s: f64,
    /// The error over the root of the estimate.
    scaled: f64,
    urgent: bool,
    kind: u8,
    day: (f64, f64),
}

/// Where errors are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    urgent: bool,
    kind: u8,
    slot: u8,
    knot: u8,
}

/// The errors around one estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Around {
    /// What the estimate is to be moved by, in seconds.
    pub(super) mean_s: f64,
    /// 10 %, 50 % and 90 % quantiles of the errors, in seconds.
    pub(super) quantiles_s: [f64; 3],
}

/// The last errors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Residuals {
    kept: VecDeque<Error>,
    count: u64,
    worked_out: BTreeMap<Spot, (u64, Option<Around>)>,
}

super::flat!(Error { estimate_s, scaled, urgent, kind, day });
super::flat!(Spot { urgent, kind, slot, knot });
super::flat!(Around { mean_s, quantiles_s });
super::flat!(Residuals { kept, count, worked_out });

impl Residuals {
    /// Whether it is within its bounds.
    pub(super) fn is_bounded(&self) -> bool {
        self.kept.len() <= KEPT && self.worked_out.values().all(|(when, _)| *when <= self.count)
    }

    /// One more error.
    pub(super) fn learn(&mut self, (estimate_s, wait_s): (f64, f64), (urgent, kind, day_s): (bool, u8, f64)) {
        let scaled = (wait_s - estimate_s) / root(estimate_s);
        self.kept.push_back(Error { estimate_s, scaled, urgent, kind, day: circle(day_s) });
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        self.count += 1;
        if self.count.is_multiple_of(STALE) {
            let (count, kept) = (self.count, 10 * STALE);
            self.worked_out.retain(|_, (when, _)| count - *when < kept);
        }
    }

    /// Works out what [`Residuals::around`] will need, unless it is fresh.
    pub(super) fn prepare(&mut self, estimate_s: f64, key: (bool, u8, f64)) {
        let (below, above, _) = knots(estimate_s);
        for knot in [below, above] {
            let spot = spot(knot, key);
            if self.worked_out.get(&spot).is_none_or(|(when, _)| self.count - when >= STALE) {
                let around = self.work_out(spot);
                self.worked_out.insert(spot, (self.count, around));
            }
        }
    }

    /// The errors around this estimate, as last worked out. `None`: too few are known.
    pub(super) fn around(&self, estimate_s: f64, key: (bool, u8, f64)) -> Option<Around> {
        let (below, above, share) = knots(estimate_s);
        let at = |knot| self.worked_out.get(&spot(knot, key)).and_then(|(_, around)| *around);
        let (below, above) = (at(below), at(above));
        let (below, above) = (below.or(above)?, above.or(below)?);
        let mix = |a: f64, b: f64| (a + (b - a) * share) * root(estimate_s);
        Some(Around {
            mean_s: mix(below.mean_s, above.mean_s),
            quantiles_s: std::array::from_fn(|k| mix(below.quantiles_s[k], above.quantiles_s[k])),
        })
    }

    /// In units of the root of the estimate.
    fn work_out(&self, spot: Spot) -> Option<Around> {
        let centre = *KNOTS.get(usize::from(spot.knot))?;
        let (sin, cos) = circle((f64::from(spot.slot) + 0.5) * 86_400.0 / f64::from(SLOTS));
        let width = 0.3 * centre + 8.0;
        let mut near: Vec<(f64, f64)> = Vec::new();
        for error in &self.kept {
            let off = (error.estimate_s - centre) / width;
            if off.abs() < 1.0 {
                let far =
                    (error.day.0 - sin) * (error.day.0 - sin) + (error.day.1 - cos) * (error.day.1 - cos);
                let alike = if error.urgent == spot.urgent { 1.0 } else { 0.2 };
                let same = if error.kind == spot.kind { 1.0 } else { 0.2 };
                near.push((error.scaled, (1.0 - off * off) * alike * same / (1.0 + 3.0 * far)));
            }
        }
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: f64 = near.iter().map(|(_, weight)| weight).sum();
        if all < ENOUGH {
            return None;
        }
        let mean = near.iter().map(|(error, weight)| error * weight).sum::<f64>() / (all + ENOUGH);
        Some(Around {
            mean_s: mean,
            quantiles_s: super::quantiles::TAUS.map(|tau| quantile(&near, tau * all)),
        })
    }
}

/// The error up to which this much weight lies.
fn quantile(sorted: &[(f64, f64)], weight: f64) -> f64 {
    let mut sum = 0.0;
    let mut at = |(error, w): &(f64, f64)| {
        sum += w;
        (sum >= weight).then_some(*error)
    };
    sorted.iter().find_map(&mut at).or(sorted.last().map(|(e, _)| *e)).unwrap_or(0.0)
}

fn root(estimate_s: f64) -> f64 {
    libm::sqrt(estimate_s.max(0.0) + 20.0)
}

fn circle(day_s: f64) -> (f64, f64) {
    let angle = day_s / 86_400.0 * std::f64::consts::TAU;
    (libm::sin(angle), libm::cos(angle))
}

/// The knots on both sides, and how far between them.
fn knots(estimate_s: f64) -> (u8, u8, f64) {
    let above = KNOTS.iter().position(|k| *k > estimate_s).unwrap_or(KNOTS.len());
    let (below, above) = (above.saturating_sub(1), above.min(KNOTS.len() - 1));
    let (from, to) = (KNOTS[below], KNOTS[above]);
    let share = if to > from { ((estimate_s - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
    let number = |i: usize| u8::try_from(i).unwrap_or(u8::MAX);
    (number(below), number(above), share)
}

fn spot(knot: u8, (urgent, kind, day_s): (bool, u8, f64)) -> Spot {
    Spot { urgent, kind, slot: half_hour(day_s), knot }
}

/// Which half-hour of the day.
pub(in crate::exchange::acd) fn half_hour(day_s: f64) -> u8 {
    let slot = (day_s / 1800.0).clamp(0.0, f64::from(SLOTS - 1));
    (0..SLOTS).rev().find(|s| f64::from(*s) <= slot).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_like_estimates_are_found_again() {
        let mut residuals = Residuals::default();
        let key = (false, 0, 36_000.0);
        for i in 0..1000 {
            residuals.learn((100.0, 100.0 + f64::from(i % 100) - 50.0), key);
            residuals.learn((1000.0, 3000.0), key);
        }
        residuals.prepare(100.0, key);
        let around = residuals.around(100.0, key).unwrap();
        assert!(around.mean_s.abs() < 2.0, "{around:?}");
        assert!(
            (around.quantiles_s[0] + 40.0).abs() < 4.0 && (around.quantiles_s[2] - 40.0).abs() < 4.0,
            "{around:?}"
        );
        assert_eq!(residuals.around(300.0, key), None, "nothing like it came");
    }

    #[test]
    fn half_hours_of_the_day() {
        assert_eq!([0.0, 1799.0, 1800.0, 86_399.0, 1e9].map(half_hour), [0, 0, 1, 47, 47]);
    }
}
