//! Sounds that are not words, made from nothing, so that anybody may use them: hold music, tones, silence.
use std::f64::consts::TAU;

use super::voice::{RATE, level, twelve_bits};

/// The sound of a prompt without words.
pub(super) fn sound(id: &str) -> Option<Vec<i16>> {
    match id {
        "music" => Some(music()),
        // GB/T 3380: 450 Hz, 1 s of 5 s.
        "ringback" => Some(tone(450.0, 1.0, 4.0, 1)),
        // GB/T 3380: 450 Hz, 0.35 s of 0.7 s.
        "busy" => Some(tone(450.0, 0.35, 0.35, 6)),
        // Two short notes, a fifth apart.
        "listen-only" => Some([tone(660.0, 0.12, 0.03, 1), tone(440.0, 0.12, 0.03, 1)].concat()),
        "heard-again" => Some([tone(440.0, 0.12, 0.03, 1), tone(660.0, 0.12, 0.03, 1)].concat()),
        "pause" => Some(vec![0; samples(0.22)]),
        _ => None,
    }
}

fn samples(seconds: f64) -> usize {
    (seconds * f64::from(RATE)) as usize
}

/// A call-progress tone at about -19 dB, `times` on and off.
fn tone(hz: f64, on_s: f64, off_s: f64, times: usize) -> Vec<i16> {
    let on = samples(on_s);
    let one = (0..on + samples(off_s)).map(|i| {
        let edge = (i.min(on.saturating_sub(i)) as f64 / 80.0).min(1.0);
        if i < on { twelve_bits(0.11 * edge * (TAU * hz * i as f64 / f64::from(RATE)).sin()) } else { 0 }
    });
    one.collect::<Vec<_>>().repeat(times)
}

/// One bar of the music: six seconds of a chord, as keys of a piano (60 is the middle C).
const BAR_S: f64 = 6.0;
const CHORDS: [[u8; 4]; 8] = [
    [60, 64, 67, 71], // C major seventh
    [57, 64, 67, 72], // A minor seventh
    [65, 69, 72, 76], // F major seventh
    [62, 67, 71, 76], // G sixth
    [64, 67, 71, 74], // E minor seventh
    [57, 64, 67, 72], // A minor seventh
    [62, 65, 69, 72], // D minor seventh
    [62, 65, 67, 72], // G seventh, suspended
];
/// Which note of the chord is plucked on each of the eight beats of a bar, an octave up.
const BEATS: [usize; 8] = [0, 1, 2, 3, 2, 3, 1, 2];

/// 48 seconds of slow chords and plucked notes. What sounds over the end goes on at the beginning, so that it can be
/// played round and round; and it stays within 250-1600 Hz, which every telephone carries.
fn music() -> Vec<i16> {
    let mut loop_ = vec![0.0; samples(BAR_S * CHORDS.len() as f64)];
    for (bar, chord) in CHORDS.iter().enumerate() {
        let start = BAR_S * bar as f64;
        for key in chord {
            add(&mut loop_, start, BAR_S + 2.0, |t| swell(t) * (pad(*key, t, 1.002) + pad(*key, t, 0.998)));
        }
        for (beat, note) in BEATS.iter().enumerate() {
            let key = chord[*note] + 12;
            let at = start + BAR_S / 8.0 * beat as f64;
            add(&mut loop_, at, 3.0, |t| 0.9 * pluck(t) * pad(key, t, 1.0));
        }
    }
    let loudest = loop_.iter().fold(0.0_f64, |peak, s: &f64| peak.max(s.abs()));
    let even: Vec<f64> = loop_.iter().map(|s| s / loudest * 0.5).collect();
    level(&even)
}

/// Adds a sound of `length_s` at `start_s`, round the end of the loop.
fn add(loop_: &mut [f64], start_s: f64, length_s: f64, sound: impl Fn(f64) -> f64) {
    let (start, round) = (samples(start_s), loop_.len());
    for i in 0..samples(length_s) {
        loop_[(start + i) % round] += sound(i as f64 / f64::from(RATE));
    }
}

/// A soft voice: the note and a little of its octave.
fn pad(key: u8, t: f64, detune: f64) -> f64 {
    let hz = 440.0 * ((f64::from(key) - 69.0) / 12.0).exp2() * detune;
    (TAU * hz * t).sin() + 0.18 * (2.0 * TAU * hz * t).sin()
}

/// Rises for a second and a half, falls in the last two.
fn swell(t: f64) -> f64 {
    0.5 * (t / 1.5).min(1.0) * ((BAR_S + 2.0 - t) / 2.0).clamp(0.0, 1.0)
}

fn pluck(t: f64) -> f64 {
    (t / 0.012).min(1.0) * (-t * 1.8).exp() * ((3.0 - t) / 0.5).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_is_a_loop_of_the_asked_length_without_a_step_at_its_ends() {
        let music = sound("music").unwrap();
        assert_eq!(music.len(), 48 * 16_000);
        let step = i32::from(music[0]) - i32::from(music[music.len() - 1]);
        assert!(step.abs() < 1_000, "{step}");
        assert!(music.iter().any(|s| s.abs() > 3_000));
    }

    #[test]
    fn tones_last_as_long_as_the_standard_says() {
        assert_eq!(sound("ringback").unwrap().len(), 5 * 16_000);
        assert_eq!(sound("busy").unwrap().len(), 6 * 11_200);
        assert_eq!(sound("unheard-of"), None);
    }
}
