//! Identifiers: a number for what the program makes, a name for what people write in files.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        impl $name {
            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.wrapping_add(1))
            }
        }
    )*};
}

number! {
    /// One caller's visit, from INVITE to the last goodbye. Never used twice, not even after a restart.
    CallId "call-";
    /// One party attached to us: signalling and sound.
    LegId "leg-";
    /// A place in a queue.
    TicketId "ticket-";
    /// A ticket given to an agent whose phone rings.
    AssignmentId "assignment-";
    /// One batch of futures that the Acd asked for. Begins anew with the process.
    BatchId "batch-";
    /// One playing of prompts to a leg; a `PromptEnded` names it, and a stale one is ignored.
    PlayId "play-";
    /// Stands for secret digits: the value lives in a vault in `io` and nowhere else.
    SecretToken "secret-";
    /// A request to transfer a leg (REFER): given by `node`, never used before.
    TransferId "transfer-";
    /// The number of an input in the journal: one sequence for the whole server, without gaps.
    Seq "seq-";
}

macro_rules! name {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);
        impl $name {
            /// From the name as written in a file.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    )*};
}

name! {
    /// A menu: the stem of its file.
    MenuId;
    /// A queue of `queues.toml`.
    QueueId;
    /// An agent of `agents.toml`: also the user name his phone registers with.
    AgentId;
    /// A skill that queues ask for and agents have.
    SkillId;
    /// A third party of `directory.toml`.
    PartyId;
    /// A prompt of the audio manifest.
    PromptId;
    /// A trunk of `hotline.toml`.
    TrunkId;
    /// What an entry of digits is called in the record, e.g. `order`.
    EntryId;
}
