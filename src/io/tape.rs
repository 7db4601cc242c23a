//! Records the inputs of a running server to files, for `hotline simulate --inputs`. Off unless somebody asks for it: callers'
//! numbers and what they entered are on it, as they are in the record; secrets are not.
//!
//! Invariant: bounded. A run's tape is cut off when the folder is full, since it is of use from its beginning alone; tapes of
//! earlier runs go first. Control never waits: when the disk is too slow, the tape is cut off, and says so.
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::base::UtcTime;
use crate::exchange::{Command, Entry, TapeLine, TapeMenus, TapeOpening};

/// Lines on their way to the disk.
const WAITING: usize = 65_536;
/// A tape is flushed when nothing came for this long.
const FLUSH_AFTER: Duration = Duration::from_millis(200);

/// Where inputs are recorded, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeSettings {
    /// The folder.
    pub folder: PathBuf,
    /// The largest file, in bytes.
    pub file_max: u64,
    /// All files together, in bytes.
    pub total_max: u64,
}

impl TapeSettings {
    /// Into this folder, with the usual bounds.
    pub const fn into_folder(folder: PathBuf) -> Self {
        Self { folder, file_max: 64 << 20, total_max: 512 << 20 }
    }
}

/// What was recorded.
#[derive(Debug, Default)]
pub(super) struct TapeFigures {
    /// Lines written.
    pub lines: AtomicU64,
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Bytes of earlier runs' tapes that made room.
    pub dropped: AtomicU64,
    /// 1: the tape was cut off.
    pub cut_off: AtomicBool,
}

/// A tape being recorded.
#[derive(Debug)]
pub(super) struct Tape {
    /// `None`: cut off.
    to: Option<SyncSender<TapeLine>>,
    figures: Arc<TapeFigures>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tape {
    /// Begins a tape.
    pub(super) fn start(
        settings: &TapeSettings,
        opening: TapeOpening,
        now: UtcTime,
        figures: Arc<TapeFigures>,
    ) -> std::io::Result<Self> {
        make_folder(&settings.folder)?;
        let (to, from) = sync_channel(WAITING);
        let begin = format!("inputs-{}", now.as_secs());
        let mut reel = Reel::begin(settings.clone(), begin, Arc::clone(&figures))?;
        reel.write(&TapeLine::Opening(Box::new(opening)))?;
        let thread = std::thread::Builder::new().name("tape".to_owned()).spawn(move || reel.run(&from))?;
        Ok(Self { to: Some(to), figures, thread: Some(thread) })
    }

    /// An entry was made.
    pub(super) fn entry(&mut self, entry: &Entry) {
        if self.to.is_some() {
            self.send(TapeLine::Entry(entry.clone()));
        }
    }

    /// A set of menus is installed next.
    pub(super) fn menus(&mut self, menus: TapeMenus) {
        if self.to.is_some() {
            self.send(TapeLine::Menus(Box::new(menus)));
        }
    }

    /// A command was issued.
    pub(super) fn command(&mut self, command: Command) {
        self.send(TapeLine::Command(command));
    }

    fn send(&mut self, line: TapeLine) {
        let Some(to) = &self.to else { return };
        match to.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                tracing::error!("the tape of inputs is cut off: the disk is too slow, or the folder full");
                self.figures.cut_off.store(true, Ordering::Relaxed);
                self.to = None;
            }
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the tape's thread panicked");
        }
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Files of tapes in a folder, the oldest first, with their sizes.
fn tapes(folder: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let named = name.to_str().is_some_and(|n| n.starts_with("inputs-"));
        let ours = named && Path::new(&name).extension().is_some_and(|e| e == "jsonl");
        if ours {
            found.push((entry.path(), entry.metadata()?.len()));
        }
    }
    found.sort();
    Ok(found)
}

/// The files of one run.
#[derive(Debug)]
struct Reel {
    settings: TapeSettings,
    begin: String,
    number: u32,
    file: BufWriter<File>,
    in_file: u64,
    total: u64,
    figures: Arc<TapeFigures>,
}

impl Reel {
    fn begin(settings: TapeSettings, begin: String, figures: Arc<TapeFigures>) -> std::io::Result<Self> {
        // Half of the room is the new tape's at least.
        let mut old = tapes(&settings.folder)?;
        let mut total: u64 = old.iter().map(|(_, size)| size).sum();
        while total > settings.total_max / 2 && !old.is_empty() {
            let (path, size) = old.remove(0);
            fs::remove_file(path)?;
            total -= size;
            figures.dropped.fetch_add(size, Ordering::Relaxed);
        }
        let file = open(&settings.folder, &begin, 1)?;
        Ok(Self { settings, begin, number: 1, file, in_file: 0, total, figures })
    }

    fn run(mut self, from: &Receiver<TapeLine>) {
        loop {
            let done = match from.recv_timeout(FLUSH_AFTER) {
                Ok(line) => self.write(&line),
                Err(RecvTimeoutError::Timeout) => self.file.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = done {
                tracing::error!(%error, "the tape of inputs is cut off");
                self.figures.cut_off.store(true, Ordering::Relaxed);
                return;
            }
        }
        if self.figures.cut_off.load(Ordering::Relaxed) {
            self.last("the disk was too slow");
        } else {
            self.end(&TapeLine::Over);
        }
    }

    fn write(&mut self, line: &TapeLine) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let size = text.len() as u64;
        if self.total + size > self.settings.total_max {
            self.last("it was as long as the settings allow");
            return Err(std::io::Error::other("it is as long as the settings allow"));
        }
        if self.in_file + size > self.settings.file_max && self.in_file > 0 {
            self.file.flush()?;
            self.number += 1;
            self.file = open(&self.settings.folder, &self.begin, self.number)?;
            self.in_file = 0;
        }
        self.file.write_all(&text)?;
        self.in_file += size;
        self.total += size;
        self.figures.lines.fetch_add(1, Ordering::Relaxed);
        self.figures.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    /// Says that more happened than is here.
    fn last(&mut self, why: &str) {
        self.end(&TapeLine::CutOff(why.to_owned()));
    }

    /// The last line, for which there is always room.
    fn end(&mut self, line: &TapeLine) {
        let text = serde_json::to_string(line).unwrap_or_default();
        if let Err(error) = writeln!(self.file, "{text}").and_then(|()| self.file.flush()) {
            tracing::error!(%error, "the end of the tape of inputs is lost");
        }
    }
}

fn open(folder: &Path, begin: &str, number: u32) -> std::io::Result<BufWriter<File>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(format!("{begin}-{number:04}.jsonl"));
    File::options().create_new(true).write(true).mode(0o600).open(path).map(BufWriter::new)
}

