//! `Day`: the shipping menus, Exchange and Acd through a scenario, in simulated time: legs answer, people press keys and
//! hang up by model, without SIP and without sound. A day of 100,000 calls takes seconds.
//!
//! Invariant: the machines inside are those of a live server, driven by the same inputs; only the people are modelled.
mod agents;
mod callers;
mod commands;
mod facts;
mod faults;

use std::time::Duration;

use callers::CallerState;

use super::schedule::Schedule;
use super::tally::Tally;
use super::{Callers, DayReport, FactHash, Plan};
use crate::base::{
    AgentId, CallId, Instant, Key, LegId, Lookup, Now, PartyId, PlayId, SecretToken, TicketId, UtcTime,
};
use crate::exchange::acd::RanAhead;
use crate::exchange::{Cause, ExchangeSettings, Input, NumberedFact, Switchboard};
use agents::AgentPerson;

/// After the last caller came, the rest are served for at most so long.
const AFTERWARDS: Duration = Duration::from_hours(4);
/// What the disk takes to keep something.
const DISK: Duration = Duration::from_millis(5);
/// Between two keys that an agent presses.
const AGENT_KEY_GAP: Duration = Duration::from_millis(300);
/// An agent who did not pick up comes back to his desk after so long.
const BACK_AFTER: Duration = Duration::from_mins(2);
/// A registration that nobody renews lapses.
const LAPSES: Duration = Duration::from_mins(1);

/// How far a simulated day is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Callers who came so far.
    pub came: u64,
    /// How many are expected.
    pub expected: u64,
    /// What a clock in the scenario shows, since its beginning.
    pub at: Duration,
}

/// What will happen.
#[derive(Clone, Debug)]
enum Event {
    /// The next caller of the scenario rings.
    Arrives,
    /// A caller rings again.
    Redials(u64),
    /// He presses his next key, if this is still the same time of his life.
    Presses(u64, u32),
    /// He has had enough.
    GivesUp(u64, u32),
    /// His talk comes to the point where somebody else may come in.
    HalfTalk(u64, u32),
    /// His talk is over.
    TalkEnds(u64, u32),
    /// A playing comes to its end.
    PromptEnds(LegId, PlayId),
    /// A phone that we ring rings, is answered, rings out; a leg is over; it is silent.
    Rings(LegId),
    Answers(LegId),
    RingsOut(LegId),
    Ends(LegId, Cause),
    Silent(LegId),
    /// A far end puts us on hold, or takes us back.
    Holds(LegId, bool),
    /// A third party's phone asks that another one take its place.
    Refers(LegId, PartyId),
    /// A phone presses keys, the first of them now.
    Keys(LegId, Vec<Key>),
    /// The disk has it.
    Recorded(CallId, TicketId),
    /// A batch of futures was run.
    RanAhead(Box<RanAhead>),
    /// An agent's day.
    SignsIn(usize),
    SignsOut(usize),
    Pauses(usize, usize),
    Resumes(usize),
    Written(usize, u32),
    Lapses(usize),
    /// A fault begins, ends.
    FaultBegins(usize),
    FaultEnds(usize),
}

/// Who is behind a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Caller(u64),
    Agent(usize),
    Party(CallId),
}

/// One leg, as its far end knows it.
#[derive(Debug)]
struct Leg {
    whose: Whose,
    /// What is played: whether a key stops it.
    playing: Option<(PlayId, bool)>,
    secret: Option<(SecretToken, u8)>,
    up: bool,
}

/// A simulated day.
#[derive(Debug)]
pub struct Day {
    plan: Plan,
    board: Switchboard,
    now: Instant,
    schedule: Schedule<Event>,
    coming: Callers,
    next: Option<super::Caller>,
    came: u64,
    expected: u64,
    callers: Lookup<u64, CallerState>,
    calls: Lookup<CallId, u64>,
    agents: Vec<AgentPerson>,
    agent_index: Lookup<AgentId, usize>,
    legs: Lookup<LegId, Leg>,
    last_leg: u64,
    last_transfer: u64,
    tally: Tally,
    hash: FactHash,
    /// How much longer everything that is asked of others takes now.
    slow: Duration,
    inputs: u64,
}

