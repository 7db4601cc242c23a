//! STUDIO: sound.
mod command;

pub use command::{Codec, LegFigures, MediaCommand, MediaEvent, RemoteMedia};
