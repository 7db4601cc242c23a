//! Splits the log by time, fits what is fitted to the past, and scores every estimator on the rest.
use std::collections::BTreeMap;

use serde::Serialize;

use super::log::{Call, CallLog};
use super::moment::Moment;
use super::patience::Patience;
use super::ranges::{Measure, Ranges};
use super::ridge::Ridge;
use super::rules::RULES;
use super::score::{Judged, Score};
use super::told::{RISE_S, Told, tell};
use super::walk::walk;

const DAY_S: f64 = 86_400.0;
/// Callers to judge by half-hour, at least.
const HALF_HOUR_MIN: usize = 1;

/// How to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The first days judged, counted from 0; several are judged apart and pooled. None: the second half of the days.
    pub from_days: Vec<u32>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The first days judged.
    pub judged_from_days: Vec<u32>,
    /// Calls in the log, rows left out, and bad rows.
    pub calls: usize,
    /// See `calls`.
    pub left_out: usize,
    /// See `calls`.
    pub bad_rows: usize,
    /// By estimator.
    pub estimators: BTreeMap<&'static str, Estimators>,
}

/// One estimator's figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimators {
    /// Over served callers.
    #[serde(flatten)]
    pub overall: Score,
    /// The same by half-hour of the day, e.g. `09:30`.
    pub by_half_hour: BTreeMap<String, Score>,
    /// The same with censoring weights.
    pub censoring_weighted: Score,
    /// Mean estimate and mean wait in ten bins of the estimate.
    #[serde(skip)]
    pub bins: Vec<(f64, f64)>,
}

/// A rule with its range, fitted to the past.
struct Fitted {
    name: &'static str,
    estimate_s: Box<dyn Fn(&Moment) -> f64>,
    ranges: Ranges,
}

/// Judges all estimators on a log.
pub fn judge(log: &CallLog, options: &Options) -> Verdict {
    let moments = walk(log);
    let told = tell(&moments, &log.calls);
    let days =
        if options.from_days.is_empty() { vec![middle(&log.calls)] } else { options.from_days.clone() };
    let mut judged: BTreeMap<&'static str, Vec<Judged>> = BTreeMap::new();
    for day in &days {
        for (name, some) in split(log, &moments, &told, f64::from(*day) * DAY_S) {
            judged.entry(name).or_default().extend(some);
        }
    }
    let estimators = judged.into_iter().map(|(name, judged)| (name, figures(&judged))).collect();
    Verdict {
        judged_from_days: days,
        calls: log.calls.len(),
        left_out: log.left_out,
        bad_rows: log.bad,
        estimators,
    }
}

fn middle(calls: &[Call]) -> u32 {
    let last = calls.iter().filter_map(|c| c.waited).map(|(joined, _)| joined).fold(0.0, f64::max);
    let days = libm::ceil(last / DAY_S);
    (0..10_000).find(|d| f64::from(*d) * 2.0 >= days).unwrap_or(0)
}

/// Fits to what came before `from`, judges what came after.
fn split(
    log: &CallLog,
    moments: &[Moment],
    told: &[Option<Told>],
    from: f64,
) -> BTreeMap<&'static str, Vec<Judged>> {
    let joined = |m: &Moment| log.calls[m.call].waited.map_or(0.0, |(joined, _)| joined);
    let past: Vec<&Moment> =
        moments.iter().filter(|m| m.telling == 0 && joined(m) < from && log.calls[m.call].served).collect();
    let fitted = fit(&past);
    let rest: Vec<&Moment> = moments.iter().filter(|m| joined(m) >= from).collect();
    let patience = Patience::of(
        rest.iter().filter(|m| m.telling == 0).map(|m| (m.remaining_s, !log.calls[m.call].served)).collect(),
    );
    let mut by_call: BTreeMap<usize, Vec<&Moment>> = BTreeMap::new();
    for moment in rest {
        by_call.entry(moment.call).or_default().push(moment);
    }
    let mut all: BTreeMap<&'static str, Vec<Judged>> = BTreeMap::new();
    for (call, moments) in by_call {
        let Some(entry) = moments.first() else { continue };
        let base = Judged {
            wait_s: entry.remaining_s,
            served: log.calls[call].served,
            day_s: entry.plain.day_s,
            weight: patience.weight(entry.remaining_s),
            ..Judged::default()
        };
        for rule in &fitted {
            all.entry(rule.name).or_default().push(rule.judged(&moments, base));
        }
        if let Some(told) = &told[call] {
            let f = told.forecast;
            all.entry("hotline").or_default().push(Judged {
                estimate_s: f.mean_s,
                quantiles_s: [f.low_s, f.typical_s, f.high_s],
                range_s: told.said_s,
                upward: told.upward,
                ..base
            });
        }
    }
    all
}

