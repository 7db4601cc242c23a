//! Reliable provisional responses (RFC 3262) and forks, message by message: both roles, offers and answers in them.
use std::time::Duration;

use hotline::sip::{
    Credentials, Destination, EndReason, Identity, InviteId, OutgoingInvite, SipEvent, Status,
};

use crate::support::sip_peer::{Peer, Sent};
use crate::support::sip_world::UDP;

const SDP: &str = "Content-Type: application/sdp";

fn statuses(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::status).collect()
}

fn lines(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(Sent::first_line).collect()
}

fn rack(provisional: &Sent) -> String {
    format!("RAck: {} 1 INVITE", provisional.field("RSeq"))
}

fn is_reliable(provisional: &Sent) -> bool {
    provisional.fields("Require") == ["100rel"] && !provisional.fields("RSeq").is_empty()
}

fn body(message: &Sent) -> &str {
    message.text.split_once("\r\n\r\n").unwrap().1
}

/// An INVITE without an offer from a peer that requires reliable responses.
fn invited_late(p: &mut Peer) -> InviteId {
    p.within("INVITE", ("", "pt", 1), "Require: 100rel", "");
    match p.events().as_slice() {
        [SipEvent::Incoming(incoming)] => {
            assert!(incoming.wants_reliable && incoming.offer.is_none());
            incoming.invite
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_required_180_is_sent_again_until_its_prack_and_only_that_one_counts() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.ring(p.now, id);
    let ringing = p.sent().pop().unwrap();
    assert!(ringing.status() == "180" && is_reliable(&ringing), "{}", ringing.text);
    let tag = ringing.tag_of("To");
    // After T1, 2 T1, 4 T1: at 0.5, 1.5 and 3.5 s.
    let again = p.pass(Duration::from_secs(4));
    assert_eq!(statuses(&again), ["180", "180", "180"]);
    assert!(again.iter().all(|s| s.field("RSeq") == ringing.field("RSeq")));

    let rseq: u32 = ringing.field("RSeq").parse().unwrap();
    let wrong = [
        (format!("{} 1 INVITE", rseq + 1), "481"),
        (format!("{rseq} 2 INVITE"), "481"),
        (format!("{rseq} 1 UPDATE"), "481"),
        (format!("{rseq} INVITE"), "400"),
    ];
    for (n, (rack, status)) in (2..).zip(wrong) {
        let sent = p.within("PRACK", (&tag, "pt", n), &format!("RAck: {rack}"), "");
        assert_eq!(statuses(&sent), [status], "{rack}");
    }
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 7), &rack(&ringing), "")), ["200"]);
    assert!(p.pass(Duration::from_secs(50)).is_empty(), "it is sent no more");
    // Acknowledged already.
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 8), &rack(&ringing), "")), ["481"]);
    assert_eq!((p.events(), p.ua.describe(id)), (vec![], Some("proceeding")));
}

#[test]
fn without_a_prack_the_invite_ends_with_504_after_64_t1() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.ring(p.now, id);
    p.sent();
    let sent = p.pass(Duration::from_secs(32));
    assert_eq!(statuses(&sent[sent.len() - 1..]), ["504"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: id, why: EndReason::PrackTimeout }]);
    assert_eq!(p.ua.counts().pracks_missing, 1);
    p.pass(Duration::from_secs(70));
    assert_eq!((p.ua.held().invites, p.ua.held().timers), (0, 0));
}

#[test]
fn an_answer_waits_for_the_prack_of_early_media_and_says_nothing_twice() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Supported: 100rel");
    p.ua.progress(p.now, id, b"v=early\r\n".to_vec());
    let early = p.sent().pop().unwrap();
    assert!(early.status() == "183" && is_reliable(&early) && body(&early) == "v=early\r\n");
    p.ua.answer(p.now, id, b"v=early\r\n".to_vec());
    assert!(p.sent().is_empty(), "no 2xx before the PRACK");
    let tag = early.tag_of("To");
    let sent = p.within("PRACK", (&tag, "pt", 2), &rack(&early), "");
    assert_eq!(statuses(&sent), ["200", "200"]);
    assert_eq!((sent[0].field("CSeq"), sent[1].field("CSeq"), body(&sent[1])), ("2 PRACK", "1 INVITE", ""));
    p.within("ACK", (&tag, "pt", 1), "", "");
    assert_eq!(p.events(), [SipEvent::Acknowledged { invite: id, sdp: None }]);
}

