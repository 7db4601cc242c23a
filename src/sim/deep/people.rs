//! What people do in a deep run: the same draws as in a simulated day, by real phones.
use std::net::Ipv4Addr;
use std::time::Duration;

use super::phone::{Phone, Told};
use super::{DeepDay, Event, Owner, PASSWORD, PUT_AWAY, SIP_PORT, hotline};
use crate::base::{AgentId, CallId, Instant};
use crate::exchange::acd::{AgentState, AgentWish};
use crate::exchange::{Fact, Ops};
use crate::sim::Caller;

/// Something that somebody does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Arrives,
    Redials(u64),
    Presses(u64, u32),
    GivesUp(u64, u32),
    TalkEnds(u64, u32),
    PicksUp(usize),
    SignsIn(usize),
    Wishes(usize, AgentWish),
    Written(usize, u32),
}

/// A caller, as far as his story has come.
#[derive(Debug)]
pub(super) struct CallerLine {
    caller: Caller,
    attempt: usize,
    pressed: usize,
    turn: u32,
    served: bool,
    agent: Option<usize>,
    call: Option<CallId>,
}

/// A caller's own address.
fn caller_ip(number: u64) -> Ipv4Addr {
    let n = u32::try_from(number % 0xff_fffe).unwrap_or(0) + 1;
    Ipv4Addr::from(0x0a00_0000 | n)
}

/// An agent's.
fn agent_ip(agent: usize) -> Ipv4Addr {
    Ipv4Addr::from(0xac10_0001 + u32::try_from(agent).unwrap_or(0))
}

