//! The unit of sound: 20 ms of 16-bit mono samples at 8 kHz, the one rate of the studio (G.711, RFC 3551 section 4.5.14).
//!
//! Invariant: a duration is a whole number of samples; one G.711 byte is one sample, so bytes and samples count alike.
use std::time::Duration;

/// Samples a second of everything that is mixed, encoded and sent.
pub const SAMPLE_RATE: u32 = 8_000;
/// Samples in a millisecond.
pub const SAMPLES_PER_MS: usize = 8;
/// Samples in a [`Frame`]: 20 ms.
pub const FRAME_SAMPLES: usize = 160;
/// The duration of a [`Frame`].
pub const FRAME: Duration = Duration::from_millis(20);
/// The shortest packet that is sent.
pub const PTIME_MIN: Duration = Duration::from_millis(10);
/// The longest packet that is sent.
pub const PTIME_MAX: Duration = Duration::from_millis(60);
/// Samples in the longest packet that is sent.
pub const PACKET_SAMPLES_MAX: usize = 480;

/// 20 ms of sound.
pub type Frame = [i16; FRAME_SAMPLES];

/// How many whole samples last `d`.
pub const fn samples_in(d: Duration) -> u64 {
    (d.as_nanos() / 125_000) as u64
}

/// How long `n` samples last.
pub const fn duration_of(n: u64) -> Duration {
    Duration::from_nanos(n.saturating_mul(125_000))
}

/// The packet duration that we use for an agreed `ptime`: whole 10 ms, 10-60 ms, never longer than agreed (unless
/// less than 10 ms was agreed).
pub fn packet_duration(ptime: Duration) -> Duration {
    let tens = ptime.min(PTIME_MAX).as_millis() / 10;
    Duration::from_millis(10 * u64::try_from(tens).unwrap_or(1)).max(PTIME_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_durations_are_whole_tens_within_what_was_agreed() {
        for (agreed, used) in [(0, 10), (5, 10), (10, 10), (20, 20), (25, 20), (30, 30), (60, 60), (200, 60)]
        {
            assert_eq!(
                packet_duration(Duration::from_millis(agreed)),
                Duration::from_millis(used),
                "{agreed}"
            );
        }
    }

    #[test]
    fn samples_and_durations_agree() {
        assert_eq!(samples_in(FRAME), FRAME_SAMPLES as u64);
        assert_eq!(duration_of(FRAME_SAMPLES as u64), FRAME);
        assert_eq!(samples_in(PTIME_MAX), PACKET_SAMPLES_MAX as u64);
    }
}
