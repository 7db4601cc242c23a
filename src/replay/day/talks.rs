//! Conversations as they go on: an agent rings a third party in private with the keys that a person would press, joins all
//! three, lets it go; a phone that passes its caller on by itself, or has another take its place (REFER, RFC 3515); whoever is
//! left alone waits anew.
//!
//! Invariant: a turn that was planned happens only if nothing else turned the conversation meanwhile.
use std::time::Duration;

use super::leg::{Between, Part, Partner, Seat, Talk};
use super::sound::arrival_clock;
use super::town::{Town, Turn, Wish};
use crate::base::{Instant, Key, Now, PartyId};
use crate::sim::{FarEnd, TransferWish};
use crate::sip::{Incoming, Status};

/// Between two keys of an agent: as in a simulated day.
const KEY_GAP: Duration = Duration::from_millis(300);
/// How long a key is held where it goes by INFO, in milliseconds.
const HELD_MS: u32 = 100;
/// A caller who was left with a third party goes on talking for so long: as in a simulated day.
const ALONE: Duration = Duration::from_mins(2);
/// A server that was asked to ring who takes a third party's place has so long for it.
const FOLLOWED: Duration = Duration::from_secs(30);
/// The server has so long to end a caller's call after his agent's; then he takes it that he waits again.
const LEFT: Duration = Duration::from_secs(1);

impl Town {
    /// Caller and agent talk from now on; what will become of it is planned.
    pub(super) fn talk_begins(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(Part::Agent { agent, caller }) = self.places.get(seat).map(|leg| &leg.part) else { return };
        let (agent, caller) = (*agent, *caller);
        let scenario = std::sync::Arc::clone(&self.settings.scenario);
        let Some(group) = self.group_of(agent).and_then(|n| scenario.agents.get(n)) else { return };
        let known = caller.and_then(|c| Some((c, self.places.caller(c)?)));
        let caller = known.map(|(c, _)| c);
        let (lasts, writes, ender, third, passed) = known.map_or_else(
            || (group.talk.mean(), group.wrap_up.mean(), seat, None, false),
            |(c, person)| {
                let party = group.consults.as_ref().map(|consults| consults.party.clone());
                let third = party.zip(person.third_party(group, &scenario));
                let ender = if person.ends_talk { c } else { seat };
                let passed = self.passes_on(at, FarEnd::Agent, c).is_some();
                (person.talks(group), person.wrap_up(group), ender, third, passed)
            },
        );
        self.will_write(agent, writes);
        let middle = third.is_some() || passed;
        if let Some(leg) = self.places.get_mut(seat) {
            leg.talk = Some(Talk { caller, ender, rest: lasts / 2, third, party: None, next: None });
            leg.turn += 1;
        }
        let (after, turn) = if middle { (lasts / 2, Turn::Middle) } else { (lasts, Turn::End) };
        self.turn(at + after, seat, turn);
        if let Some(caller) = caller {
            if let Some(leg) = self.places.get_mut(caller) {
                leg.talks_to = Some(seat);
                leg.turn += 1;
            }
            self.introduce(now, (caller, 0), (seat, 1), Between::Two);
        }
    }

    /// Plans the next turn of the conversation at this agent's phone.
    fn turn(&mut self, at: Instant, seat: Seat, turn: Turn) {
        if let Some(number) = self.places.get(seat).map(|leg| leg.turn) {
            self.wish(at, Wish::Turn(seat, number, turn));
        }
    }

    /// Two listen for each other: whoever they are, with the place of their tone.
    fn introduce(&mut self, now: Now, one: (Seat, usize), other: (Seat, usize), between: Between) {
        let since = arrival_clock(now);
        for ((seat, _), (partner, tone)) in [(one, other), (other, one)] {
            if let Some(leg) = self.places.get_mut(seat) {
                leg.partner = Some(Partner { seat: partner, since, between });
                leg.partner_heard = None;
                leg.ear.listen(tone);
            }
        }
    }

