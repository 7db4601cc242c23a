//! Every bound of the program: name, unit, value, reason. A bound that ops may change is in `hotline.toml` and only
//! its default is here.

/// Longest UDP datagram read, in bytes: the largest that exists.
pub const SIP_DATAGRAM_BYTES: usize = 65_535;
/// Longest header part of a SIP message on a stream, in bytes.
pub const SIP_HEADER_BYTES: usize = 64 * 1024;
/// Longest body of a SIP message, in bytes.
pub const SIP_BODY_BYTES: usize = 256 * 1024;
/// Most header fields in one SIP message; a real one has fewer than 60.
pub const SIP_HEADER_FIELDS: usize = 256;
/// Most addresses in the fields that list them (Via, Route, Record-Route, Contact) together: nearly twice as many as
/// Max-Forwards lets a request pass.
pub const SIP_ADDRESSES: usize = 128;
/// Most legs that one ear hears together.
pub const HEARD_AT_ONCE: usize = 8;
/// Most menus that one caller walks through in one run; then a human takes him. Nobody wants to press more.
pub const MENU_STEPS: u16 = 60;
/// Longest time that one playing of a menu may last, in seconds; then it counts as ended. Keeps a caller from being
/// forgotten should the end of a playing never be reported.
pub const MENU_PLAYING_S: u64 = 120;
/// Mistakes (silence, wrong key, wrong entry) in one menu that lead to a human.
pub const MENU_MISTAKES: u8 = 3;
/// Most SIP transactions at once. Over UDP each answered call leaves two for 32 s, so this carries 4,000 calls a second;
/// a request beyond it is answered 503.
pub const SIP_TRANSACTIONS: usize = 262_144;
/// Longest SDP body that is read, in bytes; a browser's longest are near 8 KiB.
pub const SDP_BYTES: usize = 32 * 1024;
/// Most media descriptions in one SDP body; a phone sends one to three.
pub const SDP_MEDIA: usize = 32;
/// Most formats of one media description that are looked at; payload types number 128.
pub const SDP_FORMATS: usize = 128;
