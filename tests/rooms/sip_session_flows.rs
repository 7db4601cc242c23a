//! PRACK, UPDATE, session timers and large requests between two user agents, as ladders.
use std::time::Duration;

use hotline::sip::{EndReason, OutgoingInvite, SessionSettings, SipEvent, UserAgentSettings};

use crate::support::sip_world::{Weather, World};

const ALICE: usize = 0;
const BOB: usize = 1;

fn short_sessions(settings: UserAgentSettings) -> UserAgentSettings {
    let session = SessionSettings { interval: Duration::from_secs(90), least: Duration::from_secs(90) };
    UserAgentSettings { session, ..settings }
}

fn short_lived() -> World {
    let mut w = World::new(1, Weather::FINE);
    w.add("alice", short_sessions);
    w.add("bob", short_sessions);
    w
}

#[test]
fn early_media_is_acknowledged_before_the_answer() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.call();
    w.early_sound(BOB, incoming);
    w.answer(BOB, incoming, "early");
    assert_eq!(w.expect_answered(ALICE), Some(b"early".to_vec()));
    w.end(ALICE, out);
    assert_eq!(w.expect_ended(BOB), EndReason::ByeReceived);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                        bob
    0.000  │───────────── INVITE 1 (SDP) ─────────────▶│
    0.010  │◀────────── 100 Trying INVITE 1 ───────────│
    0.010  │◀── 183 Session Progress INVITE 1 (SDP) ───│
    0.020  │──────────────── PRACK 2 ─────────────────▶│
    0.030  │◀───────────── 200 OK PRACK 2 ─────────────│
    0.030  │◀──────────── 200 OK INVITE 1 ─────────────│
    0.040  │───────────────── ACK 1 ──────────────────▶│
    0.040  │───────────────── BYE 3 ──────────────────▶│
    0.050  │◀────────────── 200 OK BYE 3 ──────────────│
    ");
}

#[test]
fn lost_early_media_and_a_lost_prack_are_sent_again() {
    let mut w = World::two(1, Weather::FINE);
    w.drop_next.push(("SIP/2.0 183", 2));
    w.drop_next.push(("PRACK", 1));
    let (_, incoming) = w.call();
    w.early_sound(BOB, incoming);
    w.run_for(Duration::from_secs(5));
    w.with(BOB, |ua, now| ua.reject(now, incoming, hotline::sip::Status::BUSY_HERE, None));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                        bob
    0.000  │───────────── INVITE 1 (SDP) ─────────────▶│
    0.010  │◀────────── 100 Trying INVITE 1 ───────────│
    0.010  │✗── 183 Session Progress INVITE 1 (SDP) ───│
    0.510  │✗── 183 Session Progress INVITE 1 (SDP) ───│
    1.510  │◀── 183 Session Progress INVITE 1 (SDP) ───│
    1.520  │──────────────── PRACK 2 ─────────────────✗│
    2.020  │──────────────── PRACK 2 ─────────────────▶│
    2.030  │◀───────────── 200 OK PRACK 2 ─────────────│
    5.010  │◀───────── 486 Busy Here INVITE 1 ─────────│
    5.020  │───────────────── ACK 1 ──────────────────▶│
    ");
}

#[test]
fn a_phone_that_rings_is_asked_to_change_by_update() {
    let mut w = World::two(1, Weather::FINE);
    let (out, incoming) = w.call();
    w.early_sound(BOB, incoming);
    w.run_for(Duration::from_secs(1));
    w.reoffer(ALICE, out, "other");
    w.expect_reoffer(BOB);
    w.answer_reoffer(BOB, incoming, "yes");
    w.expect_reoffer_answered(ALICE);
    w.reoffer(BOB, incoming, "mine");
    w.expect_reoffer(ALICE);
    w.answer_reoffer(ALICE, out, "fine");
    w.expect_reoffer_answered(BOB);
    w.with(BOB, |ua, now| ua.answer(now, incoming, Vec::new()));
    assert_eq!(w.expect_answered(ALICE), None, "what was agreed last holds");
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                        bob
    0.000  │───────────── INVITE 1 (SDP) ─────────────▶│
    0.010  │◀────────── 100 Trying INVITE 1 ───────────│
    0.010  │◀── 183 Session Progress INVITE 1 (SDP) ───│
    0.020  │──────────────── PRACK 2 ─────────────────▶│
    0.030  │◀───────────── 200 OK PRACK 2 ─────────────│
    1.010  │───────────── UPDATE 3 (SDP) ─────────────▶│
    1.020  │◀───────── 200 OK UPDATE 3 (SDP) ──────────│
    1.030  │◀───────────── UPDATE 1 (SDP) ─────────────│
    1.040  │───────── 200 OK UPDATE 1 (SDP) ──────────▶│
    1.050  │◀──────────── 200 OK INVITE 1 ─────────────│
    1.060  │───────────────── ACK 1 ──────────────────▶│
    1.060  │───────────────── BYE 4 ──────────────────▶│
    1.070  │◀────────────── 200 OK BYE 4 ──────────────│
    ");
}

