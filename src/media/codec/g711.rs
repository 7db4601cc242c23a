//! G.711: our own decoding tables, computed from ITU-T G.711 at compile time; encoding by the `audio-codec` crate.
//!
//! Invariant: the tables hold for every byte, so that no byte from the wire can be out of range.
use audio_codec::Encoder as _;
use audio_codec::pcma::PcmaEncoder;
use audio_codec::pcmu::PcmuEncoder;

/// mu-law byte to sample.
pub(super) static MU: [i16; 256] = table(false);
/// A-law byte to sample.
pub(super) static A: [i16; 256] = table(true);

const fn table(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if a_law { a(byte as u8) } else { mu(byte as u8) };
        byte += 1;
    }
    table
}

/// G.711 Table 2: all bits inverted, bias 132.
const fn mu(byte: u8) -> i16 {
    let bits = !byte;
    let magnitude = ((((bits & 0x0F) as i16) << 3) + 132) << ((bits & 0x70) >> 4);
    if bits & 0x80 == 0 { magnitude - 132 } else { 132 - magnitude }
}

/// G.711 Table 1: even bits inverted, no bias, the lowest two segments linear.
const fn a(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let step = ((bits & 0x0F) as i16) << 4;
    let magnitude = match (bits & 0x70) >> 4 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Decodes by a table into a slice of the same length.
pub(super) fn decode(table: &[i16; 256], payload: &[u8], samples: &mut [i16]) {
    for (sample, byte) in samples.iter_mut().zip(payload) {
        *sample = table[usize::from(*byte)];
    }
}

/// Encodes into a slice of the same length. The crate refuses only a shorter one.
pub(super) fn encode_mu(samples: &[i16], payload: &mut [u8]) {
    let written = PcmuEncoder::new().encode_into(samples, payload);
    debug_assert!(written.is_ok(), "slices of equal length");
}

/// Encodes into a slice of the same length. The crate refuses only a shorter one.
pub(super) fn encode_a(samples: &[i16], payload: &mut [u8]) {
    let written = PcmaEncoder::new().encode_into(samples, payload);
    debug_assert!(written.is_ok(), "slices of equal length");
}
