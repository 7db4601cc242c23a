//! What is to happen in a simulated day, in the order of time; at one moment in the order of planning.
use std::collections::BTreeMap;
use std::time::Duration;

use hotline::base::{Deadline, Instant, Now, Rng};

/// The plans of a day.
pub(crate) struct Agenda<E> {
    planned: u64,
    events: BTreeMap<(Instant, u64), E>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { planned: 0, events: BTreeMap::new() }
    }
}

/// What comes next.
pub(crate) enum Next<E> {
    /// This, planned for now.
    Event(E),
    /// The machine's own deadline.
    Timer,
}

impl<E> Agenda<E> {
    /// Plans `event` for `wait` from now.
    pub(crate) fn after(&mut self, now: Now, wait: Duration, event: E) {
        self.planned += 1;
        self.events.insert((now.mono + wait, self.planned), event);
    }
    /// Moves `now` to what is next, an event or the machine's `deadline`; `None` once nothing is planned.
    pub(crate) fn next(&mut self, now: &mut Now, deadline: Option<Deadline>) -> Option<Next<E>> {
        let at = *self.events.first_key_value().map(|((at, _), _)| at)?;
        let timer = deadline.map(|d| d.at).filter(|timer| *timer < at);
        *now = now.after(timer.unwrap_or(at).since(now.mono));
        match timer {
            Some(_) => Some(Next::Timer),
            None => self.events.pop_first().map(|(_, event)| Next::Event(event)),
        }
    }
}

/// A stretch of exponential length with this mean.
pub(crate) fn exponential(rng: &mut Rng, mean_s: f64) -> Duration {
    Duration::from_secs_f64(-mean_s * libm::log(1.0 - rng.unit()))
}
