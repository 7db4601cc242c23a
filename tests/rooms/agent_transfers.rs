//! An agent's phone hands its caller over by REFER, blind or attended, or is replaced by another agent's: what becomes of
//! the caller, of what is known of him, of the agents, and what the phone is told.
use std::time::Duration;

use hotline::base::{AgentId, LegId, PartyId, QueueId, TransferId, TrunkId};
use hotline::exchange::acd::AgentState;
use hotline::exchange::{
    CallCard, CallView, Cause, Command, ExchangeSettings, Fact, Input, Peer, RingTarget, TransferStep,
    TransferTarget,
};

use crate::small_hotline::{keys, menus};
use crate::world::{PhoneState, World};

fn answer(world: &mut World, name: &str) -> LegId {
    let leg = world.leg(name);
    world.phones.get_mut(&leg).unwrap().state = PhoneState::Up;
    world.answer(leg);
    leg
}

fn type_keys(world: &mut World, leg: LegId, text: &str) {
    for key in keys(text) {
        world.press(leg, key);
    }
}

/// A caller who entered an order and is offered to 8001.
fn offered() -> (World, LegId) {
    let settings = ExchangeSettings { check_every: 1, ..ExchangeSettings::default() };
    let mut world = World::new(menus(), settings);
    world.sign_in("8001");
    let caller = world.dial("caller", "95188", "139", Peer::Stranger);
    type_keys(&mut world, caller, "1");
    type_keys(&mut world, caller, "47#");
    world.wait(Duration::from_secs(10));
    (world, caller)
}

/// He talks to 8001; 8002 and 8003 are at work.
fn talking() -> (World, LegId, LegId) {
    let (mut world, caller) = offered();
    let agent = answer(&mut world, "8001");
    world.sign_in("8002");
    world.sign_in("8003");
    (world, caller, agent)
}

fn told(world: &World, transfer: TransferId) -> Vec<TransferStep> {
    world.transfers[&transfer].clone()
}

fn calls(world: &World) -> Vec<CallView> {
    world.board.view(world.now).calls
}

fn state(world: &World, agent: &str) -> AgentState {
    let agents = world.board.view(world.now).acd.agents;
    agents.into_iter().find(|a| a.agent == AgentId::from(agent)).unwrap().state
}

fn last_card(world: &World) -> (RingTarget, CallCard) {
    let rings = world.commands.iter().rev().find_map(|c| match c {
        Command::Ring { target, card, .. } => Some((target.clone(), CallCard::clone(card))),
        _ => None,
    });
    rings.unwrap()
}

fn hear_each_other(world: &World, a: LegId, b: LegId) {
    assert_eq!(world.phones[&a].hears, [b], "{}", world.transcript());
    assert_eq!(world.phones[&b].hears, [a], "{}", world.transcript());
}

const DONE: [TransferStep; 2] = [TransferStep::Accepted, TransferStep::Succeeded];

#[test]
fn to_a_queue_the_caller_goes_with_his_clock_and_all_that_is_known_of_him() {
    let (mut world, caller, agent) = talking();
    world.wait(Duration::from_mins(1));
    let transfer = world.ask(agent, TransferTarget::Queue(QueueId::from("loans")));
    assert_eq!(told(&world, transfer), DONE);
    assert_eq!(world.phones[&agent].state, PhoneState::Over);
    assert_eq!(state(&world, "8001"), AgentState::WrapUp);
    let (target, card) = last_card(&world);
    assert_eq!(target, RingTarget::Agent("8003".into()));
    assert_eq!((card.waited_s, card.passed_on_by), (70, Some("8001".into())));
    assert_eq!(card.entries, [("order".into(), "47".into())]);
    let next = answer(&mut world, "8003");
    hear_each_other(&world, caller, next);
}

#[test]
fn to_an_agent_he_is_preferred_for_a_while_and_then_anybody_takes_the_caller() {
    let (mut world, caller, agent) = talking();
    // Free for longer than 8002, and yet not chosen.
    let transfer = world.ask(agent, TransferTarget::Agent("8002".into()));
    assert_eq!(told(&world, transfer), DONE);
    assert_eq!(last_card(&world).0, RingTarget::Agent("8002".into()));
    let next = answer(&mut world, "8002");
    hear_each_other(&world, caller, next);
    // Whoever cannot be had is refused, and nothing changes.
    for (to, why) in [
        (TransferTarget::Agent("8002".into()), Cause::Declined),
        (TransferTarget::Agent("9999".into()), Cause::NotFound),
        (TransferTarget::Queue(QueueId::from("nowhere")), Cause::NotFound),
        (TransferTarget::Number("000".into()), Cause::NotFound),
        (TransferTarget::Party(PartyId::from("nobody")), Cause::NotFound),
        (TransferTarget::Leg(caller), Cause::Declined),
    ] {
        let transfer = world.ask(next, to);
        assert_eq!(told(&world, transfer), [TransferStep::Refused(why)]);
        hear_each_other(&world, caller, next);
    }
    let wish = hotline::exchange::acd::AgentWish::SignOut;
    world.feed(Input::Ops(hotline::exchange::Ops::Agent { agent: "8003".into(), wish }));
    let transfer = world.ask(next, TransferTarget::Agent("8003".into()));
    assert_eq!(told(&world, transfer), [TransferStep::Refused(Cause::Unreachable)]);
}

