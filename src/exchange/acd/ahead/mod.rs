//! Futures: what callers are told where formulas do not reach, because lines share agents, or some callers go first.
//!
//! The Acd asks for a batch ([`AcdOutput::RunAhead`]) when it tells somebody and what it knows is old or the state is another;
//! one batch serves a whole group of lines that share agents, and is used again until then. What comes back
//! ([`super::AcdInput::RanAhead`]) multiplies what the formula says of the state as it then is. Until it comes, what is known
//! speaks: nothing waits for it, and what never comes is asked for again.
mod curve;
mod future;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use future::Futures;

use super::measured::Flow;
use super::roster::{Profile, ProfileId};
use super::waiting::{Line, LineId};
use super::{Acd, AcdOutput, LineAhead, RanAhead};
use crate::base::{BatchId, Instant};

/// A batch that has not come by then is asked for again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two batches of a group, at least.
const APART: Duration = Duration::from_secs(10);
/// A step of a batch is paid for by so much time until the next: at 2 us a step, a group takes a six-thousandth of a core.
const PAID_BY: Duration = Duration::from_millis(12);
/// While the state stays the same a batch is used for so long.
const FRESH: Duration = Duration::from_mins(2);
/// However the state is, a batch is used for so long.
const OLD: Duration = Duration::from_mins(10);
/// How long a judgement holds whether formulas reach.
const JUDGED: Duration = Duration::from_secs(30);
/// What a line's callers per second must be for it to count.
const ALIVE_PER_S: f64 = 1e-4;
/// A step in a modelled thread: what it takes on a machine of 2020.
const STEP: Duration = Duration::from_micros(3);

/// What is asked for and known.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    last: BatchId,
    /// The first line of each line's group.
    firsts: BTreeMap<LineId, LineId>,
    /// Lines or agents have not changed since then.
    grouped: bool,
    groups: BTreeMap<LineId, Group>,
}

/// Lines that share agents.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// Whether formulas do not reach, and when that was judged.
    beyond: Option<(bool, Instant)>,
    asked: Option<(BatchId, Instant)>,
    /// The state for which the last one was asked.
    scene: Scene,
    /// When the last one that came was asked for.
    known: Option<Instant>,
    /// No other before.
    next: Instant,
}

impl Group {
    /// Whether this batch is waited for.
    fn is_asked(&self, batch: BatchId) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == batch)
    }

    /// When something was last asked for or known.
    fn latest(&self) -> Option<Instant> {
        self.asked.map(|(_, at)| at).max(self.known)
    }
}

/// A state, as far as it must be the same for a batch to be used again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Scene {
    waiting: usize,
    agents: u32,
    handle_s: f64,
}

impl Scene {
    /// Within a fifth of those who wait, or three; of a thirtieth of those at work; of a tenth of their time for a caller.
    fn is_like(&self, other: &Self) -> bool {
        let waiting = self.waiting.abs_diff(other.waiting) <= (other.waiting / 5).max(3);
        let agents = self.agents.abs_diff(other.agents) <= other.agents / 30;
        waiting && agents && (self.handle_s - other.handle_s).abs() <= other.handle_s / 10.0
    }
}

/// What is known of a line, and since when.
pub(crate) type Known = Arc<(Instant, LineAhead)>;

impl RanAhead {
    /// How long a thread takes for it in a simulation: the same on every machine.
    pub fn modelled_delay(&self) -> Duration {
        Duration::from_millis(5) + STEP * self.steps
    }
}

impl Ahead {
    /// Lines or agents have changed: who shares with whom is to be worked out anew, when somebody is told next. Until then,
    /// and until another batch comes, what is known speaks.
    pub(super) fn regroup(&mut self) {
        self.grouped = false;
    }

    /// Who shares with whom now. What was asked and known of a line's group before is so of its new one; of several that
    /// have become one, the latest.
    fn group(&mut self, firsts: BTreeMap<LineId, LineId>) {
        let before = std::mem::replace(&mut self.firsts, firsts);
        let groups = std::mem::take(&mut self.groups);
        for (line, first) in &self.firsts {
            let Some(was) = before.get(line).and_then(|first| groups.get(first)) else { continue };
            let group = self.groups.entry(*first).or_insert(*was);
            let beyond = group.beyond.max(was.beyond);
            if was.latest() > group.latest() {
                *group = *was;
            }
            group.beyond = beyond;
        }
        self.grouped = true;
    }
}

impl Acd {
    /// The futures of a batch that is waited for, from the state as it is now.
    pub fn futures(&self, batch: BatchId) -> Option<Futures> {
        let asked = |first: &LineId| self.ahead.groups.get(first).is_some_and(|g| g.is_asked(batch));
        let lines = self.ahead.firsts.iter().filter(|(_, first)| asked(first)).map(|(line, _)| *line);
        let lines: BTreeSet<LineId> = lines.collect();
        (!lines.is_empty()).then(|| Futures::new(self, batch, &lines))
    }

