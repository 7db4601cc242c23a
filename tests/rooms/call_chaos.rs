//! Anything in any order: whatever phones, people and agents do, the invariants hold after every input (the world checks
//! them), every call ends in exactly one `CallEnded`, nothing is left when all legs are gone, the same inputs make the
//! same facts, and a journal replays to the same commands.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, CallId, Key, LegId, PartyId, PlayId, PromptId, QueueId, TrunkId};
use hotline::exchange::acd::AgentWish;
use hotline::exchange::menu::MenuSet;
use hotline::exchange::{
    Cause, Command, ExchangeSettings, Fact, Input, Ops, Peer, Record, Switchboard, TransferTarget, decode,
    encode,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::small_hotline::{keys, menus};
use crate::world::{PhoneState, World};

/// One thing that happens. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Act {
    Dial(u8),
    Press(u8, &'static str),
    Desk(u8, &'static str),
    Answer(u8),
    End(u8, u8),
    Hear(u8),
    Held(u8, bool),
    Silence(u8),
    Ring(u8, bool),
    Wait(u16),
    Reachable(u8, bool),
    Wish(u8, u8),
    Odd(u8),
    EndCall(u8),
    ReportEnds,
    Ask(u8, u8),
    Replace(u8, u8),
    Third(u8, u8),
}

/// What callers type, and now and then an agent.
const TYPED: [&str; 13] = ["0", "0", "0", "1", "2", "3", "7", "9", "47#", "1234#", "*", "#", "5"];

/// What agents type, and now and then a caller.
const DESK: [&str; 16] = [
    "*7", "**", "5", "*9", "*1", "*201#", "*201#", "*202#", "*299#", "*3", "*3", "*3", "*4", "*5", "*612#",
    "*",
];

const CAUSES: [Cause; 6] =
    [Cause::HungUp, Cause::PeerLost, Cause::Busy, Cause::Declined, Cause::NoAnswer, Cause::Unreachable];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => any::<u8>().prop_map(Act::Dial),
        5 => (any::<u8>(), prop::sample::select(&TYPED[..])).prop_map(|(n, t)| Act::Press(n, t)),
        9 => (any::<u8>(), prop::sample::select(&DESK[..])).prop_map(|(n, t)| Act::Desk(n, t)),
        9 => any::<u8>().prop_map(Act::Answer),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(n, c)| Act::End(n, c)),
        3 => any::<u8>().prop_map(Act::Hear),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, h)| Act::Held(n, h)),
        1 => any::<u8>().prop_map(Act::Silence),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(n, e)| Act::Ring(n, e)),
        4 => any::<u16>().prop_map(Act::Wait),
        1 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(n, r)| Act::Reachable(n, r)),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(n, w)| Act::Wish(n, w)),
        1 => any::<u8>().prop_map(Act::Odd),
        1 => any::<u8>().prop_map(Act::EndCall),
        2 => Just(Act::ReportEnds),
        4 => (any::<u8>(), any::<u8>()).prop_map(|(n, t)| Act::Ask(n, t)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(n, p)| Act::Replace(n, p)),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(n, far)| Act::Third(n, far)),
    ]
}

fn chosen<T: Clone>(all: &[T], n: u8) -> Option<T> {
    (!all.is_empty()).then(|| all[usize::from(n) % all.len()].clone())
}

fn legs(world: &World, wanted: &[PhoneState]) -> Vec<LegId> {
    world.phones.iter().filter(|(_, p)| wanted.contains(&p.state)).map(|(leg, _)| *leg).collect()
}

fn agent(n: u8) -> AgentId {
    AgentId::from(["8001", "8002", "8003"][usize::from(n) % 3])
}

fn dial(world: &mut World, n: u8) {
    let (name, number, peer) = match n % 8 {
        0 => ("8001", "*81", Peer::Agent(agent(0))),
        1 => ("8002", "95188", Peer::Agent(agent(1))),
        2 => ("stranger", "8001", Peer::Stranger),
        3 => ("trunk", "057195188", Peer::Trunk(TrunkId::from("carrier"))),
        _ => ("caller", "95188", Peer::Stranger),
    };
    world.dial(name, number, ["139", "138", ""][usize::from(n) % 3], peer);
}

