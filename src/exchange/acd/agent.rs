//! An agent: what he does, as a table, and how long he did it.
//!
//! Wrap-up belongs to the agent, not to a queue. The time he spent in each state sums to the time we know him, to the
//! nanosecond, because each change adds the same interval that it closes.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attendance::{Attendance, phone};
use super::{AgentState, AgentTimes};
use crate::base::{AssignmentId, Instant};

/// What an agent does by his own doing and ours; whether his phone allows it is apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Not working.
    SignedOut,
    /// Free for the next caller, if his phone allows it.
    Free,
    /// His phone rings for this offer.
    Ringing(AssignmentId),
    /// Talks to the caller of this offer.
    Talking(AssignmentId),
    /// Works after a conversation.
    WrapUp,
    /// Not ready, with the reason.
    Paused(String),
}

/// What he wants once the running conversation is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Afterwards {
    /// Go on.
    #[default]
    GoOn,
    /// Pause with this reason, after the wrap-up.
    Pause(String),
    /// Go home.
    SignOut,
}

/// What can happen to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AgentEvent {
    /// He wants to begin.
    SignIn,
    /// He wants to stop.
    SignOut,
    /// He wants the next caller.
    Ready,
    /// He wants a pause.
    Pause(String),
    /// His phone can no longer be rung, or he is in a call of his own.
    Blocked,
    /// His phone begins to ring for this offer.
    Offered(AssignmentId),
    /// He answered.
    Answered,
    /// The offer ended without fault of his.
    OfferGone,
    /// The offer ended because he did not take it; with the reason for a pause when it was once too often.
    NotTaken(Option<String>),
    /// The conversation is over; whether work remains.
    TalkOver(AfterTalk),
    /// The wrap-up's time is over.
    WrapUpOver,
}

/// Whether work remains after a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterTalk {
    /// The queue gives time for it.
    WrapUp,
    /// None.
    Nothing,
}

/// What a step of the table asks for beside the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// The offer that rang must be withdrawn.
    Withdraw(AssignmentId),
}

/// The table. `None`: the event makes no sense in this state and changes nothing.
#[expect(
    clippy::match_same_arms,
    reason = "a table is read by state; its rows are not merged by what they yield"
)]
pub(crate) fn step(duty: &Duty, wish: &Afterwards, event: AgentEvent) -> Option<(Duty, Afterwards, Then)> {
    use AgentEvent as E;
    use Duty as D;
    let to = |duty| Some((duty, Afterwards::GoOn, Then::Nothing));
    let drop_offer = |duty, a| Some((duty, Afterwards::GoOn, Then::Withdraw(a)));
    match (duty, event) {
        (D::SignedOut, E::SignIn) | (D::WrapUp | D::Paused(_), E::Ready) => to(D::Free),
        (D::Free | D::WrapUp | D::Paused(_), E::SignOut) => to(D::SignedOut),
        (D::Free | D::WrapUp | D::Paused(_), E::Pause(reason)) => to(D::Paused(reason)),
        (D::Free, E::Offered(a)) => to(D::Ringing(a)),
        (D::Ringing(a), E::Answered) => to(D::Talking(*a)),
        (D::Ringing(_), E::OfferGone | E::NotTaken(None)) => to(D::Free),
        (D::Ringing(_), E::NotTaken(Some(reason))) => to(D::Paused(reason)),
        (D::Ringing(a), E::SignOut) => drop_offer(D::SignedOut, *a),
        (D::Ringing(a), E::Pause(reason)) => drop_offer(D::Paused(reason), *a),
        (D::Ringing(a), E::Blocked) => drop_offer(D::Free, *a),
        (D::Talking(a), E::SignIn | E::Ready) => to(D::Talking(*a)),
        (D::Talking(a), E::SignOut) => Some((D::Talking(*a), Afterwards::SignOut, Then::Nothing)),
        (D::Talking(a), E::Pause(reason)) => Some((D::Talking(*a), Afterwards::Pause(reason), Then::Nothing)),
        (D::Talking(_), E::TalkOver(after)) => match (wish, after) {
            (Afterwards::SignOut, _) => to(D::SignedOut),
            (wish, AfterTalk::WrapUp) => Some((D::WrapUp, wish.clone(), Then::Nothing)),
            (Afterwards::Pause(reason), AfterTalk::Nothing) => to(D::Paused(reason.clone())),
            (Afterwards::GoOn, AfterTalk::Nothing) => to(D::Free),
        },
        (D::WrapUp, E::WrapUpOver) => match wish {
            Afterwards::Pause(reason) => to(D::Paused(reason.clone())),
            Afterwards::GoOn | Afterwards::SignOut => to(D::Free),
        },
        (
            D::SignedOut | D::Free | D::Ringing(_) | D::Talking(_) | D::WrapUp | D::Paused(_),
            E::SignIn
            | E::SignOut
            | E::Ready
            | E::Pause(_)
            | E::Blocked
            | E::Offered(_)
            | E::Answered
            | E::OfferGone
            | E::NotTaken(_)
            | E::TalkOver(_)
            | E::WrapUpOver,
        ) => None,
    }
}

/// One agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    duty: Duty,
    wish: Afterwards,
    phone: Phone,
    state: AgentState,
    since: Instant,
    idle_since: Instant,
    times: AgentTimes,
    answered: u64,
    unanswered: u8,
}

/// What his phone allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phone {
    /// It is registered.
    pub(crate) reachable: bool,
    /// It is in a call that we did not give him.
    pub(crate) engaged: bool,
}

