//! ITU-T Q.24, table by table, and no talk-off: everything is sent through G.711 as a phone would.
use std::path::{Path, PathBuf};

use super::*;
use crate::base::Rng;
use crate::media::resample::to_sample_rate;
use crate::media::{Codec, PROMPT_MAX, Tone, decode_audio, key_frequencies};

/// Peak amplitude of 0 dBm0.
const ZERO_DBM: f64 = 22_657.0;

/// A key as a phone sends it.
#[derive(Clone, Copy)]
struct Sent {
    key: char,
    ms: f64,
    /// The level of the row's and of the column's tone, in dBm0.
    dbm: (f64, f64),
    /// By how many per cent the two tones are off.
    off: (f64, f64),
}

impl Sent {
    fn new(key: char) -> Self {
        Self { key, ms: 60.0, dbm: (-9.0, -9.0), off: (0.0, 0.0) }
    }
}

fn all_keys() -> impl Iterator<Item = char> {
    "0123456789ABCD*#".chars()
}

#[expect(clippy::cast_sign_loss, reason = "no duration is below zero")]
fn silence(ms: f64) -> Vec<f64> {
    vec![0.0; (ms * 8.0) as usize]
}

#[expect(clippy::cast_sign_loss, reason = "no duration is below zero")]
fn tones(sent: Sent) -> Vec<f64> {
    let (row, column) = key_frequencies(Key::from_char(sent.key).unwrap());
    let tone = |hz: f64, off: f64, dbm: f64| {
        Tone::new(hz * (1.0 + off / 100.0), ZERO_DBM * libm::pow(10.0, dbm / 20.0))
    };
    let mut row = tone(row, sent.off.0, sent.dbm.0);
    let mut column = tone(column, sent.off.1, sent.dbm.1);
    (0..(sent.ms * 8.0) as usize).map(|_| row.advance() + column.advance()).collect()
}

