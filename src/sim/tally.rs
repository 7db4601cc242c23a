//! What a day was like, gathered from its facts: waits, service level, who gave up, who was told what, who worked.
use std::collections::BTreeMap;
use std::time::Duration;

use super::Plan;
use super::figures::{DayReport, HalfHour, KeyCount, MachineFigures, QueueDay, ToldPoint, ToldTrue, Waits};
use crate::base::{CallId, Key, Lookup, MenuId, QueueId};
use crate::exchange::acd::AgentState;
use crate::exchange::{Cause, Fact, PromiseTally, Told};

const HALF_HOUR: Duration = Duration::from_mins(30);
/// Most tellings kept one by one for the picture.
const POINTS: usize = 1_500;

pub(super) use super::figures::MachineFigures as Machine;

/// What is known of a call that is going on.
#[derive(Debug, Default)]
struct CallNote {
    /// When he first joined a queue, and which.
    queued: Option<(Duration, QueueId)>,
    /// What he was first told: how long he had waited then, and the range.
    told: Option<(Duration, Duration, Duration)>,
    connected: bool,
    overflowed: bool,
    waited: Duration,
}

/// Callers of one half hour, or of one queue.
#[derive(Clone, Debug, Default)]
struct Group {
    arrived: u64,
    queued: u64,
    answered: u64,
    in_time: u64,
    abandoned: u64,
    turned_away: u64,
    waits_ms: Vec<u32>,
    sum: Duration,
    free: Duration,
    busy: Duration,
}

/// What an agent is doing, for staffing and occupancy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Away,
    Free,
    Busy,
}

/// A day's sums so far.
#[derive(Debug)]
pub(super) struct Tally {
    halves: Vec<Group>,
    queues: BTreeMap<QueueId, Group>,
    targets: BTreeMap<QueueId, Duration>,
    calls: Lookup<CallId, CallNote>,
    keys: BTreeMap<(MenuId, Key), u64>,
    agents: Vec<(Work, Duration)>,
    told: ToldTrue,
    promises: PromiseTally,
    /// One telling of so many is kept for the picture.
    every: u64,
    visits: u64,
    refused: u64,
    pub(super) redials: u64,
    rises: u64,
    lost_agents: u64,
    conferences: u64,
    transfers: u64,
}

impl Tally {
    pub(super) fn new(plan: &Plan, agents: usize) -> Self {
        Self {
            halves: vec![Group::default(); plan.scenario.half_hours()],
            queues: BTreeMap::new(),
            targets: plan.menus.acd.queues.iter().map(|(id, q)| (id.clone(), q.service_target)).collect(),
            calls: Lookup::new(),
            keys: BTreeMap::new(),
            agents: vec![(Work::Away, Duration::ZERO); agents],
            told: ToldTrue::default(),
            promises: PromiseTally::default(),
            every: 1,
            visits: 0,
            refused: 0,
            redials: 0,
            rises: 0,
            lost_agents: 0,
            conferences: 0,
            transfers: 0,
        }
    }

    /// The half hour of a moment; what comes after the end belongs to the last.
    fn half(halves: &mut [Group], at: Duration) -> Option<&mut Group> {
        let last = halves.len().checked_sub(1)?;
        let n = usize::try_from(at.as_secs() / HALF_HOUR.as_secs()).unwrap_or(last);
        halves.get_mut(n.min(last))
    }

