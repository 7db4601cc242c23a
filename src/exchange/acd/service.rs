//! How well a queue is served: service level, hang-ups, distributions of waits and talks.
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One queue's figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceFigures {
    /// Callers who joined.
    pub entered: u64,
    /// Callers an agent answered.
    pub answered: u64,
    /// Of those, answered within the queue's `service_target`.
    pub answered_in_target: u64,
    /// Callers who left by themselves.
    pub left: u64,
    /// Callers the queue's rules sent elsewhere.
    pub overflowed: u64,
    /// `answered_in_target / (answered + left)`; `None` before the first.
    pub service_level: Option<f64>,
    /// Waits of those answered, by their clocks.
    pub wait: Spread,
    /// Talks.
    pub talk: Spread,
}

/// A distribution in four figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: Duration,
    /// Median.
    pub p50: Duration,
    /// 90 % are shorter.
    pub p90: Duration,
    /// The longest.
    pub max: Duration,
}
