//! From the texts of a folder to a `MenuSet`: names to what they mean, defaults filled in, every mistake collected.
//!
//! Invariant: reading stops at none; a set comes out only when there is no error, and then it has no hole.
mod agents;
mod calendar;
mod menus;
mod numbers;
mod queues;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::diagnostic::{Diagnostic, Findings, Place, Severity};
use super::fields::{self, Fields, Word};
use super::hours::{Hours, Zone};
use super::lint;
use super::raw::{self, Node, Table, Value};
use super::set::{AgentKeys, Menu, MenuSet, Opening, Party, Queue, Target};
use crate::base::{AgentId, Language, MenuId, PartyId, PromptId, QueueId, SkillId};
use crate::exchange::acd::{AcdPlan, AgentPlan};
use crate::exchange::say::{AGENT_NAME, Phrase};

/// Which prompts exist, and in which languages.
pub type KnownPrompts = BTreeMap<PromptId, BTreeSet<Language>>;

/// Files that are not menus.
pub(super) const RESERVED: [&str; 6] = ["numbers", "queues", "agents", "directory", "calendar", "schedule"];
/// What the names of banners begin with.
pub(super) const BANNER: &str = "banner-";
/// Words that cannot be a menu's or a queue's name, since they mean something as a target.
const TARGET_WORDS: [&str; 3] = ["human", "repeat", "hang up"];

/// Who says a prompt, or who leads somewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    /// A dialled number.
    Number(String),
    /// A menu.
    Menu(MenuId),
    /// A queue.
    Queue(QueueId),
}

/// A prompt that is said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) by: Door,
    pub(super) prompt: PromptId,
    pub(super) place: Place,
}

/// Why a caller goes from one door to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// He presses a key, or enters digits.
    Key,
    /// He does nothing: an announcement ends, a queue overflows.
    Itself,
    /// He does nothing: the door is closed.
    Closed,
}

/// A way from one door to another.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) from: Door,
    pub(super) to: Target,
    pub(super) by: By,
    pub(super) place: Place,
}

/// All names, gathered before anything is resolved, so that the order of files does not matter.
#[derive(Debug, Default)]
pub(super) struct Names {
    menus: BTreeSet<String>,
    queues: BTreeSet<String>,
    hours: BTreeSet<String>,
}

/// Who leads where, and where that stands in the files.
#[derive(Clone, Debug)]
pub(super) struct Atlas {
    pub(super) places: BTreeMap<Door, Place>,
    /// Opening hours.
    pub(super) hours: BTreeMap<String, Place>,
    /// Scheduled changes.
    pub(super) changes: BTreeMap<String, Place>,
    pub(super) ways: Vec<Way>,
}

/// A folder without mistakes.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What it says.
    pub set: MenuSet,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
    pub(super) atlas: Atlas,
}

/// Reads a folder.
pub(super) struct Resolver<'a> {
    pub(super) findings: Findings<'a>,
    pub(super) prompts: &'a KnownPrompts,
    pub(super) said: Vec<Said>,
    pub(super) ways: Vec<Way>,
    /// Opening hours that something uses.
    pub(super) used_hours: BTreeSet<String>,
    /// Where opening hours are defined.
    pub(super) hours_places: BTreeMap<String, Place>,
    /// Where scheduled changes are defined.
    change_places: BTreeMap<String, Place>,
    /// Where each named thing is defined.
    pub(super) places: BTreeMap<Door, Place>,
    names: Names,
    human: QueueId,
    /// Whether queues that do not say otherwise name the agent to the caller.
    names_agent: bool,
    /// The calendar's.
    zone: Option<Zone>,
    shifts: BTreeMap<AgentId, String>,
    /// Codes and numbers that were seen, with what they are.
    taken: BTreeMap<(&'static str, String), String>,
}

impl MenuSet {
    /// Reads the files of a folder: name within the folder -> text. `Ok` holds warnings beside the set; `Err` every
    /// mistake and warning of all files.
    pub fn load(
        files: &BTreeMap<String, String>,
        prompts: &KnownPrompts,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::read(files, prompts).map(|read| (read.set, read.warnings))
    }