#[test]
fn ringing_alone_does_not_hold_the_answer_back_and_a_late_prack_is_welcome() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.ring(p.now, id);
    let ringing = p.sent().pop().unwrap();
    p.ua.answer(p.now, id, b"v=0\r\n".to_vec());
    let ok = p.sent().pop().unwrap();
    assert_eq!((ok.status(), body(&ok)), ("200", "v=0\r\n"));
    let tag = ringing.tag_of("To");
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 2), &rack(&ringing), "")), ["200"]);
    p.within("ACK", (&tag, "pt", 1), "", "");
    assert!(p.pass(Duration::from_secs(50)).is_empty());
}

#[test]
fn one_reliable_response_after_the_other() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.ring(p.now, id);
    let ringing = p.sent().pop().unwrap();
    p.ua.progress(p.now, id, b"v=early\r\n".to_vec());
    p.ua.ring(p.now, id);
    assert!(p.sent().is_empty());
    let tag = ringing.tag_of("To");
    let sent = p.within("PRACK", (&tag, "pt", 2), &rack(&ringing), "");
    // The last wish wins, and the sound is not lost.
    assert_eq!((statuses(&sent), body(&sent[1])), (vec!["200", "180"], "v=early\r\n"));
    let number = |s: &Sent| s.field("RSeq").parse::<u32>().unwrap();
    assert_eq!(number(&sent[1]), number(&ringing) + 1);
    // A copy of the first PRACK's intent, in a new transaction.
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 3), &rack(&ringing), "")), ["481"]);
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 4), &rack(&sent[1]), "")), ["200"]);
}

#[test]
fn a_peer_that_knows_nothing_of_it_gets_plain_responses() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("");
    p.ua.progress(p.now, id, b"v=0\r\n".to_vec());
    p.ua.ring(p.now, id);
    let sent = p.sent();
    assert_eq!(statuses(&sent), ["183", "180"]);
    assert!(sent.iter().all(|s| s.fields("RSeq").is_empty() && s.fields("Require").is_empty()));
}

#[test]
fn our_offer_in_a_reliable_183_is_answered_in_its_prack() {
    let mut p = Peer::new(|_| ());
    let id = invited_late(&mut p);
    p.ua.ring(p.now, id);
    assert!(p.sent().iter().all(|s| s.status() == "100"), "a first reliable response without offer is none");
    p.ua.progress(p.now, id, b"v=ours\r\n".to_vec());
    let early = p.sent().pop().unwrap();
    assert!(is_reliable(&early) && body(&early) == "v=ours\r\n");
    let tag = early.tag_of("To");
    assert_eq!(statuses(&p.within("PRACK", (&tag, "pt", 2), &rack(&early), "")), ["400"]);
    let sent = p.within("PRACK", (&tag, "pt", 3), &format!("{}\n{SDP}", rack(&early)), "v=theirs\n");
    assert_eq!(statuses(&sent), ["200"]);
    assert_eq!(p.events(), [SipEvent::EarlyAnswer { invite: id, sdp: b"v=theirs\r\n".to_vec() }]);
    p.ua.answer(p.now, id, Vec::new());
    let ok = p.sent().pop().unwrap();
    assert_eq!((ok.status(), body(&ok)), ("200", ""));
    p.within("ACK", (&tag, "pt", 1), "", "");
    assert_eq!(p.events(), [SipEvent::Acknowledged { invite: id, sdp: None }]);
}

#[test]
fn an_offer_in_a_prack_is_answered_in_its_200_and_holds_the_invites_back() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.progress(p.now, id, b"v=1\r\n".to_vec());
    let early = p.sent().pop().unwrap();
    let tag = early.tag_of("To");
    let sent = p.within("PRACK", (&tag, "pt", 2), &format!("{}\n{SDP}", rack(&early)), "v=2\n");
    assert!(sent.is_empty());
    assert_eq!(p.events(), [SipEvent::Reoffer { invite: id, offer: Some(b"v=2\r\n".to_vec()) }]);
    p.ua.answer(p.now, id, Vec::new());
    assert!(p.sent().is_empty(), "an offer is open");
    p.ua.answer_reoffer(p.now, id, b"v=3\r\n".to_vec());
    let sent = p.sent();
    assert_eq!(statuses(&sent), ["200", "200"]);
    assert_eq!((sent[0].field("CSeq"), body(&sent[0])), ("2 PRACK", "v=3\r\n"));
    assert_eq!((sent[1].field("CSeq"), body(&sent[1])), ("1 INVITE", ""));
}