#[test]
fn to_a_number_of_ours_its_menus_begin() {
    let (mut world, caller, agent) = talking();
    let transfer = world.ask(agent, TransferTarget::Number("057195188".into()));
    assert_eq!(told(&world, transfer), DONE);
    assert_eq!(calls(&world)[0].stage, "menu");
    assert_eq!(state(&world, "8001"), AgentState::WrapUp);
    type_keys(&mut world, caller, "2");
    assert_eq!(last_card(&world).1.passed_on_by, Some("8001".into()));
}

#[test]
fn to_a_third_party_caller_and_agent_talk_until_it_answers_and_are_as_they_were_when_it_does_not() {
    let (mut world, caller, agent) = talking();
    let transfer = world.ask(agent, TransferTarget::Party(PartyId::from("merchant")));
    let merchant = world.leg("merchant");
    hear_each_other(&world, caller, agent);
    world.feed(Input::LegRinging { leg: merchant, early_sound: false });
    world.feed(Input::LegRinging { leg: merchant, early_sound: true });
    assert_eq!(told(&world, transfer), [TransferStep::Accepted, TransferStep::Ringing]);
    world.end(merchant, Cause::Busy);
    assert_eq!(told(&world, transfer).last(), Some(&TransferStep::Failed(Cause::Busy)));
    while world.hear(agent) {}
    hear_each_other(&world, caller, agent);
    // A number outside, which answers.
    let number = || "02188".to_owned();
    let outside = TransferTarget::Outside { number: number(), trunk: TrunkId::from("carrier") };
    let transfer = world.ask(agent, outside);
    let ringing = last_card(&world).0;
    assert_eq!(ringing, RingTarget::Outside { number: number(), trunk: TrunkId::from("carrier") });
    let outside = answer(&mut world, "02188");
    assert_eq!(told(&world, transfer), DONE);
    assert_eq!(
        (world.phones[&agent].state, calls(&world)[0].stage.as_str()),
        (PhoneState::Over, "party_only")
    );
    hear_each_other(&world, caller, outside);
    assert_eq!(state(&world, "8001"), AgentState::WrapUp);
}

#[test]
fn a_phone_that_hangs_up_at_the_202_leaves_the_caller_with_the_ringing_and_not_with_a_refusal() {
    let (mut world, caller, agent) = talking();
    let transfer = world.ask(agent, TransferTarget::Party(PartyId::from("merchant")));
    world.end(agent, Cause::HungUp);
    let phone = &world.phones[&caller];
    assert_eq!((phone.prompt.as_str(), calls(&world)[0].stage.as_str()), ("ringback", "party_only"));
    // Who was promised cannot be had: he is told, and waits by his old clock for any of us.
    world.wait(Duration::from_secs(25));
    assert_eq!(told(&world, transfer).last(), Some(&TransferStep::Failed(Cause::NoAnswer)));
    assert_eq!(world.phones[&caller].prompt, "party-no-answer");
    assert!(world.hear(caller));
    assert_eq!(last_card(&world).0, RingTarget::Agent("8002".into()));
    let next = answer(&mut world, "8002");
    hear_each_other(&world, caller, next);
}

/// The agent's second line: his own call to the hotline, by which he asks for somebody else.
fn second_line(world: &mut World) -> LegId {
    let own = world.dial("8001's other line", "95188", "", Peer::Agent("8001".into()));
    type_keys(world, own, "2");
    own
}

#[test]
fn attended_with_an_agent_who_answered_the_two_calls_become_one() {
    for asks_on_own in [false, true] {
        let (mut world, caller, agent) = talking();
        let own = second_line(&mut world);
        let other = answer(&mut world, "8003");
        let (asks, names) = if asks_on_own { (own, agent) } else { (agent, own) };
        let transfer = world.ask(asks, TransferTarget::Leg(names));
        assert_eq!(told(&world, transfer), DONE);
        hear_each_other(&world, caller, other);
        assert!([agent, own].iter().all(|leg| world.phones[leg].state == PhoneState::Over));
        let view = calls(&world);
        assert_eq!((view.len(), view[0].agent.clone()), (1, Some("8003".into())));
        assert_eq!(state(&world, "8001"), AgentState::WrapUp);
        assert!(matches!(state(&world, "8003"), AgentState::Talking(_)));
        // His conversation ends as any: he has his wrap-up, and nothing is left.
        world.end(caller, Cause::HungUp);
        assert_eq!(state(&world, "8003"), AgentState::WrapUp);
        assert!(world.board.exchange().is_idle(), "{}", world.transcript());
    }
}

