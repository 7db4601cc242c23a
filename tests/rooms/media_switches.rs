//! One outgoing stream for a leg's whole life, whatever it hears: sequence, timestamp, marker, SSRC.
use hotline::base::{LegId, Rng};
use hotline::media::{Codec, MediaCommand};

use crate::media_studio::{Got, Studio};

/// What must hold for all that one phone got; the sources lose nothing, so no number may be missing.
fn assert_one_stream(leg: u64, got: &[Got]) {
    for pair in got.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let told = format!("leg {leg} at {} ms: {:?} then {:?}", b.ms, a.header, b.header);
        assert_eq!(b.header.ssrc, a.header.ssrc, "one SSRC: {told}");
        assert_eq!(b.header.sequence, a.header.sequence.wrapping_add(1), "sequence + 1: {told}");
        let step = b.header.timestamp.wrapping_sub(a.header.timestamp);
        assert!(step as usize >= a.payload.len() && step < 80_000, "no overlap: {told}");
        let wall = (b.ms - a.ms) * 8;
        let off = i64::from(step) - i64::try_from(wall).unwrap();
        assert!(off.abs() <= 2 * 160, "within a frame of the wall clock, {off} samples off: {told}");
    }
    // And no drift over all of it.
    if let (Some(a), Some(b)) = (got.first(), got.last()) {
        let step = i64::from(b.header.timestamp.wrapping_sub(a.header.timestamp));
        let wall = i64::try_from((b.ms - a.ms) * 8).unwrap();
        assert!((step - wall).abs() <= 2 * 160, "leg {leg}: {} samples off in the end", step - wall);
    }
}

#[test]
fn each_switch_of_source_carries_the_marker_and_no_other_packet_does() {
    let mut studio = Studio::with_legs(2);
    studio.run(500);
    let mut switches = Vec::new();
    let mut at = |studio: &mut Studio| {
        switches.push(studio.ms);
        studio.run(400);
    };
    studio.play(1, &["prompt"], "");
    at(&mut studio);
    studio.play(1, &["music"], "r");
    at(&mut studio);
    studio.tell(MediaCommand::Stop { leg: LegId(1) });
    at(&mut studio);
    studio.play(1, &["music"], "r");
    at(&mut studio);
    studio.join(&[1, 2]);
    studio.tell(MediaCommand::Stop { leg: LegId(1) });
    at(&mut studio);
    studio.open(3, Codec::Pcmu, 20, 20);
    studio.run(60);
    studio.join(&[1, 2, 3]);
    at(&mut studio);
    studio.hear(1, &[3]);
    at(&mut studio);
    studio.hear(1, &[]);
    at(&mut studio);
    let got = &studio.phones[&1].got;
    assert_one_stream(1, got);
    let marked: Vec<u64> = got.iter().filter(|g| g.header.marker).map(|g| g.ms).collect();
    assert_eq!(marked.len(), 1 + switches.len(), "{marked:?} {switches:?}");
    for (marked, switch) in marked[1..].iter().zip(&switches) {
        assert!((0..=25).contains(&(marked - switch)), "switched at {switch}, marked at {marked}");
    }
}

#[test]
fn any_story_of_commands_leaves_one_stream_to_each_leg() {
    for seed in 0..40 {
        let mut rng = Rng::from_number(seed);
        let mut studio = Studio::new(seed);
        for leg in 1..=4 {
            let codec = if rng.below(3) == 0 { Codec::Pcma } else { Codec::Pcmu };
            let takes_ms = [20, 20, 30, 60][usize::try_from(rng.below(4)).unwrap()];
            studio.open(leg, codec, 20, takes_ms);
        }
        for _ in 0..60 {
            let leg = 1 + rng.below(4);
            match rng.below(8) {
                0 => drop(studio.play(leg, &["prompt"], "b")),
                1 => drop(studio.play(leg, &["music"], "r")),
                2 => studio.tell(MediaCommand::Stop { leg: LegId(leg) }),
                3 => studio.press(leg, '5'),
                4 => studio.hear(leg, &[]),
                _ => {
                    let sources: Vec<u64> = (1..=4).filter(|_| rng.below(2) == 0).collect();
                    studio.hear(leg, &sources);
                }
            }
            studio.run(1 + rng.below(150));
        }
        for (leg, phone) in &studio.phones {
            assert!(phone.got.len() > 20, "seed {seed} leg {leg}: {} packets", phone.got.len());
            assert_one_stream(*leg, &phone.got);
        }
    }
}

#[test]
fn a_source_that_begins_anew_is_absorbed_by_the_relay() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(500);
    let header = &mut studio.phones.get_mut(&2).unwrap().header;
    (header.ssrc, header.timestamp, header.sequence) = (99, 7, 30_000);
    studio.run(500);
    studio.phones.get_mut(&2).unwrap().header.timestamp += 1_000_000;
    studio.run(500);
    let got = &studio.phones[&1].got;
    assert_one_stream(1, got);
    assert!(got.len() >= 70, "{}", got.len());
}