    /// A turn of a conversation has come.
    pub(super) fn turns(&mut self, now: Now, at: Instant, (seat, number, turn): (Seat, u32, Turn)) {
        let Some(leg) = self.places.get(seat).filter(|leg| leg.turn == number) else { return };
        let Some(talk) = &leg.talk else { return };
        let (ender, caller) = (talk.ender, talk.caller);
        self.gauges.acted(now.mono.since(at));
        match turn {
            Turn::Middle => self.middle(now, at, seat),
            Turn::Join => {
                let joined = self.press_all(now, at, seat, &self.settings.codes.join.clone());
                self.turn(joined, seat, Turn::AllThree);
            }
            Turn::AllThree => self.all_three(now, at, seat, caller),
            Turn::PassOn => self.pass_on(now, at, seat),
            Turn::LetGo => {
                let keys = self.settings.codes.drop.clone();
                let dropped = self.press_all(now, at, seat, &keys);
                // Should the third party stay, the talk ends all the same.
                let rest = self.rest_of(seat);
                self.turn(dropped + rest + LEFT, seat, Turn::End);
            }
            Turn::End => self.hang_up(now.mono, ender),
        }
    }

    fn rest_of(&self, seat: Seat) -> Duration {
        self.places.get(seat).and_then(|leg| leg.talk.as_ref()).map(|talk| talk.rest).unwrap_or_default()
    }

    /// The middle of a talk into which somebody else comes.
    fn middle(&mut self, now: Now, at: Instant, seat: Seat) {
        let rest = self.rest_of(seat);
        let third = self.places.get(seat).and_then(|leg| leg.talk.as_ref()?.third.clone());
        if let Some((party, _)) = third {
            match self.settings.parties.get(&party).cloned() {
                Some(line) => {
                    self.gauges.counts.parties_asked += 1;
                    self.asked.entry(line.number.clone()).or_default().push_back(seat);
                    let typed = self.press_all(now, at, seat, &line.invite);
                    // Should nobody come of it, the talk goes on to its end.
                    return self.turn(typed + 4 * KEY_GAP + rest, seat, Turn::End);
                }
                None => self.gauges.counts.parties_without_code += 1,
            }
        }
        self.turn(at + rest, seat, Turn::End);
        let caller = self.places.get(seat).and_then(|leg| leg.talk.as_ref()?.caller);
        let Some(to) = caller.and_then(|caller| self.passes_on(at, FarEnd::Agent, caller)) else { return };
        let user = match to {
            TransferWish::Queue(queue) => queue.as_str().to_owned(),
            TransferWish::Party(party) => {
                let Some(line) = self.settings.parties.get(&party) else { return };
                let number = line.number.clone();
                self.passed.entry(number.clone()).or_default().extend(caller);
                number
            }
        };
        self.gauges.counts.transfers += 1;
        if let Some(invite) = self.places.get(seat).map(|leg| leg.invite) {
            self.engine.sip.refer(now.mono, invite, &format!("sip:{user}@{}", self.settings.host));
        }
    }

    /// Where far ends of this kind transfer by themselves at this moment, if this caller's conversation is one of those.
    fn passes_on(&self, at: Instant, far_end: FarEnd, caller: Seat) -> Option<TransferWish> {
        let person = self.places.caller(caller)?;
        let is_one = |percent| person.is_transferred(percent);
        self.settings.scenario.transfers_itself(self.scenario_time(at), far_end, is_one).cloned()
    }

    /// Presses keys one after the other; says when the last one will be pressed.
    fn press_all(&mut self, now: Now, at: Instant, seat: Seat, keys: &str) -> Instant {
        let keys: Vec<Key> = keys.chars().filter_map(Key::from_char).collect();
        let mut when = at;
        for (n, key) in keys.iter().enumerate() {
            if n == 0 {
                self.press(now, seat, *key);
            } else {
                when += KEY_GAP;
                self.wish(when, Wish::Press(seat, *key));
            }
        }
        when
    }

