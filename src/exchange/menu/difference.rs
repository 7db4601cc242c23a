//! What a change of menus means to callers: keys that lead elsewhere, what came, went or is otherwise, ways to a human
//! that got longer, and whom of the callers of a day it would have met.
//!
//! Invariant: two sets that say the same have no difference, whatever their files look like.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::manifest::PromptTexts;
use super::proof::{Tolls, moments, tolls};
use super::rehearsal::PromptLengths;
use super::set::{Menu, MenuSet, Step, Target};
use crate::base::{CallId, Key, Language, MenuId, PromptId, QueueId, UtcTime};
use crate::exchange::Fact;
use crate::exchange::say::Phrase;

/// A way counts as longer from so much on.
const LONGER: Duration = Duration::from_secs(1);

/// What is otherwise between two sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Keys of menus, and live keys of queues, that lead elsewhere, in order.
    pub keys: Vec<MovedKey>,
    /// What came, went, or is otherwise but for its keys.
    pub things: Vec<ChangedThing>,
    /// Ways to a human that got longer, or are no more.
    pub longer: Vec<LongerWay>,
}

/// A key that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedKey {
    /// `menu main`, `queue general`.
    pub place: String,
    /// The key.
    pub key: String,
    /// Where it led; `None`: nowhere.
    pub from: Option<String>,
    /// Where it leads.
    pub to: Option<String>,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is new.
    Added,
    /// It is no more.
    Removed,
    /// It is otherwise.
    Changed,
}

/// Something that came, went or is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedThing {
    /// `menu`, `number`, `queue`, `hours`, `agent`, `third party`, `scheduled change`, `prompt`,
    /// `codes` (of agents: with their keys, shifts, and the queue behind 0).
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub became: Became,
    /// Which parts of it are otherwise.
    pub parts: Vec<String>,
}

/// A way to a human that got longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LongerWay {
    /// The number that is dialled.
    pub number: String,
    /// The line; `None`: of who does nothing.
    pub queue: Option<QueueId>,
    /// The hour, on the calendar's wall, at which it got longer by most.
    pub at: String,
    /// Keys before, and now; `None`: there is no way.
    pub keys: (u32, Option<u32>),
    /// Seconds before, and now, of who hears each menu to its end.
    pub seconds: (u64, Option<u64>),
}

/// A set with what it says, and how long that takes.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The set.
    pub set: &'a Arc<MenuSet>,
    /// The words of its prompts.
    pub texts: &'a PromptTexts,
    /// Their lengths.
    pub lengths: &'a Arc<PromptLengths>,
}

/// Compares two sets.
pub fn difference(before: Side<'_>, after: Side<'_>) -> Difference {
    let (old, new) = (before.set, after.set);
    let mut things = Vec::new();
    compare(&mut things, "number", &old.numbers, &new.numbers, |n| {
        vec![
            part("menu", &n.menu),
            part("greeting", &n.greeting),
            part("language", &n.language),
            part("priority", &n.priority),
            part("hours", &n.open),
        ]
    });
    compare(&mut things, "menu", &old.menus, &new.menus, |menu| menu_parts(menu));
    compare(&mut things, "queue", &queues(old), &queues(new), Clone::clone);
    compare(&mut things, "hours", &old.hours, &new.hours, |hours| {
        vec![
            part("week", &hours.week),
            part("holiday", &hours.holiday),
            part("dates", &hours.dates),
            part("holidays", &(&hours.holidays, &hours.workdays)),
            part("timezone", &hours.zone.name()),
        ]
    });
    compare(&mut things, "agent", &old.acd.agents, &new.acd.agents, |a| {
        // His hours are told as hours.
        vec![part("all", &(&a.alias, &a.skills, &a.languages, a.unanswered_max))]
    });
    compare(&mut things, "third party", &old.directory, &new.directory, |p| vec![part("all", p)]);
    let schedule = |set: &MenuSet| -> BTreeMap<String, super::Change> {
        set.schedule.iter().map(|change| (change.name.clone(), change.clone())).collect()
    };
    compare(&mut things, "scheduled change", &schedule(old), &schedule(new), |c| vec![part("all", c)]);
    compare(&mut things, "prompt", &said(before), &said(after), |words| vec![part("words", words)]);
    let rest = |set: &MenuSet| {
        let all = vec![part("codes", &set.codes), part("keys", &set.keys), part("shifts", &set.shifts)];
        BTreeMap::from([("of agents".to_owned(), [all, vec![part("human", &set.human)]].concat())])
    };
    compare(&mut things, "codes", &rest(old), &rest(new), Clone::clone);
    Difference { keys: keys(old, new), things, longer: longer(before, after) }
}

