//! The journal: every input of Exchange and Acd, numbered, in the form that a disk would hold (length, version, CRC).
//! For now it lives in memory: the last entries, bounded; the numbers and the cursor are what they will be on disk.
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::Seq;
use crate::exchange::{Entry, encode};

/// Bytes kept; the oldest entries make room.
const BYTES: usize = 32 * 1024 * 1024;

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<(Seq, Vec<u8>)>,
    bytes: usize,
    last: Seq,
    refused: u64,
}

/// The last entries, encoded.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Kept>);

impl Journal {
    /// Appends an entry.
    pub(super) fn append(&self, entry: &Entry) {
        let mut bytes = Vec::new();
        let mut kept = self.kept();
        if encode(entry, &mut bytes).is_err() {
            kept.refused += 1;
            return;
        }
        kept.last = entry.seq;
        kept.bytes += bytes.len();
        kept.entries.push_back((entry.seq, bytes));
        while kept.bytes > BYTES {
            let Some((_, old)) = kept.entries.pop_front() else { break };
            kept.bytes -= old.len();
        }
    }

    /// The number of the last entry.
    pub(super) fn last(&self) -> Seq {
        self.kept().last
    }

    /// Entries that could not be encoded: must stay 0.
    pub(super) fn refused(&self) -> u64 {
        self.kept().refused
    }

    /// The encoded entries after `cursor`, oldest first, as far as they are kept.
    #[cfg(test)]
    fn after(&self, cursor: Seq) -> Vec<u8> {
        self.kept()
            .entries
            .iter()
            .filter(|(seq, _)| *seq > cursor)
            .flat_map(|(_, b)| b.iter().copied())
            .collect()
    }

    /// A writer that panicked left whole entries behind, so its lock is as good as any.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LegId, Now};
    use crate::exchange::{Happening, Input, decode};

    #[test]
    fn what_is_kept_can_be_read_again_from_any_cursor() {
        let journal = Journal::default();
        for n in 1..=5 {
            let what = Happening::Input(Input::SoundLost { leg: LegId(n) });
            journal.append(&Entry { seq: Seq(n), now: Now::default(), what });
        }
        let read: Vec<u64> = decode(&journal.after(Seq(3))).map(|e| e.unwrap().seq.0).collect();
        assert_eq!(read, [4, 5]);
        assert_eq!(journal.last(), Seq(5));
        assert_eq!(journal.refused(), 0);
    }
}