impl DeepDay<'_> {
    /// Agents get their phones, the first caller is awaited.
    pub(super) fn people_come(&mut self) {
        let lasts = self.plan.scenario.lasts;
        for n in 0..self.agents.len() {
            let Some(agent) = self.agents.get(n) else { continue };
            let ip = agent_ip(n);
            let phone = Phone::new(ip, &agent.id, Some(PASSWORD), hotline(SIP_PORT), &self.rng);
            let mut deeds = Vec::new();
            for shift in &agent.shifts {
                deeds.push((shift.from, Deed::SignsIn(n)));
                if shift.to < lasts {
                    deeds.push((shift.to, Deed::Wishes(n, AgentWish::SignOut)));
                }
            }
            for (stretch, reason) in &agent.breaks {
                let works = |at| agent.shifts.iter().any(|s| s.holds(at));
                if works(stretch.from) && works(stretch.to) {
                    deeds.push((stretch.from, Deed::Wishes(n, AgentWish::Pause(reason.clone()))));
                    deeds.push((stretch.to, Deed::Wishes(n, AgentWish::Ready)));
                }
            }
            self.phones.insert(ip, (phone, Owner::Agent(n)));
            for (at, deed) in deeds {
                self.schedule.plan(Instant::ZERO + at, Event::Does(deed));
            }
        }
        self.expect_next();
    }

    fn expect_next(&mut self) {
        self.next = self.coming.next().filter(|c| c.number < self.calls_max);
        if let Some(next) = &self.next {
            self.schedule.plan(Instant::ZERO + next.arrives, Event::Does(Deed::Arrives));
        }
    }

    /// Nobody calls any more, and nobody is inside.
    pub(super) fn is_quiet(&self) -> bool {
        self.callers.is_empty() && self.node.is_idle() && self.plane.legs() == 0
    }

    fn deed(&mut self, wait: Duration, deed: Deed) {
        self.plan_in(wait, Event::Does(deed));
    }

    pub(super) fn does(&mut self, deed: Deed) {
        match deed {
            Deed::Arrives => {
                let Some(caller) = self.next.take() else { return };
                let number = caller.number;
                self.by_phone.insert(caller.phone.clone(), number);
                let line = CallerLine {
                    caller,
                    attempt: 0,
                    pressed: 0,
                    turn: 0,
                    served: false,
                    agent: None,
                    call: None,
                };
                self.callers.insert(number, line);
                self.rings(number);
                self.expect_next();
            }
            Deed::Redials(number) => self.rings(number),
            Deed::Presses(number, turn) => self.presses(number, turn),
            Deed::GivesUp(number, turn) => {
                if self.callers.get(&number).is_some_and(|c| c.turn == turn) {
                    self.hang_up(caller_ip(number));
                }
            }
            Deed::TalkEnds(number, turn) => {
                let Some(line) = self.callers.get(&number).filter(|c| c.turn == turn) else { return };
                let agent = line.agent.filter(|_| !line.caller.ends_talk);
                self.hang_up(agent.map_or_else(|| caller_ip(number), agent_ip));
            }
            Deed::PicksUp(agent) => {
                let now = self.now;
                self.with(agent_ip(agent), |phone| phone.answer(now));
            }
            Deed::SignsIn(agent) => {
                let now = self.now;
                self.with(agent_ip(agent), |phone| phone.register(now));
                self.wish(agent, AgentWish::SignIn);
            }
            Deed::Wishes(agent, wish) => self.wish(agent, wish),
            Deed::Written(agent, turn) => {
                if self.agent_turns.get(agent) == Some(&turn) {
                    self.wish(agent, AgentWish::Ready);
                }
            }
        }
    }

    fn with(&mut self, ip: Ipv4Addr, act: impl FnOnce(&mut Phone)) {
        if let Some((phone, _)) = self.phones.get_mut(&ip) {
            act(phone);
            self.touched.insert(ip);
        }
    }

    fn hang_up(&mut self, ip: Ipv4Addr) {
        let now = self.now;
        self.with(ip, |phone| phone.hang_up(now));
    }

    /// By the console: agents' codes are the menus' own, and are tried elsewhere.
    fn wish(&mut self, agent: usize, wish: AgentWish) {
        if let Some(id) = self.agents.get(agent).map(|a| AgentId::from(a.id.as_str())) {
            self.node.handle_ops(self.now, Ops::Agent { agent: id, wish });
        }
    }

    fn rings(&mut self, number: u64) {
        let Some(line) = self.callers.get_mut(&number) else { return };
        let Some(class) = self.plan.scenario.callers.get(line.caller.class) else { return };
        line.pressed = 0;
        line.turn += 1;
        self.report.calls += 1;
        let ip = caller_ip(number);
        let mut phone = Phone::new(ip, &line.caller.phone, None, hotline(SIP_PORT), &self.rng);
        phone.dial(self.now, &class.number);
        self.phones.insert(ip, (phone, Owner::Caller(number)));
        self.touched.insert(ip);
    }

    fn presses(&mut self, number: u64, turn: u32) {
        let Some(line) = self.callers.get_mut(&number).filter(|c| c.turn == turn) else { return };
        let Some(press) = line.caller.presses.get(line.pressed).copied() else { return };
        line.pressed += 1;
        let (wait, deed) = match line.caller.presses.get(line.pressed) {
            Some(next) => (next.after, Deed::Presses(number, turn)),
            None => (line.caller.patience, Deed::GivesUp(number, turn)),
        };
        self.report.keys_pressed += 1;
        self.deed(wait, deed);
        self.with(caller_ip(number), |phone| phone.press(press.key));
    }

    /// A phone says something to its owner.
    pub(super) fn phone_told(&mut self, ip: Ipv4Addr, owner: Owner, told: Told) {
        match (owner, told) {
            (Owner::Caller(number), Told::Up) => {
                let Some(line) = self.callers.get(&number) else { return };
                let turn = line.turn;
                match line.caller.presses.first() {
                    Some(press) => self.deed(press.after, Deed::Presses(number, turn)),
                    None => self.deed(line.caller.patience, Deed::GivesUp(number, turn)),
                }
            }
            (Owner::Caller(number), Told::Over(_)) => self.caller_over(number, ip),
            (Owner::Agent(agent), Told::Rings) => {
                let Some(a) = self.agents.get_mut(agent) else { return };
                let Some(group) = self.plan.scenario.agents.get(a.group) else { return };
                if let Some(after) = a.draws.offer(group).picks_up {
                    self.deed(after, Deed::PicksUp(agent));
                }
            }
            (Owner::Agent(_), Told::Up | Told::Over(_)) | (Owner::Caller(_), Told::Rings) => {}
        }
    }

    fn caller_over(&mut self, number: u64, ip: Ipv4Addr) {
        let Some(line) = self.callers.get_mut(&number) else { return };
        line.turn += 1;
        let again = line.caller.redials.get(line.attempt).copied().filter(|_| !line.served);
        line.attempt += 1;
        line.agent = None;
        match again {
            // The same phone would still be sending its last answers.
            Some(after) => self.deed(after.max(PUT_AWAY), Deed::Redials(number)),
            None => {
                self.callers.remove(&number);
            }
        }
        self.plan_in(PUT_AWAY, Event::PutAway(ip));
    }

    pub(super) fn became_true(&mut self, fact: &Fact) {
        match fact {
            Fact::CallStarted { call, arrival, .. } => {
                if let Some(number) = self.by_phone.get(&arrival.caller).copied() {
                    self.calls.insert(*call, number);
                    if let Some(line) = self.callers.get_mut(&number) {
                        line.call = Some(*call);
                    }
                }
            }
            Fact::KeyPressed { .. } => self.report.keys_noted += 1,
            Fact::DigitsEntered { digits, .. } => {
                self.report.keys_noted += u64::try_from(digits.len()).unwrap_or(0);
            }
            Fact::SecretEntered { length, .. } => self.report.keys_noted += u64::from(*length),
            Fact::Connected { call, agent, .. } => self.talks(*call, agent),
            Fact::AgentLeft { call, on_with_party: false, agent, .. } => self.left(*call, agent),
            Fact::AgentChanged { agent, state } => self.agent_changed(agent, state),
            _ => {}
        }
    }

    fn talks(&mut self, call: CallId, agent: &AgentId) {
        let Some(number) = self.calls.get(&call).copied() else { return };
        let agent = self.agent_index.get(agent).copied();
        let Some(line) = self.callers.get_mut(&number) else { return };
        line.turn += 1;
        line.served = true;
        line.agent = agent;
        let turn = line.turn;
        let group =
            agent.and_then(|a| self.agents.get(a)).and_then(|a| self.plan.scenario.agents.get(a.group));
        let talk = group.map_or(Duration::from_mins(2), |g| line.caller.talks(g));
        self.report.talks += 1;
        // Sound that came before the talk was music; what is heard from now on is each other.
        for ip in [Some(caller_ip(number)), agent.map(agent_ip)].into_iter().flatten() {
            self.with(ip, |phone| phone.heard = 0);
        }
        self.deed(talk, Deed::TalkEnds(number, turn));
    }

    /// The talk is over: each must have heard something, if there was time.
    fn left(&mut self, call: CallId, agent: &AgentId) {
        let Some(number) = self.calls.get(&call).copied() else { return };
        let agent = self.agent_index.get(agent).copied();
        let heard = |ip: Ipv4Addr| self.phones.get(&ip).map_or(0, |(phone, _)| phone.heard);
        let both = heard(caller_ip(number)) > 0 && agent.is_some_and(|a| heard(agent_ip(a)) > 0);
        self.report.two_way += u64::from(both);
        if let Some(line) = self.callers.get_mut(&number) {
            line.turn += 1;
            line.agent = None;
            let (turn, patience) = (line.turn, line.caller.patience);
            self.deed(patience, Deed::GivesUp(number, turn));
        }
    }

    fn agent_changed(&mut self, id: &AgentId, state: &AgentState) {
        let Some(n) = self.agent_index.get(id).copied() else { return };
        let Some(turn) = self.agent_turns.get_mut(n) else { return };
        *turn += 1;
        let turn = *turn;
        let Some(group) = self.agents.get(n).and_then(|a| self.plan.scenario.agents.get(a.group)) else {
            return;
        };
        if *state == AgentState::WrapUp {
            self.deed(group.wrap_up.mean(), Deed::Written(n, turn));
        } else if *state == AgentState::Paused("no_answer".to_owned()) {
            self.deed(Duration::from_mins(2), Deed::Written(n, turn));
        }
    }
}
