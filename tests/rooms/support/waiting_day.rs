//! A day of callers and agents in simulated time round a real `Acd`: exponential arrivals, talks and patience.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, AssignmentId, CallId, Instant, Language, Now, Rng, TicketId};
use hotline::exchange::acd::{
    Acd, AcdInput, AcdOutput, AcdPlan, AgentPlan, AgentWish, Joining, NobodyRule, Offer, QueuePlan, Strategy,
};
use hotline::exchange::{Cause, Told};

use super::agenda::{Agenda, Next, exponential};

/// What makes a day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) agents: usize,
    pub(crate) hours: u64,
    pub(crate) calls_per_hour: f64,
    pub(crate) talk_s: f64,
    pub(crate) patience_s: f64,
    /// Share of callers who never hang up: they alone are scored, so that no hang-up hides a wait.
    pub(crate) patient: f64,
    /// Share of callers with priority 0; the others have 5.
    pub(crate) urgent: f64,
    /// How many agents go home at half-time.
    pub(crate) leave_at_half: usize,
    pub(crate) queue: QueuePlan,
}

/// What one caller saw.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) joining: Joining,
    pub(crate) patient: bool,
    /// Everything told, and when.
    pub(crate) told: Vec<(Instant, Told)>,
    pub(crate) offered: Option<Instant>,
    pub(crate) answered: Option<Instant>,
    pub(crate) estimate: Option<(Duration, Duration)>,
}

#[derive(Clone, Debug)]
enum Event {
    Arrival,
    PickUp(AssignmentId),
    HangUp(TicketId),
    TalkOver(AssignmentId, Duration),
    GoHome(AgentId),
}

pub(crate) struct World {
    pub(crate) acd: Acd,
    pub(crate) visits: BTreeMap<TicketId, Visit>,
    pub(crate) offers: Vec<(Instant, Offer)>,
    pub(crate) inputs: u64,
    day: Day,
    rng: Rng,
    now: Now,
    agenda: Agenda<Event>,
    ringing: BTreeMap<AssignmentId, TicketId>,
}

pub(crate) fn queue() -> QueuePlan {
    QueuePlan {
        skills: Vec::new(),
        strategy: Strategy::LongestIdle,
        ring_for: Duration::from_secs(20),
        wrap_up: Duration::from_secs(20),
        ageing: Duration::from_mins(2),
        wait_max: None,
        size_max: 100_000,
        nobody: NobodyRule::Wait,
        tell_every: Duration::from_secs(45),
        expected_talk: Duration::from_secs(150),
        same_agent_wait: Duration::ZERO,
        service_target: Duration::from_secs(20),
    }
}

impl World {
    pub(crate) fn new(day: Day, seed: u64) -> Self {
        let agent = AgentPlan {
            alias: "front desk".into(),
            skills: BTreeMap::new(),
            languages: vec![Language::Mandarin],
            unanswered_max: 3,
            ..AgentPlan::default()
        };
        let names = (0..day.agents).map(|i| AgentId::from(format!("agent-{i:03}").as_str()));
        let plan = AcdPlan {
            queues: BTreeMap::from([("help".into(), day.queue.clone())]),
            agents: names.map(|name| (name, agent.clone())).collect(),
        };
        let mut world = Self {
            acd: Acd::new(Arc::new(plan.clone())),
            visits: BTreeMap::new(),
            offers: Vec::new(),
            inputs: 0,
            rng: Rng::from_number(seed),
            now: Now::default(),
            agenda: Agenda::default(),
            ringing: BTreeMap::new(),
            day,
        };
        for (i, agent) in plan.agents.keys().cloned().enumerate() {
            world.input(AcdInput::Reachable { agent: agent.clone(), reachable: true });
            world.input(AcdInput::Agent { agent: agent.clone(), wish: AgentWish::SignIn });
            if i < world.day.leave_at_half {
                world.after(Duration::from_mins(world.day.hours * 30), Event::GoHome(agent));
            }
        }
        world.after(Duration::ZERO, Event::Arrival);
        world
    }

