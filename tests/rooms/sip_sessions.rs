//! UPDATE (RFC 3311) and session timers (RFC 4028), message by message, in both roles.
use std::time::Duration;

use hotline::sip::{Destination, EndReason, Identity, InviteId, OutgoingInvite, SipEvent, Status};

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::UDP;

const SDP: &str = "Content-Type: application/sdp";
const ALLOWS: &str = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE";

fn statuses(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::status).collect()
}

fn body(message: &Sent) -> &str {
    message.text.split_once("\r\n\r\n").unwrap().1
}

fn methods(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|s| s.first_line().split(' ').next().unwrap()).collect()
}

fn udp(address: &str) -> Destination {
    Destination::Datagram { listener: UDP, to: address.parse().unwrap() }
}

/// A request of the peer from another Contact.
#[expect(clippy::too_many_arguments, reason = "the parts of a request, as it is written")]
fn from_elsewhere(p: &mut Peer, tag: &str, cseq: u32, method: &str, more: &str, body: &str) -> Vec<Sent> {
    let head = format!(
        "From: <sip:peer@192.0.2.9>;tag=pt\nTo: <sip:1000@192.0.2.1>;tag={tag}\nCall-ID: c1\nCSeq: {cseq} {method}\n\
         Contact: <sip:peer@192.0.2.30:5070>\n{more}"
    );
    p.request(method, "sip:1000@192.0.2.1", &head, body)
}

// UPDATE of the peer.

#[test]
fn an_update_without_a_body_moves_the_target_and_nothing_else() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let sent = from_elsewhere(&mut p, &tag, 2, "UPDATE", "", "");
    assert_eq!((statuses(&sent), body(&sent[0])), (vec!["200"], ""));
    assert!(sent[0].field("Allow").contains("UPDATE") && sent[0].field("Contact").contains("192.0.2.1"));
    assert_eq!(p.events(), []);
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!((bye.first_line(), bye.to), ("BYE sip:peer@192.0.2.30:5070 SIP/2.0", udp("192.0.2.30:5070")));
}

#[test]
fn an_offer_by_update_is_answered_in_its_200_and_a_second_one_waits() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    assert!(p.within("UPDATE", (&tag, "pt", 2), SDP, "v=2\n").is_empty());
    assert_eq!(p.events(), [SipEvent::Reoffer { invite: id, offer: Some(b"v=2\r\n".to_vec()) }]);
    for body in ["v=3\n", ""] {
        let more = if body.is_empty() { "" } else { SDP };
        let sent = p.within("UPDATE", (&tag, "pt", if body.is_empty() { 4 } else { 3 }), more, body);
        assert_eq!(statuses(&sent), ["500"]);
        assert!(sent[0].field("Retry-After").parse::<u32>().unwrap() <= 10);
    }
    p.ua.answer_reoffer(p.now, id, b"v=ours\r\n".to_vec());
    let sent = p.sent();
    assert_eq!(
        (statuses(&sent), sent[0].field("CSeq"), body(&sent[0])),
        (vec!["200"], "2 UPDATE", "v=ours\r\n")
    );
    // There is no ACK to an UPDATE: nothing is sent again.
    assert!(p.pass(Duration::from_secs(40)).is_empty());
    p.within("UPDATE", (&tag, "pt", 5), SDP, "v=4\n");
    p.ua.refuse_reoffer(p.now, id, Status::NOT_ACCEPTABLE_HERE);
    assert_eq!(statuses(&p.sent()), ["488"]);
    assert_eq!(p.ua.describe(id), Some("confirmed"));
}

