//! The table of a third party's calls, cell by cell: every event in every phase leads where `exchange::third_party_table`
//! says, who hears whom is what it says, whoever remains keeps sound both ways, and nobody is left with silence.
use std::time::Duration;

use hotline::base::{AgentId, Key, LegId, PartyId, QueueId, TrunkId};
use hotline::exchange::third_party_table::{
    Circle, EVENTS, Happens, PHASES, Phase, Presence, Then, after, sound,
};
use hotline::exchange::{Cause, Command, ExchangeSettings, Input, Ops, Peer, TransferTarget};

use crate::small_hotline::{keys, menus};
use crate::world::{PhoneState, World};

const ROLES: [(&str, char); 4] = [("caller", 'C'), ("agent", 'A'), ("party", 'P'), ("successor", 'S')];

/// Until the agent's phone would be let go by its own limit, in a call that lets agent and third party finish.
const CLEARING: Duration = Duration::from_mins(1);

fn world(clearing: bool) -> World {
    let clearing_max = if clearing { CLEARING } else { Duration::ZERO };
    let settings = ExchangeSettings { check_every: 1, clearing_max, ..ExchangeSettings::default() };
    let mut world = World::new(menus(), settings);
    world.unchecked = true;
    world.sign_in("8001");
    let caller = world.dial("caller", "95188", "139", Peer::Stranger);
    world.press(caller, keys("0")[0]);
    let agent = world.leg("8001");
    answer(&mut world, agent);
    while world.hear(caller) {}
    world
}

fn answer(world: &mut World, leg: LegId) {
    if let Some(phone) = world.phones.get_mut(&leg).filter(|p| p.state == PhoneState::Ringing) {
        phone.state = PhoneState::Up;
    }
    world.answer(leg);
}

fn type_keys(world: &mut World, name: &str, text: &str) {
    let leg = world.leg(name);
    for key in keys(text) {
        world.press(leg, key);
    }
}

fn party(name: &str) -> TransferTarget {
    TransferTarget::Party(PartyId::from(name))
}

/// The leg of a role that is not over, as the status page has it.
fn leg(world: &World, role: &str) -> Option<LegId> {
    let view = world.board.view(world.now);
    let call = view.calls.first()?;
    call.legs.iter().find(|l| l.role == role && l.state != "ending").map(|l| l.leg)
}

fn the(world: &World, role: &str) -> LegId {
    leg(world, role).unwrap_or_else(|| panic!("no {role}\n{}", world.transcript()))
}

/// A call in this phase, reached from an earlier one.
fn in_phase(Phase(circle, presence): Phase, clearing: bool) -> World {
    let mut world = together(circle, presence, clearing);
    match presence {
        Presence::Rings | Presence::Here => {}
        Presence::RingsAloud => {
            let leg = the(&world, "party");
            world.feed(Input::LegRinging { leg, early_sound: true });
        }
        Presence::Away => hold(&mut world, "party", true),
        Presence::Moving => move_on(&mut world),
        Presence::MovingAway => {
            hold(&mut world, "party", true);
            move_on(&mut world);
        }
        Presence::Moved | Presence::MovedAloud => {
            move_on(&mut world);
            let leg = the(&world, "party");
            world.end(leg, Cause::HungUp);
            if presence == Presence::MovedAloud {
                let leg = the(&world, "successor");
                world.feed(Input::LegRinging { leg, early_sound: true });
            }
        }
    }
    settle(&mut world);
    world.unchecked = false;
    world
}

fn together(circle: Circle, presence: Presence, clearing: bool) -> World {
    let mut world = world(clearing || circle == Circle::Clearing);
    let rings = matches!(presence, Presence::Rings | Presence::RingsAloud);
    let transferred = matches!(circle, Circle::Transferring | Circle::TransferringHeld);
    if transferred || (circle == Circle::Alone && rings) {
        let agent = world.leg("8001");
        world.ask(agent, party("merchant"));
        match circle {
            Circle::TransferringHeld => hold(&mut world, "agent", true),
            Circle::Alone => world.end(agent, Cause::HungUp),
            _ => {}
        }
        return world;
    }
    type_keys(&mut world, "8001", "*201#");
    if rings {
        return world;
    }
    let leg = the(&world, "party");
    answer(&mut world, leg);
    let text = match circle {
        Circle::Private => "",
        Circle::Conference | Circle::Clearing => "*3",
        Circle::ListenOnly => "*3*7",
        Circle::Alone => "*3*5",
        Circle::Transferring | Circle::TransferringHeld => unreachable!("above"),
    };
    type_keys(&mut world, "8001", text);
    if circle == Circle::Clearing {
        let caller = the(&world, "caller");
        world.end(caller, Cause::HungUp);
    }
    world
}

