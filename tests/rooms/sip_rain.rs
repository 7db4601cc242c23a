//! Calls in bad weather: 5 % of the datagrams lost, 5 % doubled, others overtaken. With PRACK, UPDATE, re-INVITE and
//! session timers, both sides agree on the same sound, stay up as long as they want, and are told of one end.
use std::collections::BTreeMap;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{
    EndReason, ForkId, InviteId, OutgoingInvite, SessionSettings, SipEvent, Status, UserAgentSettings,
};
use proptest::prelude::*;

use crate::support::sip_world::{Weather, World};

const RAIN: Weather =
    Weather { delay: Duration::from_millis(10), jitter: Duration::from_millis(50), loss: 5, duplication: 5 };

type Whose = (usize, InviteId);

#[derive(Clone, Copy, Debug)]
enum Act {
    Ring(Whose),
    Progress(Whose),
    Answer(Whose),
    AnswerEarly(Whose, ForkId, u64),
    Reoffer(Whose),
    AnswerReoffer(Whose, u64),
    RefuseReoffer(Whose),
    End(Whose),
}

/// One side of a call: the numbers of the offers that it heard of.
#[derive(Clone, Debug, Default)]
struct Side {
    sip_call_id: String,
    incoming: bool,
    /// The peer's first offer; `None`: it made none, and `ours` is our own.
    offered: Option<u64>,
    ours: u64,
    /// The exchange that this side takes for the latest.
    agreed: Option<u64>,
    answered: usize,
    ended: Vec<EndReason>,
    /// What it agreed to and when, for whoever reads a failure.
    history: Vec<(Instant, u64)>,
}

struct Rain {
    world: World,
    rng: Rng,
    plans: BTreeMap<(Instant, u64), Act>,
    last: u64,
    sides: BTreeMap<Whose, Side>,
    /// What went which way, over all seeds of a test.
    refreshed: u64,
}

fn offer(number: u64) -> Vec<u8> {
    format!("offer {number}").into_bytes()
}
fn answer(number: u64) -> Vec<u8> {
    format!("answer {number}").into_bytes()
}
fn number(sdp: &[u8]) -> u64 {
    std::str::from_utf8(sdp).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}
fn is_offer(sdp: &[u8]) -> bool {
    sdp.starts_with(b"offer")
}

fn short_sessions(settings: UserAgentSettings) -> UserAgentSettings {
    let session = SessionSettings { interval: Duration::from_secs(90), least: Duration::from_secs(90) };
    UserAgentSettings { session, ..settings }
}

