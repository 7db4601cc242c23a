//! `Scenario`: a day in a file. Who calls when and does what, who answers when and for how long, what goes wrong.
//!
//! `read` makes it of TOML, with every mistake at its place; `draws` makes people of it and a seed. The same people call
//! a simulated hotline and, over real SIP, a running one.
mod arrivals;
mod change;
mod clock;
mod draws;
mod log;
mod people;
mod read;
mod schema;
mod spread;

use std::collections::BTreeMap;
use std::time::Duration;

pub use change::Change;
pub use clock::Stretch;
pub use draws::{Agent, AgentDraws, Caller, Callers, OfferDraw, Press, ThirdParty};
pub use log::LoggedCall;
pub use schema::{scenario_schema, scenario_taplo};
pub use spread::Spread;
#[cfg(test)]
pub(crate) use spread::normal;

use crate::base::{Key, Language, PartyId, QueueId, SkillId, UtcTime};
use crate::exchange::menu::Place;

/// A day (or a night, or a week) as people live it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The stem of its file.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// When it begins.
    pub begins: UtcTime,
    /// What clocks on the wall are ahead of UTC, in seconds; negative west of Greenwich.
    pub offset_s: i64,
    /// For how long callers come. Who is inside then is served to the end.
    pub lasts: Duration,
    /// How many come when.
    pub arrivals: Arrivals,
    /// What they want and how they behave, in the order of their names.
    pub callers: Vec<CallerClass>,
    /// Who answers, in the order of their names.
    pub agents: Vec<AgentGroup>,
    /// How third parties of the directory behave.
    pub parties: BTreeMap<PartyId, PartyModel>,
    /// Rules of queues that hold here in place of the menus' own.
    pub queues: BTreeMap<QueueId, QueueChange>,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
    /// What it expects of the menus, and where it says so.
    pub(crate) meant: Vec<Meant>,
}

/// Something of the menus that a scenario names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    pub(crate) what: MeantKind,
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// What of the menus a scenario may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeantKind {
    Number,
    Queue,
    Party,
    Agent,
}

/// How many come when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Expected callers of each half hour from the beginning; begins again at the end of the list.
    pub per_half_hour: Vec<u32>,
    /// If set, the list is scaled to this many callers in all, peaks not counted.
    pub total: Option<u32>,
    /// When more come.
    pub peaks: Vec<Peak>,
    /// Calls of a recorded log, which come beside the others, in the order of time.
    pub log: Vec<LoggedCall>,
}

/// A time in which more come than otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// When.
    pub stretch: Stretch,
    /// How many times as many.
    pub times: u32,
}

/// A kind of callers.
#[derive(Clone, Debug, PartialEq)]
pub struct CallerClass {
    /// Its name.
    pub name: String,
    /// Its weight among all classes.
    pub share: u32,
    /// What they dial.
    pub number: String,
    /// What they speak.
    pub language: Language,
    /// What they press, one step after the other.
    pub keys: Vec<Pressed>,
    /// How long they think before each step, from the answer or the last key.
    pub think: Spread,
    /// How often, in percent of steps, a key goes wrong before the right one.
    pub mistakes: u8,
    /// How long they wait for a person, from their last key.
    pub patience: Spread,
    /// What they do when they had enough.
    pub redial: Redial,
    /// How long they talk; `None`: as long as the agents' group takes.
    pub talk: Option<Spread>,
}

/// A step of what callers press: keys, some of which are drawn anew for each caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pressed(pub Vec<Option<Key>>);

/// Whether they call again after they hung up without an agent, or were refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Redial {
    /// In percent, each time.
    pub chance: u8,
    /// After how long.
    pub after: Spread,
    /// How often at most.
    pub most: u8,
}

/// A group of agents who work alike.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentGroup {
    /// Its name.
    pub name: String,
    /// The agents. Those whose names the menus do not know are added to them.
    pub ids: Vec<String>,
    /// What they can do, from 1 to 10; `None`: as the menus say, if they know them.
    pub skills: Option<BTreeMap<SkillId, u8>>,
    /// What they speak.
    pub languages: Vec<Language>,
    /// When they work; all that lie in the scenario's time.
    pub shifts: Vec<Stretch>,
    /// When they rest.
    pub breaks: Vec<Break>,
    /// How long their phones ring.
    pub pick_up: Spread,
    /// How often, in percent of offers, nobody picks up.
    pub misses: u8,
    /// How long they talk.
    pub talk: Spread,
    /// How long they write afterwards; never longer than the queue allows.
    pub wrap_up: Spread,
    /// Whom they ask.
    pub consults: Option<Consulting>,
}

