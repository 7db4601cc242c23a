//! Ready agents × tickets -> `Offer`. Whenever something changed, the tickets that could be matched are taken in their
//! true order and each gets the best ready agent.
//!
//! Invariant (work-conserving): after each input no ready agent is left beside a caller he could serve. Only what
//! changed is looked at: agents who just became free, and tickets that just came into line.
use std::sync::Arc;

use super::agent::AgentEvent;
use super::offers::{Assignment, LEASE_MARGIN};
use super::order::Rank;
use super::strategy::{Candidate, Candidates};
use super::timers::Timer;
use super::waiting::{Line, Place, Ticket};
use super::{Acd, AcdOutput, Offer, OfferWhy};
use crate::base::{AgentId, AssignmentId, Instant, TicketId};
use crate::exchange::Cause;

/// Candidates and callers passed over that an offer's record names at most.
const WHY_MAX: usize = 8;

/// The agent chosen for a ticket, and why.
struct Choice {
    agent: AgentId,
    why: OfferWhy,
}

impl Acd {
    /// Matches until nothing can be matched.
    pub(super) fn dispatch(&mut self) {
        while let Some(rank) = self.next_to_match() {
            let fresh = self.fresh.remove(&rank);
            match self.choose(rank.ticket) {
                Some(choice) => self.offer(rank.ticket, choice),
                None if fresh => {}
                None => {
                    debug_assert!(false, "an agent's first caller has an agent");
                    self.freed.clear();
                }
            }
        }
    }

    /// The first, in the true order, of the tickets that something changed for. Agents without any are forgotten.
    fn next_to_match(&mut self) -> Option<Rank> {
        let mut best = self.fresh.first().copied();
        let mut freed = std::mem::take(&mut self.freed);
        freed.retain(|agent| {
            let first = self.first_for(agent);
            best = best.into_iter().chain(first).min();
            first.is_some()
        });
        self.freed = freed;
        best
    }

    /// The first ticket that this agent could take now.
    pub(super) fn first_for(&self, agent: &AgentId) -> Option<Rank> {
        let member = self.roster.get(agent).filter(|m| m.agent().offerable())?;
        let lines = self.roster.profile(member.profile())?.lines().iter();
        let heads = lines.filter_map(|id| self.room.line(*id)?.waiting().first());
        heads.chain(member.held().first().copied()).min()
    }

    /// The best ready agent for a ticket. Those who did not take him come last, the latest of them last of all.
    fn choose(&self, id: TicketId) -> Option<Choice> {
        let ticket = self.room.ticket(id)?;
        let (line, only) = match ticket.place() {
            Place::InLine(line) => (self.room.line(*line)?, None),
            Place::Held(line, agent) => (self.room.line(*line)?, Some(agent)),
            Place::Apart | Place::Ringing(_) => return None,
        };
        if let Some(agent) = only {
            let ready = self.roster.get(agent).is_some_and(|m| m.agent().offerable());
            let why = || self.why("same_agent", vec![(agent.clone(), 0)], (ticket, line), agent);
            return ready.then(|| Choice { agent: agent.clone(), why: why() });
        }
        let strategy = self.plan.queues.get(line.queue()).map_or_else(Default::default, |q| q.strategy);
        let walk = || Candidates::new(&self.roster, line.profiles(), strategy, line.need());
        let passed = |c: &Candidate<'_>| ticket.passed().iter().position(|a| a == c.agent);
        let willing = walk().find(|c| passed(c).is_none());
        let chosen = willing.or_else(|| walk().min_by_key(|c| passed(c)))?.agent.clone();
        if self.quiet {
            return Some(Choice { agent: chosen, why: OfferWhy::nothing() });
        }
        let score = |c: Candidate<'_>| (c.agent.clone(), c.score(strategy, self.now.mono));
        let candidates = walk().take(WHY_MAX).map(score).collect();
        let why = self.why(strategy.as_str(), candidates, (ticket, line), &chosen);
        Some(Choice { agent: chosen, why })
    }

