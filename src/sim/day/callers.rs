//! What simulated callers do: ring, press keys, wait, talk, hang up, ring again.
use std::time::Duration;

use super::{AGENT_KEY_GAP, Day, Event, Leg, Whose};
use crate::base::{CallId, Instant, Key, LegId, PartyId, TransferId};
use crate::exchange::{Arrival, Cause, Input, Peer, TransferTarget, Vouched};
use crate::sim::{Caller, FarEnd, ThirdParty, TransferWish};

/// How long a talk with an agent is who is not of the scenario.
const UNKNOWN_TALK: Duration = Duration::from_mins(2);

/// A caller, as far as his story has come.
#[derive(Debug)]
pub(super) struct CallerState {
    pub(super) caller: Caller,
    /// How often he rang before.
    pub(super) attempt: usize,
    pub(super) leg: LegId,
    /// Keys pressed in this call.
    pressed: usize,
    /// Grows whenever what he waits for changes: what was planned before does not happen.
    pub(super) turn: u32,
    /// He talked to somebody.
    pub(super) served: bool,
    /// The agent who is rung for him, or talks to him: his place, his leg.
    pub(super) agent: Option<(usize, LegId)>,
    pub(super) call: Option<CallId>,
    /// He talks now: what is left of it after the middle.
    pub(super) second_half: Option<Duration>,
    /// Who is brought into this talk, and how it behaves.
    pub(super) third: Option<ThirdParty>,
    /// Its leg, once it is rung.
    pub(super) party: Option<LegId>,
    /// It has asked, or will ask, that another one take its place.
    pub(super) passing: bool,
}

impl Day {
    /// Plans the next caller of the scenario.
    pub(super) fn expect_next(&mut self) {
        self.next = self.coming.next();
        if let Some(next) = &self.next {
            self.schedule.plan(Instant::ZERO + next.arrives, Event::Arrives);
        }
    }

    pub(super) fn arrives(&mut self) {
        let Some(caller) = self.next.take() else { return };
        self.came += 1;
        let number = caller.number;
        let state = CallerState {
            caller,
            attempt: 0,
            leg: LegId(0),
            pressed: 0,
            turn: 0,
            served: false,
            agent: None,
            call: None,
            second_half: None,
            third: None,
            party: None,
            passing: false,
        };
        self.callers.insert(number, state);
        self.rings(number);
        self.expect_next();
    }

    /// He rings, for the first time or again.
    pub(super) fn rings(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        let Some(class) = self.plan.scenario.callers.get(state.caller.class) else { return };
        self.last_leg += 2;
        let leg = LegId(self.last_leg);
        state.leg = leg;
        state.pressed = 0;
        state.turn += 1;
        let arrival = Arrival {
            dialled: class.number.clone(),
            caller: state.caller.phone.clone(),
            caller_name: String::new(),
            vouched: Vouched::default(),
            peer: Peer::Stranger,
        };
        self.legs.insert(leg, Leg { whose: Whose::Caller(number), playing: None, secret: None, up: false });
        self.feed(Input::LegArrived { leg, arrival });
    }

    /// He was answered: now he listens, thinks and presses, or waits.
    pub(super) fn taken_in(&mut self, number: u64) {
        let Some(state) = self.callers.get(&number) else { return };
        match state.caller.presses.first() {
            Some(press) => self.after(press.after, Event::Presses(number, state.turn)),
            None => self.after(state.caller.patience, Event::GivesUp(number, state.turn)),
        }
    }

    pub(super) fn presses(&mut self, number: u64, turn: u32) {
        let Some(state) = self.callers.get_mut(&number).filter(|s| s.turn == turn) else { return };
        let Some(press) = state.caller.presses.get(state.pressed) else { return };
        state.pressed += 1;
        let (leg, key) = (state.leg, press.key);
        let (wait, event) = match state.caller.presses.get(state.pressed) {
            Some(next) => (next.after, Event::Presses(number, turn)),
            None => (state.caller.patience, Event::GivesUp(number, turn)),
        };
        self.after(wait, event);
        self.press(leg, key);
    }

    pub(super) fn gives_up(&mut self, number: u64, turn: u32) {
        if let Some(leg) = self.callers.get(&number).filter(|s| s.turn == turn).map(|s| s.leg) {
            self.leg_over(leg, Cause::HungUp);
        }
    }

    /// He waits anew, his talk having come to nothing: his patience begins again.
    pub(super) fn waits_again(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        state.turn += 1;
        state.second_half = None;
        let (patience, turn) = (state.caller.patience, state.turn);
        self.after(patience, Event::GivesUp(number, turn));
    }

    /// He and an agent hear each other.
    pub(super) fn talks(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        state.turn += 1;
        state.served = true;
        let turn = state.turn;
        let agent = state.agent.and_then(|(n, _)| self.agents.get_mut(n));
        let Some(group) = agent.as_ref().and_then(|a| self.plan.scenario.agents.get(a.person.group)) else {
            return self.after(UNKNOWN_TALK, Event::TalkEnds(number, turn));
        };
        let talk = state.caller.talks(group);
        if let Some(agent) = agent {
            agent.wrap_up = state.caller.wrap_up(group);
        }
        state.passing = false;
        state.third = state.caller.third_party(group, &self.plan.scenario);
        let at = self.now.since(Instant::ZERO);
        let is_one = |percent| state.caller.is_transferred(percent);
        let transferred = self.plan.scenario.transfers_itself(at, FarEnd::Agent, is_one).is_some();
        let interrupted = state.third.is_some() || transferred;
        state.second_half = interrupted.then_some(talk / 2);
        if interrupted {
            self.after(talk / 2, Event::HalfTalk(number, turn));
        } else {
            self.after(talk, Event::TalkEnds(number, turn));
        }
    }