/// A part of something: its name, and what it says.
type Part = (&'static str, String);

fn part(name: &'static str, what: &impl Debug) -> Part {
    (name, format!("{what:?}"))
}

/// What is in one and not in the other, or in both and not the same.
fn compare<Name: Ord + ToString, Thing>(
    things: &mut Vec<ChangedThing>,
    kind: &'static str,
    old: &BTreeMap<Name, Thing>,
    new: &BTreeMap<Name, Thing>,
    parts: impl Fn(&Thing) -> Vec<Part>,
) {
    let names: BTreeSet<&Name> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (became, parts) = match (old.get(name), new.get(name)) {
            (None, _) => (Became::Added, Vec::new()),
            (_, None) => (Became::Removed, Vec::new()),
            (Some(old), Some(new)) => {
                let otherwise: Vec<String> = parts(old)
                    .into_iter()
                    .zip(parts(new))
                    .filter(|(old, new)| old != new)
                    .map(|((name, _), _)| name.to_owned())
                    .collect();
                if otherwise.is_empty() {
                    continue;
                }
                (Became::Changed, otherwise)
            }
        };
        things.push(ChangedThing { kind, name: name.to_string(), became, parts });
    }
}

/// All of a menu but where its keys lead.
fn menu_parts(menu: &Menu) -> Vec<Part> {
    let step = match &menu.step {
        Step::Choice(_) => "choice".to_owned(),
        Step::Entry(entry) => format!("{entry:?}"),
        Step::Announcement(then) => format!("{then:?}"),
    };
    vec![
        part("say", &menu.say),
        part("silence", &menu.silence),
        part("wrong", &menu.wrong),
        part("wait", &menu.wait),
        part("language", &menu.language),
        part("hours", &menu.open),
        ("step", step),
    ]
}

fn queues(set: &MenuSet) -> BTreeMap<QueueId, Vec<Part>> {
    let parts = |(id, queue): (&QueueId, &super::Queue)| {
        let all = vec![
            part("name", &queue.name),
            part("music", &queue.music),
            part("priority", &queue.priority),
            part("overflow", &queue.overflow),
            part("code", &queue.code),
            part("hours", &queue.open),
            part("name_agent", &queue.names_agent),
            part("rules", &set.acd.queues.get(id)),
        ];
        (id.clone(), all)
    };
    set.queues.iter().map(parts).collect()
}

/// What callers may hear of the files, with its words.
fn said(side: Side<'_>) -> BTreeMap<PromptId, BTreeMap<Language, String>> {
    let menus = side.set.menus.values();
    let spoken =
        menus.flat_map(|m| m.say.iter().chain(m.silence.iter().flatten()).chain(m.wrong.iter().flatten()));
    let greetings = side.set.numbers.values().flat_map(|n| &n.greeting);
    let prompt = |phrase: &Phrase| match phrase {
        Phrase::Prompt(id) => Some(id.clone()),
        _ => None,
    };
    let named = side.set.queues.values().map(|q| q.name.clone());
    let all = spoken.chain(greetings).filter_map(prompt).chain(named).chain(side.set.banners.iter().cloned());
    all.map(|id| (id.clone(), side.texts.0.get(&id).cloned().unwrap_or_default())).collect()
}

fn keys(old: &MenuSet, new: &MenuSet) -> Vec<MovedKey> {
    let mut moved = Vec::new();
    let both = |a: &MenuSet, b: &MenuSet| -> BTreeSet<MenuId> {
        a.menus.keys().filter(|id| b.menus.contains_key(*id)).cloned().collect()
    };
    for id in both(old, new) {
        let (was, is) = (ways_of(old, &id), ways_of(new, &id));
        compare_keys(&mut moved, &format!("menu {id}"), (&was, &is));
    }
    for (id, queue) in &old.queues {
        let Some(now) = new.queues.get(id) else { continue };
        let live = |queue: &super::Queue| -> BTreeMap<Key, String> {
            queue.keys.iter().map(|(key, menu)| (*key, format!("menu {menu}"))).collect()
        };
        compare_keys(&mut moved, &format!("queue {id}"), (&live(queue), &live(now)));
    }
    moved
}

fn compare_keys(
    moved: &mut Vec<MovedKey>,
    place: &str,
    (was, is): (&BTreeMap<Key, String>, &BTreeMap<Key, String>),
) {
    let all: BTreeSet<&Key> = was.keys().chain(is.keys()).collect();
    for key in all.into_iter().filter(|key| was.get(key) != is.get(key)) {
        let (from, to) = (was.get(key).cloned(), is.get(key).cloned());
        moved.push(MovedKey { place: place.to_owned(), key: key.to_string(), from, to });
    }
}

