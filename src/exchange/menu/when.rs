//! What plays at an hour: which doors are open then and why (with file and line), which changes hold, what the caller of
//! a number hears first, and where each of his keys leads.
//!
//! Invariant: what is heard comes from the machine that serves callers; what is said about hours comes from the calendar.
use std::fmt::Write as _;

use super::hours::{Ground, Hours, Span};
use super::rehearsal::{Act, Rehearsal, Scene};
use super::schedule::Change;
use super::set::{MenuSet, Opening, Step, Target};
use super::story::{Stage, lines};
use super::walk::is_open;
use crate::base::{QueueId, UtcTime};

/// How far ahead the next opening or closing is looked for, in days.
const AHEAD: u16 = 60;

/// What plays for callers of `number` at the hour of `stage`; `None` when callers cannot dial it.
pub fn when(stage: &Stage, number: &str) -> Option<String> {
    let at = stage.at;
    let held = stage.set.at(at);
    let hour = Hour { stage, set: &held };
    let entrance = held.entrance(number)?;
    let mut caller = Rehearsal::dial(&stage.set, &stage.lengths, number, at)?;
    let zone = &held.zone;
    let mut told = format!("{number}{} at {} ({})", stage.sources.number(number), zone.show(at), zone.name());
    for line in day(&stage.set, at) {
        write!(told, "; {line}").ok()?;
    }
    told.push('\n');
    for change in stage.set.changes_at(at) {
        told.push_str(&hour.change(change, number));
    }
    if let Some(open) = &entrance.open {
        writeln!(told, "the number: {}", hour.door(open)).ok()?;
    }
    // Announcements are heard until somebody is asked for something.
    for _ in 0..=held.menus.len() {
        let scenes = caller.take_scenes();
        for scene in &scenes {
            let source = match scene {
                Scene::Menu(menu) => stage.sources.menu(menu),
                Scene::Line { queue, .. } => stage.sources.queue(queue),
                _ => String::new(),
            };
            let mut source = Some(source);
            for line in lines(scene, &stage.texts) {
                writeln!(told, "{line}{}", source.take().unwrap_or_default()).ok()?;
            }
        }
        let ends = scenes.iter().any(|s| matches!(s, Scene::Line { .. } | Scene::Ended(_)));
        let announces = |menu| matches!(held.menus.get(menu).map(|m| &m.step), Some(Step::Announcement(_)));
        if ends || !caller.menu().is_some_and(announces) {
            break;
        }
        caller.act(Act::Listen);
    }
    if let Some(menu) = caller.menu().and_then(|menu| held.menus.get(menu)) {
        told.push_str(&hour.keys(menu));
    }
    if let Some(queue) = caller.line() {
        told.push_str(&who(&held, queue, at));
    }
    Some(told)
}

/// Whether the day is anything but a plain one.
fn day(set: &MenuSet, at: UtcTime) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for (name, hours) in &set.hours {
        let day = hours.zone.wall(at).0;
        let line = match hours.ground(day) {
            Ground::Date => format!("{name} has hours of its own on this date"),
            Ground::Holiday(holiday) => format!("holiday: {holiday}"),
            Ground::Workday(holiday) => format!("worked for {holiday}, with Monday's hours"),
            Ground::Weekday => continue,
        };
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

/// What holds at an hour.
struct Hour<'a> {
    stage: &'a Stage,
    /// With the changes that hold then.
    set: &'a MenuSet,
}

