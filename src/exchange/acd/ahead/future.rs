//! One batch: the real distributor run ahead from its live state, for lines that share agents, with priorities, ageing,
//! skills and ends of shifts exactly as they are.
//!
//! Talks that run last as long as earlier ones did that had lasted as long; callers come and hang up as often as they did
//! lately; each future guesses anew how far those measurements are off. In each a quarter of those who wait, and half of
//! those who come soon, are taken to stay, and only their waits count: so nobody's wait is known only from futures in which
//! it was short. Pure: a copy of the state, a seed, and a bound on the steps.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::curve::{Sample, curve};
use crate::base::{AgentId, AssignmentId, BatchId, CallId, Instant, Now, QueueId, Rng, TicketId};
use crate::exchange::Cause;
use crate::exchange::acd::agent::Duty;
use crate::exchange::acd::estimate::{Estimator, Recent, float, formula};
use crate::exchange::acd::order::CLASS_LAST;
use crate::exchange::acd::passed::PassedOn;
use crate::exchange::acd::timers::Timer;
use crate::exchange::acd::waiting::{Line, LineId};
use crate::exchange::acd::{Acd, AcdInput, AcdOutput, AgentWish, Forecast, Joining, RanAhead};

/// Steps after which a batch begins no further future: 20 ms of CPU.
const BUDGET: u32 = 10_000;
/// Steps of one future, at most.
const STEPS: u32 = 12_000;
/// Futures of one batch, at least and at most.
const FUTURES: (u32, u32) = (2, 48);
/// With fewer futures than these the formula tells the spread.
const SURE: u32 = 8;
/// No future is looked at for longer than this.
const HORIZON: Duration = Duration::from_hours(2);
/// Of those who wait, one in so many stays and is looked at in each future.
const STAY: u32 = 4;
/// Of those who come within this time, one in two stays and is looked at, and so many at most.
const NEWCOMERS: (Duration, u32) = (Duration::from_secs(90), 12);
/// How far patience and arrivals may be off, as the deviation of the logarithm.
const UNSURE: [f64; 2] = [0.3, 0.25];
/// How far talks may be off in any case, as the deviation of the logarithm; few measurements add to it.
const TALKS_CHANGE: f64 = 0.1;
/// Those taken to stay leave the hang-ups of all to the others.
const OTHERS: f64 = 0.75;
/// Numbers of callers who are imagined begin here.
const IMAGINED: u64 = 1 << 62;
/// Of talks that were measured, how many weigh as much as the mean alone.
const FEW_TALKS: f64 = 10.0;

/// A moment of the distributor, ready to be run ahead, on any thread.
#[derive(Clone, Debug)]
pub struct Futures {
    batch: BatchId,
    acd: Acd,
    /// Talks lately, by queue, ascending, in seconds.
    talks: BTreeMap<QueueId, Vec<f64>>,
    coming: Vec<Coming>,
    /// Who comes back once he was talked to, by queue.
    passed: BTreeMap<QueueId, Vec<PassedOn>>,
    waiting: Vec<Waiting>,
    /// Whose shift ends when.
    leaving: Vec<(AgentId, Instant)>,
}

/// Somebody who waits: his line, what the formula says, how likely he hangs up in a second.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: TicketId,
    seen: Option<(LineId, Forecast)>,
    theta: f64,
}

/// Callers who come: what they need, and how often.
#[derive(Clone, Debug)]
struct Coming {
    joining: Joining,
    per_s: f64,
}

#[derive(Clone, Debug)]
enum Event {
    PickUp(AssignmentId),
    TalkOver(AssignmentId, Duration),
    HangUp(TicketId),
    Arrival(usize),
    Ready(AgentId),
    GoesHome(AgentId),
}

struct Future<'f> {
    of: &'f Futures,
    acd: Acd,
    now: Now,
    begun: Instant,
    rng: Rng,
    agenda: BTreeMap<(Instant, u64), Event>,
    planned: u64,
    imagined: u64,
    newcomers: u32,
    staying: BTreeMap<TicketId, (LineId, Forecast, Instant)>,
    ringing: BTreeMap<AssignmentId, TicketId>,
    samples: Vec<(LineId, Sample)>,
    /// This future's guess: factors of talks, patience and arrivals.
    guess: [f64; 3],
}

