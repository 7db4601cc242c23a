//! Makes a sound that somebody or something spoke like the others: cut to what is said, as loud as they are, a WAV file.
#![expect(
    clippy::cast_possible_truncation,
    reason = "samples: bounded by saturation before they are narrowed"
)]
use std::time::Duration;

use crate::base::is_chinese;
use crate::exchange::menu::{QUIET_DB, SILENCE_MAX};
use crate::media::{Codec, Prompt, Sound, listen_to};

/// As loud as that where there is nothing to compare with, in dB below full scale: as the shipped prompts are.
pub(super) const USUAL_DB: f32 = -20.0;
/// No louder and no quieter, whatever the others are.
const SANE_DB: (f32, f32) = (-30.0, -12.0);
/// The highest top after that: 0.5 dB below the highest there is.
const TOP: f32 = 0.944;
/// What is this much quieter than the loudest, before and after the words, is none of them: 40 dB.
const FAINT: f32 = 0.01;
/// So much of it stays, for the breath.
const BREATH: Duration = Duration::from_millis(60);
/// The rate of what is played, in Hz.
const PLAYED_RATE: u32 = 8_000;
/// Nobody says a Chinese character in less, nor any other letter in less than a quarter of it.
const CHARACTER: Duration = Duration::from_millis(60);

/// How loud the prompts are that callers hear beside it: the middle one of them.
pub(super) fn level_of<'p>(prompts: impl Iterator<Item = &'p Prompt>) -> f32 {
    let mut levels: Vec<f32> = prompts.filter_map(heard_level).collect();
    levels.sort_by(f32::total_cmp);
    levels.get(levels.len() / 2).copied().unwrap_or(USUAL_DB).clamp(SANE_DB.0, SANE_DB.1)
}

fn heard_level(prompt: &Prompt) -> Option<f32> {
    let mut samples = vec![0; prompt.samples()];
    Codec::Pcma.decode(prompt.payload(Codec::Pcma), &mut samples);
    let samples = samples.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    let verdict = listen_to(&Sound { rate: PLAYED_RATE, samples });
    (!verdict.silent).then_some(verdict.level_db)
}

/// What is kept of what was spoken: judged, cut, and as loud as `level_db`; why it is no banner, for people.
pub(super) fn made(sound: &Sound, words: &str, level_db: f32) -> Result<Sound, String> {
    let said = said_part(sound);
    judge(&said, words)?;
    level(&said, level_db)
}

/// Whether these words were said in it; why not, for people.
fn judge(sound: &Sound, words: &str) -> Result<(), String> {
    let verdict = listen_to(sound);
    if verdict.silent {
        return Err("it is silent".to_owned());
    }
    if verdict.clipped {
        return Err("it is clipped: its loudest parts are cut off".to_owned());
    }
    if verdict.pause.1 > SILENCE_MAX {
        return Err(format!("it is silent for {:.1} s on the way", verdict.pause.1.as_secs_f32()));
    }
    let (lasts, least) = (sound.duration(), shortest(words));
    if lasts < least {
        let (lasts, least) = (lasts.as_secs_f32(), least.as_secs_f32());
        return Err(format!("it lasts {lasts:.1} s; nobody says these words in less than {least:.1} s"));
    }
    Ok(())
}

/// Nobody speaks faster.
fn shortest(words: &str) -> Duration {
    let quarters: u32 =
        words.chars().filter(|c| c.is_alphanumeric()).map(|c| if is_chinese(c) { 4 } else { 1 }).sum();
    CHARACTER * quarters / 4
}

/// As loud as `level_db`; as loud as it can be where its tops forbid that.
fn level(said: &Sound, level_db: f32) -> Result<Sound, String> {
    let verdict = listen_to(said);
    let peak = said.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let gain = libm::powf(10.0, (level_db - verdict.level_db) / 20.0).min(TOP / peak.max(f32::MIN_POSITIVE));
    let made = Sound { rate: said.rate, samples: said.samples.iter().map(|s| s * gain).collect() };
    let is = listen_to(&made).level_db;
    if is < QUIET_DB { Err(format!("it is too quiet: {is:.0} dB below full scale")) } else { Ok(made) }
}

/// What is said, with a breath before and after.
fn said_part(sound: &Sound) -> Sound {
    let frame = (sound.rate as usize / 100).max(1);
    let peak_of = |frame: &[f32]| frame.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let peaks: Vec<f32> = sound.samples.chunks(frame).map(peak_of).collect();
    let loudest = peaks.iter().fold(0.0_f32, |most, peak| most.max(*peak));
    let is_said = |peak: &f32| *peak > loudest * FAINT;
    let breath = BREATH.as_millis() as usize * sound.rate as usize / 1_000;
    let first = peaks.iter().position(is_said).unwrap_or(0) * frame;
    let last = peaks.iter().rposition(is_said).map_or(sound.samples.len(), |n| (n + 1) * frame);
    let (begin, end) = (first.saturating_sub(breath), (last + breath).min(sound.samples.len()));
    Sound { rate: sound.rate, samples: sound.samples.get(begin..end).unwrap_or_default().to_vec() }
}

