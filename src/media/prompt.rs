//! Prompts, decoded once when they are loaded, kept ready to send in every codec, shared by all legs.
//!
//! Invariant: a library does not change once it is in use (it is replaced as a whole, by `Arc`; a leg keeps the one it was
//! opened with, so that what a caller hears fits the menus that he is in); each prompt is a whole
//! number of 20 ms frames (160 bytes in each codec); on the call path nothing is decoded, resampled or encoded.
//! What 16 kHz gives more is kept where the file has it and a codec can carry it.
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Key, Language, PromptId};
use crate::media::Codec;
use crate::media::decode::{AudioError, decode_audio};
use crate::media::frame::{FRAME, FRAME_SAMPLES, SAMPLE_RATE, duration_of};
use crate::media::inband::InbandDetector;
use crate::media::resample::to_sample_rate;

/// The longest prompt: an hour of music. 28.8 MB a codec.
pub const PROMPT_MAX: Duration = Duration::from_hours(1);
/// The silence between two prompts that are played one after the other, unless told otherwise.
pub const GAP: Duration = Duration::from_millis(80);

/// The rate of wide-band sound, in Hz.
const WIDE_RATE: u32 = 16_000;

/// One prompt, ready to send.
#[derive(Debug)]
pub struct Prompt {
    samples: usize,
    pcmu: Box<[u8]>,
    pcma: Box<[u8]>,
    /// Empty where the hotline does not speak it.
    g722: Box<[u8]>,
    /// Where tones of keys are, mostly nowhere.
    keys: Box<[(Range<usize>, Key)]>,
}

impl Prompt {
    /// From samples at 8 kHz, and at 16 kHz where there are any, in the codecs named; the last frame is filled up with
    /// silence.
    fn new(samples: &[i16], wide: Option<&[i16]>, codecs: &[Codec]) -> Self {
        let length = samples.len().max(1).next_multiple_of(FRAME_SAMPLES);
        let whole = |sound: &[i16], length: usize| {
            let mut whole = sound.to_vec();
            whole.resize(length, 0);
            whole
        };
        let narrow = whole(samples, length);
        let encoded = |codec: Codec| {
            if !codecs.contains(&codec) {
                return Box::default();
            }
            if let Some(payload) = wide.and_then(|w| codec.encode_wide(&whole(w, 2 * length))) {
                return payload.into_boxed_slice();
            }
            let mut payload = vec![0; length];
            codec.encode(&narrow, &mut payload);
            payload.into_boxed_slice()
        };
        let (pcmu, pcma, g722) = (encoded(Codec::Pcmu), encoded(Codec::Pcma), encoded(Codec::G722));
        Self { samples: length, pcmu, pcma, g722, keys: keys_in(&narrow) }
    }
    /// A key whose tones are somewhere among these samples.
    pub(super) fn key_within(&self, samples: Range<usize>) -> Option<Key> {
        let found = self.keys.iter().find(|(at, _)| at.start < samples.end && samples.start < at.end)?;
        Some(found.1)
    }
    /// Whether a key's tones are anywhere in it: the hotline would hear the echo of its own words as a key.
    pub fn sounds_like_a_key(&self) -> bool {
        !self.keys.is_empty()
    }
    /// The payload in a codec: 160 bytes a frame; nothing in a codec that the library was not asked for.
    pub fn payload(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
            Codec::G722 => &self.g722,
        }
    }
    /// How many samples it lasts: as many as bytes in each codec.
    pub fn samples(&self) -> usize {
        self.samples
    }
    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        duration_of(self.samples() as u64)
    }
}

/// All prompts of one revision, by language.
#[derive(Debug)]
pub struct PromptLibrary {
    prompts: BTreeMap<Language, BTreeMap<PromptId, Arc<Prompt>>>,
    gap: usize,
    codecs: Vec<Codec>,
}

impl Default for PromptLibrary {
    fn default() -> Self {
        Self::new(GAP)
    }
}

