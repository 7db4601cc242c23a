//! The record of every wait that was promised, with what became of it: kept, late, or broken off by the caller.
//!
//! A promise is a range that was said; its upper end, as a time of day, is what is kept or not. Counted by the half-hour
//! (UTC) in which it was made.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Acd;
use crate::base::{Instant, TicketId};

/// Promises remembered of one caller; he is told about once a minute.
const REMEMBERED: usize = 240;

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promised {
    /// Half-hour of the day in which it was made, 0 to 47.
    pub(crate) half_hour: u8,
    /// Until when he is to be served.
    pub(crate) by: Instant,
}

/// What became of the promises made in one half-hour of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseFigures {
    /// Half-hour of the day (UTC), 0 to 47.
    pub half_hour: u8,
    /// Served by the time said.
    pub kept: u64,
    /// Still waiting at the time said, whether served later or not.
    pub late: u64,
    /// Left by himself before the time said.
    pub broken: u64,
}

/// One queue's record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    by_half_hour: BTreeMap<u8, PromiseFigures>,
}

impl Promises {
    /// A caller's wait is over now: he was served, or left by himself.
    pub(crate) fn over(&mut self, promised: &[Promised], now: Instant, served: bool) {
        for promise in promised {
            let half_hour = promise.half_hour;
            let figures = self
                .by_half_hour
                .entry(half_hour)
                .or_insert(PromiseFigures { half_hour, ..PromiseFigures::default() });
            match (now <= promise.by, served) {
                (true, true) => figures.kept += 1,
                (true, false) => figures.broken += 1,
                (false, _) => figures.late += 1,
            }
        }
    }
    /// All figures, by half-hour.
    pub(crate) fn figures(&self) -> Vec<PromiseFigures> {
        self.by_half_hour.values().copied().collect()
    }
}

impl Acd {
    /// Remembers that a caller was promised to be served by then.
    pub(super) fn promised(&mut self, id: TicketId, by: Instant) {
        let half_hour = super::estimate::half_hour(self.day_s());
        if let Some(ticket) = self.room.ticket_mut(id).filter(|t| t.promised.len() < REMEMBERED) {
            ticket.promised.push(Promised { half_hour, by });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_late_or_broken() {
        let mut promises = Promises::default();
        let by = |s: u64| Promised { half_hour: 20, by: Instant::from_secs(s) };
        promises.over(&[by(100), by(50)], Instant::from_secs(60), true);
        promises.over(&[by(100)], Instant::from_secs(60), false);
        promises.over(&[by(50)], Instant::from_secs(60), false);
        assert_eq!(promises.figures(), [PromiseFigures { half_hour: 20, kept: 1, late: 2, broken: 1 }]);
    }
}