    /// The same, with what a proof needs to point at places in the files.
    pub fn read(
        files: &BTreeMap<String, String>,
        prompts: &KnownPrompts,
    ) -> Result<Reading, Vec<Diagnostic>> {
        let mut findings = Findings::new(files);
        let trees = parse_all(files, &mut findings);
        let mut resolver = Resolver {
            findings,
            prompts,
            said: Vec::new(),
            ways: Vec::new(),
            used_hours: BTreeSet::new(),
            hours_places: BTreeMap::new(),
            change_places: BTreeMap::new(),
            places: BTreeMap::new(),
            names: names(&trees),
            human: QueueId::from(""),
            names_agent: false,
            zone: None,
            shifts: BTreeMap::new(),
            taken: BTreeMap::new(),
        };
        let set = resolver.set(&trees, revision(files));
        lint::lint(&set, &mut resolver);
        let (atlas, warnings) = resolver.atlas();
        if warnings.iter().any(|d| d.severity == Severity::Error) {
            return Err(warnings);
        }
        Ok(Reading { set, warnings, atlas })
    }
}

/// The first 12 hex digits of the SHA-256 over names and texts, each with its length before it.
fn revision(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(name, text)| [name, text]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(6).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

type Trees = BTreeMap<String, (Arc<str>, Table)>;

/// Stem -> file and tree. Only `*.toml` are read; the rest of the folder is not ours.
fn parse_all(files: &BTreeMap<String, String>, findings: &mut Findings<'_>) -> Trees {
    let mut trees = Trees::new();
    for (name, text) in files {
        let Some(stem) = name.strip_suffix(".toml") else { continue };
        let file: Arc<str> = Arc::from(name.as_str());
        if is_name(stem) {
            let tree = raw::parse(&file, text, findings);
            trees.insert(stem.to_owned(), (file, tree));
        } else {
            findings
                .error("HL0106", &Place::file(file), format!("`{stem}` cannot be a menu's name"))
                .help("a name has small letters, digits and -, at most 40, and is not human or repeat");
        }
    }
    trees
}

/// Whether ops may call something so.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(good) && !TARGET_WORDS.contains(&name)
}

fn names(trees: &Trees) -> Names {
    let tables = |stem: &str, within: Option<&str>| -> BTreeSet<String> {
        let table = trees.get(stem).map(|(_, table)| table);
        let table = match within {
            None => table,
            Some(key) => table.and_then(|t| t.get(key)).and_then(|f| match &f.node.value {
                Value::Table(inner) => Some(inner),
                _ => None,
            }),
        };
        let is_table = |f: &raw::Field| matches!(f.node.value, Value::Table(_));
        table.into_iter().flatten().filter(|(_, f)| is_table(f)).map(|(k, _)| k.clone()).collect()
    };
    Names {
        menus: trees.keys().filter(|s| !RESERVED.contains(&s.as_str())).cloned().collect(),
        queues: tables("queues", None),
        hours: tables("calendar", Some("hours")),
    }
}

