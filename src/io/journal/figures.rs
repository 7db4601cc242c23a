//! What the journal counts: how long groups wait, how long the disk takes, what was lost.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Counters of the journal.
#[derive(Debug)]
pub(in crate::io) struct Figures {
    /// The number of the last entry on disk.
    pub durable: AtomicU64,
    /// Entries gathered that are not on disk.
    pub waiting: AtomicU64,
    /// Groups written.
    pub groups: AtomicU64,
    /// Bytes written.
    pub bytes: AtomicU64,
    /// Segments there.
    pub segments: AtomicU64,
    /// Writings that failed.
    pub failures: AtomicU64,
    /// Entries that will never be on disk: no room in memory, or no form. Their facts went to the store all the same.
    pub lost: AtomicU64,
    /// Entries are noted in memory that outlives the process.
    pub notes: AtomicBool,
    /// Entries that found no room there.
    pub not_noted: AtomicU64,
    /// The last entry whose facts are in the store.
    pub projected: AtomicU64,
    /// The disk refuses, or takes too long.
    pub broken: AtomicBool,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    gathered: Option<Histogram<u64>>,
    written: Option<Histogram<u64>>,
}

/// One row of quantiles, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::io) struct Quantiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            durable: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            notes: AtomicBool::new(false),
            not_noted: AtomicU64::new(0),
            projected: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            times: Mutex::new(Times { gathered: Histogram::new(2).ok(), written: Histogram::new(2).ok() }),
        }
    }
}

impl Figures {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group waited so long from its first entry, and the disk took so long.
    pub(super) fn group(&self, gathered: Duration, written: Duration, bytes: usize) {
        let us = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut times = self.times();
        let Times { gathered: waits, written: writes } = &mut *times;
        for (histogram, took) in [(waits, gathered), (writes, written)] {
            if let Some(histogram) = histogram {
                // It grows with what is recorded; a saturating one stays at the two microseconds that it begins with.
                histogram.record(us(took)).ok();
            }
        }
        drop(times);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// An entry found no room.
    pub(super) fn lost_entry(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// From a group's first entry to its writing; and the writing itself.
    pub(in crate::io) fn quantiles(&self) -> [(&'static str, Quantiles); 2] {
        let times = self.times();
        let s = |us: u64| Duration::from_micros(us).as_secs_f64();
        let of = |h: &Option<Histogram<u64>>| {
            h.as_ref().map_or_else(Quantiles::default, |h| Quantiles {
                p50: s(h.value_at_quantile(0.5)),
                p99: s(h.value_at_quantile(0.99)),
                max: s(h.max()),
            })
        };
        [("gather", of(&times.gathered)), ("write", of(&times.written))]
    }
}
