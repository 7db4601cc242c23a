//! How far it is from a number to each line: keys, and the time of a caller who hears each menu to its end before he presses.
//!
//! Invariant: every way is one that the walk found by doing it.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use super::walk::{self, Edge, State, To, Ways, Where};
use crate::base::{QueueId, UtcTime};
use crate::exchange::menu::rehearsal::{Act, PromptLengths};
use crate::exchange::menu::run::Does;
use crate::exchange::menu::set::MenuSet;

/// What a way costs: keys first, then time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exchange::menu) struct Toll {
    pub(in crate::exchange::menu) keys: u32,
    pub(in crate::exchange::menu) lasts: Duration,
}

/// How far each line is, for callers of each number; `None` as the line: of who does nothing, wherever he comes to.
pub(in crate::exchange::menu) type Tolls = BTreeMap<(String, Option<QueueId>), Toll>;

/// All of them at one hour.
pub(in crate::exchange::menu) fn tolls(
    set: &Arc<MenuSet>,
    lengths: &Arc<PromptLengths>,
    at: UtcTime,
) -> Tolls {
    let ways = walk::walk(&set.at(at), lengths, at);
    let mut tolls = Tolls::new();
    for (number, start) in &ways.starts {
        for (line, toll) in from(&ways, *start) {
            tolls.insert((number.clone(), Some(line)), toll);
        }
        if let Some(lasts) = alone(&ways, *start) {
            tolls.insert((number.clone(), None), Toll { keys: 0, lasts });
        }
    }
    tolls
}

/// The cheapest way from a state to each line, for who knows what he wants: not by silence.
fn from(ways: &Ways, start: usize) -> BTreeMap<QueueId, Toll> {
    let mut lines: BTreeMap<QueueId, Toll> = BTreeMap::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut open = BinaryHeap::from([Reverse((Toll::default(), start))]);
    while let Some(Reverse((toll, at))) = open.pop() {
        let Some(state) = ways.states.get(at).filter(|_| done.insert(at)) else { continue };
        if let Where::Line(queue, _) = &state.place {
            lines.entry(queue.clone()).or_insert(toll);
            continue;
        }
        for edge in state.edges.iter().filter(|edge| edge.act != Act::Wait) {
            if let To::State(to) = edge.to {
                open.push(Reverse((after(toll, state, edge), to)));
            }
        }
    }
    lines
}

fn after(toll: Toll, state: &State, edge: &Edge) -> Toll {
    let listens = state.place.mark().is_some_and(|mark| mark.does == Does::Listens);
    match edge.act {
        Act::Key(_) => {
            let heard = state.says.filter(|_| listens).unwrap_or_default();
            Toll { keys: toll.keys + 1, lasts: toll.lasts + heard + edge.lasts }
        }
        Act::Listen | Act::Wait | Act::Full => Toll { lasts: toll.lasts + edge.lasts, ..toll },
    }
}

/// How long who does nothing is on his way to a line or to the end.
fn alone(ways: &Ways, start: usize) -> Option<Duration> {
    let (mut at, mut lasts) = (start, Duration::ZERO);
    for _ in 0..=ways.states.len() {
        let state = ways.states.get(at)?;
        if state.place.is_line() {
            return Some(lasts);
        }
        let edge = state.edges.iter().find(|e| matches!(e.act, Act::Listen | Act::Wait))?;
        lasts += edge.lasts;
        match edge.to {
            To::State(to) => at = to,
            To::End => return Some(lasts),
        }
    }
    None
}
