//! Keys that never lead where they say, at no hour and by no way: somebody wrote them for nothing.
use std::collections::BTreeMap;

use super::walk::{Dialled, To, Ways, Where};
use crate::base::{Key, UtcTime};
use crate::exchange::menu::rehearsal::Act;
use crate::exchange::menu::resolve::Door;
use crate::exchange::menu::run::Stands;
use crate::exchange::menu::set::{MenuSet, Step, Target};

/// A key that never leads to its target.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    pub(super) door: Door,
    pub(super) key: Key,
    pub(super) target: Target,
    /// What it should lead to, and what stands before it, for messages.
    pub(super) to: String,
    pub(super) by: String,
    /// A way on which it was pressed in vain.
    pub(super) at: UtcTime,
    pub(super) dial: Dialled,
    pub(super) acts: Vec<Act>,
}

/// Where a key was pressed: when, and how to come there.
type Seen = (UtcTime, Dialled, Vec<Act>);

/// All keys of all choices and lines.
pub(super) struct Shadows {
    /// Target, and a way on which it was pressed in vain; none before it was pressed.
    keys: BTreeMap<(Door, Key), (Target, Option<Seen>)>,
}

impl Shadows {
    pub(super) fn new(set: &MenuSet) -> Self {
        let mut keys = BTreeMap::new();
        for menu in set.menus.values() {
            let Step::Choice(choices) = &menu.step else { continue };
            for (key, target) in choices {
                keys.insert((Door::Menu(menu.id.clone()), *key), (target.clone(), None));
            }
        }
        for (id, queue) in &set.queues {
            for (key, menu) in &queue.keys {
                keys.insert((Door::Queue(id.clone()), *key), (Target::Menu(menu.clone()), None));
            }
        }
        Self { keys }
    }

    /// Looks at where keys lead at one more hour. A key that led where it says is looked at no more.
    pub(super) fn see(&mut self, ways: &Ways) {
        for (n, state) in ways.states.iter().enumerate() {
            let door = match &state.place {
                Where::Menus(mark, _) if mark.stands == Stands::Choosing => Door::Menu(mark.menu.clone()),
                Where::Menus(..) => continue,
                Where::Line(queue, _) => Door::Queue(queue.clone()),
            };
            for edge in &state.edges {
                let Act::Key(key) = edge.act else { continue };
                let slot = (door.clone(), key);
                let Some((target, seen)) = self.keys.get_mut(&slot) else { continue };
                if arrives(ways, edge.to, target) {
                    self.keys.remove(&slot);
                } else if seen.is_none() {
                    let (dial, mut acts) = ways.way_to(n);
                    acts.push(edge.act);
                    *seen = Some((ways.at, dial, acts));
                }
            }
        }
    }

    /// Those that were pressed, and always in vain.
    pub(super) fn faults(self) -> Vec<Shadow> {
        let fault = |((door, key), (target, seen)): ((Door, Key), (Target, Option<Seen>))| {
            let (at, dial, acts) = seen?;
            let to = match &target {
                Target::Menu(id) => format!("the menu {id}"),
                Target::Queue(id) => format!("the queue {id}"),
                Target::Human => "a human".to_owned(),
                Target::HangUp => "the end".to_owned(),
            };
            let by = match &door {
                Door::Number(number) => format!("the number {number}"),
                Door::Menu(id) => format!("the menu {id}"),
                Door::Queue(id) => format!("the queue {id}"),
            };
            Some(Shadow { door, key, target, to, by, at, dial, acts })
        };
        self.keys.into_iter().filter_map(fault).collect()
    }
}

fn arrives(ways: &Ways, to: To, target: &Target) -> bool {
    let To::State(to) = to else { return *target == Target::HangUp };
    match (ways.states.get(to).map(|s| &s.place), target) {
        (Some(Where::Menus(mark, _)), Target::Menu(id)) => mark.menu == *id,
        (Some(Where::Line(queue, _)), Target::Queue(id)) => queue == id,
        (Some(Where::Line(..)), Target::Human) => true,
        _ => false,
    }
}
