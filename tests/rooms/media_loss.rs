//! Loss: in a relay the source's gaps, in a mix silence; never a sound twice, never one that nobody said.
use hotline::base::{Instant, LegId};

use crate::media_studio::Studio;

/// How loud each 10 ms of a steady tone are: 1 as said, 0 silence.
fn blocks(sound: &[i16]) -> Vec<f64> {
    let loudness = |block: &[i16]| {
        let energy: f64 = block.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        (2.0 * energy / 80.0).sqrt() / 5_000.0
    };
    sound.chunks_exact(80).map(loudness).collect()
}

#[test]
fn in_a_relay_five_percent_lost_are_five_percent_missing_numbers() {
    let mut studio = Studio::with_legs(2);
    studio.join(&[1, 2]);
    studio.run(200);
    studio.phones.get_mut(&2).unwrap().loss_percent = 5;
    studio.phones.get_mut(&1).unwrap().got.clear();
    studio.run(20_000);
    let got = &studio.phones[&1].got;
    let (first, last) = (&got[0].header, &got.last().unwrap().header);
    let numbers = usize::from(last.sequence.wrapping_sub(first.sequence)) + 1;
    assert!((990..=1_001).contains(&numbers), "{numbers}");
    assert!((20..90).contains(&(numbers - got.len())), "{} of {numbers} lost", numbers - got.len());
    for pair in got.windows(2) {
        let step = u32::from(pair[1].header.sequence.wrapping_sub(pair[0].header.sequence));
        assert_eq!(pair[1].header.timestamp.wrapping_sub(pair[0].header.timestamp), 160 * step);
        assert!(!pair[1].header.marker);
    }
    let figures = studio.plane.leg_figures(LegId(2)).unwrap();
    assert_eq!(figures.lost, (numbers - got.len()) as u64);
}

#[test]
fn in_a_mix_what_is_lost_is_silence_and_the_rest_is_as_said() {
    let mut studio = Studio::with_legs(2);
    // A second source that is silent makes it a mix.
    studio.hear(1, &[2, 9]);
    studio.run(200);
    studio.phones.get_mut(&2).unwrap().loss_percent = 5;
    studio.phones.get_mut(&1).unwrap().got.clear();
    studio.run(20_000);
    let lost = studio.plane.leg_figures(LegId(2)).unwrap().lost;
    let got = &studio.phones[&1].got;
    assert!(got.windows(2).all(|p| p[1].header.sequence == p[0].header.sequence.wrapping_add(1)));
    let blocks = blocks(&studio.phones[&1].sound_since(0));
    let silent = blocks.iter().filter(|b| **b < 0.02).count();
    let whole = blocks.iter().filter(|b| (0.9..1.1).contains(*b)).count();
    let edges = blocks.len() - silent - whole;
    assert!(
        lost > 20 && silent as u64 <= 2 * lost && silent as u64 + 2 >= lost,
        "{silent} silent, {lost} lost"
    );
    assert!(edges as u64 <= 2 * lost + 4, "{edges} torn blocks, {lost} lost");
    assert!(blocks.iter().all(|b| *b < 1.1), "nothing is louder than it was said");
    assert_eq!(studio.plane.leg_figures(LegId(2)).unwrap().late, 0);
}

#[test]
fn doubled_and_reordered_packets_are_heard_once_and_in_their_place() {
    let mut studio = Studio::with_legs(2);
    studio.hear(1, &[2, 9]);
    studio.phones.get_mut(&2).unwrap().speaks = false;
    let packet = |n: u16| {
        let mut header = hotline::rtp::Header {
            payload_type: 0,
            marker: false,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 5,
        };
        header.marker = n == 0;
        let mut bytes = [0; 200];
        let level = i16::try_from(n).unwrap() * 100 + 1_000;
        let mut payload = [0; 160];
        hotline::media::Codec::Pcmu.encode(&[level; 160], &mut payload);
        let length = header.write(&payload, &mut bytes).unwrap();
        bytes[..length].to_vec()
    };
    for n in 0..40u16 {
        // After the first two, pairs arrive swapped, and each packet twice.
        let n = if n < 2 { n } else { n ^ 1 };
        for _ in 0..2 {
            studio.datagram(2, crate::media_studio::address(2), &packet(n));
        }
        studio.run(20);
    }
    studio.run(200);
    let sound = studio.phones[&1].sound_since(0);
    let levels: Vec<i16> = sound.chunks_exact(8).map(|b| b[4]).filter(|s| *s > 500).collect();
    assert!(levels.is_sorted(), "never back: {levels:?}");
    assert!((770..=800).contains(&levels.len()), "each once: {}", levels.len());
}

#[test]
fn a_tick_that_comes_late_catches_up_and_one_that_comes_very_late_is_no_burst() {
    let mut studio = Studio::with_legs(1);
    studio.play(1, &["music"], "r");
    studio.run(200);
    let count = |studio: &Studio| studio.phones[&1].got.len();
    let before = count(&studio);
    studio.ms += 59;
    studio.run(1);
    assert_eq!(count(&studio) - before, 3, "60 ms late: all three");
    let before = count(&studio);
    studio.ms += 999;
    studio.run(1);
    assert!(count(&studio) - before <= 4, "a second late: {}", count(&studio) - before);
    let skipped = studio.plane.leg_figures(LegId(1)).unwrap().skipped;
    assert!((48..=50).contains(&skipped), "{skipped}");
    let (a, b) = (studio.phones[&1].got[before - 1].header, studio.phones[&1].got[before].header);
    assert_eq!(b.sequence, a.sequence.wrapping_add(1));
    assert!((b.timestamp.wrapping_sub(a.timestamp) / 8).abs_diff(1_000) <= 20, "by the wall clock");
}

#[test]
fn an_older_now_is_the_last_one() {
    let mut studio = Studio::with_legs(1);
    studio.run(100);
    let before = studio.phones[&1].got.len();
    studio.plane.handle_timeout(Instant::ZERO);
    assert!(studio.plane.poll_transmit().is_none());
    assert_eq!(studio.phones[&1].got.len(), before);
}
