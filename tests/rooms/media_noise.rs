//! Comfort noise, RFC 3389: made for those who hear a mix, passed on in a relay, told to those who can make it.
use hotline::base::LegId;
use hotline::rtp::{Header, PACKET_BYTES};

use crate::media_studio::{Studio, address};

const NOISE: u8 = 13;

/// A comfort noise packet of a phone, in its own numbers; it says nothing else from then on.
fn rest(studio: &mut Studio, leg: u64, payload: &[u8]) {
    let phone = studio.phones.get_mut(&leg).unwrap();
    phone.speaks = false;
    phone.header.sequence = phone.header.sequence.wrapping_add(1);
    let header = Header { payload_type: NOISE, ..phone.header };
    let mut bytes = [0; PACKET_BYTES];
    let n = header.write(payload, &mut bytes).unwrap();
    studio.datagram(leg, address(leg), &bytes[..n]);
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples far below 2^52")]
fn db(sound: &[i16]) -> f64 {
    let power = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64;
    10.0 * (power / 32_124.0_f64.powi(2)).log10()
}

#[test]
fn in_a_mix_a_described_silence_is_heard_as_noise_of_its_level() {
    let mut studio = Studio::with_legs(2);
    studio.hear(1, &[2, 9]);
    studio.run(500);
    for _ in 0..5 {
        rest(&mut studio, 2, &[45, 100, 140]);
        studio.run(200);
    }
    let since = studio.ms - 700;
    let level = db(&studio.phones[&1].sound_since(since));
    assert!((level + 45.0).abs() < 1.5, "{level}");
    studio.phones.get_mut(&2).unwrap().speaks = true;
    assert_eq!(studio.heard(), "a:b b:-");
    assert_eq!(studio.plane.leg_figures(LegId(2)).unwrap().concealed_ms, 0);
}

#[test]
fn in_a_relay_it_is_passed_on_to_whoever_agreed_and_leaves_no_gap_for_others() {
    for agreed in [None, Some(96)] {
        let mut studio = Studio::with_legs(2);
        studio.join(&[1, 2]);
        studio.agree(1, |r| r.comfort_noise_out = agreed);
        studio.run(300);
        studio.phones.get_mut(&1).unwrap().got.clear();
        studio.run(60);
        rest(&mut studio, 2, &[45, 100]);
        studio.run(500);
        studio.phones.get_mut(&2).unwrap().speaks = true;
        studio.run(60);
        let got = &studio.phones[&1].got;
        let noise: Vec<_> = got.iter().filter(|g| g.payload.len() < 100).collect();
        match agreed {
            None => assert!(noise.is_empty()),
            Some(payload_type) => {
                assert_eq!(noise.len(), 1);
                assert_eq!(
                    (noise[0].header.payload_type, noise[0].payload.as_slice()),
                    (payload_type, &[45, 100][..])
                );
            }
        }
        assert!(got.windows(2).all(|w| w[1].header.sequence == w[0].header.sequence.wrapping_add(1)));
        assert!(
            got.windows(2).all(|w| { w[1].header.timestamp.wrapping_sub(w[0].header.timestamp) < 8 * 700 })
        );
    }
}

#[test]
fn one_who_hears_nothing_for_long_is_told_so_if_he_agreed_and_then_sound_begins_with_the_marker() {
    let mut studio = Studio::with_legs(3);
    studio.hear(1, &[2, 3]);
    studio.agree(1, |r| r.comfort_noise_out = Some(NOISE));
    studio.run(300);
    for leg in [2, 3] {
        studio.phones.get_mut(&leg).unwrap().speaks = false;
    }
    studio.run(600);
    studio.phones.get_mut(&1).unwrap().got.clear();
    studio.run(1_000);
    let got = &studio.phones[&1].got;
    assert!((4..=6).contains(&got.len()), "{} packets in a second", got.len());
    assert!(got.iter().all(|g| g.header.payload_type == NOISE && g.payload == [80] && !g.header.marker));
    studio.phones.get_mut(&1).unwrap().got.clear();
    studio.phones.get_mut(&2).unwrap().speaks = true;
    studio.run(300);
    let sound: Vec<_> = studio.phones[&1].got.iter().filter(|g| g.header.payload_type == 0).collect();
    assert!(sound.len() >= 10 && sound[0].header.marker && !sound[1].header.marker);
}

#[test]
fn the_noise_of_several_is_told_as_one() {
    let mut studio = Studio::with_legs(3);
    studio.hear(1, &[2, 3]);
    studio.agree(1, |r| r.comfort_noise_out = Some(NOISE));
    studio.run(300);
    for _ in 0..4 {
        rest(&mut studio, 2, &[50]);
        rest(&mut studio, 3, &[50]);
        studio.run(200);
    }
    let last = studio.phones[&1].got.last().unwrap();
    assert_eq!((last.header.payload_type, last.payload.as_slice()), (NOISE, &[47][..]));
}
