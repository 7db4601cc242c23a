//! How many are let in when the machine is behind. New callers are turned away early (503 with Retry-After) by the measured
//! lag, so that calls inside lose nothing and the throughput stays near its best instead of collapsing.
//!
//! Invariant: the share let in falls fast, rises slowly, and twenty calls a second are let in whatever the lag: it finds
//! the machine's pace by itself, and a machine that merely hiccups turns nobody away.
use std::time::Duration;

use crate::base::Instant;

/// How often the share is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// A lag above this is too much: two packets of sound.
const TOO_LATE: Duration = Duration::from_millis(40);
/// Below this there is room for more.
const IN_TIME: Duration = Duration::from_millis(20);
/// What a window that was too late leaves of the share.
const FALL: f64 = 0.85;
/// What a window in time makes of it: this part more, and a little.
const RISE: f64 = 1.03;
const LITTLE: f64 = 0.01;
/// A lag of this part of the window's before is shrinking: the share is small enough, what waits is being worked off.
const SHRINKS: f64 = 0.98;
/// The least share.
const LEAST: f64 = 0.05;
/// So many windows in a row must be too late before anybody is refused.
const IN_A_ROW: u32 = 3;

/// The share of new callers that is let in.
#[derive(Debug)]
pub(super) struct Admission {
    share: f64,
    worst: Duration,
    /// The worst of the window before.
    before: Duration,
    /// Windows in a row that were too late.
    bad: u32,
    looked: Instant,
}

impl Default for Admission {
    fn default() -> Self {
        Self { share: 1.0, worst: Duration::ZERO, before: Duration::ZERO, bad: 0, looked: Instant::ZERO }
    }
}

impl Admission {
    /// Something was done this much later than it should have been: a message read, a packet of sound made.
    /// The share from now on, once in a window.
    pub(super) fn late(&mut self, now: Instant, by: Duration) -> Option<f64> {
        self.worst = self.worst.max(by);
        if now.since(self.looked) < WINDOW {
            return None;
        }
        self.bad = if self.worst > TOO_LATE { self.bad + 1 } else { 0 };
        let shrinks = self.worst < self.before.mul_f64(SHRINKS);
        if self.bad >= IN_A_ROW && !shrinks {
            self.share = (self.share * FALL).max(LEAST);
        } else if self.worst < IN_TIME {
            self.share = (self.share * RISE + LITTLE).min(1.0);
        }
        (self.looked, self.before, self.worst) = (now, self.worst, Duration::ZERO);
        Some(self.share)
    }

    /// The share of new callers let in.
    pub(super) const fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Share};

    fn late(admission: &mut Admission, share: &mut Share, ms: u64, by: Duration) {
        if let Some(part) = admission.late(Instant::from_millis(ms), by) {
            share.set(part);
        }
    }

    /// A machine that serves `pace` calls a second and is offered `offered`: its lag is what it is behind.
    fn served(offered: u64, pace: f64, seconds: u64) -> (u64, u64, Duration) {
        let (mut admission, mut share, mut rng) =
            (Admission::default(), Share::default(), Rng::from_number(1));
        let (mut backlog, mut admitted, mut worst) = (0.0, 0, Duration::ZERO);
        for ms in 0..seconds * 1_000 {
            for _ in 0..offered / 1_000 {
                if share.passes(&mut rng) {
                    admitted += 1;
                    backlog += 1.0;
                }
            }
            backlog = f64::max(0.0, backlog - pace / 1_000.0);
            let lag = Duration::from_secs_f64(backlog / pace);
            if ms > seconds * 500 {
                worst = worst.max(lag);
            }
            late(&mut admission, &mut share, 1_000 + ms, lag);
        }
        (admitted, offered * seconds - admitted, worst)
    }

    #[test]
    fn nobody_is_refused_while_the_machine_keeps_pace() {
        let (admitted, refused, _) = served(1_000, 2_000.0, 20);
        assert_eq!((admitted, refused), (20_000, 0));
    }

    #[test]
    fn a_hiccup_refuses_nobody_and_few_callers_are_never_refused() {
        let (mut admission, mut share, mut rng) =
            (Admission::default(), Share::default(), Rng::from_number(1));
        for n in 0..1_000 {
            let by = if n % 5 < 2 { Duration::from_millis(300) } else { Duration::from_millis(30) };
            late(&mut admission, &mut share, 1_000 + 100 * n, by);
        }
        assert!(admission.share() >= 1.0);
        for n in 0..100 {
            late(&mut admission, &mut share, 200_000 + 100 * n, Duration::from_secs(1));
            assert!(share.passes(&mut rng), "ten calls a second");
        }
    }

    #[test]
    fn at_three_times_the_pace_four_fifths_of_it_are_served_and_the_lag_stays_small() {
        let (admitted, refused, worst) = served(6_000, 2_000.0, 60);
        assert!(admitted >= 2_000 * 60 * 8 / 10, "{admitted}");
        assert!(refused > 0 && worst < Duration::from_millis(400), "{worst:?}");
    }

    #[test]
    fn when_the_rush_is_over_everyone_is_let_in_again_within_seconds() {
        let (mut admission, mut share, mut rng) =
            (Admission::default(), Share::default(), Rng::from_number(1));
        for n in 0..50 {
            late(&mut admission, &mut share, 1_000 + 100 * n, Duration::from_millis(200));
        }
        assert!(admission.share() <= LEAST);
        for n in 0..50 {
            late(&mut admission, &mut share, 7_000 + 100 * n, Duration::ZERO);
        }
        assert!(admission.share() >= 1.0);
        assert!((0..1_000).all(|_| share.passes(&mut rng)));
    }
}