fn hold(world: &mut World, role: &str, held: bool) {
    let leg = the(world, role);
    world.feed(Input::LegHeld { leg, held });
}

fn move_on(world: &mut World) {
    let leg = the(world, "party");
    world.ask(leg, party("courier"));
}

/// Lets everything be said that is being said, but for last words.
fn settle(world: &mut World) {
    if stage(world) == "farewell" {
        return;
    }
    for (role, _) in ROLES {
        while leg(world, role).is_some_and(|leg| world.hear(leg)) {}
    }
}

fn stage(world: &World) -> String {
    let view = world.board.view(world.now);
    let stage = view.calls.first().map_or("ended", |call| call.stage.as_str());
    // He waits while an agent's phone rings for him.
    if stage == "ringing" { "waiting".into() } else { stage.into() }
}

/// Who hears whom, in the words of the table: from the commands, not from the exchange's own view.
fn heard(world: &World) -> String {
    let roles = ROLES.map(|(role, letter)| (leg(world, role), letter));
    let ears = roles.iter().filter_map(|(leg, letter)| {
        let phone = &world.phones[&(*leg)?];
        if phone.state != PhoneState::Up {
            return None;
        }
        let music = match phone.playing {
            Some((_, _, true)) if phone.prompt == "ringback" => Some('T'),
            Some((_, _, true)) => Some('M'),
            Some(_) | None => None,
        };
        let of = |source: &LegId| {
            let role = roles.iter().find(|(leg, _)| *leg == Some(*source));
            role.map_or('?', |(_, letter)| *letter)
        };
        let mut sources: Vec<char> = phone.hears.iter().map(of).collect();
        sources.sort_by_key(|c| "CAPS?".find(*c));
        let hears: String = music.map_or_else(|| sources.into_iter().collect(), String::from);
        Some(format!("{letter}:{hears}"))
    });
    ears.collect::<Vec<_>>().join(" ")
}

/// Nobody is left with silence, and who hears somebody is heard by him.
fn all_is_two_way(world: &World, circle: Option<Circle>) {
    let text = heard(world);
    let hears =
        |who: char, whom: char| text.split(' ').any(|ear| ear.starts_with(who) && ear[2..].contains(whom));
    let up = |who: char| text.split(' ').any(|ear| ear.starts_with(who));
    let is_away = |who: char| {
        let role = ROLES.iter().find(|(_, letter)| *letter == who).unwrap().0;
        let view = world.board.view(world.now);
        view.calls.iter().flat_map(|call| &call.legs).any(|l| l.role == role && l.holds_us)
    };
    for ear in text.split(' ').filter(|ear| !ear.is_empty()) {
        let who = ear.chars().next().unwrap();
        assert!(ear.len() > 2 || stage(world) == "farewell", "{ear} is left with silence: {text}");
        for whom in ear[2..].chars().filter(|c| "CAPS".contains(*c) && up(*c)) {
            let listens = circle == Some(Circle::ListenOnly) && who == 'C';
            assert!(hears(whom, who) || listens || is_away(who), "{who} hears {whom}, but: {text}");
        }
    }
}

