//! Dialogs, refusals and odd peers: what RFC 3261 says where two well-behaved user agents never come.
use std::time::Duration;

use hotline::base::Key;
use hotline::sip::{
    Credentials, Destination, EndReason, Identity, InviteId, OutgoingInvite, ReferTarget, SipEvent, Status,
};

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::UDP;

fn statuses(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::status).collect()
}

fn udp(address: &str) -> Destination {
    Destination::Datagram { listener: UDP, to: address.parse().unwrap() }
}

fn outgoing(to: &str) -> OutgoingInvite {
    OutgoingInvite {
        request_uri: "sip:bob@192.0.2.9:5060".into(),
        to: udp(to),
        route: Vec::new(),
        from: Identity { user: "hotline".into(), host: String::new(), display: "Hot \"Line\"".into() },
        extra_headers: vec![("Subject".into(), "account\r\nX-Evil: 1".into())],
        offer: Some(b"v=0\r\n".to_vec()),
        credentials: None,
    }
}

#[test]
fn wrong_tags_are_481_and_leave_the_call_alone() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    for (to, from) in [("wrong", "pt"), (tag.as_str(), "wrong"), ("wrong", "wrong")] {
        assert_eq!(statuses(&p.within("BYE", (to, from, 2), "", "")), ["481"]);
        assert_eq!(statuses(&p.within("INVITE", (to, from, 2), "", "")), ["100", "481"]);
    }
    assert_eq!((p.events(), p.ua.describe(id)), (vec![], Some("confirmed")));
    // The numbers of those requests were not taken either.
    assert_eq!(statuses(&p.within("BYE", (&tag, "pt", 2), "", "")), ["200"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::ByeReceived }]);
    assert_eq!(p.ua.counts().dialogs_missed, 6);
}

#[test]
fn a_number_out_of_order_is_500() {
    let mut p = Peer::new(|_| ());
    let (_, tag, _) = p.talking("");
    assert_eq!(statuses(&p.within("OPTIONS", (&tag, "pt", 5), "", "")), ["200"]);
    assert_eq!(statuses(&p.within("BYE", (&tag, "pt", 4), "", "")), ["500"]);
    assert_eq!(statuses(&p.within("BYE", (&tag, "pt", 6), "", "")), ["200"]);
}

#[test]
fn a_second_invite_before_the_answer_is_500_with_retry_after() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    p.ua.ring(p.now, id);
    let tag = p.sent().pop().unwrap().tag_of("To");
    let sent = p.within("INVITE", (&tag, "pt", 2), "Content-Type: application/sdp", "v=0\n");
    assert_eq!(statuses(&sent), ["100", "500"]);
    assert!(sent[1].field("Retry-After").parse::<u32>().unwrap() <= 10);
    assert_eq!(p.ua.describe(id), Some("proceeding"));
}

#[test]
fn long_ringing_is_shown_every_minute_until_the_answer() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    p.ua.ring(p.now, id);
    p.sent();
    assert_eq!(statuses(&p.pass(Duration::from_secs(150))), ["180", "180"]);
    p.ua.reject(p.now, id, Status::BUSY_HERE, None);
    p.sent();
    assert!(p.pass(Duration::from_secs(150)).iter().all(|s| s.status() == "486"));
}

#[test]
fn a_reinvite_while_ours_is_open_is_491() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    p.ua.reoffer(p.now, id, b"hold".to_vec());
    p.sent();
    let sent = p.within("INVITE", (&tag, "pt", 2), "Content-Type: application/sdp", "v=0\n");
    assert_eq!(statuses(&sent), ["100", "491"]);
}

#[test]
fn a_reinvite_before_the_ack_shows_that_the_200_came() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    p.ua.answer(p.now, id, b"v=0\r\n".to_vec());
    let tag = p.sent().pop().unwrap().tag_of("To");
    p.within("INVITE", (&tag, "pt", 2), "Content-Type: application/sdp", "v=0\n");
    let events = p.events();
    assert!(
        matches!(events.as_slice(), [SipEvent::Acknowledged { .. }, SipEvent::Reoffer { .. }]),
        "{events:?}"
    );
    assert!(p.pass(Duration::from_secs(40)).is_empty(), "the first 200 is not sent again");
}