impl Futures {
    /// This moment of these lines.
    pub(super) fn new(acd: &Acd, batch: BatchId, lines: &BTreeSet<LineId>) -> Self {
        let passed = passed(acd, lines);
        let coming = coming(acd, lines, &passed);
        let mut acd = acd.clone();
        let talks = acd.desks.iter().map(|(id, desk)| (id.clone(), desk.recent.talks().to_vec())).collect();
        strip(&mut acd, lines);
        let theta =
            |joining: &Joining| acd.desks.get(&joining.queue).map_or(1.0 / 900.0, |d| d.measured.theta());
        let waiting = acd.room.tickets().map(|(ticket, t)| {
            let line = acd.room.find(t.joining());
            let seen = acd.outlook(t).and_then(|o| formula(&o));
            Waiting { ticket, seen: line.zip(seen), theta: theta(t.joining()) }
        });
        let waiting = waiting.collect();
        let leaving = acd.roster.iter().filter_map(|(id, m)| {
            Some((id.clone(), m.until().filter(|until| *until > acd.now.mono && m.agent().signed_in())?))
        });
        let leaving = leaving.collect();
        Self { batch, acd, talks, coming, passed, waiting, leaving }
    }

    /// Runs as many futures as the budget allows, and says by what the formula's waits are to be multiplied.
    pub fn run(&self) -> RanAhead {
        let mut samples: BTreeMap<LineId, Vec<Sample>> = BTreeMap::new();
        let mut rng = Rng::from_number(self.batch.0 ^ self.acd.now.mono.as_nanos());
        let offsets = [rng.unit(), rng.unit(), rng.unit()];
        let (mut steps, mut futures) = (0, 0);
        while futures < FUTURES.0 || (futures < FUTURES.1 && steps < BUDGET) {
            let mut future =
                Future::new(self, futures, self.guess(futures, offsets), rng.fork_number(u64::from(futures)));
            steps += future.run();
            for (line, sample) in future.samples {
                samples.entry(line).or_default().push(sample);
            }
            futures += 1;
        }
        let lines = samples.into_iter().filter_map(|(line, all)| curve(line, all, futures >= SURE));
        RanAhead { batch: self.batch, steps, lines: lines.collect() }
    }

    /// How far talks, patience and arrivals are off in the future of this number: spread evenly over what is likely, so that
    /// a few futures are not all off to one side.
    fn guess(&self, number: u32, offsets: [f64; 3]) -> [f64; 3] {
        const STRIDES: [f64; 3] = [0.819_172_513_396_164_4, 0.671_043_606_703_789_2, 0.549_700_477_901_970_3];
        let mut at = [0.0; 3];
        for ((at, stride), offset) in at.iter_mut().zip(STRIDES).zip(offsets) {
            let x = offset + f64::from(number) * stride;
            let even = (x - libm::floor(x)).clamp(0.005, 0.995);
            // The logistic distribution, which is near the normal one, has a quantile that is easy to write.
            *at = libm::log(even / (1.0 - even)) / 1.813_8;
        }
        let talks = libm::sqrt(TALKS_CHANGE * TALKS_CHANGE + self.unmeasured());
        let [patience, arrivals] = UNSURE;
        let factor = |deviation: f64, at: f64| libm::exp(deviation * at - deviation * deviation / 2.0);
        [factor(talks, at[0]), factor(patience, at[1]), factor(arrivals, at[2])]
    }

    /// How far the measured mean talk may be off, as the square of its relative deviation.
    fn unmeasured(&self) -> f64 {
        let queues: BTreeSet<&QueueId> = self.coming.iter().map(|c| &c.joining.queue).collect();
        let of = |queue: &&QueueId| {
            let handling = self.acd.desks.get(*queue)?.measured.handling(self.acd.plan.queues.get(*queue)?);
            Some(handling.spread / (handling.measured + 10.0))
        };
        let all: Vec<f64> = queues.iter().filter_map(of).collect();
        all.iter().sum::<f64>() / float(all.len().max(1)) / float(all.len().max(1)).min(4.0)
    }
}

