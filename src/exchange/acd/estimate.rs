//! How long a caller will wait: `Estimate`.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An honest range for the wait that remains: not a promise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// 10 % quantile.
    pub low: Duration,
    /// Median.
    pub typical: Duration,
    /// 90 % quantile.
    pub high: Duration,
    /// What it rests on.
    pub basis: Basis,
}

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Callers truly ahead who compete for the same agents, weighted by how much they do.
    pub ahead: f64,
    /// Agents at work who can serve him.
    pub agents: u32,
    /// Time of an agent that one caller takes: ringing, talk and wrap-up, in seconds.
    pub handle_s: f64,
    /// Conversations that this time was measured on (weighted; old ones count less). 0: the plan's expectation alone.
    pub measured: f64,
}
