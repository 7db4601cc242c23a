//! A slow, obvious model of queues and agents, to compare the real ones with: lists, sorted and searched at every step.
//! Written from the rules, not from the code.
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, AssignmentId, Instant, TicketId};
use hotline::exchange::acd::{
    AcdInput, AcdPlan, AgentPlan, AgentState, AgentWish, Joining, NobodyRule, OverflowCause, QueuePlan,
    Strategy,
};

/// What the model decides: the same things the real one says, without the tellings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Offer(AssignmentId, TicketId, AgentId),
    Revoke(AssignmentId),
    Overflow(TicketId, OverflowCause),
}

#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub joining: Joining,
    entered: Instant,
    waits_for: Option<AgentId>,
    passed: Vec<AgentId>,
    pub ringing: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Work {
    Nothing,
    Ringing(AssignmentId),
    Talking(AssignmentId),
    WrapUp(Instant),
}

#[derive(Clone, Debug)]
struct Person {
    id: AgentId,
    signed_in: bool,
    paused: Option<String>,
    reachable: bool,
    engaged: bool,
    work: Work,
    later: Option<AgentWish>,
    idle_since: Instant,
    answered: u64,
    untaken: u8,
}

#[derive(Clone, Debug)]
struct Given {
    id: AssignmentId,
    ticket: TicketId,
    agent: AgentId,
    lease: Instant,
    wrap_up: Duration,
    answered: bool,
}

pub(crate) struct Model {
    plan: Arc<AcdPlan>,
    now: Instant,
    pub callers: Vec<Caller>,
    people: Vec<Person>,
    given: Vec<Given>,
    last: AssignmentId,
    pub decisions: Vec<Decision>,
}

impl Person {
    fn free(&self) -> bool {
        self.signed_in
            && self.paused.is_none()
            && self.work == Work::Nothing
            && self.reachable
            && !self.engaged
    }
    fn at_work(&self) -> bool {
        let busy = matches!(self.work, Work::Ringing(_) | Work::Talking(_));
        self.signed_in && self.paused.is_none() && (busy || self.reachable || self.engaged)
    }
    fn state(&self) -> AgentState {
        match (&self.work, &self.paused) {
            (Work::Ringing(a), _) => AgentState::Ringing(*a),
            (Work::Talking(a), _) => AgentState::Talking(*a),
            (Work::WrapUp(_), _) => AgentState::WrapUp,
            (Work::Nothing, Some(reason)) => AgentState::Paused(reason.clone()),
            (Work::Nothing, None) if !self.signed_in => AgentState::SignedOut,
            (Work::Nothing, None) if self.engaged => AgentState::Engaged,
            (Work::Nothing, None) if !self.reachable => AgentState::Unreachable,
            (Work::Nothing, None) => AgentState::Ready,
        }
    }
    fn idle_from(&mut self, now: Instant) {
        self.work = Work::Nothing;
        self.idle_since = now;
    }
}

fn can(plan: &AgentPlan, queue: &QueuePlan, joining: &Joining) -> bool {
    plan.languages.contains(&joining.language)
        && queue.skills.iter().chain(&joining.skills).all(|s| plan.skills.contains_key(s))
}

/// The class after ageing, by counting steps one by one.
fn class(joining: &Joining, queue: &QueuePlan, now: Instant) -> u8 {
    let mut class = joining.priority;
    let mut next = joining.since + queue.ageing;
    while class > 0 && next <= now {
        class -= 1;
        next += queue.ageing;
    }
    class
}

impl Model {
    pub(crate) fn new(plan: Arc<AcdPlan>) -> Self {
        let person = |id: &AgentId| Person {
            id: id.clone(),
            signed_in: false,
            paused: None,
            reachable: false,
            engaged: false,
            work: Work::Nothing,
            later: None,
            idle_since: Instant::ZERO,
            answered: 0,
            untaken: 0,
        };
        let people = plan.agents.keys().map(person).collect();
        Self {
            plan,
            now: Instant::ZERO,
            callers: Vec::new(),
            people,
            given: Vec::new(),
            last: AssignmentId(0),
            decisions: Vec::new(),
        }
    }