    pub(super) fn fact(&mut self, fact: &Fact, at: Duration) {
        match fact {
            Fact::CallStarted { call, .. } => {
                self.visits += 1;
                self.calls.insert(*call, CallNote::default());
                if let Some(half) = Self::half(&mut self.halves, at) {
                    half.arrived += 1;
                }
            }
            Fact::CallRefused { .. } => self.refused += 1,
            Fact::KeyPressed { menu: Some(menu), key, .. } => {
                *self.keys.entry((menu.clone(), *key)).or_default() += 1;
            }
            Fact::Queued { call, queue, .. } => self.queued(*call, queue, at),
            Fact::WaitTold { call, told: Told::Wait { low, high, rose }, waited, .. } => {
                self.rises += u64::from(rose.is_some());
                if let Some(note) = self.calls.get_mut(call) {
                    note.told.get_or_insert((*waited, *low, *high));
                }
            }
            Fact::PromiseOver { promised, .. } => self.promises.count(promised),
            Fact::LeftQueue { call, waited, .. } => {
                if let Some(note) = self.calls.get_mut(call) {
                    note.waited = *waited;
                }
            }
            Fact::Overflowed { call, waited, .. } => {
                if let Some(note) = self.calls.get_mut(call) {
                    (note.overflowed, note.waited) = (true, *waited);
                }
            }
            Fact::Connected { call, waited, .. } => self.connected(*call, *waited),
            Fact::AgentLeft { cause, .. } => self.lost_agents += u64::from(*cause == Cause::SoundLost),
            Fact::ConferenceStarted { .. } => self.conferences += 1,
            Fact::TransferOver { failed: None, .. } => self.transfers += 1,
            Fact::CallEnded { call, cause, .. } => self.ended(*call, *cause, at),
            _ => {}
        }
    }

    fn queued(&mut self, call: CallId, queue: &QueueId, at: Duration) {
        let Some(note) = self.calls.get_mut(&call) else { return };
        if note.queued.is_none() {
            note.queued = Some((at, queue.clone()));
            self.queues.entry(queue.clone()).or_default().queued += 1;
            if let Some(half) = Self::half(&mut self.halves, at) {
                half.queued += 1;
            }
        }
    }

    fn connected(&mut self, call: CallId, waited: Duration) {
        let Some(note) = self.calls.get_mut(&call).filter(|n| !n.connected) else { return };
        note.connected = true;
        let Some((at, queue)) = &note.queued else { return };
        let in_time = self.targets.get(queue).is_none_or(|target| waited <= *target);
        if let Some((before, low, high)) = note.told {
            let left = waited.saturating_sub(before);
            let inside = low <= left && left <= high;
            self.told.told += 1;
            self.told.inside += u64::from(inside);
            self.told.longer += u64::from(left > high);
            if self.told.told.is_multiple_of(self.every) {
                let point = ToldPoint {
                    low_s: low.as_secs_f64(),
                    high_s: high.as_secs_f64(),
                    true_s: left.as_secs_f64(),
                };
                self.told.points.push(point);
                // Every second one goes when there are too many, so that the whole day is seen.
                if self.told.points.len() > POINTS {
                    let mut keep = false;
                    self.told.points.retain(|_| {
                        keep = !keep;
                        keep
                    });
                    self.every *= 2;
                }
            }
        }
        let (at, queue) = (*at, queue.clone());
        for group in [Self::half(&mut self.halves, at), self.queues.get_mut(&queue)].into_iter().flatten() {
            group.answered += 1;
            group.in_time += u64::from(in_time);
            group.sum += waited;
            group.waits_ms.push(u32::try_from(waited.as_millis()).unwrap_or(u32::MAX));
        }
    }

    fn ended(&mut self, call: CallId, cause: Cause, _at: Duration) {
        let Some(note) = self.calls.remove(&call) else { return };
        let Some((at, queue)) = note.queued.filter(|_| !note.connected) else { return };
        let turned_away = note.overflowed && cause != Cause::HungUp;
        for group in [Self::half(&mut self.halves, at), self.queues.get_mut(&queue)].into_iter().flatten() {
            if turned_away {
                group.turned_away += 1;
            } else {
                group.abandoned += 1;
            }
        }
    }

    pub(super) fn agent_changed(&mut self, agent: usize, state: &AgentState, at: Duration) {
        let work = match state {
            AgentState::SignedOut | AgentState::Unreachable | AgentState::Paused(_) => Work::Away,
            AgentState::Ready => Work::Free,
            AgentState::Ringing(_) | AgentState::Talking(_) | AgentState::WrapUp | AgentState::Engaged => {
                Work::Busy
            }
        };
        if let Some((old, since)) = self.agents.get_mut(agent).map(|a| std::mem::replace(a, (work, at))) {
            self.worked(old, since, at);
        }
    }

