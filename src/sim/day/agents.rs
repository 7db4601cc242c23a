//! What simulated agents do: come to work, pick up or not, write, rest, go home.
use std::time::Duration;

use super::{BACK_AFTER, Day, Event};
use crate::base::{AgentId, Instant, LegId};
use crate::exchange::acd::{AgentState, AgentWish};
use crate::exchange::{Input, Ops};
use crate::sim::{Agent, OfferDraw};

/// An agent at work.
#[derive(Debug)]
pub(super) struct AgentPerson {
    pub(super) id: AgentId,
    pub(super) person: Agent,
    /// What his phone rings or talks on.
    pub(super) leg: Option<LegId>,
    /// His phone is gone.
    pub(super) gone: bool,
    /// How long he will write after this talk.
    pub(super) wrap_up: Duration,
    /// Grows with every change of his state.
    pub(super) turn: u32,
}

impl AgentPerson {
    pub(super) fn new(person: Agent) -> Self {
        let id = AgentId::from(person.id.as_str());
        Self { id, person, leg: None, gone: false, wrap_up: Duration::ZERO, turn: 0 }
    }
}

impl Day {
    pub(super) fn plan_agents(&mut self) {
        let lasts = self.plan.scenario.lasts;
        let mut events = Vec::new();
        for (n, agent) in self.agents.iter().enumerate() {
            for shift in &agent.person.shifts {
                events.push((shift.from, Event::SignsIn(n)));
                // Who is inside when the scenario ends is served to the end.
                if shift.to < lasts {
                    events.push((shift.to, Event::SignsOut(n)));
                }
            }
            for (b, (stretch, _)) in agent.person.breaks.iter().enumerate() {
                let works = |at| agent.person.shifts.iter().any(|s| s.holds(at));
                if works(stretch.from) && works(stretch.to) {
                    events.push((stretch.from, Event::Pauses(n, b)));
                    events.push((stretch.to, Event::Resumes(n)));
                }
            }
        }
        for (at, event) in events {
            self.schedule.plan(Instant::ZERO + at, event);
        }
    }

    fn wish(&mut self, agent: usize, wish: AgentWish) {
        if let Some(id) = self.agents.get(agent).map(|a| a.id.clone()) {
            self.feed(Input::Ops(Ops::Agent { agent: id, wish }));
        }
    }

    pub(super) fn reachable(&mut self, agent: usize, reachable: bool) {
        if let Some(id) = self.agents.get(agent).map(|a| a.id.clone()) {
            self.feed(Input::AgentReachable { agent: id, reachable });
        }
    }

    pub(super) fn signs_in(&mut self, agent: usize) {
        if self.agents.get(agent).is_some_and(|a| !a.gone) {
            self.reachable(agent, true);
        }
        self.wish(agent, AgentWish::SignIn);
    }

    pub(super) fn signs_out(&mut self, agent: usize) {
        self.wish(agent, AgentWish::SignOut);
    }

    pub(super) fn pauses(&mut self, agent: usize, n: usize) {
        let reason =
            self.agents.get(agent).and_then(|a| a.person.breaks.get(n)).map(|(_, reason)| reason.clone());
        if let Some(reason) = reason {
            self.wish(agent, AgentWish::Pause(reason));
        }
    }

    pub(super) fn resumes(&mut self, agent: usize) {
        self.wish(agent, AgentWish::Ready);
    }

    /// He has written what there was, unless something else came.
    pub(super) fn written(&mut self, agent: usize, turn: u32) {
        if self.agents.get(agent).is_some_and(|a| a.turn == turn) {
            self.wish(agent, AgentWish::Ready);
        }
    }

    pub(super) fn lapses(&mut self, agent: usize) {
        if self.agents.get(agent).is_some_and(|a| a.gone) {
            self.reachable(agent, false);
        }
    }

    pub(super) fn agent_leg_gone(&mut self, agent: usize, leg: LegId) {
        if let Some(a) = self.agents.get_mut(agent) {
            a.leg.take_if(|l| *l == leg);
        }
    }

    /// What he does with an offer: `None` if his phone is gone.
    pub(super) fn offered(&mut self, agent: usize, leg: LegId) -> Option<OfferDraw> {
        let agent = self.agents.get_mut(agent)?;
        agent.leg = Some(leg);
        let group = self.plan.scenario.agents.get(agent.person.group)?;
        Some(agent.person.draws.offer(group)).filter(|_| !agent.gone)
    }

    /// The Acd says what he does now.
    pub(super) fn agent_changed(&mut self, id: &AgentId, state: &AgentState) {
        let Some(n) = self.agent_index.get(id).copied() else { return };
        let Some(agent) = self.agents.get_mut(n) else { return };
        agent.turn += 1;
        let (turn, wrap_up) = (agent.turn, agent.wrap_up);
        match state {
            AgentState::WrapUp => self.after(wrap_up, Event::Written(n, turn)),
            AgentState::Paused(reason) if reason == "no_answer" => {
                self.after(BACK_AFTER, Event::Written(n, turn));
            }
            AgentState::SignedOut
            | AgentState::Unreachable
            | AgentState::Ready
            | AgentState::Ringing(_)
            | AgentState::Talking(_)
            | AgentState::Engaged
            | AgentState::Paused(_) => {}
        }
        self.tally.agent_changed(n, state, self.now.since(Instant::ZERO));
    }
}