    /// A phone presses a key: in the sound, or by INFO where the server takes it only so.
    pub(super) fn press(&mut self, now: Now, seat: Seat, key: Key) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        if leg.mouth.takes_keys() {
            leg.mouth.press(key);
        } else {
            self.gauges.counts.keys_by_info += 1;
            self.engine.sip.press(now.mono, leg.invite, key, HELD_MS);
        }
    }

    /// The server rings a number that is no agent's: a third party's, or nobody's.
    pub(super) fn party_rings(&mut self, now: Now, incoming: &Incoming) {
        let number = &incoming.request_user;
        let party = self.settings.parties.iter().find(|(_, line)| line.number == *number);
        let Some(party) = party.map(|(id, _)| id.clone()) else {
            self.engine.sip.reject(now.mono, incoming.invite, Status::NOT_FOUND, None);
            return;
        };
        let Some((seat, sound)) = self.sound_for(now.mono, incoming) else { return };
        self.gauges.counts.party_calls += 1;
        let agent = self.who_asked(number);
        let caller = match agent {
            Some(agent) => self.places.get(agent).and_then(|leg| leg.talk.as_ref()?.caller),
            None => self.passed.get_mut(number).and_then(std::collections::VecDeque::pop_front),
        };
        let picks_up = self.picks_up(agent, &party);
        let talk = agent.and_then(|agent| self.places.get(agent)?.talk.as_ref());
        let follows = talk.is_some_and(|talk| talk.party.is_some() && talk.next.as_ref() == Some(number));
        if let Some(leg) = agent.and_then(|agent| self.places.get_mut(agent)) {
            // The talk's end is no longer where it was planned.
            leg.turn += 1;
        }
        self.seat(seat, now.mono, Part::Party { agent, caller, follows }, (incoming.invite, sound));
        self.engine.sip.ring(now.mono, incoming.invite);
        if let Some(after) = picks_up {
            self.wish(now.mono + after, Wish::PickUp(seat));
        }
    }

    /// Who pressed for this number first and is still there.
    fn who_asked(&mut self, number: &str) -> Option<Seat> {
        let asked = self.asked.get_mut(number)?;
        while let Some(seat) = asked.pop_front() {
            if self.places.get(seat).is_some() {
                return Some(seat);
            }
        }
        None
    }

    fn picks_up(&self, agent: Option<Seat>, party: &PartyId) -> Option<Duration> {
        let talk = agent.and_then(|agent| self.places.get(agent)?.talk.as_ref());
        match talk.and_then(|talk| talk.third.as_ref()) {
            Some((_, third)) => third.picks_up,
            None => self.settings.scenario.parties.get(party).map(|model| model.pick_up.mean()),
        }
    }

    /// A third party picks up.
    pub(super) fn party_talks(&mut self, now: Now, at: Instant, seat: Seat) {
        let Some(Part::Party { agent, caller, follows }) = self.places.get(seat).map(|leg| &leg.part) else {
            return;
        };
        let (agent, caller, follows) = (*agent, *caller, *follows);
        self.gauges.counts.party_talks += 1;
        if let Some(talk) = agent.and_then(|agent| self.places.get_mut(agent)?.talk.as_mut()) {
            talk.party = Some(seat);
        }
        if let (Some(agent), true) = (agent, follows) {
            self.follows(now, at, agent, (seat, caller));
        } else if let Some(agent) = agent {
            let third = self.places.get(agent).and_then(|leg| leg.talk.as_ref()?.third.as_ref());
            let private = third.map(|(_, third)| third.private).unwrap_or_default();
            self.introduce(now, (agent, 1), (seat, 2), Between::Private);
            self.turn(at + private, agent, Turn::Join);
        } else if let Some(caller) = caller {
            if let Some(leg) = self.places.get_mut(caller) {
                leg.talks_to = Some(seat);
                leg.turn += 1;
            }
            self.introduce(now, (caller, 0), (seat, 2), Between::Three);
            self.wish(at + ALONE, Wish::Dismiss(caller));
        }
    }

    /// The last key of joining is pressed.
    fn all_three(&mut self, now: Now, at: Instant, agent: Seat, caller: Option<Seat>) {
        let talk = self.places.get(agent).and_then(|leg| leg.talk.as_ref());
        let Some(party) = talk.and_then(|talk| talk.party) else { return };
        self.gauges.counts.three_ways += 1;
        if let Some(caller) = caller {
            self.introduce(now, (caller, 0), (party, 2), Between::Three);
        }
        let third = self.places.get(agent).and_then(|leg| leg.talk.as_ref()?.third.as_ref());
        let (together, holds) = third.map(|(_, t)| (t.together, t.holds)).unwrap_or_default();
        if let Some(TransferWish::Party(to)) = caller.and_then(|c| self.passes_on(at, FarEnd::Party, c)) {
            let number = self.settings.parties.get(&to).map(|line| line.number.clone());
            if let Some(talk) = self.places.get_mut(agent).and_then(|leg| leg.talk.as_mut()) {
                talk.next = number;
            }
            return self.turn(at + together / 2, agent, Turn::PassOn);
        }
        if let Some(lasts) = holds {
            self.wish(at + together / 2, Wish::Hold(party, true));
            self.wish(at + together / 2 + lasts, Wish::Hold(party, false));
        }
        self.turn(at + together + holds.unwrap_or_default(), agent, Turn::LetGo);
    }

    /// The third party's phone asks that another one take its place (REFER).
    fn pass_on(&mut self, now: Now, at: Instant, agent: Seat) {
        let talk = self.places.get(agent).and_then(|leg| leg.talk.as_ref());
        let wanted = talk.and_then(|talk| Some((talk.party?, talk.next.clone()?)));
        let party = wanted.and_then(|(party, number)| Some((self.places.get(party)?.invite, number)));
        let Some((invite, number)) = party else { return self.nobody_follows(at, agent) };
        self.gauges.counts.party_transfers += 1;
        self.asked.entry(number.clone()).or_default().push_back(agent);
        self.engine.sip.refer(now.mono, invite, &format!("sip:{number}@{}", self.settings.host));
        // Should the server ring nobody, they let it go all the same.
        self.turn(at + FOLLOWED, agent, Turn::LetGo);
    }

    /// Whoever was to take a third party's place is there: caller and agent listen for it, and it for the caller.
    fn follows(&mut self, now: Now, at: Instant, agent: Seat, (seat, caller): (Seat, Option<Seat>)) {
        self.gauges.counts.successions += 1;
        let since = arrival_clock(now);
        let ears = [(Some(agent), seat, 3), (caller, seat, 3), (Some(seat), caller.unwrap_or(agent), 0)];
        for (ear, partner, tone) in ears {
            if let Some(leg) = ear.and_then(|ear| self.places.get_mut(ear)) {
                leg.partner = Some(Partner { seat: partner, since, between: Between::Next });
                leg.partner_heard = None;
                leg.ear.listen(tone);
            }
        }
        self.nobody_follows(at, agent);
    }

    /// Nobody is to follow any more: all three talk for as long as they had left.
    fn nobody_follows(&mut self, at: Instant, agent: Seat) {
        let Some(leg) = self.places.get_mut(agent) else { return };
        let Some(talk) = &mut leg.talk else { return };
        talk.next = None;
        let rest = talk.third.as_ref().map(|(_, third)| third.together / 2).unwrap_or_default();
        leg.turn += 1;
        self.turn(at + rest, agent, Turn::LetGo);
    }

    /// A third party puts the others on hold, or takes them back: by an offer that says so.
    pub(super) fn hold(&mut self, now: Now, seat: Seat, held: bool) {
        let Some(leg) = self.places.get_mut(seat) else { return };
        leg.sound.hold(held);
        let (invite, offer) = (leg.invite, leg.sound.offer());
        self.gauges.counts.holds += u64::from(held);
        self.engine.sip.reoffer(now.mono, invite, offer);
    }

    /// A third party's call is over, or it did not pick up: the talk goes on for what was left of it, unless another one
    /// has its place, or was to have it.
    pub(super) fn party_left(&mut self, now: Now, seat: Seat, agent: Option<Seat>) {
        let Some(agent) = agent else { return };
        let Some(talk) = self.places.get(agent).and_then(|leg| leg.talk.as_ref()) else { return };
        match talk.party {
            Some(there) if there != seat && talk.next.is_none() => {}
            Some(there) if there != seat => self.nobody_follows(now.mono, agent),
            Some(_) | None => {
                let rest = talk.rest;
                if let Some(leg) = self.places.get_mut(agent) {
                    leg.turn += 1;
                }
                self.turn(now.mono + rest, agent, Turn::End);
            }
        }
    }

    /// The agent's call is over, and it was not he who hung up. `at_once`: his phone is gone, and the caller hears it.
    pub(super) fn left_behind(&mut self, now: Instant, caller: Option<Seat>, at_once: bool) {
        let Some(caller) = caller else { return };
        if let Some(turn) = self.places.get(caller).map(|leg| leg.turn) {
            let after = if at_once { Duration::ZERO } else { LEFT };
            self.wish(now + after, Wish::Alone(caller, turn));
        }
    }

    /// A caller has nobody any more, unless somebody came meanwhile: he waits again, with his patience anew.
    pub(super) fn alone(&mut self, at: Instant, seat: Seat, turn: u32) {
        let Some(leg) = self.places.get_mut(seat).filter(|leg| leg.turn == turn) else { return };
        let Part::Caller { caller, .. } = &leg.part else { return };
        let patience = self.settings.hold.unwrap_or(caller.patience);
        leg.talks_to = None;
        leg.partner = None;
        leg.waits_since = Some(at);
        self.gauges.counts.left_alone += 1;
        self.wish(at + patience, Wish::Enough(seat));
    }
}