#[test]
fn an_extension_that_we_lack_is_420() {
    let mut p = Peer::new(|_| ());
    let sent = p.within(
        "INVITE",
        ("", "pt", 1),
        "Require: 100rel, gruu, timer\nContent-Type: application/sdp",
        "v=0\n",
    );
    assert_eq!(statuses(&sent), ["100", "420"]);
    assert_eq!(sent[1].field("Unsupported"), "gruu");
    assert_eq!(p.events(), []);
}

#[test]
fn an_invite_without_contact_is_a_call_all_the_same() {
    let mut p = Peer::new(|_| ());
    let head = "From: <sip:a@b>;tag=2\nTo: <sip:x@y>\nCall-ID: c3\nCSeq: 1 INVITE";
    assert_eq!(statuses(&p.request("INVITE", "sip:x@192.0.2.1", head, "")), ["100"]);
    assert_eq!(p.events().len(), 1);
}

#[test]
fn what_we_cannot_take_is_refused_by_its_name() {
    let mut p = Peer::new(|_| ());
    let sent = p.within("INVITE", ("", "pt", 1), "Content-Type: text/plain", "hello\n");
    assert_eq!((sent[1].status(), sent[1].field("Accept")), ("415", "application/sdp"));
    let head = "From: <sip:a@b>;tag=1\nTo: <sip:x@y>\nCall-ID: c2\nCSeq: 1 INVITE\nContact: <sip:a@b>";
    assert_eq!(statuses(&p.request("INVITE", "sips:x@192.0.2.1", head, "")), ["100", "416"]);
    assert_eq!(statuses(&p.within("UPDATE", ("", "pt", 1), "", "")), ["481"]);
    let sent = p.within("PUBLISH", ("", "pt", 1), "", "");
    assert_eq!((sent[0].status(), sent[0].field("Allow").contains("INVITE")), ("405", true));
    assert_eq!(statuses(&p.within("INFO", ("", "pt", 1), "Content-Type: application/dtmf", "5")), ["481"]);
    assert_eq!(statuses(&p.within("BYE", ("", "pt", 1), "", "")), ["481"]);
    let sent = p.within("OPTIONS", ("", "pt", 9), "", "");
    assert_eq!((sent[0].status(), sent[0].field("Accept").contains("application/sdp")), ("200", true));
    assert_eq!(p.events(), []);
}

#[test]
fn a_tel_number_is_dialled_like_any_other() {
    let mut p = Peer::new(|_| ());
    let head = "From: \"A\\\"B\" <sip:+1234@b:5070>;tag=1\nTo: <tel:+86-10>\nCall-ID: c2\nCSeq: 1 INVITE\nContact: <sip:a@b>";
    p.request("INVITE", "tel:+86-10-1234;phone-context=x", head, "");
    let Some(SipEvent::Incoming(incoming)) = p.events().pop() else { panic!("no call") };
    assert_eq!(incoming.request_user, "+86101234");
    let from = Identity { user: "+1234".into(), host: "b:5070".into(), display: "A\"B".into() };
    assert_eq!((incoming.from, incoming.offer), (from, None));
}

#[test]
fn keys_come_by_info_and_other_bodies_are_415() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let relay = "Content-Type: application/dtmf-relay";
    assert_eq!(statuses(&p.within("INFO", (&tag, "pt", 2), relay, "Signal=5\nDuration=160\n")), ["200"]);
    assert_eq!(statuses(&p.within("INFO", (&tag, "pt", 3), "Content-Type: application/dtmf", "#")), ["200"]);
    let key = |c, duration_ms| SipEvent::Key { invite: id, key: Key::from_char(c).unwrap(), duration_ms };
    assert_eq!(p.events(), [key('5', 160), key('#', 0)]);
    let sent = p.within("INFO", (&tag, "pt", 4), "Content-Type: text/plain", "5");
    assert_eq!(
        (sent[0].status(), sent[0].field("Accept")),
        ("415", "application/dtmf-relay, application/dtmf")
    );
    // The trace shows neither key.
    let traces: Vec<_> = std::iter::from_fn(|| p.ua.poll_trace()).collect();
    let infos = traces.iter().filter(|t| t.bytes.starts_with(b"INFO"));
    for info in infos {
        assert!(!String::from_utf8_lossy(&info.bytes).contains("Signal"), "{info:?}");
    }
    assert!(traces.iter().all(|t| t.sip_call_id == "c1"));
}

