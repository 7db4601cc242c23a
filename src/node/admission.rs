//! Who is let in when the machine is behind. New callers are refused early (503 with Retry-After) by the measured lag, so
//! that calls inside lose nothing and the throughput stays near its best instead of collapsing.
//!
//! Invariant: only calls that begin are ever refused here; the share let in falls fast, rises slowly, and twenty calls a
//! second are let in whatever the lag: it finds the machine's pace by itself, and a machine that merely hiccups refuses
//! nobody.
use std::time::Duration;

use crate::base::{Instant, Rng};

/// How often the share is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// A lag above this is too much: two packets of sound.
const TOO_LATE: Duration = Duration::from_millis(40);
/// Below this there is room for more.
const IN_TIME: Duration = Duration::from_millis(20);
/// What a window that was too late leaves of the share.
const FALL: f64 = 0.85;
/// What a window in time adds to it.
const RISE: f64 = 0.02;
/// The least share.
const LEAST: f64 = 0.05;
/// So many windows in a row must be too late before anybody is refused.
const IN_A_ROW: u32 = 3;
/// Calls that are let in each window whatever the share.
const ALWAYS: f64 = 2.0;

/// The share of new callers that is let in.
#[derive(Debug)]
pub(super) struct Admission {
    share: f64,
    /// Calls owed: each arrival adds the share, each admission takes one.
    owed: f64,
    worst: Duration,
    /// Windows in a row that were too late.
    bad: u32,
    looked: Instant,
}

impl Default for Admission {
    fn default() -> Self {
        Self { share: 1.0, owed: ALWAYS, worst: Duration::ZERO, bad: 0, looked: Instant::ZERO }
    }
}

impl Admission {
    /// Something was done this much later than it should have been: a message read, a packet of sound made.
    pub(super) fn late(&mut self, now: Instant, by: Duration) {
        self.worst = self.worst.max(by);
        if now.since(self.looked) < WINDOW {
            return;
        }
        self.bad = if self.worst > TOO_LATE { self.bad + 1 } else { 0 };
        if self.bad >= IN_A_ROW {
            self.share = (self.share * FALL).max(LEAST);
        } else if self.worst < IN_TIME {
            self.share = (self.share + RISE).min(1.0);
        }
        self.owed = self.owed.max(ALWAYS);
        (self.looked, self.worst) = (now, Duration::ZERO);
    }

    /// Whether a caller who arrives now is let in.
    pub(super) fn admits(&mut self, rng: &mut Rng) -> bool {
        if self.share >= 1.0 {
            return true;
        }
        // A little chance, so that callers who come in step are not refused in step.
        self.owed = (self.owed + self.share * (0.5 + rng.unit())).min(ALWAYS + 1.0);
        let admitted = self.owed >= 1.0;
        if admitted {
            self.owed -= 1.0;
        }
        admitted
    }

    /// The share of new callers let in.
    pub(super) const fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that serves `pace` calls a second and is offered `offered`: its lag is what it is behind.
    fn served(offered: u64, pace: f64, seconds: u64) -> (u64, u64, Duration) {
        let (mut admission, mut rng) = (Admission::default(), Rng::from_number(1));
        let (mut backlog, mut admitted, mut worst) = (0.0, 0, Duration::ZERO);
        for ms in 0..seconds * 1_000 {
            let now = Instant::from_millis(1_000 + ms);
            for _ in 0..offered / 1_000 {
                if admission.admits(&mut rng) {
                    admitted += 1;
                    backlog += 1.0;
                }
            }
            backlog = f64::max(0.0, backlog - pace / 1_000.0);
            let lag = Duration::from_secs_f64(backlog / pace);
            if ms > seconds * 500 {
                worst = worst.max(lag);
            }
            admission.late(now, lag);
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
        let (mut admission, mut rng) = (Admission::default(), Rng::from_number(1));
        for n in 0..1_000 {
            let by = if n % 5 < 2 { Duration::from_millis(300) } else { Duration::from_millis(30) };
            admission.late(Instant::from_millis(1_000 + 100 * n), by);
        }
        assert!(admission.share() >= 1.0);
        for n in 0..100 {
            admission.late(Instant::from_millis(200_000 + 100 * n), Duration::from_secs(1));
            assert!(admission.admits(&mut rng), "ten calls a second");
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
        let (mut admission, mut rng) = (Admission::default(), Rng::from_number(1));
        for n in 0..50 {
            admission.late(Instant::from_millis(1_000 + 100 * n), Duration::from_millis(200));
        }
        assert!(admission.share() <= LEAST);
        for n in 0..50 {
            admission.late(Instant::from_millis(7_000 + 100 * n), Duration::ZERO);
        }
        assert!(admission.share() >= 1.0);
        assert!((0..1_000).all(|_| admission.admits(&mut rng)));
    }
}
