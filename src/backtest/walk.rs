//! Walks a log in the order of time and shows the state at each moment at which somebody could be told his wait.
//!
//! At equal times joining comes before leaving, so nobody is told what his own second still brings.
use std::collections::{BTreeMap, VecDeque};

use super::log::{Call, CallLog};
use super::moment::{Moment, Plain};
use crate::exchange::acd::Sight;

/// Time between two tellings, in seconds.
const TELL_EVERY_S: f64 = 60.0;
/// Tellings after the first that are looked at.
const TELLINGS: u32 = 120;
/// A caller of class 2 counts as if he had joined so much earlier.
const HEAD_START_S: f64 = 90.0;
/// Talks whose mean is taken.
const TALKS: usize = 200;
/// Talks by which it is told how long others will still last.
const DURATIONS: usize = 400;
/// Within this time an agent was seen, in seconds.
const SEEN_S: f64 = 600.0;
/// Services kept apart.
const KINDS: usize = 8;
const DAY_S: f64 = 86_400.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Join,
    Tell(u32),
    Leave,
    TalkBegins,
    TalkEnds,
}

/// What is known of an agent.
#[derive(Clone, Copy, Debug, Default)]
struct Agent {
    seen_s: Option<f64>,
    /// Since when he talks, and in which call.
    talking: Option<(f64, usize)>,
    /// The same of calls that are judged alone.
    plain_seen_s: Option<f64>,
    plain_talking: Option<usize>,
    /// How much of his last work went to each service.
    mix: [f64; KINDS],
    /// Fading sum and number of his talks.
    pace: (f64, f64),
}

impl Agent {
    fn present(&self, now: f64, within: f64) -> bool {
        self.talking.is_some() || self.seen_s.is_some_and(|s| s >= now - within)
    }
    fn can(&self, service: usize) -> bool {
        self.mix[service.min(KINDS - 1)] > 0.4
    }
    fn rate(&self) -> f64 {
        if self.pace.1 > 0.0 { self.pace.1 / self.pace.0.max(1.0) } else { 1.0 / 180.0 }
    }
}

/// One half-hour of one day.
#[derive(Clone, Copy, Debug, Default)]
struct HalfHour {
    day: f64,
    talk_s: f64,
    talks: f64,
    joined: f64,
    left: f64,
}

/// The state while walking.
struct State<'c> {
    calls: &'c [Call],
    kinds: Vec<u8>,
    named: (Option<usize>, Option<usize>),
    waiting: Vec<usize>,
    agents: Vec<Agent>,
    talks: VecDeque<f64>,
    talk_sum: f64,
    durations: VecDeque<f64>,
    sorted: Vec<f64>,
    averages: (f64, f64, f64),
    hung_up: f64,
    waited_s: f64,
    joined: VecDeque<f64>,
    served: VecDeque<f64>,
    left: VecDeque<f64>,
    by_service: Vec<VecDeque<(f64, f64)>>,
    halves: BTreeMap<u32, VecDeque<HalfHour>>,
}

/// All moments, in the order of time.
pub(super) fn walk(log: &CallLog) -> Vec<Moment> {
    let mut state = State::new(log);
    let mut moments = Vec::new();
    for (at, event, call) in events(&log.calls) {
        if let Event::Join | Event::Tell(_) = event {
            let telling = if let Event::Tell(n) = event { n } else { 0 };
            moments.extend(state.moment(call, at, telling));
        }
        state.happen(at, event, call);
    }
    moments
}