impl Resolver<'_> {
    /// The queue behind key 0.
    pub(super) fn human(&self) -> &QueueId {
        &self.human
    }

    /// Who leads where, and where that stands.
    fn atlas(self) -> (Atlas, Vec<Diagnostic>) {
        let atlas = Atlas {
            places: self.places,
            hours: self.hours_places,
            changes: self.change_places,
            ways: self.ways,
        };
        (atlas, self.findings.finish())
    }

    fn set(&mut self, trees: &Trees, revision: String) -> MenuSet {
        let empty = Table::new();
        let open = |stem: &str| {
            let (file, table) = trees
                .get(stem)
                .map_or_else(|| (Arc::from(format!("{stem}.toml")), &empty), |(f, t)| (Arc::clone(f), t));
            Fields::new(format!("{stem}.toml"), Place::file(file), table)
        };
        for stem in ["numbers", "queues", "agents"].into_iter().filter(|s| !trees.contains_key(*s)) {
            let place = Place::file(format!("{stem}.toml"));
            self.findings.error("HL0107", &place, format!("there is no {stem}.toml; every set needs one"));
        }
        let there = |stem: &str| trees.contains_key(stem).then(|| open(stem));
        let hours = self.calendar(open("calendar"));
        let (queues, queue_plans) = there("queues").map(|file| self.queues(file)).unwrap_or_default();
        let (mut agent_plans, codes, keys) = self.agents(open("agents"));
        self.plan_shifts(&mut agent_plans, &hours);
        let names = self.recorded_names(&agent_plans);
        let menus = self.menus(trees);
        let numbers = there("numbers").map(|file| self.numbers(&file)).unwrap_or_default();
        let number = |door: &Door| match door {
            Door::Number(number) => Some(number.clone()),
            Door::Menu(_) | Door::Queue(_) => None,
        };
        let known: BTreeSet<String> = self.places.keys().filter_map(number).collect();
        let schedule = self.schedule(&open("schedule"), &known);
        MenuSet {
            revision,
            numbers,
            menus,
            human: self.human.clone(),
            queues,
            acd: Arc::new(AcdPlan { queues: queue_plans, agents: agent_plans }),
            codes,
            keys,
            directory: self.directory(&open("directory")),
            zone: self.zone.clone().unwrap_or_else(Zone::utc),
            schedule,
            banners: self.banners(),
            names,
            hours,
            shifts: std::mem::take(&mut self.shifts),
        }
    }

    /// The prompts that may be said as a banner.
    fn banners(&self) -> BTreeSet<PromptId> {
        let banner = |id: &&PromptId| id.as_str().starts_with(BANNER);
        self.whole_prompts().filter(banner).cloned().collect()
    }

    /// The agents whose names are recorded.
    fn recorded_names(&self, agents: &BTreeMap<AgentId, AgentPlan>) -> BTreeSet<AgentId> {
        let named = self.whole_prompts().filter_map(|id| id.as_str().strip_prefix(AGENT_NAME));
        named.map(AgentId::from).filter(|id| agents.contains_key(id)).collect()
    }

    /// The prompts that are there in all languages.
    fn whole_prompts(&self) -> impl Iterator<Item = &PromptId> {
        let whole = |languages: &BTreeSet<Language>| Language::ALL.iter().all(|l| languages.contains(l));
        self.prompts.iter().filter(move |(_, languages)| whole(languages)).map(|(id, _)| id)
    }

    /// Where a text leads: a menu's name, `queue NAME`, `human`, `repeat` (the menu `own`), `hang up`.
    fn target(&mut self, word: Word<'_>, own: Option<&MenuId>) -> Option<Target> {
        match (word.text, own) {
            ("human", _) => return Some(Target::Human),
            ("hang up", _) => return Some(Target::HangUp),
            ("repeat", Some(id)) => return Some(Target::Menu(id.clone())),
            _ => {}
        }
        if let Some(queue) = word.text.strip_prefix("queue ") {
            return self.queue_name(Word { text: queue.trim(), ..word }).map(Target::Queue);
        }
        self.menu_name(word).map(Target::Menu)
    }

    fn menu_name(&mut self, word: Word<'_>) -> Option<MenuId> {
        if self.names.menus.contains(word.text) {
            return Some(MenuId::from(word.text));
        }
        let found = self.findings.error("HL0201", word.place, format!("there is no menu `{}`", word.text));
        let words = self.names.menus.iter().map(String::as_str).chain(TARGET_WORDS);
        if self.names.queues.contains(word.text) {
            found.help(format!("`{0}` is a queue: write \"queue {0}\"", word.text));
        } else if let Some(near) = fields::nearest(word.text, words) {
            found.help(format!("did you mean `{near}`?"));
        } else {
            found.help("a menu is a file of this folder: NAME.toml");
        }
        None
    }

    fn queue_name(&mut self, word: Word<'_>) -> Option<QueueId> {
        if self.names.queues.contains(word.text) {
            return Some(QueueId::from(word.text));
        }
        let found = self.findings.error("HL0202", word.place, format!("there is no queue `{}`", word.text));
        match fields::nearest(word.text, self.names.queues.iter().map(String::as_str)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help("a queue is a table of queues.toml: [NAME]"),
        }
        None
    }

    /// `hours` and `closed`, which belong together.
    fn opening(&mut self, fields: &mut Fields<'_>, door: &Door, own: Option<&MenuId>) -> Option<Opening> {
        let (hours, closed) =
            (fields.word(&mut self.findings, "hours"), fields.word(&mut self.findings, "closed"));
        let (hours, closed) = match (hours, closed) {
            (Some(hours), Some(closed)) => (hours, closed),
            (Some(lone), None) | (None, Some(lone)) => {
                self.findings
                    .error("HL0307", lone.place, "`hours` and `closed` belong together")
                    .help("hours = \"NAME of calendar.toml\" and closed = \"where callers go outside them\"");
                return None;
            }
            (None, None) => return None,
        };
        let target = self.target(closed, own);
        let hours = self.hours_name(hours)?;
        let target = target?;
        if target == Target::HangUp {
            self.unannounced(closed);
            return None;
        }
        self.way(door, &target, By::Closed, closed.place);
        Some(Opening { hours, closed: target })
    }

    /// Opening hours by name.
    fn hours_name(&mut self, word: Word<'_>) -> Option<String> {
        if self.names.hours.contains(word.text) {
            self.used_hours.insert(word.text.to_owned());
            return Some(word.text.to_owned());
        }
        let message = format!("there are no opening hours `{}`", word.text);
        let found = self.findings.error("HL0203", word.place, message);
        match fields::nearest(word.text, self.names.hours.iter().map(String::as_str)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help("opening hours are a table of calendar.toml: [hours.NAME]"),
        }
        None
    }

    fn unannounced(&mut self, word: Word<'_>) {
        self.findings
            .error("HL0306", word.place, "the end of a call must be announced")
            .help("lead to a menu that says goodbye and has then = \"hang up\"");
    }

    fn way(&mut self, from: &Door, to: &Target, by: By, place: &Place) {
        self.ways.push(Way { from: from.clone(), to: to.clone(), by, place: place.clone() });
    }

    /// Prompts by name, one or a list.
    fn phrases(&mut self, node: &Node, by: &Door) -> Vec<Phrase> {
        let words = fields::words(&mut self.findings, node);
        if node.value == Value::List(Vec::new()) {
            self.findings
                .error("HL0105", &node.place, "nothing would be said")
                .help("name a prompt of audio/manifest.toml");
        }
        words.into_iter().map(|w| Phrase::Prompt(self.prompt(w, by))).collect()
    }

    /// A prompt by name.
    fn prompt(&mut self, word: Word<'_>, by: &Door) -> PromptId {
        let prompt = PromptId::from(word.text);
        if self.prompts.contains_key(&prompt) {
            self.said.push(Said { by: by.clone(), prompt: prompt.clone(), place: word.place.clone() });
        } else {
            let found =
                self.findings.error("HL0401", word.place, format!("there is no prompt `{}`", word.text));
            match fields::nearest(word.text, self.prompts.keys().map(PromptId::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("prompts are written in audio/manifest.toml: [prompt.NAME]"),
            }
        }
        prompt
    }

    fn language(&mut self, word: Word<'_>) -> Option<Language> {
        let language = Language::from_code(word.text);
        if language.is_none() {
            self.findings
                .error("HL0105", word.place, format!("`{}` is not a language that hotline speaks", word.text))
                .help("zh (Mandarin) or en (English)");
        }
        language
    }

    /// A text of at most `most` characters.
    fn short(&mut self, word: Word<'_>, most: usize) -> String {
        if word.text.chars().count() > most || word.text.chars().any(char::is_control) {
            let message = format!("at most {most} characters, on one line");
            self.findings.error("HL0701", word.place, message);
        }
        word.text.to_owned()
    }

    /// What people dial or enter: of `0-9 * # + . _ -` and letters, at most 32.
    fn dialled(&mut self, text: &str, place: &Place) -> bool {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"*#+._-".contains(&b);
        let fine = !text.is_empty() && text.len() <= 32 && text.bytes().all(good);
        if !fine {
            self.findings
                .error("HL0105", place, format!("`{text}` cannot be dialled"))
                .help("letters, digits and * # + . _ -, at most 32");
        }
        fine
    }

    /// Claims a number or code among those of one `kind`; a second claim is a mistake.
    fn claim(&mut self, kind: &'static str, text: &str, what: &str, place: &Place) {
        let key = (kind, text.to_owned());
        if let Some(first) = self.taken.get(&key) {
            let message = format!("{kind} {text} is already {first}");
            self.findings.error("HL0505", place, message);
        } else {
            self.taken.insert(key, what.to_owned());
        }
    }
}

/// What `agents.toml` holds.
type Agents = (BTreeMap<AgentId, AgentPlan>, BTreeMap<String, super::set::FeatureCode>, AgentKeys);
/// What `queues.toml` holds.
type Queues = (BTreeMap<QueueId, Queue>, BTreeMap<QueueId, crate::exchange::acd::QueuePlan>);
type Menus = BTreeMap<MenuId, Arc<Menu>>;
type Directory = BTreeMap<PartyId, Party>;
type AllHours = BTreeMap<String, Hours>;
type Skills = BTreeMap<SkillId, u8>;
