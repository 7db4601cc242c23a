//! REFER and its NOTIFYs (RFC 3515, 4488), Replaces (RFC 3891), and what strangers may not ask, message by message.
use std::time::Duration;

use hotline::sip::{NamedDialog, Referral, Replaces, SipEvent, Status};

use crate::support::sip_peer::{Peer, Sent};

fn statuses(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::status).collect()
}

const TO: &str = "Refer-To: <sip:200@192.0.2.1>";

/// A call that stands, and a REFER in it that was reported.
fn referred(p: &mut Peer, more: &str) -> (hotline::sip::InviteId, String, Box<Referral>) {
    let (id, tag, _) = p.talking("");
    assert_eq!(statuses(&p.within("REFER", (&tag, "pt", 2), more, "")), Vec::<&str>::new());
    match p.events().pop() {
        Some(SipEvent::Referred { invite, referral }) if invite == id => (id, tag, referral),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refer_is_taken_and_told_of_until_it_is_decided() {
    let mut p = Peer::new(|_| ());
    let (id, _, referral) = referred(&mut p, TO);
    assert_eq!((referral.target.user.as_str(), referral.wants_news), ("200", true));
    p.ua.accept_referral(p.now, id);
    let sent = p.sent();
    assert_eq!(sent[0].first_line(), "SIP/2.0 202 Accepted");
    assert!(sent[0].text.contains("CSeq: 2 REFER"));
    let first = &sent[1];
    assert!(first.first_line().starts_with("NOTIFY sip:peer@192.0.2.9:5060 "), "{}", first.text);
    assert_eq!((first.field("Event"), first.field("Subscription-State")), ("refer", "active;expires=180"));
    assert_eq!(first.field("Content-Type"), "message/sipfrag;version=2.0");
    assert!(first.text.ends_with("\r\n\r\nSIP/2.0 100 Trying\r\n"), "{}", first.text);

    // What changes before the first NOTIFY is answered is told by the next, the latest alone.
    p.ua.tell_referral(p.now, id, Status::RINGING);
    p.ua.tell_referral(p.now, id, Status::SESSION_PROGRESS);
    assert!(p.sent().is_empty(), "one at a time");
    let next = p.respond(first, "200 OK", "pt", "").pop().unwrap();
    assert!(next.text.ends_with("SIP/2.0 183 Session Progress\r\n"), "{}", next.text);
    p.respond(&next, "200 OK", "pt", "");
    p.ua.tell_referral(p.now, id, Status::OK);
    let last = p.sent().pop().unwrap();
    assert_eq!(last.field("Subscription-State"), "terminated;reason=noresource");
    assert!(last.text.ends_with("SIP/2.0 200 OK\r\n"));
    p.ua.tell_referral(p.now, id, Status::BUSY_HERE);
    assert!(p.respond(&last, "200 OK", "pt", "").is_empty(), "the final status is the last word");
    assert_eq!(p.ua.describe(id), Some("confirmed"), "the call is none of its business");
}

#[test]
fn the_last_news_waits_for_no_answer() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = referred(&mut p, TO);
    p.ua.accept_referral(p.now, id);
    let first = p.sent().pop().unwrap();
    p.ua.tell_referral(p.now, id, Status::OK);
    p.ua.end(p.now, id);
    let sent = p.sent();
    assert!(sent[0].text.ends_with("SIP/2.0 200 OK\r\n"), "before the BYE: {}", sent[0].text);
    assert!(sent[1].text.starts_with("BYE "), "{}", sent[1].text);
    // The answer to the first one is old news.
    p.respond(&first, "481 Call/Transaction Does Not Exist", "pt", "");
    p.respond(&sent[0], "200 OK", "pt", "");
    assert_eq!(p.ua.counts().referral_news_lost, 0);
}

#[test]
fn the_second_refer_of_a_dialog_is_named_and_one_at_a_time_is_enough() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = referred(&mut p, TO);
    assert_eq!(statuses(&p.within("REFER", (&tag, "pt", 3), TO, "")), ["491"]);
    p.ua.accept_referral(p.now, id);
    let first = p.sent().pop().unwrap();
    assert_eq!(statuses(&p.within("REFER", (&tag, "pt", 4), TO, "")), ["491"]);
    p.respond(&first, "200 OK", "pt", "");
    p.ua.tell_referral(p.now, id, Status::BUSY_HERE);
    let last = p.sent().pop().unwrap();
    p.respond(&last, "200 OK", "pt", "");
    p.within("REFER", (&tag, "pt", 5), TO, "");
    p.ua.accept_referral(p.now, id);
    assert_eq!(p.sent().pop().unwrap().field("Event"), "refer;id=5");
}