#[test]
fn an_offer_in_a_prack_to_plain_ringing_comes_too_early() {
    let mut p = Peer::new(|_| ());
    let id = p.invited("Require: 100rel");
    p.ua.ring(p.now, id);
    let ringing = p.sent().pop().unwrap();
    let tag = ringing.tag_of("To");
    let sent = p.within("PRACK", (&tag, "pt", 2), &format!("{}\n{SDP}", rack(&ringing)), "v=2\n");
    assert_eq!((statuses(&sent), sent[0].fields("Retry-After").len()), (vec!["500"], 1));
    assert_eq!(p.events(), []);
}

#[test]
fn a_cancel_ends_reliable_ringing() {
    let mut p = Peer::new(|_| ());
    let head = "From: <sip:peer@192.0.2.9>;tag=pt\nTo: <sip:1000@192.0.2.1>\nCall-ID: c1\nMax-Forwards: 70\nContact: \
                <sip:peer@192.0.2.9>\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKc\n";
    p.raw(&format!("INVITE sip:1000@192.0.2.1 SIP/2.0\n{head}CSeq: 1 INVITE\nRequire: 100rel\n\n"));
    let Some(SipEvent::Incoming(incoming)) = p.events().pop() else { panic!("no call") };
    p.ua.progress(p.now, incoming.invite, b"v=0\r\n".to_vec());
    p.sent();
    let sent = p.raw(&format!("CANCEL sip:1000@192.0.2.1 SIP/2.0\n{head}CSeq: 1 CANCEL\n\n"));
    assert_eq!(statuses(&sent), ["200", "487"]);
    assert_eq!(p.events(), [SipEvent::Ended { invite: incoming.invite, why: EndReason::Cancelled }]);
    assert!(p.pass(Duration::from_secs(100)).iter().all(|s| s.status() == "487"));
    assert_eq!((p.ua.held().invites, p.ua.held().timers, p.ua.held().transactions), (0, 0, 0));
}

// As caller.

fn outgoing(offer: Option<&str>) -> OutgoingInvite {
    OutgoingInvite {
        request_uri: "sip:bob@192.0.2.9:5060".into(),
        to: Destination::Datagram { listener: UDP, to: "192.0.2.9:5060".parse().unwrap() },
        route: Vec::new(),
        from: Identity { user: "hotline".into(), host: String::new(), display: String::new() },
        extra_headers: Vec::new(),
        offer: offer.map(|offer| offer.as_bytes().to_vec()),
        credentials: None,
    }
}

fn called(p: &mut Peer, offer: Option<&str>) -> (InviteId, Sent) {
    let id = p.ua.invite(p.now, outgoing(offer));
    let invite = p.sent().pop().unwrap();
    assert!(invite.field("Supported").contains("100rel"));
    (id, invite)
}

/// A reliable provisional of the phone `who`, which has this number and perhaps SDP.
fn early(who: u8, rseq: u32, sdp: bool) -> String {
    let sdp = if sdp { format!("\n{SDP}") } else { String::new() };
    format!(
        "Contact: <sip:f{who}@192.0.2.{who}:5060>\nRequire: 100rel\nRSeq: {rseq}\nAllow: INVITE, ACK, BYE, PRACK, \
         UPDATE{sdp}"
    )
}

