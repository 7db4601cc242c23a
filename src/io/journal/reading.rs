//! What a start finds: segments are read in their order, the ledger is folded, and facts that the store does not have are
//! collected; what was noted and is not on disk follows, and is put there first of all. Invariant: a torn end is cut; of a segment with a broken middle a copy is kept aside, and what was sound is used; both are said.
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use super::disk::{Disk as _, Folder, file_of};
use super::notes;
use crate::base::Seq;
use crate::exchange::{JournalError, Ledger, NumberedFact, Record, decode, encode, encode_opening};

/// What was found.
#[derive(Debug, Default)]
pub(in crate::io) struct Found {
    /// The sum of all.
    pub ledger: Ledger,
    /// Facts after the store's cursor, in their order.
    pub backlog: Vec<NumberedFact>,
    /// Segments there, the oldest first.
    pub segments: Vec<u64>,
    /// Entries read.
    pub entries: u64,
}

/// Reads the journal in `folder`; `cursor` is the last fact that the store has.
pub(in crate::io) fn read(folder: &Path, cursor: (u64, u32)) -> io::Result<Found> {
    let mut found = Found { segments: segments(folder)?, ..Found::default() };
    let mut gathered = Seq(0);
    for number in found.segments.clone() {
        let bytes = std::fs::read(file_of(folder, number))?;
        let mut records = decode(&bytes);
        for record in records.by_ref() {
            match record {
                Ok(record) => found.take(record, cursor, &mut gathered),
                Err(error) => broken(folder, number, &error),
            }
        }
    }
    found.take_notes(folder, cursor, &mut gathered);
    Ok(found)
}

impl Found {
    /// What follows the last entry on disk: it goes into a segment of its own before anything comes of it.
    fn take_notes(&mut self, folder: &Path, cursor: (u64, u32), gathered: &mut Seq) {
        let mut notes = notes::read(folder);
        let mut bytes = Vec::new();
        let opening = encode_opening(&self.ledger, &mut bytes);
        let before = self.entries;
        while let Some(entry) = notes.remove(&self.ledger.seq().next()) {
            if encode(&entry, &mut bytes).is_err() {
                break;
            }
            self.take(Record::Entry(entry), cursor, gathered);
        }
        let noted = self.entries - before;
        if noted == 0 {
            return;
        }
        let number = self.segments.last().map_or(1, |last| last + 1);
        let written = opening.map_err(io::Error::other);
        let written =
            written.and_then(|()| Folder::open(folder)).and_then(|mut disk| disk.begin(number, &bytes));
        match written {
            Ok(()) => self.segments.push(number),
            Err(error) => {
                tracing::error!(%error, "what was noted cannot be written now; it goes into the next segment")
            }
        }
        tracing::info!(entries = noted, "noted and not on disk: read");
    }

    fn take(&mut self, record: Record, cursor: (u64, u32), gathered: &mut Seq) {
        match record {
            Record::Opening(ledger) if ledger.seq() >= self.ledger.seq() => self.ledger = *ledger,
            Record::Opening(_) => {}
            Record::Mark(now) => self.ledger.mark(now),
            Record::Entry(entry) => {
                self.entries += 1;
                self.ledger.apply(&entry);
                // An entry may stand in two segments, when the disk failed after it had it.
                if entry.seq > *gathered {
                    *gathered = entry.seq;
                    self.backlog.extend(entry.into_facts().filter(|f| (f.seq.0, f.index) > cursor));
                }
            }
        }
    }
}

fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name();
        let stem = name.to_str().and_then(|n| n.strip_suffix(".journal"));
        numbers.extend(stem.and_then(|n| n.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What is sound stays where it is; the rest is cut, once a copy of a broken file is safe. A disk that refuses that now
/// will be asked again at the next start.
fn broken(folder: &Path, number: u64, error: &JournalError) {
    let path = file_of(folder, number);
    let cut = |at: usize| OpenOptions::new().write(true).open(&path)?.set_len(at as u64);
    let done = match error {
        JournalError::Torn { at, have, .. } => {
            tracing::warn!(
                segment = number,
                bytes = have,
                "the journal's end is torn, as after a crash: cut"
            );
            cut(*at)
        }
        JournalError::Corrupt { at, .. } | JournalError::Version { at, .. } => {
            let aside = path.with_extension("aside");
            tracing::error!(
                segment = number,
                %error,
                kept = %aside.display(),
                "the journal is broken here: what follows in this segment is not used; the file is kept aside"
            );
            std::fs::copy(&path, &aside).and_then(|_| cut(*at))
        }
        JournalError::Encode(_) => Ok(()),
    };
    if let Err(error) = done {
        tracing::error!(%error, segment = number, "the journal cannot be mended now");
    }
}
