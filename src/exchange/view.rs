//! `View`: the whole of calls, queues and agents at one moment, between two inputs, for the status page and the API.
//! Plain values; nothing in it refers back. Names come from outside: whoever shows them must escape them.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acd::AcdSnapshot;
use super::call::Call;
use super::invariants::agent;
use super::machine::Exchange;
use super::recall::{LostPlace, Recall, Recalls};
use super::stage::Stage;
use super::{Banner, PromiseFigures, Told};
use crate::base::{AgentId, CallId, Instant, Language, LegId, MenuId, Now, PartyId, QueueId, Seq};

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The moment.
    pub at: Now,
    /// The last input handled.
    pub seq: Seq,
    /// The revision of the menus that new calls take.
    pub menus: String,
    /// The emergency banner that is on.
    #[serde(default)]
    pub banner: Option<Banner>,
    /// No new calls are taken.
    pub draining: bool,
    /// Inputs that made no sense so far.
    pub ignored: u64,
    /// Calls ended by a broken invariant so far: must stay 0.
    pub broken: u64,
    /// Calls, in the order in which they came.
    pub calls: Vec<CallView>,
    /// Places in line kept for callers who were cut off, the longest wait first.
    pub lost_places: Vec<LostPlaceView>,
    /// Queues and agents.
    pub acd: AcdSnapshot,
    /// What became of the waits that were promised since the start, by queue and half-hour of the line's clock.
    pub promises: Vec<PromiseFigures>,
    /// The date by the line's clock.
    pub day: String,
}

/// A place in line that is kept for a caller who was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPlaceView {
    /// Text from outside.
    pub caller: String,
    /// The queue.
    pub queue: QueueId,
    /// His priority at entry.
    pub priority: u8,
    /// How long he has waited by his clock.
    pub waited: Duration,
    /// How much longer it is kept.
    pub kept_for: Duration,
}

/// Those that are kept still.
pub(super) fn lost_places(recalls: &Recalls, within: Duration, now: Instant) -> Vec<LostPlaceView> {
    let kept = |lost: Instant| within.checked_sub(now.since(lost));
    let view = |(caller, lost, recall, place): (&str, Instant, &Recall, &LostPlace)| {
        Some(LostPlaceView {
            caller: caller.to_owned(),
            queue: place.queue.clone(),
            priority: place.priority,
            waited: now.since(recall.since),
            kept_for: kept(lost)?,
        })
    };
    recalls.places().into_iter().filter_map(view).collect()
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    /// Its number.
    pub call: CallId,
    /// Text from outside.
    pub caller: String,
    /// Text from outside.
    pub caller_name: String,
    /// The number dialled.
    pub dialled: String,
    /// The language spoken.
    pub language: Language,
    /// `menu waiting ringing talking held consulting conference party_only transferring clearing farewell ended`.
    pub stage: String,
    /// How long the visit has lasted.
    pub lasted: Duration,
    /// The menu he is in.
    pub menu: Option<MenuId>,
    /// The queue he joined last.
    pub queue: Option<QueueId>,
    /// Time since he first joined a queue.
    pub waited: Option<Duration>,
    /// What he was last told of his wait.
    pub told: Option<Told>,
    /// The agent who rings or talks.
    pub agent: Option<AgentId>,
    /// The third party.
    pub party: Option<PartyId>,
    /// Its legs.
    pub legs: Vec<LegView>,
}

/// One leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegView {
    /// Its number.
    pub leg: LegId,
    /// `caller agent party successor`.
    pub role: String,
    /// `ringing early_sound up ending`.
    pub state: String,
    /// Whom it hears.
    pub hears: Vec<LegId>,
    /// Its phone put us on hold.
    pub holds_us: bool,
}

/// All calls at one moment.
pub(super) fn calls(exchange: &Exchange, now: Instant) -> Vec<CallView> {
    exchange.calls().map(|call| of(call, now)).collect()
}

fn of(call: &Call, now: Instant) -> CallView {
    let (case, stage) = (&call.case, call.stage());
    CallView {
        call: case.id,
        caller: case.arrival.caller.clone(),
        caller_name: case.arrival.caller_name.clone(),
        dialled: case.arrival.dialled.clone(),
        language: case.language(),
        stage: stage.name().to_owned(),
        lasted: now.since(case.started),
        menu: menu(stage).cloned(),
        queue: case.way.queue.clone(),
        waited: case.way.clock.map(|since| now.since(since)),
        told: case.way.told.clone(),
        agent: agent(stage).map(|(_, agent)| agent.clone()),
        party: stage.guest().map(|guest| guest.party.clone()),
        legs: case.parties.all().map(leg).collect(),
    }
}

fn leg(leg: &super::leg::Leg) -> LegView {
    LegView {
        leg: leg.id,
        role: leg.role.as_str().to_owned(),
        state: leg.state_name().to_owned(),
        hears: leg.ear.sources.clone(),
        holds_us: leg.holds_us,
    }
}

fn menu(stage: &Stage) -> Option<&MenuId> {
    match stage {
        Stage::Menu(in_menu) => Some(in_menu.menu()),
        Stage::Waiting(_)
        | Stage::Ringing(_)
        | Stage::Talking(_)
        | Stage::Consulting(_)
        | Stage::Conference(_)
        | Stage::PartyOnly(_)
        | Stage::Transferring(_)
        | Stage::Clearing(_)
        | Stage::Farewell(_)
        | Stage::Ended(_) => None,
    }
}
