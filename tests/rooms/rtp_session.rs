//! One party's RTP session: whom it listens to, what it counts, what it reports.
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Now, Rng, UtcTime};
use hotline::rtp::{
    DropCause, EventType, Header, Heard, Incoming, Outgoing, PayloadTypes, RTCP_BYTES, Relayed, Remote,
    RtpSession,
};

fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], port))
}

fn remote(host: u8) -> Remote {
    Remote {
        rtp: at(host, 4_000),
        rtcp: at(host, 4_001),
        host: None,
        acknowledged: true,
        rtcp_mux: false,
        sound_in: PayloadTypes::NONE.with(8),
        sound_out: 8,
        events_in: PayloadTypes::NONE.with(101),
        event_out: Some(EventType { payload_type: 101, clock_hz: 8_000 }),
        comfort_noise_in: None,
    }
}

fn session(host: u8) -> RtpSession {
    let now = Now { mono: Instant::ZERO, utc: UtcTime::from_secs(1_800_000_000) };
    let mut session = RtpSession::new(now, 8_000, Rng::from_number(u64::from(host)));
    session.set_remote(Instant::ZERO, remote(host));
    session
}

fn datagram(payload_type: u8, sequence: u16, ssrc: u32) -> Vec<u8> {
    let header = Header { payload_type, marker: false, sequence, timestamp: u32::from(sequence) * 160, ssrc };
    let mut buffer = vec![0; 300];
    let n = header.write(&[0xD5; 160], &mut buffer).unwrap();
    buffer.truncate(n);
    buffer
}

fn drop_of(incoming: Incoming<'_>) -> Option<DropCause> {
    match incoming {
        Incoming::Dropped(cause) => Some(cause),
        Incoming::Sound { .. } | Incoming::Silence { .. } | Incoming::Event { .. } | Incoming::Report => None,
    }
}

fn ms(n: u64) -> Instant {
    Instant::from_millis(n)
}

#[test]
fn the_first_sound_is_heard_at_once_and_said_to_be_the_first() {
    let mut s = session(9);
    for n in 0..3u16 {
        let bytes = datagram(8, n, 1);
        let Incoming::Sound { first, payload, .. } =
            s.handle_rtp(ms(u64::from(n) * 20), at(9, 4_000), &bytes)
        else {
            panic!("no sound");
        };
        assert_eq!((first, payload.len()), (n == 0, 160));
    }
    assert_eq!(s.locked_to(), Some(at(9, 4_000)));
}

#[test]
fn everything_that_is_not_the_partys_sound_is_counted_by_its_cause() {
    let mut s = session(9);
    for n in 0..3 {
        s.handle_rtp(ms(0), at(9, 4_000), &datagram(8, n, 1));
    }
    let mut cause = |from, bytes: &[u8]| drop_of(s.handle_rtp(ms(100), from, bytes)).unwrap();
    assert_eq!(cause(at(6, 4_000), &datagram(8, 4, 1)), DropCause::Stranger);
    assert_eq!(cause(at(9, 4_000), &datagram(0, 4, 1)), DropCause::PayloadType);
    assert_eq!(cause(at(9, 4_000), &datagram(8, 2, 1)), DropCause::Duplicate);
    assert_eq!(cause(at(9, 4_000), &datagram(8, 30_000, 1)), DropCause::Jump);
    assert_eq!(cause(at(9, 4_000), &[0x80, 200, 0, 1, 0, 0, 0, 0]), DropCause::RtcpOnRtpPort);
    assert_eq!(cause(at(9, 4_000), &[0x80, 8]), DropCause::Malformed);
    assert_eq!(cause(at(9, 4_000), &datagram(8, 4, 2)), DropCause::Probation);
    let figures = s.figures();
    assert_eq!((figures.received, figures.drops.total(), figures.lost), (3, 7, 0));
    assert_eq!((figures.drops.strangers, figures.drops.duplicates), (1, 1));
}

