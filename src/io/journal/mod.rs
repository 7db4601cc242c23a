//! The journal on disk: every input of Exchange and Acd with what became true by it, numbered, in append-only segments
//! (`var/journal/*.journal`, laid out as `exchange/journal.rs` says). docs/adr/0010 has the reasons.
//!
//! ```text
//! control --entries--> scribe --groups--> hand --fdatasync--> segment
//!    ^                   | durable number                        each opens with a Ledger
//!    +-------------------+--facts--> store
//! ```
//!
//! Invariant: control never waits here. The *scribe* gathers what comes into groups and folds the ledger; the *hand* does
//! nothing but write. What does not fit into memory is counted and an alarm is raised.
mod disk;
mod figures;
mod hand;
mod reading;
mod scribe;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::metrics::Metrics;
use crate::base::Seq;
use crate::exchange::{Entry, Ledger, NumberedFact};
pub(super) use disk::Folder;
pub(super) use figures::Figures;
pub(super) use reading::{Found, read};
use scribe::Scribe;

/// Entries that may wait for the scribe, who is never slow: more than a second of Double Eleven. Beyond, the newest is
/// lost, counted.
const ENTRIES_WAITING: usize = 131_072;
/// The folder in the store's.
const FOLDER: &str = "journal";

/// What control and the hand leave for the scribe.
#[derive(Debug, Default)]
struct Inbox {
    entries: VecDeque<Entry>,
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
        disk: impl disk::Disk + 'static,
        (ledger, segments): (Ledger, Vec<u64>),
        figures: Arc<Figures>,
        around: Around,
    ) -> std::io::Result<Self> {
        let (moved, durable) = watch::channel(ledger.seq().0);
        let desk = Arc::new(Desk { inbox: Mutex::default(), bell: Condvar::new(), figures });
        let hand = hand::start(disk, Arc::clone(&desk))?;
        let scribe = Scribe::new(Arc::clone(&desk), (ledger, segments), hand, (moved, around));
        let scribe = std::thread::Builder::new().name("journal".to_owned()).spawn(move || scribe.run())?;
        Ok(Self { desk, durable, scribe: Some(scribe) })
    }

    /// Appends an entry.
    pub(super) fn append(&self, entry: Entry) {
        let mut inbox = self.desk.inbox();
        if inbox.entries.len() >= ENTRIES_WAITING {
            drop(inbox);
            self.desk.figures.lost_entry();
            return;
        }
        inbox.entries.push_back(entry);
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
        self.desk.inbox().closed = true;
        self.desk.bell.notify_one();
        if let Some(scribe) = self.scribe.take()
            && scribe.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
    }
}