#[test]
fn an_offer_that_meets_ours_is_491_and_one_without_offer_passes() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking(ALLOWS);
    p.ua.reoffer(p.now, id, b"v=ours\r\n".to_vec());
    let update = p.sent().pop().unwrap();
    assert_eq!((update.first_line().split(' ').next(), body(&update)), (Some("UPDATE"), "v=ours\r\n"));
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "pt", 2), SDP, "v=2\n")), ["491"]);
    assert_eq!(statuses(&p.within("INVITE", (&tag, "pt", 3), SDP, "v=2\n")), ["100", "491"]);
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "pt", 4), "", "")), ["200"]);
    // Theirs was refused; ours too, and it is said again once.
    p.respond(&update, "491 Request Pending", "pt", "");
    assert_eq!(p.events(), []);
    let again = p.pass(Duration::from_secs(5));
    assert_eq!((methods(&again)[0], body(&again[0])), ("UPDATE", "v=ours\r\n"));
    p.respond(&again[0], "200 OK", "pt", SDP);
    assert_eq!(p.events(), [SipEvent::ReofferAnswered { invite: id, sdp: Some(b"v=0\r\n".to_vec()) }]);
}

#[test]
fn before_the_answer_an_update_may_offer_once_the_first_offer_is_settled() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Supported: 100rel");
    p.ua.ring(p.now, id);
    let tag = p.sent().pop().unwrap().tag_of("To");
    let sent = p.within("UPDATE", (&tag, "pt", 2), SDP, "v=2\n");
    assert_eq!((statuses(&sent), sent[0].fields("Retry-After").len()), (vec!["500"], 1));

    p.ua.progress(p.now, id, b"v=early\r\n".to_vec());
    let early = p.sent().pop().unwrap();
    p.within("PRACK", (&tag, "pt", 3), &format!("RAck: {} 1 INVITE", early.field("RSeq")), "");
    assert!(p.within("UPDATE", (&tag, "pt", 4), SDP, "v=2\n").is_empty());
    assert_eq!(p.events(), [SipEvent::Reoffer { invite: id, offer: Some(b"v=2\r\n".to_vec()) }]);
    // The 2xx waits for it.
    p.ua.answer(p.now, id, Vec::new());
    assert!(p.sent().is_empty());
    p.ua.answer_reoffer(p.now, id, b"v=3\r\n".to_vec());
    let sent = p.sent();
    assert_eq!((sent[0].field("CSeq"), body(&sent[0])), ("4 UPDATE", "v=3\r\n"));
    assert_eq!((sent[1].field("CSeq"), body(&sent[1])), ("1 INVITE", ""));
}

#[test]
fn an_update_to_an_offerless_invite_meets_our_offer() {
    let mut p = Peer::new(|_| ());
    p.within("INVITE", ("", "pt", 1), "", "");
    let Some(SipEvent::Incoming(incoming)) = p.events().pop() else { panic!("no call") };
    p.ua.answer(p.now, incoming.invite, b"v=ours\r\n".to_vec());
    let tag = p.sent().pop().unwrap().tag_of("To");
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "pt", 2), SDP, "v=2\n")), ["491"]);
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "pt", 3), "", "")), ["200"]);
}

#[test]
fn an_update_in_no_dialog_is_481() {
    let mut p = Peer::new(|_| ());
    let (_, tag, _) = p.talking("");
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "wrong", 2), "", "")), ["481"]);
    assert_eq!(statuses(&p.within("PRACK", ("wrong", "pt", 2), "RAck: 1 1 INVITE", "")), ["481"]);
}

// UPDATE of ours.

#[test]
fn ours_goes_by_reinvite_to_a_peer_that_does_not_say_update() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking("Allow: INVITE, ACK, BYE");
    p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
    assert_eq!(methods(&p.sent()), ["INVITE"]);
}

#[test]
fn a_peer_that_cannot_after_all_gets_a_reinvite() {
    for status in ["405 Method Not Allowed", "501 Not Implemented", "504 Server Time-out"] {
        let mut p = Peer::new(|_| ());
        let (id, _, _) = p.talking(ALLOWS);
        p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
        let update = p.sent().pop().unwrap();
        let sent = p.respond(&update, status, "pt", "");
        assert_eq!((methods(&sent), body(&sent[0])), (vec!["INVITE"], "v=2\r\n"), "{status}");
        assert_eq!(p.events(), []);
        p.respond(&sent[0], "200 OK", "pt", &format!("Contact: <sip:peer@192.0.2.9>\n{SDP}"));
        assert!(matches!(p.events().as_slice(), [SipEvent::ReofferAnswered { .. }]));
    }
}

