//! The one file that reads the clock.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "io is the layer that reads the clock, and this is its file"
)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::{Instant, Now, UtcTime};

/// Who did not look at the clock for so long was not running: stopped (SIGSTOP, a debugger, a frozen machine).
const GAP_NS: u64 = 1_000_000_000;
/// How often somebody looks at the clock while the process runs, whatever else it does.
const BEAT: Duration = Duration::from_millis(250);
/// How much newer a look must be to be noted: most looks only read.
const NOTED_NS: u64 = 10_000_000;

/// The process's own time: what passed while it ran. Time in which it was stopped does not count against anybody: no
/// phone is silent, no answer late, because we were not there.
///
/// Invariant: `lost` is written before `seen`, so whoever sees the new `seen` sees the new `lost`.
struct OwnTime {
    began: OnceLock<std::time::Instant>,
    /// When the clock was last looked at; 0: nobody keeps looking, and gaps say nothing.
    seen: AtomicU64,
    /// How long the process did not run.
    lost: AtomicU64,
    mending: Mutex<()>,
}

static OWN: OwnTime = OwnTime {
    began: OnceLock::new(),
    seen: AtomicU64::new(0),
    lost: AtomicU64::new(0),
    mending: Mutex::new(()),
};

impl OwnTime {
    /// Nanoseconds since the process first looked at the clock, less those in which it was stopped.
    fn ns(&self) -> u64 {
        let began = self.began.get_or_init(std::time::Instant::now);
        let raw = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        loop {
            let seen = self.seen.load(Ordering::Acquire);
            let lost = self.lost.load(Ordering::Acquire);
            if seen == 0 || raw.saturating_sub(seen) < GAP_NS {
                if seen != 0 && raw > seen + NOTED_NS {
                    self.seen.fetch_max(raw, Ordering::AcqRel);
                }
                return raw.saturating_sub(lost);
            }
            self.mend(raw);
        }
    }

    /// Takes a gap out of time, once, whoever sees it first.
    fn mend(&self, raw: u64) {
        let _one_at_a_time = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = raw.saturating_sub(self.seen.load(Ordering::Acquire));
        if gap >= GAP_NS {
            let beat = u64::try_from(BEAT.as_nanos()).unwrap_or(0);
            self.lost.fetch_add(gap - beat, Ordering::AcqRel);
            self.seen.store(raw, Ordering::Release);
        }
    }

    /// Looks at the clock from now on, as long as the process runs.
    fn keep_looking(&'static self) -> std::io::Result<()> {
        static LOOKING: Mutex<bool> = Mutex::new(false);
        let mut looking = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
        if !*looking {
            self.seen.store(self.ns().max(1), Ordering::Release);
            std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
                loop {
                    std::thread::sleep(BEAT);
                    self.ns();
                }
            })?;
            *looking = true;
        }
        Ok(())
    }
}

/// The clocks of the process. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began_ns: u64,
    /// What it showed then.
    base: Duration,
}

impl Clock {
    /// Begins now, with a second on it, so that "a second ago" exists at the start too.
    pub fn start() -> Self {
        Self { began_ns: OWN.ns(), base: Duration::from_secs(1) }
    }

    /// From now on time in which the process is stopped for a second or more is left out of every clock's monotonic
    /// time.
    pub(super) fn leave_out_stops() -> std::io::Result<()> {
        OWN.keep_looking()
    }

    /// How long the process was stopped so far.
    pub(super) fn stopped() -> Duration {
        Duration::from_nanos(OWN.lost.load(Ordering::Relaxed))
    }

    /// The same clock, set on to where one that stood at `last` would be now: by the civil clock, which may jump while
    /// nobody is there, but never back. So moments of the run before stay moments of the past.
    pub(super) fn going_on_from(self, last: Now) -> Self {
        let now = self.now();
        let away = u64::try_from(now.utc.as_micros().saturating_sub(last.utc.as_micros())).unwrap_or(0);
        let should = last.mono + Duration::from_micros(away);
        Self { base: self.base + should.since(now.mono), ..self }
    }

    /// The monotonic clock alone: what a packet is stamped with.
    pub fn mono(&self) -> Instant {
        let shown = self.base + Duration::from_nanos(OWN.ns().saturating_sub(self.began_ns));
        Instant::from_nanos(u64::try_from(shown.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), utc: Self::utc() }
    }

    /// The civil clock alone.
    pub(super) fn utc() -> UtcTime {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UtcTime::from_micros(i64::try_from(utc.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_taken_out_of_time_once_and_short_pauses_are_not() {
        let own: &OwnTime = Box::leak(Box::new(OwnTime {
            began: OnceLock::new(),
            seen: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            mending: Mutex::new(()),
        }));
        let hour_ago = std::time::Instant::now().checked_sub(Duration::from_hours(1)).unwrap();
        own.began.set(hour_ago).unwrap();
        let an_hour = 3_600_000_000_000;
        assert!(own.ns() >= an_hour, "nobody keeps looking: a gap says nothing");
        // Somebody looked last half a second, then ten minutes ago.
        own.seen.store(own.ns() - GAP_NS / 2, Ordering::Release);
        assert!(own.ns() >= an_hour);
        own.seen.store(own.ns() - 600_000_000_000, Ordering::Release);
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| own.ns())).collect();
        let after: Vec<u64> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let lost = own.lost.load(Ordering::Relaxed);
        assert!((599_000_000_000..601_000_000_000).contains(&lost), "once: {lost}");
        assert!(after.iter().all(|ns| *ns < an_hour - 590_000_000_000), "{after:?}");
    }

    #[test]
    fn a_clock_that_goes_on_counts_the_time_away_and_never_goes_back() {
        let clock = Clock::start();
        let now = clock.now();
        let an_hour_ago = UtcTime::from_micros(now.utc.as_micros() - 3_600_000_000);
        let last = Now { mono: Instant::from_secs(5_000), utc: an_hour_ago };
        let on = clock.going_on_from(last).mono();
        assert!(on >= Instant::from_secs(8_600) && on < Instant::from_secs(8_700), "{on:?}");
        // The civil clock was set back meanwhile.
        let later = Now { mono: Instant::from_secs(5_000), utc: now.utc + Duration::from_mins(15) };
        assert!(clock.going_on_from(later).mono() >= Instant::from_secs(5_000));
        // A fresh journal.
        assert!(clock.going_on_from(Now { utc: now.utc, ..Now::default() }).mono() >= now.mono);
    }
}
