//! Futures: the real distributor run ahead from its live state, for queues that share agents, with priorities, ageing and
//! skills exactly as they are.
//!
//! Talks that run last as long as earlier ones did that had lasted as long; callers come and hang up as often as they did
//! lately; each future guesses anew how far those measurements are off. In each future a quarter of those who wait are taken to stay, and only their waits count: so nobody's wait is
//! known only from futures in which it was short. Pure: a copy of the state, a seed, and a bound on the steps.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::agent::Duty;
use super::estimate::Estimator;
use super::order::CLASS_LAST;
use super::{Acd, AcdInput, AcdOutput, Forecast, Joining};
use crate::base::{AssignmentId, CallId, Instant, Now, Rng, TicketId};
use crate::exchange::Cause;

/// Steps of one future, at most.
const STEPS: u32 = 20_000;
/// No future is looked at for longer than this.
const HORIZON: Duration = Duration::from_hours(2);
/// Of those who wait, one in so many stays and is looked at in each future.
const STAY: u64 = 4;
/// How far a measurement may be off, as the deviation of its logarithm: talks, patience, arrivals.
const UNSURE: [f64; 3] = [0.3, 0.6, 0.35];
/// Who still waits is more patient than those who left: patience is longer than measured by this factor.
const STAYED: f64 = 1.25;
/// Numbers of callers who are imagined begin here.
const IMAGINED: u64 = 1 << 62;

/// A moment of the distributor, ready to be run ahead, on any thread.
#[derive(Clone, Debug)]
pub struct Futures {
    acd: Acd,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    PickUp(AssignmentId),
    TalkOver(AssignmentId, Duration),
    HangUp(TicketId),
    Arrival(usize),
}

/// Callers who come: what they need, and how often.
#[derive(Clone, Debug)]
struct Coming {
    joining: Joining,
    per_s: f64,
}

struct Future {
    acd: Acd,
    now: Now,
    begun: Instant,
    rng: Rng,
    agenda: BTreeMap<(Instant, u64), Event>,
    planned: u64,
    coming: Vec<Coming>,
    imagined: u64,
    staying: BTreeSet<TicketId>,
    ringing: BTreeMap<AssignmentId, TicketId>,
    waits: BTreeMap<TicketId, f64>,
    /// This future's guess: factors of talks, patience and arrivals.
    guess: [f64; 3],
}

impl Acd {
    /// This moment, ready to be run ahead.
    pub fn futures(&self) -> Futures {
        let mut acd = self.clone();
        acd.quiet = true;
        acd.outputs.clear();
        let nothing = Arc::new(Estimator::default());
        for desk in acd.desks.values_mut() {
            desk.estimator = Arc::clone(&nothing);
        }
        Futures { acd }
    }
}

impl Futures {
    /// Runs this many futures (at least four) and says how much longer each caller waits.
    pub fn run(&self, count: u32, seed: u64) -> BTreeMap<TicketId, Forecast> {
        let mut waits: BTreeMap<TicketId, Vec<f64>> = BTreeMap::new();
        let mut rng = Rng::from_number(seed);
        for number in 0..count.max(4) {
            let mut future =
                Future::new(self.acd.clone(), u64::from(number), Rng::from_number(rng.below(u64::MAX)));
            future.run();
            for (ticket, wait) in future.waits {
                waits.entry(ticket).or_default().push(wait);
            }
        }
        waits.into_iter().map(|(ticket, waits)| (ticket, summary(waits))).collect()
    }
}

fn summary(mut waits: Vec<f64>) -> Forecast {
    waits.sort_by(f64::total_cmp);
    let n = f64::from(u32::try_from(waits.len()).unwrap_or(u32::MAX));
    let at = |share: usize| waits.get(waits.len() * share / 10).or(waits.last()).copied().unwrap_or(0.0);
    Forecast { mean_s: waits.iter().sum::<f64>() / n.max(1.0), low_s: at(1), typical_s: at(5), high_s: at(9) }
}

impl Future {
    fn new(acd: Acd, number: u64, mut rng: Rng) -> Self {
        let now = acd.now;
        let guess = UNSURE.map(|unsure| libm::exp(unsure * normal(&mut rng)));
        let mut future = Self {
            begun: now.mono,
            now,
            rng,
            agenda: BTreeMap::new(),
            planned: 0,
            coming: coming(&acd),
            imagined: IMAGINED,
            staying: BTreeSet::new(),
            ringing: BTreeMap::new(),
            waits: BTreeMap::new(),
            guess: [guess[0], guess[1] * STAYED, guess[2]],
            acd,
        };
        future.plan_talks();
        future.plan_callers(number);
        for i in 0..future.coming.len() {
            future.plan_arrival(i);
        }
        future
    }

    fn exponential(&mut self, mean_s: f64) -> Duration {
        let s = -mean_s * libm::log(1.0 - self.rng.unit());
        Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(HORIZON).min(HORIZON * 2)
    }

