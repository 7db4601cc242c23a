//! What an estimate looks at: the state of a queue as a caller finds it, and the features made of it.
//!
//! The live Acd and a call log (`hotline backtest`) both fill in a [`Sight`]; everything after it is one code.
use serde::{Deserialize, Serialize};

use super::formula::steps_s;

/// The state of a queue as a caller finds it. Times in seconds; counts are of callers or agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// Time of the day.
    pub day_s: f64,
    /// Callers waiting in the queue before he came; later those of them who are ahead of him.
    pub waiting: f64,
    /// Callers truly ahead.
    pub ahead: f64,
    /// Of those ahead, the more urgent ones.
    pub ahead_urgent: f64,
    /// Of those ahead, those who need the same skills.
    pub ahead_same: f64,
    /// Of those ahead, those of the second kind of need.
    pub ahead_second: f64,
    /// Those ahead, weighted by the share of their agents who could serve him too.
    pub rivals: f64,
    /// Of those waiting, the more urgent ones.
    pub waiting_urgent: f64,
    /// The longest elapsed wait in the queue, and among those who need the same.
    pub longest_s: f64,
    /// See `longest_s`.
    pub longest_same_s: f64,
    /// The wait of the last caller served, and of the last who needed the same.
    pub last_s: f64,
    /// See `last_s`.
    pub last_same_s: f64,
    /// Since the last caller who needed the same was served.
    pub since_same_s: f64,
    /// Mean wait of the last five served who needed the same.
    pub five_same_s: f64,
    /// Mean of the waits of those served, 0.9 old and 0.1 new.
    pub fading_s: f64,
    /// Callers served, who joined and who left, within the last minutes.
    pub served_5m: f64,
    /// See `served_5m`.
    pub served_15m: f64,
    /// See `served_5m`.
    pub joined_5m: f64,
    /// See `served_5m`.
    pub joined_15m: f64,
    /// See `served_5m`.
    pub left_15m: f64,
    /// Callers who needed the same and were served within 30 minutes.
    pub served_same_30m: f64,
    /// Agents who talk.
    pub busy: f64,
    /// Agents at work.
    pub agents: f64,
    /// Agents at work who can serve him.
    pub able: f64,
    /// Agents who could serve him too, had their phones not been lost.
    #[serde(default)]
    pub cut_off: f64,
    /// How many agents' worth of time goes to callers who need the same.
    pub able_share: f64,
    /// Callers all agents at work serve per second, each at his own pace.
    pub rate: f64,
    /// The same of those who talk or just did.
    pub rate_now: f64,
    /// Talks that last longer than five minutes, and those that began in the last minute.
    pub long_talks: f64,
    /// See `long_talks`.
    pub fresh_talks: f64,
    /// Talks expected to end within one minute and within three, by how long each has lasted.
    pub ending_1m: f64,
    /// See `ending_1m`.
    pub ending_3m: f64,
    /// An agent's time for one caller.
    pub handle_s: f64,
    /// Hang-ups for each second that one caller waits.
    pub theta: f64,
    /// How urgent he is among the queue's callers: 0 as most, 1 more.
    pub urgent: f64,
    /// The kind of his need: 0 the most frequent, 1, 2; others count as 0.
    pub kind: u8,
}

/// How many features a sight has.
pub(super) const FEATURES: usize = 84;

/// Numbers made of a sight.
pub(super) type Features = [f64; FEATURES];

impl Sight {
    /// Of the agents who could serve him the share whose phones are still there.
    pub(super) fn left(&self) -> f64 {
        self.able.max(1.0) / (self.able.max(1.0) + self.cut_off.max(0.0))
    }

    /// The structural estimate that minds who is ahead and who can serve them: the sum of mean steps.
    pub(super) fn skilled_s(&self) -> f64 {
        steps_s(self.rivals, self.able.max(1.0) / self.handle_s.max(1.0), self.theta)
    }

    /// The features, each a number of moderate size.
    pub(super) fn features(&self) -> Features {
        let mut all = Vec::with_capacity(FEATURES);
        self.counts(&mut all);
        self.shapes(&mut all);
        self.pairs(&mut all);
        let mut out = [0.0; FEATURES];
        for (out, x) in out.iter_mut().zip(all) {
            *out = if x.is_finite() { x } else { 0.0 };
        }
        out
    }

    fn one_of(&self, kind: u8) -> f64 {
        f64::from(u8::from(self.kind == kind))
    }

    fn daytime(&self, times: f64) -> (f64, f64) {
        let angle = self.day_s / 86_400.0 * std::f64::consts::TAU * times;
        (libm::sin(angle), libm::cos(angle))
    }

    /// Mean steps with this many ahead of this many agents.
    fn steps(&self, ahead: f64, agents: f64) -> f64 {
        steps_s(ahead, agents.max(1.0) / self.handle_s.max(1.0), self.theta)
    }

