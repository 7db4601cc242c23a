//! From sentences to a prompt: sox resamples and trims, we join and level, flac packs.
//!
//! A sentence of the other script is spoken by the other language's voice: "For English, press 9." among Mandarin.
use std::path::Path;

use super::loudness::loudness;
use super::neural::{self, Speakers};
use super::pipe::piped;
use super::toml::{self, Value};
use crate::run::{Result, command, output};

/// Samples a second of what is made.
pub(super) const RATE: u32 = 16_000;
/// How loud each is, in LUFS: what a telephone carries well, with room for its peaks.
const LOUDNESS: f64 = -21.0;
/// No sample is above this.
const PEAK: f64 = 0.8;
/// Between two sentences of one prompt, in samples: 300 ms.
const BETWEEN: usize = 4_800;
/// Sound fades in and out over this many samples: 4 ms.
const FADE: usize = 64;

/// How to speak.
#[derive(Debug)]
pub(super) struct Voice {
    /// What the synthesiser would say wrongly -> how to write it for it.
    spellings: Vec<(String, String)>,
}

impl Voice {
    /// With the spellings of `audio/pronounce.toml`.
    pub(super) fn new(pronounce: &str) -> Result<Self> {
        let mut root = toml::read(pronounce).map_err(|e| format!("audio/pronounce.toml, {e}"))?;
        let Some(Value::Table(table)) = root.remove("zh") else {
            return Err("audio/pronounce.toml has no [zh]".into());
        };
        let mut spellings: Vec<_> = table
            .into_iter()
            .filter_map(
                |(word, value)| if let Value::Text(spelt) = value { Some((word, spelt)) } else { None },
            )
            .collect();
        spellings.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Ok(Self { spellings })
    }

    /// What the synthesiser is given for `text`: the longest words first.
    pub(super) fn spelt(&self, language: &str, text: &str) -> String {
        if language != "zh" {
            return text.to_owned();
        }
        self.spellings.iter().fold(text.to_owned(), |text, (word, spelt)| text.replace(word, spelt))
    }
}

/// Joins the sentences of `spoken`, which are all kept; samples at [`RATE`].
pub(super) fn speak(language: &str, spoken: &str, speakers: &Speakers) -> Result<Vec<i16>> {
    let mut sound = Vec::new();
    for (language, sentence) in sentences(language, spoken) {
        if !sound.is_empty() {
            sound.resize(sound.len() + BETWEEN, 0.0);
        }
        sound.extend(sentence_sound(&neural::kept(
            language,
            &speakers.of(language)?.saying(&sentence),
            &sentence,
        ))?);
    }
    if sound.is_empty() {
        return Err(format!("nothing was spoken for {spoken:?}"));
    }
    Ok(level(&sound))
}

/// The sentences of a text, each with the language of its script; one that stands in many prompts is spoken once.
pub(super) fn sentences<'l>(language: &'l str, text: &str) -> Vec<(&'l str, String)> {
    let sentences = text.split_inclusive(['。', '.', '？', '?', '！', '!']).map(str::trim);
    sentences.filter(|s| !s.is_empty()).map(|s| (script(language, s), s.to_owned())).collect()
}

fn script<'l>(language: &'l str, sentence: &str) -> &'l str {
    let mandarin = sentence.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    // Pinyin in a spelling has its tone right behind it: `huan2`.
    let tones = sentence.as_bytes().windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_digit());
    match (mandarin || tones, sentence.chars().any(|c| c.is_ascii_alphabetic())) {
        (true, _) => "zh",
        (false, true) => "en",
        (false, false) => language,
    }
}

/// A sentence as it was kept, as samples between -1 and 1, without silence at either end.
fn sentence_sound(kept: &Path) -> Result<Vec<f64>> {
    let file = kept.to_string_lossy().into_owned();
    let silence = ["silence", "1", "0.005", "0.3%", "reverse"];
    let mut steps =
        vec!["-V1", &file, "-r", "16000", "-c", "1", "-b", "16", "-e", "signed", "-L", "-t", "raw", "-"];
    // Below is what no telephone carries; sound is dithered nowhere, so that it comes out the same each time.
    steps.extend(["highpass", "120"]);
    steps.extend(silence.iter().chain(&silence));
    let raw = output(command("sox", &[&["-D"], steps.as_slice()].concat()))?;
    Ok(raw.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect())
}

/// Levels by EBU R 128, fades the ends, and keeps the 12 bits that a telephone can carry: half the size, and nobody hears
/// the rest.
pub(super) fn level(sound: &[f64]) -> Vec<i16> {
    let peak = sound.iter().fold(0.0_f64, |peak, s| peak.max(s.abs()));
    let gain =
        loudness(sound, RATE).map_or(1.0, |loud| 10_f64.powf((LOUDNESS - loud) / 20.0).min(PEAK / peak));
    let fade = |i: usize| (i.min(sound.len() - 1 - i) as f64 / FADE as f64).min(1.0);
    sound.iter().enumerate().map(|(i, s)| twelve_bits(s * gain * fade(i))).collect()
}

/// A sample between -1 and 1 in 16 bits, of which the lowest four are zero.
pub(super) fn twelve_bits(sample: f64) -> i16 {
    (sample * 2_047.0).round().clamp(-2_048.0, 2_047.0) as i16 * 16
}

/// Packs samples; without padding and seek table, which are larger than a short prompt.
pub(super) fn write_flac(path: &Path, samples: &[i16]) -> Result {
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let file = path.to_string_lossy().into_owned();
    let mut words = vec!["--silent", "--force", "-8", "--no-padding", "--no-seektable", "--force-raw-format"];
    words.extend(["--endian=little", "--sign=signed", "--channels=1", "--bps=16", "--sample-rate=16000"]);
    words.extend(["-o", &file, "-"]);
    piped(command("flac", &words), &bytes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sentence_is_spoken_in_the_language_of_its_script() {
        let text = "普通话，请按 1。For English, press 2. 重听，请按 3。";
        let expected =
            [("zh", "普通话，请按 1。"), ("en", "For English, press 2."), ("zh", "重听，请按 3。")];
        assert_eq!(sentences("zh", text), expected.map(|(l, s)| (l, s.to_owned())));
        assert_eq!(sentences("zh", "huan2kuan3")[0].0, "zh");
        assert_eq!(sentences("en", "1")[0].0, "en");
    }

    #[test]
    fn the_longest_word_is_spelt_first() {
        let voice = Voice::new("[zh]\n\"还\" = \"hai2\"\n\"还款\" = \"huan2kuan3\"\n").unwrap();
        assert_eq!(voice.spelt("zh", "还有还款"), "hai2有huan2kuan3");
        assert_eq!(voice.spelt("en", "还"), "还");
    }

    #[test]
    fn a_quiet_and_a_loud_speaker_come_out_alike() {
        let tone =
            |gain: f64| -> Vec<f64> { (0..16_000).map(|i| gain * (f64::from(i) * 0.2).sin()).collect() };
        let power = |s: &[i16]| s.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        let (quiet, loud) = (power(&level(&tone(0.05))), power(&level(&tone(0.7))));
        assert!((quiet / loud - 1.0).abs() < 0.2, "{quiet} {loud}");
        assert_eq!(level(&[0.0; 400]), [0; 400]);
    }
}
