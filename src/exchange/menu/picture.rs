//! The menus as a picture, in the language of Graphviz: numbers on the left, what callers hear in the middle, lines on
//! the right; red is the shortest way to a human. With yesterday's callers, each way is as thick as it is trodden.
//!
//! Invariant: every way of the files is drawn once; ways that callers took and no file names (through closed doors) are
//! dashed.
use std::fmt::Write as _;

use super::difference::MovedKey;
use super::rehearsal::{Act, Rehearsal};
use super::set::{Menu, MenuSet, Step, Target};
use super::story::{Stage, words};
use super::trails::{Footfall, Station};
use crate::base::{Key, Language, QueueId};
use crate::exchange::say::Phrase;

/// Characters of a line in a box; an ideograph counts two.
const WIDE: usize = 38;
/// Lines of what is said.
const LINES: usize = 4;
const RED: &str = "#c8102e";

/// A way that is drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: Station,
    to: Goal,
    label: String,
    key: Option<Key>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Goal {
    At(Station),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// By a key, or by itself.
    Plain,
    /// Where callers go while something is closed or full.
    Otherwise,
    /// The shortest way to a human.
    Human,
    /// Trodden, but in no file.
    Trodden,
    /// Led elsewhere before.
    Moved,
}

/// The picture, in one language, for `dot -Tsvg`.
pub fn picture(stage: &Stage, language: Language, footfall: Option<&Footfall>) -> String {
    drawn(stage, language, footfall, &[])
}

/// The same of new menus, with the keys marked that led elsewhere before.
pub fn picture_of_change(stage: &Stage, language: Language, moved: &[MovedKey]) -> String {
    drawn(stage, language, None, moved)
}

fn drawn(stage: &Stage, language: Language, footfall: Option<&Footfall>, moved: &[MovedKey]) -> String {
    let set = &stage.set;
    let mut arrows = arrows(set);
    arrows.extend(to_humans(stage));
    if let Some(footfall) = footfall {
        add_trodden(&mut arrows, footfall);
    }
    for arrow in &mut arrows {
        mark(arrow, moved);
    }
    let mut dot = String::from(
        "digraph menus {\n  rankdir=LR; ranksep=1.1; nodesep=0.28; splines=true; bgcolor=white;\n  \
         node [fontname=\"Noto Sans CJK SC, Helvetica, sans-serif\", fontsize=12, style=\"rounded,filled\", shape=box, \
         color=\"#44546a\", fillcolor=white, margin=\"0.14,0.09\"];\n  \
         edge [fontname=\"Noto Sans CJK SC, Helvetica, sans-serif\", fontsize=11, color=\"#5b6b80\", arrowsize=0.7];\n",
    );
    for number in set.numbers.keys() {
        let at = Station::Number(number.clone());
        let label = format!("☎ {number}{}", visits(footfall, &at));
        node(&mut dot, &at, &label, "fillcolor=\"#dbe9f6\", shape=box, penwidth=2");
    }
    for menu in set.menus.values() {
        let at = Station::Menu(menu.id.clone());
        let fill = match &menu.step {
            Step::Choice(_) => "#ffffff",
            Step::Entry(_) => "#fff6d6",
            Step::Announcement(_) => "#f0f0f0",
        };
        node(&mut dot, &at, &menu_label(stage, menu, language, footfall), &format!("fillcolor=\"{fill}\""));
    }
    for (id, queue) in &set.queues {
        let at = Station::Queue(id.clone());
        let name = words(&stage.texts, language, &[Phrase::Prompt(queue.name.clone())]);
        let label = format!("{id}\n{}{}", folded(&name, 2), visits(footfall, &at));
        let pen = if *id == set.human { "3" } else { "1.5" };
        node(&mut dot, &at, &label, &format!("fillcolor=\"#e3f4e1\", color=\"#2e7d32\", penwidth={pen}"));
    }
    dot.push_str("  end [label=\"end\", shape=circle, fillcolor=\"#dddddd\", fontsize=10];\n");
    let most = footfall.and_then(|f| f.steps.values().max().copied()).unwrap_or(1).max(1);
    for arrow in &arrows {
        edge(&mut dot, arrow, footfall, most);
    }
    dot.push_str("}\n");
    dot
}

fn node(dot: &mut String, at: &Station, label: &str, style: &str) {
    writeln!(dot, "  {} [label={}, {style}];", id(at), quoted(label)).ok();
}

/// The name, what is said, and what else holds.
fn menu_label(stage: &Stage, menu: &Menu, language: Language, footfall: Option<&Footfall>) -> String {
    let spoken = menu.language.unwrap_or(language);
    let said = words(&stage.texts, spoken, &menu.say);
    let mut label = format!("{}\n{}", menu.id, folded(&said, LINES));
    if let Some(open) = &menu.open {
        write!(label, "\n[{}]", open.hours).ok();
    }
    match &menu.step {
        Step::Choice(_) => write!(label, "\n0 → {}", menu.human).ok(),
        Step::Entry(entry) => {
            let secret = if entry.secret { " secret" } else { "" };
            write!(label, "\n{}-{}{secret} digits; * → {}", entry.min, entry.max, menu.human).ok()
        }
        Step::Announcement(_) => None,
    };
    label + &visits(footfall, &Station::Menu(menu.id.clone()))
}

