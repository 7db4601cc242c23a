//! The journal on disk: every input of Exchange and Acd with what became true by it, numbered, in append-only segments
//! (`var/journal/*.journal`, laid out as `exchange/journal.rs` says). docs/adr/0010 has the reasons.
//!
//! ```text
//! control --entries--> scribe --groups--> hand --fdatasync--> segment
//!    |  ^                | durable number                        each opens with a Ledger
//!    |  +----------------+--facts--> store
//!    +--> notes: memory that outlives the process, before anything that follows from an entry leaves it
//! ```
//!
//! Invariant: control never waits here. The *scribe* gathers what comes into groups and folds the ledger; the *hand* does
//! nothing but write. What does not fit into memory is counted and an alarm is raised.
mod disk;
mod figures;
mod hand;
mod notes;
mod reading;
mod scribe;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::metrics::Metrics;
use crate::base::Seq;
use crate::exchange::{Entry, Ledger, NumberedFact, encode};
pub(super) use disk::Folder;
pub(super) use figures::Figures;
pub(super) use notes::Notes;
pub(super) use reading::{Found, read};
use scribe::Scribe;

/// Entries that may wait for the scribe, who is never slow: more than a second of Double Eleven. Beyond, the newest is
/// lost, counted.
const ENTRIES_WAITING: usize = 131_072;
/// The folder in the store's.
const FOLDER: &str = "journal";

/// Entries, and how they are written.
#[derive(Debug, Default)]
struct Batch {
    /// Each with the length of its bytes; zero: it has no form.
    entries: VecDeque<(Entry, usize)>,
    bytes: Vec<u8>,
}

/// What control and the hand leave for the scribe.
#[derive(Debug, Default)]
struct Inbox {
    batch: Batch,
    done: Option<hand::Done>,
    /// Control is gone.
    closed: bool,
    /// A group is being gathered already: one more entry need not wake the scribe.
    gathering: bool,
}

#[derive(Debug)]
struct Desk {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    figures: Arc<Figures>,
}

impl Desk {
    /// A writer that panicked left whole entries behind, so its lock is as good as any.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Control's side of the journal. When it is dropped, what is left is written and the threads end.
#[derive(Debug)]
pub(super) struct Journal {
    desk: Arc<Desk>,
    durable: watch::Receiver<u64>,
    scribe: Option<JoinHandle<()>>,
    notes: Option<Notes>,
    /// Appended, and not handed over.
    fresh: Batch,
}

/// What the scribe needs of the rest of the server.
pub(super) struct Around {
    /// The time.
    pub clock: Clock,
    /// To the store: facts, once they are on disk or cannot be.
    pub facts: mpsc::Sender<NumberedFact>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// The journal's folder in the store's.
pub(super) fn folder_in(store: &Path) -> std::path::PathBuf {
    store.join(FOLDER)
}

impl Journal {
    /// Begins a new segment on `disk`, which opens with `ledger`. `segments` are older ones still there.
    pub(super) fn start(
        (disk, notes): (impl disk::Disk + 'static, Option<Notes>),
        (ledger, segments): (Ledger, Vec<u64>),
        figures: Arc<Figures>,
        around: Around,
    ) -> std::io::Result<Self> {
        let (moved, durable) = watch::channel(ledger.seq().0);
        figures.notes.store(notes.is_some(), Ordering::Relaxed);
        let desk = Arc::new(Desk { inbox: Mutex::default(), bell: Condvar::new(), figures });
        let hand = hand::start(disk, Arc::clone(&desk))?;
        let scribe = Scribe::new(Arc::clone(&desk), (ledger, segments), hand, (moved, around));
        let scribe = std::thread::Builder::new().name("journal".to_owned()).spawn(move || scribe.run())?;
        Ok(Self { desk, durable, scribe: Some(scribe), notes, fresh: Batch::default() })
    }

    /// Appends an entry, for [`Journal::hand_over`].
    pub(super) fn append(&mut self, entry: Entry) {
        let Batch { entries, bytes } = &mut self.fresh;
        let before = bytes.len();
        if let Err(error) = encode(&entry, bytes) {
            tracing::error!(%error, seq = %entry.seq, "an entry of the journal cannot be written");
        }
        entries.push_back((entry, bytes.len() - before));
    }

    /// What was appended outlives the process from now on, and is on its way to the disk. To be called before anything
    /// that follows from it leaves the process.
    pub(super) fn hand_over(&mut self) {
        let Batch { entries, mut bytes } = std::mem::take(&mut self.fresh);
        let (Some((first, _)), Some((last, _))) = (entries.front(), entries.back()) else { return };
        let (span, durable) = ((first.seq, last.seq), self.durable());
        if let Some(notes) = &mut self.notes
            && !notes.note(span, &bytes, durable)
        {
            self.desk.figures.not_noted.fetch_add(entries.len() as u64, Ordering::Relaxed);
        }
        let mut inbox = self.desk.inbox();
        if inbox.batch.entries.len() + entries.len() > ENTRIES_WAITING {
            drop(inbox);
            self.desk.figures.lost.fetch_add(entries.len() as u64, Ordering::Relaxed);
            return;
        }
        inbox.batch.entries.extend(entries);
        inbox.batch.bytes.append(&mut bytes);
        let wake = !std::mem::replace(&mut inbox.gathering, true);
        drop(inbox);
        if wake {
            self.desk.bell.notify_one();
        }
    }

    /// Everything up to here is on disk.
    pub(super) fn durable(&self) -> Seq {
        Seq(*self.durable.borrow())
    }

    /// Waits until [`Journal::durable`] moved since the last call; for ever when the scribe is gone.
    pub(super) async fn moved(&mut self) {
        if self.durable.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.hand_over();
        self.desk.inbox().closed = true;
        self.desk.bell.notify_one();
        if let Some(scribe) = self.scribe.take()
            && scribe.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
        let durable = self.durable();
        if let Some(notes) = self.notes.take() {
            notes.close(durable);
        }
    }
}
