//! What a server must say to what it does not serve, and to what comes twice.
use super::hand::{Fields, Hand, status, to_tag};
use super::run::{Orders, Sipp};
use crate::house::{House, runtime};

#[test]
fn options_are_answered_and_what_is_not_served_is_refused() {
    let mut house = House::open("");
    runtime().block_on(async {
        for scenario in ["options", "version", "asks"] {
            Sipp::run(&house, Orders::new(scenario)).await;
        }
    });
    // The BYE for another dialog did not end the call: its own did.
    let story = house.story(0);
    assert_eq!((&story["call"]["caller"], &story["call"]["cause"]), (&"asks".into(), &"hung_up".into()));
}

#[test]
fn an_invite_and_a_bye_that_come_twice_make_one_call() {
    let mut house = House::open("");
    let hand = Hand::open(house.sip);
    let sdp = Hand::sdp();
    let invite =
        hand.request("INVITE", "95188", 1, &Fields { from: "twice", body: &sdp, ..Fields::default() });
    hand.send(&invite);
    hand.send(&invite);
    let answer = hand.answer("INVITE");
    assert_eq!(status(&answer), 200);
    hand.send(&invite);
    // Without an ACK the same answer comes again (RFC 3261 13.3.1.4).
    let again = hand.answer("INVITE");
    assert_eq!(again, answer);
    let tag = to_tag(&answer);
    let within = |method, cseq| {
        let fields = Fields { from: "twice", to_tag: &tag, ..Fields::default() };
        hand.request(method, "95188", cseq, &fields)
    };
    hand.send(&within("ACK", 1));
    let bye = within("BYE", 2);
    hand.send(&bye);
    let over = hand.answer("BYE");
    hand.send(&bye);
    assert_eq!((status(&over), hand.answer("BYE")), (200, over.clone()));
    let story = house.story(0);
    assert_eq!(story["call"]["id"], 1, "one call, not two");
    assert_eq!(story["call"]["cause"], "hung_up");
}