fn fit(past: &[&Moment]) -> Vec<Fitted> {
    let ridge = Ridge::fit(&past.iter().map(|m| (m.plain, m.remaining_s)).collect::<Vec<_>>());
    let pairs = |estimate: &dyn Fn(&Moment) -> f64| -> Vec<(f64, f64)> {
        past.iter().map(|m| (estimate(m), m.remaining_s)).collect()
    };
    let mut all: Vec<Fitted> = Vec::new();
    for (rule, name) in RULES {
        let estimate = move |m: &Moment| rule.estimate_s(&m.plain);
        let ranges = Ranges::fit(Measure::Ratio, &pairs(&estimate));
        all.push(Fitted { name, estimate_s: Box::new(estimate), ranges });
    }
    let estimate = move |m: &Moment| ridge.estimate_s(&m.plain);
    let ranges = Ranges::fit(Measure::Difference, &pairs(&estimate));
    all.push(Fitted { name: "ridge", estimate_s: Box::new(estimate), ranges });
    all
}

impl Fitted {
    /// One caller, from his entry on. Rules speak again each time as if for the first time.
    fn judged(&self, moments: &[&Moment], base: Judged) -> Judged {
        let mut judged = base;
        let mut promised = f64::INFINITY;
        for moment in moments {
            let estimate = (self.estimate_s)(moment);
            let quantiles = self.ranges.at(estimate);
            if moment.telling == 0 {
                judged.estimate_s = estimate;
                judged.quantiles_s = quantiles;
                judged.range_s = (quantiles[0], quantiles[2]);
            }
            let end = moment.at_s + quantiles[2];
            judged.upward |= end > promised + RISE_S;
            promised = end;
        }
        judged
    }
}

fn figures(judged: &[Judged]) -> Estimators {
    let mut halves: BTreeMap<String, Vec<Judged>> = BTreeMap::new();
    for j in judged {
        halves.entry(half_hour(j.day_s)).or_default().push(*j);
    }
    halves.retain(|_, some| some.iter().filter(|j| j.served).count() >= HALF_HOUR_MIN);
    Estimators {
        overall: Score::of(judged.iter(), false),
        censoring_weighted: Score::of(judged.iter(), true),
        by_half_hour: halves.into_iter().map(|(name, some)| (name, Score::of(some.iter(), false))).collect(),
        bins: bins(judged),
    }
}

fn half_hour(day_s: f64) -> String {
    let half = (0..48u32).rev().find(|h| f64::from(*h) * 1800.0 <= day_s).unwrap_or(0);
    format!("{:02}:{:02}", half / 2, half % 2 * 30)
}

fn bins(judged: &[Judged]) -> Vec<(f64, f64)> {
    let mut pairs: Vec<(f64, f64)> =
        judged.iter().filter(|j| j.served).map(|j| (j.estimate_s, j.wait_s)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |chunk: &[(f64, f64)]| {
        let n = super::walk::count(chunk.len());
        (chunk.iter().map(|p| p.0).sum::<f64>() / n, chunk.iter().map(|p| p.1).sum::<f64>() / n)
    };
    pairs.chunks(pairs.len().div_ceil(10).max(1)).map(mean).collect()
}