#[test]
fn a_peer_that_is_not_ready_is_asked_again_when_it_says() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking(ALLOWS);
    p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
    let update = p.sent().pop().unwrap();
    p.respond(&update, "500 Server Internal Error", "pt", "Retry-After: 3");
    assert!(p.pass(Duration::from_secs(3)).is_empty());
    assert_eq!(methods(&p.pass(Duration::from_millis(2_100)))[0], "UPDATE");
    assert_eq!(p.events(), []);
}

#[test]
fn a_refused_update_leaves_the_call_and_a_lost_dialog_ends_it() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking(ALLOWS);
    p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
    let update = p.sent().pop().unwrap();
    p.respond(&update, "488 Not Acceptable Here", "pt", "");
    assert_eq!(p.events(), [SipEvent::ReofferRefused { invite: id, status: Status::NOT_ACCEPTABLE_HERE }]);
    p.ua.reoffer(p.now, id, b"v=3\r\n".to_vec());
    let update = p.sent().pop().unwrap();
    let sent = p.respond(&update, "481 No Such Call", "pt", "");
    assert_eq!(methods(&sent), ["BYE"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::RequestTimeout }]);
}

fn outgoing() -> OutgoingInvite {
    OutgoingInvite {
        request_uri: "sip:bob@192.0.2.9:5060".into(),
        to: udp("192.0.2.9:5060"),
        route: Vec::new(),
        from: Identity { user: "hotline".into(), host: String::new(), display: String::new() },
        extra_headers: Vec::new(),
        offer: Some(b"v=first\r\n".to_vec()),
        credentials: None,
    }
}

fn called(p: &mut Peer) -> (InviteId, Sent) {
    let id = p.ua.invite(p.now, outgoing());
    (id, p.sent().pop().unwrap())
}

/// A call of ours that was answered with these fields.
fn answered(p: &mut Peer, more: &str) -> (InviteId, Sent) {
    let (id, invite) = called(p);
    p.respond(&invite, "200 OK", "pt", &format!("Contact: <sip:bob@192.0.2.9:5060>\n{more}\n{SDP}"));
    assert!(matches!(p.events().as_slice(), [SipEvent::Answered { .. }]));
    (id, invite)
}

/// A request of the peer in a call of ours.
#[expect(clippy::too_many_arguments, reason = "the parts of a request, as it is written")]
fn within_ours(p: &mut Peer, invite: &Sent, method: &str, cseq: u32, more: &str, body: &str) -> Vec<Sent> {
    let head = format!(
        "From: {};tag=pt\nTo: {}\nCall-ID: {}\nCSeq: {cseq} {method}\nContact: <sip:bob@192.0.2.9:5060>\n{more}",
        invite.field("To"),
        invite.field("From"),
        invite.field("Call-ID"),
    );
    p.request(method, "sip:hotline@192.0.2.1", &head, body)
}

