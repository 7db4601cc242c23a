//! `Input`: everything that can happen to calls, one enum. It is the log format: each is numbered and journalled.
use serde::{Deserialize, Serialize};

use super::acd::{AcdOutput, AgentWish, RanAhead};
use super::{Arrival, Banner, Cause, TransferTarget};
use crate::base::{AgentId, CallId, Key, LegId, PlayId, SecretToken, TicketId, TransferId, TrunkId};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Somebody rings us. The leg's number was given by `node`, was never used before, and is even: those of legs that
    /// the exchange makes are odd.
    LegArrived {
        /// The new leg.
        leg: LegId,
        /// What is known of it.
        arrival: Arrival,
    },
    /// A leg we ring is ringing (180, 183). Sent once per leg, and again when early sound begins.
    LegRinging {
        /// The leg.
        leg: LegId,
        /// The far end sends sound of its own before the answer.
        early_sound: bool,
    },
    /// A leg we ring answered, and both sides agreed on a codec.
    LegAnswered {
        /// The leg.
        leg: LegId,
    },
    /// A leg we ring is tried over a trunk: the first one, or another after that failed. Changes nothing but the record.
    LegRouted {
        /// The leg.
        leg: LegId,
        /// Over which trunk.
        trunk: TrunkId,
        /// Where to, for people: transport and address.
        to: String,
        /// Why the one before failed.
        after: Option<Cause>,
    },
    /// The far end put us on hold, or took us back (re-INVITE).
    LegHeld {
        /// The leg.
        leg: LegId,
        /// On hold now.
        held: bool,
    },
    /// A leg is over, whoever ended it, whatever state it was in. Sent exactly once per leg, also after `Hangup` and
    /// `Reject`.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// A key was pressed: counted once, whether it came by RFC 4733, by INFO, or both.
    Key {
        /// Whose.
        leg: LegId,
        /// Which.
        key: Key,
        /// The playing that it interrupted, if any.
        play: Option<PlayId>,
    },
    /// During a secret entry a digit was pressed. Its value is in the vault; `*` and `#` come as [`Input::Key`].
    SecretDigit {
        /// Whose.
        leg: LegId,
        /// The entry it belongs to.
        token: SecretToken,
        /// Digits entered so far, this one included.
        length: u8,
    },
    /// A playing came to its end by itself. Not sent when it was stopped, interrupted or replaced.
    PromptEnded {
        /// Whose.
        leg: LegId,
        /// Which playing; a stale one is ignored.
        play: PlayId,
    },
    /// No sound has come from an answered leg for the configured time.
    SoundLost {
        /// The leg.
        leg: LegId,
    },
    /// The far end of an answered leg asks that somebody else take its place (REFER). Answered by
    /// [`crate::exchange::Command::Transfer`], at once and until the outcome is known.
    TransferAsked {
        /// Whose far end.
        leg: LegId,
        /// The request's number, never used before.
        transfer: TransferId,
        /// To whom.
        to: TransferTarget,
    },
    /// Somebody rings us to take a leg's place, answered or ringing (INVITE with Replaces that names its dialog, RFC
    /// 3891). The new leg counts as arrived: it gets `Answer`, and the old one `Hangup`; or it gets `Reject`, and nothing else changes.
    LegReplaced {
        /// The leg whose place is taken.
        old: LegId,
        /// The new leg, numbered like any that arrives.
        new: LegId,
        /// What is known of it.
        arrival: Arrival,
    },
    /// An agent's phone registered, or its registration ended.
    AgentReachable {
        /// Whose phone.
        agent: AgentId,
        /// Whether it can be rung.
        reachable: bool,
    },
    /// All that had happened when `AwaitRecord` was asked for is on disk: it survives whatever comes.
    Recorded {
        /// The call.
        call: CallId,
        /// The place in line that is kept.
        ticket: TicketId,
    },
    /// A batch of futures that [`crate::exchange::Command::RunAhead`] asked for was run.
    RanAhead(RanAhead),
    /// The Acd decided something.
    Acd(AcdOutput),
    /// An operator wants something.
    Ops(Ops),
}

/// What an operator may ask of running calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ops {
    /// End this call.
    EndCall(CallId),
    /// Take no new calls; those inside go on.
    Drain,
    /// Change an agent's state in his place.
    Agent {
        /// Whose.
        agent: AgentId,
        /// To what.
        wish: AgentWish,
    },
    /// Note who changed something, or tried to.
    Note(Deed),
    /// Put the emergency banner on, in place of another; `None`: take it off.
    Banner(Option<Box<Banner>>),
}

/// Somebody changed something from outside, or was not let: who, from where, what, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Who: the name of his token, or of his account on this machine.
    pub who: String,
    /// From where: an address, or `here` for a command on this machine.
    pub from: String,
    /// What he wanted: `menus install`, `banner`.
    pub what: String,
    /// Of what: a revision, a queue.
    pub about: String,
    /// What became of it: `done`, or why not.
    pub outcome: String,
}

impl Deed {
    /// The longest word of a deed, in characters: what people send is cut to it.
    const LONGEST: usize = 300;

    /// With every word cut to a length that a record can have.
    #[must_use]
    pub fn cut(self) -> Self {
        let cut = |text: String| match text.char_indices().nth(Self::LONGEST) {
            Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
            None => text,
        };
        Self {
            who: cut(self.who),
            from: cut(self.from),
            what: cut(self.what),
            about: cut(self.about),
            outcome: cut(self.outcome),
        }
    }
}
