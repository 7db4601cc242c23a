//! The thread that runs futures: batches in by a short queue, what they say out. It is the nicest of the process, so it
//! takes what calls, sound and disk leave; a batch without room is dropped and counted, and the Acd asks again in its time.
//!
//! Invariant: nothing waits for it, and it never holds more than [`WAITING`] batches.
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::priority;
use crate::exchange::acd::{Futures, RanAhead};

/// Batches that may wait for the thread, and outcomes that may wait for the control loop.
const WAITING: usize = 8;

/// What the thread counts.
#[derive(Debug, Default)]
pub(super) struct FuturesFigures {
    /// Batches run.
    pub run: AtomicU64,
    /// Batches dropped because too many waited.
    pub dropped: AtomicU64,
    /// Steps of all batches.
    pub steps: AtomicU64,
    /// CPU time of the thread, in microseconds.
    pub cpu_us: AtomicU64,
}

/// Where batches go. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct FuturesWorker {
    batches: mpsc::Sender<Box<Futures>>,
    figures: Arc<FuturesFigures>,
}

impl FuturesWorker {
    /// Starts the thread.
    pub(super) fn start(figures: Arc<FuturesFigures>) -> io::Result<(Self, mpsc::Receiver<RanAhead>)> {
        let (batches, mut wanted) = mpsc::channel::<Box<Futures>>(WAITING);
        let (ran, outcomes) = mpsc::channel(WAITING);
        let counted = Arc::clone(&figures);
        std::thread::Builder::new().name("futures".to_owned()).spawn(move || {
            priority::give_way();
            while let Some(futures) = wanted.blocking_recv() {
                let outcome = futures.run();
                counted.run.fetch_add(1, Ordering::Relaxed);
                counted.steps.fetch_add(u64::from(outcome.steps), Ordering::Relaxed);
                counted.cpu_us.store(cpu_us(), Ordering::Relaxed);
                if ran.blocking_send(outcome).is_err() {
                    return;
                }
            }
        })?;
        Ok((Self { batches, figures }, outcomes))
    }

    /// Hands a batch over, or drops it.
    pub(super) fn run(&self, futures: Box<Futures>) {
        if self.batches.try_send(futures).is_err() {
            self.figures.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// CPU time of the calling thread; 0 where the system does not say.
fn cpu_us() -> u64 {
    let spent = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    spent.map_or(0, |t| u64::try_from(t.tv_sec() * 1_000_000 + t.tv_nsec() / 1_000).unwrap_or(0))
}