/// White noise of this power a sample, Gaussian enough: twelve uniform ones.
fn noise(rng: &mut Rng, power: f64, samples: usize) -> Vec<f64> {
    let mut one = || (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
    (0..samples).map(|_| one() * power.sqrt()).collect()
}

fn power(sound: &[f64]) -> f64 {
    sound.iter().map(|s| s * s).sum::<f64>() / sound.len() as f64
}

/// The keys heard in `sound` under a law, in packets of 20 ms.
fn heard_under(codec: Codec, sound: &[f64]) -> String {
    let samples: Vec<i16> = sound.iter().map(|s| s.round().clamp(-32_768.0, 32_767.0) as i16).collect();
    let (mut detector, mut keys) = (InbandDetector::new(), String::new());
    let (mut payload, mut decoded) = ([0; 160], [0; 160]);
    for (n, packet) in (0u32..).zip(samples.chunks(160)) {
        let n_bytes = codec.encode(packet, &mut payload);
        codec.decode(&payload[..n_bytes], &mut decoded);
        keys.extend(detector.packet((1, 160 * n), &decoded[..n_bytes]).map(Key::as_char));
    }
    keys
}

/// The same under both laws, in every alignment to our blocks that makes a difference.
fn heard(sound: &[f64]) -> String {
    let mut all = std::collections::BTreeSet::new();
    for lead in [0.0, 1.0, 2.5, 3.7, 11.0, 17.4] {
        let sound = [silence(40.0 + lead), sound.to_vec(), silence(60.0)].concat();
        all.insert(heard_under(Codec::Pcmu, &sound));
        all.insert(heard_under(Codec::Pcma, &sound));
    }
    assert_eq!(all.len(), 1, "it depends on the moment or the law: {all:?}");
    all.pop_first().unwrap()
}

/// Whether each of all keys is heard, once and as it is; panics when some are and some are not.
fn all_heard(change: impl Fn(&mut Sent)) -> bool {
    let mut found = Vec::new();
    for key in all_keys() {
        let mut sent = Sent::new(key);
        change(&mut sent);
        let heard = heard(&tones(sent));
        assert!(heard.is_empty() || heard == key.to_string(), "{key} was heard as {heard}");
        found.push((key, !heard.is_empty()));
    }
    let yes = found.iter().filter(|f| f.1).count();
    assert!(yes == 0 || yes == 16, "only some: {found:?}");
    yes == 16
}

#[test]
fn every_key_is_heard_once() {
    let sound: Vec<f64> = all_keys().flat_map(|k| [tones(Sent::new(k)), silence(60.0)].concat()).collect();
    assert_eq!(heard(&sound), "0123456789ABCD*#");
}

#[test]
fn frequencies_off_by_1_5_percent_are_taken_and_by_3_5_refused() {
    for off in [(1.5, 1.5), (-1.5, -1.5), (1.5, -1.5), (-1.5, 1.5), (1.8, 0.0), (0.0, -1.8)] {
        assert!(all_heard(|s| s.off = off), "{off:?}");
    }
    for off in [(3.5, 0.0), (-3.5, 0.0), (0.0, 3.5), (0.0, -3.5), (3.5, -3.5), (5.0, 5.0)] {
        assert!(!all_heard(|s| s.off = off), "{off:?}");
    }
}

#[test]
fn levels_from_0_to_minus_24_dbm_are_taken_and_minus_30_is_refused() {
    for dbm in [0.0, -3.0, -10.0, -20.0, -24.0, -25.0] {
        assert!(all_heard(|s| s.dbm = (dbm, dbm)), "{dbm}");
    }
    assert!(!all_heard(|s| s.dbm = (-30.0, -30.0)));
}

#[test]
fn a_column_4_db_stronger_or_8_db_weaker_is_taken_and_one_10_or_14_is_refused() {
    for dbm in [(-12.0, -8.0), (-8.0, -16.0), (-24.0, -20.0), (-16.0, -24.0), (-4.0, 0.0), (0.0, -8.0)] {
        assert!(all_heard(|s| s.dbm = dbm), "{dbm:?}");
    }
    for dbm in [(-15.0, -5.0), (-5.0, -19.0)] {
        assert!(!all_heard(|s| s.dbm = dbm), "{dbm:?}");
    }
}

#[test]
fn forty_milliseconds_are_a_key_and_less_than_23_are_none() {
    for ms in [40.0, 41.3, 50.0, 100.0, 3_000.0] {
        assert!(all_heard(|s| s.ms = ms), "{ms} ms");
    }
    for ms in [5.0, 10.0, 20.0, 22.9] {
        assert!(!all_heard(|s| s.ms = ms), "{ms} ms");
    }
}

#[test]
fn a_pause_of_40_ms_makes_two_keys_and_an_interruption_of_10_makes_none() {
    let (one, two) = (tones(Sent { ms: 40.0, ..Sent::new('5') }), tones(Sent { ms: 40.0, ..Sent::new('8') }));
    assert_eq!(heard(&[one.clone(), silence(40.0), one.clone()].concat()), "55");
    assert_eq!(heard(&[one.clone(), silence(40.0), two].concat()), "58");
    for ms in [1.0, 5.0, 9.9] {
        let long = tones(Sent { ms: 60.0, ..Sent::new('5') });
        assert_eq!(heard(&[long.clone(), silence(ms), long].concat()), "5", "{ms} ms");
    }
}

#[test]
fn ten_keys_a_second_are_ten_keys() {
    let sound: Vec<f64> = "1597534682"
        .chars()
        .flat_map(|k| [tones(Sent { ms: 50.0, ..Sent::new(k) }), silence(50.0)].concat())
        .collect();
    assert_eq!(heard(&sound), "1597534682");
}

#[test]
fn noise_15_db_below_changes_nothing() {
    let mut rng = Rng::from_number(24);
    let mut missed = Vec::new();
    for round in 0..20 {
        for key in all_keys() {
            let clean = tones(Sent { ms: 50.0, ..Sent::new(key) });
            let sound = [silence(30.0), clean.clone(), silence(50.0)].concat();
            let hiss = noise(&mut rng, power(&clean) / libm::pow(10.0, 1.5), sound.len());
            let sound: Vec<f64> = sound.iter().zip(hiss).map(|(a, b)| a + b).collect();
            let heard = heard_under(Codec::ALL[round % 2], &sound);
            if heard != key.to_string() {
                missed.push((key, heard));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_key_that_is_held_through_lost_packets_is_one_key() {
    let sound: Vec<i16> = tones(Sent { ms: 400.0, ..Sent::new('7') }).iter().map(|s| *s as i16).collect();
    let (mut detector, mut keys) = (InbandDetector::new(), 0);
    for (n, packet) in (0u32..).zip(sound.chunks(160)).filter(|(n, _)| !matches!(n, 8 | 9 | 13)) {
        keys += usize::from(detector.packet((1, (u32::MAX - 500).wrapping_add(160 * n)), packet).is_some());
    }
    assert_eq!(keys, 1);
    assert_eq!(detector.held(), Some(Key::from_char('7').unwrap()));
    detector.packet((1, 9_000), &[0; 160]);
    assert_eq!(detector.held(), None);
}

/// Everything that the shipped voices say, as 8 kHz samples.
fn prompts() -> Vec<(PathBuf, Vec<i16>)> {
    let mut all = Vec::new();
    for folder in ["zh", "en", "music"] {
        for entry in
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("audio").join(folder)).unwrap()
        {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let sound =
                decode_audio(&bytes, PROMPT_MAX).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let samples = to_sample_rate(&sound.samples, sound.rate, SAMPLE_RATE).unwrap();
            all.push((path, samples.iter().map(|s| (s * 32_767.0) as i16).collect()));
        }
    }
    all.sort();
    all
}

#[test]
fn no_recorded_speech_or_music_is_ever_a_key() {
    let prompts = prompts();
    assert!(prompts.len() >= 397, "{}", prompts.len());
    let mut seconds = 0;
    let mut talked_off = Vec::new();
    for (path, sound) in &prompts {
        seconds += sound.len() / 8_000;
        // As loud as it is, and as loud as it can be: a key is never louder than speech then.
        let peak = sound.iter().map(|s| s.unsigned_abs()).max().unwrap_or(1).max(1);
        for gain in [1.0, 30_000.0 / f64::from(peak)] {
            let sound: Vec<f64> = sound.iter().map(|s| f64::from(*s) * gain).collect();
            for codec in [Codec::Pcmu, Codec::Pcma] {
                let keys = heard_under(codec, &sound);
                if !keys.is_empty() {
                    talked_off.push((path.clone(), codec, keys));
                }
            }
        }
    }
    assert!(talked_off.is_empty(), "{talked_off:?}");
    assert!(seconds > 500, "{seconds} s");
}

/// A voice that never was: pulses of a gliding pitch through three gliding formants, and breath.
fn speech_like(seed: u64, seconds: usize) -> Vec<f64> {
    let mut rng = Rng::from_number(seed);
    let mut out = Vec::new();
    let (mut phase, mut memory) = (0.0, [[0.0; 2]; 3]);
    for _ in 0..seconds * 20 {
        // 50 ms of one sound.
        let pitch = 80.0 + 300.0 * rng.unit();
        let formants =
            [250.0 + 800.0 * rng.unit(), 700.0 + 1_600.0 * rng.unit(), 1_800.0 + 1_700.0 * rng.unit()];
        let width = 20.0 + 120.0 * rng.unit();
        let voiced = rng.below(5) > 0;
        for _ in 0..400 {
            phase += pitch / 8_000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase -= pulse;
            let mut x = if voiced { pulse } else { 0.2 * (rng.unit() - 0.5) };
            for (m, hz) in memory.iter_mut().zip(formants) {
                let r = libm::exp(-std::f64::consts::PI * width / 8_000.0);
                let y = x + 2.0 * r * libm::cos(std::f64::consts::TAU * hz / 8_000.0) * m[0] - r * r * m[1];
                (m[1], m[0]) = (m[0], y);
                x = y * 0.5;
            }
            out.push(x);
        }
    }
    let peak = out.iter().copied().map(f64::abs).fold(0.0, f64::max);
    out.iter().map(|s| s * 25_000.0 / peak).collect()
}

#[test]
fn no_speech_like_sound_is_ever_a_key() {
    for seed in 0..8 {
        let sound = speech_like(seed, 60);
        assert_eq!(heard_under(Codec::ALL[seed as usize % 2], &sound), "", "seed {seed}");
    }
}

#[test]
fn no_chord_of_an_instrument_is_ever_a_key() {
    let mut rng = Rng::from_number(440);
    let mut sound = Vec::new();
    for _ in 0..2_000 {
        // 100 ms of one to four notes of the tempered scale, with the harmonics of a string.
        let mut tones = Vec::new();
        for _ in 0..=rng.below(4) {
            let note = 110.0 * libm::pow(2.0, rng.below(48) as f64 / 12.0);
            for n in 1..=4 {
                let hz = note * f64::from(n);
                if hz < 3_900.0 {
                    tones.push(Tone::new(hz, 6_000.0 / f64::from(n) * (0.5 + rng.unit())));
                }
            }
        }
        sound.extend((0..800).map(|_| tones.iter_mut().map(Tone::advance).sum::<f64>()));
    }
    assert_eq!(heard_under(Codec::Pcmu, &sound), "");
}

#[test]
fn tones_of_the_network_are_no_keys() {
    // Dial, ring-back, busy in China, America, Europe; a fax; one tone of a key alone; three of them.
    for hz in [
        &[450.0][..],
        &[350.0, 440.0],
        &[440.0, 480.0],
        &[480.0, 620.0],
        &[425.0],
        &[1_100.0],
        &[2_100.0],
        &[697.0],
        &[1_336.0],
        &[697.0, 770.0],
        &[1_209.0, 1_336.0],
        &[697.0, 770.0, 1_209.0],
        &[770.0, 1_209.0, 1_477.0],
    ] {
        let mut tones: Vec<Tone> = hz.iter().map(|f| Tone::new(*f, 6_000.0)).collect();
        let sound: Vec<f64> = (0..8_000).map(|_| tones.iter_mut().map(Tone::advance).sum()).collect();
        assert_eq!(heard_under(Codec::Pcma, &sound), "", "{hz:?}");
    }
}

#[test]
#[expect(clippy::cast_possible_wrap, reason = "any 16 bits are a sample")]
fn no_packets_can_hurt() {
    let (mut detector, mut rng) = (InbandDetector::new(), Rng::from_number(5));
    for _ in 0..5_000 {
        let sound: Vec<i16> = (0..rng.below(500)).map(|_| (rng.next_u32() & 0xFFFF) as u16 as i16).collect();
        detector.packet((rng.below(2) as u32, rng.next_u32()), &sound);
    }
    assert!(size_of::<InbandDetector>() <= 1_344, "{}", size_of::<InbandDetector>());
}
