//! What queues have learned of their waits, kept over a stop: one file, written anew now and then and at the end, whole or not
//! at all. After a kill no more than the last minutes' learning is missing.
//!
//! Invariant: nobody waits for it. A file that is damaged, too large, or of another version is left alone, said and counted:
//! the queues then learn anew.
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::base::Instant;
use crate::exchange::acd::Lessons;
use crate::io::whole::write_whole;

/// The largest file, in bytes. A queue that has had thousands of waits has two MiB.
const FILE_MAX: u64 = 256 << 20;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct LearnedFigures {
    /// Files written.
    pub written: AtomicU64,
    /// Writings that failed.
    pub failed: AtomicU64,
    /// Writings left out because the one before was not done.
    pub skipped: AtomicU64,
    /// Files that could not be used.
    pub refused: AtomicU64,
}

/// Keeps what is learned.
#[derive(Debug)]
pub(super) struct Learning {
    to: Option<SyncSender<Lessons>>,
    every: Duration,
    due: Instant,
    figures: Arc<LearnedFigures>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Learning {
    /// Into this store, so often.
    pub(super) fn start(
        store: &Path,
        (now, every): (Instant, Duration),
        figures: Arc<LearnedFigures>,
    ) -> io::Result<Self> {
        // One under way; the next is taken when that is done.
        let (to, from) = sync_channel(1);
        let (path, counts) = (file_in(store), Arc::clone(&figures));
        let thread = std::thread::Builder::new()
            .name("learned".to_owned())
            .spawn(move || keep(&from, &path, &counts))?;
        Ok(Self { to: Some(to), every, due: now + every, figures, thread: Some(thread) })
    }

    /// When it is to be kept next.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// It is to be kept at once.
    pub(super) const fn soon(&mut self, now: Instant) {
        self.due = now;
    }

    /// This was learned by now.
    pub(super) fn learned(&mut self, now: Instant, lessons: Lessons) {
        self.due = now + self.every;
        if let Some(Err(TrySendError::Full(_))) = self.to.as_ref().map(|to| to.try_send(lessons)) {
            self.figures.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// This is the last; it is on disk when this returns.
    pub(super) fn last(mut self, lessons: Lessons) {
        if let Some(to) = self.to.take() {
            // Nobody is there to write it only when the thread panicked.
            to.send(lessons).ok();
        }
    }
}

impl Drop for Learning {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps what was learned panicked");
        }
    }
}

fn file_in(store: &Path) -> PathBuf {
    store.join("learned")
}

fn keep(from: &Receiver<Lessons>, path: &Path, figures: &LearnedFigures) {
    while let Ok(lessons) = from.recv() {
        let bytes = lessons.encode();
        // What is shared with the queues is theirs alone again.
        drop(lessons);
        match write(path, &bytes) {
            Ok(()) => figures.written.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(%error, "what was learned of waits cannot be kept; trying again later");
                figures.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// Beside it first, then in its place.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("{} bytes are more than {FILE_MAX}", bytes.len())));
    }
    write_whole(path, bytes)
}

/// What the run before learned; nothing, at a first start or when it cannot be used.
pub(super) fn read(store: &Path, figures: &LearnedFigures) -> Lessons {
    let path = file_in(store);
    match read_bytes(&path)
        .and_then(|bytes| bytes.map(|b| Lessons::decode(&b)).transpose().map_err(io::Error::other))
    {
        Ok(lessons) => lessons.unwrap_or_default(),
        Err(error) => {
            figures.refused.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, path = %path.display(), "what was learned of waits cannot be used: queues learn anew");
            Lessons::default()
        }
    }
}

fn read_bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    if file.take(FILE_MAX + 1).read_to_end(&mut bytes)? as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_MAX} bytes")));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("hotline-learned-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn kept(store: &Path) -> Arc<LearnedFigures> {
        let figures = Arc::new(LearnedFigures::default());
        let at = (Instant::ZERO, Duration::from_mins(5));
        let learning = Learning::start(store, at, Arc::clone(&figures)).unwrap();
        learning.last(Lessons::default());
        figures
    }

    fn refused(store: &Path) -> u64 {
        let figures = LearnedFigures::default();
        read(store, &figures);
        figures.refused.load(Ordering::Relaxed)
    }

    #[test]
    fn a_file_that_is_not_whole_is_counted_and_nothing_is_learned_from_it() {
        let store = folder("damaged");
        assert_eq!(refused(&store), 0, "a first start");
        assert_eq!(kept(&store).written.load(Ordering::Relaxed), 1);
        assert_eq!(refused(&store), 0);
        let whole = fs::read(file_in(&store)).unwrap();
        for cut in 0..whole.len() {
            fs::write(file_in(&store), &whole[..cut]).unwrap();
            assert_eq!(refused(&store), 1, "cut after {cut} bytes");
        }
        for byte in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[byte] ^= 0x10;
            fs::write(file_in(&store), &bytes).unwrap();
            assert_eq!(refused(&store), 1, "byte {byte} changed");
        }
        fs::remove_dir_all(store).unwrap();
    }

    #[test]
    fn a_disk_that_refuses_is_counted_and_the_old_file_stays() {
        let store = folder("refuses");
        kept(&store);
        let whole = fs::read(file_in(&store)).unwrap();
        fs::create_dir(store.join("learned.new")).unwrap();
        assert_eq!(kept(&store).failed.load(Ordering::Relaxed), 1);
        assert_eq!(fs::read(file_in(&store)).unwrap(), whole);
        fs::remove_dir_all(store).unwrap();
    }
}
