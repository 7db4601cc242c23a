//! When silence is told instead of sent: comfort noise of our own, RFC 3389, to a far end that agreed to make it.
//!
//! Invariant: a short pause is sent as it is, a long one costs five packets a second: enough for NATs and for those who
//! hang up on silence. Sound after it begins with the marker.
use std::time::Duration;

use crate::base::Instant;

/// A pause is one after this long.
const PAUSE: Duration = Duration::from_millis(200);
/// The noise is told again after this long, or when it changed by this much, in dB.
const AGAIN: Duration = Duration::from_millis(200);
const CHANGED: u8 = 3;
/// Nothing at all is told as this level below 0 dBov, in dB: hardly to be heard, but no dead line.
const FAINTEST: u8 = 80;

/// What is sent in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// What was made; `again` after a pause.
    Sound { again: bool },
    /// A comfort noise packet.
    Noise { payload_type: u8, level: u8 },
    /// Nothing: the far end still makes its noise.
    Nothing,
}

/// What one ear was sent last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    since: Option<Instant>,
    level: u8,
    told: Option<(Instant, u8)>,
}

impl Quiet {
    /// What was made for the tick at `at`: sound, or only noise of this level below 0 dBov (127: silence).
    pub(super) fn note(&mut self, at: Instant, sound: bool, level: u8) {
        self.since = if sound { None } else { self.since.or(Some(at)) };
        self.level = level.min(FAINTEST);
    }
    /// What is sent at `at` to a far end that takes comfort noise under this payload type, if at all.
    pub(super) fn says(&mut self, at: Instant, payload_type: Option<u8>) -> Says {
        let pause = self.since.is_some_and(|since| at.since(since) >= PAUSE);
        let Some(payload_type) = payload_type.filter(|_| pause) else {
            return Says::Sound { again: self.told.take().is_some() };
        };
        let level = self.level;
        let holds =
            |(told, before): (Instant, u8)| at.since(told) < AGAIN && before.abs_diff(level) < CHANGED;
        if self.told.is_some_and(holds) {
            return Says::Nothing;
        }
        self.told = Some((at, level));
        Says::Noise { payload_type, level }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pause_is_told_five_times_a_second_and_sound_after_it_is_marked() {
        let mut quiet = Quiet::default();
        let mut sent = Vec::new();
        for n in 0..100u64 {
            let at = Instant::from_millis(1_000 + 20 * n);
            quiet.note(at, !(10..80).contains(&n), if n < 60 { 127 } else { 50 });
            match quiet.says(at, Some(13)) {
                Says::Noise { payload_type, level } => sent.push((n, payload_type, level)),
                Says::Sound { again } => assert_eq!(again, n == 80, "{n}"),
                Says::Nothing => {}
            }
        }
        let expected = [20, 30, 40, 50].map(|n| (n, 13, 80)).into_iter();
        assert_eq!(sent, expected.chain([60, 70].map(|n| (n, 13, 50))).collect::<Vec<_>>());
    }

    #[test]
    fn a_far_end_that_agreed_to_nothing_is_sent_every_frame() {
        let mut quiet = Quiet::default();
        for n in 0..100u64 {
            let at = Instant::from_millis(20 * n);
            quiet.note(at, false, 127);
            assert_eq!(quiet.says(at, None), Says::Sound { again: false });
        }
    }
}