#[test]
fn a_session_is_refreshed_by_update_at_half_the_time() {
    let mut w = short_lived();
    let (out, _) = w.talk();
    w.run_for(Duration::from_secs(100));
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
           alice                          bob
      0.000  │────── INVITE 1 (SDP) ──────▶│
      0.010  │◀─── 100 Trying INVITE 1 ────│
      0.010  │◀── 200 OK INVITE 1 (SDP) ───│
      0.020  │────────── ACK 1 ───────────▶│
     45.010  │◀───────── UPDATE 1 ─────────│
     45.020  │───── 200 OK UPDATE 1 ──────▶│
     90.030  │◀───────── UPDATE 2 ─────────│
     90.040  │───── 200 OK UPDATE 2 ──────▶│
    100.030  │────────── BYE 2 ───────────▶│
    100.040  │◀─────── 200 OK BYE 2 ───────│
    ");
}

#[test]
fn a_session_is_refreshed_by_reinvite_where_update_is_unknown() {
    let mut w = short_lived();
    w.hides_update = true;
    let (out, _) = w.talk();
    let offer = w.expect_reoffer(ALICE);
    assert_eq!(offer, Some(b"answer of bob".to_vec()), "what bob said last");
    w.answer_reoffer(ALICE, out, "offer of alice");
    w.run_for(Duration::from_secs(1));
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
          alice                          bob
     0.000  │────── INVITE 1 (SDP) ──────▶│
     0.010  │◀─── 100 Trying INVITE 1 ────│
     0.010  │◀── 200 OK INVITE 1 (SDP) ───│
     0.020  │────────── ACK 1 ───────────▶│
    45.010  │◀────── INVITE 1 (SDP) ──────│
    45.020  │─── 100 Trying INVITE 1 ────▶│
    45.020  │── 200 OK INVITE 1 (SDP) ───▶│
    45.030  │◀────────── ACK 1 ───────────│
    46.020  │────────── BYE 2 ───────────▶│
    46.030  │◀─────── 200 OK BYE 2 ───────│
    ");
}

#[test]
fn whoever_is_not_refreshed_says_bye_before_the_session_is_over() {
    let mut w = short_lived();
    w.talk();
    w.drop_next.push(("UPDATE", 100));
    assert_eq!(w.expect_ended(ALICE), EndReason::SessionExpired);
    assert_eq!(w.expect_ended(BOB), EndReason::ByeReceived);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
          alice                          bob
     0.000  │────── INVITE 1 (SDP) ──────▶│
     0.010  │◀─── 100 Trying INVITE 1 ────│
     0.010  │◀── 200 OK INVITE 1 (SDP) ───│
     0.020  │────────── ACK 1 ───────────▶│
    45.010  │✗───────── UPDATE 1 ─────────│
    45.510  │✗───────── UPDATE 1 ─────────│
    46.510  │✗───────── UPDATE 1 ─────────│
    48.510  │✗───────── UPDATE 1 ─────────│
    52.510  │✗───────── UPDATE 1 ─────────│
    56.510  │✗───────── UPDATE 1 ─────────│
    60.020  │────────── BYE 2 ───────────▶│
    60.030  │◀─────── 200 OK BYE 2 ───────│
    60.510  │✗───────── UPDATE 1 ─────────│
    64.510  │✗───────── UPDATE 1 ─────────│
    68.510  │✗───────── UPDATE 1 ─────────│
    72.510  │✗───────── UPDATE 1 ─────────│
    76.510  │✗───────── UPDATE 1 ─────────│
    ");
}

