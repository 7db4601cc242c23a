//! Where things are written, for people who are told why something is as it is: `queues.toml:12`.
use std::collections::BTreeMap;

use super::diagnostic::Place;
use super::resolve::{Door, Reading};
use crate::base::{MenuId, QueueId};

/// Something that a file defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Door(Door),
    Hours(String),
    Change(String),
}

/// File and line of what the files define.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<Thing, String>);

impl Reading {
    /// File and line of what the files define; `files` are the texts that were read.
    pub fn sources(&self, files: &BTreeMap<String, String>) -> Sources {
        let line = |place: &Place| {
            let text = files.get(&*place.file).map_or("", String::as_str);
            let before = text.get(..place.span.start).unwrap_or("");
            format!("{}:{}", place.file, before.matches('\n').count() + 1)
        };
        let doors = self.atlas.places.iter().map(|(door, at)| (Thing::Door(door.clone()), at));
        let hours = self.atlas.hours.iter().map(|(name, at)| (Thing::Hours(name.clone()), at));
        let changes = self.atlas.changes.iter().map(|(name, at)| (Thing::Change(name.clone()), at));
        Sources(doors.chain(hours).chain(changes).map(|(thing, at)| (thing, line(at))).collect())
    }
}

impl Sources {
    pub(super) fn number(&self, number: &str) -> String {
        self.of(&Thing::Door(Door::Number(number.to_owned())))
    }
    pub(super) fn menu(&self, menu: &MenuId) -> String {
        self.of(&Thing::Door(Door::Menu(menu.clone())))
    }
    pub(super) fn queue(&self, queue: &QueueId) -> String {
        self.of(&Thing::Door(Door::Queue(queue.clone())))
    }
    pub(super) fn hours(&self, hours: &str) -> String {
        self.of(&Thing::Hours(hours.to_owned()))
    }
    pub(super) fn change(&self, change: &str) -> String {
        self.of(&Thing::Change(change.to_owned()))
    }

    /// ` (queues.toml:12)`; nothing where it is not known.
    fn of(&self, thing: &Thing) -> String {
        self.0.get(thing).map(|line| format!(" ({line})")).unwrap_or_default()
    }
}
