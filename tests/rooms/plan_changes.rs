//! A new set while calls run: what becomes of those who wait in a queue that is gone, and of agents who are gone or can
//! do something else, in whatever they are doing.
//!
//! | what changes | who | what becomes of him |
//! |---|---|---|
//! | a queue is gone | who waits in it | overflows as its rules of his set say, with his clock |
//! | the queue behind 0 has another name | who waits in it | is in the new one, with his clock |
//! | an agent is gone | signed in, ready | is gone at once |
//! | | his phone rings | stops; the caller is offered to others, with his place |
//! | | talks | talks on, and is gone after it |
//! | an agent can do more | | who waits for that is offered to him at once |
//! | an agent can do less | talks | talks on; the next is what he can |
//! | queues, agents as before | | nothing at all |
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, Instant, Key, QueueId, SkillId};
use hotline::exchange::acd::AgentState;
use hotline::exchange::menu::MenuSet;
use hotline::exchange::{Cause, ExchangeSettings, Fact, Peer};

use crate::small_hotline::menus;
use crate::world::World;

/// The small hotline, changed.
fn changed(change: impl FnOnce(&mut MenuSet)) -> Arc<MenuSet> {
    let mut set = MenuSet::clone(&menus());
    set.revision = "changed".into();
    change(&mut set);
    Arc::new(set)
}

fn without_agent(name: &str) -> Arc<MenuSet> {
    changed(|set| drop(Arc::make_mut(&mut set.acd).agents.remove(&AgentId::from(name))))
}

fn world(agents: &[&str]) -> World {
    let mut world = World::new(menus(), ExchangeSettings { check_every: 1, ..ExchangeSettings::default() });
    for agent in agents {
        world.sign_in(agent);
    }
    world
}

/// Rings and presses these keys.
fn calls(world: &mut World, name: &str, keys: &str) {
    let leg = world.dial(name, "95188", name, Peer::Stranger);
    for key in keys.chars() {
        world.press(leg, Key::from_char(key).unwrap());
    }
    world.wait(Duration::from_secs(4));
}

/// Who waits where, since when.
fn waiting(world: &World) -> Vec<(String, Instant)> {
    let queues = world.board.view(world.now).acd.queues;
    queues.iter().flat_map(|q| q.waiting.iter().map(|t| (q.queue.to_string(), t.since))).collect()
}

fn state(world: &World, agent: &str) -> Option<AgentState> {
    let agents = world.board.view(world.now).acd.agents;
    agents.into_iter().find(|a| a.agent == AgentId::from(agent)).map(|a| a.state)
}

fn offered(world: &World) -> Vec<String> {
    let offers = world.facts.iter().filter_map(|f| match &f.fact {
        Fact::Offered { agent, .. } => Some(agent.to_string()),
        _ => None,
    });
    offers.collect()
}

#[test]
fn who_waits_in_a_queue_that_is_gone_overflows_with_his_clock() {
    let mut world = world(&[]);
    calls(&mut world, "one", "112#");
    let before = waiting(&world);
    assert_eq!(before[0].0, "account");
    world.wait(Duration::from_secs(20));
    world.install(changed(|set| {
        let queue = QueueId::from("account");
        set.queues.remove(&queue);
        Arc::make_mut(&mut set.acd).queues.remove(&queue);
    }));
    assert_eq!(waiting(&world), [("general".to_owned(), before[0].1)]);
    assert!(world.board.check(world.now).is_empty());
}