impl Hour<'_> {
    /// What a change that holds does, and whether callers of `number` meet it at once.
    fn change(&self, change: &Change, number: &str) -> String {
        let mut what: Vec<String> = Vec::new();
        if change.numbers.contains(number) {
            what.extend(change.greeting.as_ref().map(|_| "another greeting".to_owned()));
            what.extend(change.menu.as_ref().map(|menu| format!("the first menu is {menu}")));
        }
        what.extend(change.banner_at(number).map(|banner| format!("the banner {banner}")));
        let queues: Vec<&str> = change.queues.iter().map(QueueId::as_str).collect();
        let queues = queues.join(", ");
        what.extend(change.closed.as_ref().map(|_| format!("closed: {queues}")));
        if !queues.is_empty() {
            what.extend(change.banner.as_ref().map(|banner| format!("the banner {banner} in {queues}")));
        }
        if what.is_empty() {
            what.push("nothing for this number".to_owned());
        }
        let Stage { sources, set, .. } = self.stage;
        let (source, to) = (sources.change(&change.name), set.zone.show(change.to));
        format!("changed by {}{source} until {to}: {}\n", change.name, what.join("; "))
    }

    fn keys(&self, menu: &super::set::Menu) -> String {
        let mut told = String::new();
        let mut add = |key: &str, to: String| {
            for part in ["  ", key, "  ", &to, "\n"] {
                told.push_str(part);
            }
        };
        match &menu.step {
            Step::Choice(choices) => {
                for (key, target) in choices {
                    add(&key.to_string(), self.leads(target, &menu.human));
                }
                add("0", self.leads(&Target::Human, &menu.human));
            }
            Step::Entry(entry) => {
                let digits = if entry.min == entry.max {
                    entry.min.to_string()
                } else {
                    format!("{} to {}", entry.min, entry.max)
                };
                add(&format!("{digits} digits"), self.leads(&entry.then, &menu.human));
                add("*", self.leads(&Target::Human, &menu.human));
            }
            Step::Announcement(then) => add("then", self.leads(then, &menu.human)),
        }
        told
    }

    /// Where a way leads at this hour, through closed doors.
    fn leads(&self, target: &Target, human: &QueueId) -> String {
        let (set, at) = (self.set, self.stage.at);
        let mut target = target.clone();
        let mut told = String::new();
        for _ in 0..=set.menus.len() + set.queues.len() {
            let (name, open) = match &target {
                Target::Menu(id) => (format!("menu {id}"), set.menus.get(id).and_then(|m| m.open.as_ref())),
                Target::Queue(id) => {
                    (format!("queue {id}"), set.queues.get(id).and_then(|q| q.open.as_ref()))
                }
                Target::Human => (format!("a human, queue {human}"), None),
                Target::HangUp => ("the end".to_owned(), None),
            };
            told.push_str(&name);
            let Some(open) = open else { return told };
            told = format!("{told} ({})", self.door(open));
            if is_open(set, Some(open), at) {
                return told;
            }
            told.push_str(" -> ");
            target = open.closed.clone();
        }
        told
    }

    /// `loans-desk is closed (calendar.toml:30): 10:00-18:00, holiday: Spring Festival; opens 2026-02-17T10:00`.
    fn door(&self, open: &Opening) -> String {
        let Stage { sources, set, at, .. } = self.stage;
        if let Some(change) = set.schedule.iter().find(|change| change.hours() == open.hours) {
            let source = sources.change(&change.name);
            return format!(
                "closed by the change {}{source} until {}",
                change.name,
                set.zone.show(change.to)
            );
        }
        let Some(hours) = self.set.hours.get(&open.hours) else { return String::new() };
        let (state, next) = if hours.is_open(*at) { ("open", "closes") } else { ("closed", "opens") };
        let change = hours.next_change(*at, AHEAD);
        let change = change.map(|change| format!("; {next} {}", hours.zone.show(change))).unwrap_or_default();
        let source = sources.hours(&open.hours);
        format!("{} is {state}{source}: {}{change}", open.hours, today(hours, *at))
    }
}

fn today(hours: &Hours, at: UtcTime) -> String {
    let day = hours.zone.wall(at).0;
    let spans: Vec<String> = hours.of(day).iter().copied().map(span).collect();
    let spans = if spans.is_empty() { "closed all day".to_owned() } else { spans.join(" and ") };
    match hours.ground(day) {
        Ground::Date => format!("{spans}, this date's own"),
        Ground::Holiday(name) => format!("{spans}, holiday: {name}"),
        Ground::Workday(name) => format!("{spans}, worked for {name}"),
        Ground::Weekday => spans,
    }
}

fn span(span: Span) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let to = if span.to == 24 * 60 { "24:00".to_owned() } else { clock(span.to) };
    format!("{}-{to}", clock(span.from))
}

/// Who could answer in a queue at this hour, by the shifts.
fn who(set: &MenuSet, queue: &QueueId, at: UtcTime) -> String {
    let Some(plan) = set.acd.queues.get(queue) else { return String::new() };
    let works =
        |agent: &&crate::base::AgentId| set.shifts.get(*agent).is_none_or(|hours| set.is_open(hours, at));
    let names: Vec<&str> =
        set.agents_with(&plan.skills).filter(works).map(crate::base::AgentId::as_str).collect();
    format!(
        "  could be answered by: {}\n",
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    )
}