#[test]
fn whoever_wants_no_news_gets_none() {
    let mut p = Peer::new(|_| ());
    let (id, tag, referral) = referred(&mut p, "Refer-Sub: false\nRefer-To: <sip:200@192.0.2.1>");
    assert!(!referral.wants_news);
    p.ua.accept_referral(p.now, id);
    let sent = p.sent();
    assert_eq!((statuses(&sent), sent[0].field("Refer-Sub")), (vec!["202"], "false"));
    p.ua.tell_referral(p.now, id, Status::OK);
    assert!(p.sent().is_empty());
    // It is over: another may come.
    p.within("REFER", (&tag, "pt", 3), TO, "");
    assert!(matches!(p.events().as_slice(), [SipEvent::Referred { .. }]));
}

#[test]
fn a_refer_that_names_no_one_target_is_400_and_a_refused_one_changes_nothing() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    for (number, more) in (2..).zip([
        "",
        "Refer-To: <sip:a@h>, <sip:b@h>",
        "Refer-To: <sip:>",
        "Refer-To: <sip:a@h?Replaces=x>",
    ]) {
        assert_eq!(statuses(&p.within("REFER", (&tag, "pt", number), more, "")), ["400"], "{more}");
    }
    p.within("REFER", (&tag, "pt", 9), TO, "");
    p.ua.refuse_referral(p.now, id, Status::FORBIDDEN);
    assert_eq!(statuses(&p.sent()), ["403"]);
    p.ua.accept_referral(p.now, id);
    p.ua.tell_referral(p.now, id, Status::OK);
    assert!(p.sent().is_empty());
    assert_eq!(p.ua.describe(id), Some("confirmed"));
}

#[test]
fn a_subscriber_that_is_gone_costs_its_news_and_not_the_call() {
    for answer in [Some("481 Call/Transaction Does Not Exist"), Some("405 Method Not Allowed"), None] {
        let mut p = Peer::new(|_| ());
        let (id, tag, _) = referred(&mut p, TO);
        p.ua.accept_referral(p.now, id);
        let notify = p.sent().pop().unwrap();
        match answer {
            Some(status) => drop(p.respond(&notify, status, "pt", "")),
            None => drop(p.pass(Duration::from_secs(33))),
        }
        p.ua.tell_referral(p.now, id, Status::OK);
        assert!(p.sent().is_empty(), "{answer:?}");
        assert_eq!((p.ua.describe(id), p.ua.counts().referral_news_lost), (Some("confirmed"), 1));
        assert_eq!(statuses(&p.within("BYE", (&tag, "pt", 9), "", "")), ["200"]);
    }
}

#[test]
fn what_takes_too_long_ends_by_itself() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = referred(&mut p, TO);
    p.ua.accept_referral(p.now, id);
    let first = p.sent().pop().unwrap();
    p.respond(&first, "200 OK", "pt", "");
    let last = p.pass(Duration::from_mins(3)).into_iter().find(|s| s.text.starts_with("NOTIFY")).unwrap();
    assert_eq!(last.field("Subscription-State"), "terminated;reason=timeout");
    p.respond(&last, "200 OK", "pt", "");
    p.ua.tell_referral(p.now, id, Status::OK);
    assert!(p.sent().is_empty());
}

#[test]
fn the_news_outlives_the_call_and_then_nothing_is_left() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = referred(&mut p, TO);
    p.ua.accept_referral(p.now, id);
    let first = p.sent().pop().unwrap();
    p.respond(&first, "200 OK", "pt", "");
    // Blind transfer: many phones hang up as soon as it is taken.
    assert_eq!(statuses(&p.within("BYE", (&tag, "pt", 3), "", "")), ["200"]);
    assert!(matches!(p.events().as_slice(), [SipEvent::Ended { .. }]));
    p.ua.tell_referral(p.now, id, Status::OK);
    let last = p.sent().pop().unwrap();
    assert!(last.text.starts_with("NOTIFY") && last.text.ends_with("SIP/2.0 200 OK\r\n"));
    p.respond(&last, "200 OK", "pt", "");
    p.pass(Duration::from_mins(2));
    let held = p.ua.held();
    assert_eq!((held.invites, held.owners, held.timers, held.transactions), (0, 0, 0, 0));
    assert!(p.events().is_empty(), "nothing is reported of a call that is over");
}