/// A mono WAV file of 16 bits.
pub(super) fn wav(sound: &Sound) -> Vec<u8> {
    let data = u32::try_from(sound.samples.len() * 2).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(sound.samples.len() * 2 + 44);
    file.extend(b"RIFF");
    file.extend(data.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        file.extend(half.to_le_bytes());
    }
    file.extend(sound.rate.to_le_bytes());
    file.extend((sound.rate * 2).to_le_bytes());
    for half in [2_u16, 16] {
        file.extend(half.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    let whole = |s: &f32| (s * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
    file.extend(sound.samples.iter().map(whole).flat_map(i16::to_le_bytes));
    file
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "test tones: small numbers")]
mod tests {
    use super::*;
    use crate::base::{Language, PromptId};
    use crate::media::{PROMPT_MAX, PromptLibrary, decode_audio};

    const RATE: u32 = 22_050;

    /// A voice-like tone of a height, with silence before and after.
    fn spoken(seconds: f32, height: f32) -> Sound {
        let silence = vec![0.0; RATE as usize / 2];
        let at = |n: usize| {
            let t = n as f32 / RATE as f32;
            height * (0.6 + 0.4 * libm::sinf(t * 25.0)) * libm::sinf(t * 1_300.0)
        };
        let voice: Vec<f32> =
            (0..10 * RATE as usize).take_while(|n| (*n as f32) < seconds * RATE as f32).map(at).collect();
        Sound { rate: RATE, samples: [silence.clone(), voice, silence].concat() }
    }

    #[test]
    fn it_is_as_loud_as_it_is_wanted_and_what_nobody_says_is_cut_off() {
        for height in [0.02, 0.3, 0.9] {
            let made = made(&spoken(2.0, height), "Payments are down.", -20.0).unwrap();
            let heard = listen_to(&made);
            assert!((heard.level_db + 20.0).abs() < 0.5 && !heard.clipped, "{height}: {heard:?}");
            assert!((2_000..2_200).contains(&made.duration().as_millis()), "{:?}", made.duration());
        }
        let loud = level(&spoken(2.0, 0.3), -2.0).unwrap();
        assert!(!listen_to(&loud).clipped, "its tops stay below the highest there is");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let made = level(&spoken(1.0, 0.5), -20.0).unwrap();
        let read = decode_audio(&wav(&made), PROMPT_MAX).unwrap();
        assert_eq!((read.rate, read.samples.len()), (RATE, made.samples.len()));
        let off =
            read.samples.iter().zip(&made.samples).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(off < 1e-3, "{off}");
    }

    #[test]
    fn silence_clipping_long_pauses_and_too_few_words_are_no_banner() {
        let words = "Payments are down.";
        let told = |sound: &Sound| judge(sound, words).unwrap_err();
        assert!(judge(&spoken(1.0, 0.5), words).is_ok());
        assert!(told(&Sound { rate: RATE, samples: vec![0.0; 40_000] }).contains("silent"));
        let driven = spoken(1.0, 5.0).samples.into_iter().map(|s| s.clamp(-1.0, 1.0)).collect();
        assert!(told(&Sound { rate: RATE, samples: driven }).contains("clipped"));
        let (mut paused, more) = (spoken(1.0, 0.5), spoken(1.0, 0.5));
        paused.samples.extend(vec![0.0; 3 * RATE as usize]);
        paused.samples.extend(more.samples);
        assert!(told(&paused).contains("on the way"), "{}", told(&paused));
        let beep = Sound { rate: RATE, samples: spoken(0.1, 0.5).samples[11_025..13_230].to_vec() };
        assert!(told(&beep).contains("lasts 0.1 s"), "{}", told(&beep));
        assert!(judge(&spoken(1.0, 0.5), &"系统故障".repeat(10)).is_err(), "forty characters in two seconds");
    }

    #[test]
    fn it_is_measured_at_the_middle_one_of_the_prompts() {
        assert!((level_of(std::iter::empty()) - USUAL_DB).abs() < 0.01);
        let mut library = PromptLibrary::default();
        for (name, db) in [("a", -26.0), ("b", -18.0), ("c", -17.0)] {
            let bytes = wav(&level(&spoken(1.0, 0.5), db).unwrap());
            library.add(Language::English, PromptId::from(name), &bytes).unwrap();
        }
        let is = level_of(library.iter().map(|(_, _, prompt)| &**prompt));
        assert!((is + 18.0).abs() < 1.0, "{is}");
    }
}
