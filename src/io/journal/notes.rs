//! The notes: what the disk does not have yet, in memory that outlives the process. Control writes every entry here
//! before anything that follows from it leaves the process; the scribe and the disk come after, at their own pace. So a
//! kill -9 takes nothing with it, and nobody ever waited for a disk: a file system in memory (tmpfs) has none.
//!
//! Two pages are written in turn. Invariants: a page is written over only once the disk has all of it; entries on a page
//! follow each other, so that a note that found no room ends the page; who reads notes believes none that is not ours
//! alone, and none that does not follow what the disk has. docs/adr/0029 has the reasons.
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::geteuid;

use crate::base::Seq;
use crate::exchange::{Entry, Record, decode};

/// In the journal's folder: leads to the notes.
const LINK: &str = "notes";
const PAGES: [&str; 2] = ["a", "b"];
/// A page of this many bytes is turned as soon as the disk has the other one.
const TURN: u64 = 256 << 10;
/// The most on a page: a third of a second of Double Eleven. With a disk that is slower for long, more is not noted, and
/// counted.
const PAGE_MAX: u64 = 4 << 20;

/// Where control writes its notes.
#[derive(Debug)]
pub(in crate::io) struct Notes {
    folder: PathBuf,
    link: PathBuf,
    open: Page,
    other: Page,
}

#[derive(Debug)]
struct Page {
    file: File,
    length: u64,
    /// The last entry on it.
    last: Seq,
}

impl Page {
    fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        Ok(Self { file, length: 0, last: Seq(0) })
    }
}

