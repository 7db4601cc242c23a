//! WORKSHOP: SIP (RFC 3261) without sockets.
