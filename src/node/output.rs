//! What the node hands over, one thing at a time, in the order in which it must be done.
use crate::base::{CallId, Key, LegId, SecretToken};
use crate::exchange::{Entry, NumberedFact};
use crate::media::{LegFigures, MediaCommand};
use crate::sip::{StoredBinding, Transmit};

/// One thing to do for the world.
#[derive(Debug)]
pub enum NodeOutput {
    /// Send these bytes.
    Transmit(Transmit),
    /// Tell the media plane.
    Media(MediaCommand),
    /// An input was numbered: append it to the journal.
    Entry(Entry),
    /// Something became true: to the record.
    Fact(NumberedFact),
    /// A secret digit: to the vault, and nowhere else.
    SecretDigit {
        /// The entry it belongs to.
        token: SecretToken,
        /// The digit.
        key: Key,
    },
    /// An entry's digits are no longer wanted: its leg is gone.
    SecretOver {
        /// The entry.
        token: SecretToken,
    },
    /// Where an agent's phone is registered now, for after a restart.
    Phones {
        /// The agent's name.
        agent: String,
        /// Every contact he has; none: he is registered nowhere.
        bindings: Vec<StoredBinding>,
    },
    /// A leg's sound is over; its figures for the log.
    LegSound {
        /// The leg.
        leg: LegId,
        /// Its call, if it had one.
        call: Option<CallId>,
        /// What was counted.
        figures: LegFigures,
    },
}
