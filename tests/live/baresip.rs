//! The real baresip as a caller and as a registered agent, over UDP and over TCP.
use hotline::replay::{PhoneEvent, Voice};

use crate::baresip_peer::Baresip;
use crate::cast::{AGENT_HZ, CALLER_HZ, no_wrap_up, only, over};
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, runtime};

/// It hears the menu, presses keys, waits with music, talks to an agent, hangs up.
fn calls_over(transport: &'static str) {
    let mut house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let mut baresip = Baresip::start(&house, "13800138000", None, transport, CALLER_HZ).await;
        baresip.visit(&mut agent).await;
    });
    let story = house.story(0);
    assert_eq!(story["call"]["keys"], "13");
    assert_eq!(story["call"]["cause"], "hung_up");
}

/// It registers with digest, signs in by feature code, is rung, answers by itself, talks.
fn works_over(transport: &'static str) {
    let house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let password = house.password("8001");
        let mut baresip = Baresip::start(&house, "8001", Some(&password), transport, AGENT_HZ).await;
        baresip.sign_in().await;
        let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        baresip.wait("CALL_ESTABLISHED").await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        baresip.hears(&[CALLER_HZ], &[MUSIC_HZ, PROMPT_HZ, AGENT_HZ]).await;
        // The agent's keys, from a real phone.
        baresip.press("*1").await;
        caller.wait("hold", SOON, |e| *e == PhoneEvent::Held(true)).await.unwrap();
        only("the held caller", &caller, &[MUSIC_HZ]).await;
        baresip.press("*1").await;
        only("the caller", &caller, &[AGENT_HZ]).await;
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        baresip.wait("CALL_CLOSED").await;
    });
}

#[test]
fn baresip_calls_over_udp() {
    calls_over("udp");
}

#[test]
fn baresip_calls_over_tcp() {
    calls_over("tcp");
}

#[test]
fn baresip_works_as_an_agent_over_udp() {
    works_over("udp");
}

#[test]
fn baresip_works_as_an_agent_over_tcp() {
    works_over("tcp");
}
