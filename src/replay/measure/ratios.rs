//! The measures of RFC 6076, of calls that the phones place: SRD, SDD, SDT and the ratios SER, SEER, ISA and SCR.
//!
//! Invariant: each INVITE that the plan wanted is counted once, by its last final response; one that was asked for a
//! password (401, 407) or that answers such a question is the same request (section 4.6).
#![expect(clippy::cast_precision_loss, reason = "figures for people: no count comes near 2^52")]
use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::CreationError;
use serde::Serialize;

use super::quantiles::{Meter, Quantiles};

/// What became of an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A 2xx.
    Answered,
    /// A final response of 300 or above; 408 where none came in time.
    Refused(u16),
    /// The caller gave up before the answer (CANCEL, 487).
    GivenUp,
}

/// What is counted of requests, as it comes.
#[derive(Clone, Debug)]
pub struct SipRatios {
    requests: u64,
    answered: u64,
    redirected: u64,
    effective: u64,
    ineffective: u64,
    given_up: u64,
    completed: u64,
    statuses: BTreeMap<u16, u64>,
    request_delay: Meter,
    failed_delay: Meter,
    disconnect_delay: Meter,
    duration: Meter,
}

impl SipRatios {
    /// Nothing was asked yet.
    ///
    /// # Errors
    /// When a histogram's bounds are refused.
    pub fn new() -> Result<Self, CreationError> {
        Ok(Self {
            requests: 0,
            answered: 0,
            redirected: 0,
            effective: 0,
            ineffective: 0,
            given_up: 0,
            completed: 0,
            statuses: BTreeMap::new(),
            request_delay: Meter::new()?,
            failed_delay: Meter::new()?,
            disconnect_delay: Meter::new()?,
            duration: Meter::new()?,
        })
    }

    /// An INVITE had its final response; `delay` is from its intended time to the first response but 100 (section 4.3).
    pub fn attempt(&mut self, outcome: Attempt, delay: Option<Duration>) {
        self.requests += 1;
        let failed = match outcome {
            Attempt::Answered => {
                self.answered += 1;
                self.effective += 1;
                *self.statuses.entry(200).or_default() += 1;
                false
            }
            Attempt::Refused(status) => {
                *self.statuses.entry(status).or_default() += 1;
                self.redirected += u64::from((300..400).contains(&status));
                self.effective += u64::from(matches!(status, 480 | 486 | 600 | 603));
                self.ineffective += u64::from(matches!(status, 408 | 500 | 503 | 504));
                true
            }
            Attempt::GivenUp => {
                *self.statuses.entry(487).or_default() += 1;
                self.given_up += 1;
                true
            }
        };
        if let Some(delay) = delay {
            if failed {
                self.failed_delay.record(delay);
            } else {
                self.request_delay.record(delay);
            }
        }
    }

    /// A session that stood is over: how long it was (section 4.5), and whether its end was in order: a BYE that was
    /// answered, ours or the server's.
    pub fn ended(&mut self, duration: Duration, in_order: bool) {
        self.duration.record(duration);
        self.completed += u64::from(in_order);
    }

    /// A BYE of ours was answered after this long (section 4.4).
    pub fn disconnected(&mut self, delay: Duration) {
        self.disconnect_delay.record(delay);
    }

    /// What it comes to. `unanswered`: BYEs of ours that nobody answered; those sessions did not end in order.
    pub fn told(&self, unanswered: u64) -> Rfc6076 {
        let percent =
            |part: u64, whole: u64| if whole == 0 { None } else { Some(100.0 * part as f64 / whole as f64) };
        let not_redirected = self.requests - self.redirected;
        Rfc6076 {
            requests: self.requests,
            ser_percent: percent(self.answered, not_redirected),
            seer_percent: percent(self.effective, not_redirected),
            isa_percent: percent(self.ineffective, self.requests),
            scr_percent: percent(self.completed.saturating_sub(unanswered), self.requests),
            srd: self.request_delay.quantiles(),
            failed_srd: self.failed_delay.quantiles(),
            sdd: self.disconnect_delay.quantiles(),
            sdt: self.duration.quantiles(),
            given_up: self.given_up,
            statuses: self.statuses.clone(),
        }
    }
}

/// The measures of RFC 6076, told. A ratio of nothing is not told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rfc6076 {
    /// INVITEs.
    pub requests: u64,
    /// Session Establishment Ratio: answered, of those that were not redirected.
    pub ser_percent: Option<f64>,
    /// Session Establishment Effectiveness Ratio: the same, with 480, 486, 600 and 603 as answers.
    pub seer_percent: Option<f64>,
    /// Ineffective Session Attempts: 408, 500, 503 and 504.
    pub isa_percent: Option<f64>,
    /// Session Completion Ratio: answered and ended in order.
    pub scr_percent: Option<f64>,
    /// Session Request Delay of those that were answered.
    pub srd: Quantiles,
    /// Session Request Delay of those that were not.
    pub failed_srd: Quantiles,
    /// Session Disconnect Delay.
    pub sdd: Quantiles,
    /// Session Duration Time.
    pub sdt: Quantiles,
    /// INVITEs that the caller took back before an answer: in no ratio but as a request.
    pub given_up: u64,
    /// Final responses, by status.
    pub statuses: BTreeMap<u16, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn told(attempts: &[Attempt], completed: usize) -> Rfc6076 {
        let mut ratios = SipRatios::new().unwrap();
        for attempt in attempts {
            ratios.attempt(*attempt, Some(5 * MS));
        }
        (0..completed).for_each(|_| ratios.ended(Duration::from_secs(3), true));
        ratios.told(0)
    }

    fn is(ratio: Option<f64>, wanted: f64) {
        assert!((ratio.unwrap() - wanted).abs() < 1e-9, "{ratio:?} {wanted}");
    }

    #[test]
    fn the_ratios_are_those_of_the_rfc() {
        use Attempt::{Answered, Refused};
        let of = [
            Answered,
            Answered,
            Answered,
            Refused(486),
            Refused(503),
            Refused(404),
            Refused(302),
            Refused(603),
        ];
        let told = told(&of, 2);
        // Seven were not redirected: 3 answered, 2 of the callee's own will; 1 of 8 was the server's weakness.
        is(told.ser_percent, 300.0 / 7.0);
        is(told.seer_percent, 500.0 / 7.0);
        is(told.isa_percent, 12.5);
        is(told.scr_percent, 25.0);
        assert_eq!((told.srd.count, told.failed_srd.count, told.sdt.count), (3, 5, 2));
    }

    #[test]
    fn a_caller_who_gives_up_is_a_request_and_neither_success_nor_weakness() {
        let told = told(&[Attempt::Answered, Attempt::GivenUp], 1);
        is(told.ser_percent, 50.0);
        is(told.isa_percent, 0.0);
        assert_eq!((told.given_up, told.statuses[&487]), (1, 1));
    }

    #[test]
    fn a_ratio_of_nothing_is_not_told() {
        let told = told(&[], 0);
        assert_eq!(
            (told.ser_percent, told.seer_percent, told.isa_percent, told.scr_percent),
            (None, None, None, None)
        );
    }

    #[test]
    fn an_end_out_of_order_is_no_completion() {
        let mut ratios = SipRatios::new().unwrap();
        ratios.attempt(Attempt::Answered, None);
        ratios.ended(Duration::from_secs(1), false);
        ratios.disconnected(40 * MS);
        let told = ratios.told(0);
        is(told.scr_percent, 0.0);
        assert_eq!((told.sdd.count, told.sdd.max_us / 1_000), (1, 40));
    }
}
