//! How many are let in when the machine is behind. New callers are turned away early (503 with Retry-After) by the measured
//! lag, so that calls inside lose nothing and the throughput stays near its best instead of collapsing.
//!
//! What is limited is how many calls are inside, not how many come: a call costs most while it lasts, so a limited rate
//! shows only after a call's length what it did, and swings; the number inside shows at once.
//!
//! Invariant: nobody is turned away before a lag of [`IN_A_ROW`] windows, the limit falls faster than it rises, and twenty
//! calls a second and the first hundred calls are let in whatever the lag: it finds the machine's room by itself.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of calls: far below 2^32"
)]
use std::time::Duration;

use crate::base::Instant;

/// How often the limit is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// A lag above this is too much: two packets of sound.
const TOO_LATE: Duration = Duration::from_millis(40);
/// Below this there is room for more.
const IN_TIME: Duration = Duration::from_millis(20);
/// What the first window that was too late leaves of those who are inside.
const FIRST: f64 = 0.9;
/// What each further one leaves.
const FALL: f64 = 0.95;
/// What a window in time adds to a limit that turned somebody away: this part of those who came in. The longer calls are,
/// the later it shows what more of them cost, and the fewer come in.
const RISE: f64 = 0.15;
/// What it makes of one that turned nobody away.
const RISE_UNUSED: f64 = 1.05;
/// A lag of this part of the window's before is shrinking: few enough are inside, what waits is being worked off.
const SHRINKS: f64 = 0.98;
/// So many windows in a row must be too late before anybody is refused.
const IN_A_ROW: u32 = 3;
/// Fewer than this cost the machine next to nothing: if it is late with so few, others keep it from its work.
const LEAST: f64 = 150.0;
/// So many are let in within a window whatever the lag.
const ALWAYS: u64 = 2;

/// What the node counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Calls that are inside.
    pub(super) inside: usize,
    /// Those that ever came in.
    pub(super) let_in: u64,
    /// Those that were ever turned away.
    pub(super) turned_away: u64,
}

/// How many calls may be inside.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// `None`: as many as come.
    limit: Option<f64>,
    worst: Duration,
    /// The worst of the window before.
    before: Duration,
    /// Windows in a row that were too late.
    bad: u32,
    /// What was counted when the window began.
    begun: Counted,
    looked: Instant,
}

impl Admission {
    /// Something was done this much later than it should have been: a message read, a packet of sound made.
    pub(super) fn late(&mut self, now: Instant, by: Duration, counted: Counted) {
        self.worst = self.worst.max(by);
        if now.since(self.looked) < WINDOW {
            return;
        }
        self.bad = if self.worst > TOO_LATE { self.bad + 1 } else { 0 };
        let shrinks = self.worst < self.before.mul_f64(SHRINKS);
        let inside = f64::max(counted.inside as f64, LEAST);
        if self.bad >= IN_A_ROW && !shrinks {
            // While more are inside than may be, nobody comes in anyway.
            self.limit = match self.limit {
                None => Some(inside * FIRST),
                Some(limit) if inside <= limit => Some(inside * FALL),
                above => above,
            };
        } else if self.worst < IN_TIME {
            self.rise(counted);
        }
        self.begun = counted;
        (self.looked, self.before, self.worst) = (now, self.worst, Duration::ZERO);
    }

    /// A limit far above those inside is none.
    fn rise(&mut self, counted: Counted) {
        let is_used = counted.turned_away > self.begun.turned_away;
        let came = counted.let_in.saturating_sub(self.begun.let_in) as f64;
        let above = |limit: &f64| !is_used && *limit > 2.0 * counted.inside as f64 + 50.0;
        let limit =
            self.limit.map(|limit| if is_used { limit + RISE * came } else { limit * RISE_UNUSED + 1.0 });
        self.limit = limit.filter(|limit| !above(limit));
    }

    /// So many more may come in now; `None`: all.
    pub(super) fn room(&self, counted: Counted) -> Option<u32> {
        let under = (self.limit? - counted.inside as f64).max(0.0) as u64;
        let always = (self.begun.let_in + ALWAYS).saturating_sub(counted.let_in);
        Some(u32::try_from(under.max(always)).unwrap_or(u32::MAX))
    }

    /// How many may be inside; `None`: as many as come.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limit.map(|limit| limit as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::*;

    /// One core: sound goes first, then messages in the order in which they came. Costs in microseconds, as measured.
    struct Machine {
        admission: Admission,
        waiting: VecDeque<(u64, bool)>,
        ends: BTreeMap<u64, usize>,
        counted: Counted,
        served: u64,
        /// In microseconds.
        sound_late: f64,
        worst: Duration,
    }

    const BEGIN: f64 = 130.0;
    const END: f64 = 40.0;
    const SOUND_A_SECOND: f64 = 330.0;
    const REFUSE: f64 = 30.0;
    /// What sound leaves of each millisecond in any case.
    const LEFT: f64 = 100.0;
    /// The best that can be served at three times 2,000 calls of a second: the refusals cost their part.
    const BEST: u64 = (1_000_000 - 6_000 * 30) / (130 + 40 + 330 - 30);

