//! What agents do and want, and what follows from it for those who wait.
use std::time::Duration;

use super::agent::{AfterTalk, Agent, AgentEvent, Phone, Then};
use super::roster::{Change, Member};
use super::timers::Timer;
use super::{Acd, AcdOutput, AgentState, AgentWish};
use crate::base::{AgentId, AssignmentId, TicketId};

impl Acd {
    /// An agent's wish.
    pub(super) fn wish(&mut self, agent: &AgentId, wish: AgentWish) {
        if self.roster.get(agent).is_none() {
            self.counters.unknown_agents += 1;
            return;
        }
        let event = match wish {
            AgentWish::SignIn => AgentEvent::SignIn,
            AgentWish::SignOut => AgentEvent::SignOut,
            AgentWish::Ready => AgentEvent::Ready,
            AgentWish::Pause(reason) => AgentEvent::Pause(reason),
        };
        if !self.change_agent(agent, event) {
            self.counters.idle_wishes += 1;
        }
    }

    /// His phone can be rung, or no longer.
    pub(super) fn reachable(&mut self, id: &AgentId, reachable: bool) {
        let Some(phone) = self.roster.get(id).map(|m| m.agent().phone()) else {
            self.counters.unknown_agents += 1;
            return;
        };
        self.set_phone(id, Phone { reachable, ..phone });
    }

    /// He is in a call of his own, or no longer.
    pub(super) fn engaged(&mut self, id: &AgentId, engaged: bool) {
        let Some(phone) = self.roster.get(id).map(|m| m.agent().phone()) else {
            self.counters.unknown_agents += 1;
            return;
        };
        self.set_phone(id, Phone { engaged, ..phone });
    }

    fn set_phone(&mut self, id: &AgentId, phone: Phone) {
        if let Some(change) = self.roster.set_phone(self.now.mono, id, phone) {
            self.agent_changed(id, change);
        }
    }

    /// The conversation that began with this offer is over.
    pub(super) fn talk_ended(&mut self, id: AssignmentId, talked: Duration) {
        if self.offers.talking(id).is_none() {
            return self.late();
        }
        let Some(assignment) = self.offers.close(id) else { return };
        let (now, talking) = (self.now.mono, self.offers.len());
        self.at_desk(&assignment.queue, |desk| {
            desk.passed.over(now, talking);
            desk.measured.talked(talked);
            desk.recent.talked(talked);
            desk.service.talked(talked);
        });
        self.parted = Some((assignment.call, assignment.queue));
        let agent = assignment.agent;
        let after = if assignment.wrap_up.is_zero() { AfterTalk::Nothing } else { AfterTalk::WrapUp };
        self.change_agent(&agent, AgentEvent::TalkOver(after));
        if self.roster.get(&agent).is_some_and(Member::leaving) {
            self.dismiss(&agent);
        } else if self.state_of(&agent) == Some(&AgentState::WrapUp) {
            self.timers.set(Timer::WrapUp(agent), self.now.mono + assignment.wrap_up);
        }
    }

    /// An agent who is no longer in the plan goes.
    pub(super) fn dismiss(&mut self, agent: &AgentId) {
        self.change_agent(agent, AgentEvent::SignOut);
        self.roster.take(agent);
        self.freed.remove(agent);
    }

    /// What others see him do.
    pub(super) fn state_of(&self, agent: &AgentId) -> Option<&AgentState> {
        self.roster.get(agent).map(|m| Agent::state(m.agent()))
    }

    /// A step of an agent's table with all that follows; whether it changed anything.
    pub(super) fn change_agent(&mut self, agent: &AgentId, event: AgentEvent) -> bool {
        let change = self.roster.apply(self.now.mono, agent, event);
        change.map(|change| self.agent_changed(agent, change)).is_some()
    }

    fn agent_changed(&mut self, id: &AgentId, change: Change) {
        if let Some((was, since)) = change.from {
            if was == AgentState::WrapUp {
                self.wrapped_up(id, self.now.mono.since(since));
            }
            if let Some(state) = self.state_of(id).cloned() {
                self.outputs.push_back(AcdOutput::AgentChanged { agent: id.clone(), state });
            }
        }
        match change.then {
            Then::Withdraw(assignment) => self.withdraw(assignment),
            Then::Nothing => {}
        }
        if change.after.ready.is_some() && change.before.ready.is_none() {
            self.freed.insert(id.clone());
        }
        let is_past = self.roster.get(id).and_then(Member::until).is_some_and(|until| until <= self.now.mono);
        if is_past || change.after.signed_in != change.before.signed_in {
            self.note_shift(id);
        }
        if change.before.at_work && !change.after.at_work {
            self.release_held(id);
        }
        if change.before.signed_in && !change.after.signed_in {
            self.nobody_left(id);
        }
    }

    /// He came or went, his hours are others, or one of several stretches is over: when his shift ends.
    pub(super) fn note_shift(&mut self, id: &AgentId) {
        let Some(member) = self.roster.get(id) else { return };
        let ends = if member.agent().signed_in() { member.plan().shifts.until(self.now.utc) } else { None };
        let left = ends.map(|at| at.as_micros().saturating_sub(self.now.utc.as_micros()));
        let left = left.and_then(|us| u64::try_from(us).ok()).map(Duration::from_micros);
        self.roster.set_until(id, left.map(|left| self.now.mono + left));
    }

    fn wrapped_up(&mut self, id: &AgentId, took: Duration) {
        self.timers.cancel(&Timer::WrapUp(id.clone()));
        if let Some(queue) = self.roster.get(id).and_then(|m| m.last_queue.clone()) {
            self.at_desk(&queue, |desk| desk.measured.wrapped_up(took));
        }
    }

    /// Callers who waited for this agent may be taken by anybody.
    pub(super) fn release_held(&mut self, id: &AgentId) {
        let held: Vec<TicketId> =
            self.roster.get(id).into_iter().flat_map(|m| m.held().iter().map(|r| r.ticket)).collect();
        for ticket in held {
            self.release(ticket);
        }
    }
}
