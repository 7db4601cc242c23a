//! Changes with a beginning and an end that ops wrote beforehand: another greeting, another first menu, a closed queue,
//! a banner. They are applied to a whole set: what holds at a moment is a set like any other, and a call keeps the one
//! it began with.
//!
//! Invariant: a set to which its changes were applied has none left, so that none is applied twice.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hours::Hours;
use super::set::{MenuSet, Opening, Target};
use crate::base::{MenuId, PromptId, QueueId, UtcTime};
use crate::exchange::say::Phrase;

/// A change with a beginning and an end.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What ops call it.
    pub name: String,
    /// The first moment at which it holds.
    pub from: UtcTime,
    /// The first moment at which it holds no more.
    pub to: UtcTime,
    /// The numbers that it is about; a banner that names neither numbers nor queues is about all numbers.
    pub numbers: BTreeSet<String>,
    /// The queues that it is about.
    pub queues: BTreeSet<QueueId>,
    /// Said before the first menu, in place of the numbers' own greeting.
    pub greeting: Option<Vec<Phrase>>,
    /// The numbers' first menu.
    pub menu: Option<MenuId>,
    /// The queues are closed; callers go there.
    pub closed: Option<Target>,
    /// Said after the greeting of the numbers, and after the name of the queues.
    pub banner: Option<PromptId>,
}

impl Change {
    /// Whether it holds at `at`.
    pub fn holds(&self, at: UtcTime) -> bool {
        self.from <= at && at < self.to
    }

    /// The name of the opening hours that stand for it at a door: no name that people can write.
    pub(super) fn hours(&self) -> String {
        format!("change {}", self.name)
    }

    /// Whether callers of this number hear its banner.
    pub(super) fn banner_at(&self, number: &str) -> Option<&PromptId> {
        let all = self.numbers.is_empty() && self.queues.is_empty();
        self.banner.as_ref().filter(|_| all || self.numbers.contains(number))
    }

    fn apply(&self, set: &mut MenuSet) {
        for (number, entrance) in &mut set.numbers {
            if self.numbers.contains(number) {
                if let Some(greeting) = &self.greeting {
                    entrance.greeting.clone_from(greeting);
                }
                if let Some(menu) = &self.menu {
                    entrance.menu.clone_from(menu);
                }
            }
        }
        let Some(closed) = &self.closed else { return };
        set.hours.insert(self.hours(), never(set));
        for (_, queue) in set.queues.iter_mut().filter(|(id, _)| self.queues.contains(*id)) {
            queue.open = Some(Opening { hours: self.hours(), closed: closed.clone() });
        }
    }

    fn say(&self, set: &mut MenuSet) {
        let Some(banner) = &self.banner else { return };
        for (number, entrance) in &mut set.numbers {
            entrance.greeting.extend(self.banner_at(number).map(|id| Phrase::Prompt(id.clone())));
        }
        for (_, queue) in set.queues.iter_mut().filter(|(id, _)| self.queues.contains(*id)) {
            queue.notice = Some(banner.clone());
        }
    }
}

/// Opening hours of a door that is shut.
fn never(set: &MenuSet) -> Hours {
    Hours {
        zone: set.zone.clone(),
        week: Default::default(),
        holiday: Vec::new(),
        dates: BTreeMap::new(),
        holidays: BTreeMap::new(),
        workdays: BTreeMap::new(),
    }
}

impl MenuSet {
    /// The changes that hold at `at`.
    pub fn changes_at(&self, at: UtcTime) -> impl Iterator<Item = &Change> {
        self.schedule.iter().filter(move |change| change.holds(at))
    }

    /// The set that holds at `at`: the same with its changes applied.
    pub fn at(self: &Arc<Self>, at: UtcTime) -> Arc<Self> {
        if self.schedule.is_empty() {
            return Arc::clone(self);
        }
        let mut set = Self::clone(self);
        set.schedule.clear();
        self.changes_at(at).for_each(|change| change.apply(&mut set));
        // After every greeting is what it is.
        self.changes_at(at).for_each(|change| change.say(&mut set));
        Arc::new(set)
    }

    /// Whether a change closes this queue at `at`.
    pub(super) fn is_shut(&self, queue: &QueueId, at: UtcTime) -> bool {
        self.changes_at(at).any(|change| change.closed.is_some() && change.queues.contains(queue))
    }
}

/// The set that holds now, made once for each state of the schedule rather than for each call.
#[derive(Debug, Default)]
pub(crate) struct Today {
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    of: Arc<MenuSet>,
    holds: Vec<bool>,
    set: Arc<MenuSet>,
}

impl Today {
    /// What of `set` holds at `at`.
    pub(crate) fn of(&mut self, set: &Arc<MenuSet>, at: UtcTime) -> Arc<MenuSet> {
        if set.schedule.is_empty() {
            self.made = None;
            return Arc::clone(set);
        }
        let holds: Vec<bool> = set.schedule.iter().map(|change| change.holds(at)).collect();
        if let Some(made) = self.made.as_ref().filter(|m| Arc::ptr_eq(&m.of, set) && m.holds == holds) {
            return Arc::clone(&made.set);
        }
        let made = set.at(at);
        self.made = Some(Made { of: Arc::clone(set), holds, set: Arc::clone(&made) });
        made
    }
}