/// A pause, once within each of its stretches, at a moment drawn for each agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Within which times it lies.
    pub within: Vec<Stretch>,
    /// How long it is.
    pub lasts: Duration,
    /// A reason of `agents.toml`.
    pub reason: String,
}

/// How often agents bring in a third party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consulting {
    /// In percent of conversations.
    pub chance: u8,
    /// Whom.
    pub party: PartyId,
}

/// How a third party behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct PartyModel {
    /// How long its phone rings.
    pub pick_up: Spread,
    /// How often, in percent, nobody picks up.
    pub misses: u8,
    /// How long it talks to the agent alone.
    pub private: Spread,
    /// How long all three talk then; the agent then drops it.
    pub together: Spread,
    /// Whether it puts the others on hold meanwhile.
    pub holds: Option<Holding>,
}

/// How often, and for how long, somebody puts others on hold (re-INVITE).
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// In percent of conversations.
    pub chance: u8,
    /// How long.
    pub lasts: Spread,
}

/// Rules of a queue that hold in place of the menus' own. Named as in `queues.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the key of queues.toml")]
pub struct QueueChange {
    pub wait_max: Option<Duration>,
    pub size_max: Option<usize>,
    pub ring_for: Option<Duration>,
    pub wrap_up: Option<Duration>,
    pub ageing: Option<Duration>,
    pub tell_every: Option<Duration>,
    pub expected_talk: Option<Duration>,
    pub service_target: Option<Duration>,
    pub priority: Option<u8>,
}

/// Something that goes wrong for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub stretch: Stretch,
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Packets are lost between callers and us: where there are packets.
    Loss {
        /// In percent.
        percent: u8,
    },
    /// Phones of agents are gone, in the midst of conversations too, and come back at the end.
    AgentsVanish {
        /// The group's name.
        group: String,
        /// How many of it, from the first.
        count: usize,
    },
    /// Whatever is asked of a disk or of another server takes this much longer.
    SlowLookUp {
        /// How much.
        delay: Duration,
    },
    /// Some far ends have somebody else take a place by themselves, with a REFER.
    TransfersItself {
        /// Whose phones.
        who: FarEnd,
        /// In percent of conversations that begin in this time.
        percent: u8,
        /// To whom.
        to: TransferWish,
    },
}

/// Whose phone transfers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// An agent's: the caller goes elsewhere.
    Agent,
    /// A third party's, while all three talk: another one takes its own place.
    Party,
}

/// Where a phone transfers a caller, or itself, by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferWish {
    /// To a queue.
    Queue(QueueId),
    /// To a third party.
    Party(PartyId),
}

impl Scenario {
    /// Half hours that the scenario touches.
    pub fn half_hours(&self) -> usize {
        usize::try_from(self.lasts.as_secs().div_ceil(clock::HALF_HOUR_S)).unwrap_or(usize::MAX)
    }

    /// What a clock on the wall shows after so long: hours and minutes.
    pub fn wall(&self, after: Duration) -> (u64, u64) {
        let start = (self.begins.as_secs() + self.offset_s).rem_euclid(86_400);
        let second = u64::try_from(start).unwrap_or(0) + after.as_secs();
        (second / 3600 % 24, second / 60 % 60)
    }

    /// To whom far ends of this kind transfer at this moment, if `is_one` holds for their percentage.
    pub fn transfers_itself(
        &self,
        after: Duration,
        far_end: FarEnd,
        is_one: impl Fn(u8) -> bool,
    ) -> Option<&TransferWish> {
        self.faults_at(after).find_map(|fault| match fault {
            FaultKind::TransfersItself { who, percent, to } if *who == far_end && is_one(*percent) => {
                Some(to)
            }
            FaultKind::TransfersItself { .. }
            | FaultKind::Loss { .. }
            | FaultKind::AgentsVanish { .. }
            | FaultKind::SlowLookUp { .. } => None,
        })
    }

    /// What goes wrong at this moment.
    pub fn faults_at(&self, after: Duration) -> impl Iterator<Item = &FaultKind> {
        self.faults.iter().filter(move |f| f.stretch.holds(after)).map(|f| &f.kind)
    }
}