    /// Those ahead against the pace of those who work now.
    fn load(&self) -> f64 {
        self.ahead / (self.rate_now * 200.0 + 0.5)
    }

    fn counts(&self, out: &mut Vec<f64>) {
        out.extend([self.waiting, self.ahead, self.longest_s, self.last_s, self.fading_s, self.busy]);
        out.extend([self.agents, self.handle_s, self.steps(self.ahead, self.agents), self.urgent]);
        out.extend([self.one_of(1), self.one_of(2)]);
        for times in [1.0, 2.0, 3.0] {
            let (sin, cos) = self.daytime(times);
            out.extend([sin, cos]);
        }
        out.push(f64::from(u8::from(self.day_s > 63_000.0)));
        out.extend([self.served_5m, self.served_15m, self.joined_5m, self.joined_15m, self.left_15m]);
        out.extend([self.long_talks, self.fresh_talks, self.ahead_urgent, self.ahead_same]);
        out.extend([self.waiting_urgent, self.able, self.able_share, self.last_same_s]);
        out.extend([self.served_same_30m, self.longest_same_s, self.ahead_second, self.rate, self.rate_now]);
        out.extend([self.five_same_s, self.ending_1m, self.ending_3m]);
    }

    fn shapes(&self, out: &mut Vec<f64>) {
        let root = |x: f64| libm::sqrt(x.max(0.0));
        let (skilled, load, each) = (self.skilled_s(), self.load(), self.ahead / self.agents.max(1.0));
        let steps = self.steps(self.ahead, self.agents);
        out.extend([root(self.waiting + 1.0), root(self.ahead + 1.0), root(steps), root(self.longest_s)]);
        out.extend([root(self.last_s), root(self.since_same_s), root(self.longest_same_s)]);
        out.extend([root(self.last_same_s), root(skilled), root(load), root(each)]);
        out.extend([self.steps(self.ahead, self.busy), self.steps(self.waiting, self.busy)]);
        out.push((self.ahead + 1.0) * 1200.0 / (self.served_5m + self.served_15m + 1.0));
        out.extend([skilled, load, each]);
        out.extend([skilled - 60.0, skilled - 150.0, load - 1.0, load - 2.0].map(|x| x.max(0.0)));
        out.extend([self.longest_same_s, self.five_same_s, self.longest_s].map(|x| root(x * skilled)));
    }

    fn pairs(&self, out: &mut Vec<f64>) {
        let (sin, cos) = self.daytime(1.0);
        let (skilled, load) = (self.skilled_s(), self.load());
        let steps = libm::sqrt(self.steps(self.ahead, self.agents).max(0.0));
        let urgent = [skilled, load, steps, self.longest_same_s, self.five_same_s, self.ahead, sin, cos];
        out.extend(urgent.map(|x| self.urgent * x));
        let second = [skilled, load, self.ahead, self.longest_same_s, self.longest_s];
        out.extend(second.map(|x| self.one_of(1) * x));
        out.extend([skilled, load, self.five_same_s].map(|x| self.one_of(2) * x));
        out.extend([skilled * sin, skilled * cos, load * sin, load * cos]);
    }

    /// The few features of the second stage, beside the first stage's own estimate `p` in seconds.
    pub(super) fn second_stage(&self, p: f64) -> Vec<f64> {
        let root = |x: f64| libm::sqrt(x.max(0.0));
        let (urgent, second, third) = (self.urgent, self.one_of(1), self.one_of(2));
        let ((sin, cos), (sin2, cos2)) = (self.daytime(1.0), self.daytime(2.0));
        let (skilled, load) = (self.skilled_s(), self.load());
        let mut out = vec![1.0, p, root(p), urgent, second, third, urgent * p, second * p, third * p];
        out.extend([self.ahead, self.waiting, self.longest_s, sin, cos, sin2, cos2]);
        out.extend([
            f64::from(u8::from(self.day_s > 63_000.0)),
            self.ahead / self.agents.max(1.0),
            load,
            skilled,
        ]);
        out.extend([root(skilled), root(load), root(self.longest_s), self.longest_same_s, self.last_same_s]);
        out.extend([self.five_same_s, p * sin, p * cos, root(self.longest_same_s), self.ahead_second]);
        out.extend([urgent * load, second * skilled]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_its_place() {
        let mut all = Vec::new();
        let sight = Sight { ahead: 3.0, agents: 2.0, handle_s: 180.0, ..Sight::default() };
        sight.counts(&mut all);
        sight.shapes(&mut all);
        sight.pairs(&mut all);
        assert_eq!(all.len(), FEATURES);
        assert_eq!(sight.second_stage(10.0).len(), crate::exchange::acd::estimate::learned::SECOND);
        let odd = Sight { handle_s: f64::NAN, longest_s: f64::INFINITY, ..sight };
        assert!(odd.features().iter().all(|x| x.is_finite()));
    }
}