#[test]
fn the_route_set_is_kept_and_followed() {
    let mut p = Peer::new(|_| ());
    let routes = "Record-Route: <sip:192.0.2.20;lr>\nRecord-Route: <sip:192.0.2.21:5080;lr>";
    let (id, _, ok) = p.talking(routes);
    assert_eq!(ok.fields("Record-Route"), ["<sip:192.0.2.20;lr>", "<sip:192.0.2.21:5080;lr>"]);
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!(bye.first_line(), "BYE sip:peer@192.0.2.9:5060 SIP/2.0");
    assert_eq!(bye.fields("Route"), ["<sip:192.0.2.20;lr>", "<sip:192.0.2.21:5080;lr>"]);
    assert_eq!(bye.to, udp("192.0.2.20:5060"));
}

#[test]
fn a_strict_router_gets_the_target_last() {
    let mut p = Peer::new(|_| ());
    let (id, _, _) = p.talking("Record-Route: <sip:192.0.2.20>, <sip:192.0.2.21;lr>");
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!(bye.first_line(), "BYE sip:192.0.2.20 SIP/2.0");
    assert_eq!(bye.fields("Route"), ["<sip:192.0.2.21;lr>", "<sip:peer@192.0.2.9:5060>"]);
}

#[test]
fn a_reinvite_moves_the_target_and_a_refused_one_does_not() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let head = |cseq, port| {
        format!(
            "From: <sip:peer@192.0.2.9>;tag=pt\nTo: <sip:1000@192.0.2.1>;tag={tag}\nCall-ID: c1\nCSeq: {cseq} INVITE\n\
             Contact: <sip:peer@192.0.2.30:{port}>\nContent-Type: application/sdp"
        )
    };
    p.request("INVITE", "sip:1000@192.0.2.1", &head(2, 1111), "v=0\n");
    p.ua.refuse_reoffer(p.now, id, Status::NOT_ACCEPTABLE_HERE);
    p.request("INVITE", "sip:1000@192.0.2.1", &head(3, 2222), "v=0\n");
    p.ua.answer_reoffer(p.now, id, b"v=0\r\n".to_vec());
    p.within("ACK", (&tag, "pt", 3), "", "");
    p.sent();
    p.ua.end(p.now, id);
    assert_eq!(p.sent().pop().unwrap().to, udp("192.0.2.30:2222"));
}

#[test]
fn a_cancelled_reinvite_leaves_the_call_alone() {
    let mut p = Peer::new(|_| ());
    let (id, tag, _) = p.talking("");
    let head = format!(
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKre\nMax-Forwards: 70\nFrom: <sip:peer@192.0.2.9>;tag=pt\nTo: \
         <sip:1000@192.0.2.1>;tag={tag}\nCall-ID: c1\nContact: <sip:peer@192.0.2.9>\n"
    );
    p.raw(&format!("INVITE sip:1000@192.0.2.1 SIP/2.0\n{head}CSeq: 2 INVITE\n\n"));
    let sent = p.raw(&format!("CANCEL sip:1000@192.0.2.1 SIP/2.0\n{head}CSeq: 2 CANCEL\n\n"));
    assert_eq!(statuses(&sent), ["200", "487"]);
    assert_eq!(p.ua.describe(id), Some("confirmed"));
    assert!(matches!(p.events().as_slice(), [SipEvent::Reoffer { .. }]));
}

#[test]
fn a_phone_behind_a_nat_is_reached_where_it_spoke_from() {
    let mut p = Peer::new(|_| ());
    p.at = "203.0.113.7:31000".parse().unwrap();
    // By its own word it is 192.0.2.9; the network sees another address.
    let (id, _, _) = p.talking("");
    p.ua.end(p.now, id);
    assert_eq!(p.sent().pop().unwrap().to, udp("203.0.113.7:31000"));
}

#[test]
fn the_second_phone_that_answers_is_thanked_and_hung_up() {
    let mut p = Peer::new(|_| ());
    let id = p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    let invite = p.sent().pop().unwrap();
    let ok = "Contact: <sip:one@192.0.2.9:5060>\nContent-Type: application/sdp";
    p.respond(&invite, "180 Ringing", "f1", "Contact: <sip:one@192.0.2.9:5060>");
    p.respond(&invite, "180 Ringing", "f2", "Contact: <sip:two@192.0.2.10:5060>");
    let sent = p.respond(&invite, "200 OK", "f1", ok);
    assert_eq!(sent[0].first_line(), "ACK sip:one@192.0.2.9:5060 SIP/2.0");
    let sent = p.respond(&invite, "200 OK", "f2", &ok.replace("one@192.0.2.9", "two@192.0.2.10"));
    let lines: Vec<_> = sent.iter().map(Sent::first_line).collect();
    assert_eq!(lines, ["ACK sip:two@192.0.2.10:5060 SIP/2.0", "BYE sip:two@192.0.2.10:5060 SIP/2.0"]);
    // Copies of either 200 get the ACK alone.
    assert_eq!(p.respond(&invite, "200 OK", "f1", ok).len(), 1);
    assert_eq!(p.respond(&invite, "200 OK", "f2", ok).len(), 1);
    let answered = p.events().iter().filter(|e| matches!(e, SipEvent::Answered { .. })).count();
    assert_eq!((answered, p.ua.describe(id), p.ua.counts().forks_ended), (1, Some("confirmed"), 1));
}

