//! The class of service of what we send (RFC 2474): expedited forwarding for sound, CS3 for signalling (RFC 4594).
//!
//! Invariant: a network or a kernel that knows no classes is no reason to have no calls.
use std::os::fd::AsFd;

use socket2::SockRef;

/// Signalling: class selector 3.
pub(super) const CS3: u8 = 24;
/// Sound: expedited forwarding.
pub(super) const EF: u8 = 46;

/// Marks all that leaves by `socket` with a code point (0-63), for both families where it serves both.
pub(super) fn mark<S: AsFd>(socket: &S, is_ip6: bool, code_point: u8) {
    let socket = SockRef::from(socket);
    let byte = u32::from(code_point) << 2;
    let ip6 = if is_ip6 { socket.set_tclass_v6(byte) } else { Ok(()) };
    // A socket of both families keeps two marks: this one is for peers of the older.
    if let Err(why) = ip6.and_then(|()| socket.set_tos_v4(byte)) {
        tracing::debug!(%why, "cannot set the traffic class");
    }
}