#[test]
fn a_phone_that_rings_may_offer_and_be_offered_by_update() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p);
    let early = format!("Contact: <sip:bob@192.0.2.9:5060>\nRequire: 100rel\nRSeq: 9\n{ALLOWS}\n{SDP}");
    // Its answer must be known before.
    assert_eq!(statuses(&within_ours(&mut p, &invite, "UPDATE", 1, SDP, "v=2\n")), ["481"]);
    p.ua.reoffer(p.now, id, b"v=hold\r\n".to_vec());
    let prack = p.respond(&invite, "183 Session Progress", "pt", &early).pop().unwrap();
    // Ours overtakes no PRACK.
    let update = p.respond(&prack, "200 OK", "pt", "").pop().unwrap();
    assert_eq!((update.first_line().split(' ').next(), body(&update)), (Some("UPDATE"), "v=hold\r\n"));
    assert_eq!(update.field("CSeq"), "3 UPDATE");
    assert_eq!(statuses(&within_ours(&mut p, &invite, "UPDATE", 2, SDP, "v=2\n")), ["491"]);
    p.respond(&update, "200 OK", "pt", SDP);
    p.events();
    assert!(within_ours(&mut p, &invite, "UPDATE", 3, SDP, "v=theirs\n").is_empty());
    assert_eq!(p.events(), [SipEvent::Reoffer { invite: id, offer: Some(b"v=theirs\r\n".to_vec()) }]);
    p.ua.answer_reoffer(p.now, id, b"v=ours\r\n".to_vec());
    assert_eq!(body(&p.sent()[0]), "v=ours\r\n");
    // The 2xx repeats an answer that is outdated by now: what was agreed last holds.
    let more = format!("Contact: <sip:bob@192.0.2.9:5060>\n{SDP}");
    let ack = p.respond(&invite, "200 OK", "pt", &more);
    assert_eq!(ack[0].field("CSeq"), "1 ACK");
    assert_eq!(p.events(), [SipEvent::Answered { invite: id, sdp: None }]);
    p.ua.end(p.now, id);
    assert_eq!(p.sent()[0].field("CSeq"), "4 BYE");
    // The peer's numbers of the early dialog hold on, too.
    assert_eq!(statuses(&within_ours(&mut p, &invite, "OPTIONS", 3, "", "")), ["500"]);
}

#[test]
fn a_phone_that_rings_may_move_by_update_without_an_offer() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p);
    p.respond(&invite, "180 Ringing", "pt", &format!("Contact: <sip:bob@192.0.2.9:5060>\n{ALLOWS}"));
    assert_eq!(statuses(&within_ours(&mut p, &invite, "UPDATE", 1, "", "")), ["200"]);
    // It has not answered our offer yet.
    assert_eq!(statuses(&within_ours(&mut p, &invite, "UPDATE", 2, SDP, "v=2\n")), ["491"]);
    let more = format!("Contact: <sip:bob@192.0.2.9:5060>\nRequire: 100rel\nRSeq: 3\n{ALLOWS}\n{SDP}");
    assert_eq!(methods(&p.respond(&invite, "183 Session Progress", "pt", &more)), ["PRACK"]);
    p.respond(&invite, "200 OK", "pt", &format!("Contact: <sip:bob@192.0.2.9:5060>\n{SDP}"));
    let answered = SipEvent::Answered { invite: id, sdp: Some(b"v=0\r\n".to_vec()) };
    assert_eq!(p.events().pop(), Some(answered));
}

// Session timers: we were called.

#[test]
fn too_short_a_session_is_422_where_the_peer_would_understand() {
    let mut p = Peer::new(|s| s.session.least = Duration::from_mins(2));
    let more = format!("Supported: timer\nSession-Expires: 100;refresher=uac\n{SDP}");
    let sent = p.within("INVITE", ("", "pt", 1), &more, "v=0\n");
    assert_eq!((statuses(&sent), sent[1].field("Min-SE")), (vec!["100", "422"], "120"));
    assert_eq!(p.events(), []);
    // Without timers the peer is spared; a proxy asked.
    let (_, _, ok) = {
        let mut p = Peer::new(|s| s.session.least = Duration::from_mins(2));
        p.talking("Session-Expires: 100")
    };
    assert_eq!((ok.field("Session-Expires"), ok.fields("Require").len()), ("100;refresher=uas", 0));
}

#[test]
fn an_update_or_reinvite_with_too_short_a_session_is_422() {
    let mut p = Peer::new(|_| ());
    let (_, tag, _) = p.talking("");
    let more = "Supported: timer\nSession-Expires: 60";
    let sent = p.within("UPDATE", (&tag, "pt", 2), more, "");
    assert_eq!((statuses(&sent), sent[0].field("Min-SE")), (vec!["422"], "90"));
    let sent = p.within("INVITE", (&tag, "pt", 3), more, "");
    assert_eq!((statuses(&sent), sent[1].field("Min-SE")), (vec!["100", "422"], "90"));
}