/// Keys of one leg, most often of an agent's (`desk`) or of somebody else's.
fn press(world: &mut World, n: u8, text: &str, desk: bool) {
    let up = legs(world, &[PhoneState::Up]);
    let fits: Vec<LegId> =
        up.iter().copied().filter(|leg| world.phones[leg].name.starts_with('8') == desk).collect();
    let Some(leg) = chosen(if n < 240 { &fits } else { &up }, n) else { return };
    for key in keys(text) {
        world.press(leg, key);
    }
}

fn perform(world: &mut World, act: &Act) {
    const LIVE: [PhoneState; 3] = [PhoneState::Calling, PhoneState::Ringing, PhoneState::Up];
    match act {
        Act::Dial(n) => dial(world, *n),
        Act::Press(n, text) => press(world, *n, text, false),
        Act::Desk(n, text) => press(world, *n, text, true),
        Act::Answer(n) => {
            if let Some(leg) = chosen(&legs(world, &[PhoneState::Ringing]), *n) {
                world.phones.get_mut(&leg).unwrap().state = PhoneState::Up;
                world.answer(leg);
            }
        }
        Act::End(n, c) => {
            if let (Some(leg), Some(cause)) = (chosen(&legs(world, &LIVE), *n), chosen(&CAUSES, *c)) {
                world.end(leg, cause);
            }
        }
        Act::Hear(n) => {
            if let Some(leg) = chosen(&legs(world, &[PhoneState::Up]), *n) {
                world.hear(leg);
            }
        }
        Act::Wait(ms) => world.wait(Duration::from_millis(u64::from(*ms))),
        Act::Reachable(n, reachable) => {
            world.feed(Input::AgentReachable { agent: agent(*n), reachable: *reachable });
        }
        Act::Wish(n, w) => {
            let wishes =
                [AgentWish::SignIn, AgentWish::Ready, AgentWish::Pause("lunch".into()), AgentWish::SignOut];
            let wish = wishes[usize::from(*w) % 4].clone();
            world.feed(Input::Ops(Ops::Agent { agent: agent(*n), wish }));
        }
        Act::EndCall(n) => world.feed(Input::Ops(Ops::EndCall(CallId(u64::from(*n % 8))))),
        Act::ReportEnds => world.report_ends(),
        Act::Ask(n, t) => ask(world, *n, *t),
        Act::Replace(n, p) => replace(world, *n, *p),
        Act::Third(n, far) => third_party(world, *n, *far),
        Act::Held(..) | Act::Silence(_) | Act::Ring(..) | Act::Odd(_) => on_any_leg(world, act),
    }
}

/// The ordinary way to a third party, or some of it: chance alone seldom finds it.
fn third_party(world: &mut World, n: u8, far: u8) {
    let talks = |world: &World| {
        let view = world.board.view(world.now);
        let talking: Vec<_> = view.calls.into_iter().filter(|c| c.stage == "talking").collect();
        chosen(&talking, n)
    };
    let Some(call) = talks(world) else { return };
    let Some(agent) = call.legs.iter().find(|l| l.role == "agent").map(|l| l.leg) else { return };
    let type_keys = |world: &mut World, text: &str| {
        for key in keys(text) {
            world.press(agent, key);
        }
    };
    type_keys(world, "*201#");
    let ringing = legs(world, &[PhoneState::Ringing]);
    let party = ringing.into_iter().rev().find(|leg| world.phones[leg].name == "merchant");
    let Some(party) = party.filter(|_| !far.is_multiple_of(4)) else { return };
    world.phones.get_mut(&party).unwrap().state = PhoneState::Up;
    world.answer(party);
    if far % 4 > 1 {
        type_keys(world, "*3");
    }
    if far % 4 > 2 {
        type_keys(world, "*7");
    }
}

