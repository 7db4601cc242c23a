//! How long a caller will still wait, from the live state alone.
//!
//! With `n` truly ahead, `s` agents who each take `1/m` seconds a caller, and hang-ups at rate `t` for each one waiting,
//! the line moves at rate `s m + j t` while `j` are ahead, so the mean wait is the sum of `1 / (s m + j t)` for `j` from
//! `n` down to 0 (Ibrahim and Whitt 2009, "`QLr`"). The variance is the sum of the squares, corrected for talks that
//! vary more or less than exponential ones and for means known from few conversations. The range is that of the gamma
//! distribution with this mean and variance. More urgent callers who are still to come count as ahead too: as many as
//! are expected while he waits and has not aged past them. Only + - * / and libm: the same on every machine.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Forecast;
use crate::exchange::acd::order::CLASS_LAST;

/// An honest range for the wait that remains: not a promise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean.
    #[serde(default)]
    pub mean: Duration,
    /// 10 % quantile.
    pub low: Duration,
    /// Median.
    pub typical: Duration,
    /// 90 % quantile.
    pub high: Duration,
    /// What it rests on.
    pub basis: Basis,
}

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Callers truly ahead who compete for the same agents, weighted by how much they do.
    pub ahead: f64,
    /// Agents at work who can serve him.
    pub agents: u32,
    /// Time of an agent that one caller takes: ringing, talk and wrap-up, in seconds.
    pub handle_s: f64,
    /// Conversations that this time was measured on (weighted; old ones count less). 0: the plan's expectation alone.
    pub measured: f64,
}

/// Places summed one by one; beyond, an integral.
const EXACT: u32 = 12;
/// Rounds to find how many more urgent callers come during a wait that they themselves lengthen.
const ROUNDS: usize = 8;
/// Standard normal quantile of 0.9.
const Z90: f64 = 1.281_551_565_544_6;

/// Everything that an estimate depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    /// Callers ahead, weighted by how much they compete for the same agents.
    pub(crate) ahead: f64,
    /// Callers ahead who compete at all.
    pub(crate) rivals: usize,
    /// Agents at work who can serve him.
    pub(crate) agents: u32,
    /// Agent's time for one caller, in seconds.
    pub(crate) handle_s: f64,
    /// Squared coefficient of variation of the talk.
    pub(crate) spread: f64,
    /// Conversations measured.
    pub(crate) measured: f64,
    /// Hang-ups per second and caller.
    pub(crate) theta: f64,
    /// How often per second the first agent becomes free, when known better than `agents / handle_s`.
    pub(crate) first_per_s: Option<f64>,
    /// Callers of each more urgent class who come per second, and for how many seconds they would be ahead of him.
    pub(crate) urgent: [(f64, f64); CLASS_LAST as usize],
    /// The next ends of shifts among these agents.
    pub(crate) leaving: Leaving,
}

/// How many ends of shifts are looked at.
pub(super) const LEAVING: usize = 6;
/// In how many seconds shifts end, ascending, and for how many agents; none: 0.
pub(crate) type Leaving = [(f64, u32); LEAVING];
/// Fewer agents than this are not believed to serve anybody.
const AGENTS_LEAST: f64 = 0.05;

/// The mean wait until `ahead` are gone and the next step is done, when one agent or another is free `rate` times a
/// second and each of those ahead hangs up with rate `theta`, in seconds.
pub(super) fn steps_s(ahead: f64, rate: f64, theta: f64) -> f64 {
    line_ahead(ahead.max(0.0) + 1.0, rate, theta).0
}

/// Mean and range of a gamma distribution, in seconds.
fn gamma(mean: f64, variance: f64) -> Forecast {
    let at = |z| gamma_quantile(mean, variance, z);
    Forecast { mean_s: mean, low_s: at(-Z90), typical_s: at(0.0), high_s: at(Z90) }
}

/// The range of a wait of which only a formula's mean is known, spread as if each step were exponential.
pub fn spread_by_steps(ahead: f64, mean_s: f64) -> Forecast {
    gamma(mean_s, mean_s * mean_s / (ahead.max(0.0) + 1.0).min(4.0))
}