    fn exponential(&mut self, mean_s: f64) -> Duration {
        exponential(&mut self.rng, mean_s)
    }
    fn after(&mut self, d: Duration, event: Event) {
        self.agenda.after(self.now, d, event);
    }

    /// Runs the day, and on until everybody has left.
    pub(crate) fn run(&mut self) {
        while let Some(next) = self.agenda.next(&mut self.now, self.acd.next_deadline()) {
            match next {
                Next::Event(event) => self.happen(event),
                Next::Timer => {
                    self.acd.handle_timeout(self.now);
                    self.drain();
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrive(),
            Event::PickUp(assignment) => {
                let Some(ticket) = self.ringing.remove(&assignment) else { return };
                if let Some(visit) = self.visits.get_mut(&ticket) {
                    visit.answered = Some(self.now.mono);
                }
                let talk = self.exponential(self.day.talk_s);
                self.after(talk, Event::TalkOver(assignment, talk));
                self.input(AcdInput::Accepted { assignment });
            }
            Event::HangUp(ticket) => {
                if self.visits.get(&ticket).is_some_and(|v| v.answered.is_none()) {
                    self.input(AcdInput::Leave { ticket, cause: Cause::HungUp });
                }
            }
            Event::TalkOver(assignment, talked) => self.input(AcdInput::TalkEnded { assignment, talked }),
            Event::GoHome(agent) => self.input(AcdInput::Agent { agent, wish: AgentWish::SignOut }),
        }
    }

    fn arrive(&mut self) {
        let ticket = TicketId(u64::try_from(self.visits.len()).unwrap() + 1);
        let urgent = self.rng.unit() < self.day.urgent;
        let patient = self.rng.unit() < self.day.patient;
        let joining = Joining {
            ticket,
            call: CallId(ticket.0),
            queue: "help".into(),
            priority: if urgent { 0 } else { 5 },
            since: self.now.mono,
            language: Language::Mandarin,
            skills: Vec::new(),
            prefer: None,
            kept: false,
        };
        let visit = Visit {
            joining: joining.clone(),
            patient,
            told: Vec::new(),
            offered: None,
            answered: None,
            estimate: None,
        };
        self.visits.insert(ticket, visit);
        if !patient {
            let patience = self.exponential(self.day.patience_s);
            self.after(patience, Event::HangUp(ticket));
        }
        let gap = self.exponential(3600.0 / self.day.calls_per_hour);
        if (self.now.mono + gap).as_millis() < self.day.hours * 3_600_000 {
            self.after(gap, Event::Arrival);
        }
        self.input(AcdInput::Enter(joining));
        if patient {
            let snapshot = self.acd.snapshot(self.now);
            let mine = snapshot.queues[0].waiting.iter().find(|t| t.ticket == ticket);
            let range = mine.and_then(|t| t.estimate).map(|e| (e.low, e.high));
            self.visits.get_mut(&ticket).unwrap().estimate = range;
        }
    }

    fn input(&mut self, input: AcdInput) {
        self.inputs += 1;
        self.acd.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                AcdOutput::Offer(offer) => {
                    self.ringing.insert(offer.assignment, offer.ticket);
                    self.visits.get_mut(&offer.ticket).unwrap().offered = Some(self.now.mono);
                    let rings = Duration::from_secs(2 + self.rng.below(5));
                    self.after(rings, Event::PickUp(offer.assignment));
                    self.offers.push((self.now.mono, offer));
                }
                AcdOutput::Tell { ticket, told, .. } => {
                    self.visits.get_mut(&ticket).unwrap().told.push((self.now.mono, told));
                }
                AcdOutput::Revoke { assignment, .. } => {
                    self.ringing.remove(&assignment);
                }
                AcdOutput::Overflow { .. } | AcdOutput::AgentChanged { .. } | AcdOutput::RunAhead { .. } => {}
            }
        }
    }
}
