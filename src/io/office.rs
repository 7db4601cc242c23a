//! The office thread: store, HTTP and the command socket, away from the calls. Facts come in by a bounded queue and
//! are written in batches; when the store is away they wait, and beyond the bound they are counted.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::bans;
use super::http::{self, Office};
use super::metrics::Metrics;
use super::socket::{CommandSocket, Desks};
use super::store::{PhoneWriter, Writer};
use crate::base::UtcTime;
use crate::exchange::NumberedFact;
use crate::node::Ban;
use crate::sip::StoredBinding;

/// Facts in one transaction.
const BATCH: usize = 8_192;
/// From so many on, more are waited for.
const MUCH: usize = 64;
/// For so long.
const GATHER: Duration = Duration::from_millis(200);
/// The first pause after a failure; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Everything of the office thread.
pub(super) struct OfficeWork {
    pub writer: Writer,
    pub facts: mpsc::Receiver<NumberedFact>,
    pub phone_writer: PhoneWriter,
    pub phones: mpsc::Receiver<Phones>,
    /// Where bans are kept, and those to be kept.
    pub bans: (PathBuf, mpsc::Receiver<Vec<Ban>>),
    pub http: std::net::TcpListener,
    pub office: Office,
    pub commands: Option<CommandSocket>,
    /// Held until everything is written.
    pub lock: std::fs::File,
}

impl OfficeWork {
    pub(super) async fn run(self) {
        let Self { writer, facts, phone_writer, phones, bans, http, commands, office, lock } = self;
        let metrics = Arc::clone(&office.metrics);
        let desks = Desks {
            asker: office.asker.clone(),
            store: office.store.clone(),
            menus: office.menus.clone(),
            metrics: Arc::clone(&metrics),
        };
        let commands = tokio::spawn(async move {
            if let Some(commands) = commands {
                commands.serve(desks).await;
            }
        });
        let pages = tokio::spawn(async move {
            if let Err(e) = http::serve(http, office).await {
                tracing::error!(error = %e, "no HTTP");
            }
        });
        let kept = write_phones(phone_writer, phones, Arc::clone(&metrics));
        tokio::join!(write_facts(writer, facts, metrics), kept, bans::keep(bans.0, bans.1));
        // The control loop is gone and all is written.
        for task in [pages, commands] {
            task.abort();
            // Only then are its socket and its file gone, and the store may be another server's.
            task.await.ok();
        }
        drop(lock);
    }
}

/// Where an agent's phone was registered at a moment.
#[derive(Debug)]
pub(super) struct Phones {
    /// The moment.
    pub at: UtcTime,
    /// Whose.
    pub agent: String,
    /// Every contact he had.
    pub bindings: Vec<StoredBinding>,
}

/// Keeps registrations until the queue is closed and empty.
pub(super) async fn write_phones(
    mut writer: PhoneWriter,
    mut phones: mpsc::Receiver<Phones>,
    metrics: Arc<Metrics>,
) {
    while let Some(Phones { at, agent, bindings }) = phones.recv().await {
        let mut pause = PAUSE_MIN;
        while let Err(e) = writer.write(at, &agent, &bindings).await {
            metrics.store_failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %e, agent, "a registration cannot be kept; trying again");
            if phones.is_closed() && pause >= PAUSE_MAX {
                metrics.phones_dropped.fetch_add(1 + phones.len() as u64, Ordering::Relaxed);
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Writes facts until the queue is closed and empty.
pub(super) async fn write_facts(
    mut writer: Writer,
    mut facts: mpsc::Receiver<NumberedFact>,
    metrics: Arc<Metrics>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while facts.recv_many(&mut batch, BATCH).await > 0 {
        // When much comes, more of it goes into one transaction, and a call's facts into one row.
        if batch.len() >= MUCH {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(fact) = facts.try_recv()
            {
                batch.push(fact);
            }
        }
        let mut written = Written::default();
        // A batch that the store will never take is handed over fact by fact, so that one mistake of ours costs one
        // fact and not the record.
        match write_batch(&mut writer, &batch, &facts, &metrics).await {
            Outcome::Written => written.kept = batch.len(),
            Outcome::Refused => {
                for one in batch.chunks(1) {
                    match write_batch(&mut writer, one, &facts, &metrics).await {
                        Outcome::Written => written.kept += 1,
                        Outcome::Refused | Outcome::GivenUp => written.lost += 1,
                    }
                }
            }
            Outcome::GivenUp => written.lost = batch.len(),
        }
        written.count(&metrics);
        if let Some(last) = batch.last() {
            // Its input may have more facts that are still under way.
            let all = last.seq.0 - u64::from(!facts.is_empty());
            metrics.journal.projected.store(all, Ordering::Relaxed);
        }
        batch.clear();
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
struct Written {
    kept: usize,
    lost: usize,
}

impl Written {
    fn count(&self, metrics: &Metrics) {
        let (kept, lost) = (self.kept as u64, self.lost as u64);
        metrics.facts_written.fetch_add(kept, Ordering::Relaxed);
        metrics.facts_dropped.fetch_add(lost, Ordering::Relaxed);
        metrics.facts_waiting.fetch_sub(kept + lost, Ordering::Relaxed);
    }
}

enum Outcome {
    Written,
    /// The store will never take it.
    Refused,
    /// The server ends, and the store is still away.
    GivenUp,
}

/// A writing that takes longer is an alarm.
const SLOW: Duration = Duration::from_millis(500);

fn alarm(metrics: &Metrics, what: &str) {
    if !metrics.store_broken.swap(true, Ordering::Relaxed) {
        tracing::error!(what, "calls go on; their record waits in memory");
    }
}

/// Tries until the store takes the batch, or never will.
async fn write_batch(
    writer: &mut Writer,
    batch: &[NumberedFact],
    facts: &mpsc::Receiver<NumberedFact>,
    metrics: &Metrics,
) -> Outcome {
    let mut pause = PAUSE_MIN;
    loop {
        let result = {
            let mut write = std::pin::pin!(writer.write(batch));
            if let Ok(result) = tokio::time::timeout(SLOW, &mut write).await {
                result
            } else {
                alarm(metrics, "the store takes too long");
                write.await
            }
        };
        let Err(e) = result else {
            if metrics.store_broken.swap(false, Ordering::Relaxed) {
                tracing::warn!("the store is written again");
            }
            return Outcome::Written;
        };
        metrics.store_failures.fetch_add(1, Ordering::Relaxed);
        alarm(metrics, "the store cannot be written");
        if e.is_permanent() {
            tracing::error!(error = %e, facts = batch.len(), "the store refuses facts");
            return Outcome::Refused;
        }
        let waiting = facts.len() + batch.len();
        tracing::error!(error = %e, waiting, "the store cannot write; trying again");
        if facts.is_closed() && pause >= PAUSE_MAX {
            tracing::error!(
                facts = waiting,
                "the server ends and the store cannot write: these facts are lost"
            );
            return Outcome::GivenUp;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
