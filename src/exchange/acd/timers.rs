//! One ordered index of all the Acd's deadlines, so that no input looks at all tickets or agents.
//!
//! Timers due at one instant come in the order of [`Timer`]'s variants: first places change class, then agents become
//! free, then callers are released, overflow, or are told something.
use std::collections::BTreeSet;

use crate::base::{AgentId, AssignmentId, Deadline, Instant, Lookup, TicketId};

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// A caller's class falls by one.
    Ageing(TicketId),
    /// An offer about which nothing was heard becomes void.
    Lease(AssignmentId),
    /// An agent's wrap-up ends.
    WrapUp(AgentId),
    /// A caller no longer waits for the agent he knows.
    SameAgent(TicketId),
    /// A caller has waited as long as the queue allows.
    WaitMax(TicketId),
    /// A caller is due to be told his wait.
    Tell(TicketId),
}

impl Timer {
    const fn why(&self) -> &'static str {
        match self {
            Self::Ageing(_) => "acd ageing",
            Self::Lease(_) => "acd offer lease",
            Self::WrapUp(_) => "acd wrap-up",
            Self::SameAgent(_) => "acd same agent",
            Self::WaitMax(_) => "acd longest wait",
            Self::Tell(_) => "acd telling",
        }
    }
}

/// All timers that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    index: BTreeSet<(Instant, Timer)>,
    at: Lookup<Timer, Instant>,
}

impl Timers {
    /// How many run.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
    /// Starts `timer`, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(&timer);
        self.index.insert((at, timer.clone()));
        self.at.insert(timer, at);
    }
    /// Stops `timer`; harmless when it does not run.
    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.index.remove(&(at, timer.clone()));
        }
    }
    /// Takes the first timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.index.first()?.0 > now {
            return None;
        }
        let (_, timer) = self.index.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }
    /// When a timer will fire.
    pub(crate) fn at(&self, timer: &Timer) -> Option<Instant> {
        self.at.get(timer).copied()
    }
    /// The next deadline.
    pub(crate) fn next(&self) -> Option<Deadline> {
        self.index.first().map(|(at, timer)| Deadline::new(*at, timer.why()))
    }
    /// Every timer that runs, for the invariants.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Instant, Timer)> {
        self.index.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_timer_fires_once_and_at_its_last_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Tell(TicketId(1)), Instant::from_secs(5));
        timers.set(Timer::Tell(TicketId(1)), Instant::from_secs(9));
        timers.set(Timer::Ageing(TicketId(2)), Instant::from_secs(9));
        assert_eq!(timers.pop_due(Instant::from_secs(8)), None);
        assert_eq!(timers.next().map(|d| d.why), Some("acd ageing"), "ageing comes first at one instant");
        assert_eq!(timers.pop_due(Instant::from_secs(9)), Some(Timer::Ageing(TicketId(2))));
        assert_eq!(timers.pop_due(Instant::from_secs(9)), Some(Timer::Tell(TicketId(1))));
        assert_eq!(timers.pop_due(Instant::from_secs(99)), None);
    }
}
