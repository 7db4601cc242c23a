//! The journal on a disk that fails in every way a disk can: refusals, short writes, no answer, and the loss of power
//! with everything that was not synced.
#![expect(
    clippy::disallowed_methods,
    reason = "the journal has a thread and a real clock of its own, which are waited for"
)]
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::disk::{Disk, Folder, file_of};
use super::notes::Notes;
use super::{Around, Figures, Found, Journal, read};
use crate::base::{CallId, LegId, Rng, Seq};
use crate::exchange::{Arrival, Cause, Entry, Fact, Happening, Input, NumberedFact, Peer, Vouched};
use crate::io::clock::Clock;
use crate::io::metrics::Metrics;

/// What the disk does wrong from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// Nothing is taken: ENOSPC.
    Full,
    /// Half of it arrives, then EIO.
    Short,
    /// It is all there, but the sync says EIO.
    SyncFails,
    /// No answer for so long.
    Hangs(Duration),
    /// New segments cannot be made.
    NoNew,
}

/// A folder with faults. What was not synced is lost with the power.
struct Faulty {
    folder: Folder,
    fault: Arc<Mutex<Fault>>,
    path: PathBuf,
}

impl Faulty {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }
}

impl Disk for Faulty {
    fn begin(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        match self.fault() {
            Fault::None => self.folder.begin(number, bytes),
            Fault::Hangs(time) => {
                std::thread::sleep(time);
                self.folder.begin(number, bytes)
            }
            Fault::Full | Fault::NoNew => Err(io::ErrorKind::StorageFull.into()),
            Fault::Short | Fault::SyncFails => {
                std::fs::write(self.path.join("next.new"), &bytes[..bytes.len() / 2])?;
                Err(io::Error::other("EIO"))
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.fault() {
            Fault::None | Fault::NoNew => self.folder.append(bytes),
            Fault::Hangs(time) => {
                std::thread::sleep(time);
                self.folder.append(bytes)
            }
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            Fault::Short => {
                self.folder.append(&bytes[..bytes.len() / 2])?;
                Err(io::Error::other("EIO"))
            }
            Fault::SyncFails => {
                self.folder.append(bytes)?;
                Err(io::Error::other("EIO"))
            }
        }
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        self.folder.remove(number)
    }
}

/// A journal in a folder of its own.
struct Bench {
    path: PathBuf,
    fault: Arc<Mutex<Fault>>,
    figures: Arc<Figures>,
    journal: Option<Journal>,
    facts: mpsc::Receiver<NumberedFact>,
    clock: Clock,
    seq: u64,
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("hotline-journal-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

impl Bench {
    fn new() -> Self {
        Self::over(folder(), 0)
    }

    /// Started again over what is there.
    fn over(path: PathBuf, seq: u64) -> Self {
        Self::with_notes(path, seq, |_| None)
    }

    /// The same with notes, where there is room for them in memory.
    fn noting(path: PathBuf) -> Self {
        Self::with_notes(path, 0, |path| Some(Notes::open(Path::new("/dev/shm"), path).unwrap()))
    }

    fn with_notes(path: PathBuf, seq: u64, notes: impl Fn(&Path) -> Option<Notes>) -> Self {
        let Found { ledger, segments, .. } = read(&path, (0, 0)).unwrap();
        let fault = Arc::new(Mutex::new(Fault::None));
        let figures = Arc::new(Figures::default());
        let (to, facts) = mpsc::channel(100_000);
        let clock = Clock::start();
        let metrics = Arc::new(Metrics::new(
            (Arc::default(), None),
            Arc::default(),
            (Arc::clone(&figures), Arc::default(), Arc::default()),
            Arc::default(),
        ));
        let notes = notes(&path);
        let disk =
            Faulty { folder: Folder::open(&path).unwrap(), fault: Arc::clone(&fault), path: path.clone() };
        let around = Around { clock, facts: to, metrics };
        let seq = ledger.seq().0.max(seq);
        let journal =
            Journal::start((disk, notes), (ledger, segments), Arc::clone(&figures), around).unwrap();
        Self { path, fault, figures, journal: Some(journal), facts, clock, seq }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn append(&mut self, facts: Vec<Fact>) -> u64 {
        self.seq += 1;
        let what = Happening::Input(Input::SoundLost { leg: LegId(self.seq) });
        let entry = Entry { seq: Seq(self.seq), now: self.clock.now(), what, facts };
        let journal = self.journal.as_mut().unwrap();
        journal.append(entry);
        journal.hand_over();
        self.seq
    }

    fn start_call(&mut self) -> u64 {
        let call = CallId(self.seq + 1);
        let arrival = Arrival {
            dialled: "95188".into(),
            caller: "139".into(),
            caller_name: String::new(),
            peer: Peer::Stranger,
            vouched: Vouched::default(),
        };
        let menus = String::new();
        self.append(vec![Fact::CallStarted { call, leg: LegId(2), arrival, menus }])
    }

    fn end_call(&mut self, call: u64) -> u64 {
        let lasted = Duration::from_secs(1);
        self.append(vec![Fact::CallEnded { call: CallId(call), cause: Cause::HungUp, lasted }])
    }

    fn durable(&self) -> u64 {
        self.journal.as_ref().unwrap().durable().0
    }

    /// Waits until it is so, on a busy machine.
    fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let end = self.clock.mono() + Duration::from_secs(30);
        while !is(self) {
            assert!(self.clock.mono() < end, "never {what}: durable {}, {:?}", self.durable(), self.figures);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn until_durable(&self, seq: u64) {
        self.until("durable", |b| b.durable() >= seq);
    }

    /// The first segment is there: what comes now is appended.
    fn begun(self) -> Self {
        self.until("begun", |b| b.figures.segments.load(Ordering::Relaxed) > 0);
        self
    }

    fn close(&mut self) {
        drop(self.journal.take());
    }

    fn facts(&mut self) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| self.facts.try_recv().ok()).map(|f| (f.seq.0, f.index)).collect()
    }

    fn found(&self) -> Found {
        read(&self.path, (0, 0)).unwrap()
    }

    fn seqs(found: &Found) -> Vec<u64> {
        found.backlog.iter().map(|f| f.seq.0).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.close();
        std::fs::remove_dir_all(&self.path).ok();
    }
}

#[test]
fn what_is_durable_is_read_again_and_every_fact_goes_to_the_store_once() {
    let mut bench = Bench::new();
    let calls: Vec<u64> = (0..40).map(|_| bench.start_call()).collect();
    for call in &calls[..30] {
        bench.end_call(*call);
    }
    bench.until_durable(70);
    let found = bench.found();
    assert_eq!(Bench::seqs(&found), (1..=70).collect::<Vec<_>>());
    assert_eq!(found.ledger.calls().map(|c| c.0).collect::<Vec<_>>(), calls[30..]);
    bench.close();
    assert_eq!(bench.facts(), (1..=70).map(|n| (n, 0)).collect::<Vec<_>>());
    assert_eq!(read(&bench.path, (69, 0)).unwrap().backlog.len(), 1, "the cursor does not count");
}

#[test]
fn a_group_is_on_its_way_within_20_ms_of_its_first_entry() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        let seq = bench.append(Vec::new());
        bench.until_durable(seq);
    }
    let [(_, gathered), _] = bench.figures.quantiles();
    assert!(gathered.p50 <= 0.020, "{gathered:?}");
}

#[test]
fn a_full_disk_stops_nobody_and_all_is_on_disk_when_there_is_room_again() {
    for fault in [Fault::Full, Fault::Short, Fault::SyncFails] {
        let mut bench = Bench::new();
        let first = bench.start_call();
        bench.until_durable(first);
        bench.set(fault);
        let calls: Vec<u64> = (0..20).map(|_| bench.start_call()).collect();
        let last = bench.end_call(first);
        bench.until("an alarm", |b| b.figures.broken.load(Ordering::Relaxed));
        // The store does not wait for the journal's disk.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(bench.facts().len(), 22, "{fault:?}");
        assert_eq!(bench.durable(), first, "{fault:?} was taken for written");
        bench.set(Fault::None);
        bench.until_durable(last);
        bench.until("the end of the alarm", |b| !b.figures.broken.load(Ordering::Relaxed));
        let found = bench.found();
        assert_eq!(Bench::seqs(&found), (1..=last).collect::<Vec<_>>(), "{fault:?}");
        assert_eq!(found.ledger.calls().map(|c| c.0).collect::<Vec<_>>(), calls);
        assert_eq!(bench.facts(), [], "{fault:?}: a fact went to the store twice");
    }
}

#[test]
fn a_disk_that_does_not_answer_stalls_neither_calls_nor_store() {
    let mut bench = Bench::new();
    bench.until_durable(0);
    bench.set(Fault::Hangs(Duration::from_secs(3)));
    let seq = bench.start_call();
    std::thread::sleep(Duration::from_millis(200));
    let before = bench.clock.mono();
    for _ in 0..1_000 {
        bench.append(Vec::new());
    }
    bench.start_call();
    let took = bench.clock.mono().since(before);
    assert!(took < Duration::from_secs(1), "appending took {took:?}");
    bench.until("an alarm", |b| b.figures.broken.load(Ordering::Relaxed));
    let raised = bench.clock.mono().since(before);
    assert!(raised < Duration::from_secs(2), "the alarm took {raised:?}");
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(bench.facts().len(), 2);
    assert!(bench.durable() < seq);
    bench.set(Fault::None);
    bench.until_durable(bench.seq);
    assert_eq!(bench.found().ledger.calls().len(), 2);
}

#[test]
fn memory_is_bounded_while_the_disk_refuses_and_the_sum_survives() {
    let mut bench = Bench::new();
    bench.set(Fault::Full);
    let call = bench.start_call();
    let text = "x".repeat(8_000);
    for _ in 0..6_000 {
        bench.append(vec![Fact::Ignored { what: text.clone() }]);
    }
    let last = bench.start_call();
    bench.until("counted", |b| b.figures.lost.load(Ordering::Relaxed) > 0);
    bench.set(Fault::None);
    bench.until_durable(last);
    let found = bench.found();
    assert_eq!(found.ledger.calls().map(|c| c.0).collect::<Vec<_>>(), [call, last]);
    bench.close();
    assert_eq!(bench.facts().len(), 6_002);
}

#[test]
fn a_torn_end_is_cut_and_the_rest_holds() {
    let mut bench = Bench::new().begun();
    let call = bench.start_call();
    let last = bench.start_call();
    bench.until_durable(last);
    bench.close();
    let file = file_of(&bench.path, 1);
    let whole = std::fs::read(&file).unwrap();
    for cut in 1..60 {
        std::fs::write(&file, &whole[..whole.len() - cut]).unwrap();
        let found = bench.found();
        assert_eq!(found.ledger.calls().map(|c| c.0).collect::<Vec<_>>(), [call]);
        // It was cut: the next start finds nothing to complain about.
        assert!(std::fs::read(&file).unwrap().len() < whole.len() - cut);
        assert_eq!(bench.found().ledger, found.ledger);
    }
}

#[test]
fn a_broken_middle_stops_the_reading_there_and_the_file_is_kept_aside() {
    let mut bench = Bench::new().begun();
    let calls: Vec<u64> = (0..10).map(|_| bench.start_call()).collect();
    bench.until_durable(calls[9]);
    bench.close();
    let file = file_of(&bench.path, 1);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let found = bench.found();
    let known = found.ledger.calls().len();
    assert!((1..10).contains(&known), "{known}");
    assert_eq!(std::fs::read(file.with_extension("aside")).unwrap(), bytes);
    assert_eq!(found.segments, [1]);
    // And the server goes on.
    let mut next = Bench::over(bench.path.clone(), 10);
    let seq = next.start_call();
    next.until_durable(seq);
    assert_eq!(next.found().ledger.calls().len(), known + 1);
}

#[test]
fn segments_go_when_the_store_has_their_facts_and_not_before() {
    let mut bench = Bench::new();
    let text = "x".repeat(60_000);
    for n in 1..=700 {
        bench.append(vec![Fact::Ignored { what: text.clone() }]);
        if n % 50 == 0 {
            bench.until_durable(n);
        }
    }
    let last = bench.start_call();
    bench.until_durable(last);
    let segments = |b: &Bench| std::fs::read_dir(&b.path).unwrap().count();
    let before = segments(&bench);
    assert!(before >= 3, "{before} segments of {} MiB", super::scribe::SEGMENT_MAX >> 20);
    bench.figures.projected.store(last, Ordering::Relaxed);
    bench.until("removed", |b| segments(b) == 1);
    assert_eq!(bench.found().ledger.calls().map(|c| c.0).collect::<Vec<_>>(), [last]);
}

#[test]
fn while_calls_stand_the_journal_says_every_second_that_the_server_lives() {
    let mut bench = Bench::new();
    let seq = bench.start_call();
    bench.until_durable(seq);
    let then = bench.found().ledger.at().mono;
    std::thread::sleep(Duration::from_millis(2_500));
    let age = bench.clock.mono().since(bench.found().ledger.at().mono);
    assert!(age < Duration::from_secs(2), "the last sign of life is {age:?} old");
    assert!(bench.found().ledger.at().mono > then);
}

/// Copies what a loss of power leaves: of the last file some prefix that is at least what was synced.
fn power_loss(bench: &Bench, synced: &[(PathBuf, u64)], rng: &mut Rng) -> PathBuf {
    let to = folder();
    for (file, length) in synced {
        let bytes = std::fs::read(file).unwrap_or_default();
        let length = usize::try_from(*length).unwrap();
        let more = u64::try_from(bytes.len().saturating_sub(length)).unwrap();
        let kept = length + usize::try_from(rng.below(more + 1)).unwrap();
        let mut kept = bytes[..kept.min(bytes.len())].to_vec();
        // What was not synced may be there in part, and may be rubbish.
        if kept.len() > length && rng.below(2) == 0 {
            let at = length + usize::try_from(rng.below((kept.len() - length) as u64)).unwrap();
            kept[at] ^= 0x55;
        }
        std::fs::write(to.join(file.file_name().unwrap()), kept).unwrap();
    }
    assert!(bench.path != to);
    to
}

fn lengths(path: &Path) -> Vec<(PathBuf, u64)> {
    let files = std::fs::read_dir(path).unwrap().map(|f| f.unwrap());
    let journals = files.filter(|f| f.path().extension().is_some_and(|e| e == "journal"));
    journals.map(|f| (f.path(), f.metadata().unwrap().len())).collect()
}

#[test]
fn nothing_durable_is_lost_with_the_power() {
    let mut rng = Rng::from_number(7);
    let mut bench = Bench::new();
    for _ in 0..25 {
        for _ in 0..rng.below(6) {
            bench.start_call();
        }
        let acknowledged = bench.seq;
        bench.until_durable(acknowledged);
        // What is there now was synced; what comes after may be lost, torn or rubbish.
        let synced = lengths(&bench.path);
        for _ in 0..rng.below(6) {
            bench.start_call();
        }
        std::thread::sleep(Duration::from_millis(rng.below(25)));
        let after = power_loss(&bench, &synced, &mut rng);
        let found = read(&after, (0, 0)).unwrap();
        assert!(found.ledger.seq().0 >= acknowledged, "{:?} < {acknowledged}", found.ledger.seq());
        let seqs = Bench::seqs(&found);
        assert_eq!(seqs[..], (1..=seqs.len() as u64).collect::<Vec<_>>()[..], "a hole");
        std::fs::remove_dir_all(after).unwrap();
    }
}

#[test]
fn an_entry_that_stands_in_two_segments_counts_once() {
    let mut bench = Bench::new();
    let call = bench.start_call();
    bench.until_durable(call);
    bench.set(Fault::SyncFails);
    bench.end_call(call);
    bench.until("an alarm", |b| b.figures.broken.load(Ordering::Relaxed));
    bench.set(Fault::None);
    bench.until_durable(2);
    assert_eq!(Bench::seqs(&bench.found()), [1, 2]);
}

#[test]
fn a_clean_end_leaves_nothing_unwritten_even_at_once() {
    for _ in 0..10 {
        let mut bench = Bench::new();
        let seq = bench.start_call();
        bench.close();
        assert_eq!(bench.found().ledger.seq(), Seq(seq));
        assert_eq!(bench.facts(), [(1, 0)]);
    }
}

#[test]
fn a_disk_that_is_dead_from_the_start_ends_with_the_server() {
    let mut bench = Bench::new();
    bench.set(Fault::NoNew);
    bench.close();
}

/// What a kill -9 leaves: the files as they are, and the notes.
fn killed(bench: &Bench) -> PathBuf {
    let to = folder();
    for (file, _) in lengths(&bench.path) {
        std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
    let notes = folder_of_notes(&bench.path).unwrap();
    let copy = to.join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for page in ["a", "b"] {
        std::fs::copy(notes.join(page), copy.join(page)).unwrap();
    }
    std::os::unix::fs::symlink(copy, to.join("notes")).unwrap();
    to
}

fn folder_of_notes(journal: &Path) -> Option<PathBuf> {
    std::fs::read_link(journal.join("notes")).ok()
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_handed_over() {
    let mut rng = Rng::from_number(11);
    let mut bench = Bench::noting(folder());
    for round in 0..60 {
        // Now and then the disk answers late or not at all: notes do not ask it.
        bench.set(if round % 3 == 1 { Fault::Hangs(Duration::from_millis(40)) } else { Fault::None });
        let calls: Vec<u64> = (0..rng.below(9)).map(|_| bench.start_call()).collect();
        let left = killed(&bench);
        let found = read(&left, (0, 0)).unwrap();
        assert_eq!(found.ledger.seq(), Seq(bench.seq), "round {round}");
        assert_eq!(Bench::seqs(&found), (1..=bench.seq).collect::<Vec<_>>(), "round {round}");
        assert!(calls.iter().all(|call| found.ledger.calls().any(|c| c.0 == *call)));
        // What was noted is on disk now: the notes are not needed a second time.
        std::fs::remove_dir_all(left.join("copy")).unwrap();
        let again = read(&left, (0, 0)).unwrap();
        assert_eq!((again.ledger.seq(), again.backlog), (found.ledger.seq(), found.backlog));
        std::fs::remove_dir_all(left).unwrap();
        std::thread::sleep(Duration::from_millis(rng.below(15)));
    }
    let notes = folder_of_notes(&bench.path).unwrap();
    bench.set(Fault::None);
    bench.close();
    assert_eq!((notes.exists(), folder_of_notes(&bench.path)), (false, None), "a clean end leaves no notes");
}

#[test]
fn killed_before_the_first_segment_is_there_the_notes_are_the_journal() {
    let mut bench = Bench::with_notes(folder(), 0, |path| Notes::open(Path::new("/dev/shm"), path).ok());
    bench.set(Fault::Hangs(Duration::from_secs(1)));
    let call = bench.start_call();
    let left = killed(&bench);
    std::fs::remove_file(left.join("000000000001.journal")).ok();
    let found = read(&left, (0, 0)).unwrap();
    assert_eq!(found.ledger.calls().map(|c| c.0).collect::<Vec<_>>(), [call]);
    assert_eq!((found.segments, found.backlog.len()), (vec![1], 1));
    std::fs::remove_dir_all(left).unwrap();
}
