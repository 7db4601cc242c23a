//! What the exchange itself says: prompts of the audio manifest that no menu names. Each must exist in every language.
use super::Phrase;
use super::say::{FEWER_AGENTS, LONGER_TALKS, NOBODY_YET, URGENT_CALLERS, WAIT_UNKNOWN, YOU_ARE_NEXT};
use super::{AgentWish, Cause};

/// Prompts that the exchange says by itself.
pub const EXCHANGE_PROMPTS: [&str; 23] = [
    AGENT_LOST,
    IF_WE_LOSE_YOU,
    PLACE_RESTORED,
    GOODBYE,
    NO_WAY_LEFT,
    SIGNED_IN,
    SIGNED_OUT,
    READY,
    PAUSED,
    NOT_POSSIBLE,
    PARTY_BUSY,
    PARTY_NO_ANSWER,
    PARTY_UNREACHABLE,
    PARTY_LEFT,
    LISTEN_ONLY,
    HEARD_AGAIN,
    RINGBACK,
    WAIT_UNKNOWN,
    NOBODY_YET,
    YOU_ARE_NEXT,
    FEWER_AGENTS,
    LONGER_TALKS,
    URGENT_CALLERS,
];

/// "We lost your agent. You are back at your place in line."
const AGENT_LOST: &str = "agent-lost";
/// "If we lose you, please call again. Your place in line is kept."
const IF_WE_LOSE_YOU: &str = "if-we-lose-you";
/// "Welcome back. You are at your old place in line."
const PLACE_RESTORED: &str = "place-restored";
/// "Thank you for calling. Goodbye."
const GOODBYE: &str = "goodbye";
/// "We cannot take your call now. Please call again later."
const NO_WAY_LEFT: &str = "no-way-left";
/// "You are signed in."
const SIGNED_IN: &str = "signed-in";
/// "You are signed out."
const SIGNED_OUT: &str = "signed-out";
/// "You are ready."
const READY: &str = "ready";
/// "You are paused."
const PAUSED: &str = "paused";
/// "That is not possible now."
const NOT_POSSIBLE: &str = "not-possible";
/// "The other party is busy."
const PARTY_BUSY: &str = "party-busy";
/// "The other party does not answer."
const PARTY_NO_ANSWER: &str = "party-no-answer";
/// "The other party cannot be reached."
const PARTY_UNREACHABLE: &str = "party-unreachable";
/// "The other party has left."
const PARTY_LEFT: &str = "party-left";
/// Two tones, falling: the caller only listens.
const LISTEN_ONLY: &str = "listen-only";
/// Two tones, rising: he is heard again.
const HEARD_AGAIN: &str = "heard-again";
/// The tone that a phone makes while another rings.
pub(super) const RINGBACK: &str = "ringback";

fn prompt(name: &str) -> Phrase {
    Phrase::prompt(name)
}

pub(super) fn agent_lost() -> Phrase {
    prompt(AGENT_LOST)
}

/// He waits, and his place survives whatever happens to the call.
pub(super) fn place_kept() -> Phrase {
    prompt(IF_WE_LOSE_YOU)
}

/// He was cut off while he waited, and is back.
pub(super) fn place_restored() -> Phrase {
    prompt(PLACE_RESTORED)
}

pub(super) fn goodbye() -> Phrase {
    prompt(GOODBYE)
}

pub(super) fn no_way_left() -> Phrase {
    prompt(NO_WAY_LEFT)
}

pub(super) fn not_possible() -> Phrase {
    prompt(NOT_POSSIBLE)
}

/// Whether the caller of a conference only listens from now on.
pub(super) fn listen_only(on: bool) -> Phrase {
    prompt(if on { LISTEN_ONLY } else { HEARD_AGAIN })
}

/// The confirmation of what an agent dialled.
pub(super) fn confirmed(wish: &AgentWish) -> Phrase {
    prompt(match wish {
        AgentWish::SignIn => SIGNED_IN,
        AgentWish::SignOut => SIGNED_OUT,
        AgentWish::Ready => READY,
        AgentWish::Pause(_) => PAUSED,
    })
}

/// What the agent hears when the third party is gone: before it answered, and after.
pub(super) fn party_gone(cause: Cause, answered: bool) -> Phrase {
    if answered {
        return prompt(PARTY_LEFT);
    }
    prompt(match cause {
        Cause::Busy | Cause::Declined => PARTY_BUSY,
        Cause::NoAnswer => PARTY_NO_ANSWER,
        Cause::HungUp
        | Cause::Completed
        | Cause::GaveUp
        | Cause::NotFound
        | Cause::Unreachable
        | Cause::Forbidden
        | Cause::NoCommonCodec
        | Cause::Overload
        | Cause::Closed
        | Cause::QueueOverflow
        | Cause::SoundLost
        | Cause::PeerLost
        | Cause::LimitReached
        | Cause::PartnerLeft
        | Cause::Withdrawn
        | Cause::OpsEnded
        | Cause::ShuttingDown
        | Cause::ServerRestart
        | Cause::ProtocolError
        | Cause::InternalError => PARTY_UNREACHABLE,
    })
}