    /// Splits a stretch of work over the half hours in which it lies.
    fn worked(&mut self, work: Work, mut since: Duration, until: Duration) {
        while work != Work::Away && since < until {
            let n = since.as_secs() / HALF_HOUR.as_secs();
            let end = HALF_HOUR.saturating_mul(u32::try_from(n + 1).unwrap_or(u32::MAX)).min(until);
            let half = usize::try_from(n).ok().and_then(|n| self.halves.get_mut(n));
            let Some(half) = half else { return };
            match work {
                Work::Free => half.free += end.saturating_sub(since),
                Work::Busy => half.busy += end.saturating_sub(since),
                Work::Away => {}
            }
            since = end;
        }
    }

    pub(super) fn finish(mut self, plan: &Plan, lasted: Duration, machine: MachineFigures) -> DayReport {
        for n in 0..self.agents.len() {
            if let Some((work, since)) = self.agents.get(n).copied() {
                self.worked(work, since, lasted);
            }
        }
        let mut waits: Vec<u32> = self.halves.iter().flat_map(|h| h.waits_ms.iter().copied()).collect();
        let sum = |of: fn(&Group) -> u64| self.halves.iter().map(of).sum::<u64>();
        let (answered, abandoned) = (sum(|g| g.answered), sum(|g| g.abandoned));
        let (queued, turned_away, in_time) = (sum(|g| g.queued), sum(|g| g.turned_away), sum(|g| g.in_time));
        let (free, busy): (Duration, Duration) =
            self.halves.iter().fold(Default::default(), |(f, b), h| (f + h.free, b + h.busy));
        let total_wait: Duration = self.halves.iter().map(|h| h.sum).sum();
        let decided = answered + abandoned + turned_away;
        DayReport {
            scenario: plan.scenario.name.clone(),
            title: plan.scenario.title.clone(),
            visits: self.visits,
            redials: self.redials,
            refused: self.refused,
            queued,
            answered,
            abandoned,
            turned_away,
            in_menus: self.visits.saturating_sub(queued),
            service_level: share(in_time, decided),
            abandonment: share(abandoned + turned_away, decided),
            occupancy: ratio(busy.as_secs_f64(), (busy + free).as_secs_f64()),
            waits: Waits::of(&mut waits, total_wait),
            told: self.told,
            promises: self.promises.figures(),
            rises: self.rises,
            lost_agents: self.lost_agents,
            conferences: self.conferences,
            transfers: self.transfers,
            half_hours: self.halves.into_iter().enumerate().map(|(n, g)| half_hour(plan, n, g)).collect(),
            queues: self.queues.into_iter().map(|(id, g)| queue_day(&id, g)).collect(),
            keys: self
                .keys
                .into_iter()
                .map(|((menu, key), count)| KeyCount { menu: menu.to_string(), key: key.to_string(), count })
                .collect(),
            machine,
        }
    }
}

fn half_hour(plan: &Plan, n: usize, mut g: Group) -> HalfHour {
    let at = HALF_HOUR.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
    let (h, m) = plan.scenario.wall(at);
    let length = plan.scenario.lasts.saturating_sub(at).min(HALF_HOUR).as_secs_f64();
    let decided = g.answered + g.abandoned + g.turned_away;
    HalfHour {
        clock: format!("{h:02}:{m:02}"),
        arrived: g.arrived,
        queued: g.queued,
        answered: g.answered,
        abandoned: g.abandoned,
        turned_away: g.turned_away,
        service_level: share(g.in_time, decided),
        waits: Waits::of(&mut g.waits_ms, g.sum),
        agents: ratio((g.free + g.busy).as_secs_f64(), length),
        busy: ratio(g.busy.as_secs_f64(), length),
    }
}

fn queue_day(id: &QueueId, mut g: Group) -> QueueDay {
    let decided = g.answered + g.abandoned + g.turned_away;
    QueueDay {
        queue: id.to_string(),
        queued: g.queued,
        answered: g.answered,
        abandoned: g.abandoned,
        turned_away: g.turned_away,
        service_level: share(g.in_time, decided),
        waits: Waits::of(&mut g.waits_ms, g.sum),
    }
}

/// `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "numbers of callers are far below 2^52")]
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
