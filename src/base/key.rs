//! One key of a telephone's keypad.
use std::fmt;

use serde::{Deserialize, Serialize};

/// A key: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733, section 3.2, events 0-15).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Key(u8);

impl Key {
    /// The star key.
    pub const STAR: Self = Self(10);
    /// The hash (pound) key.
    pub const HASH: Self = Self(11);

    /// From the event code of RFC 4733; `None` above 15.
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }
    /// The event code of RFC 4733.
    pub const fn event(self) -> u8 {
        self.0
    }
    /// From the character printed on the key; letters in either case.
    pub fn from_char(c: char) -> Option<Self> {
        let c = c.to_ascii_uppercase();
        b"0123456789*#ABCD".iter().zip(0u8..).find(|(b, _)| char::from(**b) == c).map(|(_, code)| Self(code))
    }
    /// The character printed on the key.
    pub const fn as_char(self) -> char {
        match self.0 {
            n @ 0..=9 => (b'0' + n) as char,
            10 => '*',
            11 => '#',
            n => (b'A' + (n & 3)) as char,
        }
    }
    /// The digit, if this key is one.
    pub const fn digit(self) -> Option<u8> {
        if self.0 < 10 { Some(self.0) } else { None }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_char())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl TryFrom<char> for Key {
    type Error = String;
    fn try_from(c: char) -> Result<Self, String> {
        Self::from_char(c).ok_or_else(|| format!("{c:?} is not a key; keys are 0-9 * # A-D"))
    }
}

impl From<Key> for char {
    fn from(k: Key) -> Self {
        k.as_char()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_code_survives_the_way_through_its_character() {
        for code in 0..16 {
            let key = Key::from_event(code).unwrap();
            assert_eq!(Key::from_char(key.as_char()), Some(key));
        }
        assert_eq!(Key::from_event(16), None);
        assert_eq!(Key::from_char('x'), None);
    }
}
