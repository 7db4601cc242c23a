//! The scribe: gathers entries into groups, folds the ledger, hands groups to the disk, says what is durable, and sends
//! facts on to the store.
//!
//! Invariants: a group is handed over at most [`GATHER`] after its first entry, unless the disk is busy with the one
//! before. A fact goes to the store once it is on disk, or once it is clear that it will not be there soon. After any
//! failure nothing is appended to the old segment: a disk that failed to sync cannot be believed about what it has, so a
//! new segment is begun, with the ledger and all that is not on disk.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::hand::{Done, Hand, Job};
use super::{Around, Batch, Desk};
use crate::base::{Instant, Seq};
use crate::exchange::{Entry, Ledger, NumberedFact, encode_mark, encode_opening};

/// How long a group is gathered. The demand is 20 ms; the rest is for a busy machine.
const GATHER: Duration = Duration::from_millis(10);
/// A group that is this large is not gathered any longer.
const GROUP_MAX: usize = 1 << 20;
/// A segment that is this large is followed by another: the bound of what a start must read, with the ledger.
pub(super) const SEGMENT_MAX: usize = 16 << 20;
/// Bytes that may wait for a disk that does not take them; beyond, they are forgotten: the ledger has their sum.
const PENDING_MAX: usize = 32 << 20;
/// A writing that takes longer than this is an alarm, and facts no longer wait for it.
const SLOW: Duration = Duration::from_millis(800);
/// When nothing happens, the journal says this often that the server lives, while calls stand.
const MARK_EVERY: Duration = Duration::from_millis(900);
/// The first pause after a failure; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// With nothing to do the scribe looks around this often.
const IDLE: Duration = Duration::from_secs(1);
/// Writings begun after control is gone: one that is due, one anew after a failure, one to spare.
const LAST_TRIES: u8 = 3;
/// Segments kept for a store that does not take their facts.
const SEGMENTS_MAX: usize = 64;

/// Bytes under way.
struct Flight {
    /// The last entry in it.
    seq: Seq,
    /// Where entries begin: before it is an opening.
    entries_from: usize,
    size: usize,
    begins: Option<u64>,
    facts: Vec<NumberedFact>,
    first: Option<Instant>,
    began: Instant,
}

/// A segment on disk.
struct Segment {
    number: u64,
    /// The last entry with facts before it was begun: once the store has that, older segments are needed no more.
    after: Seq,
}

pub(super) struct Scribe {
    desk: Arc<Desk>,
    hand: Hand,
    around: Around,
    durable: watch::Sender<u64>,
    ledger: Ledger,
    /// Encoded entries that are not under way.
    pending: Vec<u8>,
    /// Their facts.
    facts: Vec<NumberedFact>,
    /// When the first of them was made.
    first: Option<Instant>,
    flight: Option<Flight>,
    segments: VecDeque<Segment>,
    segment_size: usize,
    /// A new segment must be begun, at this moment at the earliest.
    renew: Option<Instant>,
    pause: Duration,
    last_writing: Instant,
    /// How often more a writing is begun once control is gone.
    last_tries: u8,
}

impl Scribe {
    pub(super) fn new(
        desk: Arc<Desk>,
        (ledger, segments): (Ledger, Vec<u64>),
        hand: Hand,
        (durable, around): (watch::Sender<u64>, Around),
    ) -> Self {
        let (now, after) = (around.clock.mono(), ledger.last_fact());
        Self {
            desk,
            hand,
            around,
            durable,
            segments: segments.into_iter().map(|number| Segment { number, after }).collect(),
            ledger,
            pending: Vec::new(),
            facts: Vec::new(),
            first: None,
            flight: None,
            segment_size: 0,
            renew: Some(now),
            pause: PAUSE_MIN,
            last_writing: now,
            last_tries: LAST_TRIES,
        }
    }

    /// Works until control is gone and everything is written, or cannot be.
    pub(super) fn run(mut self) {
        loop {
            let (Batch { entries, bytes }, done, closed) = self.wait();
            if let Some(done) = done {
                self.finished(done);
            }
            let mut rest = bytes.as_slice();
            for (entry, size) in entries {
                let (written, others) = rest.split_at_checked(size).unwrap_or_default();
                rest = others;
                self.take(entry, written);
            }
            let now = self.around.clock.mono();
            self.look_at_the_disk(now);
            let nothing_left = self.pending.is_empty() && self.facts.is_empty();
            if closed && self.flight.is_none() && (nothing_left || self.last_tries == 0) {
                break;
            }
            if closed && self.flight.is_none() {
                self.last_tries = self.last_tries.saturating_sub(1);
            }
            self.hand_over(now, closed);
        }
        let left = std::mem::take(&mut self.facts);
        self.send_on(left);
        self.hand.finish();
    }

