//! The third party's own life, heard: it holds and comes back, its phone passes it on to another one (REFER) as Apple's
//! hotline did to its shop, the agent's keys reach its menu and nobody else, the caller only listens.
use hotline::replay::{Phone, PhoneEvent, Voice};

use crate::cast::{
    AGENT_HZ, CALLER_HZ, Cast, MERCHANT_HZ, Phase, STRANGER_HZ, answer, edit, no_wrap_up, only, over, phone,
    play, rings,
};
use crate::house::{House, MUSIC_HZ, SOON, runtime};

async fn hold(phone: &mut Phone, held: bool) {
    phone.hold(held).await.unwrap();
    let done = phone.wait("the answer to its re-INVITE", SOON, |e| matches!(e, PhoneEvent::Changed(_))).await;
    assert_eq!(done.unwrap(), PhoneEvent::Changed(true));
}

#[test]
fn a_third_party_that_holds_leaves_the_others_with_each_other_or_with_music() {
    play("", async |cast| {
        cast.reach(Phase::Conference).await;
        hold(&mut cast.merchant, true).await;
        cast.two().await;
        hold(&mut cast.merchant, false).await;
        cast.heard_in(Phase::Conference).await;
        cast.agent.press("*5").await.unwrap();
        over(&mut cast.agent).await;
        hold(&mut cast.merchant, true).await;
        only("the caller whom the merchant holds", &cast.caller, &[MUSIC_HZ]).await;
        hold(&mut cast.merchant, false).await;
        cast.heard_in(Phase::PartyOnly).await;
    });
}

