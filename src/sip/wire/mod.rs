//! Bytes to messages and back (RFC 3261 7, 18.3).
mod write;

pub use write::{write_message, write_request, write_response};