    /// Sleeps until there is something to do.
    fn wait(&self) -> (Batch, Option<Done>, bool) {
        let now = self.around.clock.mono();
        let until = self.wake_at().map_or(IDLE, |at| at.since(now)).min(IDLE);
        let mut inbox = self.desk.inbox();
        inbox.gathering = !self.pending.is_empty();
        let ready = inbox.done.is_some()
            || (!inbox.gathering && !inbox.batch.entries.is_empty())
            || (inbox.closed && self.flight.is_none());
        if !ready && !until.is_zero() {
            let bell = self.desk.bell.wait_timeout(inbox, until);
            inbox = bell.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        inbox.gathering = true;
        (std::mem::take(&mut inbox.batch), inbox.done.take(), inbox.closed)
    }

    fn wake_at(&self) -> Option<Instant> {
        if let Some(flight) = &self.flight {
            return Some(flight.began + SLOW);
        }
        let group = self.first.map(|first| first + GATHER);
        let mark = (self.ledger.calls().len() > 0).then_some(self.last_writing + MARK_EVERY);
        // While a new segment is wanted, everything goes into it.
        self.renew.or_else(|| [group, mark].into_iter().flatten().min())
    }

    /// Takes an entry and how it is written; empty: it has no form.
    fn take(&mut self, entry: Entry, written: &[u8]) {
        let gap = entry.seq != self.ledger.seq().next();
        if gap {
            // What was lost on the way leaves a hole that no segment may have.
            tracing::error!(after = %self.ledger.seq(), at = %entry.seq, "entries of the journal were lost");
            self.forget_pending();
        }
        if written.is_empty() {
            self.desk.figures.lost_entry();
            self.forget_pending();
        } else {
            self.pending.extend_from_slice(written);
            self.desk.figures.waiting.fetch_add(1, Ordering::Relaxed);
            self.first.get_or_insert(entry.now.mono);
        }
        self.ledger.apply(&entry);
        self.facts.extend(entry.into_facts());
        if self.pending.len() > PENDING_MAX {
            self.forget_pending();
        }
    }

    /// The bytes that wait are given up: the next segment opens with their sum.
    fn forget_pending(&mut self) {
        let waiting = self.desk.figures.waiting.swap(0, Ordering::Relaxed);
        self.desk.figures.lost.fetch_add(waiting, Ordering::Relaxed);
        self.pending = Vec::new();
        self.renew.get_or_insert(self.around.clock.mono());
    }

    /// Facts do not wait for a disk that is slow or refuses.
    fn look_at_the_disk(&mut self, now: Instant) {
        let slow = self.flight.as_ref().is_some_and(|f| now.since(f.began) >= SLOW);
        if slow && !self.desk.figures.broken.swap(true, Ordering::Relaxed) {
            tracing::error!("the journal's disk takes too long; calls go on");
        }
        if self.desk.figures.broken.load(Ordering::Relaxed) {
            let under_way = self.flight.as_mut().map(|f| std::mem::take(&mut f.facts)).unwrap_or_default();
            self.send_on(under_way);
            let facts = std::mem::take(&mut self.facts);
            self.send_on(facts);
        }
    }

    /// Gives the disk what is due.
    fn hand_over(&mut self, now: Instant, closed: bool) {
        if self.flight.is_some() {
            return;
        }
        if let Some(at) = self.renew {
            if at <= now || closed {
                self.begin_segment(now);
            }
            return;
        }
        let due = self.first.is_some_and(|first| now.since(first) >= GATHER);
        if !self.pending.is_empty() && (due || closed || self.pending.len() >= GROUP_MAX) {
            if self.segment_size + self.pending.len() > SEGMENT_MAX {
                return self.begin_segment(now);
            }
            let bytes = std::mem::take(&mut self.pending);
            self.fly(now, None, 0, bytes);
        } else if self.pending.is_empty()
            && self.ledger.calls().len() > 0
            && now.since(self.last_writing) >= MARK_EVERY
        {
            let (mut mark, at) = (Vec::new(), self.around.clock.now());
            self.ledger.mark(at);
            if encode_mark(self.ledger.seq(), at, &mut mark).is_ok() {
                self.fly(now, None, mark.len(), mark);
            }
            self.drop_segments();
        }
    }

    fn begin_segment(&mut self, now: Instant) {
        let mut bytes = Vec::new();
        if let Err(error) = encode_opening(&self.ledger, &mut bytes) {
            tracing::error!(%error, "the journal's ledger cannot be written");
        }
        let entries_from = bytes.len();
        bytes.append(&mut self.pending);
        let number = self.segments.back().map_or(1, |s| s.number + 1);
        self.fly(now, Some(number), entries_from, bytes);
    }

    fn fly(&mut self, now: Instant, begins: Option<u64>, entries_from: usize, bytes: Vec<u8>) {
        let flight = Flight {
            seq: self.ledger.seq(),
            entries_from,
            size: bytes.len(),
            begins,
            facts: std::mem::take(&mut self.facts),
            first: self.first.take(),
            began: now,
        };
        let job = match begins {
            Some(number) => Job::Begin(number, bytes),
            None => Job::Append(bytes),
        };
        if self.hand.give(job) {
            self.flight = Some(flight);
        } else {
            // The hand is gone or drowned in removals: as if the disk had refused.
            self.send_on(flight.facts);
            self.failed(now, "nobody writes it");
        }
    }

    fn finished(&mut self, done: Done) {
        let now = self.around.clock.mono();
        let Some(flight) = self.flight.take() else { return };
        let Done { result, mut bytes } = done;
        self.last_writing = now;
        match result {
            Ok(()) => {
                self.written(now, &flight);
                self.send_on(flight.facts);
            }
            Err(error) => {
                // What is not on disk goes into the next segment, before what came since.
                bytes.drain(..flight.entries_from.min(bytes.len()));
                bytes.append(&mut self.pending);
                self.pending = bytes;
                self.send_on(flight.facts);
                self.failed(now, &error.to_string());
            }
        }
    }

    fn written(&mut self, now: Instant, flight: &Flight) {
        let figures = &self.desk.figures;
        if let Some(first) = flight.first {
            figures.group(flight.began.since(first), now.since(flight.began), flight.size);
        }
        self.segment_size += flight.size;
        if let Some(number) = flight.begins {
            let after =
                flight.facts.first().map_or(self.ledger.last_fact(), |f| Seq(f.seq.0.saturating_sub(1)));
            self.segments.push_back(Segment { number, after });
            self.segment_size = flight.size;
            self.renew = None;
            self.pause = PAUSE_MIN;
            if figures.broken.swap(false, Ordering::Relaxed) {
                tracing::warn!(segment = number, "the journal is written again");
            }
        } else if self.renew.is_none() && figures.broken.swap(false, Ordering::Relaxed) {
            tracing::warn!("the journal's disk answers again");
        }
        figures.durable.store(flight.seq.0, Ordering::Relaxed);
        figures.waiting.store(0, Ordering::Relaxed);
        self.durable.send_replace(flight.seq.0);
        self.drop_segments();
    }

    fn failed(&mut self, now: Instant, error: &str) {
        let figures = &self.desk.figures;
        figures.failures.fetch_add(1, Ordering::Relaxed);
        figures.broken.store(true, Ordering::Relaxed);
        tracing::error!(error, "the journal cannot be written; calls go on, trying again");
        self.renew = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Removes segments whose facts the store has.
    fn drop_segments(&mut self) {
        let projected = Seq(self.desk.figures.projected.load(Ordering::Relaxed));
        while self.segments.get(1).is_some_and(|next| next.after <= projected)
            || self.segments.len() > SEGMENTS_MAX
        {
            let Some(old) = self.segments.pop_front() else { break };
            if !self.hand.give(Job::Remove(old.number)) {
                self.segments.push_front(old);
                break;
            }
        }
        self.desk.figures.segments.store(self.segments.len() as u64, Ordering::Relaxed);
    }

    fn send_on(&self, facts: Vec<NumberedFact>) {
        let metrics = &self.around.metrics;
        for fact in facts {
            // Counted before the store can have taken it.
            metrics.facts_waiting.fetch_add(1, Ordering::Relaxed);
            if self.around.facts.try_send(fact).is_err() {
                metrics.facts_waiting.fetch_sub(1, Ordering::Relaxed);
                metrics.facts_dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
