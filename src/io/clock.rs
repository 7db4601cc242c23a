//! The one file that reads the clock.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "io is the layer that reads the clock, and this is its file"
)]
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::{Instant, Now, UtcTime};

/// The clocks of the process. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: std::time::Instant,
}

impl Clock {
    /// Begins now: [`Instant::ZERO`] is this moment, less a second, so that "a second ago" exists at the start too.
    pub fn start() -> Self {
        let now = std::time::Instant::now();
        Self { began: now.checked_sub(std::time::Duration::from_secs(1)).unwrap_or(now) }
    }

    /// The monotonic clock alone: what a packet is stamped with.
    pub fn mono(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
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