#[test]
fn an_answer_without_a_contact_is_acknowledged_and_can_be_hung_up() {
    let mut p = Peer::new(|_| ());
    let id = p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    let invite = p.sent().pop().unwrap();
    let sent = p.respond(&invite, "200 OK", "t", "Content-Type: application/sdp");
    assert_eq!(sent[0].first_line(), "ACK sip:bob@192.0.2.9:5060 SIP/2.0");
    p.ua.end(p.now, id);
    assert_eq!(p.sent()[0].first_line(), "BYE sip:bob@192.0.2.9:5060 SIP/2.0");
}

#[test]
fn a_header_of_ours_cannot_be_split_by_what_is_put_in() {
    let mut p = Peer::new(|_| ());
    p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    let invite = p.sent().pop().unwrap();
    assert_eq!(invite.field("Subject"), "account  X-Evil: 1");
    assert!(invite.fields("X-Evil").is_empty());
    assert!(
        invite.field("From").starts_with("\"Hot \\\"Line\\\"\" <sip:hotline@192.0.2.1>;tag="),
        "{}",
        invite.text
    );
    assert_eq!(invite.field("Contact"), "<sip:hotline@192.0.2.1:5060>");
}

#[test]
fn a_redirection_is_a_failure_and_a_proxy_may_ask_for_digest() {
    let mut p = Peer::new(|_| ());
    let id = p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    let invite = p.sent().pop().unwrap();
    p.respond(&invite, "302 Moved Temporarily", "t", "Contact: <sip:elsewhere@192.0.2.66>");
    let ended = SipEvent::Ended { invite: id, why: EndReason::Refused };
    let elsewhere =
        ReferTarget { scheme: "sip".into(), user: "elsewhere".into(), host: "192.0.2.66".into(), port: None };
    let contacts = vec![elsewhere];
    assert_eq!(
        p.events(),
        [
            SipEvent::Failed { invite: id, status: Status::MOVED_TEMPORARILY, contacts, retry_after: None },
            ended
        ]
    );

    let credentials = Credentials { user: "t".into(), password: "p".into(), realm: Some("trunk".into()) };
    p.ua.invite(p.now, OutgoingInvite { credentials: Some(credentials), ..outgoing("192.0.2.9:5060") });
    let invite = p.sent().pop().unwrap();
    let challenge =
        |realm: &str| format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"n1\", qop=\"auth\"");
    let sent = p.respond(&invite, "407 Proxy Authentication Required", "t", &challenge("trunk"));
    let again = sent.iter().find(|s| s.first_line().starts_with("INVITE")).unwrap();
    assert!(again.field("Proxy-Authorization").contains("nc=00000001"));
    assert_eq!((again.field("CSeq"), again.field("From")), ("2 INVITE", invite.field("From")));
    assert_ne!(again.field("Via"), invite.field("Via"));
    // The same nonce is not answered twice.
    let sent = p.respond(again, "407 Proxy Authentication Required", "t", &challenge("trunk"));
    assert!(sent.iter().all(|s| s.first_line().starts_with("ACK")));
    assert!(matches!(p.events().as_slice(), [SipEvent::Failed { .. }, SipEvent::Ended { .. }]));
}

#[test]
fn a_cancelled_call_that_nobody_answers_is_forgotten() {
    let mut p = Peer::new(|_| ());
    let id = p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    let invite = p.sent().pop().unwrap();
    p.respond(&invite, "180 Ringing", "t", "");
    p.ua.end(p.now, id);
    let cancel = p.sent().pop().unwrap();
    assert_eq!((cancel.field("Via"), cancel.field("CSeq")), (invite.field("Via"), "1 CANCEL"));
    p.respond(&cancel, "200 OK", "t", "");
    p.pass(Duration::from_secs(33));
    assert_eq!((p.ua.describe(id), p.ua.held().transactions), (None, 0));
}

