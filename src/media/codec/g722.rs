//! G.722 at 64 kbit/s (RFC 3551 section 4.5.2) by the `audio-codec` crate, brought to the studio's 8 kHz.
//!
//! One byte is two samples at 16 kHz and, since its RTP clock is 8 kHz by an old mistake, one tick of the timestamp:
//! bytes, ticks and the studio's samples count alike, as with G.711.
//!
//! Invariant: both directions keep a state from packet to packet, which leaks, so that after a loss or a switch it is
//! right again within a few milliseconds of sound.
use std::fmt;

use audio_codec::g722::{Bitrate, G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

use crate::media::codec::half_band::{Down, Up};

/// Bytes handled at a time.
const STEP: usize = 160;

/// Bytes to samples.
pub(super) struct Decoder {
    bands: G722Decoder,
    down: Down,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { bands: G722Decoder::with_options(Bitrate::Mode1_64000, false, false), down: Down::new() }
    }
    /// Decodes to 8 kHz; the slices are of equal length.
    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) {
        for (bytes, samples) in payload.chunks(STEP).zip(samples.chunks_mut(STEP)) {
            let mut wide = [0; 2 * STEP];
            let wide = self.wide(bytes, &mut wide);
            for (sample, pair) in samples.iter_mut().zip(wide.as_chunks::<2>().0) {
                *sample = self.down.step(*pair);
            }
        }
    }
    fn wide<'a>(&mut self, bytes: &[u8], wide: &'a mut [i16; 2 * STEP]) -> &'a [i16] {
        // The crate refuses only a slice that is too short.
        let n = self.bands.decode_into(bytes, wide).unwrap_or(0);
        wide.get(..n).unwrap_or_default()
    }
}

/// Samples to bytes.
pub(super) struct Encoder {
    bands: G722Encoder,
    up: Up,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { bands: G722Encoder::with_options(Bitrate::Mode1_64000, false, false), up: Up::new() }
    }
    /// Encodes from 8 kHz; the slices are of equal length.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) {
        for (samples, bytes) in samples.chunks(STEP).zip(payload.chunks_mut(STEP)) {
            let mut wide = [0; 2 * STEP];
            for (pair, sample) in wide.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
                *pair = self.up.step(*sample);
            }
            self.encode_wide(wide.get(..2 * samples.len()).unwrap_or_default(), bytes);
        }
    }
    /// Encodes from 16 kHz: two samples a byte.
    pub(super) fn encode_wide(&mut self, wide: &[i16], payload: &mut [u8]) {
        let written = self.bands.encode_into(wide, payload);
        debug_assert!(written.is_ok(), "one byte for two samples");
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("G722Decoder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("G722Encoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// How loud a tone is that went through at 16 kHz, against 1 for as loud as it was.
    fn through_wide(hz: f64) -> f64 {
        let wave = |n: usize| libm::sin(2.0 * PI * hz * n as f64 / 16_000.0);
        let wide: Vec<i16> = (0..16_000).map(|n| (8_000.0 * wave(n)) as i16).collect();
        let mut payload = vec![0; 8_000];
        Encoder::new().encode_wide(&wide, &mut payload);
        let (mut decoder, mut heard) = (Decoder::new(), Vec::new());
        for bytes in payload.chunks(STEP) {
            heard.extend_from_slice(decoder.wide(bytes, &mut [0; 2 * STEP]));
        }
        let turn = |n: usize| 2.0 * PI * hz * n as f64 / 16_000.0;
        let part = |f: fn(f64) -> f64| -> f64 {
            (1_600..14_400).map(|n| f64::from(heard[n]) * f(turn(n))).sum::<f64>() / 6_400.0
        };
        libm::hypot(part(libm::sin), part(libm::cos)) / 8_000.0
    }

    #[test]
    fn wide_sound_keeps_what_no_telephone_carries() {
        for hz in [1_000.0, 3_000.0, 5_000.0, 6_500.0] {
            let level = through_wide(hz);
            assert!((level - 1.0).abs() < 0.08, "{hz}: {level}");
        }
    }
}
