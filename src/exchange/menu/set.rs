//! `MenuSet`: everything ops wrote, resolved. All names are known to exist, all defaults are filled in, so that a
//! running call never meets a hole. Immutable, shared in an `Arc`; a call keeps the one it began with.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::hours::{Hours, Zone};
use super::schedule::Change;
use crate::base::{
    AgentId, EntryId, Key, Language, MenuId, PartyId, PromptId, QueueId, SkillId, TrunkId, UtcTime,
};
use crate::exchange::acd::AcdPlan;
use crate::exchange::say::Phrase;

/// Prompts that the engine says by itself: each must exist in every language that the set speaks.
pub const HOUSE_PROMPTS: [&str; 3] = [WRONG_KEY, YOU_ENTERED, CONFIRM_KEYS];
/// Said after a wrong key, before the menu is said again.
pub(super) const WRONG_KEY: &str = "wrong-key";
/// Said before digits are read back.
pub(super) const YOU_ENTERED: &str = "you-entered";
/// Said after them: 1 if that is right, 2 to enter them again.
pub(super) const CONFIRM_KEYS: &str = "confirm-keys";

/// All files of `menus/` of one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct MenuSet {
    /// The first 12 hex digits of the SHA-256 over all names and texts: the same files, the same revision.
    pub revision: String,
    /// Dialled number -> where the caller enters.
    pub numbers: BTreeMap<String, Entrance>,
    /// The menus.
    pub menus: BTreeMap<MenuId, Arc<Menu>>,
    /// The queue behind key 0 where nothing else is said. It never closes.
    pub human: QueueId,
    /// The queues, as callers see them.
    pub queues: BTreeMap<QueueId, Queue>,
    /// The queues and agents, as the Acd sees them.
    pub acd: Arc<AcdPlan>,
    /// What agents dial to sign in and out, to pause, to be ready.
    pub codes: BTreeMap<String, FeatureCode>,
    /// What agents press during a call.
    pub keys: AgentKeys,
    /// Third parties.
    pub directory: BTreeMap<PartyId, Party>,
    /// Changes with a beginning and an end, by name.
    pub schedule: Vec<Change>,
    /// The agents whose names are recorded in all languages, as `name-NUMBER`: others are called by their numbers.
    pub names: BTreeSet<AgentId>,
    /// The prompts that may be said as a banner: those named `banner-...`, in all languages.
    pub banners: BTreeSet<PromptId>,
    /// Opening hours by name.
    pub hours: BTreeMap<String, Hours>,
    /// When agents are at work, as names of `hours`; who is not here may be there at any hour. Nothing is routed by it:
    /// whether an hour has nobody is found out before it comes.
    pub shifts: BTreeMap<AgentId, String>,
    /// Whose clock on the wall people mean who name an hour.
    pub zone: Zone,
}

/// Where the callers of one dialled number enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// The first menu.
    pub menu: MenuId,
    /// The language spoken until the caller chooses another.
    pub language: Language,
    /// Said before the first menu.
    pub greeting: Vec<Phrase>,
    /// The priority class of its callers, 0 (most urgent) to 9, if the number has one; a queue's own class counts
    /// when that is more urgent.
    pub priority: Option<u8>,
    /// When it is open; `None`: always.
    pub open: Option<Opening>,
}

/// Opening hours and what holds outside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// A name of [`MenuSet::hours`].
    pub hours: String,
    /// Where a caller goes while it is closed.
    pub closed: Target,
}

/// One menu: something is said, then the caller chooses, enters digits, or is taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// The stem of its file.
    pub id: MenuId,
    /// From here on this language is spoken.
    pub language: Option<Language>,
    /// When it is open; `None`: always.
    pub open: Option<Opening>,
    /// What is said.
    pub say: Vec<Phrase>,
    /// What is said after the first, the second silence.
    pub silence: [Vec<Phrase>; 2],
    /// What is said after the first, the second wrong key.
    pub wrong: [Vec<Phrase>; 2],
    /// How long a caller may think after all was said, until it counts as silence.
    pub wait: Duration,
    /// The queue behind key 0, `*` in an entry, and the third mistake.
    pub human: QueueId,
    /// What then.
    pub step: Step,
}

impl Menu {
    /// Where a caller stands before his first menu: as if an announcement that leads to `target` had been heard.
    pub(super) fn door(human: QueueId, target: Target) -> Self {
        Self {
            id: MenuId::from("(door)"),
            language: None,
            open: None,
            say: Vec::new(),
            silence: [Vec::new(), Vec::new()],
            wrong: [Vec::new(), Vec::new()],
            wait: Duration::ZERO,
            human,
            step: Step::Announcement(target),
        }
    }
}

/// What a menu is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The caller presses one key. Key 0 is in [`Menu::human`].
    Choice(BTreeMap<Key, Target>),
    /// The caller enters digits.
    Entry(Entry),
    /// He only listens, and is then taken on.
    Announcement(Target),
}

