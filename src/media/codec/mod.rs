//! Codecs: a closed set, dispatched by `match`. G.711 only: one byte is one sample at 8 kHz (RFC 3551, section 4.5.14).
//!
//! Invariant: encoding and decoding never fail and never allocate; the shorter of the two slices decides how much.
mod g711;

use crate::media::Codec;

impl Codec {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Decodes `payload` into `samples`; hands back how many samples were written.
    pub fn decode(self, payload: &[u8], samples: &mut [i16]) -> usize {
        let table = self.decode_table();
        for (sample, byte) in samples.iter_mut().zip(payload) {
            *sample = table[usize::from(*byte)];
        }
        payload.len().min(samples.len())
    }
    /// Encodes `samples` into `payload`; hands back how many bytes were written.
    pub fn encode(self, samples: &[i16], payload: &mut [u8]) -> usize {
        let n = samples.len().min(payload.len());
        let (from, to) = (samples.get(..n).unwrap_or_default(), payload.get_mut(..n).unwrap_or_default());
        match self {
            Self::Pcmu => g711::encode_mu(from, to),
            Self::Pcma => g711::encode_a(from, to),
        }
        n
    }
    /// The byte that stands for the sample 0.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xFF,
            Self::Pcma => 0xD5,
        }
    }
    /// The sample of each byte.
    const fn decode_table(self) -> &'static [i16; 256] {
        match self {
            Self::Pcmu => &g711::MU,
            Self::Pcma => &g711::A,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_through_its_sample() {
        for codec in Codec::ALL {
            for byte in 0..=255u8 {
                let (mut sample, mut back) = ([0i16], [0u8]);
                codec.decode(&[byte], &mut sample);
                codec.encode(&sample, &mut back);
                // The smallest negative value comes back as the smallest positive one: -0 and 0, -8 and 8.
                let expected = match (codec, byte) {
                    (Codec::Pcmu, 0x7F) | (Codec::Pcma, 0x55) => codec.silence(),
                    (Codec::Pcmu | Codec::Pcma, byte) => byte,
                };
                assert_eq!(back, [expected], "{codec:?} {byte:#x} {sample:?}");
            }
        }
    }

    #[test]
    fn the_error_stays_within_the_step_of_the_segment() {
        for codec in Codec::ALL {
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
        for codec in Codec::ALL {
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
}
