//! Whatever comes from outside: counted, bounded, never a panic; deadlines only for those who need them.
use std::time::Duration;

use hotline::base::{LegId, Rng};
use hotline::media::{Codec, MediaCommand, MediaEvent};
use hotline::rtp::Header;

use crate::media_studio::{Studio, address, agreement, tone_samples};

#[test]
fn garbage_is_counted_and_hurts_nothing() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(300);
    let mut rng = Rng::from_number(5);
    for round in 0..5_000 {
        let length = usize::try_from(rng.below(700)).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| (rng.next_u32() & 0xFF) as u8).collect();
        if let [first, second, ..] = &mut bytes[..] {
            *first = 0x80 | (*first & 0x1F);
            *second = [0, 101, 13, 200, 201, 203][round % 6];
        }
        studio.datagram(1, address(if round % 3 == 0 { 9 } else { 1 }), &bytes);
        studio.plane.handle_rtcp(studio.now().mono, LegId(1), address(1), &bytes);
        studio.run(u64::from(round % 16 == 0));
    }
    assert!(studio.plane.leg_figures(LegId(1)).unwrap().dropped > 4_000);
    studio.run(3_000);
    assert_eq!(studio.heard(), "a:b b:a");
}

#[test]
fn a_payload_too_long_or_empty_is_dropped_and_counted() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(200);
    studio.phones.get_mut(&1).unwrap().sends_ms = 100;
    let before = studio.phones[&2].got.len();
    studio.run(1_000);
    assert_eq!(studio.phones[&2].got.len(), before);
    assert!(studio.plane.leg_figures(LegId(1)).unwrap().dropped >= 9);
}

#[test]
fn sound_starts_once_and_is_lost_once_a_silence() {
    let mut studio = Studio::with_legs(1);
    studio.tell(MediaCommand::Watch { leg: LegId(1), silence: Some(Duration::from_secs(5)) });
    studio.run(1_000);
    assert_eq!(studio.told(1), ["started"]);
    studio.phones.get_mut(&1).unwrap().speaks = false;
    studio.run(20_000);
    assert_eq!(studio.told(1), ["lost"]);
    studio.phones.get_mut(&1).unwrap().speaks = true;
    studio.run(100);
    assert_eq!(studio.told(1), ["back"]);
    studio.phones.get_mut(&1).unwrap().speaks = false;
    let stopped = studio.ms;
    studio.run(6_000);
    let (lost, _) = studio.events[0];
    assert!((4_960..=5_000).contains(&(lost - stopped)), "{}", lost - stopped);
    assert_eq!(studio.told(1), ["lost"]);
    studio.agree(1, |r| r.receive = false);
    studio.run(20_000);
    assert_eq!(studio.told(1), [] as [String; 0], "on hold nothing is expected");
    studio.agree(1, |_| {});
    studio.run(4_990);
    assert_eq!(studio.told(1), [] as [String; 0], "and then counted anew");
    studio.run(20);
    assert_eq!(studio.told(1), ["lost"]);
}

#[test]
fn reports_are_sent_about_every_five_seconds_and_a_goodbye_at_the_end() {
    let mut studio = Studio::with_legs(1);
    studio.run(60_000);
    let reports = studio.phones[&1].reports;
    assert!((9..=16).contains(&reports), "{reports} in a minute");
    studio.tell(MediaCommand::Close { leg: LegId(1) });
    assert_eq!(studio.phones[&1].reports, reports + 1);
    let Some((_, MediaEvent::Closed { port, figures, .. })) = studio.events.last() else { panic!() };
    assert_eq!(*port, 20_002);
    assert!((2_990..=3_005).contains(&figures.received) && figures.lost == 0, "{figures:?}");
    assert_eq!(figures.sent, studio.phones[&1].got.len() as u64);
    assert!(studio.plane.next_deadline().is_none());
}