#[test]
fn before_an_agreement_nothing_is_heard_and_nothing_sent() {
    let mut s = RtpSession::new(Now::default(), 8_000, Rng::from_number(1));
    assert_eq!(drop_of(s.handle_rtp(ms(0), at(9, 4_000), &datagram(8, 1, 1))), Some(DropCause::NotAgreed));
    assert_eq!(s.send_frame(ms(0), 160, &[0; 160], &mut [0; 300]), None);
    assert_eq!((s.figures().sent, s.next_deadline()), (0, None));
}

#[test]
fn a_party_behind_a_nat_is_answered_where_it_sends_from() {
    let mut s = session(9);
    s.set_remote(ms(0), Remote { host: Some(at(77, 0).ip()), ..remote(9) });
    for n in 0..3 {
        s.handle_rtp(ms(0), at(77, 50_000), &datagram(8, n, 1));
    }
    let sent = s.send_frame(ms(20), 160, &[0; 160], &mut [0; 300]);
    assert_eq!(sent, Some(Outgoing { to: at(77, 50_000), length: 172 }));
}

#[test]
fn a_new_synchronisation_source_is_believed_at_its_second_packet_and_the_totals_stay() {
    let mut s = session(9);
    for n in 0..10 {
        s.handle_rtp(ms(0), at(9, 4_000), &datagram(8, n, 1));
    }
    assert_eq!(
        drop_of(s.handle_rtp(ms(200), at(9, 4_000), &datagram(8, 500, 2))),
        Some(DropCause::Probation)
    );
    assert_eq!(drop_of(s.handle_rtp(ms(220), at(9, 4_000), &datagram(8, 501, 2))), None);
    assert_eq!(drop_of(s.handle_rtp(ms(240), at(9, 4_000), &datagram(8, 504, 2))), None);
    assert_eq!((s.figures().received, s.figures().lost), (12, 2));
}

#[test]
fn hold_in_the_old_form_keeps_the_source_and_the_stream() {
    let mut s = session(9);
    let mut buffer = [0; 300];
    for n in 0..3 {
        s.handle_rtp(ms(0), at(9, 4_000), &datagram(8, n, 1));
    }
    let ssrc = s.ssrc();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 4_000));
    s.set_remote(ms(100), Remote { rtp: nowhere, rtcp: nowhere, ..remote(9) });
    s.set_remote(ms(200), remote(9));
    assert_eq!(s.locked_to(), Some(at(9, 4_000)));
    assert_eq!(s.send_frame(ms(220), 160, &[0; 160], &mut buffer).map(|o| o.to), Some(at(9, 4_000)));
    assert_eq!(s.ssrc(), ssrc);
}

#[test]
fn a_relayed_packet_goes_out_under_our_source_and_the_ears_payload_type() {
    let mut ear = session(9);
    ear.set_remote(ms(0), Remote { sound_out: 97, ..remote(9) });
    let header = Header { payload_type: 8, marker: false, sequence: 5, timestamp: 800, ssrc: 1 };
    let mut buffer = [0; 300];
    let relayed = Relayed { source: 3, header, samples: 160, payload: &[0xD5; 160] };
    let sent = ear.send_relayed(ms(0), relayed, &mut buffer).unwrap();
    let read = hotline::rtp::Packet::read(&buffer[..sent.length]).unwrap();
    assert_eq!((read.header.payload_type, read.header.ssrc, read.header.marker), (97, ear.ssrc(), true));
    assert_eq!(ear.figures().sent, 1);
}

