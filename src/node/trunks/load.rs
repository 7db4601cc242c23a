//! How much goes over one trunk: calls in both directions at one time, and calls begun in a second.
//!
//! Invariant: each call admitted is given back once; in no second more calls begin than the limit says.
use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Instant;
use crate::node::settings::TrunkLimits;

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::node) enum Way {
    /// They called.
    In,
    /// We called.
    Out,
}

/// What a trunk carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    pub(super) calls_in: usize,
    pub(super) calls_out: usize,
    /// When calls of the last second began, as many as the limit lets.
    starts: VecDeque<Instant>,
}

impl Load {
    /// Takes a call, if there is room.
    pub(super) fn admit(&mut self, now: Instant, way: Way, limits: &TrunkLimits) -> bool {
        let (count, most) = match way {
            Way::In => (&mut self.calls_in, limits.calls_in),
            Way::Out => (&mut self.calls_out, limits.calls_out),
        };
        if most.is_some_and(|most| *count >= most) {
            return false;
        }
        if way == Way::Out
            && let Some(rate) = limits.starts_per_second
        {
            while self.starts.front().is_some_and(|at| now.since(*at) >= Duration::from_secs(1)) {
                self.starts.pop_front();
            }
            if self.starts.len() >= usize::try_from(rate).unwrap_or(usize::MAX) {
                return false;
            }
            self.starts.push_back(now);
        }
        *count += 1;
        true
    }

    /// A call is over.
    pub(super) fn release(&mut self, way: Way) {
        let count = match way {
            Way::In => &mut self.calls_in,
            Way::Out => &mut self.calls_out,
        };
        *count = count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_one_time_are_limited_each_way() {
        let limits = TrunkLimits { calls_in: Some(1), calls_out: Some(2), starts_per_second: None };
        let (mut load, now) = (Load::default(), Instant::from_secs(1));
        assert!(load.admit(now, Way::In, &limits) && !load.admit(now, Way::In, &limits));
        assert!(load.admit(now, Way::Out, &limits) && load.admit(now, Way::Out, &limits));
        assert!(!load.admit(now, Way::Out, &limits));
        load.release(Way::Out);
        assert!(load.admit(now, Way::Out, &limits));
        load.release(Way::In);
        assert!(load.admit(now, Way::In, &limits));
    }

    #[test]
    fn calls_begun_in_a_second_are_limited_and_a_refused_one_costs_nothing() {
        let limits = TrunkLimits { starts_per_second: Some(10), ..TrunkLimits::default() };
        let mut load = Load::default();
        let mut begun = Vec::new();
        for ms in (1_000..11_000).step_by(20) {
            if load.admit(Instant::from_millis(ms), Way::Out, &limits) {
                begun.push(ms);
            }
        }
        assert_eq!(begun.len(), 100, "ten in each of ten seconds");
        for window in begun.windows(11) {
            assert!(window[10] - window[0] >= 1_000, "{window:?}");
        }
        // Incoming calls are not ours to slow.
        assert!((0..100).all(|_| load.admit(Instant::from_secs(20), Way::In, &limits)));
    }
}
