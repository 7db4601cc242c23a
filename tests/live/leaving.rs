//! Who goes on with whom when somebody leaves, in every phase: the table of `exchange/third_party.rs`, by ear.
use crate::cast::{CALLER_HZ, Cast, MERCHANT_HZ, Phase, last_words, only, over, play};

/// The caller hangs up: nobody is left alone with anybody.
async fn caller_leaves(cast: &mut Cast<'_>, phase: Phase) {
    cast.reach(phase).await;
    cast.caller.hang_up().await.unwrap();
    over(&mut cast.caller).await;
    if phase != Phase::PartyOnly {
        over(&mut cast.agent).await;
    }
    if phase >= Phase::Private {
        over(&mut cast.merchant).await;
    }
    cast.call_again().await;
}

/// The agent hangs up where nobody else is left for the caller: a last word, and the end.
async fn agent_leaves_nobody(cast: &mut Cast<'_>, phase: Phase) {
    cast.reach(phase).await;
    cast.agent.hang_up().await.unwrap();
    over(&mut cast.caller).await;
    last_words("the caller whom the agent left", &cast.caller.ear);
    over(&mut cast.agent).await;
    cast.call_again().await;
}

/// The agent hangs up beside a third party: it and the caller go on.
async fn agent_leaves_the_two(cast: &mut Cast<'_>, phase: Phase) {
    cast.reach(phase).await;
    cast.agent.hang_up().await.unwrap();
    over(&mut cast.agent).await;
    tokio::join!(
        only("the caller whom the agent left", &cast.caller, &[MERCHANT_HZ]),
        only("the merchant whom the agent left", &cast.merchant, &[CALLER_HZ]),
    );
    cast.caller.hang_up().await.unwrap();
    over(&mut cast.caller).await;
    over(&mut cast.merchant).await;
    cast.call_again().await;
}

/// The third party hangs up: agent and caller talk as before.
async fn merchant_leaves(cast: &mut Cast<'_>, phase: Phase) {
    cast.reach(phase).await;
    cast.merchant.hang_up().await.unwrap();
    over(&mut cast.merchant).await;
    cast.two().await;
    cast.steady();
    cast.caller.hang_up().await.unwrap();
    over(&mut cast.caller).await;
    over(&mut cast.agent).await;
    cast.call_again().await;
}

#[test]
fn whoever_leaves_the_bridge_or_a_hold_ends_it() {
    play("", async |cast| {
        caller_leaves(cast, Phase::Bridge).await;
        caller_leaves(cast, Phase::Hold).await;
        agent_leaves_nobody(cast, Phase::Bridge).await;
        agent_leaves_nobody(cast, Phase::Hold).await;
    });
}

#[test]
fn whoever_leaves_private_talk_leaves_the_others_as_the_table_says() {
    play("", async |cast| {
        merchant_leaves(cast, Phase::Private).await;
        agent_leaves_the_two(cast, Phase::Private).await;
        caller_leaves(cast, Phase::Private).await;
    });
}

#[test]
fn whoever_leaves_a_conference_leaves_the_others_as_the_table_says() {
    play("", async |cast| {
        merchant_leaves(cast, Phase::Conference).await;
        agent_leaves_the_two(cast, Phase::Conference).await;
        caller_leaves(cast, Phase::Conference).await;
    });
}
