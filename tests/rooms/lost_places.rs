//! A caller who is lost while he waits has his place back when he rings again in time: same class, same clock, same
//! order; and he is told so, as he was told before that his place is kept.
use std::time::Duration;

use hotline::base::{Instant, Key, QueueId};
use hotline::exchange::acd::QueueSnapshot;
use hotline::exchange::{Cause, Command, ExchangeSettings, Fact, Peer};

use crate::small_hotline::menus;
use crate::world::World;

fn world() -> World {
    World::new(menus(), ExchangeSettings::default())
}

/// Rings and asks for a person.
fn waits(world: &mut World, name: &str, number: &str) {
    let leg = world.dial(name, number, name, Peer::Stranger);
    world.press(leg, Key::from_char('0').unwrap());
}

fn general(world: &World) -> QueueSnapshot {
    let queues = world.board.view(world.now).acd.queues;
    queues.into_iter().find(|q| q.queue == QueueId::from("general")).unwrap()
}

fn line(world: &World) -> Vec<(String, u8, Instant)> {
    let view = world.board.view(world.now);
    let caller = |call| view.calls.iter().find(|c| c.call == call).unwrap().caller.clone();
    general(world).waiting.iter().map(|t| (caller(t.call), t.priority, t.since)).collect()
}

fn said(world: &World, prompt: &str) -> usize {
    let says = |c: &&Command| match c {
        Command::Play { prompts, .. } => prompts.iter().any(|p| p.as_str() == prompt),
        _ => false,
    };
    world.commands.iter().filter(says).count()
}

fn hear_all(world: &mut World, name: &str) {
    let leg = world.leg(name);
    while world.hear(leg) {}
}

#[test]
fn a_caller_lost_while_he_waits_has_his_old_place_whoever_came_meanwhile() {
    let mut world = world();
    for name in ["one", "two", "three"] {
        waits(&mut world, name, "95188");
        world.wait(Duration::from_secs(10));
    }
    let before = line(&world);
    let leg = world.leg("two");
    world.end(leg, Cause::PeerLost);
    assert_eq!(line(&world).len(), 2);
    world.wait(Duration::from_mins(1));
    waits(&mut world, "four", "95188");
    // He presses nothing.
    world.dial("two", "95188", "two", Peer::Stranger);
    assert_eq!(said(&world, "place-restored"), 1);
    let after = line(&world);
    assert_eq!(after[..3], before, "an old place was not given back");
    assert_eq!(after[3].0, "four");
    let restored = |f: &Fact| match f {
        Fact::PlaceRestored { waited, .. } => Some(*waited),
        _ => None,
    };
    let waited: Vec<Duration> = world.facts.iter().filter_map(|f| restored(&f.fact)).collect();
    assert_eq!(waited, [Duration::from_secs(80)]);
}

#[test]
fn a_queue_that_filled_up_meanwhile_takes_back_whom_it_lost_and_nobody_else() {
    let mut world = world();
    waits(&mut world, "one", "95188");
    let leg = world.leg("one");
    world.end(leg, Cause::PeerLost);
    world.wait(Duration::from_secs(1));
    for n in 0..50 {
        waits(&mut world, &format!("139{n}"), "95188");
    }
    assert_eq!(line(&world).len(), 50);
    waits(&mut world, "one too many", "95188");
    assert_eq!(line(&world).len(), 50);
    world.dial("one", "95188", "one", Peer::Stranger);
    assert_eq!((line(&world).len(), line(&world)[0].0.as_str()), (51, "one"));
}

#[test]
fn several_who_were_lost_come_back_in_any_order_and_stand_as_they_stood() {
    let mut world = world();
    let names: Vec<String> = (0..6).map(|n| format!("caller {n}")).collect();
    for name in &names {
        waits(&mut world, name, if name.ends_with('3') { "057195188" } else { "95188" });
        world.wait(Duration::from_secs(7));
    }
    let before = line(&world);
    for name in &names {
        let leg = world.leg(name);
        world.end(leg, Cause::PeerLost);
    }
    for name in [3, 5, 0, 4, 2, 1].map(|n: usize| &names[n]) {
        world.wait(Duration::from_secs(5));
        world.dial(name, if name.ends_with('3') { "057195188" } else { "95188" }, name, Peer::Stranger);
    }
    assert_eq!(line(&world), before);
}

#[test]
fn who_hung_up_himself_or_comes_too_late_or_another_way_begins_anew() {
    let mut world = world();
    for (name, cause) in [("gone", Cause::HungUp), ("late", Cause::PeerLost), ("other", Cause::PeerLost)] {
        waits(&mut world, name, "95188");
        let leg = world.leg(name);
        world.end(leg, cause);
    }
    world.dial("gone", "95188", "gone", Peer::Stranger);
    world.dial("other", "95188", "other", Peer::Trunk("carrier".into()));
    world.wait(Duration::from_secs(601));
    world.dial("late", "95188", "late", Peer::Stranger);
    assert_eq!(said(&world, "place-restored"), 0);
    assert!(!world.facts.iter().any(|f| matches!(f.fact, Fact::PlaceRestored { .. })));
}

#[test]
fn who_dials_another_number_wants_something_else_but_keeps_his_clock() {
    let mut world = world();
    waits(&mut world, "one", "95188");
    let since = line(&world)[0].2;
    let leg = world.leg("one");
    world.end(leg, Cause::SoundLost);
    world.wait(Duration::from_mins(1));
    waits(&mut world, "one", "057195188");
    assert_eq!(said(&world, "place-restored"), 0);
    assert_eq!(line(&world)[0].2, since);
}

#[test]
fn your_place_is_kept_is_said_when_the_disk_has_it_and_never_before() {
    let mut world = world();
    waits(&mut world, "one", "95188");
    hear_all(&mut world, "one");
    world.wait(Duration::from_secs(30));
    hear_all(&mut world, "one");
    assert_eq!(said(&world, "if-we-lose-you"), 0, "promised, although the disk has nothing");
    world.disk_has_all();
    assert_eq!(said(&world, "if-we-lose-you"), 1);
    // Lost and back: he knows already what he would be told, but this is a new call with a new place.
    let leg = world.leg("one");
    world.end(leg, Cause::PeerLost);
    world.dial("one", "95188", "one", Peer::Stranger);
    hear_all(&mut world, "one");
    world.disk_has_all();
    assert_eq!(said(&world, "if-we-lose-you"), 2);
}

#[test]
fn the_disk_may_be_slower_than_the_queue_and_the_caller() {
    let mut world = world();
    world.sign_in("8001");
    waits(&mut world, "one", "95188");
    waits(&mut world, "two", "95188");
    let leg = world.leg("two");
    world.end(leg, Cause::HungUp);
    let agent = world.leg("8001");
    world.answer(agent);
    // One talks already, the other is gone.
    world.disk_has_all();
    assert_eq!(said(&world, "if-we-lose-you"), 0);
    assert!(!world.facts.iter().any(|f| matches!(f.fact, Fact::PlaceKept { .. } | Fact::Ignored { .. })));
}

#[test]
fn a_withheld_number_is_promised_nothing() {
    let mut world = world();
    let leg = world.dial("hidden", "95188", "", Peer::Stranger);
    world.press(leg, Key::from_char('0').unwrap());
    assert!(world.awaited.is_empty());
}
