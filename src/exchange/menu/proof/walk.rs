//! All ways through the menus: every state that a caller can bring the machine into, and every step from there, found
//! by doing it. States are made by [`Rehearsal`], so by the machine that serves callers; two with the same mark are one.
//!
//! Invariant: each state is there once, with the shortest way to it; a step leads to a state or to the end of the call.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Language, PromptId, QueueId, UtcTime};
use crate::exchange::menu::rehearsal::{Act, PromptLengths, Rehearsal};
use crate::exchange::menu::run::{Does, Mark, Stands};
use crate::exchange::menu::set::{MenuSet, Step};

/// Keys on a telephone.
pub(super) const KEYS: &str = "1234567890*#";
/// Most states of one set at one hour; more is not a set that people wrote.
pub(super) const STATES_MAX: usize = 200_000;

/// Where a caller is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    /// In the menus, with his hidden digits.
    Menus(Box<Mark>, Option<u8>),
    /// In a line.
    Line(QueueId, Language),
}

impl Where {
    pub(super) fn mark(&self) -> Option<&Mark> {
        match self {
            Self::Menus(mark, _) => Some(mark),
            Self::Line(..) => None,
        }
    }
    pub(super) fn stands(&self) -> Option<Stands> {
        self.mark().map(|mark| mark.stands)
    }
    pub(super) fn is_line(&self) -> bool {
        matches!(self, Self::Line(..))
    }
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// To this state.
    State(usize),
    /// Out.
    End,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) act: Act,
    pub(super) to: To,
    /// How long it takes at most.
    pub(super) lasts: Duration,
}

/// One state.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) place: Where,
    /// The state before and the act that leads here; a dialled number at first.
    pub(super) from: Origin,
    pub(super) edges: Vec<Edge>,
    /// What is being said in it lasts so long; `None`: nothing is said.
    pub(super) says: Option<Duration>,
}

/// How a call begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialled {
    pub(super) number: String,
    /// The banner that is on.
    pub(super) banner: Option<PromptId>,
}

/// How a state was reached first.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Dialled(Dialled),
    Act(usize, Act),
}

/// All states at one hour.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    pub(super) at: UtcTime,
    pub(super) states: Vec<State>,
    /// Where callers of each number begin, when there is no banner.
    pub(super) starts: BTreeMap<String, usize>,
    /// There are more states than anybody may write.
    pub(super) cut: bool,
}

impl Ways {
    pub(super) fn edge(&self, state: usize, act: Act) -> Option<&Edge> {
        self.states.get(state)?.edges.iter().find(|edge| edge.act == act)
    }
    /// The number to dial, with the banner before it, and what to do to come to a state.
    pub(super) fn way_to(&self, state: usize) -> (Dialled, Vec<Act>) {
        let mut acts = Vec::new();
        let mut at = state;
        loop {
            match self.states.get(at).map(|s| &s.from) {
                Some(Origin::Act(before, act)) => {
                    acts.push(*act);
                    at = *before;
                }
                Some(Origin::Dialled(dialled)) => {
                    acts.reverse();
                    return (dialled.clone(), acts);
                }
                None => return (Dialled::default(), acts),
            }
        }
    }
}

/// Walks all ways at one hour.
pub(super) fn walk(set: &Arc<MenuSet>, lengths: &Arc<PromptLengths>, at: UtcTime) -> Ways {
    let mut walker = Walker {
        set,
        ways: Ways { at, states: Vec::new(), starts: BTreeMap::new(), cut: false },
        known: BTreeMap::new(),
        open: VecDeque::new(),
    };
    // Without a banner first: it is named only where it is to blame.
    for banner in std::iter::once(None).chain(set.banners.iter().map(Some)) {
        for number in set.numbers.keys() {
            if let Some(mut caller) = Rehearsal::dial_with(set, lengths, (number, banner), at) {
                caller.take_scenes();
                let dialled = Dialled { number: number.clone(), banner: banner.cloned() };
                if let (To::State(start), None) = (walker.meet(&caller, Origin::Dialled(dialled)), banner) {
                    walker.ways.starts.insert(number.clone(), start);
                }
            }
        }
    }
    while let Some((state, caller)) = walker.open.pop_front() {
        walker.expand(state, &caller);
    }
    walker.ways
}

struct Walker<'a> {
    set: &'a MenuSet,
    ways: Ways,
    known: BTreeMap<Where, usize>,
    open: VecDeque<(usize, Rehearsal)>,
}

impl Walker<'_> {
    fn expand(&mut self, state: usize, caller: &Rehearsal) {
        let Some(place) = self.ways.states.get(state).map(|s| s.place.clone()) else { return };
        for act in self.acts(&place) {
            let mut next = caller.clone();
            next.hold_hour(self.ways.at);
            next.act(act);
            let lasts = next.now().mono.since(caller.now().mono);
            next.hold_hour(self.ways.at);
            next.take_scenes();
            let to = self.meet(&next, Origin::Act(state, act));
            if let Some(state) = self.ways.states.get_mut(state) {
                state.edges.push(Edge { act, to, lasts });
            }
        }
    }

    /// The state that `caller` is in, which may be new.
    fn meet(&mut self, caller: &Rehearsal, from: Origin) -> To {
        let place = match (caller.mark(), caller.line()) {
            (Some((mark, vault)), _) => Where::Menus(Box::new(mark), vault),
            (None, Some(line)) => Where::Line(line.clone(), caller.language()),
            (None, None) => return To::End,
        };
        if let Some(state) = self.known.get(&place) {
            return To::State(*state);
        }
        let state = self.ways.states.len();
        let says = caller.says();
        self.known.insert(place.clone(), state);
        self.ways.states.push(State { place, from, edges: Vec::new(), says });
        if state < STATES_MAX {
            self.open.push_back((state, caller.clone()));
        } else {
            self.ways.cut = true;
        }
        To::State(state)
    }

    /// What makes a difference here.
    fn acts(&self, place: &Where) -> Vec<Act> {
        let (mark, vault) = match place {
            Where::Menus(mark, vault) => (mark, *vault),
            Where::Line(queue, _) => {
                let live = self.set.queues.get(queue).into_iter().flat_map(|q| q.keys.keys());
                return live.map(|key| Act::Key(*key)).chain([Act::Full]).collect();
            }
        };
        let keys = |keys: &str| -> Vec<Act> { keys.chars().filter_map(Act::from_char).collect() };
        let goes_on = match mark.does {
            Does::Listens => Act::Listen,
            Does::Thinks | Does::Types => Act::Wait,
        };
        let mut acts = match mark.stands {
            Stands::Gone => return Vec::new(),
            Stands::Entering if self.is_full(mark, vault) => keys("*#"),
            Stands::Entering => keys("1*#"),
            Stands::Announcing if mark.hides => keys("1*#"),
            Stands::Choosing | Stands::Confirming | Stands::Announcing => keys(KEYS),
        };
        acts.push(goes_on);
        acts
    }

    /// More digits than fit make no further difference.
    fn is_full(&self, mark: &Mark, vault: Option<u8>) -> bool {
        let most = match self.set.menus.get(&mark.menu).map(|menu| &menu.step) {
            Some(Step::Entry(entry)) => entry.max,
            Some(Step::Choice(_) | Step::Announcement(_)) | None => 0,
        };
        mark.digits.max(usize::from(vault.unwrap_or(0))) > usize::from(most)
    }
}