#[test]
fn zero_leads_to_a_human_when_the_queue_behind_it_has_another_name() {
    let mut world = world(&[]);
    calls(&mut world, "one", "0");
    let since = waiting(&world)[0].1;
    let renamed = changed(|set| {
        let (old, new) = (QueueId::from("general"), QueueId::from("front"));
        let queue = set.queues.remove(&old).unwrap();
        set.queues.insert(new.clone(), queue);
        let plan = Arc::make_mut(&mut set.acd);
        let queue = plan.queues.remove(&old).unwrap();
        plan.queues.insert(new.clone(), queue);
        set.human = new;
    });
    // One waits; the other is still in the menus of the old set when it changes.
    let leg = world.dial("two", "95188", "two", Peer::Stranger);
    world.install(renamed);
    world.press(leg, Key::from_char('0').unwrap());
    world.wait(Duration::from_secs(4));
    let now = waiting(&world);
    assert_eq!(now.iter().map(|(queue, _)| queue.as_str()).collect::<Vec<_>>(), ["front", "front"]);
    assert_eq!(now[0].1, since);
    world.sign_in("8001");
    let leg = world.leg("8001");
    world.answer(leg);
    assert!(matches!(state(&world, "8001"), Some(AgentState::Talking(_))));
}

#[test]
fn an_agent_who_is_gone_is_gone_at_once_or_after_his_conversation() {
    // Ready.
    let mut ready = world(&["8001"]);
    ready.install(without_agent("8001"));
    assert_eq!(state(&ready, "8001"), None);
    // His phone rings: the caller keeps his place, and another is rung.
    let mut ringing = world(&["8001"]);
    calls(&mut ringing, "one", "112#");
    let since = ringing.board.view(ringing.now).calls[0].call;
    assert!(matches!(state(&ringing, "8001"), Some(AgentState::Ringing(_))));
    ringing.sign_in("8002");
    ringing.install(without_agent("8001"));
    assert_eq!(state(&ringing, "8001"), None);
    assert_eq!(offered(&ringing), ["8001", "8002"]);
    assert_eq!(ringing.board.view(ringing.now).calls[0].call, since);
    assert!(ringing.board.check(ringing.now).is_empty());
    // He talks: he talks on.
    let mut talking = world(&["8001"]);
    calls(&mut talking, "one", "112#");
    let leg = talking.leg("8001");
    talking.answer(leg);
    assert!(matches!(state(&talking, "8001"), Some(AgentState::Talking(_))));
    talking.install(without_agent("8001"));
    talking.wait(Duration::from_secs(15));
    assert!(matches!(state(&talking, "8001"), Some(AgentState::Talking(_))));
    talking.end(leg, Cause::HungUp);
    assert_eq!(state(&talking, "8001"), None);
    assert!(talking.board.check(talking.now).is_empty());
}

#[test]
fn skills_hold_for_the_next_offer_and_never_for_a_conversation_that_goes_on() {
    let skilled = |agent: &str, skills: &[&str]| {
        let skills = skills.iter().map(|s| (SkillId::from(*s), 5)).collect();
        changed(|set| {
            Arc::make_mut(&mut set.acd).agents.get_mut(&AgentId::from(agent)).unwrap().skills = skills;
        })
    };
    // Nobody there can do it, until somebody can.
    let mut world = world(&["8003"]);
    calls(&mut world, "one", "112#");
    assert!(offered(&world).is_empty());
    world.install(skilled("8003", &["loans", "account"]));
    assert_eq!(offered(&world), ["8003"]);
    let leg = world.leg("8003");
    world.answer(leg);
    world.install(skilled("8003", &["loans"]));
    assert!(matches!(state(&world, "8003"), Some(AgentState::Talking(_))));
    calls(&mut world, "two", "112#");
    world.end(leg, Cause::HungUp);
    world.wait(Duration::from_secs(40));
    assert_eq!(offered(&world), ["8003"], "he can do it no more");
    assert!(world.board.check(world.now).is_empty());
}

#[test]
fn a_set_that_changes_menus_alone_touches_no_line_and_no_agent() {
    let mut world = world(&["8001"]);
    calls(&mut world, "one", "112#");
    calls(&mut world, "two", "0");
    let acd = |world: &World| world.board.view(world.now).acd;
    let before = acd(&world);
    let mut set = MenuSet::clone(&menus());
    set.revision = "other words".into();
    let shared = set.share_with(&menus());
    assert_eq!(shared, set.menus.len());
    world.install(Arc::new(set));
    assert_eq!(acd(&world), before);
}
