//! What is counted of sets of menus, and what people are told of them.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Counters of sets of menus.
#[derive(Debug)]
pub(in crate::io) struct MenuFigures {
    /// Sets installed.
    pub installed: AtomicU64,
    /// Of these, older ones that were taken back.
    pub rolled_back: AtomicU64,
    /// Sets refused because of their mistakes, or because they could not be read or kept.
    pub refused: AtomicU64,
    /// Files that were saved without another content.
    pub unchanged: AtomicU64,
    /// Menus that a new set shares with the one before.
    pub menus_shared: AtomicU64,
    /// Menus that are new or others.
    pub menus_new: AtomicU64,
    /// Sounds decoded.
    pub sounds_decoded: AtomicU64,
    /// Sounds listened to for what is wrong with them.
    pub sounds_listened: AtomicU64,
    /// Sets in memory: the one that holds and those that calls keep.
    pub held: AtomicU64,
    /// How long the control thread was busy with installing, in nanoseconds.
    times: Mutex<Option<Histogram<u64>>>,
    told: Mutex<MenusTold>,
}

/// What people are told of the menus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in crate::io) struct MenusTold {
    /// The number of the set that holds, if it is kept on disk.
    pub number: Option<u64>,
    /// The files hold another set than the one that holds: it was rolled back, or sent. It stays until they change.
    pub apart: bool,
    /// A restart would not know which set holds: the disk could not take it. It is tried again.
    pub unkept: bool,
    /// The last set that was not taken, while none was taken after it.
    pub refused: Option<RefusedTold>,
}

/// A set that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::io) struct RefusedTold {
    /// When.
    pub at_us: i64,
    /// Who wanted it.
    pub who: String,
    /// Why not, in lines.
    pub why: Vec<String>,
}

impl Default for MenuFigures {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            installed: zero(),
            rolled_back: zero(),
            refused: zero(),
            unchanged: zero(),
            menus_shared: zero(),
            menus_new: zero(),
            sounds_decoded: zero(),
            sounds_listened: zero(),
            held: zero(),
            times: Mutex::new(Histogram::new(2).ok()),
            told: Mutex::new(MenusTold::default()),
        }
    }
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MenuFigures {
    /// A set was installed; control was busy with it for so long.
    pub(in crate::io) fn took(&self, time: Duration) {
        self.installed.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = open(&self.times).as_mut() {
            // It grows with what is recorded; what it has no room for is beyond all reason.
            times.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).ok();
        }
    }

    /// Half of all, 99 of 100, and the longest, in seconds.
    pub(in crate::io) fn times(&self) -> [(&'static str, f64); 3] {
        let times = open(&self.times);
        let at = |q: f64| {
            let ns = times.as_ref().map_or(0, |t| t.value_at_quantile(q));
            Duration::from_nanos(ns).as_secs_f64()
        };
        [("0.5", at(0.5)), ("0.99", at(0.99)), ("1", at(1.0))]
    }

    /// What people are told.
    pub(in crate::io) fn told(&self) -> MenusTold {
        open(&self.told).clone()
    }

    /// Changes what people are told.
    pub(super) fn tell(&self, change: impl FnOnce(&mut MenusTold)) {
        change(&mut open(&self.told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_they_were() {
        let figures = MenuFigures::default();
        for us in [10, 20, 3_000] {
            figures.took(Duration::from_micros(us));
        }
        let [(_, half), _, (_, longest)] = figures.times();
        assert!((half - 20e-6).abs() < 1e-6 && (longest - 3e-3).abs() < 1e-4, "{half} {longest}");
    }
}