#[test]
fn attended_before_anybody_answered_the_caller_waits_where_the_agent_did() {
    let (mut world, caller, agent) = talking();
    let own = second_line(&mut world);
    let transfer = world.ask(agent, TransferTarget::Leg(own));
    assert_eq!(told(&world, transfer), DONE);
    assert_eq!(calls(&world).len(), 1);
    assert_eq!(last_card(&world).1.caller, "139");
    let other = answer(&mut world, "8003");
    hear_each_other(&world, caller, other);
}

#[test]
fn another_agents_leg_is_not_joined() {
    let (mut world, caller, agent) = talking();
    let own = world.dial("8002's other line", "95188", "", Peer::Agent("8002".into()));
    type_keys(&mut world, own, "2");
    let transfer = world.ask(agent, TransferTarget::Leg(own));
    assert_eq!(told(&world, transfer), [TransferStep::Refused(Cause::Declined)]);
    hear_each_other(&world, caller, agent);
}

#[test]
fn another_agents_phone_takes_the_place_of_his_and_both_are_accounted_for() {
    let (mut world, caller, agent) = talking();
    let new = world.ring_in_place(agent, "8002", Peer::Agent("8002".into()));
    hear_each_other(&world, caller, new);
    assert_eq!(world.phones[&agent].state, PhoneState::Over);
    assert_eq!((state(&world, "8001"), state(&world, "8002")), (AgentState::WrapUp, AgentState::Engaged));
    assert_eq!(calls(&world)[0].agent, Some("8002".into()));
    let replaced = |f: &Fact| matches!(f, Fact::AgentReplaced { agent, .. } if agent.as_str() == "8002");
    assert!(world.facts.iter().any(|f| replaced(&f.fact)));
    // His keys are an agent's.
    type_keys(&mut world, new, "*1");
    assert_eq!(calls(&world)[0].stage, "held");
    world.end(caller, Cause::HungUp);
    assert_eq!(state(&world, "8002"), AgentState::Ready);
    assert!(world.board.exchange().is_idle());
}

#[test]
fn his_second_phone_takes_the_place_of_his_first_and_nothing_else_changes() {
    let (mut world, caller, agent) = talking();
    let new = world.ring_in_place(agent, "8001's other phone", Peer::Agent("8001".into()));
    hear_each_other(&world, caller, new);
    assert!(matches!(state(&world, "8001"), AgentState::Talking(_)));
    world.end(new, Cause::HungUp);
    assert_eq!(
        (state(&world, "8001"), calls(&world)[0].stage.clone()),
        (AgentState::WrapUp, "farewell".into())
    );
}

#[test]
fn strangers_and_other_trunks_take_nobodys_place_and_callers_are_transferred_by_nobody() {
    let (mut world, caller, agent) = talking();
    for (old, peer) in [
        (agent, Peer::Stranger),
        (agent, Peer::Trunk(TrunkId::from("carrier"))),
        (agent, Peer::Agent("9999".into())),
        (caller, Peer::Stranger),
        (caller, Peer::Agent("8001".into())),
        (caller, Peer::Trunk(TrunkId::from("carrier"))),
    ] {
        let new = world.ring_in_place(old, "another", peer);
        assert_eq!(world.phones[&new].state, PhoneState::Over);
        hear_each_other(&world, caller, agent);
    }
    let transfer = world.ask(caller, TransferTarget::Party(PartyId::from("merchant")));
    assert_eq!(told(&world, transfer), [TransferStep::Refused(Cause::Forbidden)]);
}

#[test]
fn a_caller_of_a_trunk_is_replaced_by_it_even_in_the_menus_but_not_within_a_secret() {
    let settings = ExchangeSettings { check_every: 1, ..ExchangeSettings::default() };
    let mut world = World::new(menus(), settings);
    let carrier = || Peer::Trunk(TrunkId::from("carrier"));
    let first = world.dial("secretary", "95188", "139", carrier());
    let boss = world.ring_in_place(first, "boss", carrier());
    // He hears what she was being told from its beginning, and goes on with the menu.
    assert_eq!(world.phones[&boss].prompt, "welcome");
    assert!(world.hear(boss));
    type_keys(&mut world, boss, "3");
    assert!(world.phones[&boss].secret.is_some());
    let other = world.ring_in_place(boss, "other", carrier());
    assert_eq!(world.phones[&other].state, PhoneState::Over);
    type_keys(&mut world, boss, "12#");
    assert_eq!(calls(&world)[0].stage, "waiting");
}

