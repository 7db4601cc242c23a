//! One hash over all facts: two runs did the same if theirs is the same, on any machine.
use sha2::{Digest as _, Sha256};

use crate::exchange::NumberedFact;

/// A hash that grows with each fact: SHA-256 over the facts as they are stored, one a line.
#[derive(Clone, Debug, Default)]
pub struct FactHash {
    hash: Sha256,
    line: Vec<u8>,
    facts: u64,
}

impl FactHash {
    /// One more fact.
    pub fn add(&mut self, fact: &NumberedFact) {
        self.line.clear();
        // Writing to memory cannot fail, and facts have no map with keys that are no texts.
        if serde_json::to_writer(&mut self.line, fact).is_ok() {
            self.line.push(b'\n');
            self.hash.update(&self.line);
        }
        self.facts += 1;
    }
    /// How many there were.
    pub const fn facts(&self) -> u64 {
        self.facts
    }
    /// The first 32 hex digits.
    pub fn finish(&self) -> String {
        use std::fmt::Write as _;
        self.hash.clone().finalize().iter().take(16).fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
    }
}
