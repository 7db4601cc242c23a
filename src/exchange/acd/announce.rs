//! When to speak the wait, and in which words.
//!
//! Invariant: the upper end told, as a time of day, never moves later without a measured cause, which is then said.
//! When the estimate no longer fits under the old promise and there is no cause, nothing is said, and once the promised
//! time has passed, that we do not know.
use std::sync::Arc;
use std::time::Duration;

use super::Estimate;
use super::estimate::{Ground, Outlook, edge_above, formula, lower_end, under_promise, words};
use super::timers::Timer;
use super::waiting::{Place, Ticket};
use super::{Acd, AcdOutput};
use crate::base::{Instant, TicketId};
use crate::exchange::{RiseCause, Told};

/// A longer wait than this is told as unknown.
const LONGEST_TOLD: Duration = Duration::from_hours(2);
/// "You are next" is said when the wait is typically shorter than this.
const NEXT_WITHIN: Duration = Duration::from_secs(30);
/// A rise is told when the estimate exceeds the promise by more than this, and by more than a quarter of what is left.
const RISE_MIN: Duration = Duration::from_secs(30);
/// A rise is told with this much room: twice is worse than once.
const AFTER_RISE: f64 = 1.5;
/// Talks last longer when their mean grew by at least this factor.
const LONGER: f64 = 1.1;

/// The upper end that was told, and what it rested on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promise {
    /// As a time of day.
    pub(crate) by: Instant,
    /// Agents at work then, less those whose shift was to end by the promised time.
    pub(crate) agents: u32,
    /// An agent's time for one caller then, in seconds.
    pub(crate) handle_s: f64,
    /// The caller's class then.
    pub(crate) class: u8,
    /// Callers who had come before that class by right.
    pub(crate) came: u64,
    /// It was a rise: another is told only once this promise is over.
    pub(crate) rose: bool,
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

/// The choice of words, a pure function of the outlook, the range that is honest now, and the promise. `urgent` callers
/// came before him by right since the promise.
fn choose(
    now: Instant,
    (o, e): (&Outlook, Option<Estimate>),
    urgent: u64,
    promise: Option<&Promise>,
) -> Saying {
    if o.agents == 0 {
        return Saying::Say(Told::NobodyYet);
    }
    let Some(e) = e.filter(|e| e.high <= LONGEST_TOLD) else { return Saying::Say(Told::Unknown) };
    if o.rivals == 0 && e.typical <= NEXT_WITHIN {
        return Saying::Say(Told::Next);
    }
    let (low, high) = words(e.low, e.high);
    let Some(promise) = promise else { return Saying::Range { low, high, rose: None } };
    let left = promise.by.since(now);
    if let Some(high) = under_promise(e.high, left) {
        return Saying::Range { low: lower_end(e.low, high), high, rose: None };
    }
    let again = promise.rose && !left.is_zero();
    let worth_saying = !again && e.high > left + (left / 4).max(RISE_MIN) && high > left;
    // Those who came before him by right are no fall of capacity: said only once the promise is over.
    let fell = |cause: &RiseCause| *cause != RiseCause::UrgentCallers || left.is_zero();
    match cause(o, &e, urgent, promise, left).filter(|c| worth_saying && fell(c)) {
        Some(cause) => {
            let high = edge_above(e.high.mul_f64(AFTER_RISE)).max(high);
            Saying::Range { low, high, rose: Some(cause) }
        }
        None if promise.by < now => Saying::Say(Told::Unknown),
        None => Saying::Nothing,
    }
}

