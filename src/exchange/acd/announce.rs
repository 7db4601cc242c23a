//! When to speak the wait, and in which words.
//!
//! Invariant: the upper end told, as a time of day, never moves later without a measured cause, which is then said.
//! When the estimate no longer fits under the old promise and there is no cause, nothing is said, and once the promised
//! time has passed, that we do not know.
use std::time::Duration;

use super::Estimate;
use super::estimate::{Outlook, formula};
use super::timers::Timer;
use super::waiting::Place;
use super::{Acd, AcdOutput};
use crate::base::{Instant, TicketId};
use crate::exchange::{RiseCause, Told};

/// Edges of the ranges spoken, in minutes; then by ten.
const EDGES_MIN: [u64; 9] = [0, 1, 2, 3, 5, 10, 15, 20, 30];
/// A longer wait than this is told as unknown.
const LONGEST_TOLD: Duration = Duration::from_hours(2);
/// "You are next" is said when the wait is typically shorter than this.
const NEXT_WITHIN: Duration = Duration::from_secs(30);
/// A rise is told when the estimate exceeds the promise by more than this, and by more than a quarter of what is left.
const RISE_MIN: Duration = Duration::from_secs(30);
/// Talks last longer when their mean grew by at least this factor.
const LONGER: f64 = 1.1;

/// The upper end that was told, and what it rested on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promise {
    /// As a time of day.
    pub(crate) by: Instant,
    /// Agents at work then.
    pub(crate) agents: u32,
    /// An agent's time for one caller then, in seconds.
    pub(crate) handle_s: f64,
    /// The caller's class then.
    pub(crate) class: u8,
    /// Callers who had come before that class by right.
    pub(crate) came: u64,
}

/// The largest edge not above `d`.
fn edge_below(d: Duration) -> Duration {
    let minutes = d.as_secs() / 60;
    let edge = EDGES_MIN.into_iter().rev().find(|e| *e <= minutes).unwrap_or(0);
    Duration::from_secs(60 * if minutes >= 30 { minutes / 10 * 10 } else { edge })
}

/// The smallest edge not below `d`, at least a minute.
fn edge_above(d: Duration) -> Duration {
    let minutes = u64::try_from(d.as_nanos().div_ceil(60_000_000_000)).unwrap_or(u64::MAX / 600).max(1);
    let edge = EDGES_MIN.into_iter().find(|e| *e >= minutes).unwrap_or(minutes.div_ceil(10) * 10);
    Duration::from_secs(60 * edge)
}

/// A range in honest words, never empty. The upper end goes outward: it is what we are held to. The lower end goes to
/// the nearer edge: to be served a little sooner than told is good news, and the range stays worth hearing.
pub(crate) fn words(low: Duration, high: Duration) -> (Duration, Duration) {
    let high = edge_above(high);
    (lower_end(low, high), high)
}

fn lower_end(low: Duration, high: Duration) -> Duration {
    let (below, above) = (edge_below(low), edge_above(low));
    let nearer = if above.saturating_sub(low) < low.saturating_sub(below) { above } else { below };
    nearer.min(edge_below(high.saturating_sub(Duration::from_secs(1))))
}

/// What to say.
#[derive(Clone, Debug, PartialEq)]
enum Saying {
    /// Nothing new: what was said still holds.
    Nothing,
    /// This, which promises nothing.
    Say(Told),
    /// This range; its upper end is the promise from now on.
    Range { low: Duration, high: Duration, rose: Option<RiseCause> },
}

/// The choice of words, a pure function. `urgent` callers came before him by right since the promise.
fn choose(now: Instant, o: &Outlook, urgent: u64, promise: Option<&Promise>) -> Saying {
    if o.agents == 0 {
        return Saying::Say(Told::NobodyYet);
    }
    let Some(e) = formula(o).map(|f| o.told(&f)).filter(|e| e.high <= LONGEST_TOLD) else {
        return Saying::Say(Told::Unknown);
    };
    if o.rivals == 0 && e.typical <= NEXT_WITHIN {
        return Saying::Say(Told::Next);
    }
    let (low, high) = words(e.low, e.high);
    let Some(promise) = promise else { return Saying::Range { low, high, rose: None } };
    if now + high <= promise.by {
        return Saying::Range { low, high, rose: None };
    }
    let left = promise.by.since(now);
    let whole = Duration::from_secs(left.as_secs() / 60 * 60);
    if e.high <= whole {
        return Saying::Range { low: lower_end(e.low, whole), high: whole, rose: None };
    }
    let worth_saying = e.high > left + (left / 4).max(RISE_MIN);
    match cause(o, &e, urgent, promise, left).filter(|_| worth_saying) {
        Some(cause) => Saying::Range { low, high, rose: Some(cause) },
        None if promise.by < now => Saying::Say(Told::Unknown),
        None => Saying::Nothing,
    }
}