#[test]
fn each_fork_has_its_own_early_dialog_and_its_pracks_in_order() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, Some("v=0\r\n"));
    let prack = p.respond(&invite, "183 Session Progress", "f1", &early(11, 5, true));
    assert_eq!(lines(&prack), ["PRACK sip:f11@192.0.2.11:5060 SIP/2.0"]);
    assert_eq!((prack[0].field("RAck"), prack[0].field("CSeq")), ("5 1 INVITE", "2 PRACK"));
    assert_eq!((prack[0].tag_of("To"), prack[0].tag_of("From")), ("f1".into(), invite.tag_of("From")));
    let other = p.respond(&invite, "183 Session Progress", "f2", &early(12, 70, true));
    assert_eq!((other[0].field("RAck"), other[0].field("CSeq")), ("70 1 INVITE", "2 PRACK"));
    let progress = p.events().iter().filter(|e| matches!(e, SipEvent::Progress { .. })).count();
    assert_eq!(progress, 2);

    // A copy, and one after a gap, are neither acknowledged nor told.
    assert!(p.respond(&invite, "183 Session Progress", "f1", &early(11, 5, true)).is_empty());
    assert!(p.respond(&invite, "180 Ringing", "f1", &early(11, 7, false)).is_empty());
    assert_eq!(p.events(), []);
    let next = p.respond(&invite, "180 Ringing", "f1", &early(11, 6, false));
    assert_eq!((next[0].field("RAck"), next[0].field("CSeq")), ("6 1 INVITE", "3 PRACK"));

    // The second phone answers; what its 183 said is its answer.
    p.events();
    let sent = p.respond(&invite, "200 OK", "f2", "Contact: <sip:f12@192.0.2.12:5060>");
    assert_eq!(lines(&sent), ["ACK sip:f12@192.0.2.12:5060 SIP/2.0"]);
    assert_eq!(p.events(), [SipEvent::Answered { invite: id, sdp: Some(b"v=0\r\n".to_vec()) }]);
    // The first one too: ACK and BYE, whose number follows that of its PRACKs.
    let sent = p.respond(&invite, "200 OK", "f1", "Contact: <sip:f11@192.0.2.11:5060>");
    assert_eq!(lines(&sent), ["ACK sip:f11@192.0.2.11:5060 SIP/2.0", "BYE sip:f11@192.0.2.11:5060 SIP/2.0"]);
    assert_eq!(sent[1].field("CSeq"), "4 BYE");
    p.ua.end(p.now, id);
    let bye = p.sent().pop().unwrap();
    assert_eq!((bye.field("CSeq"), bye.tag_of("To")), ("3 BYE", "f2".into()));
    assert_eq!(p.ua.counts().forks_ended, 1);
}

#[test]
fn a_plain_provisional_makes_no_prack() {
    let mut p = Peer::new(|_| ());
    let (_, invite) = called(&mut p, Some("v=0\r\n"));
    assert!(p.respond(&invite, "180 Ringing", "f1", "Contact: <sip:f1@192.0.2.11>").is_empty());
    assert!(p.respond(&invite, "180 Ringing", "f1", "RSeq: 5\nContact: <sip:f1@192.0.2.11>").is_empty());
    assert!(p.respond(&invite, "183 Session Progress", "f1", "Require: 100rel").is_empty());
}

#[test]
fn offers_of_ringing_phones_are_answered_each_in_its_own_prack() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, None);
    assert!(p.respond(&invite, "183 Session Progress", "f1", &early(11, 1, true)).is_empty());
    assert!(p.respond(&invite, "183 Session Progress", "f2", &early(12, 1, true)).is_empty());
    let forks: Vec<_> = p
        .events()
        .into_iter()
        .filter_map(|e| match e {
            SipEvent::EarlyOffer { fork, offer, .. } => Some((fork, offer)),
            _ => None,
        })
        .collect();
    assert_eq!(forks.len(), 2);
    p.ua.answer_early(p.now, id, forks[1].0, b"v=ours\r\n".to_vec());
    let prack = p.sent().pop().unwrap();
    assert_eq!((prack.first_line(), body(&prack)), ("PRACK sip:f12@192.0.2.12:5060 SIP/2.0", "v=ours\r\n"));
    p.ua.answer_early(p.now, id, forks[1].0, b"v=again\r\n".to_vec());
    assert!(p.sent().is_empty(), "an answer is given once");
    p.respond(&prack, "200 OK", "f2", "");
    let sent = p.respond(&invite, "200 OK", "f2", "Contact: <sip:f12@192.0.2.12:5060>");
    assert_eq!((lines(&sent), body(&sent[0])), (vec!["ACK sip:f12@192.0.2.12:5060 SIP/2.0"], ""));
    assert_eq!(p.events(), [SipEvent::Answered { invite: id, sdp: None }]);
    assert_eq!(p.ua.describe(id), Some("confirmed"));
}

