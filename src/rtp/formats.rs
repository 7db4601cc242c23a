//! Payload types as offer and answer name them (RFC 3551 section 6, RFC 4733 section 2.4), and SRTP's keys.
//!
//! Invariant: a set of payload types is 16 bytes and asked in one step; no key is ever shown.
use std::fmt;

/// A set of payload types, 0-127.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PayloadTypes(u128);

impl PayloadTypes {
    /// None.
    pub const NONE: Self = Self(0);

    /// The same with one more; a number above 127 is none and adds nothing.
    #[must_use]
    pub const fn with(self, payload_type: u8) -> Self {
        match 1u128.checked_shl(payload_type as u32) {
            Some(bit) => Self(self.0 | bit),
            None => self,
        }
    }
    /// Both together.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
    /// Whether a payload type is among them.
    pub const fn contains(self, payload_type: u8) -> bool {
        match 1u128.checked_shl(payload_type as u32) {
            Some(bit) => self.0 & bit != 0,
            None => false,
        }
    }
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// In rising order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |p| self.contains(*p))
    }
}

impl FromIterator<u8> for PayloadTypes {
    fn from_iter<I: IntoIterator<Item = u8>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for PayloadTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Telephone-events under a payload type, RFC 4733.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The payload type.
    pub payload_type: u8,
    /// The clock in which durations are told, in Hz: the one of the codec beside which they are sent.
    pub clock_hz: u32,
}

/// The protection of SRTP, RFC 4568 section 6.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

/// A master key of 16 bytes and its salt of 14, RFC 4568 section 6.1. Shows nothing when printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey(pub [u8; 30]);

impl fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SrtpKey(not shown)")
    }
}

/// What offer and answer agreed for SRTP: one key each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The protection, the same both ways.
    pub suite: SrtpSuite,
    /// Protects what we send.
    pub ours: SrtpKey,
    /// Protects what the peer sends.
    pub theirs: SrtpKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_no_number_beyond_127() {
        let set: PayloadTypes = [0, 8, 127, 128, 255].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 8, 127]);
        assert!(set.contains(8) && !set.contains(9) && !set.contains(128) && !set.contains(255));
        assert!(PayloadTypes::NONE.is_empty() && !set.is_empty());
        assert_eq!(format!("{set:?}"), "{0, 8, 127}");
    }

    #[test]
    fn keys_are_not_shown() {
        let key = SrtpKey([0x41; 30]);
        let keys = SrtpKeys { suite: SrtpSuite::AesCm128HmacSha1_80, ours: key, theirs: key };
        let shown = format!("{keys:?} {keys:#?}");
        assert!(!shown.contains("65") && !shown.contains("41") && !shown.contains("AAA"), "{shown}");
    }
}