/// The range for this outlook. `None`: nobody is at work, or nothing is known of how long a caller takes.
pub(crate) fn formula(o: &Outlook) -> Option<Forecast> {
    if o.agents == 0 || o.handle_s <= 0.0 {
        return None;
    }
    let to_come = |wait: f64| o.urgent.iter().map(|(per_s, until)| per_s * until.min(wait)).sum::<f64>();
    let (mut overtaking, mut agents) = (0.0, f64::from(o.agents));
    let (mut mean, mut variance) = moments(o, agents, overtaking);
    for _ in 0..ROUNDS {
        let (more, left) = (to_come(mean), o.agents_over(mean));
        if more - overtaking < 0.02 * (o.ahead + 1.0) && agents - left < 0.01 * agents {
            break;
        }
        (overtaking, agents) = (more.max(overtaking), left.min(agents));
        (mean, variance) = moments(o, agents, overtaking);
        let served = agents / o.handle_s;
        variance += overtaking / (served * served);
    }
    variance += mean * mean * o.spread / (o.measured + 10.0);
    Some(gamma(mean, variance))
}

impl Outlook {
    /// How many agents are at work on average over a wait from now on, by the ends of their shifts.
    fn agents_over(&self, wait_s: f64) -> f64 {
        let gone = |(at, n): &(f64, u32)| f64::from(*n) * (1.0 - at / wait_s.max(1.0)).max(0.0);
        (f64::from(self.agents) - self.leaving.iter().map(gone).sum::<f64>()).max(AGENTS_LEAST)
    }
    /// How many are at work now and after that time too.
    pub(crate) fn agents_after(&self, wait: Duration) -> u32 {
        let going = self.leaving.iter().filter(|(at, _)| *at < wait.as_secs_f64());
        self.agents.saturating_sub(going.map(|(_, n)| n).sum())
    }
    /// The same if nobody's shift ended: the formula for it, when that makes a difference.
    pub(crate) fn steady(&self) -> Option<Forecast> {
        let ends = self.leaving.iter().any(|(_, n)| *n > 0);
        if ends { formula(&Self { leaving: Leaving::default(), ..*self }) } else { None }
    }
    /// A forecast with what it rests on.
    pub(crate) fn told(&self, f: &Forecast) -> Estimate {
        let basis = Basis {
            ahead: self.ahead,
            agents: self.agents,
            handle_s: self.handle_s,
            measured: self.measured,
        };
        Estimate {
            mean: seconds(f.mean_s),
            low: seconds(f.low_s),
            typical: seconds(f.typical_s),
            high: seconds(f.high_s),
            basis,
        }
    }
}

/// The estimate by the formula alone.
#[cfg(test)]
pub(crate) fn estimate(o: &Outlook) -> Option<Estimate> {
    formula(o).map(|f| o.told(&f))
}

/// Mean and variance of the wait with so many agents, and so many more ahead.
fn moments(o: &Outlook, agents: f64, more: f64) -> (f64, f64) {
    let served = agents / o.handle_s;
    let ahead = o.ahead + more;
    let (mut mean, mut variance) = line_ahead(ahead, served, o.theta);
    let stay = agents / f64::from(o.agents.max(1));
    let first = o.first_per_s.map_or(served, |per_s| per_s * stay) + ahead * o.theta;
    mean += 1.0 / first;
    variance += 1.0 / (first * first);
    let many = (ahead + 1.0) / (ahead + 1.0 + f64::from(o.agents));
    (mean, variance * (1.0 + (o.spread - 1.0) * many))
}

/// Mean and variance of the time until the `n` ahead are gone but for the first step: the sum for `j` in `0..n`.
fn line_ahead(n: f64, served: f64, theta: f64) -> (f64, f64) {
    let (mut mean, mut variance) = (0.0, 0.0);
    let mut j = 0.0;
    for _ in 0..EXACT {
        if j >= n {
            return (mean, variance);
        }
        let part = (n - j).min(1.0);
        let rate = served + j * theta;
        mean += part / rate;
        variance += part / (rate * rate);
        j += 1.0;
    }
    if j < n {
        let (from, to) = (served + (j - 0.5) * theta, served + (n - 0.5) * theta);
        if theta * (n - j) < 1e-9 * served {
            mean += (n - j) / served;
            variance += (n - j) / (served * served);
        } else {
            mean += libm::log(to / from) / theta;
            variance += (1.0 / from - 1.0 / to) / theta;
        }
    }
    (mean, variance)
}

