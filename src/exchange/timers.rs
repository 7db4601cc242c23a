//! The limits that run for calls: a few named timers a call, and one ordered index of the earliest of each, so that one
//! input costs O(log n).
//!
//! Invariant: the index holds exactly one entry for each call that has a timer.
use std::collections::{BTreeMap, BTreeSet};

use crate::base::{CallId, Deadline, Instant, Lookup};

/// A timer of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The menu's own: silence after a question, between digits.
    MenuStep,
    /// The longest stay in menus.
    MenuLimit,
    /// The longest wait.
    WaitLimit,
    /// An agent's phone rang for longer than `node` was told to let it.
    RingLimit,
    /// A third party's phone rang for longer than `node` was told to let it.
    PartyLimit,
    /// A half-typed sequence of an agent's keys grew stale.
    DeskKeys,
    /// Caller and agent hear who serves, and not yet each other.
    Introduction,
    /// The longest conversation.
    TalkLimit,
    /// The longest that agent and third party go on without the caller.
    ClearingLimit,
    /// The longest last words.
    FarewellLimit,
    /// The longest visit.
    CallLimit,
    /// All is over, but a leg's end was never reported.
    Linger,
}

impl Timer {
    const fn name(self) -> &'static str {
        match self {
            Self::MenuStep => "menu step",
            Self::MenuLimit => "menu limit",
            Self::WaitLimit => "wait limit",
            Self::RingLimit => "agent ring limit",
            Self::PartyLimit => "third party ring limit",
            Self::DeskKeys => "half-typed agent keys",
            Self::Introduction => "introduction",
            Self::TalkLimit => "talk limit",
            Self::ClearingLimit => "clearing up without the caller",
            Self::FarewellLimit => "farewell limit",
            Self::CallLimit => "call limit",
            Self::Linger => "end of legs overdue",
        }
    }
}

/// The timers of one call.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    pub(super) fn start(&mut self, timer: Timer, at: Instant) {
        self.0.insert(timer, at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    pub(super) fn stop_all(&mut self) {
        self.0.clear();
    }

    /// Takes the earliest timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (timer, at) = self.earliest()?;
        (at <= now).then(|| {
            self.0.remove(&timer);
            timer
        })
    }

    pub(super) fn earliest(&self) -> Option<(Timer, Instant)> {
        self.0.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(timer, at)| (*at, *timer))
    }
}

/// The earliest timer of every call, in order.
#[derive(Debug, Default)]
pub(super) struct DeadlineIndex {
    order: BTreeSet<(Instant, CallId, Timer)>,
    by_call: Lookup<CallId, (Instant, Timer)>,
}

impl DeadlineIndex {
    /// Sets what a call waits for now.
    pub(super) fn set(&mut self, call: CallId, earliest: Option<(Timer, Instant)>) {
        let wanted = earliest.map(|(timer, at)| (at, timer));
        let had = self.by_call.get(&call).copied();
        if had == wanted {
            return;
        }
        if let Some((at, timer)) = had {
            self.order.remove(&(at, call, timer));
            self.by_call.remove(&call);
        }
        if let Some((at, timer)) = wanted {
            self.order.insert((at, call, timer));
            self.by_call.insert(call, (at, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Deadline> {
        self.order.first().map(|(at, _, timer)| Deadline::new(*at, timer.name()))
    }

    /// The call that is due first, if one is.
    pub(super) fn due(&self, now: Instant) -> Option<CallId> {
        self.order.first().filter(|(at, _, _)| *at <= now).map(|(_, call, _)| *call)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_of_all_calls_is_named_and_taken_first() {
        let (mut one, mut two, mut index) = (Timers::default(), Timers::default(), DeadlineIndex::default());
        one.start(Timer::CallLimit, Instant::from_secs(100));
        one.start(Timer::TalkLimit, Instant::from_secs(10));
        two.start(Timer::MenuStep, Instant::from_secs(5));
        index.set(CallId(1), one.earliest());
        index.set(CallId(2), two.earliest());
        assert_eq!(index.next(), Some(Deadline::new(Instant::from_secs(5), "menu step")));
        assert_eq!(index.due(Instant::from_secs(4)), None);
        assert_eq!(index.due(Instant::from_secs(5)), Some(CallId(2)));
        assert_eq!(two.take_due(Instant::from_secs(5)), Some(Timer::MenuStep));
        index.set(CallId(2), two.earliest());
        assert_eq!((index.len(), index.due(Instant::from_secs(10))), (1, Some(CallId(1))));
    }

    #[test]
    fn a_timer_that_was_stopped_never_fires() {
        let mut timers = Timers::default();
        timers.start(Timer::MenuStep, Instant::from_secs(1));
        timers.stop(Timer::MenuStep);
        assert_eq!(timers.take_due(Instant::from_secs(9)), None);
    }
}
