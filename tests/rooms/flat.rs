//! Five thousand calls of every kind leave nothing behind: what is held by calls is none again once they are over.
use std::time::Duration;

use hotline::sip::SipEvent;

use crate::support::sip_peer::Peer;
use crate::support::switchboard_world::{AGENT, CALLER, MERCHANT, World};

const CALLS: u32 = 5_000;
/// Longer than any timer of a call that is over: 90 s for ends of legs that nobody reports.
const ALL_TIMERS: Duration = Duration::from_secs(200);

/// One call; how it ends, its number decides.
fn call(w: &mut World, n: u32) {
    w.dial(CALLER, "95188");
    match n % 8 {
        // In the menu, after a wrong key.
        0 => w.press(CALLER, "1"),
        1 => w.press(CALLER, "9"),
        // In the line, or with the agent.
        2 | 3 => w.press(CALLER, "0"),
        // An unknown number; then one that is known.
        4 => {
            w.hang_up(CALLER);
            w.dial(CALLER, "000");
            w.dial(CALLER, "95188");
        }
        // The caller falls off the network; the leg's silence ends it.
        5 if n % 400 == 5 => {
            w.press(CALLER, "0");
            w.vanish(CALLER);
            w.wait(Duration::from_secs(70));
            w.gone.clear();
            w.hushed.clear();
        }
        // Two at once.
        6 => {
            w.dial(MERCHANT, "95188");
            w.press(MERCHANT, "0");
            w.press(CALLER, "0");
            w.hang_up(MERCHANT);
        }
        _ => {}
    }
    w.hang_up(CALLER);
}

#[test]
fn thousands_of_calls_leave_nothing_behind() {
    let mut w = World::tuned(|_| (), |settings| settings.ask_phones = Duration::from_secs(10));
    w.sign_in(AGENT);
    w.wait(ALL_TIMERS);
    let before = w.node.held();
    for n in 0..CALLS {
        call(&mut w, n);
        if n % 50 == 0 {
            w.wait(Duration::from_secs(2));
            w.forget();
        }
    }
    let during = w.node.held();
    assert!(during["transactions"] > 100, "the test holds nothing: {during:?}");
    w.wait(ALL_TIMERS);
    w.forget();
    let mut after = w.node.held();
    // Callers who were cut off have their places and their stories for ten minutes.
    assert!(after.remove("places_kept").is_some());
    assert!(after.iter().all(|(what, n)| n <= &before[what].max(1)), "{after:?}, before {before:?}");
    for what in
        ["legs", "leg_timers", "legs_closing", "calls", "call_legs", "refused_legs", "invites", "tickets"]
    {
        assert_eq!(after[what], 0, "{what}: {after:?}");
    }
    w.wait(Duration::from_mins(11));
    w.dial(CALLER, "95188");
    w.hang_up(CALLER);
    assert_eq!(w.node.held()["places_kept"], 0);
}

#[test]
fn two_thousand_calls_that_nobody_acknowledges_are_gone_when_their_time_is_over() {
    let mut p = Peer::new(|_| ());
    let before = p.ua.held();
    for n in 0..2_000 {
        let head = format!(
            "From: <sip:flood@192.0.2.9>;tag=f{n}\nTo: <sip:95188@192.0.2.1>\nCall-ID: flood{n}\nCSeq: 1 INVITE\nContact: \
             <sip:flood@192.0.2.9:5060>\nContent-Type: application/sdp\n"
        );
        p.request("INVITE", "sip:95188@192.0.2.1", &head, "v=0\n");
        for event in p.events() {
            if let SipEvent::Incoming(incoming) = event {
                p.ua.answer(p.now, incoming.invite, b"v=0\r\n".to_vec());
            }
        }
        p.pass(Duration::from_millis(1));
    }
    let during = p.ua.held();
    assert!(during.live > 1_000, "the test holds nothing: {during:?}");
    p.pass(Duration::from_secs(35));
    assert_eq!(
        p.ua.held().live,
        0,
        "no call is left of those that were never acknowledged: {:?}",
        p.ua.held()
    );
    // Their BYEs have their own time.
    p.pass(Duration::from_secs(35));
    assert_eq!(p.ua.held(), before);
}