/// Makes it happen.
fn happens(world: &mut World, event: Happens) {
    use Happens as H;
    match event {
        H::PartyRingsAloud | H::SuccessorRingsAloud => {
            let leg = the(world, whose(event));
            world.feed(Input::LegRinging { leg, early_sound: true });
        }
        H::PartyAnswers | H::SuccessorAnswers => {
            let leg = the(world, whose(event));
            answer(world, leg);
        }
        H::PartyIsBusy | H::SuccessorIsBusy => world.end(the(world, whose(event)), Cause::Busy),
        H::PartyHangsUp | H::AgentHangsUp | H::CallerHangsUp | H::CallerHangsUpTheyMayFinish => {
            world.end(the(world, whose(event)), Cause::HungUp);
        }
        H::PartyIsLost | H::AgentIsLost | H::CallerIsLost => {
            world.end(the(world, whose(event)), Cause::PeerLost);
        }
        H::PartyFallsSilent => {
            let leg = the(world, "party");
            world.feed(Input::SoundLost { leg });
        }
        H::PartyHolds => hold(world, "party", true),
        H::PartyTakesBack => hold(world, "party", false),
        H::PartyPressesKey | H::AgentPressesKey | H::CallerPressesKey => {
            world.press(the(world, whose(event)), Key::from_char('9').unwrap());
        }
        H::AgentPressesHold => type_keys(world, "8001", "*1"),
        H::AgentPressesInvite => type_keys(world, "8001", "*201#"),
        H::AgentPressesJoin => type_keys(world, "8001", "*3"),
        H::AgentPressesDrop => type_keys(world, "8001", "*4"),
        H::AgentPressesLeave => type_keys(world, "8001", "*5"),
        H::AgentPressesPassOn => type_keys(world, "8001", "*612#"),
        H::AgentPressesListenOnly => type_keys(world, "8001", "*7"),
        H::PartyIsReplaced | H::AgentIsReplaced | H::StrangerForCaller => replaced(world, event),
        H::PartyAsksForParty
        | H::PartyAsksForQueue
        | H::PartyAsksForAgent
        | H::AgentAsksForQueue
        | H::AgentAsksForParty
        | H::CallerAsks => asks(world, event),
        H::RingsOut => {
            // The phone never says that it gave up: the exchange's own limit.
            for phone in world.phones.values_mut() {
                phone.rings_until = None;
            }
            world.wait(Duration::from_secs(31));
        }
        H::LimitIsReached => world.wait(Duration::from_hours(2)),
        H::OpsEndIt => {
            let call = world.board.view(world.now).calls[0].call;
            world.feed(Input::Ops(Ops::EndCall(call)));
        }
    }
    settle(world);
}

fn asks(world: &mut World, event: Happens) {
    let to = match event {
        Happens::PartyAsksForQueue | Happens::AgentAsksForQueue => {
            TransferTarget::Queue(QueueId::from("loans"))
        }
        Happens::PartyAsksForAgent => TransferTarget::Agent(AgentId::from("8002")),
        _ => party("courier"),
    };
    let leg = the(world, whose(event));
    world.ask(leg, to);
}

fn replaced(world: &mut World, event: Happens) {
    let (old, name, peer) = match event {
        Happens::PartyIsReplaced => ("party", "branch", Peer::Trunk(TrunkId::from("carrier"))),
        Happens::AgentIsReplaced => ("agent", "8002", Peer::Agent(AgentId::from("8002"))),
        _ => ("caller", "stranger", Peer::Stranger),
    };
    let old = the(world, old);
    world.ring_in_place(old, name, peer);
}

fn whose(event: Happens) -> &'static str {
    let name = format!("{event:?}");
    ["Party", "Successor", "Agent", "Caller"].into_iter().find(|who| name.starts_with(who)).map_or(
        "",
        |who| match who {
            "Party" => "party",
            "Successor" => "successor",
            "Agent" => "agent",
            _ => "caller",
        },
    )
}

/// The stage's name and its sound.
fn expected(phase: Phase, then: Then) -> (&'static str, String) {
    match then {
        Then::Stays => expected(phase, Then::Goes(phase)),
        Then::Goes(Phase(circle, presence)) => {
            let stage = match circle {
                Circle::Private => "consulting",
                Circle::Conference | Circle::ListenOnly => "conference",
                Circle::Alone => "party_only",
                Circle::Transferring | Circle::TransferringHeld => "transferring",
                Circle::Clearing => "clearing",
            };
            (stage, sound(Phase(circle, presence)).into())
        }
        Then::Talking => ("talking", "C:A A:C".into()),
        Then::TalkingHeld => ("talking", "C:M A:C".into()),
        Then::Waits => ("waiting", "C:M".into()),
        Then::Farewell => ("farewell", "C:".into()),
        Then::Ends | Then::Never => ("ended", String::new()),
    }
}

