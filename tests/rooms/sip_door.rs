//! The door of an overloaded server: who begins a call is turned away with a 503 that nothing remembers; whoever is inside
//! notices nothing.
use hotline::sip::SipEvent;

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::account;

/// An INVITE of a caller who has not called yet.
fn invite(p: &mut Peer, caller: &str, more: &str) -> Vec<Sent> {
    let head = format!(
        "From: <sip:{caller}@192.0.2.9>;tag={caller}\nTo: <sip:1000@192.0.2.1>\nCall-ID: {caller}\nCSeq: 1 \
         INVITE\nContact: <sip:peer@192.0.2.9:5060>\nContent-Type: application/sdp\n{more}"
    );
    p.request("INVITE", "sip:1000@192.0.2.1", &head, "v=0\n")
}

/// A door through which nobody comes any more: two passed.
fn shut(p: &mut Peer) {
    p.ua.let_in(Some(2), 7);
    for caller in ["first", "second"] {
        assert_eq!(invite(p, caller, "")[0].status(), "100");
    }
    assert_eq!(p.events().len(), 2);
}

#[test]
fn whoever_calls_anew_is_told_when_to_try_again_and_nothing_of_him_stays() {
    let mut p = Peer::new(|_| ());
    shut(&mut p);
    let held = p.ua.held();
    let sent = invite(&mut p, "carol", "");
    let [refusal] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((refusal.status(), refusal.field("Retry-After")), ("503", "7"));
    let tag = refusal.tag_of("To");
    let ack = format!(
        "From: <sip:carol@192.0.2.9>;tag=carol\nTo: <sip:1000@192.0.2.1>;tag={tag}\nCall-ID: carol\nCSeq: 1 ACK\n"
    );
    assert!(p.request("ACK", "sip:1000@192.0.2.1", &ack, "").is_empty());
    assert_eq!((p.ua.held(), p.events()), (held, vec![]));
    assert_eq!((p.ua.counts().turned_away, p.ua.counts().strays), (1, 0));
}

#[test]
fn who_repeats_a_request_that_was_turned_away_is_answered_the_same() {
    let mut p = Peer::new(|_| ());
    shut(&mut p);
    let first = invite(&mut p, "carol", "")[0].tag_of("To");
    // Others would pass now; but the first answer may be on its way.
    p.ua.let_in(Some(9), 7);
    for _ in 0..20 {
        let again = invite(&mut p, "carol", "");
        assert_eq!((again[0].status(), again[0].tag_of("To").as_str()), ("503", first.as_str()));
    }
    p.ua.let_in(None, 7);
    assert_eq!(invite(&mut p, "dave", "")[0].status(), "100");
}

#[test]
fn calls_inside_and_agents_find_the_door_open() {
    let mut p = Peer::new(|s| s.accounts.extend([account("alice", "secret")]));
    let (_, tag, _) = p.talking("");
    shut(&mut p);
    // A re-INVITE, and an INVITE of an agent, who is to prove who he is.
    p.within("INVITE", (&tag, "pt", 2), "Content-Type: application/sdp", "v=0\n");
    assert!(matches!(p.events().as_slice(), [SipEvent::Reoffer { .. }]));
    assert_eq!(invite(&mut p, "alice", "")[0].status(), "100");
    assert!(matches!(p.events().as_slice(), [SipEvent::Incoming(i)] if i.claims_account));
    // A repetition of one who came in before.
    let again = p.request(
        "INVITE",
        "sip:1000@192.0.2.1",
        "From: <sip:first@192.0.2.9>;tag=first\nTo: <sip:1000@192.0.2.1>\nCall-ID: first\nCSeq: 1 INVITE\n",
        "",
    );
    assert_eq!(again[0].status(), "482", "merged, section 8.2.2.2, not turned away");
    assert_eq!(p.within("OPTIONS", (&tag, "pt", 3), "", "")[0].status(), "200");
    assert_eq!(p.ua.counts().turned_away, 0);
}

#[test]
fn the_ack_of_one_who_was_turned_away_ends_before_it_is_read_and_no_other_does() {
    let mut p = Peer::new(|_| ());
    let (_, tag, _) = p.talking("");
    shut(&mut p);
    let away = invite(&mut p, "carol", "")[0].tag_of("To");
    let ack = |from: &str, to: &str, more: &str| {
        format!(
            "From: <sip:carol@192.0.2.9>;tag={from}\n{to}: <sip:1000@192.0.2.1>;tag={away}\nCall-ID: carol\nCSeq: 1 ACK\n{more}"
        )
    };
    let before = p.ua.counts().strays;
    for (to, more) in [("To", ""), ("t", ""), ("TO", "X-Other: y\n")] {
        assert!(p.request("ACK", "sip:1000@192.0.2.1", &ack("carol", to, more), "").is_empty());
    }
    assert_eq!(p.ua.counts().strays, before, "they ended at the door");
    // The mark elsewhere than in the To tag says nothing: this one is looked up, and belongs to nobody.
    let other = format!(
        "From: <sip:carol@192.0.2.9>;tag={away}\nTo: <sip:{away}@192.0.2.1>;tag=x{away}\nCall-ID: carol\nCSeq: 1 ACK\n"
    );
    assert!(p.request("ACK", "sip:1000@192.0.2.1", &other, "").is_empty());
    assert_eq!(p.ua.counts().strays, before + 1);
    // A request that is no ACK is answered, whatever its tag says.
    let bye = ack("carol", "To", "").replace("1 ACK", "2 BYE");
    assert_eq!(p.request("BYE", "sip:1000@192.0.2.1", &bye, "")[0].status(), "481");
    assert_eq!(p.within("OPTIONS", (&tag, "pt", 3), "", "")[0].status(), "200");
}