/// Lets two sessions talk for `seconds`; every tenth packet from `a` to `b` is lost, and the wire takes 30 ms.
fn talk(a: &mut RtpSession, b: &mut RtpSession, seconds: u64) {
    let (mut sound, mut report) = ([0; 300], [0; RTCP_BYTES]);
    for n in 0..seconds * 50 {
        let now = ms(n * 20);
        let then = now + Duration::from_millis(30);
        let sent = a.send_frame(now, 160, &[0xD5; 160], &mut sound).unwrap();
        if n % 10 != 5 {
            b.handle_rtp(then, at(2, 4_000), &sound[..sent.length]);
        }
        let sent = b.send_frame(now, 160, &[0xD5; 160], &mut sound).unwrap();
        a.handle_rtp(then, at(1, 4_000), &sound[..sent.length]);
        if let Some(sent) = a.poll_rtcp(now, &mut report) {
            b.handle_rtcp(then, at(2, 4_001), &report[..sent.length]);
        }
        if let Some(sent) = b.poll_rtcp(now, &mut report) {
            a.handle_rtcp(then, at(1, 4_001), &report[..sent.length]);
        }
    }
}

#[test]
fn both_sides_learn_loss_and_round_trip_by_reports() {
    let (mut a, mut b) = (session(1), session(2));
    talk(&mut a, &mut b, 60);
    let (fa, fb) = (a.figures(), b.figures());
    assert_eq!((fb.lost, fa.sent, fa.lost), (300, 3_000, 0));
    assert!((200..=300).contains(&fa.peer_lost), "{}", fa.peer_lost);
    for round_trip in [fa.round_trip_ms.unwrap(), fb.round_trip_ms.unwrap()] {
        assert!((round_trip - 60.0).abs() < 1.0, "{round_trip}");
    }
    assert!(fb.jitter_ms < 0.2);
}

#[test]
fn a_goodbye_is_sent_once_and_understood() {
    let (mut a, mut b) = (session(1), session(2));
    talk(&mut a, &mut b, 1);
    let mut buffer = [0; RTCP_BYTES];
    let sent = a.close(ms(1_000), &mut buffer).unwrap();
    assert!(Heard::read(&buffer[..sent.length], b.ssrc()).unwrap().bye);
    b.handle_rtcp(ms(1_030), at(2, 4_001), &buffer[..sent.length]);
    assert!(b.peer_left());
    assert_eq!(a.close(ms(1_001), &mut buffer), None);
    assert_eq!(a.next_deadline(), None);
}

#[test]
fn reports_of_strangers_and_broken_ones_change_nothing() {
    let (mut a, mut b) = (session(1), session(2));
    talk(&mut a, &mut b, 1);
    let mut buffer = [0; RTCP_BYTES];
    let sent = a.close(ms(1_000), &mut buffer).unwrap();
    b.handle_rtcp(ms(1_030), at(66, 4_001), &buffer[..sent.length]);
    b.handle_rtcp(ms(1_030), at(2, 4_001), &buffer[..sent.length - 4]);
    assert!(!b.peer_left());
    assert_eq!((b.figures().drops.strangers, b.figures().drops.malformed), (1, 1));
}

/// How many of the frames of the next `ms` milliseconds were sent to `to`, from `from_ms` on.
fn sent_to(s: &mut RtpSession, from_ms: u64, for_ms: u64, to: SocketAddr) -> usize {
    let sent = |n| s.send_frame(ms(n), 160, &[0; 160], &mut [0; 300]).is_some_and(|o| o.to == to);
    (from_ms..from_ms + for_ms).step_by(20).map(sent).filter(|sent| *sent).count()
}

#[test]
fn who_neither_acknowledged_nor_sent_sound_is_sent_two_seconds_and_no_reports() {
    let unproven = Remote { host: Some(at(9, 0).ip()), acknowledged: false, ..remote(9) };
    let mut s = session(9);
    s.set_remote(ms(0), unproven);
    assert_eq!(sent_to(&mut s, 1_000, 10_000, at(9, 4_000)), 100);
    assert_eq!(s.poll_rtcp(ms(12_000), &mut [0; RTCP_BYTES]), None);
    s.set_remote(ms(12_000), Remote { acknowledged: true, ..unproven });
    assert_eq!(sent_to(&mut s, 12_000, 1_000, at(9, 4_000)), 50, "acknowledged");

    let mut s = session(9);
    s.set_remote(ms(0), unproven);
    sent_to(&mut s, 1_000, 10_000, at(9, 4_000));
    s.handle_rtp(ms(12_000), at(9, 4_000), &datagram(8, 1, 1));
    assert_eq!(sent_to(&mut s, 12_000, 1_000, at(9, 4_000)), 50, "it sent sound");
}