#[test]
fn an_idle_plane_does_not_wake_and_a_relay_wakes_only_for_reports() {
    let mut studio = Studio::new(1);
    assert_eq!(studio.plane.next_deadline(), None);
    studio.open(1, Codec::Pcmu, 20, 20);
    studio.open(2, Codec::Pcmu, 20, 20);
    assert_eq!(studio.plane.next_deadline().map(|d| d.why), Some("media tick"));
    studio.join(&[1, 2]);
    studio.run(100);
    assert_eq!(studio.plane.next_deadline().map(|d| d.why), Some("rtcp report"));
    studio.tell(MediaCommand::Close { leg: LegId(1) });
    studio.tell(MediaCommand::Close { leg: LegId(2) });
    assert_eq!(studio.plane.next_deadline(), None);
}

#[test]
fn commands_and_packets_for_a_leg_that_is_not_open_are_counted() {
    let mut studio = Studio::new(1);
    let leg = LegId(7);
    studio.tell(MediaCommand::Stop { leg });
    studio.tell(MediaCommand::Hear { leg, sources: vec![] });
    studio.tell(MediaCommand::Watch { leg, silence: None });
    studio.tell(MediaCommand::Remote { leg, remote: Box::new(agreement(7, Codec::Pcmu, 20)) });
    studio.tell(MediaCommand::Close { leg });
    studio.play(7, &["prompt"], "");
    studio.datagram(7, address(7), &[0x80; 50]);
    studio.plane.handle_rtcp(studio.now().mono, leg, address(7), &[]);
    assert_eq!(studio.plane.figures().unknown_leg, 8);
    assert!(studio.events.is_empty());
    studio.tell(MediaCommand::Open { leg, port: 1 });
    studio.tell(MediaCommand::Open { leg, port: 2 });
    assert_eq!(studio.plane.figures().refused, 1);
}

#[test]
fn a_thousand_legs_due_at_once_are_served_in_parts_and_all() {
    let mut studio = Studio::new(1);
    for leg in 0..1_000 {
        studio.tell(MediaCommand::Open { leg: LegId(leg), port: 0 });
        studio.tell(MediaCommand::Remote {
            leg: LegId(leg),
            remote: Box::new(agreement(leg, Codec::Pcmu, 20)),
        });
    }
    studio.ms += 40;
    let now = studio.now().mono;
    let (mut sent, mut rounds) = (0, 0);
    while studio.plane.next_deadline().is_some_and(|d| d.at <= now) {
        studio.plane.handle_timeout(now);
        while studio.plane.poll_transmit().is_some() {
            sent += 1;
        }
        rounds += 1;
    }
    assert!((2_000..=3_000).contains(&sent) && rounds >= 8, "{sent} packets in {rounds} rounds");
    assert_eq!(studio.plane.figures().outbox_full, 0);
}

#[test]
fn the_same_story_is_the_same_bytes() {
    let story = || {
        let mut studio = Studio::with_legs(3);
        studio.join(&[1, 2, 3]);
        studio.phones.get_mut(&2).unwrap().loss_percent = 10;
        studio.play(1, &["prompt"], "b");
        studio.run(700);
        studio.press(3, '4');
        studio.run(700);
        let got =
            studio.phones.values().flat_map(|p| p.got.iter().map(|g| (g.ms, g.header, g.payload.clone())));
        (got.collect::<Vec<_>>(), format!("{:?}", studio.events))
    };
    assert!(story() == story());
}

#[test]
fn a_stranger_at_a_leg_is_counted_and_heard_by_nobody_neither_relayed_nor_mixed() {
    let mut studio = Studio::with_legs(3);
    for (ears, expected) in [(&[1, 2][..], "a:b b:a c:-"), (&[1, 2, 3][..], "a:bc b:ac c:ab")] {
        studio.join(ears);
        studio.run(200);
        let before = studio.plane.figures().strangers;
        let mut stranger = Header { payload_type: 0, marker: false, sequence: 1, timestamp: 0, ssrc: 666 };
        let mut loud = [0; 160];
        Codec::Pcmu.encode(&tone_samples('d', 20), &mut loud);
        for _ in 0..50 {
            stranger.sequence += 1;
            stranger.timestamp += 160;
            let mut bytes = [0; 200];
            let n = stranger.write(&loud, &mut bytes).unwrap();
            studio.datagram(1, address(66), &bytes[..n]);
            studio.run(10);
        }
        assert_eq!(studio.heard(), expected);
        assert_eq!(studio.plane.figures().strangers, before + 50);
    }
}