    fn why(
        &self,
        strategy: &str,
        candidates: Vec<(AgentId, i64)>,
        (ticket, line): (&Ticket, &Line),
        agent: &AgentId,
    ) -> OfferWhy {
        OfferWhy {
            strategy: strategy.to_owned(),
            candidates,
            passed_over: self.passed_over(ticket, line, agent),
            waited: ticket.waited(self.now.mono),
            told: ticket.told.as_ref().map(|(told, _)| told.clone()),
        }
    }

    /// Callers of the same queue who are ahead of this one but cannot be served by this agent, with the reason.
    fn passed_over(&self, ticket: &Ticket, line: &Line, agent: &AgentId) -> Vec<(TicketId, String)> {
        let rank = ticket.rank();
        let mut over: Vec<(Rank, &'static str)> = Vec::new();
        for (_, other) in self.room.lines_of(line.queue()) {
            let reason = if self.roster.can(agent, other.need()) {
                None
            } else if other.need().language == line.need().language {
                Some("skills")
            } else {
                Some("language")
            };
            let ahead = |r: &Rank| *r < rank;
            if let Some(reason) = reason {
                over.extend(other.waiting().iter().take_while(ahead).take(WHY_MAX).map(|r| (r, reason)));
            }
            over.extend(other.held().iter().take_while(ahead).take(WHY_MAX).map(|r| (r, "same_agent")));
        }
        over.sort_unstable();
        over.into_iter().take(WHY_MAX).map(|(r, why)| (r.ticket, why.to_owned())).collect()
    }

    fn offer(&mut self, id: TicketId, choice: Choice) {
        let Some(place) = self.room.unplace(id) else { return };
        let Some(ticket) = self.room.ticket(id) else { return };
        if let Place::Held(_, agent) = &place {
            self.roster.unhold(agent, ticket.rank());
        }
        let joining = ticket.joining();
        let (call, queue) = (joining.call, joining.queue.clone());
        let (ring_for, wrap_up) =
            self.plan.queues.get(&queue).map_or_else(Default::default, |q| (q.ring_for, q.wrap_up));
        let assignment = self.offers.open(Assignment {
            ticket: id,
            call,
            agent: choice.agent.clone(),
            queue: queue.clone(),
            offered: self.now.mono,
            answered: None,
            wrap_up,
        });
        self.room.place(id, Place::Ringing(assignment));
        self.hush(id);
        self.timers.set(Timer::Lease(assignment), self.now.mono + ring_for + LEASE_MARGIN);
        self.counters.offers += 1;
        self.change_agent(&choice.agent, AgentEvent::Offered(assignment));
        let offer =
            Offer { assignment, ticket: id, call, queue, agent: choice.agent, ring_for, why: choice.why };
        self.outputs.push_back(AcdOutput::Offer(offer));
    }

    /// The agent answered: the ticket leaves the line for good.
    pub(super) fn accepted(&mut self, id: AssignmentId) {
        let Some(assignment) = self.offers.ringing(id) else { return self.late() };
        let (ticket, agent, queue) = (assignment.ticket, assignment.agent.clone(), assignment.queue.clone());
        let rang = self.now.mono.since(assignment.offered);
        self.offers.answer(id, self.now.mono);
        self.timers.cancel(&Timer::Lease(id));
        self.served(ticket, Some(rang));
        self.roster.set_last_queue(&agent, &queue);
        self.change_agent(&agent, AgentEvent::Answered);
    }

    /// A colleague's phone took the call while this agent's rang. Should the offer be over already, the caller leaves the
    /// line all the same.
    pub(super) fn picked_up(&mut self, id: AssignmentId, ticket: TicketId) {
        let offer = self.offers.ringing(id).filter(|offer| offer.ticket == ticket);
        if let Some(agent) = offer.map(|offer| offer.agent.clone()) {
            self.close_offer(id);
            self.served(ticket, None);
            self.change_agent(&agent, AgentEvent::OfferGone);
            return;
        }
        self.late();
        if let Some(Place::Ringing(other)) = self.room.ticket(ticket).map(Ticket::place) {
            let other = *other;
            self.revoked(other, Cause::Withdrawn);
            return self.picked_up(other, ticket);
        }
        self.served(ticket, None);
    }

    /// A caller's wait ended well. `rang`: how long the phone rang of the agent who answered.
    fn served(&mut self, ticket: TicketId, rang: Option<std::time::Duration>) {
        let line = self.room.ticket(ticket).and_then(|t| self.room.find(t.joining()));
        let Some(mut ticket) = self.remove_ticket(ticket) else { return };
        let queue = ticket.joining().queue.clone();
        let (now, waited) = (self.now.mono, ticket.waited(self.now.mono));
        let target = self.plan.queues.get(&queue).map_or_else(Default::default, |q| q.service_target);
        let here = self.now.mono.since(ticket.entered());
        self.at_desk(&queue, |desk| {
            if let Some(rang) = rang {
                desk.measured.answered(rang, here);
            }
            desk.recent.answered(now, here);
            if let Some(entry) = ticket.entry.take() {
                let at = now.since(Instant::ZERO).as_secs_f64();
                Arc::make_mut(&mut desk.estimator).served(at, &entry, here);
            }
            desk.service.answered(waited, target);
        });
        if let Some(line) = line.and_then(|id| self.room.line_mut(id)).filter(|_| !self.quiet) {
            line.recent.answered(now, here);
        }
    }

    /// The agent did not take the offer: he is counted, and the caller goes back to his old place.
    pub(super) fn not_taken(&mut self, id: AssignmentId, reason: &str) {
        let Some(assignment) = self.offers.ringing(id) else { return self.late() };
        let (ticket, agent) = (assignment.ticket, assignment.agent.clone());
        self.close_offer(id);
        if let Some(ticket) = self.room.ticket_mut(ticket) {
            ticket.pass(&agent);
        }
        self.put_in_line(ticket);
        let pause = self.roster.count_untaken(&agent).then(|| reason.to_owned());
        self.change_agent(&agent, AgentEvent::NotTaken(pause));
    }

    /// The caller hung up while the phone rang.
    pub(super) fn caller_gone(&mut self, id: AssignmentId) {
        let Some(assignment) = self.offers.ringing(id) else { return self.late() };
        let (ticket, agent) = (assignment.ticket, assignment.agent.clone());
        self.close_offer(id);
        self.gone(ticket);
        self.change_agent(&agent, AgentEvent::OfferGone);
    }

    /// Nothing was heard of the offer until its lease ended.
    pub(super) fn lease_over(&mut self, id: AssignmentId) {
        if self.offers.ringing(id).is_none() {
            return;
        }
        self.counters.leases_expired += 1;
        self.revoked(id, Cause::LimitReached);
        self.not_taken(id, "no_answer");
    }

    /// Withdraws an offer whose agent can no longer take it; the caller goes back to his old place. The agent's own
    /// state was changed before.
    pub(super) fn withdraw(&mut self, id: AssignmentId) {
        let Some(assignment) = self.offers.ringing(id) else { return };
        let (ticket, agent) = (assignment.ticket, assignment.agent.clone());
        self.close_offer(id);
        self.revoked(id, Cause::Withdrawn);
        if let Some(ticket) = self.room.ticket_mut(ticket) {
            ticket.pass(&agent);
        }
        self.put_in_line(ticket);
    }

    /// Says that an offer no longer holds.
    pub(super) fn revoked(&mut self, assignment: AssignmentId, cause: Cause) {
        self.counters.revoked += 1;
        self.outputs.push_back(AcdOutput::Revoke { assignment, cause });
    }

    /// Ends a reservation that rang, and measures what it cost.
    pub(super) fn close_offer(&mut self, id: AssignmentId) {
        self.timers.cancel(&Timer::Lease(id));
        if let Some(assignment) = self.offers.close(id) {
            let rang = self.now.mono.since(assignment.offered);
            self.at_desk(&assignment.queue, |desk| desk.measured.rang_in_vain(rang));
            self.room.unplace(assignment.ticket);
        }
    }

    /// A message about an offer that no longer holds.
    pub(super) fn late(&mut self) {
        self.counters.late_assignments += 1;
    }
}
