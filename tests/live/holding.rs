//! Holds by re-INVITE from the phones themselves, both at once, and phones that vanish.
use std::time::Duration;

use hotline::replay::{Phone, PhoneEvent, Voice};

use crate::cast::{
    AGENT_HZ, CALLER_HZ, MERCHANT_HZ, OTHER_AGENT_HZ, Phase, answer, only, over, play, rings, steady,
};
use crate::house::{MUSIC_HZ, SOON};

async fn hold(phone: &mut Phone, held: bool) {
    phone.hold(held).await.unwrap();
    let done = phone.wait("the answer to its re-INVITE", SOON, |e| matches!(e, PhoneEvent::Changed(_))).await;
    assert_eq!(done.unwrap(), PhoneEvent::Changed(true));
}

#[test]
fn whoever_is_held_by_the_others_phone_hears_music_and_then_him_again() {
    play("", async |cast| {
        cast.reach(Phase::Bridge).await;
        hold(&mut cast.agent, true).await;
        only("the caller held by the agent's phone", &cast.caller, &[MUSIC_HZ]).await;
        hold(&mut cast.agent, false).await;
        cast.two().await;
        hold(&mut cast.caller, true).await;
        only("the agent held by the caller's phone", &cast.agent, &[MUSIC_HZ]).await;
        hold(&mut cast.caller, false).await;
        cast.two().await;
        steady("the caller", &cast.caller);
        steady("the agent", &cast.agent);
    });
}

#[test]
fn whoever_is_away_from_a_conference_plays_no_music_into_it() {
    play("", async |cast| {
        cast.reach(Phase::Private).await;
        hold(&mut cast.merchant, true).await;
        only("the agent held by the merchant's phone", &cast.agent, &[MUSIC_HZ]).await;
        hold(&mut cast.merchant, false).await;
        cast.heard_in(Phase::Private).await;
        cast.agent.press("*3").await.unwrap();
        cast.heard_in(Phase::Conference).await;
        // A phone that holds goes on sending: its own music, here its tone.
        hold(&mut cast.agent, true).await;
        tokio::join!(
            only("the caller while the agent is away", &cast.caller, &[MERCHANT_HZ]),
            only("the merchant while the agent is away", &cast.merchant, &[CALLER_HZ]),
        );
        hold(&mut cast.agent, false).await;
        cast.heard_in(Phase::Conference).await;
        cast.steady();
    });
}

#[test]
fn two_who_hold_each_other_at_once_come_back() {
    play("", async |cast| {
        cast.reach(Phase::Bridge).await;
        cast.agent.hold(true).await.unwrap();
        cast.caller.hold(true).await.unwrap();
        for phone in [&mut cast.agent, &mut cast.caller] {
            phone.wait("its hold", SOON, |e| *e == PhoneEvent::Changed(true)).await.unwrap();
        }
        hold(&mut cast.agent, false).await;
        hold(&mut cast.caller, false).await;
        cast.two().await;
    });
}

#[test]
fn re_invites_that_cross_on_one_leg_both_come_through() {
    play("", async |cast| {
        cast.reach(Phase::Bridge).await;
        // The agent's key makes the hotline tell the caller's phone of the hold while that phone holds by itself.
        cast.agent.press("*1").await.unwrap();
        tokio::time::sleep(Duration::from_millis(230)).await;
        for round in [true, false, true, false] {
            cast.caller.hold(round).await.unwrap();
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        cast.caller.wait("the hold", SOON, |e| *e == PhoneEvent::Held(true)).await.unwrap();
        cast.heard_in(Phase::Hold).await;
        cast.agent.press("*1").await.unwrap();
        cast.caller.wait("the end of hold", SOON, |e| *e == PhoneEvent::Held(false)).await.unwrap();
        cast.two().await;
    });
}

const SHORT_SILENCE: &str = "[limits]\nsilence = \"2s\"";

#[test]
fn the_caller_of_an_agent_who_vanishes_waits_again_and_gets_another() {
    play(SHORT_SILENCE, async |cast| {
        cast.reach(Phase::Bridge).await;
        let mut other = cast.house.agent("8006", Voice::Tone(OTHER_AGENT_HZ)).await;
        cast.agent.vanish().await.unwrap();
        rings(&mut other).await;
        only("the caller whose agent vanished", &cast.caller, &[MUSIC_HZ]).await;
        answer(&mut other).await;
        tokio::join!(
            only("the caller with the second agent", &cast.caller, &[OTHER_AGENT_HZ]),
            only("the second agent", &other, &[CALLER_HZ]),
        );
        steady("the caller", &cast.caller);
    });
}

#[test]
fn the_others_go_on_when_one_of_three_vanishes() {
    play(SHORT_SILENCE, async |cast| {
        cast.reach(Phase::Conference).await;
        cast.merchant.vanish().await.unwrap();
        cast.two().await;
        cast.agent.hang_up().await.unwrap();
        over(&mut cast.caller).await;
    });
}

#[test]
fn an_agent_whose_caller_vanishes_is_let_go() {
    play(SHORT_SILENCE, async |cast| {
        cast.reach(Phase::Bridge).await;
        only("the agent", &cast.agent, &[CALLER_HZ]).await;
        cast.caller.vanish().await.unwrap();
        over(&mut cast.agent).await;
        // He is free for the next one at once.
        cast.call_again().await;
        cast.reach(Phase::Bridge).await;
        only("the next caller", &cast.caller, &[AGENT_HZ]).await;
    });
}
