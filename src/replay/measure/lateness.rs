//! How late the phones themselves were. Whoever measures a server from a machine that is too slow measures the machine:
//! beyond a stated bound the report says so, and blames nobody else.
//!
//! Invariant: lateness is the distance of what was done from what the plan wanted done, never below zero.
use std::time::Duration;

use hdrhistogram::CreationError;
use serde::Serialize;

use super::quantiles::{Meter, Quantiles};

/// A call or a key that begins later than this after its time is late.
pub const LATE: Duration = Duration::from_millis(10);
/// A frame of sound that leaves later than this after its slot is late: the far end's buffer feels it.
pub(super) const LATE_FRAME: Duration = Duration::from_millis(20);
/// So many of 1,000 may be late before the phones are to blame.
const PER_MILLE: u64 = 10;

/// How late the phones are, as it comes.
#[derive(Clone, Debug)]
pub struct Lateness {
    late_after: Duration,
    actions: Meter,
    late_actions: u64,
    frames: Meter,
    late_frames: u64,
    skipped: u64,
}

impl Lateness {
    /// Nothing was late yet. Calls, keys and hang-ups are from `late_after` on; usually [`LATE`].
    ///
    /// # Errors
    /// When a histogram's bounds are refused.
    pub fn new(late_after: Duration) -> Result<Self, CreationError> {
        Ok(Self {
            late_after,
            actions: Meter::new()?,
            late_actions: 0,
            frames: Meter::new()?,
            late_frames: 0,
            skipped: 0,
        })
    }

    /// A call was begun, a key pressed, a hang-up said this long after its time.
    pub fn acted(&mut self, late: Duration) {
        self.actions.record(late);
        self.late_actions += u64::from(late > self.late_after);
    }

    /// The frames of one slot left this long after it.
    pub fn spoke(&mut self, late: Duration) {
        self.frames.record(late);
        self.late_frames += u64::from(late > LATE_FRAME);
    }

    /// Slots that passed without being spoken at all.
    pub fn skipped(&mut self, slots: u64) {
        self.skipped += slots;
    }

    /// What it comes to; `dropped`: packets the kernel dropped before the phones read them, of so many that came.
    pub fn judge(&self, dropped: u64, heard: u64) -> Punctuality {
        let share = |part: u64, whole: u64| part.saturating_mul(1_000) > whole.saturating_mul(PER_MILLE);
        let mut why = Vec::new();
        if share(self.late_actions, self.actions.len()) {
            why.push(format!(
                "{} of {} calls, keys and hang-ups came over {} ms after their time",
                self.late_actions,
                self.actions.len(),
                self.late_after.as_millis()
            ));
        }
        let slots = self.frames.len() + self.skipped;
        if share(self.late_frames + self.skipped, slots) {
            why.push(format!(
                "{} of {slots} slots of sound left over {} ms late, {} of them never",
                self.late_frames + self.skipped,
                LATE_FRAME.as_millis(),
                self.skipped
            ));
        }
        if dropped > 0 && share(dropped, heard + dropped) {
            why.push(format!("{dropped} packets were dropped here before they could be read"));
        }
        Punctuality {
            actions: self.actions.quantiles(),
            late_actions: self.late_actions,
            sound: self.frames.quantiles(),
            late_slots: self.late_frames,
            skipped_slots: self.skipped,
            late: !why.is_empty(),
            why,
        }
    }
}

/// How well the phones kept their own time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Punctuality {
    /// Calls, keys and hang-ups: how long after their time.
    pub actions: Quantiles,
    /// Of these, over 10 ms late.
    pub late_actions: u64,
    /// Slots of sound: how long after their time.
    pub sound: Quantiles,
    /// Of these, over 20 ms late.
    pub late_slots: u64,
    /// Slots that passed without a word.
    pub skipped_slots: u64,
    /// The phones themselves were too late: what was measured says as much of them as of the server.
    pub late: bool,
    /// In what.
    pub why: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_that_keep_their_time_are_not_to_blame() {
        let mut lateness = Lateness::new(LATE).unwrap();
        for _ in 0..1_000 {
            lateness.acted(Duration::from_millis(1));
            lateness.spoke(Duration::from_millis(2));
        }
        lateness.acted(Duration::from_millis(50));
        let told = lateness.judge(3, 1_000_000);
        assert!(!told.late && told.why.is_empty(), "{told:?}");
        assert_eq!(told.late_actions, 1);
    }

    #[test]
    fn late_calls_late_sound_and_dropped_packets_are_each_said() {
        let mut lateness = Lateness::new(LATE).unwrap();
        for n in 0..100 {
            lateness.acted(Duration::from_millis(if n % 20 == 0 { 400 } else { 0 }));
            lateness.spoke(Duration::ZERO);
        }
        lateness.skipped(30);
        let told = lateness.judge(500, 1_000);
        assert!(told.late);
        assert_eq!(told.why.len(), 3, "{:?}", told.why);
    }
}