#[test]
fn a_peer_without_timers_gets_none() {
    let mut p = Peer::new(|_| ());
    let (_, _, ok) = p.talking("");
    assert!(ok.fields("Session-Expires").is_empty() && ok.fields("Require").is_empty());
    assert!(p.pass(Duration::from_hours(2)).is_empty());
    assert_eq!(p.ua.held().timers, 0);
}

#[test]
fn we_refresh_at_half_the_time_and_say_what_we_said_last() {
    let mut p = Peer::new(|_| ());
    let (id, _, ok) = p.talking("Supported: timer\nSession-Expires: 600");
    assert_eq!((ok.field("Session-Expires"), ok.field("Require")), ("600;refresher=uas", "timer"));
    assert!(p.pass(Duration::from_secs(299)).is_empty());
    for _ in 0..3 {
        let sent = p.pass(Duration::from_secs(1));
        assert_eq!((methods(&sent), body(&sent[0])), (vec!["INVITE"], "v=0\r\n"));
        assert_eq!(sent[0].field("Session-Expires"), "600;refresher=uac");
        let more = format!("Contact: <sip:peer@192.0.2.9>\nSession-Expires: 600;refresher=uac\n{SDP}");
        assert_eq!(methods(&p.respond(&sent[0], "200 OK", "pt", &more)), ["ACK"]);
        assert_eq!(p.events(), [SipEvent::Refreshed { invite: id, sdp: b"v=0\r\n".to_vec() }]);
        assert!(p.pass(Duration::from_secs(299)).is_empty());
    }
    assert_eq!(p.ua.counts().sessions_refreshed, 3);
    p.ua.end(p.now, id);
    assert_eq!(p.ua.held().timers, 0);
}

#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let mut p = Peer::new(|_| ());
    p.talking(&format!("Supported: timer\nSession-Expires: 600;refresher=uas\n{ALLOWS}"));
    let sent = p.pass(Duration::from_mins(5));
    assert_eq!((methods(&sent), body(&sent[0])), (vec!["UPDATE"], ""));
    p.respond(&sent[0], "200 OK", "pt", "Session-Expires: 600;refresher=uac");
    assert_eq!(methods(&p.pass(Duration::from_mins(5))), ["UPDATE"]);
    assert_eq!(p.events(), []);
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking(&format!("Supported: timer\nSession-Expires: 600\n{ALLOWS}"));
    let sent = p.pass(Duration::from_secs(340));
    assert_eq!(
        (methods(&sent)[0], methods(&sent).iter().filter(|m| **m == "BYE").count() > 0),
        ("UPDATE", true)
    );
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::RequestTimeout }]);
}

#[test]
fn a_refused_refresh_is_tried_again_until_the_session_is_over() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking(&format!("Supported: timer\nSession-Expires: 600\n{ALLOWS}"));
    let mut sent = p.pass(Duration::from_mins(5));
    let mut refreshes = 0;
    while methods(&sent)[0] == "UPDATE" {
        refreshes += 1;
        p.respond(&sent[0], "503 Service Unavailable", "pt", "");
        sent = p.pass(Duration::from_secs(86));
    }
    assert_eq!((refreshes, methods(&sent)[0]), (4, "BYE"));
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::SessionExpired }]);
}

#[test]
fn a_peer_that_should_refresh_and_does_not_is_hung_up_a_little_before_the_end() {
    let mut p = Peer::new(|_| ());
    let (id, tag, ok) = p.talking("Supported: timer\nSession-Expires: 600;refresher=uac");
    assert_eq!(ok.field("Session-Expires"), "600;refresher=uac");
    p.pass(Duration::from_mins(5));
    let more = "Supported: timer\nSession-Expires: 600;refresher=uac";
    let sent = p.within("UPDATE", (&tag, "pt", 2), more, "");
    assert_eq!((sent[0].field("Session-Expires"), sent[0].field("Require")), ("600;refresher=uac", "timer"));
    assert!(p.pass(Duration::from_secs(567)).is_empty());
    assert_eq!(methods(&p.pass(Duration::from_secs(1))), ["BYE"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::SessionExpired }]);
    assert_eq!(p.ua.counts().sessions_expired, 1);
}