/// The measured change that explains most of a rise, if any explains at least half of it.
fn cause(o: &Outlook, e: &Estimate, urgent: u64, promise: &Promise, left: Duration) -> Option<RiseCause> {
    let without = |o: Outlook| {
        formula(&Outlook { first_per_s: None, ..o }).map(|was| e.high.saturating_sub(o.told(&was).high))
    };
    let fewer = (o.agents < promise.agents).then(|| without(Outlook { agents: promise.agents, ..*o }));
    let longer = (o.handle_s >= promise.handle_s * LONGER)
        .then(|| without(Outlook { handle_s: promise.handle_s, ..*o }));
    let came = f64::from(u32::try_from(urgent).unwrap_or(u32::MAX)).min(o.ahead);
    let pushed = (urgent > 0).then(|| without(Outlook { ahead: o.ahead - came, ..*o }));
    let causes = [
        (fewer.flatten(), RiseCause::FewerAgents),
        (longer.flatten(), RiseCause::LongerTalks),
        (pushed.flatten(), RiseCause::UrgentCallers),
    ];
    let (gain, cause) =
        causes.into_iter().filter_map(|(gain, cause)| Some((gain?, cause))).max_by_key(|c| c.0)?;
    (gain * 2 >= e.high.saturating_sub(left) && !gain.is_zero()).then_some(cause)
}

impl Acd {
    /// A caller is due to be told his wait.
    pub(super) fn tell(&mut self, id: TicketId) {
        let Some(ticket) = self.room.ticket(id) else { return };
        let Some(outlook) = self.outlook(ticket) else { return };
        let call = ticket.joining().call;
        let every = self.plan.queues.get(&ticket.joining().queue).map_or(Duration::ZERO, |q| q.tell_every);
        let promise = ticket.promise;
        let urgent = promise.map_or(0, |p| self.came_before(ticket, p.class).saturating_sub(p.came));
        let saying = choose(self.now.mono, &outlook, urgent, promise.as_ref());
        let class = ticket.rank().class;
        let (told, promise) = match saying {
            Saying::Nothing => (None, promise),
            Saying::Say(Told::Unknown) if promise.is_some() && self.said_unknown(id) => (None, promise),
            Saying::Say(told) => (Some(told), promise),
            Saying::Range { low, high, rose } => {
                let came = self.came_before(ticket, class);
                let by = self.now.mono + high;
                let (agents, handle_s) = (outlook.agents, outlook.handle_s);
                (Some(Told::Wait { low, high, rose }), Some(Promise { by, agents, handle_s, class, came }))
            }
        };
        if !every.is_zero() {
            self.timers.set(Timer::Tell(id), self.now.mono + every);
        }
        let Some(told) = told else { return };
        self.counters.tellings += 1;
        if let Some(ticket) = self.room.ticket_mut(id) {
            ticket.told = Some((told.clone(), self.now.mono));
            ticket.promise = promise;
            self.counters.rises += u64::from(ticket.rose().is_some());
        }
        self.outputs.push_back(AcdOutput::Tell { ticket: id, call, told });
    }

    fn said_unknown(&self, id: TicketId) -> bool {
        matches!(self.room.ticket(id).and_then(|t| t.told.as_ref()), Some((Told::Unknown, _)))
    }

    /// A phone rings for him: nothing is said, but when he would have been told is kept.
    pub(super) fn hush(&mut self, id: TicketId) {
        let due = self.timers.at(&Timer::Tell(id));
        self.timers.cancel(&Timer::Tell(id));
        if let Some(ticket) = self.room.ticket_mut(id) {
            ticket.tell_due = due;
        }
    }

