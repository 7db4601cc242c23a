//! The voice of numbers: what is said aloud, as values. A [`Phrase`] is a meaning; a language's grammar turns it into
//! recorded fragments.
//!
//! Invariant: a phrase holds no word of a language, so the same list of phrases is said in each.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::PromptId;

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phrase {
    /// A recorded prompt of the audio manifest, as it stands.
    Prompt(PromptId),
    /// A bare number: "two hundred and five".
    Number(u32),
    /// Each digit by itself, as an order number is read back. Anything that is not `0`-`9` is passed over in silence.
    Digits(String),
    /// The caller's place in the line, 1 for the next: "you are number three in line".
    Position(u32),
    /// How many callers are before him: "there are two callers ahead of you".
    Ahead(u32),
    /// A length of time in whole minutes: "three minutes".
    Minutes(u32),
    /// The wait that remains: "between three and five minutes". `low` zero: "less than" the upper end.
    Wait {
        /// At least this.
        low: Duration,
        /// At most this.
        high: Duration,
    },
}
