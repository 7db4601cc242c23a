//! The hand: the thread that writes and waits for the disk, so that nobody else does.
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::Desk;
use super::disk::Disk;

/// What the hand is asked to do. Writing is answered by [`Done`]; one at a time.
#[derive(Debug)]
pub(super) enum Job {
    /// Begin this segment with these bytes.
    Begin(u64, Vec<u8>),
    /// Append these.
    Append(Vec<u8>),
    /// Remove a segment.
    Remove(u64),
}

/// What became of the last writing.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: io::Result<()>,
    /// The bytes, for another try.
    pub(super) bytes: Vec<u8>,
}

/// The way to the hand.
#[derive(Debug)]
pub(super) struct Hand {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Jobs that may lie before the hand: one writing, some removals.
const JOBS: usize = 16;

/// Starts the thread.
pub(super) fn start(disk: impl Disk + 'static, desk: Arc<Desk>) -> io::Result<Hand> {
    let (to, jobs) = sync_channel(JOBS);
    let thread =
        std::thread::Builder::new().name("disk".to_owned()).spawn(move || work(disk, &jobs, &desk))?;
    Ok(Hand { jobs: Some(to), thread: Some(thread) })
}

fn work(mut disk: impl Disk, jobs: &Receiver<Job>, desk: &Desk) {
    while let Ok(job) = jobs.recv() {
        let (result, bytes) = match job {
            Job::Begin(number, bytes) => (disk.begin(number, &bytes), bytes),
            Job::Append(bytes) => (disk.append(&bytes), bytes),
            Job::Remove(number) => {
                if let Err(error) = disk.remove(number) {
                    tracing::warn!(%error, segment = number, "a segment of the journal cannot be removed");
                }
                continue;
            }
        };
        desk.inbox().done = Some(Done { result, bytes });
        desk.bell.notify_one();
    }
}

impl Hand {
    /// Hands a job over; `false` when there is no room for it, or nobody to do it.
    pub(super) fn give(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// Waits until all is done.
    pub(super) fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the journal panicked");
        }
    }
}