/// An entry of several digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called on the agent's screen and in the record.
    pub name: EntryId,
    /// Fewest digits.
    pub min: u8,
    /// Most digits; the entry ends by itself when they are there.
    pub max: u8,
    /// The longest pause between two digits; then the entry ends.
    pub gap: Duration,
    /// The digits are read back, and the caller says whether they are right.
    pub confirm: bool,
    /// Their value goes to the vault and nowhere else.
    pub secret: bool,
    /// Where next.
    pub then: Target,
}

/// Where a key, or the end of a prompt, leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// To a menu.
    Menu(MenuId),
    /// To a queue.
    Queue(QueueId),
    /// To a human: back to the queue he waits in, if he does; else the menu's [`Menu::human`].
    Human,
    /// The end of the call, which the menu has announced.
    HangUp,
}

/// A queue, as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name as spoken.
    pub name: PromptId,
    /// Said after its name, when something is to be known there.
    pub notice: Option<PromptId>,
    /// What is played while callers wait.
    pub music: PromptId,
    /// The priority class of its callers, 0 (most urgent) to 9.
    pub priority: u8,
    /// Where callers go who cannot wait here: too many, too long, nobody there. Never [`Target::HangUp`].
    pub overflow: Target,
    /// Keys that lead a waiting caller to a menu; his clock runs on.
    pub keys: BTreeMap<Key, MenuId>,
    /// What an agent enters to pass a caller here.
    pub code: Option<String>,
    /// When it is open; `None`: always.
    pub open: Option<Opening>,
    /// Caller and agent hear who serves before they hear each other.
    pub names_agent: bool,
}

/// What an agent's dialled code asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeatureCode {
    /// Begin to work.
    SignIn,
    /// Stop working.
    SignOut,
    /// Ready for the next caller.
    Ready,
    /// Not ready, for this reason.
    Pause(String),
}

/// What an agent presses during a call. No sequence is the beginning of another. Those of `invite` and `pass_on`
/// are followed by a code (of the directory, of a queue) and `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKeys {
    /// Hold the caller with music, or take him back.
    pub hold: Vec<Key>,
    /// Call a third party in private; its code and `#` follow.
    pub invite: Vec<Key>,
    /// Join all three.
    pub join: Vec<Key>,
    /// Drop the third party.
    pub drop: Vec<Key>,
    /// Leave; caller and third party go on together.
    pub leave: Vec<Key>,
    /// Pass the caller to another queue; its code and `#` follow.
    pub pass_on: Vec<Key>,
    /// The caller only listens in the conference, or is heard again.
    pub listen_only: Vec<Key>,
}

/// A third party that agents may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// What an agent enters.
    pub code: String,
    /// Who it is.
    pub name: String,
    /// The number dialled on the trunk.
    pub number: String,
    /// Trunks of `hotline.toml`, tried in this order; at least one.
    pub trunks: Vec<TrunkId>,
    /// How long its phone rings.
    pub ring_for: Duration,
    /// What it can decide, when it is there: for the agent.
    pub notes: String,
}

impl MenuSet {
    /// The entrance behind a dialled number.
    pub fn entrance(&self, dialled: &str) -> Option<&Entrance> {
        self.numbers.get(dialled)
    }
    /// Whether these hours hold at `at`. Unknown hours are open; loading knows no unknown ones.
    pub fn is_open(&self, hours: &str, at: UtcTime) -> bool {
        self.hours.get(hours).is_none_or(|h| h.is_open(at))
    }
    /// The third party behind a code that an agent entered.
    pub fn party(&self, code: &str) -> Option<(&PartyId, &Party)> {
        self.directory.iter().find(|(_, p)| p.code == code)
    }
    /// The queue behind a code that an agent entered.
    pub fn queue_of_code(&self, code: &str) -> Option<&QueueId> {
        self.queues.iter().find(|(_, q)| q.code.as_deref() == Some(code)).map(|(id, _)| id)
    }
    /// Takes from an older set what is the same in both, so that it is held once and known to be unchanged without
    /// being compared again; how many menus those are.
    pub fn share_with(&mut self, older: &Self) -> usize {
        let mut shared = 0;
        for (id, menu) in &mut self.menus {
            if let Some(same) = older.menus.get(id).filter(|old| *old == menu) {
                *menu = Arc::clone(same);
                shared += 1;
            }
        }
        if self.acd == older.acd {
            self.acd = Arc::clone(&older.acd);
        }
        shared
    }
    /// Everybody who has all of these skills.
    pub fn agents_with(&self, skills: &[SkillId]) -> impl Iterator<Item = &AgentId> {
        let has = |a: &crate::exchange::acd::AgentPlan| skills.iter().all(|s| a.skills.contains_key(s));
        self.acd.agents.iter().filter(move |(_, a)| has(a)).map(|(id, _)| id)
    }
}
