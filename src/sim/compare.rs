//! Two plans side by side over the same seeds: the same callers meet both, so that the difference is the plan's.
//!
//! The intervals are Student's, at 95 %, over the seeds' days: for each plan, and for the paired difference.
use std::fmt;

use serde::Serialize;

use super::DayReport;

/// A figure that is compared.
#[derive(Clone, Copy, Debug)]
struct Figure {
    name: &'static str,
    unit: Unit,
    of: fn(&DayReport) -> f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Percent,
    Seconds,
    Calls,
}

const FIGURES: [Figure; 7] = [
    Figure { name: "service level", unit: Unit::Percent, of: |r| r.service_level.unwrap_or(1.0) * 100.0 },
    Figure { name: "mean wait", unit: Unit::Seconds, of: |r| r.waits.mean_s },
    Figure { name: "half waited less than", unit: Unit::Seconds, of: |r| r.waits.p50_s },
    Figure { name: "nine of ten waited less than", unit: Unit::Seconds, of: |r| r.waits.p90_s },
    Figure { name: "not answered", unit: Unit::Percent, of: |r| r.abandonment.unwrap_or(0.0) * 100.0 },
    Figure { name: "agents busy", unit: Unit::Percent, of: |r| r.occupancy * 100.0 },
    Figure { name: "answered", unit: Unit::Calls, of: |r| count(r.answered) },
];

#[expect(clippy::cast_precision_loss, reason = "numbers of calls are far below 2^52")]
fn count(n: u64) -> f64 {
    n as f64
}

/// A mean with the half width of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the 95 % interval.
    pub half: f64,
}

impl Interval {
    /// Of independent samples. With fewer than two nothing is known of their spread.
    pub fn of(samples: &[f64]) -> Self {
        let n = f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        let mean = samples.iter().sum::<f64>() / n.max(1.0);
        if samples.len() < 2 {
            return Self { mean, half: f64::INFINITY };
        }
        let variance = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
        Self { mean, half: student(samples.len() - 1) * libm::sqrt(variance / n) }
    }
    /// Whether zero lies outside.
    pub fn is_certain(&self) -> bool {
        self.mean.abs() > self.half
    }
}

/// Student's t for a two-sided 95 % interval, by degrees of freedom.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    let n = f64::from(u32::try_from(freedom).unwrap_or(u32::MAX));
    // Beyond the table, the normal quantile with the first term of its expansion.
    TABLE.get(freedom.wrapping_sub(1)).copied().unwrap_or(1.96 + 2.4 / n)
}

/// One figure of both plans.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedFigure {
    /// What.
    pub name: &'static str,
    /// As it is.
    pub before: Interval,
    /// Changed.
    pub after: Interval,
    /// Changed less as it is, day by day.
    pub difference: Interval,
    #[serde(skip)]
    unit: Unit,
}

/// Two plans over several seeds.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    changes: Vec<String>,
    days: Vec<[(f64, f64); FIGURES.len()]>,
}

impl Comparison {
    /// Nothing compared yet; `changes` is what the second plan changes.
    pub const fn new(changes: Vec<String>) -> Self {
        Self { changes, days: Vec::new() }
    }
    /// The same seed under both plans.
    pub fn add(&mut self, before: &DayReport, after: &DayReport) {
        self.days.push(FIGURES.map(|f| ((f.of)(before), (f.of)(after))));
    }
    /// What the second plan changes.
    pub fn changes(&self) -> &[String] {
        &self.changes
    }
    /// All figures.
    pub fn lines(&self) -> Vec<ComparedFigure> {
        let column = |n: usize| self.days.iter().filter_map(move |d| d.get(n).copied());
        let line = |(n, f): (usize, &Figure)| {
            let before: Vec<f64> = column(n).map(|(b, _)| b).collect();
            let after: Vec<f64> = column(n).map(|(_, a)| a).collect();
            let difference: Vec<f64> = column(n).map(|(b, a)| a - b).collect();
            ComparedFigure {
                name: f.name,
                before: Interval::of(&before),
                after: Interval::of(&after),
                difference: Interval::of(&difference),
                unit: f.unit,
            }
        };
        FIGURES.iter().enumerate().map(line).collect()
    }
}

impl ComparedFigure {
    /// An interval as text, in this figure's unit.
    pub(super) fn show(&self, interval: Interval, signed: bool) -> String {
        let (digits, unit) = match self.unit {
            Unit::Percent => (1, " %"),
            Unit::Seconds => (1, " s"),
            Unit::Calls => (0, ""),
        };
        let Interval { mean, half } = interval;
        if signed {
            format!("{mean:+.digits$} ± {half:.digits$}{unit}")
        } else {
            format!("{mean:.digits$} ± {half:.digits$}{unit}")
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  changed: {}; {} days of each, 95 % intervals\n",
            self.changes.join(", "),
            self.days.len()
        )?;
        writeln!(f, "  {:<30}{:>22}{:>22}{:>22}", "", "as it is", "changed", "difference")?;
        for line in self.lines() {
            let mark = if line.difference.is_certain() { "" } else { "   (may be chance)" };
            writeln!(
                f,
                "  {:<30}{:>22}{:>22}{:>22}{mark}",
                line.name,
                line.show(line.before, false),
                line.show(line.after, false),
                line.show(line.difference, true)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;
    use crate::sim::scenario::normal;

    #[test]
    fn the_interval_holds_the_truth_in_95_of_100_experiments() {
        let mut rng = Rng::from_number(11);
        for n in [2, 5, 10, 40] {
            let tries = 4_000;
            let mut held = 0;
            for _ in 0..tries {
                let samples: Vec<f64> = (0..n).map(|_| 7.0 + 3.0 * normal(rng.unit().max(1e-12))).collect();
                let interval = Interval::of(&samples);
                held += u32::from((interval.mean - 7.0).abs() <= interval.half);
            }
            let share = f64::from(held) / f64::from(tries);
            assert!((0.94..0.96).contains(&share), "{n} samples: {share}");
        }
    }

    #[test]
    fn one_sample_says_nothing_of_its_spread() {
        assert!(Interval::of(&[3.0]).half.is_infinite());
        assert!(!Interval::of(&[3.0]).is_certain());
    }
}
