//! `Mark`: what of a run decides what may still happen in it. Two runs with the same mark go the same ways.
//!
//! Invariant: the digits that were entered are counted, not named: no way depends on which they are.
use super::{Ear, Hidden, MenuRun, SPARE_HASH, Stage};
use crate::base::{Key, Language, MenuId, Now, QueueId};
use crate::exchange::menu::set::{MenuSet, Step, Target};
use crate::exchange::say::Phrase;

/// What the menu waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exchange::menu) enum Stands {
    /// For one key.
    Choosing,
    /// For digits.
    Entering,
    /// To hear whether the digits are right.
    Confirming,
    /// For the end of what is said.
    Announcing,
    /// For nothing: he left.
    Gone,
}

/// What the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exchange::menu) enum Does {
    /// Listens; a key may interrupt.
    Listens,
    /// Thinks: all is said.
    Thinks,
    /// Types digits.
    Types,
}

/// What decides the ways on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exchange::menu) struct Mark {
    // What is compared fast comes first.
    pub(in crate::exchange::menu) stands: Stands,
    pub(in crate::exchange::menu) does: Does,
    pub(in crate::exchange::menu) mistakes: u8,
    pub(in crate::exchange::menu) digits: usize,
    pub(in crate::exchange::menu) pressed: Option<Key>,
    pub(in crate::exchange::menu) language: Language,
    pub(in crate::exchange::menu) menu: MenuId,
    pub(in crate::exchange::menu) line: Option<QueueId>,
    /// Digits go to the vault.
    pub(in crate::exchange::menu) hides: bool,
    /// Where the key was pressed, if that is another menu, which this announcement leads to.
    pressed_in: Option<MenuId>,
    /// The vault's digits belong to no entry.
    stale: bool,
    /// A `#` now belongs to the entry before.
    spare: bool,
    /// Prompts by name; of numbers only that they are there.
    saying: Vec<Option<String>>,
}

impl Mark {
    /// Whether a `#` now belongs to an entry that was full a moment ago, and is no mistake.
    pub(in crate::exchange::menu) const fn digits_just_fitted(&self) -> bool {
        self.spare
    }
}

impl MenuRun {
    /// What decides the ways on from here.
    pub(in crate::exchange::menu) fn mark(&self, now: Now) -> Mark {
        let pressed = self.pressed.as_ref().filter(|(menu, _)| self.counts_again(menu));
        let playing = self.ear == Ear::Listening;
        let name = |phrase: &Phrase| match phrase {
            Phrase::Prompt(id) => Some(id.to_string()),
            _ => None,
        };
        Mark {
            menu: self.menu.id.clone(),
            language: self.visit.language,
            line: self.visit.line.clone(),
            stands: self.stage.into(),
            does: self.ear.into(),
            mistakes: self.mistakes,
            digits: self.digits_that_matter(),
            pressed: pressed.map(|(_, key)| *key),
            hides: self.hidden != Hidden::No,
            pressed_in: pressed.filter(|(menu, _)| *menu != self.menu.id).map(|(menu, _)| menu.clone()),
            stale: self.hidden == Hidden::Stale,
            spare: self.typed.full.is_some_and(|at| now.mono.since(at) <= SPARE_HASH),
            saying: if playing { self.saying.iter().map(name).collect() } else { Vec::new() },
        }
    }

    /// Once they are read back, how many there are matters no more; only the longest reading is told apart, since it
    /// lasts longest.
    fn digits_that_matter(&self) -> usize {
        let typed = self.typed.digits.len().max(usize::from(self.typed.secret));
        match &self.menu.step {
            Step::Entry(entry) if self.stage == Stage::Confirming && typed < usize::from(entry.max) => 0,
            Step::Entry(_) | Step::Choice(_) | Step::Announcement(_) => typed,
        }
    }

    /// Whether the last key that was pressed in `menu` may still be pressed there a second time: in a choice the next
    /// key takes its place, an entry forgets it, and only announcements lead on without a key.
    fn counts_again(&self, menu: &MenuId) -> bool {
        match &self.menu.step {
            Step::Choice(_) => *menu == self.menu.id,
            Step::Entry(_) => false,
            Step::Announcement(then) => may_lead(&self.set, then, menu),
        }
    }
}

/// Whether announcements and closed doors alone may lead from `target` to `menu`.
fn may_lead(set: &MenuSet, target: &Target, menu: &MenuId) -> bool {
    let mut open = vec![target];
    let mut been: Vec<&Target> = Vec::new();
    while let Some(target) = open.pop() {
        if been.contains(&target) {
            continue;
        }
        been.push(target);
        let opening = match target {
            Target::Menu(id) if id == menu => return true,
            Target::Menu(id) => {
                let found = set.menus.get(id);
                if let Some(Step::Announcement(then)) = found.map(|m| &m.step) {
                    open.push(then);
                }
                found.and_then(|m| m.open.as_ref())
            }
            Target::Queue(id) => set.queues.get(id).and_then(|q| q.open.as_ref()),
            Target::Human | Target::HangUp => None,
        };
        open.extend(opening.map(|o| &o.closed));
    }
    false
}

impl From<Stage> for Stands {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Choosing => Self::Choosing,
            Stage::Entering => Self::Entering,
            Stage::Confirming => Self::Confirming,
            Stage::Announcing => Self::Announcing,
            Stage::Gone => Self::Gone,
        }
    }
}

impl From<Ear> for Does {
    fn from(ear: Ear) -> Self {
        match ear {
            Ear::Listening => Self::Listens,
            Ear::Thinking => Self::Thinks,
            Ear::Typing => Self::Types,
        }
    }
}
