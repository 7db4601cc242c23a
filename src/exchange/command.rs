//! `Command`: everything the exchange can ask for, one enum.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acd::AcdInput;
use super::{CallCard, Cause, Fact, RingTarget, TransferStep};
use crate::base::{
    BatchId, CallId, Key, Language, LegId, PlayId, PromptId, SecretToken, TicketId, TransferId,
};

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Answer an incoming leg (200). Its sound may flow at once.
    Answer {
        /// The leg.
        leg: LegId,
    },
    /// Refuse an incoming leg that was not answered. `LegEnded` follows.
    Reject {
        /// The leg.
        leg: LegId,
        /// Why; `node` maps it to a status.
        cause: Cause,
    },
    /// Ring somebody on a new leg, whose number the exchange chose: always odd. Ends in `LegAnswered` or `LegEnded`.
    Ring {
        /// The new leg.
        leg: LegId,
        /// The call it belongs to.
        call: CallId,
        /// Whom.
        target: RingTarget,
        /// What he is shown.
        card: Box<CallCard>,
        /// Give up after this long: `LegEnded` with [`Cause::NoAnswer`].
        ring_for: Duration,
        /// The transfer that it follows: `node` adds what its REFER said (Replaces, Referred-By, User-to-User).
        transfer: Option<TransferId>,
    },
    /// End a leg in whatever state it is: BYE, CANCEL or refusal. `LegEnded` follows.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: Cause,
    },
    /// Play prompts one after the other to a leg, in place of what it hears. Replaces any playing.
    Play {
        /// The leg.
        leg: LegId,
        /// This playing's number.
        play: PlayId,
        /// The language of the prompts.
        language: Language,
        /// What is played, in order.
        prompts: Vec<PromptId>,
        /// A key stops it.
        barge_in: bool,
        /// Begin again at the end, for ever (music). A repeated playing resumes where it was when the same prompts
        /// are played to the same leg again.
        repeat: bool,
    },
    /// Stop what is played to a leg; it then hears its `Hear` sources.
    Stop {
        /// The leg.
        leg: LegId,
    },
    /// Whom this leg hears from now on, all at once: none is silence, one a bridge's half, two a conference's third.
    /// The whole of "who hears whom" is this command; the last one for a leg wins.
    Hear {
        /// The ear.
        leg: LegId,
        /// The mouths, in ascending order, never the ear itself.
        sources: Vec<LegId>,
    },
    /// Tell the far end by re-INVITE that it is on hold (`sendonly`), or no longer.
    SignalHold {
        /// The leg.
        leg: LegId,
        /// On hold.
        held: bool,
    },
    /// Tell the far end of a leg what became of its request to be transferred. The leg may be over by now, or be ended
    /// by the next command: then nothing can be told, or this is the last thing.
    Transfer {
        /// The leg that asked.
        leg: LegId,
        /// Its request.
        transfer: TransferId,
        /// What.
        step: TransferStep,
    },
    /// Press a key at the far end of a leg: by RFC 4733 where agreed, else by INFO. Nobody else hears it.
    SendKey {
        /// The leg.
        leg: LegId,
        /// Which.
        key: Key,
    },
    /// This leg is of another call now (attended transfer).
    LegMoved {
        /// The leg.
        leg: LegId,
        /// Its call from now on.
        call: CallId,
    },
    /// From now on digits of this leg go to the vault under this token (`None`: come as keys again).
    SecretEntry {
        /// The leg.
        leg: LegId,
        /// The entry.
        token: Option<SecretToken>,
    },
    /// Take the state of the queues as it is now ([`super::Switchboard::futures`]), run it ahead, and bring what comes of it
    /// back as [`super::Input::RanAhead`]. Nothing waits for it.
    RunAhead {
        /// The batch.
        batch: BatchId,
    },
    /// Say when all that happened up to now is on disk: `Recorded` comes back, unless the disk is dead.
    AwaitRecord {
        /// The call.
        call: CallId,
        /// The place in line that is to be kept.
        ticket: TicketId,
    },
    /// Tell the Acd.
    Acd(AcdInput),
    /// Something became true: to be stored.
    Note(Fact),
}