#[test]
fn of_a_short_session_a_third_is_left_when_we_hang_up() {
    let mut p = Peer::new(|_| ());
    p.talking("Supported: timer\nSession-Expires: 90;refresher=uac");
    assert!(p.pass(Duration::from_secs(59)).is_empty());
    assert_eq!(methods(&p.pass(Duration::from_secs(1))), ["BYE"]);
}

#[test]
fn a_reinvite_of_the_peer_refreshes_too() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("Supported: timer\nSession-Expires: 600;refresher=uac");
    p.pass(Duration::from_secs(500));
    p.within(
        "INVITE",
        (&tag, "pt", 2),
        &format!("Supported: timer\nSession-Expires: 600;refresher=uac\n{SDP}"),
        "v=0\n",
    );
    p.ua.answer_reoffer(p.now, id, b"v=0\r\n".to_vec());
    assert_eq!(p.sent()[0].field("Session-Expires"), "600;refresher=uac");
    p.within("ACK", (&tag, "pt", 2), "", "");
    assert!(p.pass(Duration::from_secs(567)).is_empty());
    assert_eq!(methods(&p.pass(Duration::from_secs(1))), ["BYE"]);
}

// Session timers: we called.

#[test]
fn our_invite_asks_for_a_session_and_each_422_is_answered_with_a_longer_one_within_reason() {
    let mut p = Peer::new(|s| s.session.interval = Duration::from_mins(20));
    let (id, invite) = called(&mut p);
    assert_eq!((invite.field("Session-Expires"), invite.fields("Min-SE").len()), ("1200", 0));
    assert!(invite.field("Supported").contains("timer"));
    let sent = p.respond(&invite, "422 Session Interval Too Small", "t", "Min-SE: 3600");
    let again = sent.iter().find(|s| s.first_line().starts_with("INVITE")).unwrap();
    assert_eq!((again.field("Session-Expires"), again.field("Min-SE")), ("3600", "3600"));
    assert_eq!((again.field("CSeq"), again.field("Call-ID")), ("2 INVITE", invite.field("Call-ID")));
    assert_eq!(p.events(), []);
    // A second proxy wants more than the first; one that wants what it has got is not believed.
    let sent = p.respond(again, "422 Session Interval Too Small", "t", "Min-SE: 7200");
    let again = sent.iter().find(|s| s.first_line().starts_with("INVITE")).unwrap();
    assert_eq!((again.field("Session-Expires"), again.field("Min-SE")), ("7200", "7200"));
    p.respond(again, "422 Session Interval Too Small", "t", "Min-SE: 7200");
    let status = Status::SESSION_INTERVAL_TOO_SMALL;
    let ended = SipEvent::Ended { invite: id, why: EndReason::Refused };
    assert_eq!(
        p.events(),
        [SipEvent::Failed { invite: id, status, contacts: Vec::new(), retry_after: None }, ended]
    );
}

#[test]
fn a_peer_that_always_wants_a_longer_session_does_not_keep_us_asking() {
    let mut p = Peer::new(|_| ());
    let (_, invite) = called(&mut p);
    let (mut last, mut tries) = (Some(invite), 0);
    while let Some(invite) = last {
        tries += 1;
        let sent =
            p.respond(&invite, "422 Session Interval Too Small", "t", &format!("Min-SE: {}", 2_000 + tries));
        last = sent.into_iter().find(|s| s.first_line().starts_with("INVITE"));
    }
    assert_eq!(tries, 6);
    assert!(matches!(p.events().as_slice(), [SipEvent::Failed { .. }, SipEvent::Ended { .. }]));
}

