//! Codecs and packet sizes: what one side sends is heard by a side that takes something else.
use hotline::base::{Key, LegId};
use hotline::media::{Codec, MediaCommand, SoundTypes};
use hotline::rtp::EventType;

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

#[test]
fn g722_and_g711_hear_each_other_as_loud_as_they_speak() {
    for other in [Codec::Pcma, Codec::Pcmu] {
        let mut studio = Studio::new(722);
        studio.open(1, Codec::G722, 20, 20);
        studio.open(2, other, 20, 20);
        studio.join(&[1, 2]);
        assert_eq!(studio.heard(), "a:b b:a", "{other:?}");
        assert!(studio.phones[&1].got.iter().all(|g| g.header.payload_type == 9));
        assert_eq!(lengths(&studio, 1), [160]);
        for (ear, hz) in [(1, 700.0), (2, 400.0)] {
            let sound = studio.phones[&ear].sound_since(studio.ms - 300);
            let level = hotline::media::amplitude(&sound, hz);
            assert!((level - 5_000.0).abs() < 250.0, "{ear}: {level}");
        }
    }
}

#[test]
fn two_g722_phones_are_relayed_and_not_transcoded() {
    let mut studio = Studio::new(722);
    studio.open(1, Codec::G722, 20, 20);
    studio.open(2, Codec::G722, 20, 20);
    studio.join(&[1, 2]);
    assert_eq!(studio.heard(), "a:b b:a");
    for leg in [1, 2] {
        assert!(studio.plane.describe(LegId(leg)).unwrap().contains("Relay"));
    }
}

#[test]
fn a_conference_over_g722_and_both_g711_hears_the_others_and_prompts_between() {
    let mut studio = Studio::new(722);
    for (leg, codec) in [(1, Codec::G722), (2, Codec::Pcma), (3, Codec::Pcmu), (4, Codec::G722)] {
        studio.open(leg, codec, 20, 20);
    }
    studio.join(&[1, 2, 3, 4]);
    assert_eq!(studio.heard(), "a:bcd b:acd c:abd d:abc");
    studio.play(1, &["prompt"], "");
    studio.play(2, &["music"], "r");
    studio.run(150);
    assert_eq!(studio.phones[&1].heard_since(studio.ms - 100), "p");
    studio.run(500);
    assert_eq!(studio.heard(), "a:bcd b:m c:abd d:abc");
    studio.hear(4, &[1]);
    studio.hear(3, &[4]);
    assert_eq!(studio.heard(), "a:bcd b:m c:d d:a");
    studio.hear(3, &[]);
    studio.hear(4, &[]);
    assert_eq!(studio.heard(), "a:bcd b:m c:- d:-");
}

#[test]
fn a_phone_may_change_among_the_agreed_codecs_at_any_packet() {
    let mut studio = Studio::new(5);
    studio.open(1, Codec::Pcma, 20, 20);
    studio.open(2, Codec::Pcma, 20, 20);
    let all = [(8, Codec::Pcma), (9, Codec::G722), (0, Codec::Pcmu)].into_iter().collect::<SoundTypes>();
    studio.agree(1, |r| r.sound_in = all);
    studio.join(&[1, 2]);
    for (payload_type, codec, line) in [
        (8, Codec::Pcma, "Relay"),
        (9, Codec::G722, "Mix"),
        (0, Codec::Pcmu, "Mix"),
        (8, Codec::Pcma, "Relay"),
    ] {
        let phone = studio.phones.get_mut(&1).unwrap();
        (phone.speaks_in, phone.header.payload_type) = (codec, payload_type);
        assert_eq!(studio.heard(), "a:b b:a", "{codec:?}");
        assert!(studio.plane.describe(LegId(2)).unwrap().contains(line), "{codec:?}");
        assert!(studio.phones[&2].got.iter().all(|g| g.header.payload_type == 8), "in its own codec");
    }
}

#[test]
fn keys_go_out_in_the_clock_that_the_far_end_named_for_them() {
    for (clock_hz, step) in [(8_000, 160), (16_000, 320), (48_000, 960)] {
        let mut studio = Studio::with_legs(2);
        studio.join(&[1, 2]);
        studio.agree(1, |r| r.event_out = Some(EventType { payload_type: 97, clock_hz }));
        studio.run(100);
        studio.tell(MediaCommand::SendKey { leg: LegId(1), key: Key::from_char('5').unwrap() });
        studio.run(400);
        let keys: Vec<_> = studio.phones[&1].got.iter().filter(|g| g.header.payload_type == 97).collect();
        let duration = |p: &[u8]| u32::from(p[2]) << 8 | u32::from(p[3]);
        let told: Vec<u32> = keys.iter().map(|g| duration(&g.payload)).collect();
        assert_eq!(told, [1, 2, 3, 4, 5, 5, 5].map(|n| n * step), "{clock_hz}");
        assert_eq!(keys.iter().filter(|g| g.payload[1] & 0x80 != 0).count(), 3);
        assert!(keys.iter().all(|g| g.payload[0] == 5 && g.header.timestamp == keys[0].header.timestamp));
        assert_eq!(studio.heard(), "a:b b:a", "the sound goes on");
    }
}
