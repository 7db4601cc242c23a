//! Feeds `targets::user_agent`: a datagram to the whole SIP core, and all the time after it.
#![no_main]
#[path = "../targets.rs"]
#[allow(dead_code)]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::user_agent(bytes));