#[test]
fn as_caller_we_refresh_when_the_answer_says_so_and_a_422_then_is_answered_too() {
    let mut p = Peer::new(|_| ());
    let (id, _) = answered(&mut p, "Require: timer\nSession-Expires: 200;refresher=uac");
    let refresh = p.pass(Duration::from_secs(100)).pop().unwrap();
    assert_eq!((refresh.first_line().split(' ').next(), body(&refresh)), (Some("INVITE"), "v=first\r\n"));
    let sent = p.respond(&refresh, "422 Session Interval Too Small", "pt", "Min-SE: 400");
    let again = sent.iter().find(|s| s.first_line().starts_with("INVITE")).unwrap();
    assert_eq!((again.field("Session-Expires"), again.field("CSeq")), ("400;refresher=uac", "3 INVITE"));
    p.respond(again, "200 OK", "pt", &format!("Session-Expires: 400;refresher=uac\n{SDP}"));
    assert!(matches!(p.events().as_slice(), [SipEvent::Refreshed { .. }]));
    assert!(p.pass(Duration::from_secs(199)).is_empty());
    let refresh = p.pass(Duration::from_secs(1)).pop().unwrap();
    assert_eq!((refresh.field("Session-Expires"), refresh.field("Min-SE")), ("400;refresher=uac", "400"));
    assert_eq!(p.ua.describe(id), Some("confirmed"));
}

#[test]
fn as_caller_we_wait_for_the_refresh_of_a_peer_that_took_it_on() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = answered(&mut p, "Require: timer\nSession-Expires: 300;refresher=uas");
    assert!(p.pass(Duration::from_secs(200)).is_empty());
    let more = "Supported: timer\nSession-Expires: 300;refresher=uac";
    assert_eq!(statuses(&within_ours(&mut p, &invite, "UPDATE", 1, more, "")), ["200"]);
    assert!(p.pass(Duration::from_secs(267)).is_empty());
    assert_eq!(methods(&p.pass(Duration::from_secs(1))), ["BYE"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::SessionExpired }]);
}

#[test]
fn an_answer_without_session_expires_means_no_session() {
    let mut p = Peer::new(|_| ());
    let (id, _) = answered(&mut p, ALLOWS);
    assert!(p.pass(Duration::from_hours(2)).is_empty());
    // A later offer of ours asks again, and the peer may agree then.
    p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
    let update = p.sent().pop().unwrap();
    assert_eq!(update.field("Session-Expires"), "1800");
    p.respond(&update, "200 OK", "pt", &format!("Session-Expires: 1800;refresher=uac\n{SDP}"));
    assert_eq!(methods(&p.pass(Duration::from_mins(15))), ["UPDATE"]);
}

#[test]
fn an_offer_of_ours_that_waits_is_refresh_enough() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking(&format!("Supported: timer\nSession-Expires: 600\n{ALLOWS}"));
    p.pass(Duration::from_secs(299));
    // The peer's offer is open when the refresh is due, and ours waits behind it.
    p.within("UPDATE", (&tag, "pt", 2), SDP, "v=2\n");
    p.ua.reoffer(p.now, id, b"v=mine\r\n".to_vec());
    assert!(p.pass(Duration::from_secs(2)).is_empty());
    p.ua.answer_reoffer(p.now, id, b"v=ours\r\n".to_vec());
    let sent = p.sent();
    assert_eq!((sent[0].status(), methods(&sent)[1], body(&sent[1])), ("200", "UPDATE", "v=mine\r\n"));
    p.respond(&sent[1], "200 OK", "pt", &format!("Session-Expires: 600;refresher=uac\n{SDP}"));
    assert!(p.pass(Duration::from_secs(299)).is_empty());
}

#[test]
fn a_session_that_begins_later_and_was_never_said_anew_asks_for_an_offer() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let more = "Supported: timer\nSession-Expires: 600;refresher=uas\nAllow: INVITE";
    assert_eq!(statuses(&p.within("UPDATE", (&tag, "pt", 2), more, "")), ["200"]);
    assert!(p.pass(Duration::from_mins(5)).is_empty());
    assert_eq!(p.events(), [SipEvent::OfferWanted { invite: id }]);
    p.ua.reoffer(p.now, id, b"v=2\r\n".to_vec());
    assert_eq!(methods(&p.sent()), ["INVITE"]);
}
