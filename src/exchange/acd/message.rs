//! What the Acd is told and what it says: plain serialisable values that could cross a network. It holds no
//! reference into a call. Each message about an offer names its assignment; a late or doubled one is ignored and
//! counted.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{AgentId, AssignmentId, BatchId, CallId, Instant, Language, QueueId, SkillId, TicketId};
use crate::exchange::{Cause, Told};

/// What happened to queues and agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcdInput {
    /// A caller joins a queue. Answered by at least one `Told`, `Offer` or `Overflow`.
    Enter(Joining),
    /// A caller left the line by himself: hung up, or went back to a menu. Ends any offer for the ticket.
    Leave {
        /// His place.
        ticket: TicketId,
        /// Why: [`Cause::HungUp`], [`Cause::Completed`] (back to a menu), [`Cause::SoundLost`]...
        cause: Cause,
    },
    /// The agent of this assignment answered and is connected to the caller.
    Accepted {
        /// The offer.
        assignment: AssignmentId,
    },
    /// The agent's phone refused the offer or could not be rung (`Busy`, `Declined`, `Unreachable`, `PeerLost`...).
    Refused {
        /// The offer.
        assignment: AssignmentId,
        /// Why.
        cause: Cause,
    },
    /// The agent's phone rang for the whole `ring_for`.
    NoAnswer {
        /// The offer.
        assignment: AssignmentId,
    },
    /// The caller hung up while the agent's phone rang, or before the answer could be used.
    CallerGone {
        /// The offer.
        assignment: AssignmentId,
    },
    /// A colleague's phone took the call while this agent's rang: the caller is served and leaves the line, the agent is
    /// as free as before. Whoever took it is [`AcdInput::Engaged`].
    PickedUp {
        /// The offer; it may be over already, when the two words crossed.
        assignment: AssignmentId,
        /// The caller's place.
        ticket: TicketId,
    },
    /// The agent's part in the conversation that began with this assignment is over: wrap-up begins.
    TalkEnded {
        /// The offer that began it.
        assignment: AssignmentId,
        /// How long caller and agent were connected.
        talked: Duration,
    },
    /// An agent's wish, from his phone or from ops.
    Agent {
        /// Who.
        agent: AgentId,
        /// What.
        wish: AgentWish,
    },
    /// An agent's phone can be rung, or no longer.
    Reachable {
        /// Who.
        agent: AgentId,
        /// Whether.
        reachable: bool,
    },
    /// The agent is in a call that the Acd did not give him (his own included), or no longer.
    Engaged {
        /// Who.
        agent: AgentId,
        /// Whether.
        engaged: bool,
    },
    /// A batch of futures was run, as [`AcdOutput::RunAhead`] asked. One that nobody waits for is ignored and counted.
    RanAhead(RanAhead),
}

/// What a batch of futures says: for each line of callers, by what its formula's waits are multiplied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanAhead {
    /// Which batch.
    pub batch: BatchId,
    /// Inputs and timers that were handled for it: what it cost, the same on every machine.
    pub steps: u32,
    /// The lines of which something can be said.
    pub lines: Vec<LineAhead>,
}

/// What futures say of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAhead {
    /// The line's number in this process.
    pub line: u32,
    /// By the formula's mean wait in milliseconds, ascending: by how many thousandths of it callers wait.
    pub knots: Vec<(u32, u32)>,
    /// The distances of both ends from the median, in thousandths of the formula's.
    pub spread: (u32, u32),
}

/// A caller who joins a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// His place's number, never used before.
    pub ticket: TicketId,
    /// His call.
    pub call: CallId,
    /// Which queue.
    pub queue: QueueId,
    /// Priority class: 0 is the most urgent, 9 the least.
    pub priority: u8,
    /// When he first joined any queue in this call: his clock, which never starts again.
    pub since: Instant,
    /// The language he should be served in.
    pub language: Language,
    /// Skills wanted beside the queue's own.
    pub skills: Vec<SkillId>,
    /// The agent who talked to him before he was cut off.
    pub prefer: Option<AgentId>,
    /// He was cut off here, and his place was kept: a full queue does not turn him away.
    #[serde(default)]
    pub kept: bool,
}

