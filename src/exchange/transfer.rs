//! What the far end of a leg may ask for beside hanging up: that its place be taken by somebody else (RFC 3515, REFER), and
//! what it is told of that (RFC 3515 section 2.4.5, NOTIFY with a `sipfrag`).
//!
//! Invariant: each request is answered by exactly one `Accepted` or `Refused`, each `Accepted` by exactly one `Succeeded`
//! or `Failed`; nothing is told after those, nor of a leg whose end was reported and that asked for nothing else.
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::base::{AgentId, LegId, PartyId, QueueId, TrunkId};

/// To whom. `node` has resolved what the Refer-To said, and refuses by itself what names nobody of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferTarget {
    /// An agent, by the number of his phone.
    Agent(AgentId),
    /// A queue, by its code.
    Queue(QueueId),
    /// A third party of the directory, by its code or its number.
    Party(PartyId),
    /// A number of the hotline itself: what its menus do.
    Number(String),
    /// A number outside that may be called: `node` checked the permit list, this trunk leads there.
    Outside {
        /// What is dialled.
        number: String,
        /// Over which trunk.
        trunk: TrunkId,
    },
    /// Whoever this leg of ours talks to: the Refer-To had a Replaces (RFC 3891) that names the leg's dialog, as an
    /// attended transfer by an agent's phone does.
    Leg(LegId),
}

/// What the far end that asked for a transfer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStep {
    /// The request is taken: 202, then NOTIFY with 100 Trying.
    Accepted,
    /// It is not: `node` maps the cause to a status of the REFER.
    Refused(Cause),
    /// The new target rings: NOTIFY with 180.
    Ringing,
    /// It answered, or the queue took the caller: NOTIFY with 200, the subscription ends.
    Succeeded,
    /// It did not: NOTIFY with the cause's status, the subscription ends.
    Failed(Cause),
}
