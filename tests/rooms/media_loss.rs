//! Loss, jitter, reordering: in a relay the source's gaps, in a mix what was said before goes on; never a sound twice.
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52")]
use hotline::base::{Instant, LegId};

use crate::media_studio::Studio;

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

/// What one ear hears of a tone in a mix under loss and jitter, once the buffer has settled.
struct Quality {
    /// The tone's level in each 50 ms, as a share of what was sent.
    shares: Vec<f64>,
    /// The steepest step from sample to sample, as a share of the tone's own.
    click: f64,
    /// Lost and late packets, of a hundred.
    missing: f64,
    /// From the packet's arrival, without its jitter, to the packet in which it leaves: the mean, in milliseconds.
    delay_ms: f64,
    /// The longest of them.
    worst_ms: f64,
}

impl Quality {
    /// Ten seconds to settle, forty measured.
    fn of(codec: hotline::media::Codec, loss_percent: u64, jitter_ms: u64) -> Self {
        const HZ: f64 = 700.0;
        const SECONDS: u64 = 40;
        let mut studio = Studio::new(2);
        studio.open(1, hotline::media::Codec::Pcmu, 20, 20);
        studio.open(2, codec, 20, 20);
        studio.hear(1, &[2]);
        if codec == hotline::media::Codec::Pcmu {
            // A second source makes it a mix.
            studio.hear(1, &[2, 9]);
        }
        let phone = studio.phones.get_mut(&2).unwrap();
        (phone.loss_percent, phone.jitter_ms) = (loss_percent, jitter_ms);
        studio.run(10_000);
        studio.phones.get_mut(&1).unwrap().got.clear();
        let before = studio.plane.leg_figures(LegId(2)).unwrap();
        studio.run(1_000 * SECONDS);
        let after = studio.plane.leg_figures(LegId(2)).unwrap();
        let sound = studio.phones[&1].sound_since(0);
        let shares = sound.chunks_exact(400).map(|w| hotline::media::amplitude(w, HZ) / 5_000.0).collect();
        let step = |w: &[i16]| f64::from((i32::from(w[1]) - i32::from(w[0])).abs());
        let own = 2.0 * 5_000.0 * (std::f64::consts::PI * HZ / 8_000.0).sin();
        let click = sound.windows(2).map(step).fold(0.0, f64::max) / own;
        let missing = (after.lost - before.lost + after.late - before.late) as f64 / (SECONDS as f64 / 2.0);
        // The tone tells when it was said only within a period: the delay is measured with a pulse.
        let (delay_ms, worst_ms) = pulse_delay(&mut studio, jitter_ms);
        Self { shares, click, missing, delay_ms, worst_ms }
    }
    /// The share of the 50 ms in which the tone had at least this part of its level.
    fn at_least(&self, part: f64) -> f64 {
        self.shares.iter().filter(|s| **s >= part).count() as f64 / self.shares.len() as f64
    }
    /// A proxy, not a measurement of what people hear: the E-model's rating (ITU-T G.107) from what was lost or late and
    /// the delay, with G.113's figures for G.711 with Appendix I under random loss (Ie 0, Bpl 25.1); 20 ms for the
    /// packet and 50 ms for a network are added to our delay.
    fn rating(&self) -> f64 {
        let one_way = self.delay_ms + 20.0 + 50.0;
        let delayed = 0.024 * one_way + if one_way > 177.3 { 0.11 * (one_way - 177.3) } else { 0.0 };
        93.2 - delayed - 95.0 * self.missing / (self.missing + 25.1)
    }
}

/// Says one loud packet in silence, twenty times, and finds when it leaves: mean and longest, in milliseconds after it was sent.
fn pulse_delay(studio: &mut Studio, jitter_ms: u64) -> (f64, f64) {
    let mut all = Vec::new();
    let silent = hotline::media::Tone::new(1.0, 0.0);
    let phone = studio.phones.get_mut(&2).unwrap();
    (phone.loss_percent, phone.tone) = (0, silent.clone());
    for _ in 0..20 {
        studio.run(300);
        let said = studio.phones[&2].next_packet_ms();
        studio.phones.get_mut(&1).unwrap().got.clear();
        while studio.ms < said - 1 {
            studio.run(1);
        }
        studio.phones.get_mut(&2).unwrap().tone = hotline::media::Tone::new(1_000.0, 9_000.0);
        studio.run(1);
        studio.phones.get_mut(&2).unwrap().tone = silent.clone();
        studio.run(250);
        let loud = |payload: &[u8]| {
            let mut samples = [0; 160];
            hotline::media::Codec::Pcmu.decode(payload, &mut samples);
            samples.iter().position(|s| s.abs() > 4_000)
        };
        let heard = studio.phones[&1].got.iter().find_map(|g| loud(&g.payload).map(|at| (g.ms, at)));
        let (ms, at) = heard.expect("the pulse was heard");
        all.push(ms as f64 + at as f64 / 8.0 - said as f64 - jitter_ms as f64 / 2.0);
    }
    (all.iter().sum::<f64>() / all.len() as f64, all.iter().copied().fold(0.0, f64::max))
}

