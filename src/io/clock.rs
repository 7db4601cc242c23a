//! The one file that reads the clock.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "io is the layer that reads the clock, and this is its file"
)]
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::{Instant, Now, UtcTime};

/// The clocks of the process. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: std::time::Instant,
    /// What it showed then.
    base: Duration,
}

impl Clock {
    /// Begins now, with a second on it, so that "a second ago" exists at the start too.
    pub fn start() -> Self {
        Self { began: std::time::Instant::now(), base: Duration::from_secs(1) }
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
        let shown = self.base + self.began.elapsed();
        Instant::from_nanos(u64::try_from(shown.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: self.mono(),
            utc: UtcTime::from_micros(i64::try_from(utc.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_on_counts_the_time_away_and_never_goes_back() {
        let clock = Clock::start();
        let now = clock.now();
        let an_hour_ago = UtcTime::from_micros(now.utc.as_micros() - 3_600_000_000);
        let last = Now { mono: Instant::from_secs(5_000), utc: an_hour_ago };
        let on = clock.going_on_from(last).mono();
        assert!(on >= Instant::from_secs(8_600) && on < Instant::from_secs(8_700), "{on:?}");
        // The civil clock was set back meanwhile.
        let later = Now { mono: Instant::from_secs(5_000), utc: now.utc + Duration::from_secs(900) };
        assert!(clock.going_on_from(later).mono() >= Instant::from_secs(5_000));
        // A fresh journal.
        assert!(clock.going_on_from(Now { utc: now.utc, ..Now::default() }).mono() >= now.mono);
    }
}
