//! Callers come, go, and are sent elsewhere by their queue's rules. Invariant: every ticket leaves exactly once.
use std::sync::Arc;

use super::order::Rank;
use super::timers::Timer;
use super::waiting::{Line, LineId, Need, Place, Ticket};
use super::{Acd, AcdOutput, Joining, NobodyRule, OverflowCause, QueuePlan};
use crate::base::{AgentId, Instant, TicketId};
use crate::exchange::Cause;

impl Acd {
    /// A caller joins a queue.
    pub(super) fn enter(&mut self, mut joining: Joining) {
        let id = joining.ticket;
        if self.room.ticket(id).is_some() {
            self.counters.unknown_tickets += 1;
            return;
        }
        joining.skills.sort_unstable();
        joining.skills.dedup();
        joining.since = joining.since.min(self.now.mono);
        let plan = Arc::clone(&self.plan);
        let Some(queue) = plan.queues.get(&joining.queue) else {
            return self.overflowed(&joining, OverflowCause::NoSuchQueue);
        };
        let now = self.now.mono;
        self.at_desk(&joining.queue, |desk| {
            desk.service.entered();
            desk.recent.joined.note(now);
        });
        let line = self.line_for(&joining, queue);
        if let Some(why) = self.turned_away(&joining, queue, line) {
            self.at_desk(&joining.queue, |desk| desk.service.overflowed());
            return self.overflowed(&joining, why);
        }
        let ticket = Ticket::new(joining, queue.ageing, self.now.mono);
        self.note_passed_on(&ticket, line);
        self.room.note_entry(line, ticket.rank().class, self.now.mono);
        self.room.add(ticket);
        self.put_in_line(id);
    }

    /// If he was talked to until now he was passed on. Who was cut off comes back as well, but not because of his talk.
    fn note_passed_on(&mut self, ticket: &Ticket, line: LineId) {
        let (joining, class, now) = (ticket.joining(), ticket.rank().class, self.now.mono);
        let parted = self.parted.take().filter(|(call, _)| *call == joining.call && !joining.kept);
        let flow = self.room.line(line).and_then(|l| l.flows().get(usize::from(class))).copied();
        if let (Some((_, queue)), Some(flow)) = (parted, flow) {
            self.at_desk(&queue, |desk| desk.passed.on(now, (line, &flow), (joining, class)));
        }
    }

    fn turned_away(&self, joining: &Joining, queue: &QueuePlan, line: LineId) -> Option<OverflowCause> {
        let profiles = self.room.line(line)?.profiles().iter().filter_map(|id| self.roster.profile(*id));
        let (mut signed_in, mut ready) = (0, 0);
        for profile in profiles {
            signed_in += profile.signed_in();
            ready += profile.ready().by_name.len();
        }
        match queue.nobody {
            NobodyRule::Overflow if signed_in == 0 => return Some(OverflowCause::NobodySignedIn),
            NobodyRule::Overflow | NobodyRule::Wait => {}
        }
        (!joining.kept && ready == 0 && self.room.size(&joining.queue) >= queue.size_max)
            .then_some(OverflowCause::Full)
    }

    /// The line for such a caller; opened when there is none.
    pub(super) fn line_for(&mut self, joining: &Joining, queue: &QueuePlan) -> LineId {
        if let Some(line) = self.room.find(joining) {
            return line;
        }
        for line in self.room.superfluous() {
            self.close_line(line);
        }
        let need = Need::new(&queue.skills, &joining.skills, joining.language);
        let profiles = self.roster.able(&need);
        let line = self.room.open(self.now.mono, joining, (need, profiles.clone()));
        self.roster.link(&profiles, line);
        self.ahead.regroup();
        line
    }

    /// Forgets a line in which nobody waits.
    pub(super) fn close_line(&mut self, id: LineId) {
        if let Some(line) = self.room.close(id) {
            self.roster.unlink(line.profiles(), id);
            self.ahead.regroup();
        }
    }

