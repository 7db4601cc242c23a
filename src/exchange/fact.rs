//! `Fact`: what became true, append-only. Call records, statistics, the status page and the console derive from it.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acd::{AgentState, OfferWhy, OverflowCause};
use super::{Arrival, Banner, Cause, Deed, Promised, TransferTarget};
use crate::base::{
    AgentId, AssignmentId, CallId, EntryId, Key, Language, LegId, MenuId, PartyId, PromptId, QueueId,
    TicketId, TrunkId,
};

/// What a waiting caller is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The wait that remains, as a range: the words spoken, after rounding.
    Wait {
        /// At least this (10 % quantile). Zero: "less than" the upper end.
        low: Duration,
        /// At most this (90 % quantile).
        high: Duration,
        /// It rose since the last telling, for this reason, which is said first.
        rose: Option<RiseCause>,
    },
    /// We do not know how long.
    Unknown,
    /// Nobody is there yet who could answer; he may wait.
    NobodyYet,
    /// He is next.
    Next,
}

/// Why a told wait rose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiseCause {
    /// Fewer agents than before.
    FewerAgents,
    /// Conversations last longer than they did.
    LongerTalks,
    /// More urgent callers came.
    UrgentCallers,
}

/// What became true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each field is named by its type; the variants say what became true")]
pub enum Fact {
    /// Somebody rang and was not taken in: an unknown number, too many calls, going down.
    CallRefused { leg: LegId, arrival: Arrival, cause: Cause },
    /// A caller's visit began.
    CallStarted { call: CallId, leg: LegId, arrival: Arrival, menus: String },
    /// He was taken in (200 sent).
    CallAnswered { call: CallId },
    /// He entered a menu.
    MenuEntered { call: CallId, menu: MenuId },
    /// He pressed a key. Not noted for digits of an entry.
    KeyPressed { call: CallId, menu: Option<MenuId>, key: Key },
    /// He chose a language, or the number he dialled did.
    LanguageChosen { call: CallId, language: Language },
    /// He entered digits. A secret entry is noted as [`Fact::SecretEntered`].
    DigitsEntered { call: CallId, entry: EntryId, digits: String },
    /// He entered secret digits: their number alone.
    SecretEntered { call: CallId, entry: EntryId, length: u8 },
    /// He heard prompts, from the first to the last or to the key that stopped them.
    Heard { call: CallId, prompts: Vec<PromptId> },
    /// He joined a queue.
    Queued { call: CallId, ticket: TicketId, queue: QueueId, priority: u8 },
    /// His place in line is on disk, and he was told that it is kept.
    PlaceKept { call: CallId, ticket: TicketId },
    /// He was cut off while he waited, rang again, and has his old place: so long had he waited by his clock.
    PlaceRestored { call: CallId, queue: QueueId, waited: Duration },
    /// He was told how long it would take.
    WaitTold { call: CallId, ticket: TicketId, told: Told, waited: Duration },
    /// What became of a wait that he was told.
    PromiseOver { call: CallId, ticket: TicketId, promised: Promised },
    /// He left the line without an agent.
    LeftQueue { call: CallId, ticket: TicketId, cause: Cause, waited: Duration },
    /// A queue's rules sent him elsewhere.
    Overflowed { call: CallId, ticket: TicketId, why: OverflowCause, waited: Duration },
    /// An agent's phone was rung for him.
    Offered { call: CallId, assignment: AssignmentId, agent: AgentId, queue: QueueId, why: OfferWhy },
    /// The offer ended without a conversation.
    OfferEnded { call: CallId, assignment: AssignmentId, agent: AgentId, cause: Cause },
    /// Caller and agent hear each other; the wait from his clock to this moment is the true wait.
    Connected { call: CallId, assignment: AssignmentId, agent: AgentId, waited: Duration },
    /// The agent put the caller on hold, or took him back.
    Held { call: CallId, held: bool },
    /// A party put us on hold by its phone, or took us back.
    PeerHeld { call: CallId, leg: LegId, held: bool },
    /// A third party is rung.
    PartyInvited { call: CallId, party: PartyId, leg: LegId },
    /// A leg of ours is tried over this trunk, to this target; `after`: why the one before failed.
    LegRouted { call: CallId, leg: LegId, trunk: TrunkId, to: String, after: Option<Cause> },
    /// It answered: private talk with the agent.
    PartyAnswered { call: CallId, party: PartyId },
    /// It could not be reached, or left.
    PartyLeft { call: CallId, party: PartyId, cause: Cause, talked: Duration },
    /// A phone asked that somebody else take its place, and that is being done.
    TransferAsked { call: CallId, leg: LegId, to: TransferTarget },
    /// What became of it: `failed` says why not.
    TransferOver { call: CallId, leg: LegId, failed: Option<Cause> },
    /// Another leg took a leg's place.
    LegReplaced { call: CallId, old: LegId, new: LegId },
    /// An agent's phone took the place of another agent's in a conversation.
    AgentReplaced { call: CallId, assignment: AssignmentId, agent: AgentId },
    /// The caller only listens in a conference from now on, or is heard again.
    ListenOnly { call: CallId, on: bool },
    /// The caller hung up; agent and third party may finish what they were saying.
    ClearingUp { call: CallId, cause: Cause },
    /// Caller, agent and third party hear each other.
    ConferenceStarted { call: CallId, party: PartyId },
    /// The conference is over; who is left may go on as two.
    ConferenceEnded { call: CallId, party: PartyId, lasted: Duration },
    /// The agent left; `on_with_party` when caller and third party go on together.
    AgentLeft {
        call: CallId,
        assignment: AssignmentId,
        agent: AgentId,
        cause: Cause,
        talked: Duration,
        on_with_party: bool,
    },
    /// The agent passed the caller on.
    PassedOn { call: CallId, agent: AgentId, to: QueueId },
    /// An agent's state changed.
    AgentChanged { agent: AgentId, state: AgentState },
    /// The visit is over.
    CallEnded { call: CallId, cause: Cause, lasted: Duration },
    /// A new set of menus holds for calls that begin now.
    MenusInstalled { revision: String },
    /// Somebody changed something from outside, or tried to: the audit record.
    Done(Deed),
    /// The emergency banner is on.
    BannerOn { banner: Box<Banner> },
    /// It is off; `expired`: by itself.
    BannerOff { expired: bool },
    /// An input made no sense in the state it met: ignored, counted.
    Ignored { what: String },
}

