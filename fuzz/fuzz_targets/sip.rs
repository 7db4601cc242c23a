//! Feeds `targets::sip`: a SIP message, as a datagram and as a stream.
#![no_main]
#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::sip(bytes));