#[test]
fn a_subscribe_within_the_dialog_renews_or_ends_the_news() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = referred(&mut p, TO);
    p.ua.accept_referral(p.now, id);
    let first = p.sent().pop().unwrap();
    p.respond(&first, "200 OK", "pt", "");
    let sent = p.within("SUBSCRIBE", (&tag, "pt", 3), "Event: refer;id=2\nExpires: 600", "");
    assert_eq!((statuses(&sent)[0], sent[0].field("Expires")), ("200", "180"));
    assert!(sent[1].text.ends_with("SIP/2.0 100 Trying\r\n"));
    p.respond(&sent[1], "200 OK", "pt", "");
    assert_eq!(statuses(&p.within("SUBSCRIBE", (&tag, "pt", 4), "Event: refer;id=77", "")), ["481"]);
    let other = p.within("SUBSCRIBE", (&tag, "pt", 5), "Event: presence", "");
    assert_eq!((statuses(&other), other[0].field("Allow-Events")), (vec!["489"], "refer"));
    let sent = p.within("SUBSCRIBE", (&tag, "pt", 6), "Event: refer\nExpires: 0", "");
    assert_eq!(sent[1].field("Subscription-State"), "terminated;reason=timeout");
    assert_eq!(
        statuses(&p.within("NOTIFY", (&tag, "pt", 7), "Event: refer", "")),
        ["481"],
        "we watch nobody"
    );
}

#[test]
fn outside_a_dialog_nobody_is_referred_subscribed_or_told() {
    let mut p = Peer::new(|_| ());
    let mut answer = |method: &str, more: &str| p.within(method, ("", "pt", 1), more, "").pop().unwrap();
    assert_eq!(answer("REFER", TO).status(), "403");
    assert_eq!(answer("SUBSCRIBE", "Event: refer").status(), "403");
    let presence = answer("SUBSCRIBE", "Event: presence");
    assert_eq!((presence.status(), presence.field("Allow-Events")), ("489", "refer"));
    assert_eq!(answer("SUBSCRIBE", "").status(), "489");
    assert_eq!(answer("NOTIFY", "Event: refer\nSubscription-State: active").status(), "481");
    let message = answer("MESSAGE", "");
    assert_eq!(message.status(), "405");
    for method in ["REFER", "SUBSCRIBE", "NOTIFY", "INFO"] {
        assert!(message.field("Allow").contains(method), "{method} is served");
    }
    assert_eq!(answer("PUBLISH", "Event: presence").status(), "405");
    assert!(p.events().is_empty());
}

fn replaces(to_tag: &str) -> Replaces {
    Replaces { call_id: "c1".into(), to_tag: to_tag.into(), from_tag: "pt".into(), early_only: false }
}

#[test]
fn replaces_names_a_dialog_by_all_three_parts() {
    let mut p = Peer::new(|_| ());
    let early = p.invited("");
    p.ua.ring(p.now, early);
    let tag = p.sent().pop().unwrap().tag_of("To");
    assert_eq!(p.ua.named_dialog(&replaces(&tag)), NamedDialog::NotOursToReplace, "the peer's own early one");
    p.ua.answer(p.now, early, b"v=0\r\n".to_vec());
    p.sent();
    assert_eq!(p.ua.named_dialog(&replaces(&tag)), NamedDialog::Confirmed(early));
    assert_eq!(p.ua.named_dialog(&replaces("other")), NamedDialog::Missing);
    let wrong_from = Replaces { from_tag: "px".into(), ..replaces(&tag) };
    assert_eq!(p.ua.named_dialog(&wrong_from), NamedDialog::Missing);
    let wrong_call = Replaces { call_id: "c2".into(), ..replaces(&tag) };
    assert_eq!(p.ua.named_dialog(&wrong_call), NamedDialog::Missing);
    p.within("BYE", (&tag, "pt", 2), "", "");
    assert!(matches!(p.ua.named_dialog(&replaces(&tag)), NamedDialog::Over | NamedDialog::Missing));
}

#[test]
fn an_invite_with_replaces_says_whom_and_a_broken_one_is_400() {
    let mut p = Peer::new(|_| ());
    let sdp = "Require: replaces\nContent-Type: application/sdp\n";
    p.within("INVITE", ("", "p2", 1), &format!("{sdp}Replaces: c1;to-tag=a;from-tag=b;early-only"), "v=0\n");
    match p.events().as_slice() {
        [SipEvent::Incoming(incoming)] => {
            let named = incoming.replaces.as_ref().unwrap();
            assert_eq!((named.to_tag.as_str(), named.early_only), ("a", true));
        }
        other => panic!("{other:?}"),
    }
    for broken in [
        "Replaces: c1;to-tag=a",
        "Replaces: c1;to-tag=a;from-tag=b\nReplaces: c2;to-tag=a;from-tag=b",
        "Replaces: c1;to-tag=a;from-tag=b\nJoin: c1;to-tag=a;from-tag=b",
    ] {
        let sent = p.within("INVITE", ("", "p3", 1), &format!("{sdp}{broken}"), "v=0\n");
        assert_eq!(statuses(&sent).last(), Some(&"400"), "{broken}");
        assert!(p.events().is_empty());
    }
}