/// A phone asks that somebody else take its place: most often one that is up.
fn ask(world: &mut World, n: u8, t: u8) {
    let up = legs(world, &[PhoneState::Up]);
    let all: Vec<LegId> = world.phones.keys().copied().collect();
    let Some(leg) = chosen(if n < 230 { &up } else { &all }, n) else { return };
    let to = match t % 8 {
        0 => TransferTarget::Queue(QueueId::from("loans")),
        1 => TransferTarget::Agent(agent(t / 8)),
        2 => TransferTarget::Number("057195188".into()),
        3 => TransferTarget::Outside { number: "02188".into(), trunk: TrunkId::from("carrier") },
        4 => TransferTarget::Party(PartyId::from("nobody")),
        5 => match chosen(&all, t / 8) {
            Some(other) => TransferTarget::Leg(other),
            None => return,
        },
        _ => TransferTarget::Party(PartyId::from("courier")),
    };
    world.ask(leg, to);
}

/// Somebody rings to take a leg's place.
fn replace(world: &mut World, n: u8, p: u8) {
    let all: Vec<LegId> = world.phones.keys().copied().collect();
    let up = legs(world, &[PhoneState::Up]);
    let Some(old) = chosen(if n < 230 { &up } else { &all }, n) else { return };
    let (name, peer) = match p % 4 {
        0 => ("stranger", Peer::Stranger),
        1 => ("branch", Peer::Trunk(TrunkId::from("carrier"))),
        _ => (["8001", "8002", "8003"][usize::from(p / 4) % 3], Peer::Agent(agent(p / 4))),
    };
    world.ring_in_place(old, name, peer);
}

/// Inputs about any leg that ever was, whatever became of it.
fn on_any_leg(world: &mut World, act: &Act) {
    let all: Vec<LegId> = world.phones.keys().copied().collect();
    let (Act::Held(n, _) | Act::Silence(n) | Act::Ring(n, _) | Act::Odd(n)) = act else { return };
    let Some(leg) = chosen(&all, *n) else { return };
    let over = world.phones[&leg].state == PhoneState::Over;
    let input = match act {
        Act::Held(_, held) => Input::LegHeld { leg, held: *held },
        Act::Silence(_) => Input::SoundLost { leg },
        Act::Ring(_, early_sound) => Input::LegRinging { leg, early_sound: *early_sound },
        _ if over => Input::LegEnded { leg, cause: Cause::HungUp },
        _ if n % 2 == 0 => Input::PromptEnded { leg, play: PlayId(u64::from(*n)) },
        _ => Input::Key { leg, key: Key::STAR, play: Some(PlayId(u64::from(*n))) },
    };
    world.feed(input);
}

fn settings() -> ExchangeSettings {
    let clearing_max = Duration::from_secs(20);
    ExchangeSettings { check_every: 1, calls_max: 6, clearing_max, ..ExchangeSettings::default() }
}

/// Lets everything happen, then everybody hangs up.
fn run(acts: &[Act], slow_ends: bool) -> World {
    let mut world = World::new(menus(), settings());
    world.slow_ends = slow_ends;
    world.sign_in("8001");
    world.sign_in("8003");
    for act in acts {
        perform(&mut world, act);
    }
    while let Some(leg) =
        chosen(&legs(&world, &[PhoneState::Calling, PhoneState::Ringing, PhoneState::Up]), 0)
    {
        world.end(leg, Cause::HungUp);
    }
    world.report_ends();
    world.check_transfers(true);
    world
}

fn each_call_ends_once(world: &World) {
    let mut ends: BTreeMap<CallId, (u32, u32)> = BTreeMap::new();
    for fact in &world.facts {
        match &fact.fact {
            Fact::CallStarted { call, .. } => ends.entry(*call).or_default().0 += 1,
            Fact::CallEnded { call, .. } => ends.entry(*call).or_default().1 += 1,
            _ => {}
        }
    }
    assert!(ends.values().all(|n| *n == (1, 1)), "{ends:?}\n{}", world.transcript());
}