#[test]
fn beyond_its_limit_calls_are_refused_with_retry_after() {
    let mut p = Peer::new(|s| s.limits.invites = 1);
    p.invited("");
    let head = "From: <sip:a@b>;tag=1\nTo: <sip:x@y>\nCall-ID: other\nCSeq: 1 INVITE\nContact: <sip:a@b>";
    let sent = p.request("INVITE", "sip:x@192.0.2.1", head, "");
    assert_eq!((sent[1].status(), sent[1].field("Retry-After")), ("503", "5"));
    let id = p.ua.invite(p.now, outgoing("192.0.2.9:5060"));
    assert_eq!(
        p.events(),
        [
            SipEvent::Failed {
                invite: id,
                status: Status::SERVICE_UNAVAILABLE,
                contacts: vec![],
                retry_after: None
            },
            SipEvent::Ended { invite: id, why: EndReason::Refused }
        ]
    );
    assert_eq!(p.ua.counts().invites_refused, 2);
}

#[test]
fn one_input_touches_one_call_among_many() {
    let mut p = Peer::new(|_| ());
    let mut ids: Vec<InviteId> = Vec::new();
    for n in 0..1_000 {
        let head = format!(
            "From: <sip:a@b>;tag=f{n}\nTo: <sip:x@y>\nCall-ID: many{n}\nCSeq: 1 INVITE\nContact: <sip:a@192.0.2.9>"
        );
        p.request("INVITE", "sip:x@192.0.2.1", &head, "");
        ids.extend(p.events().iter().filter_map(|e| match e {
            SipEvent::Incoming(incoming) => Some(incoming.invite),
            _ => None,
        }));
    }
    assert_eq!(ids.len(), 1_000);
    for (act, most) in [("answer", 2), ("timer", 2), ("end", 2)] {
        let before = p.ua.counts().touched;
        match act {
            "answer" => p.ua.answer(p.now, ids[500], b"v=0\r\n".to_vec()),
            "timer" => drop(p.pass(Duration::from_millis(500))),
            _ => p.ua.end(p.now, ids[700]),
        }
        let touched = p.ua.counts().touched - before;
        assert!((1..=most).contains(&touched), "{act} touched {touched}");
    }
}

#[test]
fn the_same_invite_over_two_paths_rings_once() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    // A proxy forked it, and both branches lead here: another Via branch, everything else the same.
    let sent = p.within("INVITE", ("", "pt", 1), "Content-Type: application/sdp", "v=0\n");
    assert_eq!(statuses(&sent), ["482"]);
    assert_eq!((p.events(), p.ua.describe(id)), (vec![], Some("proceeding")));
    p.ua.answer(p.now, id, b"v=0\r\n".to_vec());
    assert_eq!(statuses(&p.sent()), ["200"]);
}

#[test]
fn who_calls_us_and_asks_for_our_password_gets_none() {
    let mut p = Peer::new(|_| ());
    let challenge = "WWW-Authenticate: Digest realm=\"hotline\", nonce=\"n1\", qop=\"auth\"";
    let (id, _, _) = p.talking("");
    p.ua.end(p.now, id);
    let bye = p.sent().into_iter().find(|s| s.first_line().starts_with("BYE")).unwrap();
    let sent = p.respond(&bye, "401 Unauthorized", "t", challenge);
    let proofs = |sent: &[Sent]| sent.iter().filter(|s| s.text.contains("uthorization:")).count();
    assert_eq!((sent.len(), proofs(&sent)), (0, 0), "{sent:?}");
    assert!(p.pass(Duration::from_secs(70)).iter().all(|s| !s.text.contains("uthorization:")));

    // Over a trunk: another realm than its own is answered by nothing, either.
    let credentials = Credentials { user: "t".into(), password: "p".into(), realm: Some("trunk".into()) };
    p.ua.invite(p.now, OutgoingInvite { credentials: Some(credentials), ..outgoing("192.0.2.9:5060") });
    let invite = p.sent().pop().unwrap();
    let sent = p.respond(&invite, "401 Unauthorized", "t", challenge);
    assert_eq!(proofs(&sent), 0, "{sent:?}");
    assert!(sent.iter().all(|s| s.first_line().starts_with("ACK")));
}