/// The gamma distribution's quantile by Wilson and Hilferty's cube, `z` the normal quantile.
fn gamma_quantile(mean: f64, variance: f64, z: f64) -> f64 {
    let shape = (mean * mean / variance).max(0.25);
    let ninth = 1.0 / (9.0 * shape);
    let root = (1.0 - ninth + z * libm::sqrt(ninth)).max(0.0);
    mean * root * root * root
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlook(ahead: f64, agents: u32) -> Outlook {
        Outlook {
            ahead,
            rivals: 0,
            agents,
            handle_s: 180.0,
            spread: 1.0,
            measured: 1e9,
            theta: 0.0,
            first_per_s: None,
            urgent: [(0.0, 0.0); 9],
            leaving: Leaving::default(),
        }
    }

    fn close(a: Duration, b: f64) -> bool {
        (a.as_secs_f64() - b).abs() < 0.03 * b
    }

    #[test]
    fn alone_in_line_the_wait_is_exponential() {
        let e = estimate(&outlook(0.0, 3)).unwrap();
        assert!(close(e.typical, 60.0 * 0.693) && close(e.high, 60.0 * 2.303), "{e:?}");
        assert!((e.low.as_secs_f64() - 60.0 * 0.105).abs() < 1.0, "{e:?}");
    }

    #[test]
    fn with_many_ahead_the_range_is_that_of_erlang() {
        // 20 services at 60 s: the Erlang distribution of 20 steps has quantiles 872, 1180 and 1554 s.
        let e = estimate(&outlook(19.0, 3)).unwrap();
        assert!(close(e.low, 872.0) && close(e.typical, 1180.0) && close(e.high, 1554.0), "{e:?}");
    }

    #[test]
    fn hang_ups_ahead_shorten_the_wait() {
        let patient = estimate(&outlook(30.0, 5)).unwrap();
        let leaving = estimate(&Outlook { theta: 1.0 / 300.0, ..outlook(30.0, 5) }).unwrap();
        assert!(leaving.high < patient.high / 2, "{leaving:?} {patient:?}");
    }

    #[test]
    fn the_integral_for_long_lines_agrees_with_the_sum() {
        for theta in [0.0, 1e-12, 1.0 / 600.0] {
            let exact = (0..1000).map(|j| 1.0 / (0.1 + f64::from(j) * theta)).sum::<f64>();
            let (mean, _) = line_ahead(1000.0, 0.1, theta);
            assert!((mean - exact).abs() < 1e-3 * exact, "{theta}: {mean} {exact}");
        }
    }

    #[test]
    fn urgent_callers_still_to_come_count_while_they_would_be_ahead() {
        let none = estimate(&outlook(5.0, 3)).unwrap();
        let mut urgent = [(0.0, 0.0); 9];
        urgent[0] = (1.0 / 200.0, 600.0);
        let some = estimate(&Outlook { urgent, ..outlook(5.0, 3) }).unwrap();
        // 360 s of wait become about 500: 2.5 come in that time at 60 s each.
        assert!(
            some.typical > none.typical + none.typical / 4 && some.typical < none.typical * 2,
            "{some:?} {none:?}"
        );
        urgent[0] = (1.0, 600.0);
        let flood = estimate(&Outlook { urgent, ..outlook(5.0, 3) }).unwrap();
        assert!(flood.high < Duration::from_hours(12), "a flood lasts only until he has aged: {flood:?}");
    }

    #[test]
    fn few_measurements_widen_the_range() {
        let sure = estimate(&outlook(10.0, 3)).unwrap();
        let unsure = estimate(&Outlook { measured: 0.0, ..outlook(10.0, 3) }).unwrap();
        assert!(unsure.high > sure.high && unsure.low < sure.low);
    }

    #[test]
    fn without_agents_or_without_a_notion_of_talks_there_is_no_estimate() {
        assert_eq!(estimate(&outlook(3.0, 0)), None);
        assert_eq!(estimate(&Outlook { handle_s: 0.0, ..outlook(3.0, 2) }), None);
    }
}
