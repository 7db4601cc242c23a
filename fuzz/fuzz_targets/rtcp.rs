//! Feeds `targets::rtcp`: RTCP reports, on their own socket and on RTP's.
#![no_main]
#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::rtcp(bytes));
