//! STUDIO: sound. Prompts, tones, codecs, mixing, and [`MediaPlane`], the machine that decides what each leg hears.
//!
//! Control and media speak only in [`MediaCommand`] and [`MediaEvent`]. Everything is mixed at 8 kHz mono ([`SAMPLE_RATE`]).
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "samples: bounded by saturation before they are narrowed"
)]
mod codec;
mod command;
mod conceal;
mod decode;
mod frame;
mod hearing;
mod inband;
mod leg;
mod listening;
mod mixer;
mod mouth;
mod noise;
mod outbox;
mod pace;
mod plane;
mod playing;
mod playout;
mod pressing;
mod prompt;
mod quiet;
mod resample;
mod rules;
mod tone;
mod verdict;
mod wakes;
mod watch;

pub use codec::{Decoder, Encoder};
pub use command::{Codec, KeySource, LegFigures, MediaCommand, MediaEvent, RemoteMedia, SoundTypes};
pub use decode::{AudioError, Sound, decode_audio};
pub use frame::{
    FRAME, FRAME_SAMPLES, Frame, PACKET_SAMPLES_MAX, PTIME_MAX, PTIME_MIN, SAMPLE_RATE, SAMPLES_PER_MS,
    duration_of, packet_duration, samples_in,
};
pub use mixer::Mixer;
pub use outbox::MediaTransmit;
pub use plane::{MediaPlane, PlaneFigures};
pub use prompt::{GAP, PROMPT_MAX, Prompt, PromptLibrary};
pub use rules::{InbandKeys, SoundRules};
pub use tone::{Chord, Goertzel, Tone, ToneMeter, amplitude, key_frequencies};
pub use verdict::{Verdict, listen_to};