    fn after(&mut self, d: Duration, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now.mono + d, self.planned), event);
    }

    /// Conversations end, phones are picked up.
    fn plan_talks(&mut self) {
        let agents: Vec<(AssignmentId, bool)> = self
            .acd
            .roster
            .iter()
            .filter_map(|(_, m)| match m.agent().duty() {
                Duty::Talking(a) => Some((*a, true)),
                Duty::Ringing(a) => Some((*a, false)),
                Duty::SignedOut | Duty::Free | Duty::WrapUp | Duty::Paused(_) => None,
            })
            .collect();
        for (assignment, talking) in agents {
            let open = self.acd.offers.get(assignment).map(|a| (a.ticket, a.answered));
            match open {
                Some((_, since)) if talking => {
                    let elapsed = self.now.mono.since(since.unwrap_or(self.now.mono));
                    let rest = self.talk(assignment, elapsed);
                    self.after(rest, Event::TalkOver(assignment, elapsed + rest));
                }
                Some((ticket, _)) => self.rings(assignment, ticket),
                None => {}
            }
        }
    }

    /// How much longer the talk of this offer lasts.
    fn talk(&mut self, assignment: AssignmentId, elapsed: Duration) -> Duration {
        let at = self.rng.unit();
        let Some(queue) = self.acd.offers.get(assignment).map(|a| a.queue.clone()) else {
            return Duration::ZERO;
        };
        let desk = self.acd.desks.get(&queue);
        let known = desk.and_then(|d| d.recent.rest_s(elapsed.as_secs_f64(), at));
        let plan = self.acd.plan.queues.get(&queue);
        let mean = desk.zip(plan).map_or(180.0, |(d, p)| d.measured.handling(p).talk_s);
        let rest = known.and_then(|s| Duration::try_from_secs_f64(s).ok());
        rest.unwrap_or_else(|| self.exponential(mean)).mul_f64(self.guess[0])
    }

    fn rings(&mut self, assignment: AssignmentId, ticket: TicketId) {
        self.ringing.insert(assignment, ticket);
        let queue = self.acd.offers.get(assignment).map(|a| a.queue.clone());
        let desk = queue.and_then(|q| self.acd.desks.get(&q).zip(self.acd.plan.queues.get(&q)));
        let mean = desk.map_or(5.0, |(d, p)| d.measured.handling(p).ring_s);
        let rings = Duration::try_from_secs_f64(mean).unwrap_or_default();
        self.after(rings, Event::PickUp(assignment));
    }

    /// A quarter of those who wait stay; the others may hang up.
    fn plan_callers(&mut self, number: u64) {
        let waiting: Vec<(TicketId, f64)> =
            self.acd.room.tickets().map(|(id, t)| (id, self.theta(t.joining()))).collect();
        for (i, (ticket, theta)) in (0u64..).zip(waiting) {
            if i % STAY == number % STAY {
                self.staying.insert(ticket);
            } else {
                let patience = self.exponential(self.guess[1] / theta);
                self.after(patience, Event::HangUp(ticket));
            }
        }
    }

    fn theta(&self, joining: &Joining) -> f64 {
        self.acd.desks.get(&joining.queue).map_or(1.0 / 900.0, |d| d.measured.theta())
    }

    fn plan_arrival(&mut self, i: usize) {
        if let Some(per_s) = self.coming.get(i).map(|c| c.per_s) {
            let gap = self.exponential(self.guess[2] / per_s);
            self.after(gap, Event::Arrival(i));
        }
    }

    fn run(&mut self) {
        self.drain();
        for _ in 0..STEPS {
            let event = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let timer = self.acd.next_deadline().map(|d| d.at);
            let next = event.into_iter().chain(timer).min();
            let Some(at) = next.filter(|at| *at < self.begun + HORIZON && !self.staying.is_empty()) else {
                break;
            };
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
        let so_far = self.now.mono.since(self.begun).as_secs_f64();
        for ticket in std::mem::take(&mut self.staying) {
            self.waits.insert(ticket, so_far);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::PickUp(assignment) => {
                let Some(ticket) = self.ringing.remove(&assignment) else { return };
                if self.staying.remove(&ticket) {
                    self.waits.insert(ticket, self.now.mono.since(self.begun).as_secs_f64());
                }
                self.input(AcdInput::Accepted { assignment });
                let talk = self.talk(assignment, Duration::ZERO);
                self.after(talk, Event::TalkOver(assignment, talk));
            }
            Event::TalkOver(assignment, talked) => self.input(AcdInput::TalkEnded { assignment, talked }),
            Event::HangUp(ticket) => {
                if self.acd.room.ticket(ticket).is_some() {
                    self.input(AcdInput::Leave { ticket, cause: Cause::HungUp });
                }
            }
            Event::Arrival(i) => self.arrives(i),
        }
    }

    fn arrives(&mut self, i: usize) {
        self.plan_arrival(i);
        let Some(mut joining) = self.coming.get(i).map(|c| c.joining.clone()) else { return };
        self.imagined += 1;
        (joining.ticket, joining.call) = (TicketId(self.imagined), CallId(self.imagined));
        joining.since = self.now.mono;
        let (ticket, theta) = (joining.ticket, self.theta(&joining));
        self.input(AcdInput::Enter(joining));
        let patience = self.exponential(self.guess[1] / theta);
        self.after(patience, Event::HangUp(ticket));
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
                AcdOutput::Tell { .. } | AcdOutput::AgentChanged { .. } => {}
            }
        }
    }
}

/// About a standard normal draw: the sum of four even ones.
fn normal(rng: &mut Rng) -> f64 {
    let sum: f64 = (0..4).map(|_| rng.unit()).sum();
    (sum - 2.0) * libm::sqrt(3.0)
}

/// Who comes: of each line and class as often as lately.
fn coming(acd: &Acd) -> Vec<Coming> {
    let mut all = Vec::new();
    for (_, line) in acd.room.lines() {
        for (class, flow) in (0..=CLASS_LAST).zip(line.flows()) {
            let per_s = flow.per_s(acd.now.mono);
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