/// The same hotline in another revision, where every queue has other music.
fn second_set() -> Arc<MenuSet> {
    let mut set = MenuSet::clone(&menus());
    set.revision = "second".into();
    for queue in set.queues.values_mut() {
        queue.music = PromptId::from("second-music");
    }
    Arc::new(set)
}

fn replays_to_the_same(world: &World) {
    let mut bytes = Vec::new();
    for entry in &world.entries {
        encode(entry, &mut bytes).unwrap();
    }
    let mut board = Switchboard::new(settings(), menus());
    let (mut entries, mut commands) = (Vec::new(), Vec::new());
    for entry in decode(&bytes) {
        let Record::Entry(entry) = entry.unwrap() else { panic!() };
        board.replay(&entry, |revision| (revision == "second").then(second_set)).unwrap();
        entries.extend(std::iter::from_fn(|| board.poll_entry()));
        commands.extend(std::iter::from_fn(|| board.poll()));
    }
    assert!(entries == world.entries && commands == world.commands);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_calls_end_once_and_nothing_is_left(
        acts in prop::collection::vec(act(), 1..120),
        slow_ends in any::<bool>(),
    ) {
        let world = run(&acts, slow_ends);
        prop_assert_eq!(world.board.exchange().broken(), 0);
        prop_assert!(world.board.exchange().is_idle(), "{}", world.transcript());
        each_call_ends_once(&world);
    }

    #[test]
    fn the_same_inputs_make_the_same_facts_and_a_journal_replays(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let (once, again) = (run(&acts, false), run(&acts, false));
        prop_assert_eq!(&once.facts, &again.facts);
        replays_to_the_same(&once);
    }

    #[test]
    fn no_call_outlives_its_limits(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new(menus(), settings());
        for act in &acts {
            perform(&mut world, act);
        }
        world.wait(Duration::from_hours(9));
        prop_assert!(world.board.exchange().is_idle(), "{}", world.transcript());
    }
}

/// Chaos that never gets far proves little: among some hundred runs each of these must become true.
#[test]
fn chaos_reaches_every_stage() {
    let mut runner = TestRunner::deterministic();
    let stories = prop::collection::vec(act(), 60..120);
    let mut reached: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..150 {
        let acts = stories.new_tree(&mut runner).unwrap().current();
        for fact in run(&acts, false).facts {
            *reached.entry(fact.fact.kind()).or_default() += 1;
        }
    }
    let wanted = [
        "connected",
        "offer_ended",
        "left_queue",
        "overflowed",
        "wait_told",
        "digits_entered",
        "secret_entered",
        "held",
        "peer_held",
        "party_invited",
        "party_answered",
        "conference_started",
        "conference_ended",
        "agent_left",
        "passed_on",
        "transfer_asked",
        "transfer_over",
        "leg_replaced",
        "agent_replaced",
        "listen_only",
        "clearing_up",
        "call_refused",
        "ignored",
    ];
    let missing: Vec<_> = wanted.iter().filter(|kind| !reached.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "never: {missing:?} in {reached:?}");
}

#[test]
fn calls_inside_keep_the_menus_they_began_with_and_the_journal_replays_the_change() {
    let mut world = World::new(menus(), settings());
    let early = world.dial("early", "95188", "1", Peer::Stranger);
    world.install(second_set());
    let late = world.dial("late", "95188", "2", Peer::Stranger);
    world.press(early, Key::from_char('0').unwrap());
    world.press(late, Key::from_char('0').unwrap());
    // The queue's name and the first telling come before the music.
    for leg in [early, late] {
        assert!(world.hear(leg) && world.hear(leg));
    }
    let music: Vec<_> = world
        .commands
        .iter()
        .filter_map(|c| match c {
            Command::Play { leg, prompts, repeat: true, .. } => Some((*leg, prompts[0].as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(music, [(early, "music-general"), (late, "second-music")]);
    assert_eq!(world.board.view(world.now).menus, "second");
    replays_to_the_same(&world);
}
