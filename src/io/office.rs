//! The office thread: store, HTTP and the command socket, away from the calls. Facts come in by a bounded queue and
//! are written in batches; when the store is away they wait, and beyond the bound they are counted.
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::banner::BannerDesk;
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
    /// Facts of the run before that the store lacks: they go first, however many they are.
    pub backlog: Vec<NumberedFact>,
    pub facts: mpsc::Receiver<NumberedFact>,
    pub phone_writer: PhoneWriter,
    pub phones: mpsc::Receiver<Phones>,
    /// Where bans are kept, and those to be kept.
    pub bans: (PathBuf, mpsc::Receiver<Vec<Ban>>),
    pub http: std::net::TcpListener,
    pub office: Office,
    /// Who removes what ended banners leave, and when he is told.
    pub tidying: (BannerDesk, Arc<Notify>),
    pub commands: Option<CommandSocket>,
    /// Held until everything is written.
    pub lock: std::fs::File,
}

impl OfficeWork {
    pub(super) async fn run(self) {
        let Self {
            writer,
            backlog,
            facts,
            phone_writer,
            phones,
            bans,
            http,
            commands,
            office,
            tidying,
            lock,
        } = self;
        let metrics = Arc::clone(&office.metrics);
        let desks = Desks {
            asker: office.asker.clone(),
            store: office.store.clone(),
            menus: office.menus.clone(),
            banners: office.banners.clone(),
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
        let tidy = tokio::spawn(tidying.0.tidy(tidying.1));
        let kept = write_phones(phone_writer, phones, Arc::clone(&metrics));
        let written = write_facts((writer, backlog), facts, metrics);
        tokio::join!(written, kept, bans::keep(bans.0, bans.1));
        // The control loop is gone and all is written.
        for task in [pages, commands, tidy] {
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

/// Writes what the run before left, then facts until the queue is closed and empty.
pub(super) async fn write_facts(
    (mut writer, backlog): (Writer, Vec<NumberedFact>),
    mut facts: mpsc::Receiver<NumberedFact>,
    metrics: Arc<Metrics>,
) {
    for batch in backlog.chunks(BATCH) {
        write_once(&mut writer, batch, &facts, &metrics).await;
    }
    drop(backlog);
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
        write_once(&mut writer, &batch, &facts, &metrics).await;
        if let Some(last) = batch.last() {
            // Its input may have more facts that are still under way.
            let all = last.seq.0 - u64::from(!facts.is_empty());
            metrics.journal.projected.store(all, Ordering::Relaxed);
        }
        batch.clear();
    }
}

/// A batch that the store will never take is handed over fact by fact, so that one mistake of ours costs one fact and
/// not the record.
async fn write_once(
    writer: &mut Writer,
    batch: &[NumberedFact],
    facts: &mpsc::Receiver<NumberedFact>,
    metrics: &Metrics,
) {
    let mut written = Written::default();
    match write_batch(writer, batch, facts, metrics).await {
        Outcome::Written => written.kept = batch.len(),
        Outcome::Refused => {
            for one in batch.chunks(1) {
                match write_batch(writer, one, facts, metrics).await {
                    Outcome::Written => written.kept += 1,
                    Outcome::Refused | Outcome::GivenUp => written.lost += 1,
                }
            }
        }
        Outcome::GivenUp => written.lost = batch.len(),
    }
    written.count(metrics);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Now, Seq};
    use crate::exchange::Fact;
    use crate::io::journal::Figures;
    use crate::io::store::Store;

    fn fact(seq: u64) -> NumberedFact {
        NumberedFact {
            seq: Seq(seq),
            index: 0,
            at: Now::default(),
            fact: Fact::Ignored { what: String::new() },
        }
    }

    #[test]
    fn what_the_run_before_left_is_written_whole_and_first_however_much_it_is() {
        let folder = std::env::temp_dir().join(format!("hotline-office-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&folder.join("hotline.db")).await.unwrap();
            let writer = Writer::open(&store).await.unwrap();
            let figures = Arc::new(Figures::default());
            let metrics = Arc::new(Metrics::new(
                (Arc::default(), None),
                Arc::default(),
                (Arc::clone(&figures), Arc::default(), Arc::default()),
                Arc::default(),
            ));
            // More than the way to the store holds.
            let (to, facts) = mpsc::channel(16);
            let backlog: Vec<NumberedFact> = (1..=20_000).map(fact).collect();
            metrics.facts_waiting.store(20_001, Ordering::Relaxed);
            to.try_send(fact(20_001)).unwrap();
            drop(to);
            write_facts((writer, backlog), facts, Arc::clone(&metrics)).await;
            assert_eq!(metrics.facts_written.load(Ordering::Relaxed), 20_001);
            assert_eq!(metrics.facts_waiting.load(Ordering::Relaxed), 0);
            assert_eq!(metrics.facts_dropped.load(Ordering::Relaxed), 0);
            assert_eq!(figures.projected.load(Ordering::Relaxed), 20_001);
            assert_eq!(Writer::open(&store).await.unwrap().cursor(), (20_001, 0));
        });
        std::fs::remove_dir_all(folder).unwrap();
    }
}
