//! The proof: that no caller is caught in these menus, whatever he does and whenever he calls.
//!
//! All ways are walked with the machine that serves callers, at one moment of each combination of opening hours
//! ([`moments`]), in both languages, with every number of mistakes, with each banner
//! and without ([`walk`]); in each state the rules are checked
//! ([`judge`]): 0, the same key twice and three mistakes lead to a human; who does nothing comes to a human or hears the
//! end, in time; nobody goes round in a circle; every key leads where it says at some hour. Last, that each queue has
//! somebody at every hour at which it is open ([`staff`]).
//!
//! Invariant: what is found is shown by a number to dial and keys to press, which [`super::Rehearsal`] plays.
mod judge;
pub(super) mod moments;
mod reach;
mod shadow;
mod staff;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Findings, Place, Trial};
use super::rehearsal::{Act, PromptLengths};
use super::resolve::{Atlas, By, Door, Reading};
use super::set::{MenuSet, Target};
use crate::base::UtcTime;
pub(super) use reach::{Toll, Tolls, tolls};

use judge::{Fault, Judge, Measured};
use walk::{Dialled, Ways};

/// How long callers may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest time until somebody who does nothing is in a line or has heard the end.
    pub alone: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { alone: Duration::from_mins(4) }
    }
}

/// What was found, and what is certain.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// What does not hold, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// States that were walked, at all hours.
    pub states: usize,
    /// Combinations of opening hours.
    pub hours: usize,
    /// The longest time out for somebody who does nothing.
    pub alone: Duration,
}

impl Proof {
    /// One sentence for people.
    pub fn told(&self) -> String {
        format!(
            "{} states at {} different hours: from each, one key leads to a human at once, and silence leads out within {}",
            self.states,
            self.hours,
            judge::show(self.alone)
        )
    }
}

/// Walks all ways of a set that was read without mistakes.
pub fn prove(
    reading: &Reading,
    files: &BTreeMap<String, String>,
    lengths: &PromptLengths,
    bounds: Bounds,
) -> Proof {
    let set = Arc::new(reading.set.clone());
    let lengths = Arc::new(lengths.clone());
    let mut told =
        Told { atlas: &reading.atlas, set: &set, findings: Findings::new(files), said: BTreeSet::new() };
    let (mut measured, mut states) = (Measured::default(), 0);
    let mut shadows = shadow::Shadows::new(&set);
    let moments = moments::of_doors(&set);
    for at in &moments {
        let held = set.at(*at);
        let ways = walk::walk(&held, &lengths, *at);
        let mut judge = Judge { set: &held, ways: &ways, bounds, faults: Vec::new(), measured };
        judge.judge();
        measured = judge.measured;
        for fault in std::mem::take(&mut judge.faults) {
            told.fault(&ways, &fault);
        }
        if ways.cut {
            told.too_many(walk::STATES_MAX);
        }
        shadows.see(&ways);
        states += ways.states.len();
    }
    for fault in shadows.faults() {
        told.shadow(&fault);
    }
    for lack in staff::unstaffed(&set) {
        told.lack(&lack);
    }
    let Measured { alone } = measured;
    Proof { diagnostics: told.findings.finish(), states, hours: moments.len(), alone }
}

/// From faults to what people read: each once for a place.
struct Told<'a> {
    atlas: &'a Atlas,
    set: &'a MenuSet,
    findings: Findings<'a>,
    said: BTreeSet<(&'static str, Door, Option<Target>)>,
}

/// What mends each.
const HELP: [(&str, &str); 8] = [
    ("HL0901", "this is a fault of hotline itself: please report it with this folder"),
    ("HL0902", "this is a fault of hotline itself: please report it with this folder"),
    ("HL0903", "this is a fault of hotline itself: please report it with this folder"),
    ("HL0904", "lead this menu to a queue, to \"human\", or to a menu that says goodbye"),
    (
        "HL0905",
        "lead the `overflow` of one of these queues to a menu that says sorry and has then = \"hang up\"",
    ),
    ("HL0907", "say less, or shorten `wait`"),
    ("HL0909", "name a prompt that has words and a recording"),
    ("HL0910", "name a prompt that has words and a recording"),
];

impl Told<'_> {
    fn fault(&mut self, ways: &Ways, fault: &Fault) {
        if !self.said.insert((fault.code, fault.door.clone(), fault.target.clone())) {
            return;
        }
        let (dial, mut acts) = ways.way_to(fault.state);
        acts.extend(&fault.acts);
        let place = self.place(&fault.door, fault.target.as_ref());
        let help = HELP.iter().find(|(code, _)| *code == fault.code).map_or("", |(_, help)| help);
        let trial = trial(dial, self.set.zone.show(ways.at), &acts);
        let found = self.findings.error(fault.code, &place, fault.message.clone());
        found.help(help);
        found.shown_by(trial);
    }

    fn shadow(&mut self, fault: &shadow::Shadow) {
        let place = self.place(&fault.door, Some(&fault.target));
        let message = format!(
            "key {} never leads to {}: that is closed whenever {} is open",
            fault.key, fault.to, fault.by
        );
        let found = self.findings.error("HL0908", &place, message);
        found.help("give the two opening hours that meet, or take the key away");
        found.shown_by(trial(fault.dial.clone(), self.set.zone.show(fault.at), &fault.acts));
    }

    fn lack(&mut self, lack: &staff::Unstaffed) {
        let place = self.place(&Door::Queue(lack.queue.clone()), None);
        let at = |at: UtcTime| self.set.zone.show(at);
        let until = lack.to.map(|to| format!(" until {}", at(to))).unwrap_or_default();
        let message = format!(
            "nobody who can answer in the queue {} is at work from {}{until}, and it is open",
            lack.queue,
            at(lack.from)
        );
        let help =
            "give one of its agents other `hours` in agents.toml, or give the queue `hours` and `closed`";
        self.findings.error("HL0507", &place, message).help(help);
    }

    fn too_many(&mut self, most: usize) {
        let place = Place::file("numbers.toml");
        let message = format!("these menus have more than {most} states: not all of them were looked at");
        self.findings.warning("HL0911", &place, message).help("fewer menus, or fewer keys");
    }

    /// Where a door is made, or where it leads to `target` by a key.
    fn place(&self, door: &Door, target: Option<&Target>) -> Place {
        let way = self
            .atlas
            .ways
            .iter()
            .find(|way| way.from == *door && way.by == By::Key && target == Some(&way.to));
        let place = way.map(|way| &way.place).or_else(|| self.atlas.places.get(door));
        place.cloned().unwrap_or_else(|| Place::file("numbers.toml"))
    }
}

fn trial(dialled: Dialled, at: String, acts: &[Act]) -> Trial {
    let banner = dialled.banner.map(|banner| banner.to_string());
    Trial { dial: dialled.number, banner, at, keys: keys(acts) }
}

/// As people press them; what is heard before a silence is part of it.
fn keys(acts: &[Act]) -> String {
    let mut text = String::new();
    for act in acts {
        if *act == Act::Wait && text.ends_with('.') {
            text.pop();
        }
        text += &act.to_string();
    }
    text
}
