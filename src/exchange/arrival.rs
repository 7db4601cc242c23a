//! What is known of a leg when it arrives, and what an agent is shown when his phone rings.
use serde::{Deserialize, Serialize};

use crate::base::{AgentId, EntryId, Language, PartyId, QueueId, TrunkId};

/// Who is behind a leg, as far as it was proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// Nobody we know: may call the hotline's numbers and nothing else.
    Stranger,
    /// An agent, proved by digest authentication.
    Agent(AgentId),
    /// A configured trunk, proved by its address.
    Trunk(TrunkId),
}

/// An incoming leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The user part of the request URI: a number of `numbers.toml`, or an agent's feature code.
    pub dialled: String,
    /// The caller's number, or empty: text from outside, never trusted.
    pub caller: String,
    /// The caller's display name, or empty: text from outside, never trusted.
    pub caller_name: String,
    /// Who it is, as far as it was proved.
    pub peer: Peer,
    /// What a trusted trunk says of him; empty from anybody else.
    #[serde(default)]
    pub vouched: Vouched,
}

/// What a trusted trunk says of a caller: text from outside, bounded, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// The number or name that it vouches for (RFC 3325), or empty.
    pub identity: String,
    /// The name beside it, or empty.
    pub name: String,
    /// He wants it shown to nobody outside the trusted network (RFC 3325 section 9.3).
    pub private: bool,
    /// What the calling side wants known on the other side (RFC 7433), as written, or empty.
    pub user_to_user: String,
}

/// Whom a new leg should reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingTarget {
    /// An agent's registered phone.
    Agent(AgentId),
    /// A third party of the directory, over its trunk.
    Party(PartyId),
    /// A number outside to which a third party, or an agent, was allowed to transfer.
    Outside {
        /// What is dialled.
        number: String,
        /// Over which trunk.
        trunk: TrunkId,
    },
}

/// What an agent or a third party is shown of the caller before "hello".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCard {
    /// The caller's number, or empty.
    pub caller: String,
    /// The caller's display name, or empty.
    pub caller_name: String,
    /// The number that was dialled.
    pub dialled: String,
    /// The language the caller chose.
    pub language: Language,
    /// The queue he waited in.
    pub queue: Option<QueueId>,
    /// How long he has waited since he first joined a queue, in seconds.
    pub waited_s: u64,
    /// What he entered by keypad. A secret entry shows its length alone.
    pub entries: Vec<(EntryId, String)>,
    /// Who passed him on, if anybody.
    pub passed_on_by: Option<AgentId>,
    /// What a trusted trunk says of him.
    pub vouched: Vouched,
}
