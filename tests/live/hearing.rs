//! Audible truth: each party sends its own tone, and what arrives at each ear is measured.
use std::time::Duration;

use hotline::replay::{PhoneEvent, Voice};

use crate::cast::{
    AGENT_HZ, CALLER_HZ, OTHER_AGENT_HZ, OTHER_CALLER_HZ, Phase, answer, last_words, no_wrap_up, nothing,
    only, over, play, rings, steady,
};
use crate::house::{House, MUSIC_HZ, PROMPT_HZ, SOON, hears, runtime};

#[test]
fn each_hears_whom_he_should_from_menu_to_bridge_and_hold() {
    play("", async |cast| {
        let idle = cast.house.agent("8005", Voice::Tone(OTHER_AGENT_HZ)).await;
        hears("the caller in the menu", &cast.caller, &[PROMPT_HZ], &[MUSIC_HZ, CALLER_HZ, OTHER_AGENT_HZ])
            .await;
        cast.queue().await;
        tokio::join!(
            only("the waiting caller", &cast.caller, &[MUSIC_HZ]),
            nothing("the agent whose phone rings", &cast.agent),
            nothing("the agent who is idle", &idle),
        );
        answer(&mut cast.agent).await;
        cast.heard_in(Phase::Bridge).await;
        for _ in 0..2 {
            cast.agent.press("*1").await.unwrap();
            cast.caller.wait("hold", SOON, |e| *e == PhoneEvent::Held(true)).await.unwrap();
            cast.heard_in(Phase::Hold).await;
            cast.agent.press("*1").await.unwrap();
            cast.caller.wait("the end of hold", SOON, |e| *e == PhoneEvent::Held(false)).await.unwrap();
            cast.heard_in(Phase::Bridge).await;
        }
        nothing("the agent who is idle", &idle).await;
        steady("the caller", &cast.caller);
        steady("the agent", &cast.agent);
    });
}

#[test]
fn each_hears_whom_he_should_with_a_third_party() {
    play("", async |cast| {
        cast.reach(Phase::Bridge).await;
        cast.agent.press("*21#").await.unwrap();
        rings(&mut cast.merchant).await;
        tokio::join!(
            only("the caller while the merchant rings", &cast.caller, &[MUSIC_HZ]),
            // The ringing tone, which sounds like music in this house.
            only("the agent while the merchant rings", &cast.agent, &[MUSIC_HZ]),
            nothing("the merchant who rings", &cast.merchant),
        );
        answer(&mut cast.merchant).await;
        cast.heard_in(Phase::Private).await;
        cast.agent.press("*3").await.unwrap();
        cast.heard_in(Phase::Conference).await;
        // Aside with the merchant again, then all three again.
        cast.agent.press("*1").await.unwrap();
        cast.heard_in(Phase::Private).await;
        cast.agent.press("*3").await.unwrap();
        cast.heard_in(Phase::Conference).await;
        cast.agent.press("*4").await.unwrap();
        over(&mut cast.merchant).await;
        cast.heard_in(Phase::Bridge).await;
        // Dropped out of private talk as well.
        cast.bring_merchant().await;
        cast.heard_in(Phase::Private).await;
        cast.agent.press("*4").await.unwrap();
        over(&mut cast.merchant).await;
        cast.heard_in(Phase::Bridge).await;
        cast.steady();
    });
}

#[test]
fn the_agent_leaves_the_other_two_together() {
    play("", async |cast| {
        cast.reach(Phase::PartyOnly).await;
        cast.caller.hang_up().await.unwrap();
        over(&mut cast.merchant).await;
        cast.steady();
        // Out of private talk as well; and who is left then ends with a word.
        over(&mut cast.caller).await;
        cast.call_again().await;
        cast.reach(Phase::Private).await;
        cast.agent.press("*5").await.unwrap();
        over(&mut cast.agent).await;
        cast.heard_in(Phase::PartyOnly).await;
        cast.merchant.hang_up().await.unwrap();
        over(&mut cast.caller).await;
        last_words("the caller whom the merchant left", &cast.caller.ear);
        cast.steady();
    });
}

#[test]
fn a_caller_who_is_passed_on_hears_music_and_then_the_other_agent() {
    play("", async |cast| {
        let mut other = cast.house.agent("8005", Voice::Tone(OTHER_AGENT_HZ)).await;
        cast.reach(Phase::Bridge).await;
        cast.agent.press("*67#").await.unwrap();
        over(&mut cast.agent).await;
        rings(&mut other).await;
        only("the caller who was passed on", &cast.caller, &[MUSIC_HZ]).await;
        answer(&mut other).await;
        tokio::join!(
            only("the caller with the other agent", &cast.caller, &[OTHER_AGENT_HZ]),
            only("the other agent", &other, &[CALLER_HZ]),
        );
        steady("the caller", &cast.caller);
        steady("the other agent", &other);
    });
}

#[test]
fn two_calls_at_once_never_hear_each_other() {
    let house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut agents = Vec::new();
        let mut callers = Vec::new();
        for (name, agent_hz, number, caller_hz) in [
            ("8001", AGENT_HZ, "13800138000", CALLER_HZ),
            ("8006", OTHER_AGENT_HZ, "13900139000", OTHER_CALLER_HZ),
        ] {
            // One after the other, so that it is known who talks to whom.
            let mut agent = house.agent(name, Voice::Tone(agent_hz)).await;
            let caller = house.caller(number, "95188", Voice::Tone(caller_hz)).await;
            caller.press("13").await.unwrap();
            rings(&mut agent).await;
            answer(&mut agent).await;
            agents.push(agent);
            callers.push(caller);
        }
        for _ in 0..3 {
            tokio::join!(
                only("the first caller", &callers[0], &[AGENT_HZ]),
                only("the first agent", &agents[0], &[CALLER_HZ]),
                only("the second caller", &callers[1], &[OTHER_AGENT_HZ]),
                only("the second agent", &agents[1], &[OTHER_CALLER_HZ]),
            );
        }
        // One held, one not.
        agents[0].press("*1").await.unwrap();
        tokio::join!(
            only("the first caller, held", &callers[0], &[MUSIC_HZ]),
            nothing("the first agent, who holds", &agents[0]),
            only("the second caller", &callers[1], &[OTHER_AGENT_HZ]),
            only("the second agent", &agents[1], &[OTHER_CALLER_HZ]),
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
        agents.iter().chain(&callers).for_each(|p| steady("each", p));
    });
}