#[test]
fn every_event_in_every_phase_leads_where_the_table_says() {
    let (mut cells, mut wrong) = (0, Vec::new());
    for phase in PHASES {
        let begin = in_phase(phase, false);
        assert_eq!((stage(&begin).as_str(), heard(&begin)), expected_now(phase), "{phase:?}");
        all_is_two_way(&begin, Some(phase.0));
        for event in EVENTS.into_iter().filter(|event| after(phase, *event) != Then::Never) {
            let mut world = in_phase(phase, event == Happens::CallerHangsUpTheyMayFinish);
            happens(&mut world, event);
            cells += 1;
            let then = after(phase, event);
            let (wanted, got) = (expected(phase, then), (stage(&world), heard(&world)));
            if (wanted.0, &wanted.1) != (got.0.as_str(), &got.1) {
                wrong.push(format!("{phase:?} {event:?}: {got:?}, the table has {then:?} {wanted:?}"));
            }
            let circle = if let Then::Goes(Phase(circle, _)) = then { circle } else { phase.0 };
            all_is_two_way(&world, Some(circle));
            ends_well(world);
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 800, "{cells} cells");
}

fn expected_now(phase: Phase) -> (&'static str, String) {
    expected(phase, Then::Stays)
}

/// Whatever it came to: everybody hangs up, and nothing is left.
fn ends_well(mut world: World) {
    const LIVE: [PhoneState; 3] = [PhoneState::Calling, PhoneState::Ringing, PhoneState::Up];
    while let Some(leg) = world.phones.iter().find(|(_, p)| LIVE.contains(&p.state)).map(|(leg, _)| *leg) {
        world.end(leg, Cause::HungUp);
    }
    world.unchecked = true;
    world.wait(CLEARING);
    world.check_transfers(true);
    assert!(world.board.exchange().is_idle(), "{}", world.transcript());
}

/// Which keys reach whom: every phase, whoever presses.
#[test]
fn keys_reach_the_third_party_and_nobody_else() {
    for phase in PHASES {
        let Phase(circle, presence) = phase;
        let listens = matches!(presence, Presence::RingsAloud | Presence::Here | Presence::Moving);
        for (who, reaches) in [
            ("party", false),
            (
                "agent",
                matches!(
                    circle,
                    Circle::Private | Circle::Conference | Circle::ListenOnly | Circle::Clearing
                ),
            ),
            ("caller", circle == Circle::Alone),
        ] {
            let mut world = in_phase(phase, false);
            let up = leg(&world, who).filter(|leg| world.phones[leg].state == PhoneState::Up);
            let Some(from) = up else { continue };
            let before = world.commands.len();
            for key in keys("5#0") {
                world.press(from, key);
            }
            let sent: Vec<(LegId, char)> = world.commands[before..]
                .iter()
                .filter_map(|c| {
                    if let Command::SendKey { leg, key } = c { Some((*leg, key.as_char())) } else { None }
                })
                .collect();
            let wanted: Vec<(LegId, char)> = if reaches && listens {
                "5#0".chars().map(|c| (the(&world, "party"), c)).collect()
            } else {
                Vec::new()
            };
            assert_eq!(sent, wanted, "{who} in {phase:?}");
        }
    }
}

fn sent(world: &World, from: usize) -> String {
    let keys = world.commands[from..].iter().filter_map(|c| match c {
        Command::SendKey { key, .. } => Some(key.as_char()),
        _ => None,
    });
    keys.collect()
}

#[test]
fn a_star_is_passed_on_after_its_time_out_or_pressed_twice_and_never_when_it_begins_a_sequence_of_ours() {
    let mut world = in_phase(Phase(Circle::Private, Presence::Here), false);
    let before = world.commands.len();
    type_keys(&mut world, "8001", "*");
    assert_eq!(sent(&world, before), "");
    world.wait(Duration::from_secs(6));
    assert_eq!(sent(&world, before), "*");
    type_keys(&mut world, "8001", "**1*9");
    assert_eq!(sent(&world, before), "**1*9");
    assert_eq!(stage(&world), "consulting");
    type_keys(&mut world, "8001", "*3");
    assert_eq!((sent(&world, before).as_str(), stage(&world).as_str()), ("**1*9", "conference"));
    // A code is ours, and forgotten when it is not finished.
    type_keys(&mut world, "8001", "*20");
    world.wait(Duration::from_secs(6));
    assert_eq!(sent(&world, before), "**1*9");
}

#[test]
fn the_callers_keys_reach_nobody_where_the_settings_say_so() {
    let settings =
        ExchangeSettings { check_every: 1, caller_keys_to_party: false, ..ExchangeSettings::default() };
    let mut world = World::new(menus(), settings);
    world.sign_in("8001");
    let caller = world.dial("caller", "95188", "139", Peer::Stranger);
    world.press(caller, keys("0")[0]);
    let agent = world.leg("8001");
    answer(&mut world, agent);
    type_keys(&mut world, "8001", "*201#");
    let merchant = the(&world, "party");
    answer(&mut world, merchant);
    type_keys(&mut world, "8001", "*5");
    let before = world.commands.len();
    type_keys(&mut world, "caller", "1");
    assert_eq!((stage(&world).as_str(), sent(&world, before).as_str()), ("party_only", ""));
}