/// Nobody hears anything, nothing is counted, and other lines and what they learned do not weigh.
fn strip(acd: &mut Acd, lines: &BTreeSet<LineId>) {
    acd.quiet = true;
    acd.outputs.clear();
    let nothing = Arc::new(Estimator::default());
    for desk in acd.desks.values_mut() {
        desk.estimator = Arc::clone(&nothing);
        desk.recent = Recent::default();
        desk.service.clear();
    }
    let all: Vec<TicketId> = acd.room.tickets().map(|(id, _)| id).collect();
    for id in all {
        acd.timers.cancel(&Timer::Tell(id));
        let line = acd.room.ticket(id).and_then(|t| acd.room.find(t.joining()));
        if line.is_some_and(|line| lines.contains(&line)) {
            if let Some(ticket) = acd.room.ticket_mut(id) {
                ticket.forget_told();
            }
        } else {
            acd.remove_ticket(id);
        }
    }
}

impl<'f> Future<'f> {
    fn new(of: &'f Futures, number: u32, guess: [f64; 3], rng: Rng) -> Self {
        let acd = of.acd.clone();
        let now = acd.now;
        let mut future = Self {
            of,
            begun: now.mono,
            now,
            rng,
            agenda: BTreeMap::new(),
            planned: 0,
            imagined: IMAGINED,
            newcomers: 0,
            staying: BTreeMap::new(),
            ringing: BTreeMap::new(),
            samples: Vec::new(),
            guess,
            acd,
        };
        future.plan_agents();
        future.plan_callers(number);
        for i in 0..of.coming.len() {
            future.plan_arrival(i);
        }
        future
    }

    fn exponential(&mut self, mean_s: f64) -> Duration {
        let s = -mean_s * libm::log(1.0 - self.rng.unit());
        Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(HORIZON).min(HORIZON * 2)
    }

