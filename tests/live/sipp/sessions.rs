//! PRACK, UPDATE, session timers and forks against the real sipp, which checks what we send as it is told.
use std::net::{Ipv4Addr, SocketAddr};

use hotline::replay::{Phone, PhoneEvent, PhoneSettings};

use super::run::{Orders, Sipp, UNASKED, free_port, sign_in};
use crate::house::{House, SOON, runtime};

fn caller(name: &str, stays_ms: u32) -> Orders {
    Orders::new("waits").key("caller", name).with("-d", &stays_ms.to_string())
}

/// A caller waits for `agent`, a sipp on its port, and leaves after `stays_ms`.
async fn reaches(house: &House, agent: &'static str, stays_ms: u32) -> String {
    let port = free_port();
    sign_in(house, &["8002".to_owned()], port, false).await;
    let agent = Sipp::answering(house, Orders::new(agent).port(port)).await;
    Sipp::run(house, caller("reaches", stays_ms)).await;
    agent.finish().await
}

#[test]
fn reliable_ringing_is_repeated_until_its_prack_and_not_acknowledged_twice() {
    let house = House::open("");
    runtime().block_on(async {
        let mut settings = PhoneSettings::new("rings", house.sip);
        settings.port = free_port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port));
        let mut phone = Phone::start(settings).await.unwrap();
        let caller = Sipp::start(&house, &Orders::new("prack_caller").toward(address));
        phone.wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(_))).await.unwrap();
        caller.until("SIP/2.0 481").await;
        phone.answer().await.unwrap();
        phone.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        let messages = caller.finish().await;
        let before = messages.split("\nPRACK ").next().unwrap();
        let rung = before.matches("SIP/2.0 180 Ringing").count();
        assert!((2..=3).contains(&rung), "after T1, and on a busy machine once more: {messages}");
    });
}

#[test]
fn an_agent_who_rings_reliably_is_acknowledged_and_may_change_before_he_answers() {
    let mut house = House::open("");
    let messages = runtime().block_on(reaches(&house, "prack_agent", 2_500));
    assert_eq!(messages.matches("\nPRACK sip:").count(), 2, "{messages}");
    let story = house.story(0);
    assert_eq!((&story["call"]["agent"], &story["call"]["cause"]), (&"8002".into(), &"hung_up".into()));
    assert_eq!(story["offers"][0]["outcome"], "connected");
}

#[test]
fn of_two_phones_that_answer_one_gets_the_caller_and_the_other_a_bye() {
    let mut house = House::open("");
    runtime().block_on(reaches(&house, "fork_agent", 2_500));
    let story = house.story(0);
    assert_eq!(story["offers"][0]["outcome"], "connected");
    assert_eq!(story["call"]["cause"], "hung_up");
}

#[test]
fn a_caller_holds_and_comes_back_by_update() {
    let mut house = House::open("");
    runtime().block_on(Sipp::run(&house, Orders::new("updates")));
    let story = house.story(0);
    let facts = story["facts"].as_array().unwrap().iter().filter(|f| f["kind"] == "peer_held");
    let held: Vec<bool> = facts.map(|f| f["body"].to_string().contains("true")).collect();
    assert_eq!(held, [true, false], "{story}");
}

#[test]
fn too_short_a_session_is_refused_and_a_longer_one_refreshed_by_the_caller() {
    let mut house = House::open("");
    runtime().block_on(Sipp::run(&house, Orders::new("session_too_short")));
    assert_eq!(house.story(0)["call"]["cause"], "hung_up");
}

#[test]
fn the_server_refreshes_both_legs_by_update_and_by_re_invite_with_the_same_sdp() {
    // Nobody here sends sound, and sipp answers no questions.
    let mut house = House::open(UNASKED);
    let messages = runtime().block_on(async {
        let port = free_port();
        sign_in(&house, &["8002".to_owned()], port, false).await;
        let agent = Sipp::answering(&house, Orders::new("session_agent").port(port)).await;
        Sipp::run(&house, Orders::new("session_caller")).await;
        agent.finish().await
    });
    let ours: Vec<&str> = messages
        .split("message received")
        .skip(1)
        .filter_map(|m| m.lines().find(|l| l.starts_with("o=")))
        .collect();
    assert_eq!(ours.len(), 3, "{messages}");
    assert!(ours.iter().all(|o| *o == ours[0]), "what was said last is said again: {ours:?}");
    let story = house.story(0);
    assert_eq!((&story["call"]["agent"], &story["call"]["cause"]), (&"8002".into(), &"hung_up".into()));
}
