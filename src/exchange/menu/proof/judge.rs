//! What must hold in every state: each rule follows the steps that [`super::walk`] found and knows nothing of how they
//! came about, so it would find a fault of the machine as well as one of the files.
//!
//! Invariant: a fault names the acts that show it, from the dialled number on.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Bounds;
use super::walk::{Edge, KEYS, To, Ways, Where};
use crate::base::{Key, MenuId};
use crate::exchange::menu::rehearsal::Act;
use crate::exchange::menu::resolve::Door;
use crate::exchange::menu::run::{Does, Stands};
use crate::exchange::menu::set::{Entry, MenuSet, Step, Target};

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) door: Door,
    pub(super) message: String,
    /// The state in which it shows, and what is done there.
    pub(super) state: usize,
    pub(super) acts: Vec<Act>,
    /// The way in the files that is meant, where one is.
    pub(super) target: Option<Target>,
}

/// What was measured on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// The longest time out for somebody who does nothing.
    pub(super) alone: Duration,
}

pub(super) struct Judge<'a> {
    pub(super) set: &'a MenuSet,
    pub(super) ways: &'a Ways,
    pub(super) bounds: Bounds,
    pub(super) faults: Vec<Fault>,
    pub(super) measured: Measured,
}

impl Judge<'_> {
    pub(super) fn judge(&mut self) {
        for state in 0..self.ways.states.len() {
            let Some(place) = self.ways.states.get(state).map(|s| s.place.clone()) else { continue };
            if place.is_line() {
                self.full(state);
            } else {
                self.asking(state, &place);
                self.same_twice(state, &place);
                self.mistakes(state, &place);
                self.alone(state);
                self.ends(state, &place);
                self.nothing_said(state, &place);
            }
        }
        self.circles_of_keys();
    }

    fn fault(&mut self, code: &'static str, state: usize, acts: Vec<Act>, message: String) {
        let place = self.ways.states.get(state).map(|s| &s.place);
        let door = match place {
            Some(Where::Menus(mark, _)) => Door::Menu(mark.menu.clone()),
            Some(Where::Line(queue, _)) => Door::Queue(queue.clone()),
            None => return,
        };
        self.faults.push(Fault { code, door, message, state, acts, target: None });
    }

    fn step(&self, state: usize, act: Act) -> Option<&Edge> {
        self.ways.edge(state, act)
    }

    fn place(&self, state: usize) -> Option<&Where> {
        self.ways.states.get(state).map(|s| &s.place)
    }

    fn is_line(&self, to: To) -> bool {
        matches!(to, To::State(state) if self.place(state).is_some_and(Where::is_line))
    }

    /// The key that asks for a human here.
    fn asking_key(place: &Where) -> Option<Act> {
        let mark = place.mark()?;
        let key = match mark.stands {
            Stands::Gone => return None,
            Stands::Entering => '*',
            Stands::Announcing if mark.hides => '*',
            Stands::Choosing | Stands::Confirming | Stands::Announcing => '0',
        };
        Act::from_char(key)
    }

    /// 0 leads to a human, in that moment; where digits are entered, `*` does.
    fn asking(&mut self, state: usize, place: &Where) {
        let Some(key) = Self::asking_key(place) else { return };
        if !self.step(state, key).is_some_and(|edge| self.is_line(edge.to) && edge.lasts.is_zero()) {
            self.fault("HL0901", state, vec![key], format!("{key} does not lead to a human"));
        }
    }

    /// A key without meaning pressed twice, or one that leads back here pressed here again, leads to a human.
    fn same_twice(&mut self, state: usize, place: &Where) {
        let Some(mark) = place.mark().filter(|mark| mark.stands == Stands::Choosing) else { return };
        let Some(Step::Choice(keys)) = self.set.menus.get(&mark.menu).map(|m| &m.step) else { return };
        let menu = mark.menu.clone();
        for key in KEYS.chars().filter_map(Key::from_char).filter(|key| key.digit() != Some(0)) {
            let press = Act::Key(key);
            let Some(first) = self.step(state, press).copied() else { continue };
            let mut acts = vec![press];
            let back = self.back_in(first.to, &menu, keys.get(&key), &mut acts);
            let Some(To::State(back)) = back else { continue };
            if self.is_line(To::State(back)) {
                continue;
            }
            let Some(second) = self.step(back, press).copied() else { continue };
            acts.push(press);
            if !self.is_line(second.to) {
                let message = format!("{key} pressed twice does not lead to a human");
                self.fault("HL0902", state, acts, message);
            }
        }
    }

    /// Where a key leads that has no meaning, or brings the caller back to `menu` by announcements alone.
    fn back_in(&self, to: To, menu: &MenuId, target: Option<&Target>, acts: &mut Vec<Act>) -> Option<To> {
        let mut to = to;
        for _ in 0..=self.set.menus.len() {
            let To::State(state) = to else { return None };
            match self.place(state)? {
                Where::Menus(mark, _) if mark.menu == *menu && mark.stands == Stands::Choosing => {
                    return Some(to);
                }
                Where::Menus(mark, _) if target.is_some() && mark.stands == Stands::Announcing => {
                    acts.push(Act::Listen);
                    to = self.step(state, Act::Listen)?.to;
                }
                Where::Line(..) | Where::Menus(..) => return None,
            }
        }
        None
    }

    /// Each mistake counts, and the third leads to a human.
    fn mistakes(&mut self, state: usize, place: &Where) {
        let Some(mark) = place.mark() else { return };
        for act in self.mistakes_of(place) {
            let Some(edge) = self.step(state, act).copied() else { continue };
            let counts = match edge.to {
                To::End => false,
                To::State(to) => match self.place(to) {
                    Some(Where::Line(..)) => true,
                    Some(Where::Menus(after, _)) => {
                        after.menu == mark.menu && after.mistakes == mark.mistakes + 1 && after.mistakes < 3
                    }
                    None => false,
                },
            };
            if !counts {
                let message = "three mistakes in a row do not lead to a human".to_owned();
                self.fault("HL0903", state, vec![act], message);
            }
        }
    }

    /// What is a mistake here: silence, a key without meaning, digits that do not fit.
    fn mistakes_of(&self, place: &Where) -> Vec<Act> {
        let (Some(mark), Where::Menus(_, vault)) = (place.mark(), place) else { return Vec::new() };
        let Some(menu) = self.set.menus.get(&mark.menu) else { return Vec::new() };
        let silence = (mark.does == Does::Thinks).then_some(Act::Wait);
        let hash = Act::from_char('#');
        match (mark.stands, &menu.step) {
            (Stands::Choosing, Step::Choice(keys)) => {
                let unknown = KEYS.chars().filter_map(Key::from_char);
                let unknown = unknown.filter(|k| k.digit() != Some(0) && !keys.contains_key(k));
                unknown.map(Act::Key).chain(silence).collect()
            }
            (Stands::Entering, Step::Entry(entry)) => {
                let unfit = !fits(entry, mark.digits, *vault) && !mark.digits_just_fitted();
                let pause = (mark.does == Does::Types && unfit).then_some(Act::Wait);
                silence.into_iter().chain(pause).chain(hash.filter(|_| unfit)).collect()
            }
            (Stands::Confirming, _) => {
                let unknown = "3456789".chars().filter_map(Act::from_char);
                unknown.chain(hash.filter(|_| !mark.digits_just_fitted())).chain(silence).collect()
            }
            (Stands::Choosing | Stands::Entering | Stands::Announcing | Stands::Gone, _) => Vec::new(),
        }
    }

    /// Who does nothing comes to a line or hears the end, in time.
    fn alone(&mut self, state: usize) {
        let mut acts = Vec::new();
        let Some(lasted) = self.left_alone(state, &mut acts) else {
            let message = "who does nothing here never comes to a human or to an end".to_owned();
            return self.fault("HL0904", state, acts, message);
        };
        self.measured.alone = self.measured.alone.max(lasted);
        if lasted > self.bounds.alone {
            let message = format!(
                "who does nothing here waits {} for a human or an end; {} are allowed",
                show(lasted),
                show(self.bounds.alone)
            );
            self.fault("HL0907", state, acts, message);
        }
    }

    /// How long it takes until a line or the end; `None`: for ever.
    fn left_alone(&self, state: usize, acts: &mut Vec<Act>) -> Option<Duration> {
        let (mut at, mut lasted, mut been) = (state, Duration::ZERO, BTreeSet::new());
        while been.insert(at) {
            let edge = self.step(at, Act::Listen).or_else(|| self.step(at, Act::Wait))?;
            acts.push(edge.act);
            lasted += edge.lasts;
            match edge.to {
                To::State(to) if !self.is_line(edge.to) => at = to,
                To::State(_) | To::End => return Some(lasted),
            }
        }
        None
    }

    /// The call ends only in an announcement that says something, when it was heard or skipped.
    fn ends(&mut self, state: usize, place: &Where) {
        let announced = place.stands() == Some(Stands::Announcing);
        let said = self.ways.states.get(state).and_then(|s| s.says).unwrap_or_default() > Duration::ZERO;
        let ends = self.ways.states.get(state).map(|s| s.edges.clone()).unwrap_or_default();
        for edge in ends.iter().filter(|edge| edge.to == To::End) {
            if !(announced && said) {
                let message = "the call ends without a word".to_owned();
                self.fault("HL0909", state, vec![edge.act], message);
            }
        }
    }

    /// Wherever something is said, something is heard.
    fn nothing_said(&mut self, state: usize, place: &Where) {
        let listens = place.mark().is_some_and(|m| m.does == Does::Listens);
        let said = self.ways.states.get(state).and_then(|s| s.says);
        if listens && said == Some(Duration::ZERO) {
            self.fault("HL0910", state, Vec::new(), "callers hear nothing at all here".to_owned());
        }
    }

    /// While all lines are full, who does nothing comes to an end and not round in a circle.
    fn full(&mut self, state: usize) {
        let (mut at, mut been, mut acts) = (state, BTreeSet::new(), Vec::new());
        loop {
            if !been.insert(at) {
                let message = "while its lines are full, who does nothing goes round in a circle".to_owned();
                return self.fault("HL0905", state, acts, message);
            }
            acts.push(Act::Full);
            match self.step(at, Act::Full).map(|edge| edge.to) {
                None | Some(To::End) => return,
                Some(To::State(menu)) if self.is_line(To::State(menu)) => at = menu,
                Some(To::State(menu)) => match self.until_line(menu, &mut acts) {
                    Some(line) => at = line,
                    None => return,
                },
            }
        }
    }

    fn until_line(&self, state: usize, acts: &mut Vec<Act>) -> Option<usize> {
        let (mut at, mut been) = (state, BTreeSet::new());
        while been.insert(at) {
            let edge = self.step(at, Act::Listen).or_else(|| self.step(at, Act::Wait))?;
            acts.push(edge.act);
            match edge.to {
                To::End => return None,
                To::State(to) if self.is_line(edge.to) => return Some(to),
                To::State(to) => at = to,
            }
        }
        None
    }

    /// From every state some way leads to a line or out.
    fn circles_of_keys(&mut self) {
        let count = self.ways.states.len();
        let mut before: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut good: Vec<bool> = vec![false; count];
        let mut open = Vec::new();
        for (n, state) in self.ways.states.iter().enumerate() {
            for edge in &state.edges {
                match edge.to {
                    To::State(to) => before.entry(to).or_default().push(n),
                    To::End => open.push(n),
                }
            }
            if state.place.is_line() {
                open.push(n);
            }
        }
        while let Some(n) = open.pop() {
            if let Some(seen) = good.get_mut(n).filter(|seen| !**seen) {
                *seen = true;
                open.extend(before.get(&n).into_iter().flatten());
            }
        }
        // What was cut off is not judged.
        let lost: Vec<usize> = good.iter().enumerate().filter(|(_, good)| !**good).map(|(n, _)| n).collect();
        if !self.ways.cut {
            for n in lost {
                self.fault("HL0904", n, Vec::new(), "no way leads from here to a human or an end".to_owned());
            }
        }
    }
}

fn fits(entry: &Entry, digits: usize, vault: Option<u8>) -> bool {
    let length = if entry.secret { usize::from(vault.unwrap_or(0)) } else { digits };
    (usize::from(entry.min)..=usize::from(entry.max)).contains(&length)
}

/// `1 min 5 s`.
pub(super) fn show(d: Duration) -> String {
    let seconds = d.as_millis().div_ceil(1_000);
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s} s"),
        (m, 0) => format!("{m} min"),
        (m, s) => format!("{m} min {s} s"),
    }
}