    pub(crate) fn states(&self) -> Vec<(AgentId, AgentState)> {
        self.people.iter().map(|p| (p.id.clone(), p.state())).collect()
    }
    pub(crate) fn talking(&self) -> Vec<AssignmentId> {
        self.given.iter().filter(|g| g.answered).map(|g| g.id).collect()
    }
    /// Everybody not yet answered, in the true order.
    pub(crate) fn order(&self) -> Vec<&Caller> {
        let mut all: Vec<&Caller> = self.callers.iter().collect();
        all.sort_by_key(|c| self.rank(c));
        all
    }
    fn rank(&self, c: &Caller) -> (u8, Instant, TicketId) {
        (class(&c.joining, &self.plan.queues[&c.joining.queue], self.now), c.joining.since, c.joining.ticket)
    }

    /// Time passes; what falls due happens, first things first.
    pub(crate) fn advance(&mut self, to: Instant) {
        while let Some((at, kind, index)) = self.due().filter(|(at, ..)| *at <= to) {
            self.now = at;
            match kind {
                0 => {
                    let id = self.given[index].id;
                    self.decisions.push(Decision::Revoke(id));
                    self.not_taken(id, "no_answer");
                }
                1 => self.wrap_up_over(index),
                2 => self.callers[index].waits_for = None,
                _ => {
                    let ticket = self.callers[index].joining.ticket;
                    self.overflow(ticket, OverflowCause::WaitLimit);
                }
            }
            self.settle();
        }
        self.now = to;
    }

    fn due(&self) -> Option<(Instant, u8, usize)> {
        let mut due = Vec::new();
        for (i, g) in self.given.iter().enumerate().filter(|(_, g)| !g.answered) {
            due.push((g.lease, 0, i));
        }
        for (i, p) in self.people.iter().enumerate() {
            if let Work::WrapUp(until) = p.work {
                due.push((until, 1, i));
            }
        }
        for (i, c) in self.callers.iter().enumerate().filter(|(_, c)| !c.ringing) {
            let queue = &self.plan.queues[&c.joining.queue];
            if c.waits_for.is_some() {
                due.push((c.entered + queue.same_agent_wait, 2, i));
            }
            if let Some(max) = queue.wait_max {
                due.push((c.entered + max, 3, i));
            }
        }
        due.into_iter().min()
    }

    pub(crate) fn handle(&mut self, input: &AcdInput) {
        match input {
            AcdInput::Enter(joining) => self.enter(joining),
            AcdInput::Leave { ticket, .. } => self.leave(*ticket),
            AcdInput::Accepted { assignment } => self.accepted(*assignment),
            AcdInput::Refused { assignment, .. } => self.not_taken(*assignment, "refused"),
            AcdInput::NoAnswer { assignment } => self.not_taken(*assignment, "no_answer"),
            AcdInput::CallerGone { assignment } | AcdInput::PickedUp { assignment, .. } => {
                self.caller_gone(*assignment);
            }
            AcdInput::TalkEnded { assignment, .. } => self.talk_ended(*assignment),
            AcdInput::Agent { agent, wish } => self.wish(agent, wish),
            AcdInput::Reachable { agent, reachable } => self.phone(agent, |p| p.reachable = *reachable),
            AcdInput::Engaged { agent, engaged } => self.phone(agent, |p| p.engaged = *engaged),
            AcdInput::RanAhead(_) => {}
        }
        self.settle();
        self.advance(self.now);
    }

    fn person(&mut self, id: &AgentId) -> &mut Person {
        self.people.iter_mut().find(|p| p.id == *id).unwrap()
    }

    fn enter(&mut self, joining: &Joining) {
        let Some(queue) = self.plan.queues.get(&joining.queue).cloned() else {
            return self.decisions.push(Decision::Overflow(joining.ticket, OverflowCause::NoSuchQueue));
        };
        let able = |p: &&Person| can(&self.plan.agents[&p.id], &queue, joining);
        let signed_in = self.people.iter().filter(able).any(|p| p.signed_in);
        let free = self.people.iter().filter(able).any(Person::free);
        let here = self.callers.iter().filter(|c| c.joining.queue == joining.queue).count();
        if queue.nobody == NobodyRule::Overflow && !signed_in {
            return self.decisions.push(Decision::Overflow(joining.ticket, OverflowCause::NobodySignedIn));
        }
        if here >= queue.size_max && !free {
            return self.decisions.push(Decision::Overflow(joining.ticket, OverflowCause::Full));
        }
        let known = joining.prefer.clone().filter(|id| {
            !queue.same_agent_wait.is_zero()
                && self.people.iter().filter(able).any(|p| p.id == *id && p.at_work())
        });
        self.callers.push(Caller {
            joining: joining.clone(),
            entered: self.now,
            waits_for: known,
            passed: Vec::new(),
            ringing: false,
        });
    }