impl PromptLibrary {
    /// An empty library with `gap` of silence between joined prompts (rounded up to whole frames).
    pub fn new(gap: Duration) -> Self {
        let frames = gap.as_nanos().div_ceil(FRAME.as_nanos());
        let frames = usize::try_from(frames).unwrap_or(usize::MAX).min(500);
        let codecs = vec![Codec::Pcmu, Codec::Pcma];
        Self { prompts: BTreeMap::new(), gap: frames * FRAME_SAMPLES, codecs }
    }
    /// An empty one that has ready what is added in these codecs too: G.711 always is.
    #[must_use]
    pub fn also_in(mut self, codecs: &[Codec]) -> Self {
        for codec in codecs {
            if !self.codecs.contains(codec) {
                self.codecs.push(*codec);
            }
        }
        self
    }
    /// Decodes a file and adds it (in place of one of the same name); hands back how long it lasts.
    ///
    /// # Errors
    /// What is wrong with the file; the library is then as before.
    pub fn add(&mut self, language: Language, id: PromptId, file: &[u8]) -> Result<Duration, AudioError> {
        let prompt = self.read(file)?;
        Ok(self.insert(language, id, prompt))
    }
    /// Decodes a file for a library of these codecs, and adds it nowhere.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(&self, file: &[u8]) -> Result<Prompt, AudioError> {
        let sound = decode_audio(file, PROMPT_MAX)?;
        let at = |rate: u32| {
            let samples = to_sample_rate(&sound.samples, sound.rate, rate)
                .map_err(|e| AudioError::Unsupported(format!("{} Hz to {rate} Hz: {e}", sound.rate)))?;
            Ok::<Vec<i16>, AudioError>(samples.iter().map(|s| to_i16(*s)).collect())
        };
        let is_wide = self.codecs.contains(&Codec::G722) && sound.rate > SAMPLE_RATE;
        let wide = is_wide.then(|| at(WIDE_RATE)).transpose()?;
        Ok(Prompt::new(&at(SAMPLE_RATE)?, wide.as_deref(), &self.codecs))
    }
    /// Adds a prompt that another library of the same codecs has: nothing is decoded, and it is in memory once.
    pub fn share(&mut self, language: Language, id: PromptId, prompt: Arc<Prompt>) {
        self.prompts.entry(language).or_default().insert(id, prompt);
    }
    /// Adds sound made by the program, at 8 kHz; hands back how long it lasts.
    pub fn add_samples(&mut self, language: Language, id: PromptId, samples: &[i16]) -> Duration {
        let prompt = Prompt::new(samples, None, &self.codecs);
        self.insert(language, id, prompt)
    }
    fn insert(&mut self, language: Language, id: PromptId, prompt: Prompt) -> Duration {
        let duration = prompt.duration();
        self.prompts.entry(language).or_default().insert(id, Arc::new(prompt));
        duration
    }
    /// A prompt.
    pub fn get(&self, language: Language, id: &PromptId) -> Option<&Arc<Prompt>> {
        self.prompts.get(&language)?.get(id)
    }
    /// Samples of silence between joined prompts.
    pub fn gap_samples(&self) -> usize {
        self.gap
    }
    /// How long these prompts last when joined; a missing one counts nothing.
    pub fn duration(&self, language: Language, prompts: &[PromptId]) -> Duration {
        let found: Vec<usize> =
            prompts.iter().filter_map(|id| self.get(language, id)).map(|p| p.samples()).collect();
        let gaps = found.len().saturating_sub(1) * self.gap;
        duration_of((found.iter().sum::<usize>() + gaps) as u64)
    }
    /// All prompts, in the order of language and name.
    pub fn iter(&self) -> impl Iterator<Item = (Language, &PromptId, &Arc<Prompt>)> {
        self.prompts.iter().flat_map(|(language, all)| all.iter().map(|(id, p)| (*language, id, p)))
    }
    /// The memory that the payloads take, in bytes.
    pub fn bytes(&self) -> usize {
        self.iter().map(|(_, _, p)| p.pcmu.len() + p.pcma.len() + p.g722.len()).sum()
    }
}

