//! What a phone says.
use std::sync::Arc;

use crate::media::{FRAME_SAMPLES, Tone};

/// What a phone says, again and again.
#[derive(Debug, Clone, Default)]
pub enum Voice {
    /// Digital silence.
    #[default]
    Silence,
    /// A tone of this frequency in Hz, at a quarter of full scale: a voice that can be told from others.
    Tone(f64),
    /// Samples at 8 kHz, from the beginning again at the end.
    Speech(Arc<[i16]>),
}

/// A voice being spoken.
#[derive(Debug)]
pub(super) enum Mouth {
    Silent,
    Tone(Box<Tone>),
    Speech { samples: Arc<[i16]>, at: usize },
}

impl Mouth {
    pub(super) fn new(voice: &Voice) -> Self {
        match voice {
            Voice::Silence => Self::Silent,
            Voice::Tone(hz) => Self::Tone(Box::new(Tone::new(*hz, 8_000.0))),
            Voice::Speech(samples) if samples.is_empty() => Self::Silent,
            Voice::Speech(samples) => Self::Speech { samples: Arc::clone(samples), at: 0 },
        }
    }

    /// The next 20 ms.
    pub(super) fn frame(&mut self) -> [i16; FRAME_SAMPLES] {
        let mut frame = [0; FRAME_SAMPLES];
        match self {
            Self::Silent => {}
            Self::Tone(tone) => tone.fill(&mut frame),
            Self::Speech { samples, at } => {
                for to in &mut frame {
                    *to = samples.get(*at).copied().unwrap_or(0);
                    *at = if *at + 1 < samples.len() { *at + 1 } else { 0 };
                }
            }
        }
        frame
    }
}
