//! What must hold after every input. Looks at everything, so it is for tests, and live for a sample.
use super::agent::Duty;
use super::offers::LEASE_MARGIN;
use super::order::class_at;
use super::roster::{Member, Profile};
use super::timers::Timer;
use super::waiting::{Place, Ticket};
use super::{Acd, AgentState};
use crate::base::{AgentId, TicketId};

/// The first thing found broken, in words.
type Broken = Result<(), String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Broken {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Acd {
    /// Checks everything; the first thing found broken, in words.
    pub fn check(&self) -> Broken {
        must(self.fresh.is_empty() && self.freed.is_empty(), || "something is left to match".to_owned())?;
        for (id, ticket) in self.room.tickets() {
            self.check_ticket(id, ticket).map_err(|e| format!("{id}: {e}"))?;
        }
        for (id, member) in self.roster.iter() {
            self.check_agent(id, member).map_err(|e| format!("{id}: {e}"))?;
        }
        self.check_offers()?;
        self.check_lines()?;
        for (id, profile) in self.roster.profiles() {
            self.check_profile(profile).map_err(|e| format!("profile {id}: {e}"))?;
        }
        self.check_timers()?;
        self.check_nobody_idle_beside_a_caller()
    }

    fn check_ticket(&self, id: TicketId, ticket: &Ticket) -> Broken {
        let joining = ticket.joining();
        let queue = self.plan.queues.get(&joining.queue);
        let rank = ticket.rank();
        match ticket.place() {
            Place::Apart => return Err("is nowhere".to_owned()),
            Place::Ringing(a) => {
                must(self.offers.ringing(*a).is_some_and(|a| a.ticket == id), || {
                    format!("{a} is not for it")
                })?;
                let silent = self.timers.at(&Timer::Tell(id)).is_none();
                return must(silent, || "would be told while a phone rings".to_owned());
            }
            Place::InLine(line) => {
                let line = self.room.line(*line).ok_or("its line is closed")?;
                must(line.waiting().iter().any(|r| r == rank), || "is not in its line".to_owned())?;
            }
            Place::Held(line, agent) => {
                let line = self.room.line(*line).ok_or("its line is closed")?;
                must(line.held().iter().any(|r| r == rank), || "is not held in its line".to_owned())?;
                let member = self.roster.get(agent).ok_or("is held for nobody")?;
                must(member.held().contains(&rank), || format!("{agent} does not know of it"))?;
                must(member.agent().at_work(), || format!("is held for {agent}, who is not at work"))?;
                must(self.timers.at(&Timer::SameAgent(id)).is_some(), || "is held for ever".to_owned())?;
            }
        }
        let queue = queue.ok_or("waits in a queue that is not in the plan")?;
        let class = class_at(joining.priority, joining.since, queue.ageing, self.now.mono);
        must(rank.class == class, || format!("has class {} in place of {class}", rank.class))?;
        let step = ticket.next_step(self.now.mono);
        must(self.timers.at(&Timer::Ageing(id)) == step, || "does not age in time".to_owned())?;
        let limit = queue.wait_max.map(|max| ticket.entered() + max);
        must(self.timers.at(&Timer::WaitMax(id)) == limit, || "its longest wait is not watched".to_owned())?;
        must(ticket.told.is_some(), || "was told nothing".to_owned())
    }

    fn check_agent(&self, id: &AgentId, member: &Member) -> Broken {
        let agent = member.agent();
        must(agent.since() <= self.now.mono, || "is in the future".to_owned())?;
        match agent.duty() {
            Duty::Ringing(a) => {
                must(self.offers.ringing(*a).is_some_and(|a| a.agent == *id), || {
                    format!("{a} does not ring for him")
                })?;
            }
            Duty::Talking(a) => {
                must(self.offers.talking(*a).is_some_and(|a| a.agent == *id), || format!("{a} is not his"))?;
            }
            Duty::WrapUp => {
                let until = self.timers.at(&Timer::WrapUp(id.clone()));
                must(until.is_some(), || "wraps up for ever".to_owned())?;
            }
            Duty::SignedOut | Duty::Free | Duty::Paused(_) => {}
        }
        let ready = *agent.state() == AgentState::Ready;
        must(ready == agent.offerable(), || "is shown Ready though he is not, or the reverse".to_owned())?;
        must(self.plan.agents.contains_key(id) || member.leaving(), || "is not in the plan".to_owned())?;
        for rank in member.held() {
            let place = self.room.ticket(rank.ticket).map(Ticket::place);
            must(matches!(place, Some(Place::Held(_, a)) if a == id), || {
                format!("{} waits not for him", rank.ticket)
            })?;
        }
        Ok(())
    }

    fn check_offers(&self) -> Broken {
        for (id, offer) in self.offers.iter() {
            let state = self.state_of(&offer.agent);
            let ringing = offer.answered.is_none();
            let expected = if ringing { AgentState::Ringing(id) } else { AgentState::Talking(id) };
            must(state == Some(&expected), || format!("{id}: {} is {state:?}", offer.agent))?;
            if ringing {
                let place = self.room.ticket(offer.ticket).map(Ticket::place);
                must(place == Some(&Place::Ringing(id)), || format!("{id}: {} is {place:?}", offer.ticket))?;
                let lease = self.timers.at(&Timer::Lease(id));
                let holds = lease.is_some_and(|l| l > self.now.mono && l >= offer.offered + LEASE_MARGIN);
                must(holds, || format!("{id} has no lease"))?;
            }
        }
        Ok(())
    }

    fn check_lines(&self) -> Broken {
        let mut places = 0;
        for (id, line) in self.room.lines() {
            places += line.waiting().len() + line.held().len();
            let able = self.roster.able(line.need());
            must(line.profiles() == able, || {
                format!("line {id}: {:?} in place of {able:?}", line.profiles())
            })?;
            let linked = |p: &u32| self.roster.profile(*p).is_some_and(|p| p.lines().contains(&id));
            must(able.iter().all(linked), || format!("line {id}: a profile does not know of it"))?;
        }
        let in_line = |t: &Ticket| matches!(t.place(), Place::InLine(_) | Place::Held(..));
        let tickets = self.room.tickets().filter(|(_, t)| in_line(t)).count();
        must(places == tickets, || format!("{places} places for {tickets} tickets"))?;
        let mut sizes = std::collections::BTreeMap::new();
        for (_, ticket) in self.room.tickets() {
            *sizes.entry(&ticket.joining().queue).or_insert(0) += 1;
        }
        let agree = sizes.iter().all(|(queue, n)| self.room.size(queue) == *n);
        must(agree, || "a queue's size is wrong".to_owned())
    }

    fn check_profile(&self, profile: &Profile) -> Broken {
        let members: Vec<&Member> = profile.members().iter().filter_map(|m| self.roster.get(m)).collect();
        must(members.len() == profile.members().len(), || "has a member nobody knows".to_owned())?;
        let count = |f: fn(&Member) -> bool| members.iter().filter(|m| f(m)).count();
        let ready = count(|m| m.agent().offerable());
        let sets = profile.ready();
        let sizes = [sets.by_idle.len(), sets.by_calls.len(), sets.by_name.len()];
        must(sizes == [ready; 3], || format!("{sizes:?} ready in place of {ready}"))?;
        let known = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        must(known(profile.at_work()) == count(|m| m.agent().at_work()), || "at work".to_owned())?;
        must(known(profile.signed_in()) == count(|m| m.agent().signed_in()), || "signed in".to_owned())?;
        let leaving = count(|m| m.agent().at_work() && m.until().is_some());
        must(known(profile.leaving().values().sum()) == leaving, || "leaving".to_owned())
    }

    fn check_timers(&self) -> Broken {
        for (at, timer) in self.timers.iter() {
            must(*at > self.now.mono, || format!("{timer:?} is overdue"))?;
            let alive = match timer {
                Timer::Ageing(t) | Timer::SameAgent(t) | Timer::WaitMax(t) | Timer::Tell(t) => {
                    self.room.ticket(*t).is_some()
                }
                Timer::Lease(a) => self.offers.ringing(*a).is_some(),
                Timer::WrapUp(a) => self.state_of(a) == Some(&AgentState::WrapUp),
            };
            must(alive, || format!("{timer:?} is for nothing"))?;
        }
        Ok(())
    }

    /// Looked at the slow way: every ready agent beside every caller.
    fn check_nobody_idle_beside_a_caller(&self) -> Broken {
        for (agent, _) in self.roster.iter().filter(|(_, m)| m.agent().offerable()) {
            for (id, ticket) in self.room.tickets() {
                let idle = match ticket.place() {
                    Place::InLine(line) => {
                        self.room.line(*line).is_some_and(|line| self.roster.can(agent, line.need()))
                    }
                    Place::Held(_, known) => known == agent,
                    Place::Apart | Place::Ringing(_) => false,
                };
                must(!idle, || format!("{agent} is idle beside {id}"))?;
            }
        }
        Ok(())
    }
}
