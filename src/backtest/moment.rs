//! A moment at which a caller could be told his wait, with all that is known of it.
use crate::exchange::acd::Sight;

/// A caller at his entry, or later while he waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Which call of the log.
    pub(super) call: usize,
    /// When, in seconds of the log.
    pub(super) at_s: f64,
    /// How often he was told before: 0 at entry.
    pub(super) telling: u32,
    /// How long he will still wait; for those who hung up, how long they stayed.
    pub(super) remaining_s: f64,
    /// The state as our estimator sees it.
    pub(super) sight: Sight,
    /// The state as the published rules see it.
    pub(super) plain: Plain,
}

/// What the published rules look at. Times in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Plain {
    /// How long he has waited.
    pub(super) elapsed_s: f64,
    /// Callers waiting; later those of them who came before him.
    pub(super) waiting: f64,
    /// Callers truly ahead.
    pub(super) ahead: f64,
    /// Elapsed wait of the longest waiter.
    pub(super) head_s: f64,
    /// Wait of the last to enter service.
    pub(super) last_s: f64,
    /// Asterisk's average: a quarter new, three quarters old.
    pub(super) quarter_s: f64,
    /// A tenth new, nine tenths old.
    pub(super) tenth_s: f64,
    /// Agents who talk.
    pub(super) busy: f64,
    /// Agents who talk or did within ten minutes.
    pub(super) staff: f64,
    /// Mean of the last 200 talks.
    pub(super) talk_s: f64,
    /// Hang-ups per second and caller waiting.
    pub(super) theta: f64,
    /// Mean talk and share of hang-ups in this half-hour over the week past.
    pub(super) week: (f64, f64),
    /// Class 2.
    pub(super) urgent: f64,
    /// Service `NW`, `NE`.
    pub(super) services: (f64, f64),
    /// Time of the day.
    pub(super) day_s: f64,
}