    fn leave(&mut self, ticket: TicketId) {
        if let Some(id) = self.given.iter().find(|g| g.ticket == ticket && !g.answered).map(|g| g.id) {
            self.decisions.push(Decision::Revoke(id));
            self.caller_gone(id);
        }
        self.callers.retain(|c| c.joining.ticket != ticket);
    }

    /// Takes a reservation that rings out of the list.
    fn end(&mut self, id: AssignmentId) -> Option<Given> {
        let at = self.given.iter().position(|g| g.id == id && !g.answered)?;
        Some(self.given.remove(at))
    }

    fn accepted(&mut self, id: AssignmentId) {
        let Some(given) = self.given.iter_mut().find(|g| g.id == id && !g.answered) else { return };
        given.answered = true;
        let (ticket, agent) = (given.ticket, given.agent.clone());
        self.callers.retain(|c| c.joining.ticket != ticket);
        let person = self.person(&agent);
        person.work = Work::Talking(id);
        person.answered += 1;
        person.untaken = 0;
    }

    fn caller_gone(&mut self, id: AssignmentId) {
        let Some(given) = self.end(id) else { return };
        self.callers.retain(|c| c.joining.ticket != given.ticket);
        self.person(&given.agent).work = Work::Nothing;
    }

    fn not_taken(&mut self, id: AssignmentId, reason: &str) {
        let Some(given) = self.end(id) else { return };
        self.back(&given);
        let most = self.plan.agents[&given.agent].unanswered_max.max(1);
        let now = self.now;
        let person = self.person(&given.agent);
        person.idle_from(now);
        person.untaken += 1;
        if person.untaken >= most {
            person.untaken = 0;
            person.paused = Some(reason.to_owned());
        }
    }

    /// The caller is back at his old place.
    fn back(&mut self, given: &Given) {
        let now = self.now;
        let caller = self.callers.iter_mut().find(|c| c.joining.ticket == given.ticket).unwrap();
        caller.ringing = false;
        caller.waits_for = None;
        caller.passed.retain(|a| *a != given.agent);
        caller.passed.push(given.agent.clone());
        let queue = &self.plan.queues[&caller.joining.queue];
        if caller.entered < now && queue.wait_max.is_some_and(|max| caller.entered + max <= now) {
            self.overflow(given.ticket, OverflowCause::WaitLimit);
        }
    }

    fn overflow(&mut self, ticket: TicketId, why: OverflowCause) {
        self.callers.retain(|c| c.joining.ticket != ticket);
        self.decisions.push(Decision::Overflow(ticket, why));
    }

    fn talk_ended(&mut self, id: AssignmentId) {
        let Some(at) = self.given.iter().position(|g| g.id == id && g.answered) else { return };
        let given = self.given.remove(at);
        let now = self.now;
        let person = self.person(&given.agent);
        match person.later.take() {
            Some(AgentWish::SignOut) => {
                person.idle_from(now);
                person.signed_in = false;
            }
            later if !given.wrap_up.is_zero() => {
                person.later = later;
                person.work = Work::WrapUp(now + given.wrap_up);
            }
            later => {
                person.idle_from(now);
                if let Some(AgentWish::Pause(reason)) = later {
                    person.paused = Some(reason);
                }
            }
        }
    }

    fn wrap_up_over(&mut self, index: usize) {
        let now = self.now;
        let person = &mut self.people[index];
        person.idle_from(now);
        if let Some(AgentWish::Pause(reason)) = person.later.take() {
            person.paused = Some(reason);
        }
    }

    /// An offer that rings at this agent is withdrawn.
    fn withdraw(&mut self, agent: &AgentId) {
        let Some(id) = self.given.iter().find(|g| g.agent == *agent && !g.answered).map(|g| g.id) else {
            return;
        };
        let given = self.end(id).unwrap();
        self.decisions.push(Decision::Revoke(id));
        self.back(&given);
        let now = self.now;
        self.person(agent).idle_from(now);
    }

