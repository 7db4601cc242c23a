//! Codecs and packet sizes: what one side sends is heard by a side that takes something else.
use hotline::base::LegId;
use hotline::media::{Codec, MediaCommand};

use crate::media_studio::Studio;

/// The only packet lengths that a phone got in the last 300 ms, in bytes.
fn lengths(studio: &Studio, leg: u64) -> Vec<usize> {
    let recent = studio.phones[&leg].got.iter().filter(|g| g.ms + 300 > studio.ms);
    let mut lengths: Vec<usize> = recent.map(|g| g.payload.len()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

#[test]
fn two_codecs_hear_each_other_through_a_mix_of_one() {
    let mut studio = Studio::new(1);
    studio.open(1, Codec::Pcmu, 20, 20);
    studio.open(2, Codec::Pcma, 20, 20);
    studio.join(&[1, 2]);
    assert_eq!(studio.heard(), "a:b b:a");
    assert!(studio.phones[&1].got.iter().all(|g| g.header.payload_type == 0));
    assert!(studio.phones[&2].got.iter().all(|g| g.header.payload_type == 8));
}

#[test]
fn every_packet_size_is_heard_by_every_other_in_its_own() {
    for sends in [10, 20, 30, 40, 60] {
        for takes in [10, 20, 30, 60] {
            let mut studio = Studio::new(sends * 100 + takes);
            studio.open(1, Codec::Pcmu, sends, 20);
            studio.open(2, Codec::Pcmu, 20, takes);
            studio.join(&[1, 2]);
            assert_eq!(studio.heard(), "a:b b:a", "{sends} ms to {takes} ms");
            assert_eq!(lengths(&studio, 2), [usize::try_from(takes).unwrap() * 8], "{sends} to {takes}");
            assert_eq!(lengths(&studio, 1), [160]);
            // Without a tear: the tone is as loud in every block of 20 ms.
            let sound = studio.phones[&2].sound_since(studio.ms - 200);
            let mut meter = hotline::media::ToneMeter::new(&[400.0], 160);
            for block in sound.chunks_exact(160) {
                meter.feed(block);
                assert!((meter.level(0) - 5_000.0).abs() < 300.0, "{sends} to {takes}: {}", meter.level(0));
            }
        }
    }
}

#[test]
fn prompts_and_conferences_come_in_the_packet_size_agreed() {
    for takes in [10, 20, 30, 60] {
        let mut studio = Studio::with_legs(2);
        studio.open(3, Codec::Pcma, 30, takes);
        studio.play(3, &["music"], "r");
        assert_eq!(studio.heard(), "a:- b:- c:m");
        assert_eq!(lengths(&studio, 3), [usize::try_from(takes).unwrap() * 8]);
        studio.tell(MediaCommand::Stop { leg: LegId(3) });
        studio.join(&[1, 2, 3]);
        assert_eq!(studio.heard(), "a:bc b:ac c:ab", "{takes} ms");
        assert_eq!(lengths(&studio, 3), [usize::try_from(takes).unwrap() * 8]);
    }
}

#[test]
fn a_phone_that_changes_its_packet_size_is_mixed_and_relayed_again_when_it_changes_back() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    for (sends, line) in [(20, "Relay"), (60, "Mix"), (20, "Relay")] {
        studio.phones.get_mut(&1).unwrap().sends_ms = sends;
        assert_eq!(studio.heard(), "a:b b:a");
        assert_eq!(lengths(&studio, 2), [160], "{sends}");
        let described = studio.plane.describe(LegId(2)).unwrap();
        assert!(described.contains(line), "{sends}: {described}");
    }
}