#[test]
fn nothing_goes_to_another_host_than_the_signallings_before_it_is_acknowledged() {
    let elsewhere = Remote { host: Some(at(50, 0).ip()), acknowledged: false, ..remote(9) };
    let mut s = session(9);
    s.set_remote(ms(0), elsewhere);
    assert_eq!(sent_to(&mut s, 0, 5_000, at(9, 4_000)), 0);
    s.set_remote(ms(5_000), Remote { acknowledged: true, ..elsewhere });
    assert_eq!(sent_to(&mut s, 5_000, 1_000, at(9, 4_000)), 50);
}

#[test]
fn reports_over_the_port_of_the_sound_are_told_apart_and_answered_there() {
    let mut s = session(9);
    s.set_remote(ms(0), Remote { rtcp_mux: true, rtcp: at(9, 4_000), ..remote(9) });
    for n in 0..5 {
        s.handle_rtp(ms(0), at(9, 4_000), &datagram(8, n, 1));
    }
    let report = report_about(s.ssrc());
    assert_eq!(s.handle_rtp(ms(20), at(9, 4_000), &report), Incoming::Report);
    assert_eq!(s.figures().peer_lost, 7);
    let mut buffer = [0; RTCP_BYTES];
    let sent = (0..20_000).find_map(|n| s.poll_rtcp(ms(n), &mut buffer)).expect("a report of ours");
    assert_eq!(sent.to, at(9, 4_000));
    // A stranger's report changes nothing.
    let before = s.figures();
    let lie = report_about(s.ssrc());
    s.handle_rtp(ms(20_100), at(9, 4_001), &lie);
    s.handle_rtp(ms(20_100), at(66, 4_000), &lie);
    assert_eq!(s.figures().drops.strangers, before.drops.strangers + 2);

    let mut apart = session(9);
    assert_eq!(
        drop_of(apart.handle_rtp(ms(0), at(9, 4_000), &report)),
        Some(DropCause::RtcpOnRtpPort),
        "not agreed"
    );
}

/// A report of the party that says it lost 7 packets of `ssrc`.
fn report_about(ssrc: u32) -> Vec<u8> {
    let block = hotline::rtp::ReportBlock {
        ssrc,
        fraction_lost: 3,
        lost: 7,
        highest: 9,
        jitter: 0,
        last_sender_report: 0,
        delay: 0,
    };
    let report = hotline::rtp::Report { ssrc: 1, cname: "p", sender: None, block: Some(block), bye: false };
    let mut buffer = vec![0; RTCP_BYTES];
    let n = report.write(&mut buffer).unwrap();
    buffer.truncate(n);
    buffer
}

#[test]
fn a_stranger_who_floods_is_neither_heard_nor_counted_as_heard_nor_answered() {
    let mut s = session(9);
    for n in 0..3_000 {
        let lie = datagram(8, n, 66);
        assert_eq!(drop_of(s.handle_rtp(ms(u64::from(n)), at(66, 4_000), &lie)), Some(DropCause::Stranger));
    }
    assert_eq!(sent_to(&mut s, 3_000, 1_000, at(66, 4_000)), 0);
    assert!(matches!(s.handle_rtp(ms(4_000), at(9, 4_000), &datagram(8, 1, 1)), Incoming::Sound { .. }));
    assert_eq!((s.figures().received, s.figures().drops.strangers), (1, 3_000));
}
