//! An attended transfer by an agent's phone: it has two legs with us, one with a caller and one of its own with which the
//! agent asked for somebody, and joins the two (REFER whose Refer-To has a Replaces, RFC 5589 section 7).
//!
//! | the agent's own call | what the caller gets |
//! |---|---|
//! | talks to an agent | that agent, whose conversation goes on with him |
//! | waits in a queue, or rings | that queue, by his own clock |
//! | elsewhere (a menu, ended) | nothing: refused |
//!
//! Invariant: the caller's call stays, with all that is known of him; the agent's own ends.
use super::call::{Call, end};
use super::leg::{Leg, Role};
use super::stage::Stage;
use super::step::Step;
use super::talk::{OnWithParty, Talk, Talking};
use super::transfer::Transfer;
use super::{Cause, Fact, TransferTarget};
use crate::base::{AgentId, LegId, QueueId};

/// Whom the agent's own call reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// An agent.
    Agent,
    /// A queue.
    Queue(QueueId),
}

impl Call {
    /// The agent who talks to the caller by this leg, and nobody else is there.
    pub(super) fn agent_on(&self, leg: LegId) -> Option<&AgentId> {
        let Stage::Talking(talking) = self.stage() else { return None };
        let agent = self.case.parties.get(leg)?;
        (agent.role == Role::Agent && agent.is_up()).then_some(&talking.talk.agent)
    }

    /// The agent whose own call this is, by this leg.
    pub(super) fn owner_on(&self, leg: LegId) -> Option<&AgentId> {
        let own = self.case.parties.get(leg).filter(|leg| leg.role == Role::Caller && leg.is_up());
        own.and_then(|_| self.case.own_agent())
    }

    /// Whom this call reached.
    pub(super) fn reached(&self) -> Option<Reached> {
        match self.stage() {
            Stage::Talking(_) => Some(Reached::Agent),
            Stage::Waiting(waiting) => Some(Reached::Queue(waiting.place.queue.clone())),
            Stage::Ringing(ringing) => Some(Reached::Queue(ringing.place.queue.clone())),
            Stage::Menu(_)
            | Stage::Consulting(_)
            | Stage::Conference(_)
            | Stage::PartyOnly(_)
            | Stage::Transferring(_)
            | Stage::Clearing(_)
            | Stage::Farewell(_)
            | Stage::Ended(_) => None,
        }
    }

    /// Gives its agent to another call, and ends.
    pub(super) fn give_agent(&mut self, step: &mut Step<'_>) -> Option<(Talk, Leg)> {
        let stage = self.take_stage();
        let Stage::Talking(Talking { talk, .. }) = stage else {
            self.set_stage(stage);
            return None;
        };
        let Some(leg) = self.case.parties.give(Role::Agent) else {
            self.set_stage(Stage::Talking(Talking::new(talk)));
            return None;
        };
        talk.note_left(Cause::Completed, OnWithParty::No, &self.case, step);
        let over = end(Cause::Completed, &mut self.case, step);
        self.set_stage(over);
        Some((talk, leg))
    }

    /// Takes another call's agent in place of its own.
    pub(super) fn take_agent(
        &mut self,
        (mut talk, leg): (Talk, Leg),
        (transfer, to): (Transfer, TransferTarget),
        step: &mut Step<'_>,
    ) {
        transfer.accept(to, step);
        transfer.succeeded(step);
        let stage = self.take_stage();
        if let Stage::Talking(Talking { talk: old, .. }) = stage {
            old.over(Cause::Completed, OnWithParty::No, &mut self.case, step);
            self.case.way.passed_on_by = Some(old.agent);
            talk.place = old.place;
        }
        self.case.parties.take(leg, step);
        (talk.since, talk.held) = (step.at(), false);
        let (call, assignment, agent) = (self.id(), talk.assignment, talk.agent.clone());
        if !talk.taken_over {
            step.registry.assignments.insert(assignment, call);
        }
        self.case.way.agent = Some(agent.clone());
        let waited = self.case.waited(step.at());
        step.note(Fact::Connected { call, assignment, agent, waited });
        self.set_stage(Stage::Talking(Talking::new(talk)));
    }
}