fn visits(footfall: Option<&Footfall>, at: &Station) -> String {
    let Some(footfall) = footfall else { return String::new() };
    let came = footfall.visits.get(at).copied().unwrap_or(0);
    match footfall.lost.get(at).copied().unwrap_or(0) {
        0 => format!("\n{came} callers"),
        lost => format!("\n{came} callers, {lost} hung up here"),
    }
}

/// All ways of the files.
fn arrows(set: &MenuSet) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    let mut add = |from: &Station, target: &Target, human: &QueueId, label: String, key, kind| {
        let to = match target {
            Target::Menu(id) => Goal::At(Station::Menu(id.clone())),
            Target::Queue(id) => Goal::At(Station::Queue(id.clone())),
            Target::Human => Goal::At(Station::Queue(human.clone())),
            Target::HangUp => Goal::End,
        };
        arrows.push(Arrow { from: from.clone(), to, label, key, kind });
    };
    for (number, entrance) in &set.numbers {
        let from = Station::Number(number.clone());
        add(&from, &Target::Menu(entrance.menu.clone()), &set.human, String::new(), None, Kind::Plain);
        if let Some(open) = &entrance.open {
            let label = format!("{} closed", open.hours);
            add(&from, &open.closed, &set.human, label, None, Kind::Otherwise);
        }
    }
    for menu in set.menus.values() {
        let from = Station::Menu(menu.id.clone());
        match &menu.step {
            Step::Choice(keys) => {
                for (key, target) in keys {
                    add(&from, target, &menu.human, key.to_string(), Some(*key), Kind::Plain);
                }
            }
            Step::Entry(entry) => add(&from, &entry.then, &menu.human, "entered".into(), None, Kind::Plain),
            Step::Announcement(then) => add(&from, then, &menu.human, String::new(), None, Kind::Plain),
        }
        if let Some(open) = &menu.open {
            let label = format!("{} closed", open.hours);
            add(&from, &open.closed, &menu.human, label, None, Kind::Otherwise);
        }
    }
    for (id, queue) in &set.queues {
        let from = Station::Queue(id.clone());
        for (key, menu) in &queue.keys {
            let label = format!("{key} while waiting");
            add(&from, &Target::Menu(menu.clone()), &set.human, label, Some(*key), Kind::Plain);
        }
        add(&from, &queue.overflow, &set.human, "full".into(), None, Kind::Otherwise);
        if let Some(open) = &queue.open {
            let label = format!("{} closed", open.hours);
            add(&from, &open.closed, &set.human, label, None, Kind::Otherwise);
        }
    }
    arrows
}

/// For each number, the key in its first menu that leads to a human: pressed by a rehearsal, not looked up.
fn to_humans(stage: &Stage) -> Vec<Arrow> {
    let mut arrows: Vec<Arrow> = Vec::new();
    for number in stage.set.numbers.keys() {
        let shortest = ['0', '*'].into_iter().filter_map(|key| human_by(stage, number, key)).min();
        let Some((_, from, to, key)) = shortest else { continue };
        let label = format!("{key} → a human");
        let key = Key::from_char(key);
        let arrow = Arrow { from, to: Goal::At(Station::Queue(to)), label, key, kind: Kind::Human };
        if !arrows.contains(&arrow) {
            arrows.push(arrow);
        }
    }
    arrows
}

/// How long it takes to a human by this key, from which menu and to which line.
fn human_by(stage: &Stage, number: &str, key: char) -> Option<(u64, Station, QueueId, char)> {
    let mut caller = Rehearsal::dial(&stage.set, &stage.lengths, number, stage.at)?;
    for _ in 0..=stage.set.menus.len() {
        let menu = caller.menu()?.clone();
        let mut asks = caller.clone();
        asks.act(Act::from_char(key)?);
        if let Some(line) = asks.line() {
            return Some((asks.now().mono.as_millis(), Station::Menu(menu), line.clone(), key));
        }
        caller.act(Act::Listen);
    }
    None
}

/// Ways that callers took and no file names: through closed doors, by mistakes.
fn add_trodden(arrows: &mut Vec<Arrow>, footfall: &Footfall) {
    for (from, key, to) in footfall.steps.keys() {
        let to = Goal::At(to.clone());
        let is = |a: &Arrow| a.from == *from && a.to == to && (a.key.is_none() || a.key == *key);
        if !arrows.iter().any(is) {
            let label = key.map_or_else(|| "silence".to_owned(), |key| key.to_string());
            arrows.push(Arrow { from: from.clone(), to, label, key: *key, kind: Kind::Trodden });
        }
    }
}

