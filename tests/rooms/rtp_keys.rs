//! Keys by RFC 4733 through a bad network: never doubled, never invented, never lost while one packet arrives.
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use hotline::base::{Instant, Key, Now, Rng};
use hotline::rtp::{EventSender, EventType, Header, Incoming, PayloadTypes, Remote, RtpSession};
use proptest::prelude::*;

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 4_000))
}

fn session() -> RtpSession {
    let mut session = RtpSession::new(Now::default(), 8_000, Rng::from_number(1));
    let rtcp = SocketAddr::from(([192, 0, 2, 9], 4_001));
    let remote = Remote {
        rtp: peer(),
        rtcp,
        host: None,
        acknowledged: true,
        rtcp_mux: false,
        sound_in: PayloadTypes::NONE.with(0),
        sound_out: 0,
        events_in: PayloadTypes::NONE.with(96),
        event_out: Some(EventType { payload_type: 96, clock_hz: 8_000 }),
        comfort_noise_in: None,
    };
    session.set_remote(Instant::ZERO, remote);
    session
}

/// A datagram, and which press of a key it belongs to.
struct Datagram {
    bytes: Vec<u8>,
    press: Option<usize>,
}

/// A phone that speaks, and presses keys, each for so many milliseconds.
fn phone(presses: &[(u8, u64)], first_sequence: u16, first_timestamp: u32) -> Vec<Datagram> {
    let mut sent = Vec::new();
    let (mut sequence, mut timestamp) = (first_sequence, first_timestamp);
    let mut send = |press, (payload_type, marker, timestamp), payload: &[u8]| {
        let header = Header { payload_type, marker, sequence, timestamp, ssrc: 77 };
        sequence = sequence.wrapping_add(1);
        let mut buffer = [0; 200];
        let n = header.write(payload, &mut buffer).unwrap();
        sent.push(Datagram { bytes: buffer[..n].to_vec(), press });
    };
    for (press, (code, held_ms)) in presses.iter().enumerate() {
        for _ in 0..3 {
            send(None, (0, false, timestamp), &[0xFF; 160]);
            timestamp = timestamp.wrapping_add(160);
        }
        let key = Key::from_event(*code).unwrap();
        let ptime = Duration::from_millis(20);
        let mut sender = EventSender::new(key, Duration::from_millis(*held_ms), ptime, 8_000);
        while let Some(packet) = sender.next_packet() {
            let at = timestamp.wrapping_add(packet.timestamp_offset);
            send(Some(press), (96, packet.marker, at), &packet.payload.bytes());
        }
        timestamp = timestamp.wrapping_add(sender.samples_at(8_000));
    }
    sent
}

fn heard(datagrams: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut session = session();
    let mut keys = Vec::new();
    for (n, bytes) in (0u64..).zip(datagrams) {
        if let Incoming::Event { key: Some(key), .. } =
            session.handle_rtp(Instant::from_millis(n * 20), peer(), &bytes)
        {
            keys.push(key.event());
        }
    }
    keys
}

#[test]
fn every_key_of_a_good_network_is_heard_once_and_in_order() {
    let presses: Vec<(u8, u64)> = (0..16).map(|code| (code, 100)).collect();
    let sent = phone(&presses, 65_500, u32::MAX - 500);
    assert_eq!(heard(sent.into_iter().map(|d| d.bytes)), (0..16).collect::<Vec<u8>>());
}

proptest! {
    #[test]
    fn keys_survive_loss_reorder_and_doubling(
        presses in prop::collection::vec((0u8..16, 40u64..9_500), 1..12),
        (first_sequence, first_timestamp) in any::<(u16, u32)>(),
        seed in any::<u64>(),
    ) {
        let mut rng = Rng::from_number(seed);
        // Each datagram comes with 70 %, up to three times, up to four places late.
        let mut arrivals: Vec<(u64, Datagram)> = Vec::new();
        for (n, datagram) in (0u64..).zip(phone(&presses, first_sequence, first_timestamp)) {
            if rng.below(10) < 3 {
                continue;
            }
            for _ in 0..=rng.below(3) {
                let copy = Datagram { bytes: datagram.bytes.clone(), press: datagram.press };
                arrivals.push((n + rng.below(5), copy));
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let arrived: BTreeSet<usize> = arrivals.iter().filter_map(|(_, d)| d.press).collect();
        // Presses lie further apart than the network reorders, so that their order holds as well.
        let expected: Vec<u8> = arrived.iter().map(|press| presses[*press].0).collect();
        prop_assert_eq!(heard(arrivals.into_iter().map(|(_, d)| d.bytes)), expected);
    }
}
