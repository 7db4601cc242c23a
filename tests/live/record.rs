//! A call from the first key to the row in SQLite, over real sockets.
use hotline::replay::{PhoneEvent, Voice};

use crate::house::{House, MUSIC_HZ, SOON, hears, runtime};

#[test]
fn a_call_goes_from_menu_through_queue_to_agent_and_into_the_record() {
    let mut house = House::open("");
    runtime().block_on(async {
        let mut agent = house.agent("8002", Voice::Tone(700.0)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(400.0)).await;
        caller.press("21").await.unwrap();
        agent
            .wait("a ring", SOON, |e| matches!(e, PhoneEvent::Rings(who) if who.user == "13800138000"))
            .await
            .unwrap();
        hears("the waiting caller", &caller, &[MUSIC_HZ], &[400.0, 700.0]).await;
        agent.answer().await.unwrap();
        agent.wait("the call", SOON, |e| *e == PhoneEvent::Up).await.unwrap();
        hears("the caller", &caller, &[700.0], &[MUSIC_HZ, 400.0]).await;
        hears("the agent", &agent, &[400.0], &[MUSIC_HZ, 700.0]).await;
        caller.hang_up().await.unwrap();
        agent.wait("the end", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
    });
    let story = house.story(0);
    assert_eq!(story["call"]["keys"], "21");
    assert_eq!(story["call"]["agent"], "8002");
    assert_eq!(story["call"]["cause"], "hung_up");
    assert_eq!(story["offers"][0]["outcome"], "connected");
    let kinds: Vec<&str> =
        story["facts"].as_array().unwrap().iter().filter_map(|f| f["kind"].as_str()).collect();
    for kind in
        ["call_started", "menu_entered", "key_pressed", "queued", "offered", "connected", "call_ended"]
    {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
}