    impl Machine {
        fn new() -> Self {
            Self {
                admission: Admission::default(),
                waiting: VecDeque::new(),
                ends: BTreeMap::new(),
                counted: Counted::default(),
                served: 0,
                sound_late: 0.0,
                worst: Duration::ZERO,
            }
        }

        fn late(&mut self, ms: u64, lag: Duration) {
            let now = Instant::from_millis(1_000 + ms);
            self.admission.late(now, lag, self.counted);
        }

        /// Runs from one millisecond to another with so many calls a second that last so many milliseconds.
        fn run(&mut self, from: u64, to: u64, offered: u64, lasting: u64) {
            let mut spare = 0.0;
            for ms in from..to {
                let due = (ms + 1) * offered / 1_000 - ms * offered / 1_000;
                let over = self.ends.remove(&ms).unwrap_or(0);
                self.waiting.extend((0..due).map(|_| (ms, true)));
                self.waiting.extend((0..over).map(|_| (ms, false)));
                let sound = self.counted.inside as f64 * SOUND_A_SECOND / 1_000.0;
                self.sound_late = f64::max(0.0, self.sound_late + sound - (1_000.0 - LEFT));
                spare = f64::min(spare + f64::max(1_000.0 - sound, LEFT), 1_000.0);
                let came = self.waiting.front().map_or(ms, |(came, _)| *came);
                let mut lag = (ms - came).max(self.sound_late as u64 / 1_000);
                while spare > 0.0 {
                    let Some((came, begins)) = self.waiting.pop_front() else { break };
                    lag = lag.max(ms - came);
                    spare -= self.message(ms + lasting, begins);
                }
                let lag = Duration::from_millis(lag);
                self.late(ms, lag);
                self.worst = self.worst.max(lag);
            }
        }

        fn message(&mut self, ends: u64, begins: bool) -> f64 {
            if !begins {
                self.counted.inside -= 1;
                self.served += 1;
                return END;
            }
            if self.admission.room(self.counted).is_some_and(|room| room == 0) {
                self.counted.turned_away += 1;
                return REFUSE;
            }
            self.counted.inside += 1;
            self.counted.let_in += 1;
            *self.ends.entry(ends).or_default() += 1;
            BEGIN
        }
    }

    #[test]
    fn nobody_is_refused_while_the_machine_keeps_pace() {
        let mut machine = Machine::new();
        machine.run(0, 20_000, 1_900, 1_000);
        assert_eq!(machine.counted.turned_away, 0);
    }

    #[test]
    fn a_hiccup_refuses_nobody_and_few_callers_are_never_refused() {
        let mut machine = Machine::new();
        for n in 0..1_000 {
            machine.late(100 * n, Duration::from_millis(if n % 5 < 2 { 300 } else { 30 }));
        }
        assert_eq!(machine.admission.limit(), None);
        machine.counted.inside = 1_000;
        for n in 1_000..1_100 {
            machine.late(100 * n, Duration::from_secs(1));
            assert_eq!(machine.admission.room(machine.counted).unwrap_or(2), 2, "twenty calls a second");
            machine.counted.let_in += 2;
        }
        assert!(machine.admission.limit().is_some());
        machine.counted.inside = 90;
        assert!(machine.admission.room(machine.counted) > Some(2), "a hundred calls are no load");
    }

    #[test]
    fn at_three_times_the_pace_nearly_the_best_is_served_and_the_lag_stays_small() {
        let mut machine = Machine::new();
        machine.run(0, 10_000, 6_000, 1_000);
        assert!(machine.worst < Duration::from_millis(400), "{:?}", machine.worst);
        (machine.served, machine.worst) = (0, Duration::ZERO);
        machine.run(10_000, 40_000, 6_000, 1_000);
        assert!(machine.served >= 30 * BEST * 9 / 10, "{} of {}", machine.served, 30 * BEST);
        assert!(machine.worst < Duration::from_millis(150), "{:?}", machine.worst);
    }

    #[test]
    fn calls_of_minutes_are_let_in_as_others_leave() {
        let mut machine = Machine::new();
        // Sound of 2,727 calls is all that the core can do.
        machine.run(0, 120_000, 100, 60_000);
        assert!(machine.counted.turned_away > 0);
        (machine.served, machine.worst) = (0, Duration::ZERO);
        machine.run(120_000, 240_000, 100, 60_000);
        assert!(machine.served >= 2 * 2_727 * 7 / 10, "{}", machine.served);
        assert!(machine.worst < Duration::from_secs(2), "{:?}", machine.worst);
    }

    #[test]
    fn when_the_rush_is_over_everyone_is_let_in_again_within_seconds() {
        let mut machine = Machine::new();
        machine.run(0, 10_000, 6_000, 1_000);
        machine.run(10_000, 13_000, 1_000, 1_000);
        assert_eq!(machine.admission.limit(), None);
        let refused = machine.counted.turned_away;
        machine.run(13_000, 20_000, 1_900, 1_000);
        assert_eq!(machine.counted.turned_away, refused);
    }
}
