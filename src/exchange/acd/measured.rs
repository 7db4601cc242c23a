//! What is measured of a queue as it runs: talk, wrap-up and ringing per caller served, and how soon people hang up.
//!
//! Old observations fade; few observations are drawn towards what the plan expects. Only + - * / in a fixed order, so
//! the figures are the same on every machine.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::QueuePlan;
use crate::base::Instant;

/// Share kept of all older observations at each new one: about the last 200 count.
const KEEP: f64 = 1.0 - 1.0 / 200.0;
/// The same for hang-ups, which are rarer: about the last 500 callers.
const KEEP_PATIENCE: f64 = 1.0 - 1.0 / 500.0;
/// How many observations the plan's expectation is worth.
const PRIOR: f64 = 10.0;
/// Ringing before anything was measured, in seconds.
const RING_S: f64 = 5.0;
/// Waiting per hang-up before anything was measured, in seconds; worth one hang-up.
const PATIENCE_S: f64 = 900.0;

/// A mean and a spread that fade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Fading {
    #[serde(with = "bits")]
    weight: f64,
    #[serde(with = "bits")]
    sum: f64,
    #[serde(with = "bits")]
    squares: f64,
}

/// A number on disk as it is in memory: read as text it could differ in its last digit.
mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(super) fn serialize<S: Serializer>(x: &f64, to: S) -> Result<S::Ok, S::Error> {
        x.to_bits().serialize(to)
    }
    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

impl Fading {
    fn add(&mut self, x: f64) {
        self.weight = self.weight * KEEP + 1.0;
        self.sum = self.sum * KEEP + x;
        self.squares = self.squares * KEEP + x * x;
    }
    fn mean(&self, expected: f64) -> f64 {
        (self.sum + PRIOR * expected) / (self.weight + PRIOR)
    }
    /// Squared coefficient of variation, drawn towards 1 (exponential), within 0.2 and 6.
    fn spread(&self) -> f64 {
        let mean = self.sum / self.weight.max(1.0);
        let variance = self.squares / self.weight.max(1.0) - mean * mean;
        let own = if mean > 0.0 { variance / (mean * mean) } else { 1.0 };
        ((own * self.weight + PRIOR) / (self.weight + PRIOR)).clamp(0.2, 6.0)
    }
}

/// Over how long arrivals are counted, in seconds.
const FLOW_S: f64 = 900.0;

/// How often something comes: counts that fade with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    weight: f64,
    last: Instant,
    began: Instant,
}

super::estimate::flat!(Flow { weight, last, began });

impl Flow {
    /// It is now: nothing came later.
    pub(crate) fn not_after(&mut self, now: Instant) {
        (self.last, self.began) = (self.last.min(now), self.began.min(now));
    }
    /// A part of it, of which nothing has come yet, in the same measure.
    pub(crate) const fn part(&self, now: Instant) -> Self {
        Self { weight: 0.0, last: now, began: self.began }
    }
    /// Nothing has come yet.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { weight: 0.0, last: now, began: now }
    }
    /// One more.
    pub(crate) fn note(&mut self, now: Instant) {
        self.weight = self.weight * fade(now, self.last) + 1.0;
        self.last = now;
    }
    /// How many come per second, looked at over at least two minutes.
    pub(crate) fn per_s(&self, now: Instant) -> f64 {
        let seen = (FLOW_S * (1.0 - fade(now, self.began))).max(120.0);
        self.weight * fade(now, self.last) / seen
    }
}

fn fade(now: Instant, then: Instant) -> f64 {
    libm::exp(-now.since(then).as_secs_f64() / FLOW_S)
}

/// One queue's measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    talk: Fading,
    wrap_up: Fading,
    ring: Fading,
    #[serde(with = "bits")]
    vain_s: f64,
    #[serde(with = "bits")]
    left: f64,
    #[serde(with = "bits")]
    waited_s: f64,
}

/// What one caller takes of an agent's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Handling {
    /// Ringing, those offers included that were not taken, in seconds.
    pub(crate) ring_s: f64,
    /// Talk, in seconds; 0 when nothing is expected and nothing was measured.
    pub(crate) talk_s: f64,
    /// Wrap-up, in seconds.
    pub(crate) wrap_up_s: f64,
    /// Squared coefficient of variation of the talk.
    pub(crate) spread: f64,
    /// Conversations measured (old ones count less).
    pub(crate) measured: f64,
}

impl Handling {
    /// All of it, in seconds.
    pub(crate) fn total_s(&self) -> f64 {
        self.ring_s + self.talk_s + self.wrap_up_s
    }
    /// How long a conversation that has lasted `elapsed_s` is expected to go on: for an exponential talk as long as
    /// ever; longer when talks vary more, shorter when they vary less.
    pub(crate) fn talk_left_s(&self, elapsed_s: f64) -> f64 {
        let grown = if self.talk_s > 0.0 { (elapsed_s / self.talk_s).min(1.0) } else { 1.0 };
        self.talk_s * (1.0 + (self.spread - 1.0) / 2.0 * grown)
    }
}

impl Measured {
    /// A caller was answered after the phone rang for `rang`; he had waited `waited` in this queue.
    pub(crate) fn answered(&mut self, rang: Duration, waited: Duration) {
        self.ring.add(rang.as_secs_f64() + self.vain_s);
        self.vain_s = 0.0;
        self.stopped_waiting(waited, 0.0);
    }
    /// A phone rang for `rang` without a conversation.
    pub(crate) fn rang_in_vain(&mut self, rang: Duration) {
        self.vain_s += rang.as_secs_f64();
    }
    /// A caller left by himself.
    pub(crate) fn left(&mut self, waited: Duration) {
        self.stopped_waiting(waited, 1.0);
    }
    fn stopped_waiting(&mut self, waited: Duration, left: f64) {
        self.left = self.left * KEEP_PATIENCE + left;
        self.waited_s = self.waited_s * KEEP_PATIENCE + waited.as_secs_f64();
    }
    /// A conversation is over.
    pub(crate) fn talked(&mut self, talked: Duration) {
        self.talk.add(talked.as_secs_f64());
    }
    /// A wrap-up is over.
    pub(crate) fn wrapped_up(&mut self, took: Duration) {
        self.wrap_up.add(took.as_secs_f64());
    }
    /// What one caller takes of an agent's time.
    pub(crate) fn handling(&self, plan: &QueuePlan) -> Handling {
        let expected = plan.expected_talk.as_secs_f64();
        let own = if expected > 0.0 { expected } else { self.talk.sum / self.talk.weight.max(1.0) };
        Handling {
            ring_s: self.ring.mean(RING_S),
            talk_s: self.talk.mean(own),
            wrap_up_s: self.wrap_up.mean(plan.wrap_up.as_secs_f64()),
            spread: self.talk.spread(),
            measured: self.talk.weight,
        }
    }
    /// Hang-ups for each second that one caller waits.
    pub(crate) fn theta(&self) -> f64 {
        (self.left + 1.0) / (self.waited_s + PATIENCE_S)
    }
}
