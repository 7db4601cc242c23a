//! Two user agents in a storm: whatever is lost, doubled or overtaken, every INVITE has one outcome, every dialog one
//! end, and nothing is left in any table.
use std::collections::BTreeMap;
use std::time::Duration;

use hotline::base::{Instant, Rng};
use hotline::sip::{InviteId, SipEvent, Status};
use proptest::prelude::*;

use crate::support::sip_world::{Weather, World};

type Whose = (usize, InviteId);

/// What a party does at some moment.
#[derive(Clone, Copy, Debug)]
enum Act {
    Call { from: usize },
    Ring(Whose),
    Answer(Whose),
    Reject(Whose),
    End(Whose),
    Reoffer(Whose),
    AnswerReoffer(Whose),
    RefuseReoffer(Whose),
}

#[derive(Clone, Debug, Default)]
struct Story {
    outgoing: bool,
    answered: usize,
    failed: usize,
    ended: usize,
    left_early: bool,
    after_the_end: Vec<SipEvent>,
}

struct Chaos {
    world: World,
    rng: Rng,
    plans: BTreeMap<(Instant, u64), Act>,
    last: u64,
    stories: BTreeMap<Whose, Story>,
}

/// Which invite an event names.
fn named(event: &SipEvent) -> Option<InviteId> {
    match event {
        SipEvent::Incoming(incoming) => Some(incoming.invite),
        SipEvent::Acknowledged { invite, .. }
        | SipEvent::Progress { invite, .. }
        | SipEvent::Answered { invite, .. }
        | SipEvent::Failed { invite, .. }
        | SipEvent::Reoffer { invite, .. }
        | SipEvent::ReofferAnswered { invite, .. }
        | SipEvent::ReofferRefused { invite, .. }
        | SipEvent::Key { invite, .. }
        | SipEvent::Ended { invite, .. } => Some(*invite),
        _ => None,
    }
}

impl Chaos {
    fn new(seed: u64, calls: u64) -> Self {
        let mut chaos = Self {
            world: World::two(seed, Weather::STORM),
            rng: Rng::from_number(seed ^ 0x5eed),
            plans: BTreeMap::new(),
            last: 0,
            stories: BTreeMap::new(),
        };
        // Some storms know no UPDATE, and everything goes by re-INVITE.
        chaos.world.hides_update = seed.is_multiple_of(2);
        for _ in 0..calls {
            let from = usize::try_from(chaos.rng.below(2)).unwrap();
            chaos.plan(20_000, Act::Call { from });
        }
        chaos
    }

    fn plan(&mut self, within_ms: u64, act: Act) {
        let at = self.world.now + Duration::from_millis(self.rng.below(within_ms));
        self.last += 1;
        self.plans.insert((at, self.last), act);
    }

    fn run(&mut self) {
        loop {
            let plan = self.plans.first_key_value().map(|((at, _), _)| *at);
            match (plan, self.world.next_at()) {
                (Some(plan), next) if next.is_none_or(|next| plan <= next) => {
                    self.world.now = self.world.now.max(plan);
                    let (_, act) = self.plans.pop_first().unwrap();
                    self.act(act);
                }
                (_, Some(_)) => {
                    self.world.step();
                }
                (_, None) => return,
            }
            self.listen();
        }
    }

    fn act(&mut self, act: Act) {
        let sdp = || b"sdp".to_vec();
        match act {
            Act::Call { from } => {
                let id = self.world.invite(from, 1 - from);
                self.stories.entry((from, id)).or_default().outgoing = true;
                // One in four loses patience soon.
                let within = if self.rng.below(4) == 0 { 3_000 } else { 120_000 };
                self.plan(within, Act::End((from, id)));
            }
            Act::Ring((party, id)) => self.world.with(party, |ua, now| ua.ring(now, id)),
            Act::Answer((party, id)) => self.world.with(party, |ua, now| ua.answer(now, id, sdp())),
            Act::Reject((party, id)) => {
                self.world.with(party, |ua, now| ua.reject(now, id, Status::BUSY_HERE, None));
            }
            Act::End((party, id)) => {
                let story = self.stories.entry((party, id)).or_default();
                story.left_early = story.answered + story.failed + story.ended == 0;
                self.world.with(party, |ua, now| ua.end(now, id));
            }
            Act::Reoffer((party, id)) => self.world.with(party, |ua, now| ua.reoffer(now, id, sdp())),
            Act::AnswerReoffer((party, id)) => {
                self.world.with(party, |ua, now| ua.answer_reoffer(now, id, sdp()));
            }
            Act::RefuseReoffer((party, id)) => {
                self.world.with(party, |ua, now| ua.refuse_reoffer(now, id, Status::NOT_ACCEPTABLE_HERE));
            }
        }
    }

    fn listen(&mut self) {
        for party in 0..2 {
            while let Some(event) = self.world.parties[party].events.pop_front() {
                if let Some(id) = named(&event) {
                    self.hear((party, id), &event);
                }
            }
        }
    }

    fn hear(&mut self, whose: Whose, event: &SipEvent) {
        let story = self.stories.entry(whose).or_default();
        if story.ended > 0 {
            story.after_the_end.push(event.clone());
        }
        match event {
            SipEvent::Incoming(_) => {
                self.plan(1_000, Act::Ring(whose));
                let act = if self.rng.below(5) == 0 { Act::Reject(whose) } else { Act::Answer(whose) };
                self.plan(8_000, act);
                self.plan(150_000, Act::End(whose));
            }
            SipEvent::Answered { .. } | SipEvent::Acknowledged { .. } => {
                story.answered += usize::from(matches!(event, SipEvent::Answered { .. }));
                if self.rng.below(2) == 0 {
                    self.plan(6_000, Act::Reoffer(whose));
                }
            }
            SipEvent::Failed { .. } => story.failed += 1,
            SipEvent::Ended { .. } => story.ended += 1,
            SipEvent::Reoffer { .. } if self.rng.below(4) == 0 => {
                self.plan(400, Act::RefuseReoffer(whose));
            }
            SipEvent::Reoffer { .. } => self.plan(400, Act::AnswerReoffer(whose)),
            _ => {}
        }
    }

    fn judge(&mut self) -> Result<(), TestCaseError> {
        for ((party, id), story) in &self.stories {
            prop_assert_eq!(story.ended, 1, "{} {:?}: {:?}", party, id, story);
            prop_assert!(story.after_the_end.is_empty(), "{} {:?}: {:?}", party, id, story);
            let outcomes = story.answered + story.failed;
            let wanted = usize::from(story.outgoing && !story.left_early);
            prop_assert_eq!(outcomes, wanted, "{} {:?}: {:?}", party, id, story);
        }
        self.world.assert_nothing_leaks();
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(30) })]
    #[test]
    fn every_invite_has_one_outcome_and_one_end_in_a_storm(seed in any::<u64>(), calls in 1u64..25) {
        let mut chaos = Chaos::new(seed, calls);
        chaos.run();
        chaos.judge()?;
    }
}

#[test]
fn the_same_seed_gives_the_same_storm() {
    let drawing = |seed| {
        let mut chaos = Chaos::new(seed, 10);
        chaos.run();
        chaos.world.ladder.draw()
    };
    assert_eq!(drawing(3), drawing(3));
    assert_ne!(drawing(3), drawing(4));
}
