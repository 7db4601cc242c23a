//! What one leg says, as far as others may hear it.
//!
//! Invariant: while a key is pressed, and a moment after, nothing of the leg is heard by anybody: phones send the key's
//! tone in the sound as well.
use std::time::Duration;

use crate::base::Instant;
use crate::media::frame::PACKET_SAMPLES_MAX;
use crate::media::hearing::Format;
use crate::media::mixer::Mixer;
use crate::media::noise::NoiseShape;
use crate::media::playout::{Heard, Playout, PlayoutFigures};
use crate::media::{Codec, Decoder, SoundRules};
use crate::rtp::Header;

/// How long sound is withheld after each packet of a key. Senders repeat them every 20-50 ms (RFC 4733, section
/// 2.5.1.2), so a pressed key is covered without a gap.
const MUTE_AFTER_EVENT: Duration = Duration::from_millis(80);

/// What a leg says.
#[derive(Debug, Default)]
pub(super) struct Mouth {
    started: bool,
    format: Option<Format>,
    other: Option<Format>,
    decoder: Decoder,
    muted_until: Instant,
    /// Made when somebody first mixes this leg.
    playout: Option<Box<Playout>>,
    withheld: u64,
    unusable: u64,
}

impl Mouth {
    /// A valid packet came; `true` for the first one.
    pub(super) fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.started, true)
    }
    /// A packet of a key came.
    pub(super) fn mute(&mut self, now: Instant) {
        self.muted_until = now + MUTE_AFTER_EVENT;
    }
    /// Whether a packet of sound of this length may be heard; counted if not.
    pub(super) fn admits(&mut self, now: Instant, expected: bool, payload: &[u8]) -> bool {
        if payload.is_empty() || payload.len() > PACKET_SAMPLES_MAX {
            self.unusable += 1;
            return false;
        }
        let admitted = expected && now >= self.muted_until;
        self.withheld += u64::from(!admitted);
        admitted
    }
    /// Notes a packet's codec and length. `true` when the leg's packets have another one now: after two in a row.
    pub(super) fn note_format(&mut self, format: Format) -> bool {
        if self.format == Some(format) {
            self.other = None;
            return false;
        }
        let confirmed = self.format.is_none() || self.other == Some(format);
        self.other = Some(format);
        if confirmed {
            (self.format, self.other) = (Some(format), None);
        }
        confirmed
    }
    /// The codec and the length of the leg's packets, once it has sent one.
    pub(super) fn format(&self) -> Option<Format> {
        self.format
    }
    /// Decodes a packet: each once, in the order in which they come.
    pub(super) fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) -> usize {
        self.decoder.decode(codec, payload, samples)
    }
    /// Takes a packet's sound for those who mix it.
    pub(super) fn say(&mut self, now: Instant, rules: &SoundRules, header: Header, sound: &[i16]) {
        let playout = self.playout.get_or_insert_with(|| Box::new(Playout::new(rules)));
        playout.write(now, (header.ssrc, header.timestamp), header.marker, sound);
    }
    /// A packet that nobody is to hear after all.
    pub(super) fn withhold(&mut self) {
        self.withheld += 1;
    }
    /// It rests, and told us what that sounds like (RFC 3389).
    pub(super) fn rest(&mut self, now: Instant, rules: &SoundRules, header: Header, payload: &[u8]) {
        let Some(shape) = NoiseShape::read(payload) else { return };
        let playout = self.playout.get_or_insert_with(|| Box::new(Playout::new(rules)));
        playout.noise(now, (header.ssrc, header.timestamp), shape);
    }
    /// From this timestamp on it is not to be heard; without one, from the last sound on.
    pub(super) fn hush(&mut self, now: Instant, ssrc: u32, timestamp: Option<u32>) {
        if let Some(playout) = &mut self.playout {
            playout.hush(now, ssrc, timestamp);
        }
    }
    /// Adds what is to be heard from `at` on.
    pub(super) fn heard(&mut self, at: Instant, samples: usize, mixer: &mut Mixer) -> Heard {
        self.playout.as_mut().map_or(Heard::Nothing, |p| p.read(at, samples, mixer))
    }
    /// What was counted where it is mixed.
    pub(super) fn mixed(&self) -> PlayoutFigures {
        self.playout.as_ref().map(|p| p.figures()).unwrap_or_default()
    }
    /// Packets that nobody was to hear.
    pub(super) fn withheld(&self) -> u64 {
        self.withheld
    }
    /// Packets without a payload or with one that is too long.
    pub(super) fn unusable(&self) -> u64 {
        self.unusable
    }
}