    /// Puts a ticket that is apart into its place by the rules of its queue, with its clock as ever. When the queue
    /// is gone, its longest wait is over, or nobody is there and it does not wait then, the caller overflows.
    pub(super) fn put_in_line(&mut self, id: TicketId) {
        let Some(joining) = self.room.ticket(id).map(|t| t.joining().clone()) else { return };
        let plan = Arc::clone(&self.plan);
        let Some(queue) = plan.queues.get(&joining.queue) else {
            return self.overflow(id, OverflowCause::NoSuchQueue);
        };
        self.room.refresh_class(id, queue.ageing, self.now.mono);
        let Some((rank, entered)) = self.room.ticket(id).map(|t| (t.rank(), t.entered())) else { return };
        if !self.watch_longest_wait(id, entered, queue) {
            return self.overflow(id, OverflowCause::WaitLimit);
        }
        let line = self.line_for(&joining, queue);
        if queue.nobody == NobodyRule::Overflow && self.nobody_signed_in(line) {
            return self.overflow(id, OverflowCause::NobodySignedIn);
        }
        self.keep_class_fresh(id);
        if let Some(agent) = self.waits_for(id, queue) {
            self.timers.set(Timer::SameAgent(id), self.held_until(id, queue));
            self.roster.hold(&agent, rank);
            self.room.place(id, Place::Held(line, agent));
        } else {
            self.room.place(id, Place::InLine(line));
            if let Some(ticket) = self.room.ticket_mut(id) {
                ticket.free_for_all = true;
            }
        }
        self.fresh.insert(rank);
        self.unhush(id);
    }

    /// Whether he may still wait by his queue's rule; if so, watches it.
    fn watch_longest_wait(&mut self, id: TicketId, entered: Instant, queue: &QueuePlan) -> bool {
        let Some(limit) = queue.wait_max.map(|max| entered + max) else {
            self.timers.cancel(&Timer::WaitMax(id));
            return true;
        };
        self.timers.set(Timer::WaitMax(id), limit);
        limit > self.now.mono || entered == self.now.mono
    }

    /// Takes a ticket out of its line, out of an agent's waiting list, and out of everybody's mind.
    pub(super) fn take_out_of_line(&mut self, id: TicketId) {
        let Some(rank) = self.room.ticket(id).map(Ticket::rank) else { return };
        match self.room.unplace(id) {
            Some(Place::Held(_, agent)) => self.roster.unhold(&agent, rank),
            Some(Place::InLine(_) | Place::Ringing(_) | Place::Apart) | None => {}
        }
        self.fresh.remove(&rank);
    }

    /// Whether nobody who could serve this line is signed in.
    pub(super) fn nobody_signed_in(&self, line: LineId) -> bool {
        let profiles = self.room.line(line).map_or(&[][..], Line::profiles);
        profiles.iter().filter_map(|id| self.roster.profile(*id)).all(|p| p.signed_in() == 0)
    }

    fn held_until(&self, id: TicketId, queue: &QueuePlan) -> Instant {
        self.room.ticket(id).map_or(self.now.mono, Ticket::entered) + queue.same_agent_wait
    }

    /// The agent for whom this caller waits, while he does.
    fn waits_for(&self, id: TicketId, queue: &QueuePlan) -> Option<AgentId> {
        let ticket = self.room.ticket(id).filter(|t| !t.free_for_all)?;
        let agent = ticket.joining().prefer.as_ref()?;
        let joining = ticket.joining();
        self.roster.get(agent).filter(|m| m.agent().at_work() && !m.leaving())?;
        let need = Need::new(&queue.skills, &joining.skills, joining.language);
        let able = self.roster.can(agent, &need) && !ticket.passed().contains(agent);
        let in_time = self.now.mono < self.held_until(id, queue);
        (able && in_time).then(|| agent.clone())
    }

    /// He no longer waits for the agent he knows: anybody may take him.
    pub(super) fn release(&mut self, id: TicketId) {
        self.timers.cancel(&Timer::SameAgent(id));
        let Some(ticket) = self.room.ticket_mut(id) else { return };
        ticket.free_for_all = true;
        if matches!(ticket.place(), Place::Held(..)) {
            self.take_out_of_line(id);
            self.put_in_line(id);
        }
    }