    /// The middle of a talk into which somebody else comes.
    pub(super) fn half_talk(&mut self, number: u64, turn: u32) {
        let Some(state) = self.callers.get(&number).filter(|s| s.turn == turn) else { return };
        let Some((agent, leg)) = state.agent else { return };
        let rest = state.second_half.unwrap_or_default();
        if state.third.is_some() {
            let group = self.agents.get(agent).and_then(|a| self.plan.scenario.agents.get(a.person.group));
            let party =
                group.and_then(|g| g.consults.as_ref()).and_then(|c| self.plan.menus.directory.get(&c.party));
            if let Some(party) = party {
                let code = party.code.chars().filter_map(Key::from_char);
                let keys: Vec<Key> =
                    self.plan.menus.keys.invite.iter().copied().chain(code).chain([Key::HASH]).collect();
                // Should nobody come of it, the talk goes on to its end.
                let typing = AGENT_KEY_GAP * u32::try_from(keys.len() + 4).unwrap_or(20);
                self.after(rest + typing, Event::TalkEnds(number, turn));
                return self.agent_keys(leg, keys);
            }
        }
        let at = self.now.since(Instant::ZERO);
        let is_one = |percent| state.caller.is_transferred(percent);
        let to = self.plan.scenario.transfers_itself(at, FarEnd::Agent, is_one).cloned();
        self.after(rest, Event::TalkEnds(number, turn));
        let Some(to) = to else { return };
        self.last_transfer += 1;
        let to = match to {
            TransferWish::Queue(queue) => TransferTarget::Queue(queue),
            TransferWish::Party(party) => TransferTarget::Party(party),
        };
        self.feed(Input::TransferAsked { leg, transfer: TransferId(self.last_transfer), to });
    }

    /// All three talk: the agent lets the third party go after a while, in the middle of which it may hold the others, or
    /// have another one take its place.
    pub(super) fn together(&mut self, number: u64) {
        let at = self.now.since(Instant::ZERO);
        let Some(state) = self.callers.get_mut(&number) else { return };
        let Some(third) = state.third else { return };
        let is_one = |percent| state.caller.is_transferred(percent);
        let to = self.plan.scenario.transfers_itself(at, FarEnd::Party, is_one);
        if let (Some(TransferWish::Party(to)), Some(leg)) = (to, state.party) {
            state.passing = true;
            return self.after(third.together / 2, Event::Refers(leg, to.clone()));
        }
        if let (Some(lasts), Some(leg)) = (third.holds, state.party) {
            self.after(third.together / 2, Event::Holds(leg, true));
            self.after(third.together / 2 + lasts, Event::Holds(leg, false));
        }
        self.agent_presses(number, Some(third.together + third.holds.unwrap_or_default()), true);
    }

    /// A third party's phone asks that another one take its place.
    pub(super) fn refers(&mut self, leg: LegId, party: PartyId) {
        if self.legs.contains_key(&leg) {
            self.last_transfer += 1;
            let (transfer, to) = (TransferId(self.last_transfer), TransferTarget::Party(party));
            self.feed(Input::TransferAsked { leg, transfer, to });
        }
    }

    /// It was followed by another one, or by nobody: all three talk on for as long as they had left.
    pub(super) fn is_followed(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        state.passing = false;
        let rest = state.third.map(|third| third.together / 2);
        self.agent_presses(number, rest, true);
    }

    /// Whether a third party is being followed by another one.
    pub(super) fn is_passing(&self, number: u64) -> bool {
        self.callers.get(&number).is_some_and(|state| state.passing)
    }

    /// The talk goes on alone for what was left of it.
    pub(super) fn second_half(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        if let Some(rest) = state.second_half.take() {
            state.turn += 1;
            let turn = state.turn;
            self.after(rest, Event::TalkEnds(number, turn));
        }
    }

    pub(super) fn talk_ends(&mut self, number: u64, turn: u32) {
        let Some(state) = self.callers.get(&number).filter(|s| s.turn == turn) else { return };
        let there = |leg: &LegId| self.legs.contains_key(leg);
        let agent =
            state.agent.filter(|(n, _)| self.agents.get(*n).is_some_and(|a| !a.gone)).map(|(_, leg)| leg);
        let leg = agent.filter(|leg| !state.caller.ends_talk && there(leg)).unwrap_or(state.leg);
        self.leg_over(leg, Cause::HungUp);
    }

    /// His leg is over. He may ring again.
    pub(super) fn caller_gone(&mut self, number: u64) {
        let Some(state) = self.callers.get_mut(&number) else { return };
        state.turn += 1;
        let again = state.caller.redials.get(state.attempt).copied().filter(|_| !state.served);
        let call = state.call.take();
        state.attempt += 1;
        state.agent = None;
        if let Some(after) = again {
            self.tally.redials += 1;
            self.after(after, Event::Redials(number));
        } else {
            self.callers.remove(&number);
        }
        if let Some(call) = call {
            self.calls.remove(&call);
        }
    }

    /// Keys of an agent's phone, one after the other.
    pub(super) fn agent_keys(&mut self, leg: LegId, mut keys: Vec<Key>) {
        if keys.is_empty() {
            return;
        }
        let first = keys.remove(0);
        self.press(leg, first);
        if !keys.is_empty() {
            self.after(AGENT_KEY_GAP, Event::Keys(leg, keys));
        }
    }
}
