//! The office thread: store, HTTP and the command socket, away from the calls. Facts come in by a bounded queue and
//! are written in batches; when the store is away they wait, and beyond the bound they are counted.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::metrics::Metrics;
use super::store::Writer;
use crate::exchange::NumberedFact;

/// Facts in one transaction.
const BATCH: usize = 2_048;
/// The first pause after a failure; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Writes facts until the queue is closed and empty.
pub(super) async fn write_facts(
    mut writer: Writer,
    mut facts: mpsc::Receiver<NumberedFact>,
    metrics: Arc<Metrics>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while facts.recv_many(&mut batch, BATCH).await > 0 {
        let mut pause = PAUSE_MIN;
        while let Err(e) = writer.write(&batch).await {
            metrics.store_failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %e, waiting = facts.len() + batch.len(), "the store cannot write; trying again");
            if facts.is_closed() && pause >= PAUSE_MAX {
                tracing::error!(
                    facts = batch.len(),
                    "the server ends and the store cannot write: these facts are lost"
                );
                metrics.facts_dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        let written = batch.len() as u64;
        metrics.facts_written.fetch_add(written, Ordering::Relaxed);
        metrics.facts_waiting.fetch_sub(written, Ordering::Relaxed);
        batch.clear();
    }
}
