//! Audio files to samples: WAV (PCM, A-law, mu-law), FLAC, Ogg Vorbis, MP3. The only file that names `symphonia`.
//!
//! Invariant: whatever the bytes are, the result is a sound of bounded length or an error that says what is wrong.
use std::io::{Cursor, ErrorKind};
use std::time::Duration;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Rates that a telephone prompt may be recorded at, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// One packet in so many may be broken: MP3 files are often cut in the middle of one.
const BROKEN_ONE_IN: u64 = 20;

/// Why a file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// No known container: only WAV, FLAC, Ogg and MP3 are read.
    #[error("the file is neither WAV, FLAC, Ogg Vorbis nor MP3")]
    UnknownFormat,
    /// A known container with something inside that is not supported, e.g. Opus or video.
    #[error("the file holds no sound that can be decoded: {0}")]
    Unsupported(String),
    /// The file is damaged.
    #[error("the file is damaged after {at_ms} ms: {what}")]
    Damaged {
        /// How much could be decoded before, in milliseconds.
        at_ms: u64,
        /// What the decoder says.
        what: String,
    },
    /// The rate is absurd.
    #[error("the sample rate {0} Hz is outside 4000-192000 Hz")]
    Rate(u32),
    /// More sound than a prompt may have.
    #[error("the sound is longer than the limit of {limit_s} s")]
    TooLong {
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// A sound without a single sample.
    #[error("the file holds no samples")]
    NoSamples,
}

/// A decoded file: mono, at the file's own rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// The samples, -1.0 to 1.0; several channels were averaged.
    pub samples: Vec<f32>,
}

impl Sound {
    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.samples.len() as u64 * 1_000_000_000 / u64::from(self.rate.max(1)))
    }
}

/// Decodes a whole file that lasts at most `limit`.
pub fn decode_audio(bytes: &[u8], limit: Duration) -> Result<Sound, AudioError> {
    if bytes.is_empty() {
        return Err(AudioError::Empty);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let (format, tags) = (FormatOptions::default(), MetadataOptions::default());
    let mut reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, format, tags)
        .map_err(|_| AudioError::UnknownFormat)?;
    let track = reader.default_track(TrackType::Audio);
    let track = track.ok_or_else(|| AudioError::Unsupported("no audio track".into()))?;
    let id = track.id;
    let params = track.codec_params.as_ref().and_then(|p| p.audio());
    let params = params.ok_or_else(|| AudioError::Unsupported("the track names no audio codec".into()))?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|e| AudioError::Unsupported(e.to_string()))?;
    let mut work = Work { sound: Sound { rate: 0, samples: Vec::new() }, limit, packets: 0, broken: 0 };
    work.run(reader.as_mut(), id, decoder.as_mut())?;
    if work.sound.samples.is_empty() { Err(AudioError::NoSamples) } else { Ok(work.sound) }
}

/// A file that is being decoded.
struct Work {
    sound: Sound,
    limit: Duration,
    packets: u64,
    broken: u64,
}

impl Work {
    fn run(
        &mut self,
        reader: &mut dyn FormatReader,
        track: u32,
        decoder: &mut dyn AudioDecoder,
    ) -> Result<(), AudioError> {
        let mut interleaved: Vec<f32> = Vec::new();
        let mut first_error = None;
        loop {
            let packet = match reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == track => packet,
                Ok(Some(_)) => continue,
                // A chained Ogg stream: the first one is the prompt.
                Ok(None) | Err(Error::ResetRequired) => break,
                Err(Error::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    return Err(self.damaged("the end is missing"));
                }
                Err(e) => return Err(self.damaged(&e.to_string())),
            };
            self.packets += 1;
            match decoder.decode(&packet) {
                Ok(sound) => {
                    let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count());
                    sound.copy_to_vec_interleaved(&mut interleaved);
                    self.take(rate, channels, &interleaved)?;
                }
                Err(Error::DecodeError(what)) => {
                    self.broken += 1;
                    first_error.get_or_insert_with(|| self.damaged(what));
                }
                Err(e) => return Err(self.damaged(&e.to_string())),
            }
        }
        match first_error {
            Some(error) if self.broken * BROKEN_ONE_IN > self.packets => Err(error),
            _ => Ok(()),
        }
    }
    fn take(&mut self, rate: u32, channels: usize, interleaved: &[f32]) -> Result<(), AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate(rate));
        }
        if self.sound.rate != rate && self.sound.rate != 0 {
            return Err(self.damaged("the sample rate changes"));
        }
        self.sound.rate = rate;
        let share = 1.0 / channels.max(1) as f32;
        let mono = interleaved.chunks_exact(channels.max(1)).map(|all| all.iter().sum::<f32>() * share);
        self.sound.samples.extend(mono);
        if self.sound.duration() > self.limit {
            return Err(AudioError::TooLong { limit_s: self.limit.as_secs() });
        }
        Ok(())
    }
    fn damaged(&self, what: &str) -> AudioError {
        let at_ms = u64::try_from(self.sound.duration().as_millis()).unwrap_or(u64::MAX);
        AudioError::Damaged { at_ms, what: what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const WAV: &[u8] = include_bytes!("../../tests/data/audio/pcm_16k.wav");
    const FLAC: &[u8] = include_bytes!("../../tests/data/audio/stereo_22k.flac");
    const OGG: &[u8] = include_bytes!("../../tests/data/audio/vorbis_44k.ogg");
    const MP3: &[u8] = include_bytes!("../../tests/data/audio/mp3_32k.mp3");

    #[test]
    fn a_sound_has_the_rate_and_the_length_of_its_file() {
        let sound = decode_audio(WAV, MINUTE).unwrap();
        assert_eq!((sound.rate, sound.samples.len()), (16_000, 8_000));
        let sound = decode_audio(FLAC, MINUTE).unwrap();
        assert_eq!((sound.rate, sound.samples.len()), (22_050, 11_025));
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        assert_eq!(decode_audio(b"", MINUTE), Err(AudioError::Empty));
        assert_eq!(decode_audio(b"[menu]\nsay = \"hello\"\n", MINUTE), Err(AudioError::UnknownFormat));
        assert_eq!(decode_audio(WAV, Duration::from_millis(400)), Err(AudioError::TooLong { limit_s: 0 }));
        let text = AudioError::Damaged { at_ms: 20, what: "the end is missing".into() }.to_string();
        assert_eq!(text, "the file is damaged after 20 ms: the end is missing");
    }

    #[test]
    fn no_bytes_can_hurt() {
        let mut rng = crate::base::Rng::from_number(11);
        for file in [WAV, FLAC, OGG, MP3] {
            for round in 0..120 {
                let mut bytes = file.to_vec();
                bytes.truncate(usize::try_from(rng.below(file.len() as u64)).unwrap() + 1);
                for _ in 0..round % 12 {
                    let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
                    bytes[at] = (rng.next_u32() & 0xFF) as u8;
                }
                if let Ok(sound) = decode_audio(&bytes, MINUTE) {
                    assert!(!sound.samples.is_empty() && sound.duration() <= MINUTE);
                }
            }
        }
    }
}
