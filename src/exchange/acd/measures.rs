//! What queues were measured by, as it survives a restart: a fold over the facts that the Acd measured by as they became
//! true. [`Acd::remember`] goes on from it.
//!
//! Invariant: a queue is measured here by the same figures, in the same order, as at its desk; what a stop cut short is
//! no measurement. What is open is bounded by calls that stand and agents of the plan.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::{Acd, AgentState};
use crate::base::{AgentId, AssignmentId, CallId, Instant, QueueId};
use crate::exchange::{Cause, Fact};

/// Since when somebody is busy for a queue.
type Busy = (QueueId, Instant);

/// All queues, and what is not over yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measures {
    queues: BTreeMap<QueueId, Measured>,
    /// Callers in line, since they entered this one.
    waiting: BTreeMap<CallId, Busy>,
    /// Offers that ring, and conversations since they rang.
    offers: BTreeMap<AssignmentId, Busy>,
    /// The queue of an agent's last offer, and since when he wraps up, while he does.
    agents: BTreeMap<AgentId, (QueueId, Option<Instant>)>,
}

impl Measures {
    fn of(&mut self, queue: QueueId) -> &mut Measured {
        self.queues.entry(queue).or_default()
    }

    /// One fact, in order.
    pub(crate) fn fact(&mut self, at: Instant, fact: &Fact) {
        match fact {
            Fact::Queued { call, queue, .. } => {
                self.waiting.insert(*call, (queue.clone(), at));
            }
            Fact::Overflowed { call, .. } | Fact::CallEnded { call, .. } => {
                self.waiting.remove(call);
            }
            Fact::LeftQueue { call, cause, .. } => {
                if let Some((queue, since)) = self.waiting.remove(call).filter(|_| is_real(*cause)) {
                    self.of(queue).left(at.since(since));
                }
            }
            Fact::Offered { assignment, agent, queue, .. } => {
                self.offers.insert(*assignment, (queue.clone(), at));
                self.agents.insert(agent.clone(), (queue.clone(), None));
            }
            Fact::OfferEnded { assignment, cause, .. } => {
                if let Some((queue, since)) = self.offers.remove(assignment).filter(|_| is_real(*cause)) {
                    self.of(queue).rang_in_vain(at.since(since));
                }
            }
            Fact::Connected { call, assignment, .. } => {
                let waited = self.waiting.remove(call).map(|(_, since)| at.since(since));
                if let (Some((queue, since)), Some(waited)) = (self.offers.get(assignment).cloned(), waited) {
                    self.of(queue).answered(at.since(since), waited);
                }
            }
            Fact::AgentLeft { assignment, cause, talked, .. } => {
                if let Some((queue, _)) = self.offers.remove(assignment).filter(|_| is_real(*cause)) {
                    self.of(queue).talked(*talked);
                }
            }
            Fact::AgentChanged { agent, state } => self.agent_changed(at, agent, state),
            _ => {}
        }
    }

    fn agent_changed(&mut self, at: Instant, agent: &AgentId, state: &AgentState) {
        let Some((queue, wraps_up)) = self.agents.get_mut(agent) else { return };
        let now = matches!(state, AgentState::WrapUp);
        match *wraps_up {
            None if now => *wraps_up = Some(at),
            Some(since) if !now => {
                *wraps_up = None;
                let queue = queue.clone();
                self.of(queue).wrapped_up(at.since(since));
            }
            None | Some(_) => {}
        }
    }
}

/// Whether something came to its own end: a stop of ours says nothing about callers and agents.
const fn is_real(cause: Cause) -> bool {
    !matches!(cause, Cause::ServerRestart)
}

impl Acd {
    /// Queues of the plan go on from what was measured before the process stopped.
    pub(crate) fn remember(&mut self, measures: &Measures) {
        for (queue, measured) in &measures.queues {
            if let Some(desk) = self.desks.get_mut(queue) {
                desk.measured = *measured;
            }
        }
    }
}
