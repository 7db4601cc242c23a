//! Codecs: a closed set, dispatched by `match`. G.711 and G.722: one byte is one tick of the RTP clock of 8 kHz, and
//! one sample of the studio (RFC 3551, sections 4.5.14 and 4.5.2).
//!
//! Invariant: encoding and decoding never fail; the shorter of the two slices decides how much. Nothing is allocated
//! but the state of G.722, once for each direction of a leg that speaks it and is mixed.
mod g711;
mod g722;
mod half_band;

use crate::media::Codec;

/// The sound of one source, packet after packet.
#[derive(Debug, Default)]
pub struct Decoder {
    g722: Option<Box<g722::Decoder>>,
}

impl Decoder {
    /// Decodes `payload` into `samples` at 8 kHz; hands back how many samples were written.
    pub fn decode(&mut self, codec: Codec, payload: &[u8], samples: &mut [i16]) -> usize {
        let n = payload.len().min(samples.len());
        let (from, to) = (payload.get(..n).unwrap_or_default(), samples.get_mut(..n).unwrap_or_default());
        match codec {
            Codec::Pcmu => g711::decode(&g711::MU, from, to),
            Codec::Pcma => g711::decode(&g711::A, from, to),
            Codec::G722 => {
                self.g722.get_or_insert_with(|| Box::new(g722::Decoder::new())).decode(from, to);
            }
        }
        n
    }
}

/// The sound for one ear, packet after packet.
#[derive(Debug, Default)]
pub struct Encoder {
    g722: Option<Box<g722::Encoder>>,
}

