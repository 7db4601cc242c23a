//! Brings a whole sound from its file's rate to 8 or 16 kHz, once, when prompts are loaded. The only file that names `rubato`.
//!
//! Invariant: never on the call path; the result lasts as long as the input, to the sample.
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Input samples handled at a time.
const CHUNK: usize = 1_024;

/// `sound` at `rate` samples a second, resampled to `wanted` with an anti-aliasing filter.
///
/// # Errors
/// What the resampler says, when it cannot do that rate.
pub(super) fn to_sample_rate(sound: &[f32], rate: u32, wanted: u32) -> Result<Vec<f32>, String> {
    if rate == wanted || sound.is_empty() {
        return Ok(sound.to_vec());
    }
    let resampler = Fft::<f32>::new(rate as usize, wanted as usize, CHUNK, 1, FixedSync::Input);
    let mut resampler = resampler.map_err(|e| e.to_string())?;
    let input = InterleavedSlice::new(sound, 1, sound.len()).map_err(|e| e.to_string())?;
    let mut samples =
        resampler.process_all(&input, sound.len(), None).map_err(|e| e.to_string())?.take_data();
    let expected = sound.len() as u64 * u64::from(wanted) / u64::from(rate);
    samples.resize(usize::try_from(expected).unwrap_or(usize::MAX).max(1), 0.0);
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tone::amplitude;

    fn sine(rate: u32, frequency: f64) -> Vec<f32> {
        let step = 2.0 * std::f64::consts::PI * frequency / f64::from(rate);
        (0..rate).map(|n| (0.5 * libm::sin(f64::from(n) * step)) as f32).collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_level_and_length_from_every_usual_rate() {
        for rate in [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
            let out = to_sample_rate(&sine(rate, 1_000.0), rate, 8_000).unwrap();
            assert_eq!(out.len(), 8_000, "{rate}");
            let pcm: Vec<i16> = out.iter().map(|s| (s * 32_767.0) as i16).collect();
            let level = amplitude(&pcm[800..7_200], 1_000.0);
            assert!((level - 16_384.0).abs() < 200.0, "{rate}: {level}");
        }
    }

    #[test]
    fn what_does_not_fit_below_4_khz_is_gone_and_not_folded() {
        let out = to_sample_rate(&sine(16_000, 5_000.0), 16_000, 8_000).unwrap();
        let pcm: Vec<i16> = out.iter().map(|s| (s * 32_767.0) as i16).collect();
        assert!(amplitude(&pcm[800..7_200], 3_000.0) < 50.0);
    }
}