/// What an agent wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentWish {
    /// Begin to work: Ready, if the phone is reachable.
    SignIn,
    /// Stop working. Takes effect after the running conversation.
    SignOut,
    /// Ready for the next caller: ends a pause or the wrap-up.
    Ready,
    /// Not ready, for this reason (a name of `agents.toml`, e.g. `lunch`).
    Pause(String),
}

/// What the Acd decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcdOutput {
    /// Ring this agent for this caller. Ends in `Accepted`, `Refused`, `NoAnswer`, `CallerGone`, or our `Revoke`.
    Offer(Offer),
    /// The offer no longer holds: stop ringing.
    Revoke {
        /// The offer.
        assignment: AssignmentId,
        /// Why.
        cause: Cause,
    },
    /// Say this to the waiting caller now. Not sent while an offer for him is ringing.
    Tell {
        /// His place.
        ticket: TicketId,
        /// His call.
        call: CallId,
        /// What.
        told: Told,
    },
    /// The caller leaves this queue because of its rules: full, closed, longest wait reached, nobody signed in. The
    /// exchange does what the queue's `overflow` says, with the caller's clock unchanged.
    Overflow {
        /// His place, which is no longer valid.
        ticket: TicketId,
        /// His call.
        call: CallId,
        /// Why.
        why: OverflowCause,
    },
    /// An agent's state changed: for records, the status page and spoken confirmations.
    AgentChanged {
        /// Who.
        agent: AgentId,
        /// To what.
        state: AgentState,
    },
    /// Formulas do not reach what callers are to be told: run futures of the state as it is now, and bring them back as
    /// [`AcdInput::RanAhead`], soon or never. Nothing waits for it.
    RunAhead {
        /// Its number.
        batch: BatchId,
    },
}

/// An offer of a caller to an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Its number, never used before.
    pub assignment: AssignmentId,
    /// The caller's place.
    pub ticket: TicketId,
    /// The caller's call.
    pub call: CallId,
    /// The queue.
    pub queue: QueueId,
    /// Whose phone to ring.
    pub agent: AgentId,
    /// For how long.
    pub ring_for: Duration,
    /// Why this agent and this caller: stored with the call.
    pub why: OfferWhy,
}

/// The decision's record: enough to answer "why this agent, why now".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferWhy {
    /// The strategy that chose the agent, e.g. `longest_idle`, `same_agent`.
    pub strategy: String,
    /// The agents who could have taken him, best first, each with its score (strategy's own, larger is better); at
    /// most 8.
    pub candidates: Vec<(AgentId, i64)>,
    /// Callers who waited in the queues concerned and were ahead of him under the real order but could not be served
    /// by this agent; at most 8.
    pub passed_over: Vec<(TicketId, String)>,
    /// How long he had waited.
    pub waited: Duration,
    /// What he was last told of his wait.
    pub told: Option<Told>,
}

impl OfferWhy {
    /// Of an offer that nobody will ask about.
    pub(super) const fn nothing() -> Self {
        Self {
            strategy: String::new(),
            candidates: Vec::new(),
            passed_over: Vec::new(),
            waited: Duration::ZERO,
            told: None,
        }
    }
}

/// Why a caller leaves a queue by its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverflowCause {
    /// More would wait than `queues.toml` allows.
    Full,
    /// He waited as long as `queues.toml` allows.
    WaitLimit,
    /// Nobody who could serve him is signed in, and the queue's rule says not to wait then.
    NobodySignedIn,
    /// There is no such queue in the plan.
    NoSuchQueue,
}

/// An agent's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not working.
    SignedOut,
    /// Signed in, but his phone is not registered.
    Unreachable,
    /// Waits for a caller.
    Ready,
    /// His phone rings for this offer.
    Ringing(AssignmentId),
    /// Talks to the caller of this offer.
    Talking(AssignmentId),
    /// Work after a conversation.
    WrapUp,
    /// In a call that the Acd did not give him.
    Engaged,
    /// Not ready, with the reason; `no_answer` when he let several offers ring out.
    Paused(String),
}