    /// What futures say of this line, if formulas do not reach and it is not too old.
    pub(super) fn foreseen(&self, line: LineId) -> Option<Known> {
        let first = self.ahead.firsts.get(&line)?;
        let beyond = self.ahead.groups.get(first)?.beyond?.0;
        let known = self.room.line(line)?.foreseen.as_ref()?;
        (beyond && self.now.mono < known.0 + OLD).then(|| Arc::clone(known))
    }

    /// Somebody of this line is to be told: asks for a batch, if one is worth it.
    pub(super) fn look_ahead(&mut self, line: LineId) {
        let now = self.now.mono;
        let Some(first) = self.first_of(line) else { return };
        let mut group = self.ahead.groups.get(&first).copied().unwrap_or_default();
        let judged = group.beyond.filter(|(_, at)| now < *at + JUDGED);
        let (beyond, _) = *group.beyond.insert(judged.unwrap_or_else(|| (self.is_beyond(first), now)));
        let waited_for = group.asked.is_some_and(|(_, at)| now < at + PATIENCE);
        if beyond && !waited_for && now >= group.next {
            let scene = self.scene(first);
            // The scene is that of the batch asked for last: one that never came says nothing of the one that did.
            let came = group.asked.is_none() && group.known.is_some_and(|at| now < at + FRESH);
            let fresh = came && scene.is_like(&group.scene);
            if scene.waiting >= 2 && scene.agents > 0 && !fresh {
                self.ahead.last = self.ahead.last.next();
                (group.asked, group.scene, group.next) = (Some((self.ahead.last, now)), scene, now + APART);
                self.counters.batches += 1;
                self.outputs.push_back(AcdOutput::RunAhead { batch: self.ahead.last });
            }
        }
        self.ahead.groups.insert(first, group);
    }

    /// A batch has come.
    pub(super) fn ran_ahead(&mut self, ran: RanAhead) {
        let mut asked = None;
        // More than one, if the group was split meanwhile.
        for group in self.ahead.groups.values_mut().filter(|g| g.is_asked(ran.batch)) {
            let Some((_, at)) = group.asked.take() else { continue };
            group.known = Some(at);
            group.next = group.next.max(at + PAID_BY * ran.steps);
            asked = Some(at);
        }
        let Some(at) = asked else {
            self.counters.batches_late += 1;
            return;
        };
        for foreseen in ran.lines {
            if let Some(line) = self.room.line_mut(foreseen.line) {
                line.foreseen = Some(Arc::new((at, foreseen)));
            }
        }
    }

    fn first_of(&mut self, line: LineId) -> Option<LineId> {
        if !self.ahead.grouped {
            let firsts = self.shared();
            self.ahead.group(firsts);
        }
        self.ahead.firsts.get(&line).copied()
    }

    /// For each line the first of those with which it shares agents, directly or by others.
    fn shared(&self) -> BTreeMap<LineId, LineId> {
        let mut firsts: BTreeMap<LineId, LineId> = BTreeMap::new();
        let mut of_profile: BTreeMap<ProfileId, LineId> = BTreeMap::new();
        for (id, line) in self.room.lines() {
            let met: BTreeSet<LineId> =
                line.profiles().iter().filter_map(|p| of_profile.get(p).copied()).collect();
            let first = met.first().copied().unwrap_or(id);
            if met.len() > 1 {
                for known in firsts.values_mut().chain(of_profile.values_mut()).filter(|f| met.contains(f)) {
                    *known = first;
                }
            }
            firsts.insert(id, first);
            of_profile.extend(line.profiles().iter().map(|p| (*p, first)));
        }
        firsts
    }

    fn of_group(&self, first: LineId) -> impl Iterator<Item = &Line> {
        let firsts = self.ahead.firsts.iter();
        firsts.filter(move |(_, f)| **f == first).filter_map(|(id, _)| self.room.line(*id))
    }

    /// Whether lines with callers are served by different agents, or some of their callers go first.
    fn is_beyond(&self, first: LineId) -> bool {
        let now = self.now.mono;
        let (mut needs, mut classes) = (BTreeSet::new(), BTreeSet::new());
        for line in self.of_group(first) {
            let alive = |flow: &Flow| flow.per_s(now) > ALIVE_PER_S;
            let come: Vec<usize> =
                (0..).zip(line.flows()).filter(|(_, flow)| alive(flow)).map(|(class, _)| class).collect();
            if !come.is_empty() || !line.waiting().is_empty() {
                needs.insert(line.profiles());
            }
            classes.extend(come);
        }
        needs.len() > 1 || classes.len() > 1
    }

    fn scene(&self, first: LineId) -> Scene {
        let (mut profiles, mut queues): (BTreeSet<ProfileId>, _) = (BTreeSet::new(), BTreeSet::new());
        let mut waiting = 0;
        for line in self.of_group(first) {
            waiting += line.waiting().len() + line.held().len();
            profiles.extend(line.profiles());
            queues.insert(line.queue());
        }
        let agents =
            profiles.into_iter().filter_map(|id| self.roster.profile(id)).map(Profile::at_work).sum();
        let handle = |queue: &&crate::base::QueueId| {
            Some(self.desks.get(*queue)?.measured.handling(self.plan.queues.get(*queue)?).total_s())
        };
        Scene { waiting, agents, handle_s: queues.iter().filter_map(handle).sum() }
    }
}
