//! Rules over the whole set: what no single line shows. Callers who cannot get anywhere, menus that nobody can reach,
//! queues that nobody serves, prompts that are missing in a language.
//!
//! Invariant: judges only what could be resolved; a name that is wrong was reported where it stands, and once.
use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Place;
use super::resolve::{BANNER, By, Door, Resolver, Way};
use super::set::{HOUSE_PROMPTS, MenuSet, Step, Target};
use crate::base::{AgentId, Language, PromptId, QueueId};
use crate::exchange::EXCHANGE_PROMPTS;
use crate::exchange::say::{AGENT_NAME, Phrase, say};

/// Judges `set`.
pub(super) fn lint(set: &MenuSet, read: &mut Resolver<'_>) {
    let heard = reach(set, read);
    missing_prompts(&heard, read);
    circles(read);
    human_queue(set, read);
    if !read.findings.has_errors_in("agents.toml") {
        unserved(set, &heard, read);
        nameless(set, read);
    }
    // After an error a way may be missing that was meant: then "nobody can reach this" would be noise.
    if !read.findings.has_errors() {
        unreachable(&heard, read);
        unused_hours(set, read);
    }
}

/// Which doors callers come through, and in which languages.
type Heard = BTreeMap<Door, BTreeSet<Language>>;

fn reach(set: &MenuSet, read: &Resolver<'_>) -> Heard {
    let spoken: BTreeSet<Language> = set
        .numbers
        .values()
        .map(|n| n.language)
        .chain(set.menus.values().filter_map(|menu| menu.language))
        .collect();
    let numbers = set.numbers.iter().map(|(n, entrance)| (Door::Number(n.clone()), entrance.language));
    let mut open: Vec<(Door, Language)> = numbers.collect();
    // Agents pass callers of any language to a queue that has a code; anybody may ask for a human.
    for (id, _) in set.queues.iter().filter(|(id, queue)| queue.code.is_some() || **id == set.human) {
        open.extend(spoken.iter().map(|l| (Door::Queue(id.clone()), *l)));
    }
    let mut heard = Heard::new();
    let mut been: BTreeSet<(Door, Language)> = BTreeSet::new();
    while let Some((door, language)) = open.pop() {
        if !been.insert((door.clone(), language)) {
            continue;
        }
        let menu = match &door {
            Door::Menu(id) => set.menus.get(id),
            Door::Number(_) | Door::Queue(_) => None,
        };
        // A menu's own language holds for those who come in; who finds it closed keeps his.
        let inside = menu.and_then(|menu| menu.language).unwrap_or(language);
        heard.entry(door.clone()).or_default().insert(inside);
        for way in read.ways.iter().filter(|way| way.from == door) {
            let spoken = if way.by == By::Closed { language } else { inside };
            open.extend(door_of(&way.to, &set.human).map(|to| (to, spoken)));
        }
        open.extend(menu.map(|menu| (Door::Queue(menu.human.clone()), inside)));
    }
    heard
}

fn door_of(target: &Target, human: &QueueId) -> Option<Door> {
    match target {
        Target::Menu(id) => Some(Door::Menu(id.clone())),
        Target::Queue(id) => Some(Door::Queue(id.clone())),
        Target::Human => Some(Door::Queue(human.clone())),
        Target::HangUp => None,
    }
}

fn name(door: &Door) -> String {
    match door {
        Door::Number(number) => format!("number {number}"),
        Door::Menu(id) => id.to_string(),
        Door::Queue(id) => format!("queue {id}"),
    }
}

fn unreachable(heard: &Heard, read: &mut Resolver<'_>) {
    for (door, place) in read.places.clone() {
        match &door {
            Door::Number(_) => {}
            Door::Menu(_) | Door::Queue(_) if heard.contains_key(&door) => {}
            Door::Menu(id) => {
                read.findings
                    .warning("HL0301", &place, format!("no caller can reach the menu {id}"))
                    .help("lead a key, a number or a queue to it, or delete the file");
            }
            Door::Queue(id) => {
                read.findings
                    .warning("HL0303", &place, format!("nothing leads to the queue {id}"))
                    .help("lead a key to it (\"queue NAME\"), or give it a code for agents");
            }
        }
    }
}

