//! The vault: the only place where secret digits have a value. Everything else knows a token and a length. Values
//! are overwritten when their entry is over, and none can be printed.
use std::collections::BTreeMap;
use std::fmt;

use crate::base::{Key, SecretToken};

/// Entries held at once: one a leg that is entering a secret just now.
const ENTRIES: usize = 4_096;
/// Digits of one entry; menus allow fewer.
const DIGITS: usize = 32;

/// Secret digits by token.
#[derive(Default)]
pub(super) struct Vault {
    entries: BTreeMap<SecretToken, Vec<u8>>,
    dropped: u64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Vault {
    /// Keeps a digit.
    pub(super) fn digit(&mut self, token: SecretToken, key: Key) {
        let Some(digit) = key.digit() else { return };
        if !self.entries.contains_key(&token) && self.entries.len() >= ENTRIES {
            self.dropped += 1;
            return;
        }
        // Room for all of it at once: growing would leave copies behind.
        let digits = self.entries.entry(token).or_insert_with(|| Vec::with_capacity(DIGITS));
        if digits.len() < DIGITS {
            digits.push(b'0' + digit);
        } else {
            self.dropped += 1;
        }
    }

    /// Whether the digits of `token` are `wanted`, in a time that does not depend on where they differ.
    #[cfg(test)]
    fn matches(&self, token: SecretToken, wanted: &str) -> bool {
        let Some(digits) = self.entries.get(&token) else { return false };
        let differing = digits.iter().zip(wanted.as_bytes()).fold(0_u8, |d, (a, b)| d | (a ^ b));
        digits.len() == wanted.len() && differing == 0
    }

    /// Overwrites and forgets an entry.
    pub(super) fn forget(&mut self, token: SecretToken) {
        if let Some(mut digits) = self.entries.remove(&token) {
            digits.fill(0);
            std::hint::black_box(&digits);
        }
    }

    /// Whether none is held.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Digits that found no room.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_checked_and_forgotten_but_not_printed() {
        let mut v = Vault::default();
        for c in "1234*".chars() {
            v.digit(SecretToken(1), Key::from_char(c).unwrap());
        }
        assert!(v.matches(SecretToken(1), "1234"));
        assert!(!v.matches(SecretToken(1), "1235") && !v.matches(SecretToken(1), "123"));
        assert!(!format!("{v:?}").contains("123"));
        v.forget(SecretToken(1));
        assert!(v.is_empty() && !v.matches(SecretToken(1), "1234"));
    }

    #[test]
    fn an_endless_entry_is_bounded_and_counted() {
        let mut v = Vault::default();
        for _ in 0..DIGITS + 3 {
            v.digit(SecretToken(1), Key::from_char('9').unwrap());
        }
        assert_eq!(v.dropped(), 3);
    }
}