#[test]
fn in_a_mix_two_percent_lost_and_50_ms_of_jitter_are_hardly_heard() {
    for (loss, jitter, least_ms, most_ms) in [(0, 0, 24.0, 40.0), (2, 0, 24.0, 40.0), (2, 50, 24.0, 75.0)] {
        let quality = Quality::of(hotline::media::Codec::Pcmu, loss, jitter);
        let (most, all) = (quality.at_least(0.9), quality.at_least(0.5));
        let told = format!(
            "{loss} % {jitter} ms: 0.9 in {most}, 0.5 in {all}, click {:.2}, missing {:.2} %, delay {:.1} ms, R {:.1}",
            quality.click,
            quality.missing,
            quality.delay_ms,
            quality.rating()
        );
        assert!(most >= if loss == 0 { 1.0 } else { 0.93 } && all >= 0.995, "{told}");
        assert!(quality.click < 1.35, "{told}");
        assert!(quality.missing <= 4.0, "{told}");
        assert!((least_ms..=most_ms).contains(&quality.delay_ms), "{told}");
        assert!(jitter > 0 || quality.worst_ms <= 40.0, "{told}");
        assert!(quality.rating() >= 80.0, "{told}");
    }
}

#[test]
fn in_a_mix_five_percent_lost_and_50_ms_of_jitter_leave_a_tone_without_clicks() {
    for jitter in [0, 50] {
        let quality = Quality::of(hotline::media::Codec::Pcmu, 5, jitter);
        let (most, all) = (quality.at_least(0.8), quality.at_least(0.5));
        let told = format!(
            "{jitter} ms: 0.8 in {most}, 0.5 in {all}, click {:.2}, missing {:.2} %, delay {:.1} ms, R {:.1}",
            quality.click,
            quality.missing,
            quality.delay_ms,
            quality.rating()
        );
        assert!(most >= 0.9 && all >= 0.98, "{told}");
        assert!(quality.click < 1.5, "{told}");
        assert!((3.0..=8.0).contains(&quality.missing), "{told}");
        assert!(quality.delay_ms <= 80.0, "{told}");
    }
}

#[test]
fn a_bridge_between_two_codecs_conceals_loss_and_adds_less_than_40_ms() {
    for (codec, click) in [(hotline::media::Codec::Pcma, 1.35), (hotline::media::Codec::G722, 1.6)] {
        let quality = Quality::of(codec, 2, 0);
        let (most, all) = (quality.at_least(0.9), quality.at_least(0.5));
        let told = format!(
            "{codec:?}: 0.9 in {most}, 0.5 in {all}, click {:.2}, delay {:.1} ms",
            quality.click, quality.delay_ms
        );
        assert!(most >= 0.93 && all >= 0.995, "{told}");
        assert!(quality.click < click, "{told}");
        assert!(quality.worst_ms <= 40.0, "{told}");
    }
}

#[test]
fn doubled_and_reordered_packets_are_heard_once_and_in_their_place() {
    // Where the buffer has learned that packets swap, they grow louder one by one.
    const LEARNED: u16 = 300;
    let mut studio = Studio::with_legs(2);
    studio.hear(1, &[2, 9]);
    studio.phones.get_mut(&2).unwrap().speaks = false;
    let packet = |n: u16| {
        let header = hotline::rtp::Header {
            payload_type: 0,
            marker: n == 0,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 5,
        };
        let mut bytes = [0; 200];
        let level = i16::try_from(n.saturating_sub(LEARNED)).unwrap() * 100 + 1_000;
        let mut payload = [0; 160];
        hotline::media::Codec::Pcmu.encode(&[level; 160], &mut payload);
        let length = header.write(&payload, &mut bytes).unwrap();
        bytes[..length].to_vec()
    };
    for n in 0..LEARNED + 40 {
        // After the first two, pairs arrive swapped, and each packet twice.
        let n = if n < 2 { n } else { n ^ 1 };
        for _ in 0..2 {
            studio.datagram(2, crate::media_studio::address(2), &packet(n));
        }
        studio.run(20);
    }
    studio.run(15);
    let sound = studio.phones[&1].sound_since(0);
    let levels: Vec<i16> = sound.chunks_exact(8).map(|b| b[4]).filter(|s| *s > 1_050).collect();
    assert!(levels.is_sorted(), "never back: {levels:?}");
    assert!((730..=790).contains(&levels.len()), "each once: {}", levels.len());
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