    fn wish(&mut self, agent: &AgentId, wish: &AgentWish) {
        let now = self.now;
        let person = self.person(agent);
        if matches!(person.work, Work::Talking(_)) {
            person.later = match wish {
                AgentWish::SignIn | AgentWish::Ready => None,
                AgentWish::SignOut | AgentWish::Pause(_) => Some(wish.clone()),
            };
            return;
        }
        match wish {
            AgentWish::SignIn if !person.signed_in => {
                person.signed_in = true;
                person.answered = 0;
                person.idle_from(now);
            }
            AgentWish::Ready if matches!(person.work, Work::WrapUp(_)) || person.paused.is_some() => {
                person.paused = None;
                person.later = None;
                person.idle_from(now);
            }
            AgentWish::SignOut if person.signed_in => {
                self.withdraw(agent);
                let person = self.person(agent);
                (person.signed_in, person.paused, person.later, person.untaken) = (false, None, None, 0);
                person.work = Work::Nothing;
            }
            AgentWish::Pause(reason) if person.signed_in => {
                self.withdraw(agent);
                let person = self.person(agent);
                (person.paused, person.later, person.untaken) = (Some(reason.clone()), None, 0);
                person.work = Work::Nothing;
            }
            AgentWish::SignIn | AgentWish::Ready | AgentWish::SignOut | AgentWish::Pause(_) => {}
        }
    }

    fn phone(&mut self, agent: &AgentId, change: impl FnOnce(&mut Person)) {
        let now = self.now;
        let person = self.person(agent);
        let was = person.free();
        change(person);
        if !was && person.free() {
            person.idle_since = now;
        }
        if !person.reachable || person.engaged {
            self.withdraw(agent);
        }
    }

    /// Everything that follows: who waits for nobody any more, who overflows, who gets whom.
    fn settle(&mut self) {
        for i in 0..self.callers.len() {
            let gone = self.callers[i].waits_for.clone().is_some_and(|a| !self.person(&a).at_work());
            if gone && !self.callers[i].ringing {
                self.callers[i].waits_for = None;
            }
        }
        let stranded = |c: &&Caller| {
            let queue = &self.plan.queues[&c.joining.queue];
            let staff = |p: &Person| p.signed_in && can(&self.plan.agents[&p.id], queue, &c.joining);
            !c.ringing && queue.nobody == NobodyRule::Overflow && !self.people.iter().any(staff)
        };
        let stranded: Vec<TicketId> =
            self.callers.iter().filter(stranded).map(|c| c.joining.ticket).collect();
        for ticket in stranded {
            self.overflow(ticket, OverflowCause::NobodySignedIn);
        }
        while self.match_one() {}
    }

    fn match_one(&mut self) -> bool {
        let pair = self.order().into_iter().filter(|c| !c.ringing).find_map(|c| {
            let queue = &self.plan.queues[&c.joining.queue];
            let suits = |p: &&Person| {
                p.free()
                    && can(&self.plan.agents[&p.id], queue, &c.joining)
                    && c.waits_for.as_ref().is_none_or(|a| *a == p.id)
            };
            let cost = |p: &&Person| {
                let passed = c.passed.iter().position(|a| *a == p.id);
                let strategy = if passed.is_some() { 0 } else { self.cost(p, queue, c) };
                let idle = if queue.strategy == Strategy::ByName { Instant::ZERO } else { p.idle_since };
                (passed, strategy, idle, p.id.clone())
            };
            let best = self.people.iter().filter(suits).min_by_key(cost)?;
            Some((c.joining.ticket, best.id.clone(), queue.clone()))
        });
        let Some((ticket, agent, queue)) = pair else { return false };
        self.last = AssignmentId(self.last.0 + 1);
        let id = self.last;
        self.callers.iter_mut().find(|c| c.joining.ticket == ticket).unwrap().ringing = true;
        self.person(&agent).work = Work::Ringing(id);
        let lease = self.now + queue.ring_for + Duration::from_secs(5);
        self.given.push(Given {
            id,
            ticket,
            agent: agent.clone(),
            lease,
            wrap_up: queue.wrap_up,
            answered: false,
        });
        self.decisions.push(Decision::Offer(id, ticket, agent));
        true
    }

    fn cost(&self, p: &Person, queue: &QueuePlan, c: &Caller) -> i64 {
        let plan = &self.plan.agents[&p.id];
        match queue.strategy {
            Strategy::LongestIdle | Strategy::ByName => 0,
            Strategy::FewestCalls => i64::try_from(p.answered).unwrap(),
            Strategy::LeastVersatile => i64::try_from(plan.skills.len()).unwrap(),
            Strategy::MostSkilled => {
                let mut wanted: Vec<_> = queue.skills.iter().chain(&c.joining.skills).collect();
                wanted.sort();
                wanted.dedup();
                -wanted.into_iter().map(|s| i64::from(plan.skills[s])).sum::<i64>()
            }
        }
    }
}
