//! Everything that is measured and counted while a day is played, and how it stands at a moment.
use std::time::Duration;

use hdrhistogram::CreationError;
use serde::Serialize;

use crate::replay::measure::{Lateness, Meter, Quantiles, Reception, SipRatios};

/// One second of the day, for pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the beginning.
    pub at: u64,
    /// Calls begun in it.
    pub begun: u64,
    /// Calls answered in it.
    pub answered: u64,
    /// Calls refused or lost in it.
    pub failed: u64,
    /// Calls of callers that stood at its end.
    pub standing: u64,
    /// The longest time from the wish to an answer of those answered in it, in milliseconds.
    pub answer_max_ms: f64,
    /// How late the phones were at worst, in milliseconds.
    pub late_max_ms: f64,
}

/// What became of callers' calls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) callers: u64,
    pub(super) begun: u64,
    pub(super) redials: u64,
    pub(super) answered: u64,
    pub(super) refused: u64,
    pub(super) given_up: u64,
    pub(super) served: u64,
    pub(super) abandoned: u64,
    pub(super) ended_by_server: u64,
    pub(super) broken: u64,
    pub(super) silent: u64,
    pub(super) cut_short: u64,
    pub(super) keys: u64,
    pub(super) keys_by_info: u64,
    pub(super) keys_without_prompt: u64,
    pub(super) offers: u64,
    pub(super) offers_missed: u64,
    pub(super) conversations: u64,
    pub(super) parties_asked: u64,
    pub(super) parties_without_code: u64,
    pub(super) party_calls: u64,
    pub(super) party_talks: u64,
    pub(super) three_ways: u64,
    pub(super) holds: u64,
    pub(super) transfers: u64,
    pub(super) party_transfers: u64,
    pub(super) successions: u64,
    pub(super) left_alone: u64,
    pub(super) lost_out: u64,
    pub(super) lost_in: u64,
    pub(super) agents: u64,
    pub(super) agents_without_password: u64,
    pub(super) stand_ins: u64,
    pub(super) agents_registered: u64,
    pub(super) strays: u64,
    pub(super) without_socket: u64,
}

/// Everything that is measured.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) post_dial: Meter,
    pub(super) answer: Meter,
    pub(super) first_sound: Meter,
    pub(super) key_to_prompt: Meter,
    pub(super) free_to_ringing: Meter,
    pub(super) two_way: Meter,
    pub(super) private: Meter,
    pub(super) three_way: Meter,
    pub(super) successor: Meter,
    pub(super) registration: Meter,
    pub(super) ratios: SipRatios,
    pub(super) sound: Reception,
    pub(super) lateness: Lateness,
    pub(super) counts: Counts,
    pub(super) seconds: Vec<Second>,
    pub(super) this: Second,
}

impl Gauges {
    pub(super) fn new(late_after: Duration) -> Result<Self, CreationError> {
        Ok(Self {
            post_dial: Meter::new()?,
            answer: Meter::new()?,
            first_sound: Meter::new()?,
            key_to_prompt: Meter::new()?,
            free_to_ringing: Meter::new()?,
            two_way: Meter::new()?,
            private: Meter::new()?,
            three_way: Meter::new()?,
            successor: Meter::new()?,
            registration: Meter::new()?,
            ratios: SipRatios::new()?,
            sound: Reception::new()?,
            lateness: Lateness::new(late_after)?,
            counts: Counts::default(),
            seconds: Vec::new(),
            this: Second::default(),
        })
    }

    /// Something of the plan was done so long after its time.
    pub(super) fn acted(&mut self, late: Duration) {
        self.lateness.acted(late);
        self.this.late_max_ms = self.this.late_max_ms.max(late.as_secs_f64() * 1e3);
    }

    /// A second is over.
    pub(super) fn tick(&mut self, second: u64, standing: u64) {
        while self.this.at < second {
            self.this.standing = standing;
            self.seconds.push(self.this);
            self.this = Second { at: self.this.at + 1, ..Second::default() };
        }
    }

    /// A call was refused, or broke.
    pub(super) fn has_failures(&self) -> bool {
        self.counts.refused + self.counts.broken + self.counts.without_socket > 0
    }

    /// How it stands.
    pub(super) fn progress(&self, what: &'static str, at: Duration, standing: u64) -> Progress {
        let c = &self.counts;
        let last = self.seconds.last().copied().unwrap_or_default();
        Progress {
            what,
            at,
            begun: c.begun,
            begun_per_s: last.begun,
            standing,
            answered: c.answered,
            failed: c.refused + c.broken,
            conversations: c.conversations,
            packets: self.sound.packets(),
            late_ms: last.late_max_ms,
            post_dial: self.post_dial.quantiles(),
            answer: self.answer.quantiles(),
            key_to_prompt: self.key_to_prompt.quantiles(),
            free_to_ringing: self.free_to_ringing.quantiles(),
            two_way: self.two_way.quantiles(),
        }
    }
}

/// How a day stands, for whoever watches.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What happens now.
    pub what: &'static str,
    /// Since the first call.
    pub at: Duration,
    /// Calls begun.
    pub begun: u64,
    /// Of these, in the last second.
    pub begun_per_s: u64,
    /// Callers' calls that stand or come to stand.
    pub standing: u64,
    /// Calls answered.
    pub answered: u64,
    /// Calls refused or broken.
    pub failed: u64,
    /// Callers who talked to an agent.
    pub conversations: u64,
    /// Packets heard in calls that are over.
    pub packets: u64,
    /// How late the phones were at worst in the last second, in milliseconds.
    pub late_ms: f64,
    /// Wish to first response.
    pub post_dial: Quantiles,
    /// Wish to answer.
    pub answer: Quantiles,
    /// Key to prompt.
    pub key_to_prompt: Quantiles,
    /// Agent free to ringing.
    pub free_to_ringing: Quantiles,
    /// Agent's answer to both hearing each other.
    pub two_way: Quantiles,
}
