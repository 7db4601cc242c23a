//! The Acd's plan: queues and agents as ops wrote them, resolved. Installed whole; running state is kept by name.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{AgentId, Language, QueueId, SkillId, UtcTime};
use crate::exchange::menu::Hours;

/// All queues and agents of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcdPlan {
    /// `queues.toml`.
    pub queues: BTreeMap<QueueId, QueuePlan>,
    /// `agents.toml`.
    pub agents: BTreeMap<AgentId, AgentPlan>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePlan {
    /// An agent must have all of these.
    pub skills: Vec<SkillId>,
    /// Who among the ready agents is rung first.
    pub strategy: Strategy,
    /// How long an agent's phone rings.
    pub ring_for: Duration,
    /// Work after a conversation, before the next caller.
    pub wrap_up: Duration,
    /// A caller who has waited this long counts as one priority class more urgent, and so on: ageing.
    pub ageing: Duration,
    /// The longest wait; then overflow. `None`: no limit.
    pub wait_max: Option<Duration>,
    /// Most callers who may wait.
    pub size_max: usize,
    /// What happens while nobody who could serve the queue is signed in.
    pub nobody: NobodyRule,
    /// Time between two tellings of the wait.
    pub tell_every: Duration,
    /// What a conversation is expected to last until it was measured.
    pub expected_talk: Duration,
    /// How long a caller who was cut off waits for the agent he talked to, before anybody may take him.
    pub same_agent_wait: Duration,
    /// Service level: answered within this time counts as well served.
    pub service_target: Duration,
}

/// Which ready agent is rung first. Ties go to the longest idle, then to the name in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Who has been ready the longest.
    #[default]
    LongestIdle,
    /// Who took the fewest calls since he signed in.
    FewestCalls,
    /// Who has the highest sum of levels in the skills asked for.
    MostSkilled,
    /// Who has the fewest skills that suffice, so that the versatile stay free.
    LeastVersatile,
    /// In the order of names.
    ByName,
}

/// What happens to callers while nobody who could serve them is signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NobodyRule {
    /// They may wait, and are told so.
    #[default]
    Wait,
    /// They overflow at once.
    Overflow,
}

/// One agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentPlan {
    /// What callers are told and records show: an alias and department, never a private name.
    pub alias: String,
    /// Skills with levels 1 (can) to 10 (best).
    pub skills: BTreeMap<SkillId, u8>,
    /// Languages spoken.
    pub languages: Vec<Language>,
    /// Offers in a row that may ring out before the agent is paused with the reason `no_answer`.
    pub unanswered_max: u8,
    /// When he works, as far as that is known: so that a wait is told right before a shift ends. Nothing is routed by it.
    #[serde(skip)]
    pub shifts: Shifts,
}

/// When somebody works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shifts {
    /// Nobody knows.
    #[default]
    Unknown,
    /// In these hours.
    Hours(Arc<Hours>),
    /// In these stretches, in the order of time.
    Stretches(Vec<(UtcTime, UtcTime)>),
}

/// Who comes so much before his shift begins has begun it.
const EARLY: Duration = Duration::from_hours(1);
/// A shift ends within so many days.
const DAYS: u16 = 2;

impl Shifts {
    /// When the shift ends that runs at `at`, or soon does. `None`: there is none, or it is not known.
    pub fn until(&self, at: UtcTime) -> Option<UtcTime> {
        match self {
            Self::Unknown => None,
            Self::Stretches(all) => {
                all.iter().find(|(from, to)| *from <= at + EARLY && *to > at).map(|(_, to)| *to)
            }
            Self::Hours(hours) if hours.is_open(at) => hours.next_change(at, DAYS),
            Self::Hours(hours) => {
                let from = hours.next_change(at, 1).filter(|from| *from <= at + EARLY)?;
                hours.next_change(from, DAYS)
            }
        }
    }
}