fn missing_prompts(heard: &Heard, read: &mut Resolver<'_>) {
    for said in &read.said {
        let Some(there) = read.prompts.get(&said.prompt) else { continue };
        for language in heard.get(&said.by).into_iter().flatten().filter(|l| !there.contains(l)) {
            let message = format!("the prompt `{}` is missing in {}", said.prompt, spelled(*language));
            read.findings
                .error("HL0402", &said.place, message)
                .help(format!("callers hear it so; add `{language}` to it in audio/manifest.toml"));
        }
    }
    let spoken: BTreeSet<Language> = heard.values().flatten().copied().collect();
    for (id, there) in read.prompts.iter().filter(|(id, _)| id.as_str().starts_with(BANNER)) {
        for language in spoken.iter().filter(|l| !there.contains(l)) {
            let message = format!("the banner `{id}` is missing in {}", spelled(*language));
            read.findings
                .error("HL0402", &Place::file("numbers.toml"), message)
                .help(format!("add `{language}` to [prompt.{id}] of audio/manifest.toml"));
        }
    }
    for id in HOUSE_PROMPTS.into_iter().chain(EXCHANGE_PROMPTS) {
        let there = read.prompts.get(&PromptId::from(id));
        for language in spoken.iter().filter(|l| there.is_none_or(|t| !t.contains(l))) {
            let message = format!("the engine's own prompt `{id}` is missing in {}", spelled(*language));
            read.findings
                .error("HL0402", &Place::file("numbers.toml"), message)
                .help(format!("add [prompt.{id}] with `{language}` to audio/manifest.toml"));
        }
    }
}

const fn spelled(language: Language) -> &'static str {
    match language {
        Language::Mandarin => "Mandarin",
        Language::English => "English",
    }
}

/// Ways that callers go without doing anything must end: at a choice, an entry, a queue that keeps them, or outside.
fn circles(read: &mut Resolver<'_>) {
    let ways: Vec<Way> = read.ways.iter().filter(|way| way.by != By::Key).cloned().collect();
    let human = read.human().clone();
    let mut reported: BTreeSet<BTreeSet<Door>> = BTreeSet::new();
    let mut done: BTreeSet<Door> = BTreeSet::new();
    for start in &ways {
        let mut path = vec![start.clone()];
        let Some(circle) = follow((&ways, &human), &mut path, &mut done) else { continue };
        let doors: BTreeSet<Door> = circle.iter().map(|way| way.from.clone()).collect();
        if !reported.insert(doors) {
            continue;
        }
        let mut names: Vec<String> = circle.iter().map(|way| name(&way.from)).collect();
        names.extend(names.first().cloned());
        let Some(last) = circle.last() else { continue };
        read.findings
            .error(
                "HL0302",
                &last.place,
                format!("callers would go round in a circle: {}", names.join(" -> ")),
            )
            .help("nobody presses a key on this way; lead one of these to a choice, a human, or an end");
    }
}

/// Depth first from the end of `path` to a door that is already on it; the part of the path that is the circle.
/// `done` are doors from which no circle was found.
fn follow(graph: (&[Way], &QueueId), path: &mut Vec<Way>, done: &mut BTreeSet<Door>) -> Option<Vec<Way>> {
    let (ways, human) = graph;
    let door = door_of(&path.last()?.to, human)?;
    if let Some(begin) = path.iter().position(|way| way.from == door) {
        return path.get(begin..).map(<[Way]>::to_vec);
    }
    if done.contains(&door) {
        return None;
    }
    for way in ways.iter().filter(|way| way.from == door) {
        path.push(way.clone());
        if let Some(circle) = follow(graph, path, done) {
            return Some(circle);
        }
        path.pop();
    }
    done.insert(door);
    None
}

