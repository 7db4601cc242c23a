//! Why a leg or a call ended: our own closed list. `node` maps it to SIP and back.
use serde::{Deserialize, Serialize};

/// Why a leg or a call ended, or an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The far end hung up.
    HungUp,
    /// We ended it as the menu or the agent asked, after all was said.
    Completed,
    /// The far end gave up before an answer (CANCEL).
    GaveUp,
    /// The far end was busy (486, 600).
    Busy,
    /// The far end refused (603 and the like).
    Declined,
    /// Nobody answered in time.
    NoAnswer,
    /// No such number, agent or party (404).
    NotFound,
    /// The agent has no registered phone, or the trunk no route (480).
    Unreachable,
    /// No right to do it (403).
    Forbidden,
    /// No codec in common (488).
    NoCommonCodec,
    /// Too many calls (503 with Retry-After).
    Overload,
    /// The hotline or the queue is closed.
    Closed,
    /// The queue is full, or the longest wait was reached, and no other way was left.
    QueueOverflow,
    /// No sound came for longer than the limit.
    SoundLost,
    /// The signalling peer vanished: transaction time-out, connection lost.
    PeerLost,
    /// A limit on the length of ringing, waiting, talk or the whole call was reached.
    LimitReached,
    /// Another leg's end took this one with it.
    PartnerLeft,
    /// The offer was withdrawn because the caller left or another agent took him.
    Withdrawn,
    /// An operator ended it.
    OpsEnded,
    /// The server is going down.
    ShuttingDown,
    /// The server stopped without a goodbye and was started again.
    ServerRestart,
    /// The far end broke the protocol.
    ProtocolError,
    /// A broken invariant of ours ended it; see the log.
    InternalError,
}

impl Cause {
    /// The name used in records and metrics: snake case, as serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HungUp => "hung_up",
            Self::Completed => "completed",
            Self::GaveUp => "gave_up",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::NoAnswer => "no_answer",
            Self::NotFound => "not_found",
            Self::Unreachable => "unreachable",
            Self::Forbidden => "forbidden",
            Self::NoCommonCodec => "no_common_codec",
            Self::Overload => "overload",
            Self::Closed => "closed",
            Self::QueueOverflow => "queue_overflow",
            Self::SoundLost => "sound_lost",
            Self::PeerLost => "peer_lost",
            Self::LimitReached => "limit_reached",
            Self::PartnerLeft => "partner_left",
            Self::Withdrawn => "withdrawn",
            Self::OpsEnded => "ops_ended",
            Self::ShuttingDown => "shutting_down",
            Self::ServerRestart => "server_restart",
            Self::ProtocolError => "protocol_error",
            Self::InternalError => "internal_error",
        }
    }
}
