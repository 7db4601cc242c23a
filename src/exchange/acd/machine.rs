//! `Acd`: the automatic call distributor as one machine. It routes inputs and timers to its parts and owns nothing
//! that they decide. Each input is followed by the timers that are due and by [`Acd::dispatch`].
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::agent::AgentEvent;
use super::ahead::Ahead;
use super::estimate::{Estimator, Recent};
use super::measured::Measured;
use super::offers::Offers;
use super::order::Rank;
use super::passed::Passed;
use super::roster::Roster;
use super::service::Service;
use super::timers::{Timer, Timers};
use super::waiting::WaitingRoom;
use super::{AcdCounters, AcdInput, AcdOutput, AcdPlan};
use crate::base::{AgentId, AssignmentId, CallId, Deadline, Now, QueueId};

/// All queues and agents, and who gets whom.
///
/// One input, then every output, then the next input:
///
/// ```
/// # use hotline::{base::Now, exchange::acd::{Acd, AcdInput, AcdPlan, AgentWish}};
/// let mut acd = Acd::new(std::sync::Arc::new(AcdPlan::default()));
/// acd.handle(Now::default(), AcdInput::Agent { agent: "mei".into(), wish: AgentWish::SignIn });
/// while let Some(output) = acd.poll_output() {
///     println!("{output:?}");
/// }
/// assert_eq!(acd.next_deadline(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Acd {
    pub(super) plan: Arc<AcdPlan>,
    pub(super) now: Now,
    pub(super) roster: Roster,
    pub(super) room: WaitingRoom,
    pub(super) offers: Offers,
    pub(super) desks: BTreeMap<QueueId, Desk>,
    pub(super) timers: Timers,
    /// Agents who became free since the last matching.
    pub(super) freed: BTreeSet<AgentId>,
    /// Tickets that came into line since the last matching.
    pub(super) fresh: BTreeSet<Rank>,
    pub(super) counters: AcdCounters,
    pub(super) outputs: VecDeque<AcdOutput>,
    /// Whose conversation ended last, and in which queue: he comes back at once if he was passed on.
    pub(super) parted: Option<(CallId, QueueId)>,
    /// What futures are asked for, and known.
    pub(super) ahead: Ahead,
    /// It runs ahead of time: nobody is told anything, and nothing is counted or measured.
    pub(super) quiet: bool,
    /// Nobody is told how long he waits: see [`Acd::tell_nobody`].
    pub(super) untold: bool,
}

/// What is counted and measured of one queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    pub(super) measured: Measured,
    pub(super) service: Service,
    pub(super) recent: Recent,
    pub(super) estimator: Arc<Estimator>,
    pub(super) passed: Passed,
}

impl Acd {
    /// How many things of callers are held: none once nobody waits and nobody talks.
    pub(crate) fn held(&self) -> [(&'static str, usize); 3] {
        [
            ("tickets", self.room.tickets().count()),
            ("offers", self.offers.len()),
            ("acd_timers", self.timers.len()),
        ]
    }

    /// A distributor for these queues and agents; everybody is signed out and without a phone.
    pub fn new(plan: Arc<AcdPlan>) -> Self {
        let mut acd = Self {
            plan: Arc::default(),
            now: Now::default(),
            roster: Roster::default(),
            room: WaitingRoom::default(),
            offers: Offers::default(),
            desks: BTreeMap::new(),
            timers: Timers::default(),
            freed: BTreeSet::new(),
            fresh: BTreeSet::new(),
            counters: AcdCounters::default(),
            outputs: VecDeque::new(),
            parted: None,
            ahead: Ahead::default(),
            quiet: false,
            untold: false,
        };
        acd.replace_plan(plan);
        acd
    }
    /// Numbers of offers begin above `last`: none is used twice, not even after a restart.
    #[must_use]
    pub fn numbered_above(mut self, last: AssignmentId) -> Self {
        self.offers.numbered_above(last);
        self
    }

    /// From now on nobody is told how long he waits, and nothing is learned of it: what is left is what estimates cost.
    pub const fn tell_nobody(&mut self) {
        self.untold = true;
    }

    /// Takes a new plan; running state is kept by name, and only what changed is touched. An agent who is gone from it
    /// finishes his conversation; callers of a queue that is gone overflow with [`super::OverflowCause::NoSuchQueue`].
    pub fn install(&mut self, now: Now, plan: Arc<AcdPlan>) {
        self.advance(now);
        if Arc::ptr_eq(&self.plan, &plan) {
            return;
        }
        self.replace_plan(plan);
        self.dispatch();
        self.run_due();
    }

    /// Something happened. What makes no sense is ignored and counted.
    pub fn handle(&mut self, now: Now, input: AcdInput) {
        self.advance(now);
        self.counters.inputs += 1;
        match input {
            AcdInput::Enter(joining) => self.enter(joining),
            AcdInput::Leave { ticket, cause: _ } => self.leave(ticket),
            AcdInput::Accepted { assignment } => self.accepted(assignment),
            AcdInput::Refused { assignment, cause: _ } => self.not_taken(assignment, "refused"),
            AcdInput::NoAnswer { assignment } => self.not_taken(assignment, "no_answer"),
            AcdInput::CallerGone { assignment } => self.caller_gone(assignment),
            AcdInput::PickedUp { assignment, ticket } => self.picked_up(assignment, ticket),
            AcdInput::TalkEnded { assignment, talked } => self.talk_ended(assignment, talked),
            AcdInput::Agent { agent, wish } => self.wish(&agent, wish),
            AcdInput::Reachable { agent, reachable } => self.reachable(&agent, reachable),
            AcdInput::Engaged { agent, engaged } => self.engaged(&agent, engaged),
            AcdInput::RanAhead(ran) => self.ran_ahead(ran),
        }
        self.dispatch();
        self.run_due();
    }

    /// The moment it asked for has come.
    pub fn handle_timeout(&mut self, now: Now) {
        self.advance(now);
    }

    /// One thing to do; call until `None`.
    pub fn poll_output(&mut self) -> Option<AcdOutput> {
        self.outputs.pop_front()
    }

    /// When it wants to be woken, and why.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }

    /// One line for logs and console.
    pub fn describe(&self) -> String {
        let waiting = self.room.tickets().count();
        let signed_in = self.roster.iter().filter(|(_, m)| m.agent().signed_in()).count();
        format!("{waiting} waiting, {signed_in} agents signed in, {} offers so far", self.counters.offers)
    }

    /// Brings the clock forward, never back, and does what was due.
    pub(super) fn advance(&mut self, now: Now) {
        self.now = Now { mono: now.mono.max(self.now.mono), utc: now.utc };
        self.run_due();
    }

    pub(super) fn run_due(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Ageing(ticket) => self.age(ticket),
                Timer::Lease(assignment) => self.lease_over(assignment),
                Timer::WrapUp(agent) => {
                    self.change_agent(&agent, AgentEvent::WrapUpOver);
                }
                Timer::SameAgent(ticket) => self.release(ticket),
                Timer::WaitMax(ticket) => self.wait_over(ticket),
                Timer::Tell(ticket) => self.tell(ticket),
            }
            self.dispatch();
        }
    }

    /// Notes something of a queue, while it is in the plan.
    pub(super) fn at_desk(&mut self, queue: &QueueId, note: impl FnOnce(&mut Desk)) {
        if let Some(desk) = self.desks.get_mut(queue).filter(|_| !self.quiet) {
            note(desk);
        }
    }
}
