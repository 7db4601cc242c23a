//! REFER by the real sipp, in an agent's place and in a third party's: it checks every NOTIFY; the others are heard.
use super::run::{Orders, Sipp, free_port, sign_in};
use crate::cast::{AGENT_HZ, CALLER_HZ, MERCHANT_HZ, answer, edit, only, over, phone, rings};
use crate::house::{House, runtime};
use hotline::replay::Voice;

#[test]
fn an_agents_phone_refers_the_caller_to_a_third_party() {
    let rt = runtime();
    let mut merchant = rt.block_on(phone("7001", "127.0.0.1:9".parse().unwrap(), MERCHANT_HZ));
    let mut house = House::open(&format!("[trunks.merchants]\naddress = \"{}\"\n", merchant.address));
    rt.block_on(async {
        let port = free_port();
        sign_in(&house, &["8001".to_owned()], port, false).await;
        let to = format!("sip:7001@{}", house.sip);
        let orders = Orders::new("refers").port(port).key("to", &to).with("-d", "500");
        let agent = Sipp::answering(&house, orders).await;
        let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("0").await.unwrap();
        rings(&mut merchant).await;
        answer(&mut merchant).await;
        agent.finish().await;
        tokio::join!(
            only("the caller", &caller, &[MERCHANT_HZ]),
            only("the merchant", &merchant, &[CALLER_HZ]),
        );
        caller.hang_up().await.unwrap();
        over(&mut caller).await;
        over(&mut merchant).await;
    });
    let story = house.story(0);
    assert_eq!(story["call"]["cause"], "hung_up");
}

#[test]
fn a_third_party_refers_its_leg_to_another_one() {
    let rt = runtime();
    let (port, nowhere) = (free_port(), "127.0.0.1:9".parse().unwrap());
    let mut other = rt.block_on(phone("7002", nowhere, MERCHANT_HZ));
    let more = format!(
        "[trunks.merchants]\naddress = \"127.0.0.1:{port}\"\n[trunks.others]\naddress = \"{}\"\n",
        other.address
    );
    let house = House::open_with(&more, |menus| {
        edit(
            menus,
            "directory.toml",
            "number   = \"7002\"\ntrunk    = \"merchants\"",
            "number = \"7002\"\ntrunk = \"others\"",
        );
    });
    rt.block_on(async {
        let to = format!("sip:7002@{}", house.sip);
        let orders = Orders::new("refers").port(port).key("to", &to).with("-d", "2000");
        let party = Sipp::answering(&house, orders).await;
        let mut agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("0").await.unwrap();
        rings(&mut agent).await;
        answer(&mut agent).await;
        agent.press("*21#").await.unwrap();
        rings(&mut other).await;
        answer(&mut other).await;
        party.finish().await;
        // In private with the agent, as the first one was; then all three.
        only("the agent in private", &agent, &[MERCHANT_HZ]).await;
        agent.press("*3").await.unwrap();
        tokio::join!(
            only("the caller", &caller, &[AGENT_HZ, MERCHANT_HZ]),
            only("the agent", &agent, &[CALLER_HZ, MERCHANT_HZ]),
            only("the new third party", &other, &[CALLER_HZ, AGENT_HZ]),
        );
        caller.hang_up().await.unwrap();
        over(&mut agent).await;
    });
}
