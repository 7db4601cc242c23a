//! The flows of RFC 3665 and ours, as ladders: two or three user agents over a simulated network.
use std::time::Duration;

use hotline::base::Key;
use hotline::sip::{
    ConnId, Destination, DigestAlgorithm, EndReason, Identity, Registration, SipEvent, Status,
};

use crate::support::sip_world::{TCP, UDP, Weather, World, account, credentials};

const ALICE: usize = 0;
const BOB: usize = 1;

#[test]
fn a_call_is_rung_answered_and_ended() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.call();
    w.with(BOB, |ua, now| ua.ring(now, incoming));
    let ringing = w.expect(ALICE, |e| match e {
        SipEvent::Progress { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(ringing, Status::RINGING);
    w.answer(BOB, incoming, "answer");
    assert_eq!(w.expect_answered(ALICE), Some(b"answer".to_vec()));
    w.run_for(Duration::from_secs(1));
    w.end(ALICE, out);
    assert_eq!((w.expect_ended(ALICE), w.expect_ended(BOB)), (EndReason::EndedByUs, EndReason::ByeReceived));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │────── INVITE 1 (SDP) ──────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.010  │◀─── 180 Ringing INVITE 1 ───│
    0.020  │◀── 200 OK INVITE 1 (SDP) ───│
    0.030  │────────── ACK 1 ───────────▶│
    1.030  │────────── BYE 2 ───────────▶│
    1.040  │◀─────── 200 OK BYE 2 ───────│
    ");
}

#[test]
fn early_media_comes_before_the_answer() {
    let mut w = World::two(1, Weather::FINE);
    let (_, incoming) = w.call();
    w.early_sound(BOB, incoming);
    let early = w.expect(ALICE, |e| match e {
        SipEvent::Progress { status, sdp, .. } => Some((*status, sdp.clone())),
        _ => None,
    });
    assert_eq!(early, (Status::SESSION_PROGRESS, Some(b"early".to_vec())));
}

#[test]
fn a_caller_who_gives_up_cancels() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.call();
    w.with(BOB, |ua, now| ua.ring(now, incoming));
    w.run_for(Duration::from_secs(2));
    w.end(ALICE, out);
    assert_eq!((w.expect_ended(ALICE), w.expect_ended(BOB)), (EndReason::EndedByUs, EndReason::Cancelled));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                    bob
    0.000  │─────────── INVITE 1 (SDP) ───────────▶│
    0.010  │◀──────── 100 Trying INVITE 1 ─────────│
    0.010  │◀──────── 180 Ringing INVITE 1 ────────│
    2.010  │────────────── CANCEL 1 ──────────────▶│
    2.020  │◀────────── 200 OK CANCEL 1 ───────────│
    2.020  │◀── 487 Request Terminated INVITE 1 ───│
    2.030  │─────────────── ACK 1 ────────────────▶│
    ");
}

#[test]
fn a_cancel_waits_until_anything_was_heard() {
    let mut w = World::two(1, Weather::FINE);
    let out = w.invite(ALICE, BOB);
    w.end(ALICE, out);
    assert_eq!((w.expect_ended(ALICE), w.expect_ended(BOB)), (EndReason::EndedByUs, EndReason::Cancelled));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                    bob
    0.000  │─────────── INVITE 1 (SDP) ───────────▶│
    0.010  │◀──────── 100 Trying INVITE 1 ─────────│
    0.020  │────────────── CANCEL 1 ──────────────▶│
    0.030  │◀────────── 200 OK CANCEL 1 ───────────│
    0.030  │◀── 487 Request Terminated INVITE 1 ───│
    0.040  │─────────────── ACK 1 ────────────────▶│
    ");
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.call();
    w.run_for(Duration::from_millis(500));
    w.answer(BOB, incoming, "answer");
    w.end(ALICE, out);
    assert_eq!((w.expect_ended(ALICE), w.expect_ended(BOB)), (EndReason::EndedByUs, EndReason::ByeReceived));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │────── INVITE 1 (SDP) ──────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.510  │◀── 200 OK INVITE 1 (SDP) ───│
    0.510  │───────── CANCEL 1 ─────────▶│
    0.520  │────────── ACK 1 ───────────▶│
    0.520  │────────── BYE 2 ───────────▶│
    0.520  │◀───── 200 OK CANCEL 1 ──────│
    0.530  │◀─────── 200 OK BYE 2 ───────│
    ");
}

#[test]
fn a_busy_phone_is_a_failure() {
    let mut w = World::two(1, Weather::FINE);
    let (_, incoming) = w.call();
    w.with(BOB, |ua, now| ua.reject(now, incoming, Status::BUSY_HERE, Some(30)));
    let status = w.expect_failed(ALICE);
    assert_eq!(status, Status::BUSY_HERE);
    assert_eq!((w.expect_ended(ALICE), w.expect_ended(BOB)), (EndReason::Refused, EndReason::Rejected));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                           bob
    0.000  │────── INVITE 1 (SDP) ───────▶│
    0.010  │◀──── 100 Trying INVITE 1 ────│
    0.010  │◀── 486 Busy Here INVITE 1 ───│
    0.020  │─────────── ACK 1 ───────────▶│
    ");
}

#[test]
fn nobody_there_is_a_time_out() {
    let mut w = World::two(1, Weather::FINE);
    w.drop_next.push(("INVITE", 100));
    w.invite(ALICE, BOB);
    let status = w.expect_failed(ALICE);
    assert_eq!((status, w.expect_ended(ALICE)), (Status::REQUEST_TIMEOUT, EndReason::RequestTimeout));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
          alice                   bob
     0.000  │── INVITE 1 (SDP) ───✗│
     0.500  │── INVITE 1 (SDP) ───✗│
     1.500  │── INVITE 1 (SDP) ───✗│
     3.500  │── INVITE 1 (SDP) ───✗│
     7.500  │── INVITE 1 (SDP) ───✗│
    15.500  │── INVITE 1 (SDP) ───✗│
    31.500  │── INVITE 1 (SDP) ───✗│
    ");
}

#[test]
fn a_missing_ack_ends_the_call_with_bye() {
    let mut w = World::two(1, Weather::FINE);
    w.drop_next.push(("ACK", 100));
    let (_, incoming) = w.call();
    w.answer(BOB, incoming, "answer");
    assert_eq!((w.expect_ended(BOB), w.expect_ended(ALICE)), (EndReason::AckTimeout, EndReason::ByeReceived));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
          alice                          bob
     0.000  │────── INVITE 1 (SDP) ──────▶│
     0.010  │◀─── 100 Trying INVITE 1 ────│
     0.010  │◀── 200 OK INVITE 1 (SDP) ───│
     0.020  │────────── ACK 1 ───────────✗│
     0.510  │◀── 200 OK INVITE 1 (SDP) ───│
     0.520  │────────── ACK 1 ───────────✗│
     1.510  │◀── 200 OK INVITE 1 (SDP) ───│
     1.520  │────────── ACK 1 ───────────✗│
     3.510  │◀── 200 OK INVITE 1 (SDP) ───│
     3.520  │────────── ACK 1 ───────────✗│
     7.510  │◀── 200 OK INVITE 1 (SDP) ───│
     7.520  │────────── ACK 1 ───────────✗│
    11.510  │◀── 200 OK INVITE 1 (SDP) ───│
    11.520  │────────── ACK 1 ───────────✗│
    15.510  │◀── 200 OK INVITE 1 (SDP) ───│
    15.520  │────────── ACK 1 ───────────✗│
    19.510  │◀── 200 OK INVITE 1 (SDP) ───│
    19.520  │────────── ACK 1 ───────────✗│
    23.510  │◀── 200 OK INVITE 1 (SDP) ───│
    23.520  │────────── ACK 1 ───────────✗│
    27.510  │◀── 200 OK INVITE 1 (SDP) ───│
    27.520  │────────── ACK 1 ───────────✗│
    31.510  │◀── 200 OK INVITE 1 (SDP) ───│
    31.520  │────────── ACK 1 ───────────✗│
    32.010  │◀────────── BYE 1 ───────────│
    32.020  │─────── 200 OK BYE 1 ───────▶│
    ");
}

#[test]
fn a_lost_answer_is_sent_again() {
    let mut w = World::two(1, Weather::FINE);
    w.drop_next.push(("SIP/2.0 200", 2));
    w.drop_next.push(("ACK", 1));
    let (out, _) = w.talk();
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │────── INVITE 1 (SDP) ──────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.010  │✗── 200 OK INVITE 1 (SDP) ───│
    0.510  │✗── 200 OK INVITE 1 (SDP) ───│
    1.510  │◀── 200 OK INVITE 1 (SDP) ───│
    1.520  │────────── ACK 1 ───────────✗│
    3.510  │◀── 200 OK INVITE 1 (SDP) ───│
    3.520  │────────── ACK 1 ───────────▶│
    3.530  │────────── BYE 2 ───────────▶│
    3.540  │◀─────── 200 OK BYE 2 ───────│
    ");
}

#[test]
fn leaving_before_the_ack_waits_for_it() {
    let mut w = World::two(1, Weather::FINE);
    let (_, incoming) = w.call();
    w.with(BOB, |ua, now| {
        ua.answer(now, incoming, b"answer".to_vec());
        ua.end(now, incoming);
    });
    assert_eq!((w.expect_ended(BOB), w.expect_ended(ALICE)), (EndReason::EndedByUs, EndReason::ByeReceived));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │────── INVITE 1 (SDP) ──────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.010  │◀── 200 OK INVITE 1 (SDP) ───│
    0.020  │────────── ACK 1 ───────────▶│
    0.030  │◀────────── BYE 1 ───────────│
    0.040  │─────── 200 OK BYE 1 ───────▶│
    ");
}

#[test]
fn an_offer_may_come_late_on_either_side() {
    let mut w = World::two(1, Weather::FINE);
    let wanted = hotline::sip::OutgoingInvite { offer: None, ..w.outgoing(ALICE, BOB) };
    let out = w.invite_as(ALICE, wanted);
    let incoming = w.expect_incoming(BOB);
    w.answer(BOB, incoming, "offer in 200");
    assert_eq!(w.expect_answered(ALICE), Some(b"offer in 200".to_vec()));
    w.run_for(Duration::from_secs(1));
    w.with(ALICE, |ua, now| ua.ack_with(now, out, b"answer in ACK".to_vec()));
    let sdp = w.expect(BOB, |e| match e {
        SipEvent::Acknowledged { sdp, .. } => Some(sdp.clone()),
        _ => None,
    });
    assert_eq!(sdp, Some(b"answer in ACK".to_vec()));
    w.end(BOB, incoming);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │───────── INVITE 1 ─────────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.010  │◀── 200 OK INVITE 1 (SDP) ───│
    0.510  │◀── 200 OK INVITE 1 (SDP) ───│
    1.020  │─────── ACK 1 (SDP) ────────▶│
    1.030  │◀────────── BYE 1 ───────────│
    1.040  │─────── 200 OK BYE 1 ───────▶│
    ");
}

#[test]
fn an_agent_proves_who_he_is_and_calls() {
    let mut w = World::new(1, Weather::FINE);
    w.add("alice", |s| s);
    w.add("bob", |mut s| {
        s.accounts.extend([account("alice", "secret")]);
        s.digest = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
        s
    });
    let mut wanted = w.outgoing(ALICE, BOB);
    wanted.credentials = Some(credentials("alice", "secret"));
    let out = w.invite_as(ALICE, wanted);
    let first = w.expect(BOB, |e| match e {
        SipEvent::Incoming(incoming) => Some(incoming.clone()),
        _ => None,
    });
    assert!(first.claims_account && first.authenticated.is_none());
    w.with(BOB, |ua, now| ua.challenge(now, first.invite));
    assert_eq!(w.expect_ended(BOB), EndReason::Challenged);
    let second = w.expect(BOB, |e| match e {
        SipEvent::Incoming(incoming) => Some(incoming.clone()),
        _ => None,
    });
    assert_eq!(second.authenticated.as_deref(), Some("alice"));
    w.answer(BOB, second.invite, "answer");
    w.expect_answered(ALICE);
    let sent = w.parties[ALICE].traces.iter().filter(|t| t.sent).map(|t| String::from_utf8_lossy(&t.bytes));
    let credentials: Vec<_> = sent.filter(|t| t.contains("Authorization:")).collect();
    assert!(
        !credentials.is_empty() && credentials.iter().all(|t| !t.contains("username")),
        "{credentials:?}"
    );
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                              bob
    0.000  │──────── INVITE 1 (SDP) ────────▶│
    0.010  │◀───── 100 Trying INVITE 1 ──────│
    0.010  │◀── 401 Unauthorized INVITE 1 ───│
    0.020  │──────────── ACK 1 ─────────────▶│
    0.020  │──────── INVITE 2 (SDP) ────────▶│
    0.030  │◀───── 100 Trying INVITE 2 ──────│
    0.030  │◀──── 200 OK INVITE 2 (SDP) ─────│
    0.040  │──────────── ACK 2 ─────────────▶│
    0.040  │──────────── BYE 3 ─────────────▶│
    0.050  │◀───────── 200 OK BYE 3 ─────────│
    ");
}

#[test]
fn a_wrong_password_is_told_once() {
    let mut w = World::new(1, Weather::FINE);
    w.add("alice", |s| s);
    w.add("bob", |mut s| {
        s.accounts.extend([account("alice", "secret")]);
        s
    });
    let mut wanted = w.outgoing(ALICE, BOB);
    wanted.credentials = Some(credentials("alice", "guess"));
    w.invite_as(ALICE, wanted);
    let incoming = w.expect_incoming(BOB);
    w.with(BOB, |ua, now| ua.challenge(now, incoming));
    let status = w.expect_failed(ALICE);
    assert_eq!((status, w.ua(BOB).counts().digests_refused), (Status::UNAUTHORIZED, 1));
    w.assert_nothing_leaks();
}

#[test]
fn hold_is_a_reoffer_in_either_direction() {
    let mut w = World::two(1, Weather::FINE);
    w.hides_update = true;
    let (out, incoming) = w.talk();
    for (one, other, mine, theirs) in [(ALICE, BOB, out, incoming), (BOB, ALICE, incoming, out)] {
        w.run_for(Duration::from_secs(1));
        w.reoffer(one, mine, "sendonly");
        let offer = w.expect_reoffer(other);
        assert_eq!(offer, Some(b"sendonly".to_vec()));
        w.answer_reoffer(other, theirs, "recvonly");
        let answer = w.expect_reoffer_answered(one);
        assert_eq!(answer, Some(b"recvonly".to_vec()));
    }
    w.end(BOB, incoming);
    assert_eq!(w.expect_ended(ALICE), EndReason::ByeReceived);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                          bob
    0.000  │────── INVITE 1 (SDP) ──────▶│
    0.010  │◀─── 100 Trying INVITE 1 ────│
    0.010  │◀── 200 OK INVITE 1 (SDP) ───│
    0.020  │────────── ACK 1 ───────────▶│
    1.030  │────── INVITE 2 (SDP) ──────▶│
    1.040  │◀─── 100 Trying INVITE 2 ────│
    1.040  │◀── 200 OK INVITE 2 (SDP) ───│
    1.050  │────────── ACK 2 ───────────▶│
    2.050  │◀────── INVITE 1 (SDP) ──────│
    2.060  │─── 100 Trying INVITE 1 ────▶│
    2.060  │── 200 OK INVITE 1 (SDP) ───▶│
    2.070  │◀────────── ACK 1 ───────────│
    2.070  │◀────────── BYE 2 ───────────│
    2.080  │─────── 200 OK BYE 2 ───────▶│
    ");
}

#[test]
fn a_glare_is_settled_by_waiting() {
    let mut w = World::two(1, Weather::FINE);
    w.hides_update = true;
    let (out, incoming) = w.talk();
    w.run_for(Duration::from_secs(1));
    w.reoffer(ALICE, out, "of alice");
    w.reoffer(BOB, incoming, "of bob");
    let sides = [(ALICE, out, BOB, "of bob"), (BOB, incoming, ALICE, "of alice")];
    for (party, id, other, from) in sides {
        let offer = w.expect_reoffer(party);
        assert_eq!(offer, Some(from.as_bytes().to_vec()));
        w.answer_reoffer(party, id, "yes");
        w.expect_reoffer_answered(other);
    }
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                 bob
    0.000  │───────── INVITE 1 (SDP) ──────────▶│
    0.010  │◀─────── 100 Trying INVITE 1 ───────│
    0.010  │◀────── 200 OK INVITE 1 (SDP) ──────│
    0.020  │────────────── ACK 1 ──────────────▶│
    1.030  │───────── INVITE 2 (SDP) ──────────▶│
    1.030  │◀───────── INVITE 1 (SDP) ──────────│
    1.040  │◀─────── 100 Trying INVITE 2 ───────│
    1.040  │◀── 491 Request Pending INVITE 2 ───│
    1.040  │─────── 100 Trying INVITE 1 ───────▶│
    1.040  │── 491 Request Pending INVITE 1 ───▶│
    1.050  │────────────── ACK 2 ──────────────▶│
    1.050  │◀────────────── ACK 1 ──────────────│
    2.870  │◀───────── INVITE 2 (SDP) ──────────│
    2.880  │─────── 100 Trying INVITE 2 ───────▶│
    2.880  │────── 200 OK INVITE 2 (SDP) ──────▶│
    2.890  │◀────────────── ACK 2 ──────────────│
    2.900  │───────── INVITE 3 (SDP) ──────────▶│
    2.910  │◀─────── 100 Trying INVITE 3 ───────│
    2.910  │◀────── 200 OK INVITE 3 (SDP) ──────│
    2.920  │────────────── ACK 3 ──────────────▶│
    2.920  │────────────── BYE 4 ──────────────▶│
    2.930  │◀────────── 200 OK BYE 4 ───────────│
    ");
}

#[test]
fn a_refused_reoffer_leaves_the_call_as_it_was() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.talk();
    w.reoffer(ALICE, out, "odd");
    w.expect_reoffer(BOB);
    w.with(BOB, |ua, now| ua.refuse_reoffer(now, incoming, Status::NOT_ACCEPTABLE_HERE));
    let status = w.expect(ALICE, |e| match e {
        SipEvent::ReofferRefused { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status, Status::NOT_ACCEPTABLE_HERE);
    w.with(ALICE, |ua, now| ua.press(now, out, Key::STAR, 160));
    let key = w.expect(BOB, |e| match e {
        SipEvent::Key { key, duration_ms, .. } => Some((*key, *duration_ms)),
        _ => None,
    });
    assert_eq!(key, (Key::STAR, 160));
    w.end(ALICE, out);
    w.assert_nothing_leaks();
}

#[test]
fn a_reoffer_to_a_peer_that_forgot_the_call_ends_it() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.talk();
    // Bob's BYE never comes to Alice.
    w.drop_next.push(("BYE", 100));
    w.end(BOB, incoming);
    w.run_for(Duration::from_secs(90));
    w.drop_next.clear();
    w.reoffer(ALICE, out, "hold");
    assert_eq!(w.expect_ended(ALICE), EndReason::RequestTimeout);
    w.assert_nothing_leaks();
}

fn registration(w: &World, from: usize, to: usize, over_tcp: bool) -> Registration {
    let at = w.parties[to].at;
    Registration {
        registrar_uri: format!("sip:{at}"),
        to: if over_tcp {
            Destination::Connect { listener: TCP, to: at }
        } else {
            Destination::Datagram { listener: UDP, to: at }
        },
        identity: Identity { user: w.parties[from].name.to_owned(), ..Identity::default() },
        contact_user: None,
        credentials: Some(credentials(w.parties[from].name, "secret")),
        expires: Duration::from_mins(2),
    }
}

fn registrar_world() -> World {
    let mut w = World::new(1, Weather::FINE);
    w.add("alice", |s| s);
    w.add("bob", |mut s| {
        s.accounts.extend([account("alice", "secret")]);
        s.digest = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
        s
    });
    w
}

#[test]
fn a_phone_registers_refreshes_and_leaves() {
    let mut w = registrar_world();
    let wanted = registration(&w, ALICE, BOB, false);
    let id = w.with(ALICE, |ua, now| ua.register(now, wanted));
    let contact = w.expect(BOB, |e| match e {
        SipEvent::Registered { contact, .. } => Some(contact.clone()),
        _ => None,
    });
    assert_eq!(contact, "sip:alice@192.0.2.1:5060");
    w.expect(ALICE, |e| matches!(e, SipEvent::RegistrationChanged { registered: true, .. }).then_some(()));
    w.run_for(Duration::from_secs(200));
    let binding = w.ua(BOB).contact("alice").unwrap();
    assert_eq!(binding.to, Destination::Datagram { listener: UDP, to: w.parties[ALICE].at });
    w.with(ALICE, |ua, now| ua.unregister(now, id));
    w.expect(BOB, |e| matches!(e, SipEvent::Unregistered { .. }).then_some(()));
    w.expect(ALICE, |e| matches!(e, SipEvent::RegistrationChanged { registered: false, .. }).then_some(()));
    assert_eq!(w.ua(BOB).contact("alice"), None);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
           alice                                bob
      0.000  │─────────── REGISTER 1 ───────────▶│
      0.010  │◀── 401 Unauthorized REGISTER 1 ───│
      0.020  │─────────── REGISTER 2 ───────────▶│
      0.030  │◀─────── 200 OK REGISTER 2 ────────│
     96.040  │─────────── REGISTER 3 ───────────▶│
     96.050  │◀─────── 200 OK REGISTER 3 ────────│
    192.060  │─────────── REGISTER 4 ───────────▶│
    192.070  │◀─────── 200 OK REGISTER 4 ────────│
    200.040  │─────────── REGISTER 5 ───────────▶│
    200.050  │◀─────── 200 OK REGISTER 5 ────────│
    ");
}

#[test]
fn a_registration_that_is_not_refreshed_expires() {
    let mut w = registrar_world();
    let wanted = registration(&w, ALICE, BOB, false);
    w.with(ALICE, |ua, now| ua.register(now, wanted));
    w.expect(BOB, |e| matches!(e, SipEvent::Registered { .. }).then_some(()));
    w.drop_next.push(("REGISTER", 1_000));
    w.run_for(Duration::from_secs(119));
    assert!(w.ua(BOB).contact("alice").is_some());
    w.run_for(Duration::from_secs(3));
    w.expect(BOB, |e| matches!(e, SipEvent::Unregistered { .. }).then_some(()));
}

#[test]
fn a_registration_asked_too_brief_is_lengthened_and_a_wrong_password_is_tried_ever_more_slowly() {
    let mut w = registrar_world();
    let brief = Registration { expires: Duration::from_secs(20), ..registration(&w, ALICE, BOB, false) };
    w.with(ALICE, |ua, now| ua.register(now, brief));
    w.expect(ALICE, |e| matches!(e, SipEvent::RegistrationChanged { registered: true, .. }).then_some(()));
    assert!(w.ua(BOB).contact("alice").is_some());

    let mut w = registrar_world();
    let mut wrong = registration(&w, ALICE, BOB, false);
    wrong.credentials = Some(credentials("alice", "guess"));
    w.with(ALICE, |ua, now| ua.register(now, wrong));
    let told = w.expect(ALICE, |e| match e {
        SipEvent::RegistrationChanged { registered, status, .. } => Some((*registered, *status)),
        _ => None,
    });
    assert_eq!(told, (false, Some(Status::UNAUTHORIZED)));
    w.run_for(Duration::from_hours(1));
    let tries = w.ua(BOB).counts().digests_refused;
    assert!((3..10).contains(&tries), "{tries} tries in an hour");
}

#[test]
fn what_is_no_sip_and_one_connection_too_many_are_closed() {
    let mut w = World::new(1, Weather::FINE);
    let bob = w.add("bob", |mut s| {
        s.limits.connections = 1;
        s
    });
    let peer = "192.0.2.9:4000".parse().unwrap();
    w.with(bob, |ua, now| {
        ua.stream_opened(now, ConnId(1), TCP, peer);
        ua.stream_opened(now, ConnId(2), TCP, peer);
        assert_eq!((ua.poll_close(), ua.poll_close()), (Some(ConnId(2)), None));
        ua.handle_stream(now, ConnId(1), b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!((ua.poll_close(), ua.counts().connections_refused), (Some(ConnId(1)), 1));
    });
}

#[test]
fn a_phone_on_tcp_is_rung_over_its_own_connection_and_after_its_loss_over_a_new_one() {
    let mut w = registrar_world();
    let wanted = registration(&w, ALICE, BOB, true);
    w.with(ALICE, |ua, now| ua.register(now, wanted));
    w.expect(BOB, |e| matches!(e, SipEvent::Registered { .. }).then_some(()));
    for cut in [false, true] {
        if cut {
            w.cut_streams(ALICE);
            w.run_for(Duration::from_millis(1));
        }
        let binding = w.ua(BOB).contact("alice").unwrap();
        assert_eq!(matches!(binding.to, Destination::Stream { .. }), !cut, "{binding:?}");
        let mut wanted = w.outgoing(BOB, ALICE);
        (wanted.request_uri, wanted.to) = (binding.uri, binding.to);
        let out = w.invite_as(BOB, wanted);
        let incoming = w.expect_incoming(ALICE);
        w.answer(ALICE, incoming, "answer");
        w.expect_answered(BOB);
        w.end(BOB, out);
        assert_eq!(w.expect_ended(ALICE), EndReason::ByeReceived);
    }
}

#[test]
fn bindings_survive_a_restart() {
    let mut w = registrar_world();
    let wanted = registration(&w, ALICE, BOB, true);
    w.with(ALICE, |ua, now| ua.register(now, wanted));
    w.expect(BOB, |e| matches!(e, SipEvent::Registered { .. }).then_some(()));
    let now = w.now;
    let stored = w.ua(BOB).export_bindings(now);
    assert_eq!(stored.len(), 1);
    let again = w.add("bob again", |mut s| {
        s.accounts.extend([account("alice", "secret")]);
        s
    });
    w.with(again, |ua, now| ua.import_bindings(now, stored));
    w.expect(again, |e| matches!(e, SipEvent::Registered { .. }).then_some(()));
    let to = w.ua(again).contact("alice").unwrap().to;
    assert_eq!(to, Destination::Connect { listener: TCP, to: w.parties[ALICE].at });
}

#[test]
fn options_are_answered_and_asked() {
    let mut w = World::two(1, Weather::FINE);
    let to = Destination::Datagram { listener: UDP, to: w.parties[BOB].at };
    w.with(ALICE, |ua, now| ua.options(now, "sip:192.0.2.2", to));
    let status = w.expect(ALICE, |e| match e {
        SipEvent::OptionsAnswered { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status, Some(Status::OK));
    w.drop_next.push(("OPTIONS", 100));
    w.with(ALICE, |ua, now| ua.options(now, "sip:192.0.2.2", to));
    let status = w.expect(ALICE, |e| match e {
        SipEvent::OptionsAnswered { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status, None);
    w.assert_nothing_leaks();
}
