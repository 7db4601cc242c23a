//! What a start finds: segments are read in their order, the ledger is folded, and facts that the store does not have are
//! collected; what was noted and is not on disk follows, and is put there first of all. Invariant: a torn end is cut; of a segment with a broken middle a copy is kept aside, and what was sound is used; both are said.
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use super::disk::{Disk as _, Folder, file_of};
use super::notes;
use crate::base::Seq;
use crate::exchange::{
    Happening, JournalError, Ledger, NumberedFact, Record, decode, encode, encode_opening,
};

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
        // A run begins above every number that was used, of which the journal may not have the last.
        let first = notes.range(self.ledger.seq().next()..).next();
        let begins = first.filter(|(seq, entry)| {
            // Menus are installed in the middle of a run, too: what begins one is followed by a restart.
            let restarts = |e: &crate::exchange::Entry| matches!(e.what, Happening::Restarted);
            let is_first = self.ledger.seq() == Seq(0) || notes.get(&seq.next()).is_some_and(restarts);
            matches!(entry.what, Happening::Installed { .. }) && is_first
        });
        let mut next = begins.map_or(self.ledger.seq().next(), |(seq, _)| *seq);
        while let Some(entry) = notes.remove(&next) {
            next = next.next();
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
                tracing::error!(%error, "what was noted cannot be written now; it goes into the next segment");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Now;
    use crate::exchange::{Entry, Fact};
    use crate::io::journal::Notes;

    fn entry(seq: u64, what: Happening) -> Entry {
        let facts = vec![Fact::Ignored { what: String::new() }];
        Entry { seq: Seq(seq), now: Now::default(), what, facts }
    }

    /// What a start finds when `on_disk` is all that the disk has and `noted` is in memory.
    fn found(name: &str, on_disk: u64, noted: &[Entry]) -> Vec<u64> {
        let folder = std::env::temp_dir().join(format!("hotline-reading-{name}-{}", std::process::id()));
        let mut disk = Folder::open(&folder).unwrap();
        let mut bytes = Vec::new();
        encode_opening(&Ledger::default(), &mut bytes).unwrap();
        for seq in 1..=on_disk {
            encode(&entry(seq, Happening::AcdTimeout), &mut bytes).unwrap();
        }
        disk.begin(1, &bytes).unwrap();
        let mut notes = Notes::open(Path::new("/dev/shm"), &folder).unwrap();
        for entry in noted {
            let mut bytes = Vec::new();
            encode(entry, &mut bytes).unwrap();
            notes.note((entry.seq, entry.seq), &bytes, Seq(0));
        }
        let seqs = |found: &Found| found.backlog.iter().map(|f| f.seq.0).collect::<Vec<_>>();
        let first = read(&folder, (0, 0)).unwrap();
        notes.close(Seq(u64::MAX));
        let again = read(&folder, (0, 0)).unwrap();
        assert_eq!((seqs(&first), &first.ledger), (seqs(&again), &again.ledger), "read is on disk");
        std::fs::remove_dir_all(folder).unwrap();
        seqs(&first)
    }

    #[test]
    fn notes_go_on_where_the_disk_ends_and_a_hole_is_the_end() {
        let timeout = |seq| entry(seq, Happening::AcdTimeout);
        assert_eq!(found("on", 3, &[timeout(2), timeout(3), timeout(4), timeout(5)]), [1, 2, 3, 4, 5]);
        assert_eq!(found("hole", 3, &[timeout(5), timeout(6)]), [1, 2, 3]);
        assert_eq!(found("none", 3, &[]), [1, 2, 3]);
    }

    #[test]
    fn a_run_that_began_above_what_the_disk_has_is_read_from_its_beginning() {
        let begin = |seq| entry(seq, Happening::Installed { revision: String::new() });
        assert_eq!(found("above", 2, &[begin(900), entry(901, Happening::Restarted)]), [1, 2, 900, 901]);
    }
}