#[test]
fn a_prack_that_is_asked_for_credentials_is_sent_once_more() {
    let mut p = Peer::new(|_| ());
    let credentials = Some(Credentials { user: "t".into(), password: "p".into(), realm: None });
    p.ua.invite(p.now, OutgoingInvite { credentials, ..outgoing(Some("v=0\r\n")) });
    let invite = p.sent().pop().unwrap();
    let prack = p.respond(&invite, "180 Ringing", "f1", &early(11, 1, false)).pop().unwrap();
    let challenge = "Proxy-Authenticate: Digest realm=\"trunk\", nonce=\"n1\", qop=\"auth\"";
    let again = p.respond(&prack, "407 Proxy Authentication Required", "f1", challenge).pop().unwrap();
    assert_eq!((again.field("CSeq"), again.field("RAck")), ("3 PRACK", "1 1 INVITE"));
    assert!(again.field("Proxy-Authorization").contains("nc=00000001"));
    // The next one follows it.
    let next = p.respond(&invite, "180 Ringing", "f1", &early(11, 2, false)).pop().unwrap();
    assert_eq!(next.field("CSeq"), "4 PRACK");
}

#[test]
fn one_cancel_ends_all_forks_and_nothing_is_left_of_their_dialogs() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, Some("v=0\r\n"));
    for (tag, who) in [("f1", 11), ("f2", 12)] {
        let prack = p.respond(&invite, "183 Session Progress", tag, &early(who, 1, true)).pop().unwrap();
        p.respond(&prack, "200 OK", tag, "");
    }
    p.ua.end(p.now, id);
    let cancel = p.sent();
    assert_eq!(lines(&cancel), ["CANCEL sip:bob@192.0.2.9:5060 SIP/2.0"]);
    p.respond(&cancel[0], "200 OK", "t", "");
    // A late reliable response is still acknowledged, so that its sender need not repeat it.
    let late = p.respond(&invite, "180 Ringing", "f1", &early(11, 2, false));
    assert_eq!(late[0].field("RAck"), "2 1 INVITE");
    p.respond(&late[0], "481 Gone", "f1", "");
    p.respond(&invite, "487 Request Terminated", "t", "");
    p.pass(Duration::from_secs(70));
    let held = p.ua.held();
    assert_eq!((held.invites, held.transactions, held.owners, held.timers), (0, 0, 0, 0));
    let ended = p.events().iter().filter(|e| matches!(e, SipEvent::Ended { .. })).count();
    assert_eq!(ended, 1);
}

#[test]
fn a_phone_that_answers_after_the_cancel_is_thanked_and_hung_up() {
    let mut p = Peer::new(|_| ());
    let (id, invite) = called(&mut p, Some("v=0\r\n"));
    let prack = p.respond(&invite, "183 Session Progress", "f1", &early(11, 1, true)).pop().unwrap();
    p.respond(&prack, "200 OK", "f1", "");
    p.ua.end(p.now, id);
    p.sent();
    let sent = p.respond(&invite, "200 OK", "f1", "Contact: <sip:f11@192.0.2.11:5060>");
    assert_eq!(lines(&sent), ["ACK sip:f11@192.0.2.11:5060 SIP/2.0", "BYE sip:f11@192.0.2.11:5060 SIP/2.0"]);
    assert_eq!(sent[1].field("CSeq"), "3 BYE");
}

#[test]
fn more_forks_than_anyone_has_are_not_listened_to() {
    let mut p = Peer::new(|_| ());
    let (_, invite) = called(&mut p, Some("v=0\r\n"));
    for n in 0..8 {
        assert_eq!(p.respond(&invite, "180 Ringing", &format!("f{n}"), &early(11, 1, false)).len(), 1);
    }
    assert!(p.respond(&invite, "180 Ringing", "f8", &early(11, 1, false)).is_empty());
    assert_eq!(p.ua.counts().strays, 1);
    // Ringing it is all the same.
    assert!(p.events().iter().any(|e| matches!(e, SipEvent::Progress { status: Status::RINGING, .. })));
}
