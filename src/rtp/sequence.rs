//! Whether a sequence number belongs to a source, RFC 3550 appendix A.1: probation, cycles, restarts. To it we add a
//! window that knows the last 64 numbers, so that a packet that the network doubled is heard once.
//!
//! Invariant: `highest` only moves forward, except when two packets in a row prove that the source began anew.

/// Packets in a row that make a source valid.
pub(crate) const MIN_SEQUENTIAL: u8 = 2;
/// The longest gap, in packets, that still is loss: one minute of 20 ms packets.
pub(crate) const MAX_DROPOUT: u16 = 3_000;
/// How far behind, in packets, a number still is "late".
pub(crate) const MAX_MISORDER: u16 = 100;

/// What a sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The source is not proven yet.
    Probation,
    /// In order; `lost` numbers were jumped over.
    Next {
        /// Numbers that were jumped over.
        lost: u16,
    },
    /// Behind the highest, and new.
    Late,
    /// Seen before, or too far behind to know.
    Duplicate,
    /// A jump too wide for loss: believed when the next packet confirms it.
    Jump,
    /// The jump was confirmed: counting began anew here.
    Restarted,
}

/// A source's numbers.
#[derive(Clone, Debug)]
pub struct Sequence {
    base: u16,
    highest: u16,
    cycles: u32,
    probation: u8,
    expected_after_jump: Option<u16>,
    window: u64,
    received: u64,
    restarts: u64,
    expected_before: u64,
}

impl Sequence {
    /// A source on probation, whose next packet has the number `first`.
    pub fn new(first: u16) -> Self {
        Self { probation: MIN_SEQUENTIAL, highest: first.wrapping_sub(1), ..Self::trusted(first) }
    }

    /// A source that somebody vouches for, whose first packet has the number `first` and was received.
    pub fn trusted(first: u16) -> Self {
        Self {
            base: first,
            highest: first,
            cycles: 0,
            probation: 0,
            expected_after_jump: None,
            window: 1,
            received: 1,
            restarts: 0,
            expected_before: 0,
        }
    }

    /// Takes a number.
    pub fn update(&mut self, sequence: u16) -> Verdict {
        if self.probation > 0 {
            return self.update_in_probation(sequence);
        }
        let ahead = sequence.wrapping_sub(self.highest);
        let behind = self.highest.wrapping_sub(sequence);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.move_on(sequence, ahead);
            return Verdict::Next { lost: ahead.wrapping_sub(1) };
        }
        if behind <= MAX_MISORDER {
            return self.look_back(behind);
        }
        if self.expected_after_jump == Some(sequence) {
            self.begin_anew(sequence);
            return Verdict::Restarted;
        }
        self.expected_after_jump = Some(sequence.wrapping_add(1));
        Verdict::Jump
    }

    fn update_in_probation(&mut self, sequence: u16) -> Verdict {
        if sequence == self.highest.wrapping_add(1) {
            self.probation = self.probation.saturating_sub(1);
            self.highest = sequence;
            if self.probation == 0 {
                *self = Self::trusted(sequence);
                return Verdict::Next { lost: 0 };
            }
        } else {
            self.probation = MIN_SEQUENTIAL.saturating_sub(1);
            self.highest = sequence;
        }
        Verdict::Probation
    }

    fn move_on(&mut self, sequence: u16, ahead: u16) {
        if sequence < self.highest {
            self.cycles = self.cycles.wrapping_add(1);
        }
        self.highest = sequence;
        self.window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        self.expected_after_jump = None;
        self.received = self.received.saturating_add(1);
    }

    fn look_back(&mut self, behind: u16) -> Verdict {
        let Some(bit) = 1u64.checked_shl(u32::from(behind)) else { return Verdict::Duplicate };
        if self.window & bit != 0 {
            return Verdict::Duplicate;
        }
        self.window |= bit;
        self.received = self.received.saturating_add(1);
        Verdict::Late
    }

    fn begin_anew(&mut self, sequence: u16) {
        let (received, expected_before) = (self.received, self.expected());
        *self = Self {
            received: received.saturating_add(1),
            restarts: self.restarts.saturating_add(1),
            expected_before,
            ..Self::trusted(sequence)
        };
    }

    /// The highest number received, with the number of its wraps above (RFC 3550 section 6.4.1).
    pub fn extended_highest(&self) -> u32 {
        (self.cycles << 16) | u32::from(self.highest)
    }

    /// Packets that should have come, by their numbers, since the source was valid.
    pub fn expected(&self) -> u64 {
        let span = u64::from(self.extended_highest()).saturating_sub(u64::from(self.base));
        self.expected_before.saturating_add(span).saturating_add(1)
    }

    /// Packets that came, each counted once.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that did not come.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// How often the source began anew.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_packets_in_a_row_prove_a_source() {
        let mut s = Sequence::new(7);
        assert_eq!(s.update(7), Verdict::Probation);
        assert_eq!(s.update(8), Verdict::Next { lost: 0 });
        let mut s = Sequence::new(7);
        assert_eq!(s.update(7), Verdict::Probation);
        assert_eq!(s.update(100), Verdict::Probation);
        assert_eq!(s.update(101), Verdict::Next { lost: 0 });
        assert_eq!((s.received(), s.lost()), (1, 0));
    }

    #[test]
    fn the_wrap_counts_a_cycle_and_no_loss() {
        let mut s = Sequence::trusted(65_534);
        for n in [65_535, 0, 1] {
            assert_eq!(s.update(n), Verdict::Next { lost: 0 });
        }
        assert_eq!(s.extended_highest(), 0x1_0001);
        assert_eq!((s.expected(), s.lost()), (4, 0));
    }

    #[test]
    fn a_late_packet_mends_the_loss_and_a_doubled_one_does_not() {
        let mut s = Sequence::trusted(10);
        assert_eq!(s.update(13), Verdict::Next { lost: 2 });
        assert_eq!(s.lost(), 2);
        assert_eq!(s.update(12), Verdict::Late);
        assert_eq!(s.update(12), Verdict::Duplicate);
        assert_eq!(s.update(13), Verdict::Duplicate);
        assert_eq!(s.lost(), 1);
    }

    #[test]
    fn a_wide_jump_is_believed_when_confirmed() {
        let mut s = Sequence::trusted(10);
        assert_eq!(s.update(30_000), Verdict::Jump);
        assert_eq!(s.update(11), Verdict::Next { lost: 0 });
        assert_eq!(s.update(30_001), Verdict::Jump, "the stray was forgotten");
        assert_eq!(s.update(30_002), Verdict::Restarted);
        assert_eq!(s.update(30_003), Verdict::Next { lost: 0 });
        assert_eq!((s.received(), s.lost(), s.restarts()), (4, 0, 1));
    }

    #[test]
    fn too_far_behind_is_never_heard_twice() {
        let mut s = Sequence::trusted(10);
        s.update(110);
        assert_eq!(s.update(46), Verdict::Duplicate);
        assert_eq!(s.update(47), Verdict::Late);
    }
}