fn events(calls: &[Call]) -> Vec<(f64, Event, usize)> {
    let mut all = Vec::new();
    for (i, call) in calls.iter().enumerate() {
        if let Some((joined, left)) = call.waited.filter(|_| !call.aside) {
            all.push((joined, Event::Join, i));
            all.push((left, Event::Leave, i));
            let later = (1..=TELLINGS).map(|n| (joined + TELL_EVERY_S * f64::from(n), Event::Tell(n), i));
            all.extend(later.take_while(|(at, _, _)| *at < left));
        }
        if let Some((began, ended, _)) = call.talk {
            all.push((began, Event::TalkBegins, i));
            all.push((ended, Event::TalkEnds, i));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    all
}

/// The kind of each service: 0 the one that came most often among the first thousand, 1, 2 the next; others 3.
fn kinds(log: &CallLog) -> Vec<u8> {
    let mut came = vec![(0usize, 0usize); log.services.len()];
    for (i, entry) in came.iter_mut().enumerate() {
        entry.1 = i;
    }
    for call in log.calls.iter().filter(|c| !c.aside && c.waited.is_some()).take(1000) {
        if let Some(entry) = came.get_mut(call.service) {
            entry.0 += 1;
        }
    }
    came.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut kinds = vec![3; log.services.len()];
    for (kind, (_, service)) in (0..3).zip(came) {
        kinds[service] = kind;
    }
    kinds
}

impl<'c> State<'c> {
    fn new(log: &'c CallLog) -> Self {
        let named = |name: &str| log.services.iter().position(|s| s == name);
        Self {
            calls: &log.calls,
            kinds: kinds(log),
            named: (named("NW"), named("NE")),
            waiting: Vec::new(),
            agents: vec![Agent::default(); log.agents],
            talks: VecDeque::new(),
            talk_sum: 0.0,
            durations: VecDeque::new(),
            sorted: Vec::new(),
            averages: (0.0, 0.0, 0.0),
            hung_up: 0.0,
            waited_s: 0.0,
            joined: VecDeque::new(),
            served: VecDeque::new(),
            left: VecDeque::new(),
            by_service: vec![VecDeque::new(); log.services.len()],
            halves: BTreeMap::new(),
        }
    }

    fn happen(&mut self, at: f64, event: Event, i: usize) {
        let call = self.calls[i];
        match event {
            Event::Tell(_) => {}
            Event::Join => {
                self.waiting.push(i);
                self.joined.push_back(at);
                self.half(at).joined += 1.0;
            }
            Event::Leave => self.leaves(at, i, call),
            Event::TalkBegins => self.talk_begins(at, i, call),
            Event::TalkEnds => self.talk_ends(at, i, call),
        }
        for recent in [&mut self.joined, &mut self.served, &mut self.left] {
            while recent.front().is_some_and(|t| *t < at - 1800.0) {
                recent.pop_front();
            }
        }
    }

    fn leaves(&mut self, at: f64, i: usize, call: Call) {
        self.waiting.retain(|w| *w != i);
        let wait = call.waited.map_or(0.0, |(joined, left)| left - joined);
        self.waited_s += wait;
        if call.served {
            self.enters_service(at, wait);
        } else {
            self.hung_up += 1.0;
            self.left.push_back(at);
            self.half(at).left += 1.0;
        }
    }

    fn enters_service(&mut self, at: f64, wait: f64) {
        let (_, quarter, tenth) = self.averages;
        self.averages = (wait, (3.0 * quarter + wait) / 4.0, 0.9 * tenth + 0.1 * wait);
        self.served.push_back(at);
    }

    fn talk_begins(&mut self, at: f64, i: usize, call: Call) {
        let Some((_, _, number)) = call.talk else { return };
        let wait = call.waited.map_or(0.0, |(joined, left)| left - joined);
        if let Some(agent) = self.agents.get_mut(number) {
            for share in &mut agent.mix {
                *share *= 1.0 - 1.0 / 60.0;
            }
            agent.mix[call.service.min(KINDS - 1)] += 1.0;
            (agent.talking, agent.seen_s) = (Some((at, i)), Some(at));
            if !call.aside {
                (agent.plain_talking, agent.plain_seen_s) = (Some(i), Some(at));
            }
        }
        let recent = &mut self.by_service[call.service];
        recent.push_back((at, wait));
        while recent.len() > 5 && recent.front().is_some_and(|(t, _)| *t < at - 1800.0) {
            recent.pop_front();
        }
        if !call.aside && call.waited.is_none() {
            self.enters_service(at, 0.0);
        }
    }

    fn talk_ends(&mut self, at: f64, i: usize, call: Call) {
        let Some((began, ended, number)) = call.talk else { return };
        let took = ended - began;
        if let Some(agent) = self.agents.get_mut(number) {
            agent.pace = if agent.pace.1 > 0.0 { agent.pace } else { (600.0, 3.0) };
            agent.pace = (agent.pace.0 * 0.98 + took, agent.pace.1 * 0.98 + 1.0);
            agent.talking = agent.talking.filter(|(_, other)| *other != i);
            agent.seen_s = Some(at);
            if !call.aside {
                agent.plain_talking = agent.plain_talking.filter(|other| *other != i);
                agent.plain_seen_s = Some(at);
            }
        }
        self.durations.push_back(took);
        let place = self.sorted.partition_point(|d| *d < took);
        self.sorted.insert(place, took);
        if self.durations.len() > DURATIONS
            && let Some(oldest) = self.durations.pop_front()
        {
            let place = self.sorted.partition_point(|d| *d < oldest);
            self.sorted.remove(place);
        }
        if !call.aside {
            self.talks.push_back(took);
            self.talk_sum += took;
            if self.talks.len() > TALKS {
                self.talk_sum -= self.talks.pop_front().unwrap_or(0.0);
            }
            let half = self.half(at);
            half.talk_s += took;
            half.talks += 1.0;
        }
    }

    fn half(&mut self, at: f64) -> &mut HalfHour {
        let day = libm::floor(at / DAY_S);
        let week = self.halves.entry(slot(at)).or_default();
        if week.back().is_none_or(|h| (h.day - day).abs() > 0.5) {
            week.push_back(HalfHour { day, ..HalfHour::default() });
            if week.len() > 7 {
                week.pop_front();
            }
        }
        let last = week.len() - 1;
        &mut week[last]
    }

    /// Mean talk and share of hang-ups in this half-hour over the days kept.
    fn week(&self, at: f64, talk_s: f64) -> (f64, f64) {
        let sum = |f: fn(&HalfHour) -> f64| self.halves.get(&slot(at)).map_or(0.0, |w| w.iter().map(f).sum());
        let (talks, joined) = (sum(|h| h.talks), sum(|h| h.joined));
        let mean = if talks > 0.0 { sum(|h| h.talk_s) / talks } else { talk_s };
        (mean, if joined > 0.0 { (sum(|h| h.left) / joined).min(0.95) } else { 0.0 })
    }

    /// His time in the order: class 2 counts as joined earlier.
    fn order(&self, i: usize) -> (f64, usize) {
        let call = &self.calls[i];
        let joined = call.waited.map_or(0.0, |(joined, _)| joined);
        (joined - if call.urgent { HEAD_START_S } else { 0.0 }, i)
    }

    fn moment(&self, i: usize, at: f64, telling: u32) -> Option<Moment> {
        let call = self.calls[i];
        let (joined, left) = call.waited?;
        let before = |z: &&usize| self.order(**z) < self.order(i);
        let others: Vec<usize> = self.waiting.iter().copied().filter(|z| *z != i).collect();
        let ahead: Vec<usize> = others.iter().filter(before).copied().collect();
        let elders = if telling == 0 { others.clone() } else { ahead.clone() };
        let plain = self.plain((i, at, at - joined), &elders, &ahead);
        let sight = self.sight((i, at), (&elders, &ahead), &plain);
        Some(Moment { call: i, at_s: at, telling, remaining_s: left - at, sight, plain })
    }

    fn plain(&self, (i, at, elapsed_s): (usize, f64, f64), elders: &[usize], ahead: &[usize]) -> Plain {
        let call = self.calls[i];
        let present =
            |a: &&Agent| a.plain_talking.is_some() || a.plain_seen_s.is_some_and(|s| s >= at - SEEN_S);
        let talk_s = if self.talks.is_empty() { 180.0 } else { self.talk_sum / count(self.talks.len()) };
        let (last_s, quarter_s, tenth_s) = self.averages;
        let is = |service: Option<usize>| f64::from(u8::from(service == Some(call.service)));
        Plain {
            elapsed_s,
            waiting: count(elders.len()),
            ahead: count(ahead.len()),
            head_s: self.longest(at, elders.iter()),
            last_s,
            quarter_s,
            tenth_s,
            busy: count(self.agents.iter().filter(|a| a.plain_talking.is_some()).count()),
            staff: count(self.agents.iter().filter(present).count()),
            talk_s,
            theta: (self.hung_up + 1.0) / (self.waited_s + 900.0),
            week: self.week(at, talk_s),
            urgent: f64::from(u8::from(call.urgent)),
            services: (is(self.named.0), is(self.named.1)),
            day_s: at.rem_euclid(DAY_S),
        }
    }

    fn longest<'i>(&self, at: f64, who: impl Iterator<Item = &'i usize>) -> f64 {
        who.filter_map(|z| self.calls[*z].waited).map(|(joined, _)| at - joined).fold(0.0, f64::max)
    }

    fn sight(&self, (i, at): (usize, f64), (elders, ahead): (&[usize], &[usize]), plain: &Plain) -> Sight {
        let call = self.calls[i];
        let same = |z: &&usize| self.calls[**z].service == call.service;
        let of = |who: &[usize], f: &dyn Fn(&&usize) -> bool| count(who.iter().filter(|z| f(z)).count());
        let within = |recent: &VecDeque<f64>, s: f64| count(recent.iter().filter(|t| **t >= at - s).count());
        let present = |within: f64| self.agents.iter().filter(move |a| a.present(at, within));
        let elapsed = || self.agents.iter().filter_map(|a| a.talking).map(|(since, _)| at - since);
        let recent = &self.by_service[call.service];
        let five = count(recent.len().clamp(1, 5));
        let share = |a: &Agent| a.mix[call.service.min(KINDS - 1)] / a.mix.iter().sum::<f64>().max(1e-9);
        let urgent = |z: &&usize| self.calls[**z].urgent;
        let second = |z: &&usize| self.kinds[self.calls[**z].service] == 1;
        let able = count(present(180.0).filter(|a| a.can(call.service)).count());
        Sight {
            day_s: plain.day_s,
            waiting: plain.waiting,
            ahead: plain.ahead,
            ahead_urgent: of(ahead, &urgent),
            ahead_same: of(ahead, &same),
            ahead_second: of(ahead, &second),
            rivals: self.rivals(at, call.service, ahead),
            waiting_urgent: of(elders, &urgent),
            longest_s: plain.head_s,
            longest_same_s: self.longest(at, elders.iter().filter(same)),
            last_s: plain.last_s,
            last_same_s: recent.back().map_or(0.0, |(_, wait)| *wait),
            since_same_s: recent.back().map_or(3600.0, |(t, _)| (at - t).min(3600.0)),
            five_same_s: recent.iter().rev().take(5).map(|(_, wait)| wait).sum::<f64>() / five,
            fading_s: plain.tenth_s,
            served_5m: within(&self.served, 300.0),
            served_15m: within(&self.served, 900.0),
            joined_5m: within(&self.joined, 300.0),
            joined_15m: within(&self.joined, 900.0),
            left_15m: within(&self.left, 900.0),
            served_same_30m: count(recent.iter().filter(|(t, _)| *t > at - 1800.0).count()),
            busy: plain.busy,
            agents: plain.staff,
            able: if able > 0.0 { able } else { plain.staff },
            cut_off: 0.0,
            able_share: present(SEEN_S).map(share).sum(),
            rate: present(SEEN_S).map(Agent::rate).sum(),
            rate_now: present(60.0).map(Agent::rate).sum(),
            long_talks: count(elapsed().filter(|e| *e > 300.0).count()),
            fresh_talks: count(elapsed().filter(|e| *e < 60.0).count()),
            ending_1m: elapsed().map(|e| self.ending(e, 60.0)).sum(),
            ending_3m: elapsed().map(|e| self.ending(e, 180.0)).sum(),
            handle_s: plain.talk_s,
            theta: plain.theta,
            urgent: plain.urgent,
            kind: self.kinds[call.service],
        }
    }

    /// How likely a talk that has lasted `elapsed` ends within `within`.
    fn ending(&self, elapsed: f64, within: f64) -> f64 {
        let longer = |than: f64| count(self.sorted.len() - self.sorted.partition_point(|d| *d <= than));
        (1.0 + longer(elapsed) - longer(elapsed + within)) / (2.0 + longer(elapsed))
    }

    /// Those ahead, weighted by the share of their agents who take this service too.
    fn rivals(&self, at: f64, service: usize, ahead: &[usize]) -> f64 {
        let mut shares: Vec<Option<f64>> = vec![None; self.by_service.len()];
        let mut sum = 0.0;
        for z in ahead {
            let other = self.calls[*z].service;
            sum += *shares[other].get_or_insert_with(|| {
                let able = || self.agents.iter().filter(|a| a.present(at, 180.0) && a.can(other));
                let all = able().count();
                if all == 0 { 0.0 } else { count(able().filter(|a| a.can(service)).count()) / count(all) }
            });
        }
        sum
    }
}

fn slot(at: f64) -> u32 {
    u32::from((0..48u8).rev().find(|s| f64::from(*s) * 1800.0 <= at.rem_euclid(DAY_S)).unwrap_or(0))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of calls are far below 2^52")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "priority,service,queue_joined_s,queue_left_s,outcome,service_started_s,service_ended_s,agent\n";

    fn moments(rows: &str) -> Vec<Moment> {
        walk(&CallLog::read(&format!("{HEAD}{rows}"), &[]).unwrap())
    }

    #[test]
    fn the_state_at_joining_is_that_of_those_who_came_before() {
        let all = moments(
            "0,PS,,,AGENT,0,500,A\n0,PS,100,500,AGENT,500,600,A\n2,PS,150,300,HANG,,,\n0,PS,160,700,AGENT,700,800,A\n",
        );
        let third = all.iter().find(|m| m.call == 3 && m.telling == 0).unwrap();
        assert_eq!((third.plain.waiting, third.plain.ahead, third.plain.head_s), (2.0, 2.0, 60.0));
        assert_eq!((third.plain.busy, third.plain.staff, third.remaining_s), (1.0, 1.0, 540.0));
        let second = all.iter().find(|m| m.call == 2).unwrap();
        assert_eq!(
            (second.plain.waiting, second.plain.ahead),
            (1.0, 0.0),
            "class 2 is 90 s ahead of its time"
        );
        let tellings = all.iter().filter(|m| m.call == 3).count();
        assert_eq!(tellings, 9, "at entry and every 60 s of 540 s");
    }

    #[test]
    fn nobody_is_told_what_his_own_second_still_brings() {
        let all = moments("0,PS,10,20,AGENT,20,30,A\n0,PS,20,40,AGENT,40,50,A\n");
        let second = all.iter().find(|m| m.call == 1).unwrap();
        assert_eq!((second.plain.waiting, second.plain.last_s), (1.0, 0.0));
    }
}