impl Agent {
    /// Signed out, with no phone, known from `now` on.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            duty: Duty::SignedOut,
            wish: Afterwards::GoOn,
            phone: Phone::default(),
            state: AgentState::SignedOut,
            since: now,
            idle_since: now,
            times: AgentTimes::default(),
            answered: 0,
            unanswered: 0,
        }
    }
    /// As he was before a restart, now at this duty; what the change costs in time is counted.
    pub(crate) fn restored(now: Instant, kept: &Attendance, (duty, wish): (Duty, Afterwards)) -> Self {
        let mut agent = Self {
            duty,
            wish,
            phone: phone(kept),
            state: kept.state.clone(),
            since: kept.since,
            idle_since: kept.idle_since,
            times: kept.times,
            answered: kept.answered,
            unanswered: 0,
        };
        agent.refresh(now);
        agent
    }
    /// The table's step. `None`: ignored.
    pub(crate) fn apply(&mut self, now: Instant, event: AgentEvent) -> Option<Then> {
        let fresh = matches!(event, AgentEvent::SignIn) && self.duty == Duty::SignedOut;
        let answered = matches!(event, AgentEvent::Answered);
        let keeps_clock = matches!(event, AgentEvent::OfferGone | AgentEvent::Offered(_));
        let (duty, wish, then) = step(&self.duty, &self.wish, event)?;
        if fresh {
            self.answered = 0;
        }
        if answered {
            self.answered += 1;
        }
        if answered || (self.duty != Duty::Free && duty == Duty::Free && !keeps_clock) {
            self.idle_since = now;
        }
        if matches!(duty, Duty::SignedOut | Duty::Paused(_) | Duty::Talking(_)) {
            self.unanswered = 0;
        }
        self.duty = duty;
        self.wish = wish;
        self.refresh(now);
        Some(then)
    }
    /// The phone changed. The caller follows with [`AgentEvent::Blocked`] when it no longer allows an offer.
    pub(crate) fn set_phone(&mut self, now: Instant, phone: Phone) {
        let was = self.offerable();
        self.phone = phone;
        if !was && self.offerable() {
            self.idle_since = now;
        }
        self.refresh(now);
    }
    /// One more offer was not taken; how many in a row.
    pub(crate) fn count_untaken(&mut self) -> u8 {
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered
    }
    fn refresh(&mut self, now: Instant) {
        let state = self.visible();
        if state != self.state {
            *self.times.slot(&self.state) += now.since(self.since);
            self.since = now;
            self.state = state;
        }
    }
    fn visible(&self) -> AgentState {
        match &self.duty {
            Duty::SignedOut => AgentState::SignedOut,
            Duty::Free if self.phone.engaged => AgentState::Engaged,
            Duty::Free if !self.phone.reachable => AgentState::Unreachable,
            Duty::Free => AgentState::Ready,
            Duty::Ringing(a) => AgentState::Ringing(*a),
            Duty::Talking(a) => AgentState::Talking(*a),
            Duty::WrapUp => AgentState::WrapUp,
            Duty::Paused(reason) => AgentState::Paused(reason.clone()),
        }
    }
    /// May be offered a caller now.
    pub(crate) fn offerable(&self) -> bool {
        self.duty == Duty::Free && self.phone == Phone { reachable: true, engaged: false }
    }
    /// Signed in, neither paused nor without a phone: he will take callers sooner or later.
    pub(crate) fn at_work(&self) -> bool {
        match self.duty {
            Duty::SignedOut | Duty::Paused(_) => false,
            Duty::Free | Duty::WrapUp => self.phone.reachable || self.phone.engaged,
            Duty::Ringing(_) | Duty::Talking(_) => true,
        }
    }
    /// At work until his phone was lost: he is back when it is.
    pub(crate) fn cut_off(&self) -> bool {
        match self.duty {
            Duty::Free | Duty::WrapUp => !self.at_work(),
            Duty::SignedOut | Duty::Paused(_) | Duty::Ringing(_) | Duty::Talking(_) => false,
        }
    }
    /// Signed in, whatever he does.
    pub(crate) fn signed_in(&self) -> bool {
        self.duty != Duty::SignedOut
    }
    /// What he does.
    pub(crate) fn duty(&self) -> &Duty {
        &self.duty
    }
    /// His phone.
    pub(crate) fn phone(&self) -> Phone {
        self.phone
    }
    /// The state that others see.
    pub(crate) fn state(&self) -> &AgentState {
        &self.state
    }
    /// Since when he is in it.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }
    /// Since when he is without a caller: an offer that the caller left does not start it again.
    pub(crate) fn idle_since(&self) -> Instant {
        self.idle_since
    }
    /// Callers answered since he signed in.
    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }
    /// Offers in a row not taken.
    pub(crate) fn unanswered(&self) -> u8 {
        self.unanswered
    }
    /// Time in each state up to `now`.
    pub(crate) fn times(&self, now: Instant) -> AgentTimes {
        let mut times = self.times;
        *times.slot(&self.state) += now.since(self.since);
        times
    }
}

impl AgentTimes {
    /// The time spent in `state`.
    pub(super) const fn slot(&mut self, state: &AgentState) -> &mut Duration {
        match state {
            AgentState::SignedOut => &mut self.signed_out,
            AgentState::Unreachable => &mut self.unreachable,
            AgentState::Ready => &mut self.ready,
            AgentState::Ringing(_) => &mut self.ringing,
            AgentState::Talking(_) => &mut self.talking,
            AgentState::WrapUp => &mut self.wrap_up,
            AgentState::Engaged => &mut self.engaged,
            AgentState::Paused(_) => &mut self.paused,
        }
    }
    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.signed_out
            + self.unreachable
            + self.ready
            + self.ringing
            + self.talking
            + self.wrap_up
            + self.engaged
            + self.paused
    }
}