impl Fact {
    /// Its name in records: the variant's, in snake case.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CallRefused { .. } => "call_refused",
            Self::CallStarted { .. } => "call_started",
            Self::CallAnswered { .. } => "call_answered",
            Self::MenuEntered { .. } => "menu_entered",
            Self::KeyPressed { .. } => "key_pressed",
            Self::LanguageChosen { .. } => "language_chosen",
            Self::DigitsEntered { .. } => "digits_entered",
            Self::SecretEntered { .. } => "secret_entered",
            Self::Heard { .. } => "heard",
            Self::Queued { .. } => "queued",
            Self::PlaceKept { .. } => "place_kept",
            Self::PlaceRestored { .. } => "place_restored",
            Self::WaitTold { .. } => "wait_told",
            Self::PromiseOver { .. } => "promise_over",
            Self::LeftQueue { .. } => "left_queue",
            Self::Overflowed { .. } => "overflowed",
            Self::Offered { .. } => "offered",
            Self::OfferEnded { .. } => "offer_ended",
            Self::Connected { .. } => "connected",
            Self::Held { .. } => "held",
            Self::PeerHeld { .. } => "peer_held",
            Self::PartyInvited { .. } => "party_invited",
            Self::LegRouted { .. } => "leg_routed",
            Self::PartyAnswered { .. } => "party_answered",
            Self::PartyLeft { .. } => "party_left",
            Self::TransferAsked { .. } => "transfer_asked",
            Self::TransferOver { .. } => "transfer_over",
            Self::LegReplaced { .. } => "leg_replaced",
            Self::AgentReplaced { .. } => "agent_replaced",
            Self::ListenOnly { .. } => "listen_only",
            Self::ClearingUp { .. } => "clearing_up",
            Self::ConferenceStarted { .. } => "conference_started",
            Self::ConferenceEnded { .. } => "conference_ended",
            Self::AgentLeft { .. } => "agent_left",
            Self::PassedOn { .. } => "passed_on",
            Self::AgentChanged { .. } => "agent_changed",
            Self::CallEnded { .. } => "call_ended",
            Self::MenusInstalled { .. } => "menus_installed",
            Self::Done(_) => "done",
            Self::BannerOn { .. } => "banner_on",
            Self::BannerOff { .. } => "banner_off",
            Self::Ignored { .. } => "ignored",
        }
    }

    /// The call it belongs to.
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::CallStarted { call, .. }
            | Self::CallAnswered { call }
            | Self::MenuEntered { call, .. }
            | Self::KeyPressed { call, .. }
            | Self::LanguageChosen { call, .. }
            | Self::DigitsEntered { call, .. }
            | Self::SecretEntered { call, .. }
            | Self::Heard { call, .. }
            | Self::Queued { call, .. }
            | Self::PlaceKept { call, .. }
            | Self::PlaceRestored { call, .. }
            | Self::WaitTold { call, .. }
            | Self::PromiseOver { call, .. }
            | Self::LeftQueue { call, .. }
            | Self::Overflowed { call, .. }
            | Self::Offered { call, .. }
            | Self::OfferEnded { call, .. }
            | Self::Connected { call, .. }
            | Self::Held { call, .. }
            | Self::PeerHeld { call, .. }
            | Self::PartyInvited { call, .. }
            | Self::LegRouted { call, .. }
            | Self::PartyAnswered { call, .. }
            | Self::PartyLeft { call, .. }
            | Self::TransferAsked { call, .. }
            | Self::TransferOver { call, .. }
            | Self::LegReplaced { call, .. }
            | Self::AgentReplaced { call, .. }
            | Self::ListenOnly { call, .. }
            | Self::ClearingUp { call, .. }
            | Self::ConferenceStarted { call, .. }
            | Self::ConferenceEnded { call, .. }
            | Self::AgentLeft { call, .. }
            | Self::PassedOn { call, .. }
            | Self::CallEnded { call, .. } => Some(*call),
            Self::CallRefused { .. }
            | Self::AgentChanged { .. }
            | Self::MenusInstalled { .. }
            | Self::Done(_)
            | Self::BannerOn { .. }
            | Self::BannerOff { .. }
            | Self::Ignored { .. } => None,
        }
    }
}