/// The measured change that explains most of a rise, if any explains at least half of it.
fn cause(o: &Outlook, e: &Estimate, urgent: u64, promise: &Promise, left: Duration) -> Option<RiseCause> {
    let high = |o: Outlook| formula(&Outlook { first_per_s: None, ..o }).map(|f| f.high_s);
    let is = high(*o)?;
    let without = |o: Outlook| high(o).map(|was| e.high.mul_f64(((is - was) / is.max(1.0)).clamp(0.0, 1.0)));
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
        let Some(ticket) = self.room.ticket(id).filter(|_| !self.quiet && !self.untold) else { return };
        let Some(outlook) = self.outlook(ticket) else { return };
        let (Place::InLine(line) | Place::Held(line, _)) = *ticket.place() else { return };
        let call = ticket.joining().call;
        let every = self.plan.queues.get(&ticket.joining().queue).map_or(Duration::ZERO, |q| q.tell_every);
        let promise = ticket.promise;
        let urgent = promise.map_or(0, |p| self.came_before(ticket, p.class).saturating_sub(p.came));
        let estimate = self.honest(id, &outlook);
        let Some(ticket) = self.room.ticket(id) else { return };
        let saying = choose(self.now.mono, (&outlook, estimate), urgent, promise.as_ref());
        let class = ticket.rank().class;
        let (told, promise) = match saying {
            Saying::Nothing => (None, promise),
            Saying::Say(Told::Unknown) if promise.is_some() && self.said_unknown(id) => (None, promise),
            Saying::Say(told) => (Some(told), promise),
            Saying::Range { low, high, rose } => {
                let came = self.came_before(ticket, class);
                let by = self.now.mono + high;
                let (agents, handle_s) = (outlook.agents_after(high), outlook.handle_s);
                (
                    Some(Told::Wait { low, high, rose }),
                    Some(Promise { by, agents, handle_s, class, came, rose: rose.is_some() }),
                )
            }
        };
        if !every.is_zero() {
            self.timers.set(Timer::Tell(id), self.now.mono + every);
        }
        self.look_ahead(line);
        let Some(told) = told else { return };
        self.counters.tellings += 1;
        if let Some(ticket) = self.room.ticket_mut(id) {
            ticket.told = Some((told.clone(), self.now.mono));
            ticket.promise = promise;
            self.counters.rises += u64::from(ticket.rose().is_some());
        }
        self.outputs.push_back(AcdOutput::Tell { ticket: id, call, told });
    }

    /// The range that is honest now: what futures say where formulas do not reach, else the formula's, drawn by what was
    /// learned; its ends set by what was kept so far. At entry it is noted, to learn from it once his wait is known.
    fn honest(&mut self, id: TicketId, outlook: &Outlook) -> Option<Estimate> {
        let ticket = self.room.ticket(id)?;
        let entry = ticket.entered() == self.now.mono && ticket.entry.is_none();
        let ground = self.ground(ticket, outlook)?;
        let Some(sight) = self.sight(ticket, outlook) else { return Some(outlook.told(&ground.forecast())) };
        let desk = self.desks.get_mut(&ticket.joining().queue)?;
        let estimator = Arc::make_mut(&mut desk.estimator);
        estimator.prepare(&sight);
        let range = estimator.told(&sight, &ground);
        if entry {
            let noted = estimator.note(&sight, &ground);
            if let Some(ticket) = self.room.ticket_mut(id) {
                ticket.entry = Some(Box::new(noted));
            }
        }
        Some(outlook.told(&range))
    }

    /// How much longer a caller is expected to wait, without working out anything anew.
    pub(super) fn expected(&self, ticket: &Ticket) -> Option<Estimate> {
        let outlook = self.outlook(ticket)?;
        let ground = self.ground(ticket, &outlook)?;
        let desk = self.desks.get(&ticket.joining().queue)?;
        let sight = self.sight(ticket, &outlook)?;
        Some(outlook.told(&desk.estimator.told(&sight, &ground)))
    }

    /// What an estimate begins from.
    fn ground(&self, ticket: &Ticket, outlook: &Outlook) -> Option<Ground> {
        let (Place::InLine(line) | Place::Held(line, _)) = *ticket.place() else { return None };
        let formula = formula(outlook)?;
        let steady = outlook.steady();
        Some(match self.foreseen(line) {
            Some(known) => {
                let longer = steady.map_or(1.0, |steady| formula.mean_s / steady.mean_s.max(1.0));
                Ground::Futures(known.1.apply(&formula), longer)
            }
            None => Ground::Formula { staffed: formula, steady },
        })
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
    use crate::exchange::acd::Forecast;

    const NOW: Instant = Instant::from_secs(1000);

    /// What is said by the formula alone.
    fn say(o: &Outlook, urgent: u64, promise: Option<&Promise>) -> Saying {
        choose(NOW, (o, formula(o).map(|f| o.told(&f))), urgent, promise)
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
            leaving: [(0.0, 0); 6],
        }
    }

    fn promise(by_s: u64, agents: u32) -> Promise {
        Promise {
            by: NOW + Duration::from_secs(by_s),
            agents,
            handle_s: 180.0,
            class: 5,
            came: 0,
            rose: false,
        }
    }

    #[test]
    fn what_is_told_first_is_the_range_itself() {
        let Saying::Range { low, high, rose: None } = say(&outlook(4.0, 2), 0, None) else { panic!() };
        assert_eq!((low, high), (Duration::from_mins(4), Duration::from_mins(10)));
    }

    #[test]
    fn a_promise_that_still_holds_is_told_in_whole_minutes_that_remain() {
        let o = outlook(4.0, 2);
        let forecast = Forecast { mean_s: 300.0, low_s: 100.0, typical_s: 280.0, high_s: 522.0 };
        let saying = choose(NOW, (&o, Some(o.told(&forecast))), 0, Some(&promise(570, 2)));
        assert!(matches!(saying, Saying::Range { high, rose: None, .. } if high == Duration::from_mins(9)));
    }

    #[test]
    fn without_a_cause_nothing_later_is_said_and_after_the_promise_that_we_do_not_know() {
        assert_eq!(say(&outlook(4.0, 2), 0, Some(&promise(300, 2))), Saying::Nothing);
        let broken = Promise { by: NOW - Duration::from_secs(1), ..promise(0, 2) };
        assert_eq!(say(&outlook(4.0, 2), 0, Some(&broken)), Saying::Say(Told::Unknown));
    }

    #[test]
    fn a_rise_names_the_measured_change_that_explains_most_of_it() {
        let rose = |o: &Outlook, urgent, promise: &Promise| match say(o, urgent, Some(promise)) {
            Saying::Range { rose, .. } => rose,
            Saying::Nothing | Saying::Say(_) => None,
        };
        assert_eq!(rose(&outlook(4.0, 2), 0, &promise(300, 6)), Some(RiseCause::FewerAgents));
        assert_eq!(rose(&outlook(8.0, 2), 6, &promise(0, 2)), Some(RiseCause::UrgentCallers));
        let short = Promise { handle_s: 60.0, ..promise(300, 2) };
        assert_eq!(rose(&outlook(4.0, 2), 0, &short), Some(RiseCause::LongerTalks));
        assert_eq!(rose(&outlook(40.0, 2), 1, &promise(300, 2)), None, "one caller does not explain so much");
        assert_eq!(rose(&outlook(4.0, 2), 0, &promise(700, 6)), None, "too small to be worth saying");
    }

    #[test]
    fn he_is_next_only_when_nobody_is_ahead_and_agents_are_close() {
        let first = Outlook { rivals: 0, ..outlook(0.0, 10) };
        assert_eq!(say(&first, 0, None), Saying::Say(Told::Next));
        let far = Outlook { rivals: 0, ..outlook(0.0, 1) };
        assert!(matches!(say(&far, 0, None), Saying::Range { .. }));
    }

    #[test]
    fn we_say_when_we_do_not_know() {
        assert_eq!(say(&outlook(1.0, 0), 0, None), Saying::Say(Told::NobodyYet));
        assert_eq!(say(&Outlook { handle_s: 0.0, ..outlook(1.0, 2) }, 0, None), Saying::Say(Told::Unknown));
        assert_eq!(say(&outlook(200.0, 1), 0, None), Saying::Say(Told::Unknown), "beyond two hours");
    }
}
