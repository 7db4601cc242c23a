//! Agents' phones that ring: out, in vain, and for a caller who is gone.
use std::path::Path;

use hotline::replay::{PhoneEvent, Voice};
use hotline::sip::EndReason;

use crate::cast::{
    AGENT_HZ, CALLER_HZ, OTHER_AGENT_HZ, answer, edit, no_wrap_up, nothing, only, over, rings,
};
use crate::house::{House, MUSIC_HZ, SOON, runtime};

fn short_rings(menus: &Path) {
    edit(menus, "queues.toml", "skills = [\"account\"]", "skills = [\"account\"]\nring_for = \"5s\"");
}

#[test]
fn a_phone_that_rings_out_gives_the_caller_to_the_next() {
    let mut house = House::open_with("", short_rings);
    runtime().block_on(async {
        let mut deaf = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        rings(&mut deaf).await;
        let mut next = house.agent("8006", Voice::Tone(OTHER_AGENT_HZ)).await;
        let end =
            deaf.wait("the end of the ringing", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
        assert_eq!(end, PhoneEvent::Over(EndReason::Cancelled));
        rings(&mut next).await;
        tokio::join!(
            only("the caller who waits on", &caller, &[MUSIC_HZ]),
            nothing("the agent who did not answer", &deaf),
        );
        answer(&mut next).await;
        tokio::join!(
            only("the caller", &caller, &[OTHER_AGENT_HZ]),
            only("the agent who answered", &next, &[CALLER_HZ]),
        );
        caller.hang_up().await.unwrap();
        over(&mut next).await;
    });
    // The second agent's sign-in came later than the call.
    let story = house.story(1);
    let offers: Vec<_> = story["offers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["agent"].clone(), o["outcome"].clone()))
        .collect();
    assert_eq!(offers.len(), 2, "{offers:?}");
    assert_eq!((&offers[0].0, &offers[1].0), (&"8001".into(), &"8006".into()), "{offers:?}");
    assert_eq!((&offers[0].1, &offers[1].1), (&"no_answer".into(), &"connected".into()), "{offers:?}");
}

#[test]
fn a_refused_ring_gives_the_caller_to_the_next() {
    let house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut busy = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        let mut next = house.agent("8006", Voice::Tone(OTHER_AGENT_HZ)).await;
        let caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        rings(&mut busy).await;
        busy.refuse(hotline::sip::Status::BUSY_HERE).await.unwrap();
        rings(&mut next).await;
        answer(&mut next).await;
        only("the caller", &caller, &[OTHER_AGENT_HZ]).await;
    });
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing_and_frees_the_agent() {
    let house = House::open_with("", no_wrap_up);
    runtime().block_on(async {
        let mut agent = house.agent("8001", Voice::Tone(AGENT_HZ)).await;
        for _ in 0..3 {
            let mut caller = house.caller("13800138000", "95188", Voice::Tone(CALLER_HZ)).await;
            caller.press("13").await.unwrap();
            rings(&mut agent).await;
            caller.hang_up().await.unwrap();
            let end = agent.wait("silence", SOON, |e| matches!(e, PhoneEvent::Over(_))).await.unwrap();
            assert_eq!(end, PhoneEvent::Over(EndReason::Cancelled));
            over(&mut caller).await;
        }
        // He never answered, and still the next caller is his.
        let caller = house.caller("13900139000", "95188", Voice::Tone(CALLER_HZ)).await;
        caller.press("13").await.unwrap();
        rings(&mut agent).await;
        answer(&mut agent).await;
        only("the next caller", &caller, &[AGENT_HZ]).await;
    });
}
