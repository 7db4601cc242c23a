//! What happened lately in a queue and in each of its lines: what a [`Sight`] needs beside who waits now.
use std::collections::VecDeque;
use std::time::Duration;

use super::outlook::float;
use crate::base::Instant;

/// Nothing older is looked at.
const KEPT: Duration = Duration::from_mins(30);
/// Moments kept of each kind.
const MOMENTS: usize = 4096;
/// Talks kept.
const TALKS: usize = 400;
/// Waits kept of a line.
const WAITS: usize = 5;

/// When something happened, lately.
#[derive(Clone, Debug, Default)]
pub(in crate::exchange::acd) struct Moments(VecDeque<Instant>);

impl super::Flat for Moments {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        VecDeque::take(from).map(Self)
    }
}

impl Moments {
    /// It is now: nothing happened later.
    fn not_after(&mut self, now: Instant) {
        self.0.retain(|at| *at <= now);
    }
    /// It happened now.
    pub(in crate::exchange::acd) fn note(&mut self, now: Instant) {
        while self.0.len() >= MOMENTS || self.0.front().is_some_and(|at| *at + KEPT < now) {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }
    /// How often within the last `d`.
    pub(super) fn within(&self, now: Instant, d: Duration) -> f64 {
        float(self.0.len() - self.0.partition_point(|at| *at + d < now))
    }
}

/// What happened lately in a queue.
#[derive(Clone, Debug, Default)]
pub(in crate::exchange::acd) struct Recent {
    /// Callers who joined.
    pub(in crate::exchange::acd) joined: Moments,
    /// Callers who left by themselves.
    pub(in crate::exchange::acd) left: Moments,
    /// Callers who were answered.
    pub(super) served: Moments,
    /// Wait of the last one answered, and the fading mean, in seconds.
    pub(super) last_s: f64,
    /// See `last_s`.
    pub(super) fading_s: f64,
    order: VecDeque<f64>,
    sorted: Vec<f64>,
}

super::flat!(Recent { joined, left, served, last_s, fading_s, order, sorted });

impl Recent {
    /// Whether it is within its bounds.
    pub(in crate::exchange::acd) fn is_bounded(&self) -> bool {
        self.order.len() == self.sorted.len() && self.sorted.len() <= TALKS
    }
    /// It is now: nothing happened later.
    pub(in crate::exchange::acd) fn not_after(&mut self, now: Instant) {
        for moments in [&mut self.joined, &mut self.left, &mut self.served] {
            moments.not_after(now);
        }
    }
    /// A caller was answered after this wait.
    pub(in crate::exchange::acd) fn answered(&mut self, now: Instant, waited: Duration) {
        self.served.note(now);
        self.last_s = waited.as_secs_f64();
        self.fading_s = 0.9 * self.fading_s + 0.1 * self.last_s;
    }
    /// A talk ended.
    pub(in crate::exchange::acd) fn talked(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.order.push_back(took);
        let place = self.sorted.partition_point(|d| *d < took);
        self.sorted.insert(place, took);
        if self.order.len() > TALKS
            && let Some(oldest) = self.order.pop_front()
        {
            let place = self.sorted.partition_point(|d| *d < oldest);
            self.sorted.remove(place.min(self.sorted.len() - 1));
        }
    }
    /// The last talks, in seconds, the shortest first.
    pub(in crate::exchange::acd) fn talks(&self) -> &[f64] {
        &self.sorted
    }
    /// How likely a talk that has lasted `elapsed_s` ends within `within_s`.
    pub(super) fn ending(&self, elapsed_s: f64, within_s: f64) -> f64 {
        let longer = |than: f64| float(self.sorted.len() - self.sorted.partition_point(|d| *d <= than));
        (1.0 + longer(elapsed_s) - longer(elapsed_s + within_s)) / (2.0 + longer(elapsed_s))
    }
}

/// What happened lately in one line.
#[derive(Clone, Debug, Default)]
pub(in crate::exchange::acd) struct LineRecent {
    /// Callers who were answered.
    pub(super) served: Moments,
    last: Option<Instant>,
    waits: VecDeque<f64>,
}

super::flat!(LineRecent { served, last, waits });

impl LineRecent {
    /// It is now: nothing happened later.
    pub(in crate::exchange::acd) fn not_after(&mut self, now: Instant) {
        self.served.not_after(now);
        self.last = self.last.filter(|at| *at <= now);
    }
    /// A caller was answered after this wait.
    pub(in crate::exchange::acd) fn answered(&mut self, now: Instant, waited: Duration) {
        self.served.note(now);
        self.last = Some(now);
        self.waits.push_back(waited.as_secs_f64());
        if self.waits.len() > WAITS {
            self.waits.pop_front();
        }
    }
    /// The last wait and the mean of the last five, in seconds.
    pub(super) fn waits_s(&self) -> (f64, f64) {
        let mean = self.waits.iter().sum::<f64>() / float(self.waits.len().max(1));
        (self.waits.back().copied().unwrap_or(0.0), mean)
    }
    /// Since the last was answered, at most an hour.
    pub(super) fn since_s(&self, now: Instant) -> f64 {
        self.last.map_or(3600.0, |at| now.since(at).as_secs_f64().min(3600.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talk_that_has_lasted_ends_as_those_did_that_lasted_as_long() {
        let mut recent = Recent::default();
        for i in 1..=100 {
            recent.talked(Duration::from_secs(i * 10));
        }
        assert!((recent.ending(500.0, 100.0) - 11.0 / 52.0).abs() < 1e-9);
        for _ in 0..1000 {
            recent.talked(Duration::from_mins(1));
        }
        assert!(recent.ending(0.0, 61.0) > 0.99, "old talks are forgotten");
    }

    #[test]
    fn moments_are_counted_within_a_time() {
        let mut moments = Moments::default();
        for s in [0, 100, 200, 290, 300] {
            moments.note(Instant::from_secs(s));
        }
        assert!((moments.within(Instant::from_secs(300), Duration::from_secs(100)) - 3.0).abs() < 1e-9);
    }
}