fn human_queue(set: &MenuSet, read: &mut Resolver<'_>) {
    let Some(queue) = set.queues.get(&set.human) else { return };
    let door = Door::Queue(set.human.clone());
    let Some(place) = read.places.get(&door).cloned() else { return };
    if queue.open.is_some() {
        read.findings
            .error(
                "HL0503",
                &place,
                format!("the queue {} is behind key 0, so it must never close", set.human),
            )
            .help("take `hours` and `closed` away from it, or name another queue as `human`");
    }
    if !ends(set, &queue.overflow) {
        let place = read.ways.iter().find(|way| way.from == door && way.by == By::Itself);
        let place = place.map(|way| way.place.clone()).unwrap_or(place_of(read, &door));
        read.findings
            .error("HL0504", &place, "who finds the queue behind key 0 full must hear an honest end")
            .help("lead its `overflow` to a menu that says sorry and has then = \"hang up\"");
    }
}

fn place_of(read: &Resolver<'_>, door: &Door) -> Place {
    read.places.get(door).cloned().unwrap_or_else(|| Place::file("queues.toml"))
}

/// Whether `target` leads through announcements alone to the end of the call.
fn ends(set: &MenuSet, target: &Target) -> bool {
    let mut target = target;
    for _ in 0..=set.menus.len() {
        let Target::Menu(id) = target else { return *target == Target::HangUp };
        let Some(menu) = set.menus.get(id) else { return true };
        match &menu.step {
            Step::Announcement(then) if menu.open.is_none() => target = then,
            Step::Announcement(_) | Step::Choice(_) | Step::Entry(_) => return false,
        }
    }
    false
}

fn unserved(set: &MenuSet, heard: &Heard, read: &mut Resolver<'_>) {
    for (id, plan) in &set.acd.queues {
        let door = Door::Queue(id.clone());
        let place = place_of(read, &door);
        let able: Vec<_> = set.agents_with(&plan.skills).filter_map(|a| set.acd.agents.get(a)).collect();
        if able.is_empty() {
            let skills: Vec<&str> = plan.skills.iter().map(crate::base::SkillId::as_str).collect();
            let wanted = if skills.is_empty() {
                String::new()
            } else {
                format!(": nobody has {}", skills.join(" and "))
            };
            read.findings
                .error("HL0501", &place, format!("nobody can answer in the queue {id}{wanted}"))
                .help("give the skills to an agent of agents.toml, or ask for fewer in queues.toml");
            continue;
        }
        for language in heard.get(&door).into_iter().flatten() {
            if !able.iter().any(|agent| agent.languages.contains(language)) {
                let message =
                    format!("nobody who can answer in the queue {id} speaks {}", spelled(*language));
                read.findings
                    .error("HL0502", &place, message)
                    .help("callers come there in that language; give it to one of the queue's agents");
            }
        }
    }
}

/// Who is to be named to callers has a recorded name, or a number that can be said.
fn nameless(set: &MenuSet, read: &mut Resolver<'_>) {
    for (id, plan) in &set.acd.queues {
        if !set.queues.get(id).is_some_and(|queue| queue.names_agent) {
            continue;
        }
        let unsaid = |agent: &&AgentId| {
            let phrase = Phrase::Serves { number: agent.to_string(), named: set.names.contains(*agent) };
            say(Language::English, &[phrase]).is_empty()
        };
        let unsaid: Vec<&str> = set.agents_with(&plan.skills).filter(unsaid).map(AgentId::as_str).collect();
        if unsaid.is_empty() {
            continue;
        }
        let place = place_of(read, &Door::Queue(id.clone()));
        let message = format!("the queue {id} names its agents, and {} cannot be said", unsaid.join(", "));
        let first = unsaid.first().copied().unwrap_or_default();
        read.findings.warning("HL0508", &place, message).help(format!(
            "record the prompt {AGENT_NAME}{first} in all languages, or give the agent a number with digits"
        ));
    }
}

fn unused_hours(set: &MenuSet, read: &mut Resolver<'_>) {
    for name in set.hours.keys().filter(|name| !read.used_hours.contains(*name)) {
        let Some(place) = read.hours_places.get(name) else { continue };
        read.findings
            .warning("HL0605", place, format!("nothing uses the opening hours {name}"))
            .help("give a menu, a queue or a number hours = \"NAME\", or delete them");
    }
}