/// A cast with a second merchant, the one behind code 2, on a trunk of his own.
fn with_branch(piece: impl AsyncFnOnce(&mut Cast<'_>, &mut Phone)) {
    let rt = runtime();
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let (merchant, mut branch) = rt.block_on(async {
        (phone("7001", nowhere, MERCHANT_HZ).await, phone("7002", nowhere, STRANGER_HZ).await)
    });
    let trunks = format!(
        "[trunks.merchants]\naddress = \"{}\"\n[trunks.branches]\naddress = \"{}\"\n",
        merchant.address, branch.address
    );
    let house = House::open_with(&trunks, |menus| {
        no_wrap_up(menus);
        edit(menus, "directory.toml", "\"7002\"\ntrunk    = \"merchants\"", "\"7002\"\ntrunk = \"branches\"");
    });
    rt.block_on(async {
        let agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        piece(&mut Cast { house: &house, caller, agent, merchant }, &mut branch).await;
    });
}

/// Asks the hotline for whoever is behind a code of its directory.
async fn refer(house: &House, phone: &Phone, code: &str) {
    phone.refer(&format!("sip:{code}@{}", house.sip)).await.unwrap();
}

#[test]
fn a_third_party_passes_itself_on_and_who_follows_is_heard_by_both() {
    with_branch(async |cast, branch| {
        cast.reach(Phase::Conference).await;
        // As most phones do it: hold, then REFER.
        hold(&mut cast.merchant, true).await;
        refer(cast.house, &cast.merchant, "2").await;
        rings(branch).await;
        cast.two().await;
        answer(branch).await;
        over(&mut cast.merchant).await;
        tokio::join!(
            only("the caller with the branch", &cast.caller, &[AGENT_HZ, STRANGER_HZ]),
            only("the agent with the branch", &cast.agent, &[CALLER_HZ, STRANGER_HZ]),
            only("the branch", branch, &[CALLER_HZ, AGENT_HZ]),
        );
        cast.agent.press("*5").await.unwrap();
        over(&mut cast.agent).await;
        alone(cast, branch).await;
    });
}

async fn alone(cast: &Cast<'_>, branch: &Phone) {
    tokio::join!(
        only("the caller alone with the branch", &cast.caller, &[STRANGER_HZ]),
        only("the branch alone with the caller", branch, &[CALLER_HZ]),
    );
}

#[test]
fn a_third_party_that_hangs_up_at_the_202_leaves_the_caller_with_the_ringing_until_the_other_answers() {
    with_branch(async |cast, branch| {
        cast.reach(Phase::PartyOnly).await;
        refer(cast.house, &cast.merchant, "2").await;
        rings(branch).await;
        cast.merchant.hang_up().await.unwrap();
        over(&mut cast.merchant).await;
        // The ringing tone, which sounds like music in this house.
        only("the caller while the branch rings", &cast.caller, &[MUSIC_HZ]).await;
        answer(branch).await;
        alone(cast, branch).await;
        // Nobody answers the next one: the caller is told, and is not left alone.
        refer(cast.house, branch, "1").await;
        rings(&mut cast.merchant).await;
        branch.hang_up().await.unwrap();
        cast.merchant.refuse(hotline::sip::Status::BUSY_HERE).await.unwrap();
        // He waits by his old clock, and the agent who is free again takes him.
        rings(&mut cast.agent).await;
        answer(&mut cast.agent).await;
        cast.two().await;
    });
}

#[test]
fn an_agents_phone_hands_the_caller_over_and_the_agent_is_free() {
    with_branch(async |cast, branch| {
        cast.reach(Phase::Bridge).await;
        refer(cast.house, &cast.agent, "2").await;
        rings(branch).await;
        cast.two().await;
        answer(branch).await;
        over(&mut cast.agent).await;
        alone(cast, branch).await;
        let state = cast.house.status().await;
        let agents = state["board"]["acd"]["agents"].as_array().cloned().unwrap_or_default();
        let ready = agents.iter().any(|a| a["agent"] == "8001" && a["state"] == "ready");
        assert!(ready, "{agents:#?}");
    });
}

/// Waits until a phone got these keys, and asserts that it gets no others.
async fn gets_keys(who: &str, phone: &Phone, wanted: &str) {
    let end = tokio::time::Instant::now() + SOON;
    while phone.ear.keys() != wanted {
        assert!(tokio::time::Instant::now() < end, "{who} should get {wanted}, but got {}", phone.ear.keys());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn the_agents_keys_reach_the_third_partys_menu_and_nobody_else() {
    play("", async |cast| {
        cast.reach(Phase::Private).await;
        cast.agent.press("12#").await.unwrap();
        gets_keys("the merchant in private", &cast.merchant, "12#").await;
        cast.agent.press("*3").await.unwrap();
        cast.heard_in(Phase::Conference).await;
        cast.agent.press("**9").await.unwrap();
        gets_keys("the merchant among three", &cast.merchant, "12#*9").await;
        // The caller's keys are nobody's while the agent is there.
        cast.caller.press("77").await.unwrap();
        // Who presses a key is not heard meanwhile.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        cast.heard_in(Phase::Conference).await;
        assert_eq!((cast.merchant.ear.keys().as_str(), cast.caller.ear.keys().as_str()), ("12#*9", ""));
        cast.agent.press("*5").await.unwrap();
        over(&mut cast.agent).await;
        assert_eq!(cast.agent.ear.keys(), "");
        // Alone with it, he answers its menu.
        cast.caller.press("4").await.unwrap();
        gets_keys("the merchant alone with the caller", &cast.merchant, "12#*94").await;
        cast.heard_in(Phase::PartyOnly).await;
    });
}

#[test]
fn a_caller_who_only_listens_hears_both_and_is_heard_by_neither_until_the_agent_says_so() {
    play("", async |cast| {
        cast.reach(Phase::Conference).await;
        cast.agent.press("*7").await.unwrap();
        // Who presses a key is not heard meanwhile: this first.
        only("the agent meanwhile", &cast.agent, &[MERCHANT_HZ]).await;
        tokio::join!(
            only("the caller who only listens", &cast.caller, &[AGENT_HZ, MERCHANT_HZ]),
            only("the merchant meanwhile", &cast.merchant, &[AGENT_HZ]),
        );
        cast.agent.press("*7").await.unwrap();
        only("the merchant, who hears him again", &cast.merchant, &[CALLER_HZ, AGENT_HZ]).await;
        cast.heard_in(Phase::Conference).await;
        // Alone with the merchant he is heard, whatever was set before.
        cast.agent.press("*7").await.unwrap();
        only("the merchant again", &cast.merchant, &[AGENT_HZ]).await;
        cast.agent.press("*5").await.unwrap();
        over(&mut cast.agent).await;
        cast.heard_in(Phase::PartyOnly).await;
    });
}