/// The files of the run that this file is of, or the last run of a folder: in their order, none missing.
///
/// # Errors
/// When the folder cannot be read; when a part before the last is gone: each goes on from the state in which the one before it
/// left the machines, and that state is on no part but the first.
pub fn tape_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let all: Vec<PathBuf> = tapes(folder)?.into_iter().map(|(path, _)| path).collect();
    let run = |path: &Path| {
        let name = path.file_stem()?.to_str()?;
        name.rsplit_once('-').map(|(run, _)| run.to_owned())
    };
    let wanted = if path.is_dir() { all.last().and_then(|p| run(p)) } else { run(path) };
    let of_run: Vec<PathBuf> = all.into_iter().filter(|p| run(p) == wanted && wanted.is_some()).collect();
    // A file that somebody renamed stands for itself.
    if of_run.is_empty() && path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    for (n, part) in (1_u32..).zip(&of_run) {
        let number = part.file_stem().and_then(|name| name.to_str()?.rsplit_once('-')?.1.parse().ok());
        if number != Some(n) {
            let run = wanted.unwrap_or_default();
            return Err(std::io::Error::new(
                std::io::ErrorKind::NotFound,
                format!(
                    "the part {run}-{n:04}.jsonl is gone, and {} begins where it left the machines: a tape is played from its \
                     first part on, for only that one says how they stood",
                    part.file_name().unwrap_or_default().display()
                ),
            ));
        }
    }
    Ok(of_run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{ExchangeSettings, Ledger};

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("hotline-tape-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        path
    }

    fn opening() -> TapeOpening {
        TapeOpening {
            revision: None,
            version: crate::exchange::TAPE_VERSION,
            program: "test".into(),
            settings: ExchangeSettings::default(),
            menus: std::collections::BTreeMap::new(),
            manifest: String::new(),
            restored_at: crate::base::Now::default(),
            ledger: Ledger::default(),
            lessons: String::new(),
        }
    }

    fn record(settings: &TapeSettings, at: i64, lines: usize) -> Arc<TapeFigures> {
        let figures = Arc::new(TapeFigures::default());
        let start = Tape::start(settings, opening(), UtcTime::from_secs(at), Arc::clone(&figures));
        let mut tape = start.unwrap();
        for n in 0..lines {
            tape.command(Command::Answer { leg: crate::base::LegId(n as u64) });
        }
        drop(tape);
        figures
    }

    #[test]
    fn a_long_tape_has_several_files_and_a_full_folder_cuts_it_off() {
        let dir = folder("long");
        let settings = TapeSettings { folder: dir.clone(), file_max: 2_000, total_max: 8_000 };
        record(&settings, 1, 200);
        let files = tape_files(&dir).unwrap();
        assert!(files.len() > 1, "{files:?}");
        assert!(files.iter().all(|f| f.metadata().unwrap().len() <= 2_100));
        let figures = record(&settings, 2, 1_000);
        assert!(figures.dropped.load(Ordering::Relaxed) > 0, "the first run made room");
        assert!(figures.cut_off.load(Ordering::Relaxed));
        let files = tape_files(&dir).unwrap();
        assert!(files[0].to_str().unwrap().contains("inputs-2-0001"), "{files:?}");
        let last = fs::read_to_string(files.last().unwrap()).unwrap();
        assert!(
            last.trim_end().ends_with("{\"cut_off\":\"it was as long as the settings allow\"}"),
            "{last}"
        );
        let all: u64 = tapes(&dir).unwrap().iter().map(|(_, size)| size).sum();
        assert!(all <= 8_100, "{all}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_part_leads_to_its_whole_run_and_without_the_parts_before_it_says_which_is_gone() {
        let dir = folder("parts");
        let settings = TapeSettings { folder: dir.clone(), file_max: 2_000, total_max: 80_000 };
        record(&settings, 1, 200);
        let files = tape_files(&dir).unwrap();
        assert!(files.len() > 3, "{files:?}");
        assert_eq!(tape_files(&files[2]).unwrap(), files);
        fs::remove_file(&files[1]).unwrap();
        for path in [&files[0], &files[2], &dir] {
            let told = tape_files(path).unwrap_err().to_string();
            assert!(told.contains("inputs-1-0002.jsonl is gone") && told.contains("inputs-1-0003"), "{told}");
        }
        fs::remove_file(&files[0]).unwrap();
        let told = tape_files(&files[3]).unwrap_err().to_string();
        assert!(told.contains("inputs-1-0001.jsonl is gone") && told.contains("first part"), "{told}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn nobody_else_may_read_a_tape() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = folder("mode");
        record(&TapeSettings::into_folder(dir.clone()), 1, 1);
        let file = &tape_files(&dir).unwrap()[0];
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::remove_dir_all(dir).unwrap();
    }
}