impl Notes {
    /// Opens new ones in `memory`, for the journal in `journal`. Those of the run before, which were read, go.
    ///
    /// # Errors
    /// `memory` is not there, is on a disk, or refuses.
    pub(in crate::io) fn open(memory: &Path, journal: &Path) -> io::Result<Self> {
        if !is_memory(memory)? {
            return Err(io::Error::other("not a file system in memory (tmpfs)"));
        }
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|e| io::Error::other(e.to_string()))?;
        // Nobody can have made it before us: its name is not known, and what is there already is refused.
        let folder = memory.join(format!("hotline-{:032x}", u128::from_le_bytes(name)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let [open, other] = PAGES.map(|name| Page::new(&folder, name));
        let (link, aside) = (journal.join(LINK), journal.join("notes.new"));
        std::fs::remove_file(&aside).ok();
        symlink(&folder, &aside)?;
        let before = std::fs::read_link(&link).ok().filter(|before| is_ours(before));
        std::fs::rename(&aside, &link)?;
        if let Some(before) = before {
            remove(&before);
        }
        Ok(Self { folder, link, open: open?, other: other? })
    }

    /// Notes the entries from `first` to `last`, which are `bytes`; `durable` is what the disk has. `false` when there
    /// was no room.
    pub(super) fn note(&mut self, (first, last): (Seq, Seq), bytes: &[u8], durable: Seq) -> bool {
        let size = bytes.len() as u64;
        let page = &self.open;
        let follows = page.length == 0 || first == page.last.next();
        let fits = page.length + size <= PAGE_MAX;
        if !(follows && fits && page.length < TURN) && self.other.last <= durable {
            std::mem::swap(&mut self.open, &mut self.other);
            self.open.length = 0;
        } else if !(follows && fits) {
            return false;
        }
        if self.open.file.write_all_at(bytes, self.open.length).is_err() {
            return false;
        }
        self.open.length += size;
        self.open.last = last;
        true
    }

    /// The end of the run; `durable` is what the disk has.
    pub(super) fn close(self, durable: Seq) {
        if self.open.last.max(self.other.last) <= durable {
            std::fs::remove_file(&self.link).ok();
            remove(&self.folder);
        }
    }
}

/// What the run before noted; nothing when there is nothing, or it is not ours.
pub(super) fn read(journal: &Path) -> BTreeMap<Seq, Entry> {
    let Ok(folder) = std::fs::read_link(journal.join(LINK)) else { return BTreeMap::new() };
    if !is_ours(&folder) {
        return BTreeMap::new();
    }
    let pages = PAGES.iter().filter_map(|name| std::fs::read(folder.join(name)).ok());
    let mut found = BTreeMap::new();
    for page in pages {
        // After the last note there is what an earlier turn of the page left: the reading ends there.
        let entries = decode(&page).map_while(Result::ok).filter_map(|record| match record {
            Record::Entry(entry) => Some((entry.seq, entry)),
            Record::Opening(_) | Record::Mark(_) => None,
        });
        found.extend(entries);
    }
    found
}

/// A folder of this process's user that nobody else may enter: the lowest six bits of its mode are theirs.
fn is_ours(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok_and(|folder| {
        folder.is_dir() && folder.uid() == geteuid().as_raw() && folder.mode().trailing_zeros() >= 6
    })
}

/// Only what notes consist of.
fn remove(folder: &Path) {
    for page in PAGES {
        std::fs::remove_file(folder.join(page)).ok();
    }
    std::fs::remove_dir(folder).ok();
}

fn is_memory(folder: &Path) -> io::Result<bool> {
    Ok(statfs(folder)?.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::base::{Now, Rng};
    use crate::exchange::{Fact, Happening, encode};

    const MEMORY: &str = "/dev/shm";

    fn journal() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hotline-notes-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn entry(seq: u64, size: usize) -> Vec<u8> {
        let facts = vec![Fact::Ignored { what: "x".repeat(size) }];
        let entry = Entry { seq: Seq(seq), now: Now::default(), what: Happening::ExchangeTimeout, facts };
        let mut bytes = Vec::new();
        encode(&entry, &mut bytes).unwrap();
        bytes
    }

    fn notes_of(journal: &Path) -> PathBuf {
        std::fs::read_link(journal.join(LINK)).unwrap()
    }

    #[test]
    fn pages_are_written_over_only_when_the_disk_has_them() {
        let (journal, mut rng) = (journal(), Rng::from_number(3));
        let mut notes = Notes::open(Path::new(MEMORY), &journal).unwrap();
        let (mut durable, mut missed) = (0, Vec::new());
        for seq in 1..=1_500 {
            let bytes = entry(seq, 20_000);
            if !notes.note((Seq(seq), Seq(seq)), &bytes, Seq(durable)) {
                missed.push(seq);
            }
            // For a while the disk stands still, longer than there is room.
            if !(600..1_200).contains(&seq) {
                durable = durable.max(seq - rng.below(10).min(seq));
            }
            if seq % 37 == 0 {
                let known = read(&journal);
                let end = missed.iter().copied().find(|n| *n > durable).unwrap_or(seq + 1);
                let gap = (durable + 1..end).find(|n| !known.contains_key(&Seq(*n)));
                assert_eq!(gap, None, "at {seq}, durable {durable}");
            }
        }
        assert!((300..450).contains(&missed.len()), "{} found no room", missed.len());
        assert!(missed.iter().all(|n| (800..=1_200).contains(n)), "{missed:?}");
        let folder = notes_of(&journal);
        notes.close(Seq(1_499));
        assert!(read(&journal).contains_key(&Seq(1_500)), "what is not on disk stays");
        remove(&folder);
        std::fs::remove_dir_all(journal).unwrap();
    }

    #[test]
    fn a_new_run_takes_the_place_of_the_one_before_and_a_clean_end_leaves_nothing() {
        let journal = journal();
        let before = Notes::open(Path::new(MEMORY), &journal).unwrap();
        let old = notes_of(&journal);
        let mut notes = Notes::open(Path::new(MEMORY), &journal).unwrap();
        let new = notes_of(&journal);
        assert_eq!((old.exists(), new.exists()), (false, true));
        assert!(notes.note((Seq(1), Seq(1)), &entry(1, 1), Seq(0)));
        notes.close(Seq(1));
        assert!(!new.exists() && std::fs::read_link(journal.join(LINK)).is_err());
        drop(before);
        std::fs::remove_dir_all(journal).unwrap();
    }

    #[test]
    fn notes_that_others_could_have_written_are_not_believed() {
        let journal = journal();
        let mut notes = Notes::open(Path::new(MEMORY), &journal).unwrap();
        assert!(notes.note((Seq(1), Seq(1)), &entry(1, 1), Seq(0)));
        let folder = notes_of(&journal);
        assert_eq!(read(&journal).len(), 1);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert_eq!(read(&journal).len(), 0);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        // A link to where they are is not where they are.
        let detour = journal.join("detour");
        symlink(&folder, &detour).unwrap();
        std::fs::remove_file(journal.join(LINK)).unwrap();
        symlink(&detour, journal.join(LINK)).unwrap();
        assert_eq!(read(&journal).len(), 0);
        remove(&folder);
        std::fs::remove_dir_all(journal).unwrap();
    }

    #[test]
    fn a_disk_is_no_place_for_notes() {
        let journal = journal();
        assert!(
            Notes::open(Path::new(env!("CARGO_MANIFEST_DIR")), &journal).is_err(),
            "a checkout is on a disk"
        );
        assert!(Notes::open(Path::new("/nowhere/at/all"), &journal).is_err());
        std::fs::remove_dir_all(journal).unwrap();
    }
}
