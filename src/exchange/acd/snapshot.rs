//! The Acd's state as plain values, for the status page and the API. Taken at one moment, between two inputs, so it is
//! consistent; nothing in it refers back into the machine.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::roster::{Member, Profile};
use super::waiting::{Place, Ticket};
use super::{Acd, AgentState, Estimate, QueuePlan, ServiceFigures};
use crate::base::{AgentId, CallId, Instant, Language, Now, QueueId, TicketId};
use crate::exchange::Told;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcdSnapshot {
    /// The moment.
    pub at: Instant,
    /// Queues, in the order of their names.
    pub queues: Vec<QueueSnapshot>,
    /// Agents, in the order of their names.
    pub agents: Vec<AgentSnapshot>,
    /// What was ignored, and offers that went wrong.
    pub counters: AcdCounters,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueSnapshot {
    /// Its name.
    pub queue: QueueId,
    /// Callers not yet answered, in the true order; those for whom a phone rings are among them.
    pub waiting: Vec<TicketSnapshot>,
    /// Agents signed in who have the queue's skills.
    pub agents_signed_in: usize,
    /// Those of them who could take a caller now.
    pub agents_ready: usize,
    /// Service level, hang-ups, waits and talks so far.
    pub service: ServiceFigures,
}

/// One caller who waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketSnapshot {
    /// His place.
    pub ticket: TicketId,
    /// His call.
    pub call: CallId,
    /// His priority at entry, 0 the most urgent.
    pub priority: u8,
    /// His class now, after ageing.
    pub class: u8,
    /// The language he should be served in.
    pub language: Language,
    /// His clock.
    pub since: Instant,
    /// How long he has waited by his clock.
    pub waited: Duration,
    /// Whose phone rings for him.
    pub ringing: Option<AgentId>,
    /// What he was last told, and how long ago.
    pub told: Option<(Told, Duration)>,
    /// How much longer he is expected to wait; `None` when we do not know.
    pub estimate: Option<Estimate>,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentSnapshot {
    /// His name.
    pub agent: AgentId,
    /// What callers are told.
    pub alias: String,
    /// What he does.
    pub state: AgentState,
    /// Since when.
    pub since: Instant,
    /// For how long.
    pub in_state: Duration,
    /// Whether his phone can be rung.
    pub reachable: bool,
    /// Callers he answered since he signed in.
    pub answered: u64,
    /// Offers in a row that he did not answer.
    pub unanswered: u8,
    /// Time spent in each state since the Acd knows him; the sum is exactly the time it knows him.
    pub times: AgentTimes,
}

/// Time spent in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one field a state of AgentState, of the same name")]
pub struct AgentTimes {
    pub signed_out: Duration,
    pub unreachable: Duration,
    pub ready: Duration,
    pub ringing: Duration,
    pub talking: Duration,
    pub wrap_up: Duration,
    pub engaged: Duration,
    pub paused: Duration,
}

/// What did not go as planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcdCounters {
    /// Inputs that were handled.
    pub inputs: u64,
    /// Late or doubled messages about offers that no longer hold.
    pub late_assignments: u64,
    /// Messages about places in line that do not exist, or that exist already.
    pub unknown_tickets: u64,
    /// Messages about agents that are not in the plan.
    pub unknown_agents: u64,
    /// Wishes that made no sense in the agent's state.
    pub idle_wishes: u64,
    /// Offers made.
    pub offers: u64,
    /// Offers that were withdrawn.
    pub revoked: u64,
    /// Offers about which nothing was heard until the lease ended.
    pub leases_expired: u64,
    /// Tellings of the wait.
    pub tellings: u64,
    /// Tellings that said that the wait rose, and why.
    pub rises: u64,
    /// Batches of futures asked for.
    #[serde(default)]
    pub batches: u64,
    /// Batches that came back when nobody waited for them any more.
    #[serde(default)]
    pub batches_late: u64,
}

impl Acd {
    /// Everything at one moment, for the status page. Costs time in proportion to agents and callers: not for each
    /// input.
    pub fn snapshot(&self, now: Now) -> AcdSnapshot {
        let at = now.mono.max(self.now.mono);
        let mut waiting: BTreeMap<&QueueId, Vec<&Ticket>> = BTreeMap::new();
        for (_, ticket) in self.room.tickets() {
            waiting.entry(&ticket.joining().queue).or_default().push(ticket);
        }
        let queues = self.plan.queues.iter().map(|(id, plan)| {
            let tickets = waiting.remove(id).unwrap_or_default();
            self.queue_snapshot(at, (id, plan), tickets)
        });
        AcdSnapshot {
            at,
            queues: queues.collect(),
            agents: self.roster.iter().map(|(id, member)| agent_snapshot(at, id, member)).collect(),
            counters: self.counters,
        }
    }

    fn queue_snapshot(
        &self,
        at: Instant,
        (id, plan): (&QueueId, &QueuePlan),
        mut tickets: Vec<&Ticket>,
    ) -> QueueSnapshot {
        tickets.sort_by_key(|t| t.rank());
        let skilled = |p: &&Profile| plan.skills.iter().all(|s| p.skills().contains_key(s));
        let able: Vec<&Profile> = self.roster.profiles().map(|(_, p)| p).filter(skilled).collect();
        QueueSnapshot {
            queue: id.clone(),
            waiting: tickets.into_iter().map(|t| self.ticket_snapshot(at, t)).collect(),
            agents_signed_in: able.iter().map(|p| usize::try_from(p.signed_in()).unwrap_or(usize::MAX)).sum(),
            agents_ready: able.iter().map(|p| p.ready().by_name.len()).sum(),
            service: self.desks.get(id).map(|d| d.service.figures()).unwrap_or_default(),
        }
    }

    fn ticket_snapshot(&self, at: Instant, ticket: &Ticket) -> TicketSnapshot {
        let joining = ticket.joining();
        let assignment = match ticket.place() {
            Place::Ringing(a) => self.offers.get(*a),
            Place::Apart | Place::InLine(_) | Place::Held(..) => None,
        };
        TicketSnapshot {
            ticket: joining.ticket,
            call: joining.call,
            priority: joining.priority,
            class: ticket.rank().class,
            language: joining.language,
            since: joining.since,
            waited: ticket.waited(at),
            ringing: assignment.map(|a| a.agent.clone()),
            told: ticket.told.as_ref().map(|(told, when)| (told.clone(), at.since(*when))),
            estimate: self.expected(ticket),
        }
    }
}

fn agent_snapshot(at: Instant, id: &AgentId, member: &Member) -> AgentSnapshot {
    let agent = member.agent();
    AgentSnapshot {
        agent: id.clone(),
        alias: member.plan().alias.clone(),
        state: agent.state().clone(),
        since: agent.since(),
        in_state: at.since(agent.since()),
        reachable: agent.phone().reachable,
        answered: agent.answered(),
        unanswered: agent.unanswered(),
        times: agent.times(at),
    }
}
