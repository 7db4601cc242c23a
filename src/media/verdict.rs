//! How a recording sounds, in figures: whether anything is heard, how loud it is spoken, whether it is clipped, where it
//! pauses. For who checks recordings; nothing of it is needed to play them.
use std::time::Duration;

use crate::media::Sound;

/// Frames of 20 ms.
const FRAMES_PER_SECOND: usize = 50;
/// A sound whose loudest sample is below this (-50 dB) is silence.
const SILENT: f32 = 0.003;
/// A frame this far below the loudest, or below `SILENT`, is a pause: 46 dB.
const PAUSE: f32 = 0.005;
/// Frames within 25 dB of the loudest are speech.
const SPEECH: f32 = 0.056;
/// So many samples of one height at the top are cut off, not round.
const FLAT: usize = 4;
/// So many flat tops are no chance.
const FLAT_TOPS: usize = 4;

/// How a sound is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Nothing can be heard.
    pub silent: bool,
    /// The level of its speech in dB below full scale.
    pub level_db: f32,
    /// Its loudest parts are cut off.
    pub clipped: bool,
    /// Its longest pause: where it begins, how long it lasts.
    pub pause: (Duration, Duration),
}

/// Listens to all of it.
pub fn listen_to(sound: &Sound) -> Verdict {
    let peak = sound.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let frame = (sound.rate as usize / FRAMES_PER_SECOND).max(1);
    let levels: Vec<f32> = sound.samples.chunks(frame).map(rms).collect();
    let loudest = levels.iter().fold(0.0_f32, |most, level| most.max(*level));
    let (begin, frames) = longest(&levels, |level| level < (loudest * PAUSE).max(SILENT / 2.0));
    let time = |frames: usize| Duration::from_millis(frames as u64 * 1_000 / FRAMES_PER_SECOND as u64);
    Verdict {
        silent: peak < SILENT,
        level_db: speech_level(&levels, loudest),
        clipped: is_clipped(&sound.samples, peak),
        pause: (time(begin), time(frames)),
    }
}

fn rms(frame: &[f32]) -> f32 {
    let energy: f32 = frame.iter().map(|s| s * s).sum();
    (energy / frame.len().max(1) as f32).sqrt()
}

/// The mean energy of the frames that are spoken.
fn speech_level(levels: &[f32], loudest: f32) -> f32 {
    let spoken: Vec<f32> = levels.iter().copied().filter(|l| *l >= loudest * SPEECH).collect();
    let energy: f32 = spoken.iter().map(|l| l * l).sum::<f32>() / spoken.len().max(1) as f32;
    if energy > 0.0 { 10.0 * libm::log10f(energy) } else { -120.0 }
}

/// Whether many tops of the wave are flat at the very height of the loudest.
fn is_clipped(samples: &[f32], peak: f32) -> bool {
    let top = peak * 0.999_5;
    let (mut run, mut flat) = (0, 0);
    for sample in samples {
        run = if sample.abs() >= top { run + 1 } else { 0 };
        flat += usize::from(run == FLAT);
    }
    peak >= 0.25 && flat >= FLAT_TOPS
}

/// The longest stretch of which `holds` is true: where it begins, how many.
fn longest(levels: &[f32], holds: impl Fn(f32) -> bool) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (n, level) in levels.iter().enumerate() {
        run = if holds(*level) { run + 1 } else { 0 };
        if run > best.1 {
            best = (n + 1 - run, run);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    /// A voice-like tone: swelling and sinking, of a height.
    fn voice(milliseconds: usize, height: f32) -> Vec<f32> {
        let count = milliseconds * RATE as usize / 1_000;
        let at = |n: usize| {
            let t = n as f32 / RATE as f32;
            let swell = 0.6 + 0.4 * libm::sinf(t * 25.0);
            height * swell * libm::sinf(t * 2.0 * std::f32::consts::PI * 211.0)
        };
        (0..count).map(at).collect()
    }

    fn verdict(samples: Vec<f32>) -> Verdict {
        listen_to(&Sound { rate: RATE, samples })
    }

    #[test]
    fn a_good_recording_is_good() {
        let v = verdict(voice(3_000, 0.5));
        assert!(!v.silent && !v.clipped, "{v:?}");
        assert!((-20.0..-5.0).contains(&v.level_db), "{v:?}");
        assert!(v.pause.1 < Duration::from_millis(200), "{v:?}");
    }

    #[test]
    fn silence_is_silent_and_a_whisper_is_quiet() {
        assert!(verdict(vec![0.0; 16_000]).silent);
        assert!(verdict(Vec::new()).silent);
        let whisper = verdict(voice(2_000, 0.01));
        assert!(!whisper.silent && whisper.level_db < -40.0, "{whisper:?}");
    }

    #[test]
    fn a_voice_driven_too_far_is_clipped_also_after_it_was_turned_down() {
        let driven: Vec<f32> = voice(2_000, 4.0).into_iter().map(|s| s.clamp(-1.0, 1.0)).collect();
        assert!(verdict(driven.clone()).clipped);
        assert!(verdict(driven.into_iter().map(|s| s * 0.5).collect()).clipped);
    }

    #[test]
    fn the_longest_pause_is_found() {
        let mut samples = voice(1_000, 0.5);
        samples.extend(vec![0.000_1; 40_000]);
        samples.extend(voice(1_000, 0.5));
        let (at, lasts) = verdict(samples).pause;
        assert!((900..1_100).contains(&at.as_millis()), "{at:?}");
        assert!((2_400..2_600).contains(&lasts.as_millis()), "{lasts:?}");
    }
}