impl Rain {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed, RAIN);
        world.hides_update = seed.is_multiple_of(3);
        world.add("alice", short_sessions);
        world.add("bob", short_sessions);
        let rng = Rng::from_number(seed ^ 0x7a1);
        Self { world, rng, plans: BTreeMap::new(), last: 0, sides: BTreeMap::new(), refreshed: 0 }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.rng.below(one_in) == 0
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn plan(&mut self, from_ms: u64, to_ms: u64, act: Act) {
        let at = self.world.now + Duration::from_millis(from_ms + self.rng.below(to_ms - from_ms));
        let order = self.number();
        self.plans.insert((at, order), act);
    }

    fn call(&mut self) {
        let from = usize::try_from(self.rng.below(2)).unwrap();
        let number = self.number();
        let sdp = (!self.chance(4)).then(|| offer(number));
        let wanted = OutgoingInvite { offer: sdp, ..self.world.outgoing(from, 1 - from) };
        let id = self.world.invite_as(from, wanted);
        let sip_call_id = self.world.ua(from).sip_call_id(id).unwrap().to_owned();
        self.sides.insert((from, id), Side { sip_call_id, ours: number, ..Side::default() });
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let plan = self.plans.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= end);
            let next = self.world.next_at().filter(|at| *at <= end);
            match (plan, next) {
                (Some(plan), next) if next.is_none_or(|next| plan <= next) => {
                    self.world.now = self.world.now.max(plan);
                    let (_, act) = self.plans.pop_first().unwrap();
                    self.act(act);
                }
                (_, Some(_)) => {
                    self.world.step();
                }
                (_, None) => break,
            }
            self.listen();
        }
        self.world.now = end;
    }

    fn act(&mut self, act: Act) {
        let fresh = self.number();
        match act {
            Act::Ring((party, id)) => self.world.with(party, |ua, now| ua.ring(now, id)),
            Act::Progress(whose) => {
                let sdp = self.first_words(whose);
                self.world.with(whose.0, |ua, now| ua.progress(now, whose.1, sdp));
                // The peer may ask for a change, and so may we, before the answer.
                if self.chance(3) {
                    self.plan(100, 900, Act::Reoffer(whose));
                }
            }
            Act::Answer(whose) => {
                let sdp = self.first_words(whose);
                self.world.with(whose.0, |ua, now| ua.answer(now, whose.1, sdp));
            }
            Act::AnswerEarly((party, id), fork, n) => {
                self.agree((party, id), n);
                self.world.with(party, |ua, now| ua.answer_early(now, id, fork, answer(n)));
            }
            Act::Reoffer((party, id)) => self.world.with(party, |ua, now| ua.reoffer(now, id, offer(fresh))),
            Act::AnswerReoffer((party, id), n) => {
                self.agree((party, id), n);
                self.world.with(party, |ua, now| ua.answer_reoffer(now, id, answer(n)));
            }
            Act::RefuseReoffer((party, id)) => {
                self.world.with(party, |ua, now| ua.refuse_reoffer(now, id, Status::NOT_ACCEPTABLE_HERE));
            }
            Act::End((party, id)) => self.world.with(party, |ua, now| ua.end(now, id)),
        }
    }

    /// What the callee says first: its answer, or its offer.
    fn first_words(&mut self, whose: Whose) -> Vec<u8> {
        let side = &self.sides[&whose];
        match side.offered {
            Some(n) => {
                if side.agreed.is_none() {
                    self.agree(whose, n);
                }
                answer(n)
            }
            None => offer(side.ours),
        }
    }

    fn agree(&mut self, whose: Whose, n: u64) {
        let now = self.world.now;
        let side = self.sides.get_mut(&whose).unwrap();
        side.agreed = Some(n);
        side.history.push((now, n));
    }

    fn listen(&mut self) {
        for party in 0..2 {
            while let Some(event) = self.world.parties[party].events.pop_front() {
                self.hear(party, event);
            }
        }
    }

    fn hear(&mut self, party: usize, event: SipEvent) {
        match event {
            SipEvent::Incoming(incoming) => {
                let whose = (party, incoming.invite);
                let ours = self.number();
                let offered = incoming.offer.as_deref().map(number);
                let sip_call_id = incoming.sip_call_id.clone();
                self.sides
                    .insert(whose, Side { sip_call_id, incoming: true, offered, ours, ..Side::default() });
                self.plan(0, 400, Act::Ring(whose));
                if self.chance(2) {
                    self.plan(400, 1_500, Act::Progress(whose));
                }
                self.plan(2_000, 6_000, Act::Answer(whose));
            }
            SipEvent::EarlyOffer { invite, fork, offer } => {
                self.plan(0, 300, Act::AnswerEarly((party, invite), fork, number(&offer)));
            }
            SipEvent::EarlyAnswer { invite, sdp } => self.agree((party, invite), number(&sdp)),
            SipEvent::Progress { invite, sdp: Some(sdp), .. } => {
                self.agree((party, invite), number(&sdp));
                if self.chance(3) {
                    self.plan(0, 800, Act::Reoffer((party, invite)));
                }
            }
            SipEvent::Answered { invite, sdp } => self.answered((party, invite), sdp),
            SipEvent::Acknowledged { invite, sdp } => {
                if let Some(sdp) = sdp {
                    self.agree((party, invite), number(&sdp));
                }
                self.change_later((party, invite));
            }
            SipEvent::Reoffer { invite, offer } => {
                let n = number(&offer.unwrap());
                let refusable = self.sides[&(party, invite)].agreed != Some(n) && self.chance(4);
                let whose = (party, invite);
                let act = if refusable { Act::RefuseReoffer(whose) } else { Act::AnswerReoffer(whose, n) };
                self.plan(0, 300, act);
            }
            SipEvent::ReofferAnswered { invite, sdp } => self.agree((party, invite), number(&sdp.unwrap())),
            SipEvent::Refreshed { invite, sdp } => {
                self.refreshed += 1;
                assert_eq!(
                    self.sides[&(party, invite)].agreed,
                    Some(number(&sdp)),
                    "it said what it said last"
                );
            }
            SipEvent::Ended { invite, why } => self.sides.get_mut(&(party, invite)).unwrap().ended.push(why),
            SipEvent::Progress { sdp: None, .. } | SipEvent::ReofferRefused { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self, whose: Whose, sdp: Option<Vec<u8>>) {
        let side = self.sides.get_mut(&whose).unwrap();
        side.answered += 1;
        let Some(sdp) = sdp else { return };
        self.agree(whose, number(&sdp));
        if is_offer(&sdp) {
            self.world.with(whose.0, |ua, now| ua.ack_with(now, whose.1, answer(number(&sdp))));
        }
        self.change_later(whose);
    }

    /// Changes are made early: at the times of judgement nothing is under way but refreshes.
    fn change_later(&mut self, whose: Whose) {
        if self.world.now < Instant::from_secs(20) && self.chance(2) {
            self.plan(0, 10_000, Act::Reoffer(whose));
        }
    }

    /// Both sides of each call, by the Call-ID.
    fn pairs(&self) -> Vec<Vec<Whose>> {
        let mut pairs: BTreeMap<&str, Vec<Whose>> = BTreeMap::new();
        for (whose, side) in &self.sides {
            pairs.entry(&side.sip_call_id).or_default().push(*whose);
        }
        pairs.into_values().collect()
    }

    /// All calls stand, and both sides know the same.
    fn judge_standing(&mut self) -> Result<(), TestCaseError> {
        for pair in self.pairs() {
            prop_assert_eq!(pair.len(), 2, "an INVITE made two calls, or none");
            for (party, id) in &pair {
                let state = self.world.parties[*party].ua.describe(*id);
                prop_assert_eq!(state, Some("confirmed"), "{:?}\n{}", pair, self.world.ladder.draw());
            }
            let (one, other) = (&self.sides[&pair[0]], &self.sides[&pair[1]]);
            prop_assert_eq!(
                one.agreed,
                other.agreed,
                "{:?}: {:?}\n{:?}\n{}",
                pair,
                one,
                other,
                self.world.ladder.draw()
            );
            prop_assert_eq!(one.answered + other.answered, 1);
            prop_assert!(one.incoming != other.incoming);
        }
        Ok(())
    }
}

fn calls_in_the_rain(seed: u64) -> Result<u64, TestCaseError> {
    let mut rain = Rain::new(seed);
    for _ in 0..6 {
        rain.call();
    }
    let start = rain.world.now;
    rain.run_until(start + Duration::from_secs(44));
    rain.judge_standing()?;
    // Every session of 90 s is refreshed, several times.
    rain.run_until(start + Duration::from_secs(400));
    rain.judge_standing()?;
    for pair in rain.pairs() {
        let who = pair[usize::from(rain.rng.below(2) == 1)];
        rain.plan(0, 5_000, Act::End(who));
        if rain.chance(3) {
            for whose in pair {
                rain.plan(0, 5_000, Act::End(whose));
            }
        }
    }
    let end = rain.world.now + Duration::from_secs(100);
    rain.run_until(end);
    for (whose, side) in &rain.sides {
        let natural = matches!(side.ended.as_slice(), [EndReason::EndedByUs | EndReason::ByeReceived]);
        prop_assert!(natural, "{:?}: {:?}\n{}", whose, side, rain.world.ladder.draw());
    }
    rain.world.assert_nothing_leaks();
    Ok(rain.refreshed)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn every_call_is_answered_once_agrees_and_lives_until_somebody_ends_it(seed in any::<u64>()) {
        calls_in_the_rain(seed)?;
    }
}

#[test]
fn without_update_the_refresh_repeats_what_was_said_last() {
    let refreshed: u64 = (0..4).map(|n| calls_in_the_rain(n * 3).unwrap()).sum();
    assert!(refreshed > 50, "{refreshed}");
}

/// In this one an UPDATE sent before the answer is answered after it: what the answer agreed on stays.
#[test]
fn an_update_that_crosses_the_answer_ends_no_session() {
    calls_in_the_rain(1_151_305_909_070_988_671).unwrap();
}
