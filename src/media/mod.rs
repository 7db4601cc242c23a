//! STUDIO: sound. Prompts, tones, codecs, mixing, and [`MediaPlane`], the machine that decides what each leg hears.
//!
//! Control and media speak only in [`MediaCommand`] and [`MediaEvent`]. Everything is 8 kHz mono ([`SAMPLE_RATE`]).
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "samples: bounded by saturation before they are narrowed"
)]
mod codec;
mod command;
mod decode;
mod frame;
mod mixer;
mod prompt;
mod resample;
mod tone;

pub use command::{Codec, LegFigures, MediaCommand, MediaEvent, RemoteMedia};
pub use decode::{AudioError, Sound, decode_audio};
pub use frame::{
    FRAME, FRAME_SAMPLES, Frame, PACKET_SAMPLES_MAX, PTIME_MAX, PTIME_MIN, SAMPLE_RATE, SAMPLES_PER_MS,
    duration_of, packet_duration, samples_in,
};
pub use mixer::Mixer;
pub use prompt::{GAP, PROMPT_MAX, Prompt, PromptLibrary};
pub use tone::{Chord, Goertzel, Tone, ToneMeter, amplitude, key_frequencies};