    /// His class fell by one: a new place in the order.
    pub(super) fn age(&mut self, id: TicketId) {
        let Some(ticket) = self.room.ticket(id) else { return };
        let (place, old) = (ticket.place().clone(), ticket.rank());
        let fresh = self.fresh.contains(&old);
        self.take_out_of_line(id);
        self.room.age(id, self.now.mono);
        let Some(rank) = self.room.ticket(id).map(Ticket::rank) else { return };
        if let Place::Held(_, agent) = &place {
            self.roster.hold(agent, rank);
        }
        self.room.place(id, place);
        if fresh {
            self.fresh.insert(rank);
        }
        self.keep_class_fresh(id);
    }

    fn keep_class_fresh(&mut self, id: TicketId) {
        match self.room.ticket(id).and_then(|t| t.next_step(self.now.mono)) {
            Some(at) => self.timers.set(Timer::Ageing(id), at),
            None => self.timers.cancel(&Timer::Ageing(id)),
        }
    }

    /// A caller left by himself.
    pub(super) fn leave(&mut self, id: TicketId) {
        let Some(ticket) = self.room.ticket(id) else {
            self.counters.unknown_tickets += 1;
            return;
        };
        match *ticket.place() {
            Place::Ringing(assignment) => {
                self.revoked(assignment, Cause::Withdrawn);
                self.caller_gone(assignment);
            }
            Place::Apart | Place::InLine(_) | Place::Held(..) => self.gone(id),
        }
    }

    /// Forgets a caller who left by himself.
    pub(super) fn gone(&mut self, id: TicketId) {
        if let Some(ticket) = self.remove_ticket(id) {
            let (now, waited) = (self.now.mono, self.now.mono.since(ticket.entered()));
            self.at_desk(&ticket.joining().queue, |desk| {
                desk.measured.left(waited);
                desk.recent.left.note(now);
                desk.service.left();
            });
        }
    }

    /// The longest wait is over. While a phone rings for him it may ring on.
    pub(super) fn wait_over(&mut self, id: TicketId) {
        match self.room.ticket(id).map(Ticket::place) {
            Some(Place::Ringing(_)) | None => {}
            Some(Place::Apart | Place::InLine(_) | Place::Held(..)) => {
                self.overflow(id, OverflowCause::WaitLimit);
            }
        }
    }

    /// Sends a caller elsewhere by his queue's rules.
    pub(super) fn overflow(&mut self, id: TicketId, why: OverflowCause) {
        if let Some(ticket) = self.remove_ticket(id) {
            self.at_desk(&ticket.joining().queue, |desk| desk.service.overflowed());
            self.overflowed(ticket.joining(), why);
        }
    }

    fn overflowed(&mut self, joining: &Joining, why: OverflowCause) {
        self.outputs.push_back(AcdOutput::Overflow { ticket: joining.ticket, call: joining.call, why });
    }

    /// Takes a ticket out for good, with everything that hangs on it.
    pub(super) fn remove_ticket(&mut self, id: TicketId) -> Option<Ticket> {
        self.take_out_of_line(id);
        for timer in [Timer::Ageing(id), Timer::SameAgent(id), Timer::WaitMax(id), Timer::Tell(id)] {
            self.timers.cancel(&timer);
        }
        self.room.remove(id)
    }

    /// Lines that this agent could serve and that nobody could serve any more: callers who need not wait then go.
    pub(super) fn nobody_left(&mut self, agent: &AgentId) {
        let profile = self.roster.get(agent).and_then(|m| self.roster.profile(m.profile()));
        let lines: Vec<LineId> = profile.into_iter().flat_map(|p| p.lines().iter().copied()).collect();
        for line in lines {
            self.empty_line_without_staff(line);
        }
    }

    /// See [`Acd::nobody_left`].
    pub(super) fn empty_line_without_staff(&mut self, id: LineId) {
        let Some(line) = self.room.line(id) else { return };
        let rule = self.plan.queues.get(line.queue()).map_or(NobodyRule::Overflow, |q| q.nobody);
        if rule == NobodyRule::Wait || !self.nobody_signed_in(id) {
            return;
        }
        let all: Vec<Rank> = line.waiting().iter().chain(line.held().iter()).collect();
        for rank in all {
            self.overflow(rank.ticket, OverflowCause::NobodySignedIn);
        }
    }
}