    fn after(&mut self, d: Duration, event: Event) {
        self.at(self.now.mono + d, event);
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), event);
    }

    /// Conversations end, phones are picked up, notes are written, shifts end.
    fn plan_agents(&mut self) {
        let busy: Vec<(AgentId, Duty)> =
            self.acd.roster.iter().map(|(id, m)| (id.clone(), m.agent().duty().clone())).collect();
        for (agent, duty) in busy {
            match duty {
                Duty::Talking(assignment) => {
                    let since = self.acd.offers.get(assignment).and_then(|a| a.answered);
                    let elapsed = self.now.mono.since(since.unwrap_or(self.now.mono));
                    let rest = self.talk(assignment, elapsed);
                    self.after(rest, Event::TalkOver(assignment, elapsed + rest));
                }
                Duty::Ringing(assignment) => {
                    if let Some(ticket) = self.acd.offers.get(assignment).map(|a| a.ticket) {
                        self.rings(assignment, ticket);
                    }
                }
                Duty::WrapUp => self.writes(agent),
                Duty::SignedOut | Duty::Free | Duty::Paused(_) => {}
            }
        }
        let of = self.of;
        for (agent, until) in &of.leaving {
            self.at(*until, Event::GoesHome(agent.clone()));
        }
    }

    /// Notes take as long as measured; the plan's time is only the most.
    fn writes(&mut self, agent: AgentId) {
        let queue = self.acd.roster.get(&agent).and_then(|m| m.last_queue.as_ref());
        let desk = queue.and_then(|q| self.acd.desks.get(q).zip(self.acd.plan.queues.get(q)));
        let Some((mean, most)) = desk.map(|(d, p)| (d.measured.handling(p).wrap_up_s, p.wrap_up)) else {
            return;
        };
        if mean < 0.9 * most.as_secs_f64() {
            let takes = self.exponential(mean);
            self.after(takes, Event::Ready(agent));
        }
    }

    /// How much longer the talk of this offer lasts, when it has lasted so long.
    fn talk(&mut self, assignment: AssignmentId, elapsed: Duration) -> Duration {
        let (known, at) = (self.rng.unit(), self.rng.unit());
        let Some(queue) = self.acd.offers.get(assignment).map(|a| &a.queue) else { return Duration::ZERO };
        let talks = self.of.talks.get(queue).map_or(&[][..], Vec::as_slice);
        let longer = talks.get(talks.partition_point(|d| *d <= elapsed.as_secs_f64())..).unwrap_or_default();
        let place = (0..longer.len()).rev().find(|i| float(*i) <= at * float(longer.len())).unwrap_or(0);
        let among = float(longer.len()) / (float(longer.len()) + FEW_TALKS);
        let rest = longer.get(place).filter(|_| known < among).map(|d| d - elapsed.as_secs_f64());
        let desk = self.acd.desks.get(queue).zip(self.acd.plan.queues.get(queue));
        let mean = desk.map_or(180.0, |(d, p)| d.measured.handling(p).talk_s);
        let rest = rest.and_then(|s| Duration::try_from_secs_f64(s).ok());
        rest.unwrap_or_else(|| self.exponential(mean)).mul_f64(self.guess[0])
    }

    fn rings(&mut self, assignment: AssignmentId, ticket: TicketId) {
        self.ringing.insert(assignment, ticket);
        let queue = self.acd.offers.get(assignment).map(|a| &a.queue);
        let desk = queue.and_then(|q| self.acd.desks.get(q).zip(self.acd.plan.queues.get(q)));
        let mean = desk.map_or(5.0, |(d, p)| d.measured.handling(p).ring_s);
        self.after(Duration::try_from_secs_f64(mean).unwrap_or_default(), Event::PickUp(assignment));
    }

    /// Some of those who wait stay; the others may hang up.
    fn plan_callers(&mut self, number: u32) {
        for (i, waiting) in (0u32..).zip(&self.of.waiting) {
            match waiting.seen {
                Some((line, formula)) if i % STAY == number % STAY => {
                    self.staying.insert(waiting.ticket, (line, formula, self.begun));
                }
                Some(_) | None => {
                    let patience = self.exponential(OTHERS * self.guess[1] / waiting.theta);
                    self.after(patience, Event::HangUp(waiting.ticket));
                }
            }
        }
    }

    fn plan_arrival(&mut self, i: usize) {
        if let Some(per_s) = self.of.coming.get(i).map(|c| c.per_s) {
            let gap = self.exponential(self.guess[2] / per_s);
            self.after(gap, Event::Arrival(i));
        }
    }

    /// Until everybody who stays was served; how many steps it took. Who was not by then is no sample, but for the horizon.
    fn run(&mut self) -> u32 {
        self.drain();
        for step in 0..STEPS {
            let event = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let timer = self.acd.next_deadline().map(|d| d.at);
            let next = event.into_iter().chain(timer).min();
            let young = self.now.mono.since(self.begun) < NEWCOMERS.0;
            let Some(at) = next.filter(|_| young || !self.staying.is_empty()) else { return step };
            if at >= self.begun + HORIZON {
                self.give_up();
                return step;
            }
            self.now = self.now.after(at.since(self.now.mono));
            if event == Some(at)
                && let Some((_, event)) = self.agenda.pop_first()
            {
                self.happen(event);
            } else {
                self.acd.handle_timeout(self.now);
                self.drain();
            }
        }
        STEPS
    }

    fn give_up(&mut self) {
        for (_, (line, formula, since)) in std::mem::take(&mut self.staying) {
            let wait_s = self.now.mono.since(since).as_secs_f64();
            self.samples.push((line, Sample { formula, wait_s }));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::PickUp(assignment) => {
                let Some(ticket) = self.ringing.remove(&assignment) else { return };
                if let Some((line, formula, since)) = self.staying.remove(&ticket) {
                    let wait_s = self.now.mono.since(since).as_secs_f64();
                    self.samples.push((line, Sample { formula, wait_s }));
                }
                self.input(AcdInput::Accepted { assignment });
                let talk = self.talk(assignment, Duration::ZERO);
                self.after(talk, Event::TalkOver(assignment, talk));
            }
            Event::TalkOver(assignment, talked) => {
                let of = self.acd.offers.get(assignment).map(|a| (a.agent.clone(), a.queue.clone()));
                self.input(AcdInput::TalkEnded { assignment, talked });
                if let Some((agent, queue)) = of {
                    self.writes(agent);
                    self.passed_on(&queue);
                }
            }
            Event::HangUp(ticket) => {
                if self.acd.room.ticket(ticket).is_some() {
                    self.input(AcdInput::Leave { ticket, cause: Cause::HungUp });
                }
            }
            Event::Arrival(i) => self.arrives(i),
            Event::Ready(agent) => {
                let writes = |m: &crate::exchange::acd::roster::Member| *m.agent().duty() == Duty::WrapUp;
                if self.acd.roster.get(&agent).is_some_and(writes) {
                    self.input(AcdInput::Agent { agent, wish: AgentWish::Ready });
                }
            }
            Event::GoesHome(agent) => self.input(AcdInput::Agent { agent, wish: AgentWish::SignOut }),
        }
    }

    fn arrives(&mut self, i: usize) {
        self.plan_arrival(i);
        if let Some(joining) = self.of.coming.get(i).map(|c| c.joining.clone()) {
            self.joins(joining, Duration::ZERO);
        }
    }

    /// A talk of this queue is over: its caller may come back.
    fn passed_on(&mut self, queue: &QueueId) {
        let of = self.of;
        let Some(all) = of.passed.get(queue) else { return };
        let mut at = self.rng.unit();
        let gone = all.iter().find(|on| {
            at -= on.share;
            at < 0.0
        });
        if let Some((joining, age)) = gone.map(|on| &on.last) {
            self.joins(joining.clone(), *age);
        }
    }

    /// Somebody comes, with a clock so old.
    fn joins(&mut self, mut joining: Joining, age: Duration) {
        self.imagined += 1;
        (joining.ticket, joining.call) = (TicketId(self.imagined), CallId(self.imagined));
        joining.since = Instant::ZERO + self.now.mono.since(Instant::ZERO + age);
        let ticket = joining.ticket;
        let theta = self.acd.desks.get(&joining.queue).map_or(1.0 / 900.0, |d| d.measured.theta());
        self.input(AcdInput::Enter(joining));
        let soon = self.now.mono.since(self.begun) < NEWCOMERS.0 && self.newcomers < NEWCOMERS.1;
        let seen = (soon && self.imagined.is_multiple_of(2)).then(|| self.seen(ticket)).flatten();
        if let Some((line, formula)) = seen {
            self.newcomers += 1;
            self.staying.insert(ticket, (line, formula, self.now.mono));
        } else {
            let patience = self.exponential(self.guess[1] / theta);
            self.after(patience, Event::HangUp(ticket));
        }
    }

    /// What the formula says of somebody here and now.
    fn seen(&self, ticket: TicketId) -> Option<(LineId, Forecast)> {
        let ticket = self.acd.room.ticket(ticket)?;
        Some((self.acd.room.find(ticket.joining())?, formula(&self.acd.outlook(ticket)?)?))
    }

    fn input(&mut self, input: AcdInput) {
        self.acd.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                AcdOutput::Offer(offer) => self.rings(offer.assignment, offer.ticket),
                AcdOutput::Revoke { assignment, .. } => {
                    self.ringing.remove(&assignment);
                }
                AcdOutput::Overflow { ticket, .. } => {
                    self.staying.remove(&ticket);
                }
                AcdOutput::Tell { .. } | AcdOutput::AgentChanged { .. } | AcdOutput::RunAhead { .. } => {}
            }
        }
    }
}

