//! Reservations: which agent is kept for which caller. The phone itself belongs to the exchange.
//!
//! Invariant: an agent rings for at most one ticket and a ticket for at most one agent; a ringing reservation has a
//! lease after which it is void, so nobody stays in limbo.
use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{AgentId, AssignmentId, CallId, Instant, QueueId, TicketId};

/// The lease is longer than the ringing by this: the word about its end needs time to come.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// An agent kept for a caller, from the offer to the end of the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// The caller's place; no longer valid once he was answered.
    pub(crate) ticket: TicketId,
    /// His call.
    pub(crate) call: CallId,
    /// The agent.
    pub(crate) agent: AgentId,
    /// The queue.
    pub(crate) queue: QueueId,
    /// Since when the phone rings.
    pub(crate) offered: Instant,
    /// Since when they talk.
    pub(crate) answered: Option<Instant>,
    /// Work after the conversation.
    pub(crate) wrap_up: Duration,
}

/// All reservations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers {
    open: BTreeMap<AssignmentId, Assignment>,
    last: AssignmentId,
}

impl Offers {
    /// Numbers go on above `last`.
    pub(crate) fn numbered_above(&mut self, last: AssignmentId) {
        self.last = self.last.max(last);
    }
    /// Opens a reservation under a new number.
    pub(crate) fn open(&mut self, assignment: Assignment) -> AssignmentId {
        self.last = self.last.next();
        self.open.insert(self.last, assignment);
        self.last
    }
    /// A reservation whose phone still rings.
    pub(crate) fn ringing(&self, id: AssignmentId) -> Option<&Assignment> {
        self.open.get(&id).filter(|a| a.answered.is_none())
    }
    /// A reservation whose parties talk.
    pub(crate) fn talking(&self, id: AssignmentId) -> Option<&Assignment> {
        self.open.get(&id).filter(|a| a.answered.is_some())
    }
    /// The agent answered.
    pub(crate) fn answer(&mut self, id: AssignmentId, now: Instant) {
        if let Some(assignment) = self.open.get_mut(&id) {
            assignment.answered = Some(now);
        }
    }
    /// Ends it.
    pub(crate) fn close(&mut self, id: AssignmentId) -> Option<Assignment> {
        self.open.remove(&id)
    }
    /// One of them.
    pub(crate) fn get(&self, id: AssignmentId) -> Option<&Assignment> {
        self.open.get(&id)
    }
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AssignmentId, &Assignment)> {
        self.open.iter().map(|(id, a)| (*id, a))
    }
}
