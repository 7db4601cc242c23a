//! `Attendance`: an agent as he survives a restart: signed in or not, paused with his reason, in wrap-up, since when,
//! and for how long in each state. A fold over what the Acd said of him; [`Acd::restore`] begins from it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agent::{Afterwards, Agent, Duty, Phone};
use super::timers::Timer;
use super::{Acd, AcdOutput, AgentState, AgentTimes, AgentWish};
use crate::base::{AgentId, Instant, Now, QueueId};

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attendance {
    /// What others saw him do.
    pub(super) state: AgentState,
    /// Since when.
    pub(super) since: Instant,
    /// Since when he has had no caller.
    pub(super) idle_since: Instant,
    /// Time in each state before this one.
    pub(super) times: AgentTimes,
    /// Callers answered since he signed in.
    pub(super) answered: u64,
    /// His phone was registered.
    pub(super) reachable: bool,
    /// What he wants after the conversation or the wrap-up.
    pub(super) afterwards: Afterwards,
    /// The queue of his last caller.
    pub(super) last_queue: Option<QueueId>,
}

/// All agents of whom anything was heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Attendances(BTreeMap<AgentId, Attendance>);

impl Attendance {
    fn new(at: Instant) -> Self {
        Self {
            state: AgentState::SignedOut,
            since: at,
            idle_since: at,
            times: AgentTimes::default(),
            answered: 0,
            reachable: false,
            afterwards: Afterwards::GoOn,
            last_queue: None,
        }
    }
}

impl Attendances {
    fn of(&mut self, at: Instant, agent: &AgentId) -> &mut Attendance {
        // A name is shared text: its clone counts, and copies nothing.
        self.0.entry(agent.clone()).or_insert_with(|| Attendance::new(at))
    }

    /// His state changed.
    pub(crate) fn changed(&mut self, at: Instant, agent: &AgentId, state: &AgentState) {
        let kept = self.of(at, agent);
        if kept.state == *state {
            return;
        }
        *kept.times.slot(&kept.state) += at.since(kept.since);
        match (&kept.state, state) {
            // An offer that he did not get to answer leaves him where he was.
            (AgentState::Ready, AgentState::Ringing(_)) | (AgentState::Ringing(_), AgentState::Ready) => {}
            (_, AgentState::Ready) => kept.idle_since = at,
            (AgentState::SignedOut, _) => kept.answered = 0,
            _ => {}
        }
        if !matches!(state, AgentState::Talking(_) | AgentState::WrapUp) {
            kept.afterwards = Afterwards::GoOn;
        }
        kept.state = state.clone();
        kept.since = at;
    }

    /// What he asked for; it counts later when he is in a conversation now.
    pub(crate) fn wish(&mut self, at: Instant, agent: &AgentId, wish: &AgentWish) {
        let kept = self.of(at, agent);
        if matches!(kept.state, AgentState::Talking(_)) {
            kept.afterwards = match wish {
                AgentWish::SignIn | AgentWish::Ready => Afterwards::GoOn,
                AgentWish::Pause(reason) => Afterwards::Pause(reason.clone()),
                AgentWish::SignOut => Afterwards::SignOut,
            };
        }
    }

    /// His phone can be rung, or no longer.
    pub(crate) fn reachable(&mut self, at: Instant, agent: &AgentId, reachable: bool) {
        self.of(at, agent).reachable = reachable;
    }

    /// He is rung for a caller of this queue.
    pub(crate) fn offered(&mut self, at: Instant, agent: &AgentId, queue: &QueueId) {
        self.of(at, agent).last_queue = Some(queue.clone());
    }

    /// He answered a caller.
    pub(crate) fn answered(&mut self, at: Instant, agent: &AgentId) {
        let kept = self.of(at, agent);
        kept.answered += 1;
        kept.idle_since = at;
    }
}

impl Acd {
    /// Agents go on where they were before the process stopped; what they talked about is over. Those who are no longer
    /// in the plan are passed over. Nobody waits yet.
    pub(crate) fn restore(&mut self, now: Now, agents: &Attendances) {
        self.now = Now { mono: now.mono.max(self.now.mono), utc: now.utc };
        for (id, kept) in &agents.0 {
            let queue = kept.last_queue.as_ref().and_then(|queue| self.plan.queues.get(queue));
            let wrap_up = queue.map(|queue| queue.wrap_up).unwrap_or_default();
            let since = match &kept.state {
                AgentState::WrapUp => kept.since,
                _ => self.now.mono,
            };
            let (duty, afterwards) = duty(kept, wrap_up.is_zero());
            let resting = duty == Duty::WrapUp;
            let agent = Agent::restored(self.now.mono, kept, (duty, afterwards));
            let state = agent.state().clone();
            if !self.roster.restore(id, agent, kept.last_queue.clone()) {
                continue;
            }
            self.note_shift(id);
            if resting {
                self.timers.set(Timer::WrapUp(id.clone()), since + wrap_up);
            }
            if state != kept.state {
                self.outputs.push_back(AcdOutput::AgentChanged { agent: id.clone(), state });
            }
        }
        self.run_due();
    }

    /// Agents who are signed in.
    pub(crate) fn signed_in(&self) -> impl Iterator<Item = &AgentId> {
        self.roster.iter().filter(|(_, member)| member.agent().signed_in()).map(|(id, _)| id)
    }
}

/// What he goes on with.
fn duty(kept: &Attendance, no_wrap_up: bool) -> (Duty, Afterwards) {
    let go_on = |duty| (duty, Afterwards::GoOn);
    match (&kept.state, &kept.afterwards) {
        (AgentState::SignedOut, _) | (AgentState::Talking(_), Afterwards::SignOut) => go_on(Duty::SignedOut),
        (AgentState::Paused(reason), _) => go_on(Duty::Paused(reason.clone())),
        (AgentState::Talking(_) | AgentState::WrapUp, wish) if !no_wrap_up => (Duty::WrapUp, wish.clone()),
        (AgentState::Talking(_) | AgentState::WrapUp, Afterwards::Pause(reason)) => {
            go_on(Duty::Paused(reason.clone()))
        }
        (
            AgentState::Unreachable
            | AgentState::Ready
            | AgentState::Ringing(_)
            | AgentState::Talking(_)
            | AgentState::WrapUp
            | AgentState::Engaged,
            _,
        ) => go_on(Duty::Free),
    }
}

/// The phone as it was; a call of his own is over.
pub(super) const fn phone(kept: &Attendance) -> Phone {
    Phone { reachable: kept.reachable, engaged: false }
}