/// Who is passed on from these lines to these lines.
fn passed(acd: &Acd, lines: &BTreeSet<LineId>) -> BTreeMap<QueueId, Vec<PassedOn>> {
    let queues: BTreeSet<&QueueId> =
        lines.iter().filter_map(|id| acd.room.line(*id)).map(Line::queue).collect();
    let of = |queue: &QueueId| {
        let all = acd.desks.get(queue)?.passed.to();
        let within: Vec<PassedOn> = all.iter().filter(|on| lines.contains(&on.line)).cloned().collect();
        (!within.is_empty()).then(|| (queue.clone(), within))
    };
    queues.into_iter().filter_map(of).collect()
}

/// Who comes of himself: of each line and class as often as lately, less those whom talks of these lines send.
fn coming(acd: &Acd, lines: &BTreeSet<LineId>, passed: &BTreeMap<QueueId, Vec<PassedOn>>) -> Vec<Coming> {
    let mut all = Vec::new();
    for (id, line) in lines.iter().filter_map(|id| Some((*id, acd.room.line(*id)?))) {
        for (class, flow) in (0..=CLASS_LAST).zip(line.flows()) {
            let sent = passed.values().flatten().filter(|on| (on.line, on.class) == (id, class));
            let per_s = flow.per_s(acd.now.mono) - sent.map(|on| on.flow.per_s(acd.now.mono)).sum::<f64>();
            if per_s > 1e-5 {
                let joining = Joining {
                    ticket: TicketId(0),
                    call: CallId(0),
                    queue: line.queue().clone(),
                    priority: class,
                    since: acd.now.mono,
                    language: line.need().language,
                    skills: line.extra().to_vec(),
                    prefer: None,
                    kept: false,
                };
                all.push(Coming { joining, per_s });
            }
        }
    }
    all
}