/// A caller for whom 8001's phone rings; 8002 is at work, too.
fn ringing() -> (World, LegId, LegId) {
    let (mut world, caller) = offered();
    world.sign_in("8002");
    let rings = world.leg("8001");
    assert_eq!(calls(&world)[0].stage, "ringing");
    (world, caller, rings)
}

#[test]
fn a_colleague_picks_up_a_call_that_rings_elsewhere_and_who_was_rung_is_as_free_as_before() {
    let (mut world, caller, rings) = ringing();
    let new = world.ring_in_place(rings, "8002", Peer::Agent("8002".into()));
    hear_each_other(&world, caller, new);
    assert_eq!(world.phones[&rings].state, PhoneState::Over);
    assert_eq!((state(&world, "8001"), state(&world, "8002")), (AgentState::Ready, AgentState::Engaged));
    assert_eq!(calls(&world)[0].agent, Some("8002".into()));
    let facts: Vec<&Fact> = world.facts.iter().map(|f| &f.fact).collect();
    let ended = |f: &&Fact| matches!(f, Fact::OfferEnded { agent, cause: Cause::Withdrawn, .. } if agent.as_str() == "8001");
    let connected = |f: &&Fact| matches!(f, Fact::Connected { agent, .. } if agent.as_str() == "8002");
    assert_eq!(
        (facts.iter().filter(|f| ended(f)).count(), facts.iter().filter(|f| connected(f)).count()),
        (1, 1)
    );
    let queues = world.board.view(world.now).acd.queues;
    assert!(queues.iter().all(|q| q.waiting.is_empty()), "nobody waits any more");
    assert_eq!(queues.iter().map(|q| q.service.answered).sum::<u64>(), 1);
    assert_eq!(queues.iter().map(|q| q.service.left).sum::<u64>(), 0, "he did not give up");
    // The next caller is 8001's.
    let next = world.dial("next", "95188", "138", Peer::Stranger);
    type_keys(&mut world, next, "1");
    type_keys(&mut world, next, "47#");
    world.wait(Duration::from_secs(10));
    let agent = answer(&mut world, "8001");
    hear_each_other(&world, next, agent);
    // His keys are an agent's, and his phone may be replaced in turn.
    type_keys(&mut world, new, "*1");
    assert_eq!(calls(&world)[0].stage, "held");
    world.end(caller, Cause::HungUp);
    assert_eq!(state(&world, "8002"), AgentState::Ready);
    world.end(next, Cause::HungUp);
    assert!(world.board.exchange().is_idle(), "{}", world.transcript());
}

#[test]
fn an_agents_second_phone_takes_the_call_that_rings_at_his_first() {
    let (mut world, caller, rings) = ringing();
    let new = world.ring_in_place(rings, "8001's other phone", Peer::Agent("8001".into()));
    hear_each_other(&world, caller, new);
    assert_eq!(world.phones[&rings].state, PhoneState::Over);
    assert!(matches!(state(&world, "8001"), AgentState::Talking(_)));
    world.end(caller, Cause::HungUp);
    assert_eq!(state(&world, "8001"), AgentState::WrapUp);
    assert!(world.board.exchange().is_idle());
}

#[test]
fn nobody_else_picks_up_what_rings_and_it_rings_on() {
    let (mut world, caller, rings) = ringing();
    for peer in [Peer::Stranger, Peer::Trunk(TrunkId::from("carrier")), Peer::Agent("9999".into())] {
        let new = world.ring_in_place(rings, "another", peer);
        assert_eq!(world.phones[&new].state, PhoneState::Over);
        assert_eq!(calls(&world)[0].stage, "ringing");
    }
    let agent = answer(&mut world, "8001");
    hear_each_other(&world, caller, agent);
}

#[test]
fn a_third_partys_other_phone_takes_the_call_that_rings_at_its_first() {
    let (mut world, caller, agent) = talking();
    type_keys(&mut world, agent, "*201#");
    let rings = world.leg("merchant");
    let new = world.ring_in_place(rings, "merchant's other phone", Peer::Trunk(TrunkId::from("carrier")));
    hear_each_other(&world, agent, new);
    assert_eq!(world.phones[&rings].state, PhoneState::Over);
    world.end(new, Cause::HungUp);
    hear_each_other(&world, caller, agent);
}