/// Where the tones of keys are in a sound, to the frame.
fn keys_in(samples: &[i16]) -> Box<[(Range<usize>, Key)]> {
    let (mut detector, mut found) = (InbandDetector::new(), Vec::<(Range<usize>, Key)>::new());
    for (n, frame) in samples.chunks(FRAME_SAMPLES).enumerate() {
        let end = (n + 1) * FRAME_SAMPLES;
        if let Some(key) = detector.sound(frame) {
            found.push((end.saturating_sub(detector.began() as usize)..end, key));
        } else if detector.held().is_some()
            && let Some((at, _)) = found.last_mut()
        {
            at.end = end;
        }
    }
    found.into_boxed_slice()
}

fn to_i16(x: f32) -> i16 {
    (x * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::amplitude;

    #[test]
    fn a_prompt_is_whole_frames_and_its_rest_is_silence() {
        let mut library = PromptLibrary::default().also_in(&Codec::ALL);
        let id = PromptId::new("beep");
        assert_eq!(library.add_samples(Language::English, id.clone(), &[9_000; 161]), 2 * FRAME);
        let prompt = library.get(Language::English, &id).unwrap();
        for codec in Codec::ALL {
            assert_eq!(prompt.payload(codec).len(), 320);
            let mut samples = [0; 320];
            codec.decode(prompt.payload(codec), &mut samples);
            assert!(samples[260..].iter().all(|s| s.abs() < 40), "{codec:?}");
        }
        assert!(library.get(Language::Mandarin, &id).is_none());
        assert_eq!(library.bytes(), 960);
    }

    #[test]
    fn joined_prompts_last_as_long_as_their_parts_and_the_gaps_and_missing_ones_nothing() {
        let mut library = PromptLibrary::new(Duration::from_millis(70));
        let (a, b) = (PromptId::new("a"), PromptId::new("b"));
        library.add_samples(Language::English, a.clone(), &[0; 160]);
        library.add_samples(Language::English, b.clone(), &[0; 320]);
        let joined = [a, PromptId::new("missing"), b];
        assert_eq!(library.duration(Language::English, &joined), Duration::from_millis(20 + 80 + 40));
        assert_eq!(library.duration(Language::English, &joined[1..2]), Duration::ZERO);
    }

    #[test]
    fn prompts_come_from_every_file_format() {
        let files: [(&str, &[u8]); 6] = [
            ("mu-law", include_bytes!("../../tests/data/audio/mu_law_8k.wav")),
            ("A-law", include_bytes!("../../tests/data/audio/a_law_8k.wav")),
            ("PCM", include_bytes!("../../tests/data/audio/pcm_16k.wav")),
            ("FLAC", include_bytes!("../../tests/data/audio/stereo_22k.flac")),
            ("Vorbis", include_bytes!("../../tests/data/audio/vorbis_44k.ogg")),
            ("MP3", include_bytes!("../../tests/data/audio/mp3_32k.mp3")),
        ];
        for (name, bytes) in files {
            let mut library = PromptLibrary::default().also_in(&[Codec::G722]);
            let duration = library.add(Language::English, PromptId::new("x"), bytes).unwrap();
            assert!((480..=620).contains(&duration.as_millis()), "{name}: {duration:?}");
            let prompt = library.get(Language::English, &PromptId::new("x")).unwrap();
            for codec in Codec::ALL {
                let mut samples = vec![0; prompt.samples()];
                codec.decode(prompt.payload(codec), &mut samples);
                let level = amplitude(&samples[800..3_200], 700.0);
                assert!((level - 16_384.0).abs() < 1_000.0, "{name} {codec:?}: {level}");
            }
        }
    }
}
