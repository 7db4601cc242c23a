//! Which ways callers took: from the facts of a day to a number for each step from door to door.
//!
//! Invariant: every step of a call is counted once, between the door it left and the door it came to.
use std::collections::BTreeMap;

use crate::base::{CallId, Key, MenuId, QueueId};
use crate::exchange::Fact;

/// A place on a caller's way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// He dialled this number.
    Number(String),
    /// A menu.
    Menu(MenuId),
    /// A line.
    Queue(QueueId),
}

/// Steps with the key that led on, if one did; and where callers hung up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footfall {
    /// So many went this way.
    pub steps: BTreeMap<(Station, Option<Key>, Station), u64>,
    /// So many came here.
    pub visits: BTreeMap<Station, u64>,
    /// So many left here without having talked to anybody.
    pub lost: BTreeMap<Station, u64>,
    /// So many called.
    pub calls: u64,
}

/// Where one caller is while his facts are read.
#[derive(Debug)]
struct Walker {
    at: Station,
    key: Option<Key>,
    served: bool,
}

/// Reads facts in their order.
#[derive(Debug, Default)]
pub struct Trails {
    callers: BTreeMap<CallId, Walker>,
    footfall: Footfall,
}

impl Trails {
    /// One more fact.
    pub fn read(&mut self, fact: &Fact) {
        match fact {
            Fact::CallStarted { call, arrival, .. } => {
                let at = Station::Number(arrival.dialled.clone());
                self.footfall.calls += 1;
                *self.footfall.visits.entry(at.clone()).or_default() += 1;
                self.callers.insert(*call, Walker { at, key: None, served: false });
            }
            Fact::KeyPressed { call, key, .. } => {
                if let Some(caller) = self.callers.get_mut(call) {
                    caller.key = Some(*key);
                }
            }
            Fact::MenuEntered { call, menu } => self.step(*call, Station::Menu(menu.clone())),
            Fact::Queued { call, queue, .. } => self.step(*call, Station::Queue(queue.clone())),
            Fact::Connected { call, .. } => {
                if let Some(caller) = self.callers.get_mut(call) {
                    caller.served = true;
                }
            }
            Fact::CallEnded { call, .. } => {
                if let Some(caller) = self.callers.remove(call).filter(|caller| !caller.served) {
                    *self.footfall.lost.entry(caller.at).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// What was counted.
    pub fn footfall(self) -> Footfall {
        self.footfall
    }

    fn step(&mut self, call: CallId, to: Station) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let step = (caller.at.clone(), caller.key.take(), to.clone());
        *self.footfall.steps.entry(step).or_default() += 1;
        *self.footfall.visits.entry(to.clone()).or_default() += 1;
        caller.at = to;
    }
}
