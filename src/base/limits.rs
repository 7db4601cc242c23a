//! Every bound of the program: name, unit, value, reason. A bound that ops may change is in `hotline.toml` and only
//! its default is here.

/// Keys pressed ahead of the menu that are kept for it. More than anyone types; the rest is counted and dropped.
pub const TYPE_AHEAD_KEYS: usize = 32;
/// Longest UDP datagram read, in bytes: the largest that exists.
pub const SIP_DATAGRAM_BYTES: usize = 65_535;
/// Longest header part of a SIP message on a stream, in bytes.
pub const SIP_HEADER_BYTES: usize = 64 * 1024;
/// Longest body of a SIP message, in bytes.
pub const SIP_BODY_BYTES: usize = 256 * 1024;
/// Most header fields in one SIP message; a real one has fewer than 60.
pub const SIP_HEADER_FIELDS: usize = 256;
/// Most legs that one ear hears together.
pub const HEARD_AT_ONCE: usize = 8;
