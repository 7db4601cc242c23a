//! What a start finds of the run before: the journal is folded, facts that the store does not have are written, calls
//! that neither knows the end of are closed, and clock and numbers go on above all that were used.
//!
//! Invariant: nobody waits long for it. What cannot be written within [`PROJECT_WITHIN`] is handed to the office, which
//! writes it while calls are taken.
use std::path::Path;
use std::time::Duration;

use super::clock::Clock;
use super::journal::{self, Folder, Found};
use super::server::StartError;
use super::store::{Store, Writer};
use crate::base::Seq;
use crate::exchange::{Ledger, NumberedFact};

/// How long a start writes facts into the store before it takes calls.
const PROJECT_WITHIN: Duration = Duration::from_millis(800);
/// Facts in one transaction.
const BATCH: usize = 2_048;

/// All that a start finds.
pub(super) struct Recovered {
    pub(super) store: Store,
    pub(super) writer: Writer,
    pub(super) disk: Folder,
    /// What the journal says.
    pub(super) ledger: Ledger,
    /// Older segments.
    pub(super) segments: Vec<u64>,
    /// Facts that are still to be written.
    pub(super) backlog: Vec<NumberedFact>,
    /// Numbers above this were never used.
    pub(super) last_number: u64,
    /// Goes on where the run before stood.
    pub(super) clock: Clock,
}

/// Reads and mends everything in the store's folder.
pub(super) async fn recover(folder: &Path, clock: Clock) -> Result<Recovered, StartError> {
    let began = clock.mono();
    let store = Store::open(&folder.join("hotline.db")).await?;
    let mut writer = Writer::open(&store).await?;
    let path = journal::folder_in(folder);
    let fail = |source| StartError::System { what: "the journal cannot be read", source };
    let disk = Folder::open(&path).map_err(fail)?;
    let Found { ledger, mut backlog, segments, entries } =
        journal::read(&path, writer.cursor()).map_err(fail)?;
    let (facts, calls) = (backlog.len(), ledger.calls().len());
    while !backlog.is_empty() && clock.mono().since(began) < PROJECT_WITHIN {
        let batch = backlog.get(..BATCH).unwrap_or(&backlog);
        if let Err(error) = writer.write(batch).await {
            tracing::error!(%error, "what the store lacks is written later");
            break;
        }
        backlog.drain(..batch.len());
    }
    // Those that stand in the journal are closed by it, with their true times.
    let ended = |f: &NumberedFact| f.fact.call();
    let known = ledger.calls().chain(backlog.iter().filter_map(ended)).collect();
    let resume = store.resume(&known).await?;
    if entries > 0 {
        let took_ms = clock.mono().since(began).as_millis();
        tracing::info!(entries, facts, calls, took_ms, "the journal was read");
    }
    if calls > 0 || resume.closed > 0 {
        let calls = calls as u64 + resume.closed;
        tracing::warn!(calls, "calls cut off by the last stop are closed in the record");
    }
    let numbers = [ledger.last_number(), resume.last_seq, resume.last_call, resume.last_assignment];
    let last_number = numbers.into_iter().max().unwrap_or(0);
    // A first start has nothing to go on from.
    let clock = if ledger.seq() == Seq(0) { clock } else { clock.going_on_from(ledger.at()) };
    Ok(Recovered { store, writer, disk, ledger, segments, backlog, last_number, clock })
}
