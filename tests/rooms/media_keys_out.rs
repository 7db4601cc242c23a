//! Keys pressed at the far end of a leg, as named events (RFC 4733): that ear gets them, in order, once each, and nothing else
//! meanwhile; no other ear gets any of it.
use hotline::base::{Key, LegId};
use hotline::media::{Codec, MediaCommand};
use hotline::rtp::{EventPayload, EventReceiver};

use crate::media_studio::{Got, Studio};

const EVENTS: u8 = 101;

fn send(studio: &mut Studio, leg: u64, keys: &str) {
    for key in keys.chars().filter_map(Key::from_char) {
        studio.tell(MediaCommand::SendKey { leg: LegId(leg), key });
    }
}

/// What a phone makes of the packets it got.
fn keys(got: &[Got]) -> String {
    let mut receiver = EventReceiver::default();
    let events = got.iter().filter(|g| g.header.payload_type == EVENTS);
    let keys = events.filter_map(|g| {
        let payload = EventPayload::read(&g.payload).unwrap();
        receiver.packet(g.header.ssrc, g.header.timestamp, payload)
    });
    keys.map(Key::as_char).collect()
}

#[test]
fn keys_reach_the_one_ear_in_order_and_no_other() {
    let mut studio = Studio::with_legs(3);
    studio.join(&[1, 2, 3]);
    assert_eq!(studio.heard(), "a:bc b:ac c:ab");
    send(&mut studio, 2, "55*#");
    studio.run(1_500);
    assert_eq!(keys(&studio.phones[&2].got), "55*#");
    for leg in [1, 3] {
        let got = &studio.phones[&leg].got;
        assert!(got.iter().all(|g| g.header.payload_type != EVENTS), "leg {leg}");
    }
    // And then all is as before.
    assert_eq!(studio.heard(), "a:bc b:ac c:ab");
}

#[test]
fn a_key_is_one_event_of_a_tenth_of_a_second_within_the_one_stream() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(500);
    let before = studio.phones[&2].got.len();
    send(&mut studio, 2, "7");
    studio.run(500);
    let got = &studio.phones[&2].got;
    let events: Vec<&Got> = got.iter().filter(|g| g.header.payload_type == EVENTS).collect();
    // 100 ms in packets of 20, the last one three times (RFC 4733 section 2.5.1.4).
    assert_eq!(events.len(), 7);
    let read = |g: &Got| EventPayload::read(&g.payload).unwrap();
    assert_eq!(events.iter().filter(|g| read(g).end).count(), 3);
    assert_eq!((read(events[0]).duration, read(events[6]).duration), (160, 800));
    assert!(events[0].header.marker && events[1..].iter().all(|g| !g.header.marker));
    assert!(events.iter().all(|g| g.header.timestamp == events[0].header.timestamp));
    for pair in got[before - 1..].windows(2) {
        assert_eq!(pair[1].header.sequence, pair[0].header.sequence.wrapping_add(1));
        assert!(pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp) < 8_000);
    }
    // Nothing else while it lasts.
    let (first, last) = (events[0].ms, events[6].ms);
    let meanwhile = got.iter().filter(|g| (first..=last).contains(&g.ms));
    assert!(meanwhile.clone().all(|g| g.header.payload_type == EVENTS), "{}", meanwhile.count());
}

#[test]
fn a_far_end_that_takes_no_events_or_holds_us_is_sent_none_then_or_later() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.agree(2, |remote| remote.event_out = None);
    send(&mut studio, 2, "5");
    studio.run(300);
    assert_eq!(studio.plane.figures().refused, 1);
    studio.agree(2, |_| {});
    send(&mut studio, 2, "123456789");
    studio.run(60);
    studio.agree(2, |remote| remote.send = false);
    studio.run(300);
    let so_far = keys(&studio.phones[&2].got);
    studio.agree(2, |_| {});
    studio.run(2_000);
    assert_eq!((keys(&studio.phones[&2].got), so_far.as_str()), (so_far.clone(), "1"));
    assert_eq!(studio.heard(), "a:b b:a");
}

#[test]
fn too_many_keys_are_counted_and_not_kept() {
    let mut studio = Studio::new(1);
    studio.open(1, Codec::Pcma, 20, 20);
    studio.run(100);
    send(&mut studio, 1, &"1".repeat(100));
    assert_eq!(studio.plane.figures().refused, 68);
    studio.run(10_000);
    assert_eq!(keys(&studio.phones[&1].got).len(), 32);
}