    /// He waits (again): he is told now if it is the first time or overdue, else when it is due.
    pub(super) fn unhush(&mut self, id: TicketId) {
        let now = self.now.mono;
        let Some(ticket) = self.room.ticket(id) else { return };
        debug_assert!(!matches!(ticket.place(), Place::Ringing(_)), "no telling while a phone rings");
        let due = ticket.tell_due.or_else(|| self.timers.at(&Timer::Tell(id)));
        let due = due.or_else(|| ticket.told.is_none().then_some(now));
        if let Some(ticket) = self.room.ticket_mut(id) {
            ticket.tell_due = None;
        }
        if let Some(due) = due {
            self.timers.set(Timer::Tell(id), due.max(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_secs(1000);

    fn minutes(low: f64, high: f64) -> (u64, u64) {
        let (low, high) = words(Duration::from_secs_f64(low * 60.0), Duration::from_secs_f64(high * 60.0));
        (low.as_secs() / 60, high.as_secs() / 60)
    }

    fn outlook(ahead: f64, agents: u32) -> Outlook {
        Outlook {
            ahead,
            rivals: 1,
            agents,
            handle_s: 180.0,
            spread: 1.0,
            measured: 1e9,
            theta: 0.0,
            first_per_s: None,
            urgent: [(0.0, 0.0); 9],
        }
    }

    fn promise(by_s: u64, agents: u32) -> Promise {
        Promise { by: NOW + Duration::from_secs(by_s), agents, handle_s: 180.0, class: 5, came: 0 }
    }

    #[test]
    fn ranges_end_on_the_edges_people_use() {
        assert_eq!(minutes(0.1, 0.5), (0, 1));
        assert_eq!(minutes(0.2, 1.0), (0, 1));
        assert_eq!(minutes(0.9, 1.01), (1, 2));
        assert_eq!(minutes(2.9, 3.2), (3, 5));
        assert_eq!(minutes(2.2, 8.0), (2, 10));
        assert_eq!(minutes(9.0, 9.5), (5, 10), "never empty");
        assert_eq!(minutes(17.0, 31.0), (15, 40));
        assert_eq!(minutes(36.0, 80.0), (40, 80));
    }

    #[test]
    fn what_is_told_first_is_the_range_itself() {
        let Saying::Range { low, high, rose: None } = choose(NOW, &outlook(4.0, 2), 0, None) else {
            panic!()
        };
        assert_eq!((low, high), (Duration::from_mins(3), Duration::from_mins(15)));
    }

    #[test]
    fn a_promise_that_still_holds_is_told_in_whole_minutes_that_remain() {
        // 4 ahead of 2 agents: at most 719 s; promised for 780 s from now.
        let saying = choose(NOW, &outlook(4.0, 2), 0, Some(&promise(780, 2)));
        assert!(matches!(saying, Saying::Range { high, rose: None, .. } if high == Duration::from_mins(13)));
    }

    #[test]
    fn without_a_cause_nothing_later_is_said_and_after_the_promise_that_we_do_not_know() {
        assert_eq!(choose(NOW, &outlook(4.0, 2), 0, Some(&promise(300, 2))), Saying::Nothing);
        let broken = Promise { by: NOW - Duration::from_secs(1), ..promise(0, 2) };
        assert_eq!(choose(NOW, &outlook(4.0, 2), 0, Some(&broken)), Saying::Say(Told::Unknown));
    }

    #[test]
    fn a_rise_names_the_measured_change_that_explains_most_of_it() {
        let rose = |o: &Outlook, urgent, promise: &Promise| match choose(NOW, o, urgent, Some(promise)) {
            Saying::Range { rose, .. } => rose,
            Saying::Nothing | Saying::Say(_) => None,
        };
        assert_eq!(rose(&outlook(4.0, 2), 0, &promise(300, 6)), Some(RiseCause::FewerAgents));
        assert_eq!(rose(&outlook(8.0, 2), 6, &promise(300, 2)), Some(RiseCause::UrgentCallers));
        let short = Promise { handle_s: 60.0, ..promise(300, 2) };
        assert_eq!(rose(&outlook(4.0, 2), 0, &short), Some(RiseCause::LongerTalks));
        assert_eq!(rose(&outlook(40.0, 2), 1, &promise(300, 2)), None, "one caller does not explain so much");
        assert_eq!(rose(&outlook(4.0, 2), 0, &promise(700, 6)), None, "too small to be worth saying");
    }

    #[test]
    fn he_is_next_only_when_nobody_is_ahead_and_agents_are_close() {
        let first = Outlook { rivals: 0, ..outlook(0.0, 10) };
        assert_eq!(choose(NOW, &first, 0, None), Saying::Say(Told::Next));
        let far = Outlook { rivals: 0, ..outlook(0.0, 1) };
        assert!(matches!(choose(NOW, &far, 0, None), Saying::Range { .. }));
    }

    #[test]
    fn we_say_when_we_do_not_know() {
        assert_eq!(choose(NOW, &outlook(1.0, 0), 0, None), Saying::Say(Told::NobodyYet));
        assert_eq!(
            choose(NOW, &Outlook { handle_s: 0.0, ..outlook(1.0, 2) }, 0, None),
            Saying::Say(Told::Unknown)
        );
        assert_eq!(choose(NOW, &outlook(200.0, 1), 0, None), Saying::Say(Told::Unknown), "beyond two hours");
    }
}
