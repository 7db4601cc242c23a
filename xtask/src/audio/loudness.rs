//! How loud a sound is to the ear: EBU R 128, by ITU-R BS.1770-4, for one channel.
//!
//! Invariant: the figure is of what sounds; silence before, between and after counts for nothing.
use std::f64::consts::PI;

/// The window over which loudness is measured, in seconds; they overlap by three quarters.
const WINDOW_S: f64 = 0.4;
/// A window below this is silence, in LUFS.
const SILENCE: f64 = -70.0;
/// And one this far below the others is a pause, in LU.
const PAUSE: f64 = -10.0;

/// The integrated loudness of samples between -1 and 1, in LUFS; `None` for silence. What is shorter than a window is
/// one window.
pub(super) fn loudness(sound: &[f64], rate: u32) -> Option<f64> {
    let heard = weighted(sound, f64::from(rate));
    let window = ((WINDOW_S * f64::from(rate)) as usize).min(heard.len()).max(1);
    let power = |w: &[f64]| w.iter().map(|s| s * s).sum::<f64>() / w.len() as f64;
    let powers: Vec<f64> = heard.windows(window).step_by((window / 4).max(1)).map(power).collect();
    let loud = gated(&powers, SILENCE)?;
    gated(&powers, (lufs(loud) + PAUSE).max(SILENCE)).map(lufs)
}

/// The mean power of the windows above `gate` LUFS.
fn gated(powers: &[f64], gate: f64) -> Option<f64> {
    let above: Vec<f64> = powers.iter().copied().filter(|p| lufs(*p) > gate).collect();
    (!above.is_empty()).then(|| above.iter().sum::<f64>() / above.len() as f64)
}

fn lufs(power: f64) -> f64 {
    -0.691 + 10.0 * power.log10()
}

/// The K-weighting of BS.1770, annex 1, its two filters designed for any rate.
fn weighted(sound: &[f64], rate: f64) -> Vec<f64> {
    let (high, low) = ((PI * 1_681.974_450_955_533 / rate).tan(), (PI * 38.135_470_876_024_44 / rate).tan());
    let (gain, knee) = (10_f64.powf(3.999_843_853_973_347 / 20.0), 0.707_175_236_955_419_6);
    let middle = gain.powf(0.499_666_774_154_541_6);
    let shelf = [
        gain + middle * high / knee + high * high,
        2.0 * (high * high - gain),
        gain - middle * high / knee + high * high,
    ];
    let shelved = filtered(sound, shelf, high, knee);
    // The high pass is not divided by its own first term: that is how the standard has it.
    let knee = 0.500_327_037_323_877_3;
    let first = 1.0 + low / knee + low * low;
    filtered(&shelved, [first, -2.0 * first, first], low, knee)
}

/// One filter of second order; `k` and `q` make its poles.
fn filtered(sound: &[f64], zeros: [f64; 3], k: f64, q: f64) -> Vec<f64> {
    let first = 1.0 + k / q + k * k;
    let [b0, b1, b2] = zeros.map(|z| z / first);
    let (a1, a2) = (2.0 * (k * k - 1.0) / first, (1.0 - k / q + k * k) / first);
    let (mut z1, mut z2) = (0.0, 0.0);
    let step = |x: &f64| {
        let y = b0 * x + z1;
        z1 = b1 * x - a1 * y + z2;
        z2 = b2 * x - a2 * y;
        y
    };
    sound.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, gain: f64, seconds: f64, rate: u32) -> Vec<f64> {
        let samples = (seconds * f64::from(rate)) as usize;
        (0..samples).map(|i| gain * (2.0 * PI * hz * i as f64 / f64::from(rate)).sin()).collect()
    }

    #[test]
    fn the_reference_tone_of_the_standard_is_as_loud_as_it_says() {
        // BS.1770-4: 997 Hz at full scale in one channel reads -3.01 LUFS.
        for rate in [16_000, 24_000, 48_000] {
            let heard = loudness(&tone(997.0, 1.0, 3.0, rate), rate).unwrap();
            assert!((heard + 3.01).abs() < 0.1, "{heard} at {rate} Hz");
        }
    }

    #[test]
    fn pauses_count_for_nothing_and_a_short_word_is_measured_too() {
        let word = tone(500.0, 0.3, 1.0, 16_000);
        let alone = loudness(&word, 16_000).unwrap();
        let paused = [word.clone(), vec![0.0; 32_000], word].concat();
        assert!((loudness(&paused, 16_000).unwrap() - alone).abs() < 1.0);
        let short = loudness(&tone(500.0, 0.3, 0.2, 16_000), 16_000).unwrap();
        assert!((short - alone).abs() < 1.0, "{short} {alone}");
        assert_eq!(loudness(&vec![0.0; 16_000], 16_000), None);
        assert_eq!(loudness(&[], 16_000), None);
    }
}
