//! What ops may choose about sound.
use std::time::Duration;

use crate::rtp::SourceRules;

/// Whether keys are listened for in the sound itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InbandKeys {
    /// Where no telephone-event was agreed, and where it was but none has come yet.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Always. A press that comes as a telephone-event as well counts once.
    On,
}

/// What ops may choose about sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundRules {
    /// Whether keys are listened for in the sound itself.
    pub inband_keys: InbandKeys,
    /// The least time that a packet is kept before it is mixed: one tick of an ear, 20 ms.
    pub depth_min: Duration,
    /// The longest that the earliest packets are kept for the sake of late ones.
    pub depth_max: Duration,
    /// How the source of a party's sound may change.
    pub sources: SourceRules,
}

impl Default for SoundRules {
    fn default() -> Self {
        Self {
            inband_keys: InbandKeys::Auto,
            depth_min: Duration::from_millis(20),
            depth_max: Duration::from_millis(200),
            sources: SourceRules::default(),
        }
    }
}