#[test]
fn a_longer_session_is_agreed_on_by_422() {
    let mut w = World::new(1, Weather::FINE);
    w.add("alice", short_sessions);
    w.add("bob", |s| {
        let session = SessionSettings { interval: Duration::from_mins(30), least: Duration::from_mins(5) };
        UserAgentSettings { session, ..s }
    });
    let (out, _) = w.talk();
    w.run_for(Duration::from_secs(151));
    w.end(ALICE, out);
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
           alice                                            bob
      0.000  │─────────────── INVITE 1 (SDP) ───────────────▶│
      0.010  │◀──────────── 100 Trying INVITE 1 ─────────────│
      0.010  │◀── 422 Session Interval Too Small INVITE 1 ───│
      0.020  │─────────────────── ACK 1 ────────────────────▶│
      0.020  │─────────────── INVITE 2 (SDP) ───────────────▶│
      0.030  │◀──────────── 100 Trying INVITE 2 ─────────────│
      0.030  │◀─────────── 200 OK INVITE 2 (SDP) ────────────│
      0.040  │─────────────────── ACK 2 ────────────────────▶│
    150.030  │◀────────────────── UPDATE 1 ──────────────────│
    150.040  │────────────── 200 OK UPDATE 1 ───────────────▶│
    151.050  │─────────────────── BYE 3 ────────────────────▶│
    151.060  │◀──────────────── 200 OK BYE 3 ────────────────│
    ");
}

/// An INVITE that fits into no datagram.
fn large(w: &World) -> OutgoingInvite {
    let extra_headers = vec![("Subject".to_owned(), "x".repeat(1_200))];
    OutgoingInvite { extra_headers, ..w.outgoing(ALICE, BOB) }
}

/// The Via of a message that `party` sent.
fn via_of(w: &World, party: usize, start: &str) -> String {
    let sent = w.parties[party].traces.iter().rev().find(|t| t.sent && t.bytes.starts_with(start.as_bytes()));
    let text = String::from_utf8(sent.unwrap().bytes.clone()).unwrap();
    text.lines().find(|l| l.starts_with("Via")).unwrap().to_owned()
}

#[test]
fn a_request_too_large_for_a_datagram_goes_over_a_connection() {
    let mut w = World::two(1, Weather { loss: 0, ..Weather::FINE });
    let wanted = large(&w);
    let out = w.invite_as(ALICE, wanted);
    let incoming = w.expect_incoming(BOB);
    assert!(via_of(&w, ALICE, "INVITE").starts_with("Via: SIP/2.0/TCP 192.0.2.1:5060;branch="));
    w.answer(BOB, incoming, "answer");
    w.expect_answered(ALICE);
    // What is small goes as before.
    assert!(via_of(&w, ALICE, "ACK").starts_with("Via: SIP/2.0/UDP"));
    w.end(ALICE, out);
    assert_eq!(w.expect_ended(BOB), EndReason::ByeReceived);
    let counts = w.ua(ALICE).counts();
    assert_eq!((counts.large_requests, counts.large_as_datagrams), (1, 0));
    w.assert_nothing_leaks();
}

#[test]
fn a_large_request_whose_connection_is_refused_goes_as_a_datagram() {
    let mut w = World::two(1, Weather::FINE);
    w.refuses_streams = true;
    w.drop_next.push(("INVITE", 1));
    let wanted = large(&w);
    let out = w.invite_as(ALICE, wanted);
    // The one datagram that is lost is sent again: it is an unreliable transport now.
    let incoming = w.expect_incoming(BOB);
    w.with(BOB, |ua, now| ua.ring(now, incoming));
    w.expect(ALICE, |e| matches!(e, SipEvent::Progress { .. }).then_some(()));
    w.end(ALICE, out);
    assert_eq!(w.expect_ended(BOB), EndReason::Cancelled);
    // The CANCEL is matched by the Via of the INVITE as it went.
    assert!(via_of(&w, ALICE, "CANCEL").starts_with("Via: SIP/2.0/UDP 192.0.2.1:5060;branch="));
    let counts = w.ua(ALICE).counts();
    assert_eq!((counts.large_requests, counts.large_as_datagrams), (1, 1));
    w.assert_nothing_leaks();
    insta::assert_snapshot!(w.ladder.draw(), @r"
         alice                                    bob
    0.000  │─────────── INVITE 1 (SDP) ───────────✗│
    0.500  │─────────── INVITE 1 (SDP) ───────────▶│
    0.510  │◀──────── 100 Trying INVITE 1 ─────────│
    0.510  │◀──────── 180 Ringing INVITE 1 ────────│
    0.520  │────────────── CANCEL 1 ──────────────▶│
    0.530  │◀────────── 200 OK CANCEL 1 ───────────│
    0.530  │◀── 487 Request Terminated INVITE 1 ───│
    0.540  │─────────────── ACK 1 ────────────────▶│
    ");
}