/// Where each key of a choice leads, 0 too.
fn ways_of(set: &MenuSet, id: &MenuId) -> BTreeMap<Key, String> {
    let Some(menu) = set.menus.get(id) else { return BTreeMap::new() };
    let Step::Choice(choices) = &menu.step else { return BTreeMap::new() };
    let name = |target: &Target| match target {
        Target::Menu(menu) => format!("menu {menu}"),
        Target::Queue(queue) => format!("queue {queue}"),
        Target::Human => format!("queue {}", menu.human),
        Target::HangUp => "the end".to_owned(),
    };
    let zero = Key::from_char('0').map(|key| (key, format!("queue {}", menu.human)));
    choices.iter().map(|(key, target)| (*key, name(target))).chain(zero).collect()
}

/// At every hour that differs in either.
fn longer(before: Side<'_>, after: Side<'_>) -> Vec<LongerWay> {
    let hours: BTreeSet<UtcTime> =
        [before, after].into_iter().flat_map(|side| moments::of_doors(side.set)).collect();
    let mut worst: BTreeMap<(String, Option<QueueId>), (Duration, LongerWay)> = BTreeMap::new();
    for at in hours {
        let (was, is) = (tolls(before.set, before.lengths, at), tolls(after.set, after.lengths, at));
        for way in longer_at((&was, &is), after.set, at) {
            let by = match way.seconds {
                (was, Some(is)) => Duration::from_secs(is.saturating_sub(was)),
                (_, None) => Duration::MAX,
            };
            let slot = worst.entry((way.number.clone(), way.queue.clone()));
            let kept = slot.or_insert_with(|| (by, way.clone()));
            if by > kept.0 {
                *kept = (by, way);
            }
        }
    }
    worst.into_values().map(|(_, way)| way).collect()
}

fn longer_at((was, is): (&Tolls, &Tolls), set: &MenuSet, at: UtcTime) -> Vec<LongerWay> {
    let longer = |((number, queue), old): (&(String, Option<QueueId>), &super::proof::Toll)| {
        // What is no more is told as removed.
        let there = set.numbers.contains_key(number)
            && queue.as_ref().is_none_or(|queue| set.queues.contains_key(queue));
        let new = is.get(&(number.clone(), queue.clone()));
        let grew = new.is_none_or(|new| new.keys > old.keys || new.lasts >= old.lasts + LONGER);
        (there && grew).then(|| LongerWay {
            number: number.clone(),
            queue: queue.clone(),
            at: set.zone.show(at),
            keys: (old.keys, new.map(|new| new.keys)),
            seconds: (old.lasts.as_secs(), new.map(|new| new.lasts.as_secs())),
        })
    };
    was.iter().filter_map(longer).collect()
}

impl Difference {
    /// Whether nothing is otherwise for anybody.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.things.is_empty() && self.longer.is_empty()
    }
}

/// Whom of a day's callers a difference would have met: reads their facts in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Affected {
    /// Callers of the day.
    pub calls: u64,
    /// Those who met something that is otherwise.
    pub affected: u64,
    /// By what they met: `menu main, key 2`, `queue loans`.
    pub by: BTreeMap<String, u64>,
    #[serde(skip)]
    met: BTreeSet<CallId>,
    #[serde(skip)]
    each: BTreeSet<(CallId, String)>,
}

impl Affected {
    /// One more fact.
    pub fn read(&mut self, difference: &Difference, fact: &Fact) {
        let (call, kind, name) = match fact {
            Fact::CallStarted { call, arrival, .. } => {
                self.calls += 1;
                (call, "number", arrival.dialled.clone())
            }
            Fact::MenuEntered { call, menu } => (call, "menu", menu.to_string()),
            Fact::Queued { call, queue, .. } => (call, "queue", queue.to_string()),
            Fact::KeyPressed { call, menu: Some(menu), key } => {
                let (place, key) = (format!("menu {menu}"), key.to_string());
                if difference.keys.iter().any(|moved| moved.place == place && moved.key == key) {
                    self.meets(*call, format!("{place}, key {key}"));
                }
                return;
            }
            _ => return,
        };
        if difference.things.iter().any(|t| t.kind == kind && t.name == name && t.became != Became::Added) {
            self.meets(*call, format!("{kind} {name}"));
        }
    }

    fn meets(&mut self, call: CallId, what: String) {
        self.affected += u64::from(self.met.insert(call));
        if self.each.insert((call, what.clone())) {
            *self.by.entry(what).or_default() += 1;
        }
    }
}
