//! Judges estimates of the wait on a call log: ours, as the live server makes them, against the published rules.
//!
//! `docs/estimating.md` has the formulas. Everything is fitted and learned from the past alone: a caller is predicted from
//! what had happened before he came. Pure: the log is text, the verdict a value.
mod judge;
mod log;
mod moment;
mod page;
mod patience;
mod ranges;
mod ridge;
mod rules;
mod score;
mod told;
mod walk;

pub use judge::{Estimators, Options, Verdict, judge};
pub use log::{BadRow, Call, CallLog, LogError};
pub use page::page;
pub use score::Score;