impl Day {
    /// A day that has not begun.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let scenario = &plan.scenario;
        let people = super::Agent::all(scenario, seed);
        let agents: Vec<AgentPerson> = people.into_iter().map(AgentPerson::new).collect();
        let mut agent_index = Lookup::new();
        for (n, agent) in agents.iter().enumerate() {
            agent_index.insert(agent.id.clone(), n);
        }
        let mut day = Self {
            board: Switchboard::new(ExchangeSettings::default(), std::sync::Arc::clone(&plan.menus)),
            now: Instant::ZERO,
            schedule: Schedule::default(),
            coming: Callers::new(scenario, seed),
            next: None,
            came: 0,
            expected: Callers::expected(scenario),
            callers: Lookup::new(),
            calls: Lookup::new(),
            tally: Tally::new(&plan, agents.len()),
            agents,
            agent_index,
            legs: Lookup::new(),
            last_leg: 0,
            last_transfer: 0,
            hash: FactHash::default(),
            slow: Duration::ZERO,
            inputs: 0,
            plan,
        };
        day.plan_agents();
        for (n, fault) in day.plan.scenario.faults.iter().enumerate() {
            day.schedule.plan(Instant::ZERO + fault.stretch.from, Event::FaultBegins(n));
            day.schedule.plan(Instant::ZERO + fault.stretch.to, Event::FaultEnds(n));
        }
        day.expect_next();
        day
    }

    /// The same day without a word about waits: what estimates, futures and learning cost is the difference.
    #[must_use]
    pub const fn untold(mut self) -> Self {
        self.board.tell_nobody();
        self
    }

    /// Runs it to its end. `told` hears of every hundredth caller; `fact` of every fact.
    pub fn run(mut self, mut told: impl FnMut(Progress), mut fact: impl FnMut(&NumberedFact)) -> DayReport {
        let mut shown = 0;
        while self.step(&mut fact) {
            if self.came >= shown + 100 {
                shown = self.came;
                told(self.progress());
            }
        }
        told(self.progress());
        self.report()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress { came: self.came, expected: self.expected, at: self.now.since(Instant::ZERO) }
    }

    /// One event. `false`: the day is over.
    fn step(&mut self, fact: &mut impl FnMut(&NumberedFact)) -> bool {
        let event = self.schedule.next_at();
        let deadline = self.board.next_deadline().map(|d| d.at);
        let end = Instant::ZERO + self.plan.scenario.lasts;
        let at = match (event, deadline) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => return false,
        };
        let idle = self.next.is_none() && at > end && self.board.exchange().calls_len() == 0;
        if idle || at > end + AFTERWARDS {
            return false;
        }
        self.now = self.now.max(at);
        if deadline.is_some_and(|d| event.is_none_or(|e| d <= e)) {
            self.inputs += 1;
            self.board.handle_timeout(self.moment());
        } else if let Some((_, event)) = self.schedule.take() {
            self.happens(event);
        }
        self.settle(fact);
        true
    }

    fn moment(&self) -> Now {
        let begins = self.plan.scenario.begins;
        let utc = UtcTime::from_micros(begins.as_micros()) + self.now.since(Instant::ZERO);
        Now { mono: self.now, utc }
    }

    fn feed(&mut self, input: Input) {
        self.inputs += 1;
        self.board.handle(self.moment(), input);
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.schedule.plan(self.now + wait, event);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives => self.arrives(),
            Event::Redials(caller) => self.rings(caller),
            Event::Presses(caller, turn) => self.presses(caller, turn),
            Event::GivesUp(caller, turn) => self.gives_up(caller, turn),
            Event::HalfTalk(caller, turn) => self.half_talk(caller, turn),
            Event::TalkEnds(caller, turn) => self.talk_ends(caller, turn),
            Event::PromptEnds(leg, play) => self.prompt_ends(leg, play),
            Event::Rings(leg) => {
                if self.legs.contains_key(&leg) {
                    self.feed(Input::LegRinging { leg, early_sound: false });
                }
            }
            Event::Answers(leg) => {
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.up = true;
                    self.feed(Input::LegAnswered { leg });
                }
            }
            Event::RingsOut(leg) => {
                if self.legs.get(&leg).is_some_and(|l| !l.up) {
                    self.leg_over(leg, Cause::NoAnswer);
                }
            }
            Event::Ends(leg, cause) => self.leg_over(leg, cause),
            Event::Silent(leg) => {
                if self.legs.contains_key(&leg) {
                    self.feed(Input::SoundLost { leg });
                }
            }
            Event::Holds(leg, held) => {
                if self.legs.contains_key(&leg) {
                    self.feed(Input::LegHeld { leg, held });
                }
            }
            Event::Refers(leg, party) => self.refers(leg, party),
            Event::Keys(leg, keys) => self.agent_keys(leg, keys),
            Event::Recorded(call, ticket) => self.feed(Input::Recorded { call, ticket }),
            Event::RanAhead(ran) => self.feed(Input::RanAhead(*ran)),
            Event::SignsIn(agent) => self.signs_in(agent),
            Event::SignsOut(agent) => self.signs_out(agent),
            Event::Pauses(agent, n) => self.pauses(agent, n),
            Event::Resumes(agent) => self.resumes(agent),
            Event::Written(agent, turn) => self.written(agent, turn),
            Event::Lapses(agent) => self.lapses(agent),
            Event::FaultBegins(n) => self.fault_begins(n),
            Event::FaultEnds(n) => self.fault_ends(n),
        }
    }

    /// A leg is over, whoever ended it: told exactly once.
    fn leg_over(&mut self, leg: LegId, cause: Cause) {
        let Some(gone) = self.legs.remove(&leg) else { return };
        match gone.whose {
            Whose::Caller(caller) => self.caller_gone(caller),
            Whose::Agent(agent) => self.agent_leg_gone(agent, leg),
            Whose::Party(_) => {}
        }
        self.feed(Input::LegEnded { leg, cause });
    }

    fn prompt_ends(&mut self, leg: LegId, play: PlayId) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        if l.playing.take_if(|(p, _)| *p == play).is_some() {
            self.feed(Input::PromptEnded { leg, play });
        }
    }

    /// Presses one key at a leg, as the media plane reports it.
    fn press(&mut self, leg: LegId, key: Key) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let input = match &mut l.secret {
            Some((token, length)) if key.digit().is_some() => {
                *length = length.saturating_add(1);
                Input::SecretDigit { leg, token: *token, length: *length }
            }
            Some(_) | None => {
                let stopped = l.playing.take_if(|(_, barge_in)| *barge_in);
                Input::Key { leg, key, play: stopped.map(|(play, _)| play) }
            }
        };
        self.feed(input);
    }

    fn report(self) -> DayReport {
        let broken = u64::try_from(self.board.check(self.moment()).len()).unwrap_or(u64::MAX);
        let exchange = self.board.exchange();
        let machine = super::tally::Machine {
            inputs: self.inputs,
            ignored: exchange.ignored(),
            broken: exchange.broken() + broken,
            batches: self.board.acd().snapshot(self.moment()).counters.batches,
            facts: self.hash.facts(),
            hash: self.hash.finish(),
        };
        self.tally.finish(&self.plan, self.now.since(Instant::ZERO), machine)
    }
}
