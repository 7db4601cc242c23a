//! Numbers outside to which a transfer may lead: a list for each trunk, and how many an hour. Empty unless ops wrote one.
//!
//! Invariant: no more than `per_hour` are admitted in any hour, whatever came before.
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::base::{Instant, TrunkId};

const HOUR: Duration = Duration::from_hours(1);
/// Longest number that is dialled, in digits: E.164 has 15.
const DIGITS_MAX: usize = 20;

/// What a trunk permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Beginnings of numbers, as dialled: digits, with a `+` before them or not.
    pub prefixes: Vec<String>,
    /// How many transfers an hour.
    pub per_hour: u32,
}

impl Default for Permit {
    fn default() -> Self {
        Self { prefixes: Vec::new(), per_hour: 20 }
    }
}

impl Permit {
    /// Whether this is a number, and one that may be dialled.
    pub(super) fn names(&self, number: &str) -> bool {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let is_number =
            !digits.is_empty() && digits.len() <= DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
        is_number
            && self.prefixes.iter().any(|prefix| !prefix.is_empty() && number.starts_with(prefix.as_str()))
    }
}

/// Whether one more may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Granted,
    HourFull,
}

/// What was admitted in the last hour.
#[derive(Debug, Default)]
pub(super) struct Permits {
    admitted: BTreeMap<TrunkId, VecDeque<Instant>>,
}

impl Permits {
    /// One more over this trunk.
    pub(super) fn admit(&mut self, now: Instant, trunk: &TrunkId, permit: &Permit) -> Admission {
        let admitted = self.admitted.entry(trunk.clone()).or_default();
        while admitted.front().is_some_and(|at| now.since(*at) >= HOUR) {
            admitted.pop_front();
        }
        if admitted.len() >= usize::try_from(permit.per_hour).unwrap_or(usize::MAX) {
            return Admission::HourFull;
        }
        admitted.push_back(now);
        Admission::Granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_with_a_permitted_beginning() {
        assert!(!Permit::default().names("123"));
        let permit = Permit { prefixes: vec!["0085".into(), "+49".into(), String::new()], per_hour: 1 };
        assert!(permit.names("00852123") && permit.names("+4930123"));
        for number in ["0049", "4930", "+49;ext", "0085a", "+", "", "00850000000000000000000"] {
            assert!(!permit.names(number), "{number}");
        }
    }

    #[test]
    fn an_hour_has_its_number() {
        let (mut permits, trunk) = (Permits::default(), TrunkId::from("t"));
        let permit = Permit { prefixes: vec![], per_hour: 2 };
        let at = Instant::from_secs;
        assert_eq!(permits.admit(at(0), &trunk, &permit), Admission::Granted);
        assert_eq!(permits.admit(at(1_800), &trunk, &permit), Admission::Granted);
        assert_eq!(permits.admit(at(3_599), &trunk, &permit), Admission::HourFull);
        assert_eq!(permits.admit(at(3_600), &trunk, &permit), Admission::Granted);
        assert_eq!(permits.admit(at(3_601), &trunk, &permit), Admission::HourFull);
        assert_eq!(permits.admit(at(3_601), &TrunkId::from("u"), &permit), Admission::Granted);
    }
}