/// So many went this way.
fn count(arrow: &Arrow, footfall: &Footfall) -> u64 {
    let Goal::At(to) = &arrow.to else { return footfall.lost.get(&arrow.from).copied().unwrap_or(0) };
    let is = |(from, key, at): &(Station, Option<Key>, Station)| {
        let any = arrow.key.is_none() && arrow.kind != Kind::Trodden;
        from == &arrow.from && at == to && (any || *key == arrow.key)
    };
    footfall.steps.iter().filter(|(step, _)| is(step)).map(|(_, count)| count).sum()
}

/// A key that led elsewhere says where.
fn mark(arrow: &mut Arrow, moved: &[MovedKey]) {
    let Some(key) = arrow.key.filter(|_| arrow.kind == Kind::Plain) else { return };
    let place = match &arrow.from {
        Station::Menu(menu) => format!("menu {menu}"),
        Station::Queue(queue) => format!("queue {queue}"),
        Station::Number(_) => return,
    };
    if let Some(was) = moved.iter().find(|m| m.place == place && m.key == key.to_string()) {
        let before = was.from.as_ref().map_or_else(|| "new".to_owned(), |from| format!("was {from}"));
        arrow.label = format!("{} ({before})", arrow.label);
        arrow.kind = Kind::Moved;
    }
}

fn edge(dot: &mut String, arrow: &Arrow, footfall: Option<&Footfall>, most: u64) {
    let to = match &arrow.to {
        Goal::At(station) => id(station),
        Goal::End => "end".to_owned(),
    };
    let style = match arrow.kind {
        // The way back: there, but not what the picture is about.
        Kind::Plain if arrow.key == Some(Key::STAR) => "color=\"#b8c2cf\", constraint=false".to_owned(),
        Kind::Plain => "style=solid".to_owned(),
        Kind::Otherwise => {
            "style=dashed, color=\"#a0a0a0\", fontcolor=\"#808080\", constraint=false".to_owned()
        }
        Kind::Human => format!("color=\"{RED}\", fontcolor=\"{RED}\", penwidth=3, style=solid"),
        Kind::Moved => "color=\"#d07000\", fontcolor=\"#d07000\", penwidth=4, style=bold".to_owned(),
        Kind::Trodden => "style=dashed, color=\"#b26a00\", fontcolor=\"#b26a00\"".to_owned(),
    };
    let counted = footfall.map(|f| count(arrow, f));
    let label = match counted {
        Some(n) if n > 0 && arrow.label.is_empty() => format!("{n} callers"),
        Some(n) if n > 0 => format!("{}: {n}", arrow.label),
        _ => arrow.label.clone(),
    };
    // From 1 to 7 points, by how many of all went here.
    let pen = counted.filter(|n| *n > 0 && arrow.kind != Kind::Human);
    let pen = pen.map(|n| format!(", penwidth={}", 1 + 6 * n / most)).unwrap_or_default();
    writeln!(dot, "  {} -> {to} [label={}, {style}{pen}];", id(&arrow.from), quoted(&format!(" {label} ")))
        .ok();
}

fn id(at: &Station) -> String {
    match at {
        Station::Number(number) => quoted(&format!("number {number}")),
        Station::Menu(menu) => quoted(&format!("menu {menu}")),
        Station::Queue(queue) => quoted(&format!("queue {queue}")),
    }
}

/// In quotes; lines stay lines.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// In lines of bounded width, at most so many; what is more ends with `…`.
fn folded(text: &str, most: usize) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let columns = if c >= '\u{1100}' { 2 } else { 1 };
        let stop = "。,;:!?、)".contains(c);
        let breaks = used + columns > WIDE && (columns == 2 || c == ' ') && !stop || used >= WIDE + 12;
        if breaks || c == '\n' {
            if lines.len() == most {
                if let Some(last) = lines.last_mut() {
                    last.push('…');
                }
                break;
            }
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut().filter(|line| !(line.is_empty() && c == ' ')) {
            line.push(c);
            used += columns;
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_folded_and_cut() {
        assert_eq!(folded("short", 2), "short");
        let long = "For your account, press 1. For loans and instalments, press 2. For orders, press 3.";
        let lines = folded(long, 2);
        assert_eq!(lines.lines().count(), 2);
        assert!(lines.ends_with('…') && lines.lines().all(|l| l.chars().count() <= WIDE + 13), "{lines}");
        let mandarin = "账户问题,请按 1。贷款和分期,请按 2。交易纠纷和商户服务,请按 3。";
        assert!(folded(mandarin, 3).lines().all(|l| !l.starts_with(['。', ','])), "{mandarin}");
        assert_eq!(quoted("a \"b\"\nc\\"), "\"a \\\"b\\\"\\nc\\\\\"");
    }
}
