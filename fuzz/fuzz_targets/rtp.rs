//! Feeds `targets::rtp`: RTP datagrams on a leg that is mixed and one that is transcoded.
#![no_main]
#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::rtp(bytes));