impl Encoder {
    /// Encodes `samples` at 8 kHz into `payload`; hands back how many bytes were written.
    pub fn encode(&mut self, codec: Codec, samples: &[i16], payload: &mut [u8]) -> usize {
        let n = samples.len().min(payload.len());
        let (from, to) = (samples.get(..n).unwrap_or_default(), payload.get_mut(..n).unwrap_or_default());
        match codec {
            Codec::Pcmu => g711::encode_mu(from, to),
            Codec::Pcma => g711::encode_a(from, to),
            Codec::G722 => {
                self.g722.get_or_insert_with(|| Box::new(g722::Encoder::new())).encode(from, to);
            }
        }
        n
    }
    /// The ear hears something else in between: what comes next begins anew.
    pub fn reset(&mut self) {
        self.g722 = None;
    }
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::G722];

    /// Decodes a whole sound; packets of one sound want a [`Decoder`].
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) -> usize {
        Decoder::default().decode(self, payload, samples)
    }
    /// Encodes a whole sound at 8 kHz; packets of one sound want an [`Encoder`].
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) -> usize {
        Encoder::default().encode(self, samples, payload)
    }
    /// Encodes a whole sound at 16 kHz, if the codec is one for it.
    pub(super) fn encode_wide(self, wide: &[i16]) -> Option<Vec<u8>> {
        match self {
            Self::Pcmu | Self::Pcma => None,
            Self::G722 => {
                let mut payload = vec![0; wide.len() / 2];
                g722::Encoder::new().encode_wide(wide.get(..2 * payload.len())?, &mut payload);
                Some(payload)
            }
        }
    }
    /// The byte of which a whole packet is silence. With G.722 it is the smallest step up of either band, which the
    /// decoder's predictors take for none.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
            Self::G722 => 0xFD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::{Tone, amplitude};

    const G711: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    #[test]
    fn every_byte_survives_the_way_through_its_sample() {
        for codec in G711 {
            for byte in 0..=255u8 {
                let (mut sample, mut back) = ([0i16], [0u8]);
                codec.decode(&[byte], &mut sample);
                codec.encode(&sample, &mut back);
                // The smallest negative value comes back as the smallest positive one: -0 and 0, -8 and 8.
                let expected = match (codec, byte) {
                    (Codec::Pcmu, 0x7F) | (Codec::Pcma, 0x55) => codec.silence(),
                    (_, byte) => byte,
                };
                assert_eq!(back, [expected], "{codec:?} {byte:#x} {sample:?}");
            }
        }
    }

    #[test]
    fn the_error_stays_within_the_step_of_the_segment() {
        for codec in G711 {
            for sample in i16::MIN..=i16::MAX {
                let (mut byte, mut back) = ([0u8], [0i16]);
                codec.encode(&[sample], &mut byte);
                codec.decode(&byte, &mut back);
                let error = (i32::from(sample) - i32::from(back[0])).abs();
                let allowed = 16 + i32::from(sample).abs() / 16;
                assert!(error <= allowed, "{codec:?} {sample} became {}", back[0]);
            }
        }
    }

    #[test]
    fn silence_is_zero_or_next_to_it() {
        for codec in G711 {
            let mut byte = [0u8];
            codec.encode(&[0], &mut byte);
            assert_eq!(byte, [codec.silence()]);
        }
    }

    #[test]
    fn known_values_of_the_itu_tables() {
        let mut s = [0i16; 4];
        Codec::Pcmu.decode(&[0x00, 0x80, 0x7F, 0xF0], &mut s);
        assert_eq!(s, [-32_124, 32_124, 0, 120]);
        Codec::Pcma.decode(&[0x2A, 0xAA, 0xD5, 0x55], &mut s);
        assert_eq!(s, [-32_256, 32_256, 8, -8]);
    }

    fn tone(hz: f64, level: f64, n: usize) -> Vec<i16> {
        let mut samples = vec![0; n];
        Tone::new(hz, level).fill(&mut samples);
        samples
    }

    fn through(samples: &[i16], packet: usize) -> Vec<i16> {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut out = vec![0; samples.len()];
        for (from, to) in samples.chunks(packet).zip(out.chunks_mut(packet)) {
            let mut payload = vec![0; from.len()];
            assert_eq!(encoder.encode(Codec::G722, from, &mut payload), from.len());
            assert_eq!(decoder.decode(Codec::G722, &payload, to), from.len());
        }
        out
    }

    #[test]
    fn g722_keeps_level_and_spectrum_of_the_telephone_band_in_packets_of_any_size() {
        for hz in [300.0, 1_000.0, 2_000.0, 3_000.0, 3_300.0] {
            for packet in [80, 160, 240, 480] {
                let out = through(&tone(hz, 8_000.0, 9_600), packet);
                let level = amplitude(&out[800..8_800], hz);
                assert!((level - 8_000.0).abs() < 300.0, "{hz} Hz in {packet}: {level}");
                for other in [500.0, 1_500.0, 2_500.0] {
                    let noise = amplitude(&out[800..8_800], other);
                    assert!(noise < 60.0, "{hz} Hz makes {noise} at {other}");
                }
            }
        }
    }

    #[test]
    fn g722_is_late_by_less_than_five_milliseconds() {
        let mut samples = vec![0; 800];
        samples[400..].copy_from_slice(&tone(1_000.0, 8_000.0, 400));
        let out = through(&samples, 160);
        let begins = out.iter().position(|s| s.abs() > 3_000).unwrap();
        assert!((400..440).contains(&begins), "{begins}");
    }

    #[test]
    fn g722_of_silence_is_silent_after_whatever_was_heard() {
        let mut payload = vec![0; 800];
        Encoder::default().encode(Codec::G722, &tone(900.0, 20_000.0, 800), &mut payload);
        let mut decoder = Decoder::default();
        let mut samples = [0; 160];
        payload.chunks(160).for_each(|p| {
            decoder.decode(Codec::G722, p, &mut samples);
        });
        assert!(samples.iter().any(|s| s.abs() > 15_000));
        for frame in 0..10 {
            decoder.decode(Codec::G722, &[Codec::G722.silence(); 160], &mut samples);
            let loudest = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!(frame < 2 || loudest < 32, "frame {frame}: {loudest}");
        }
    }

    #[test]
    fn a_lost_packet_of_g722_is_forgotten_within_a_frame_or_two() {
        let sound = tone(700.0, 8_000.0, 8_000);
        let mut payload = vec![0; sound.len()];
        Codec::G722.encode(&sound, &mut payload);
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        for (n, packet) in payload.chunks(160).enumerate().filter(|(n, _)| *n != 20) {
            let mut samples = [0; 160];
            decoder.decode(Codec::G722, packet, &mut samples);
            if n >= 23 {
                heard.extend(samples);
            }
        }
        let level = amplitude(&heard[..3_200], 700.0);
        assert!((level - 8_000.0).abs() < 400.0, "{level}");
    }

    #[test]
    fn no_bytes_of_g722_can_hurt() {
        let mut rng = crate::base::Rng::from_number(722);
        let (mut decoder, mut samples) = (Decoder::default(), [0; 480]);
        for n in 0..2_000 {
            let length = rng.below(481) as usize;
            let bytes: Vec<u8> = (0..length).map(|_| (rng.next_u32() & 0xFF) as u8).collect();
            let bytes = if n % 7 == 0 { vec![bytes.first().copied().unwrap_or(0); length] } else { bytes };
            assert_eq!(decoder.decode(Codec::G722, &bytes, &mut samples), length);
        }
    }
}
