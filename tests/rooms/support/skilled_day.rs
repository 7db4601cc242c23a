//! Days with several skills, priorities, a peak, agents who go home and agents who drop out, in simulated time round a real
//! `Acd` that runs futures; and what each caller was told beside what every closed formula would have said.
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{
    AgentId, AssignmentId, BatchId, CallId, Instant, Language, Now, QueueId, Rng, TicketId, UtcTime,
};
use hotline::exchange::acd::{
    Acd, AcdInput, AcdOutput, AcdPlan, AgentPlan, AgentWish, Joining, QueuePlan, RanAhead, Shifts,
};
use hotline::exchange::{Cause, Told};

use super::agenda::{Agenda, Next, exponential};
use super::waiting_day::queue;

/// What kind of a place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    /// Two skills, eleven agents, four of whom have both; two go home at half-time.
    Shop,
    /// Five queues, forty agents of five kinds; talks of all lengths, eight agents drop out for an hour.
    Bank,
}

/// What is different from the usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// The batches that are asked for are run.
    pub(crate) futures: bool,
    /// The Acd knows when shifts end.
    pub(crate) shifts: bool,
    pub(crate) hours: u64,
}

impl Default for Ways {
    fn default() -> Self {
        Self { futures: true, shifts: true, hours: 6 }
    }
}

struct Line {
    queue: &'static str,
    talk_s: f64,
    /// Of all callers.
    share: f64,
    /// Of its callers those who go first.
    urgent: f64,
}

const fn line(queue: &'static str, talk_s: f64, share: f64, urgent: f64) -> Line {
    Line { queue, talk_s, share, urgent }
}

impl House {
    fn lines(self) -> Vec<Line> {
        match self {
            Self::Shop => vec![line("loans", 240.0, 0.5, 0.25), line("cards", 110.0, 0.5, 0.25)],
            Self::Bank => vec![
                line("account", 200.0, 0.4, 0.1),
                line("loans", 270.0, 0.15, 0.1),
                line("disputes", 240.0, 0.25, 0.0),
                line("complaints", 360.0, 0.08, 0.0),
                line("merchant", 150.0, 0.12, 0.5),
            ],
        }
    }
    fn groups(self) -> Vec<(&'static str, Vec<&'static str>, u32)> {
        match self {
            Self::Shop => {
                vec![
                    ("loans", vec!["loans"], 4),
                    ("cards", vec!["cards"], 3),
                    ("both", vec!["loans", "cards"], 4),
                ]
            }
            Self::Bank => vec![
                ("account", vec!["account"], 12),
                ("loans", vec!["loans", "account"], 8),
                ("disputes", vec!["disputes", "complaints"], 10),
                ("merchant", vec!["merchant", "account"], 5),
                ("all", vec!["account", "loans", "disputes", "complaints", "merchant"], 5),
            ],
        }
    }
    /// Callers a second in an hour of the day: usual, and in the peak.
    const fn rates(self) -> (f64, f64) {
        match self {
            Self::Shop => (1.0 / 15.5, 1.0 / 11.0),
            Self::Bank => (0.168, 0.205),
        }
    }
    fn talk(self, rng: &mut Rng, mean_s: f64) -> Duration {
        match self {
            Self::Shop => exponential(rng, mean_s),
            // Log-normal with a coefficient of variation of 0.8.
            Self::Bank => {
                let sum: f64 = (0..12).map(|_| rng.unit()).sum();
                let (normal, deviation) = (sum - 6.0, 0.703);
                Duration::from_secs_f64(mean_s * libm::exp(deviation * normal - deviation * deviation / 2.0))
            }
        }
    }
    fn goes_home(self, hours: u64) -> Vec<(AgentId, Duration)> {
        let some = |name: &str, n: usize, at: Duration| {
            (0..n).map(|i| (AgentId::from(format!("{name}-{i}").as_str()), at)).collect::<Vec<_>>()
        };
        match self {
            Self::Shop => some("both", 2, Duration::from_mins(hours * 30)),
            Self::Bank => {
                let mut all = some("account", 3, Duration::from_mins(hours * 45));
                all.extend(some("all", 2, Duration::from_mins(hours * 45)));
                all
            }
        }
    }
    /// Who drops out without a word, when and for how long.
    fn drops_out(self, hours: u64) -> Vec<(AgentId, Duration, Duration)> {
        let at = Duration::from_mins(hours * 25);
        let n = match self {
            Self::Shop => 0,
            Self::Bank => 5,
        };
        (3..3 + n)
            .map(|i| (AgentId::from(format!("disputes-{i}").as_str()), at, Duration::from_mins(40)))
            .collect()
    }
}

fn plan(house: House, ways: Ways) -> AcdPlan {
    let leaves: BTreeMap<AgentId, Duration> = house.goes_home(ways.hours).into_iter().collect();
    let agent = |id: &AgentId, skills: &[&str]| AgentPlan {
        alias: "desk".into(),
        skills: skills.iter().map(|s| ((*s).into(), 5)).collect(),
        languages: vec![Language::Mandarin],
        unanswered_max: 3,
        shifts: match leaves.get(id).filter(|_| ways.shifts) {
            Some(at) => Shifts::Stretches(vec![(UtcTime::default(), UtcTime::default() + *at)]),
            None => Shifts::Unknown,
        },
    };
    let agents = house.groups().into_iter().flat_map(|(name, skills, n)| {
        (0..n).map(move |i| (AgentId::from(format!("{name}-{i}").as_str()), skills.clone()))
    });
    AcdPlan {
        queues: house
            .lines()
            .iter()
            .map(|l| {
                let expected_talk = Duration::from_secs_f64(l.talk_s * 1.3);
                (l.queue.into(), QueuePlan { skills: vec![l.queue.into()], expected_talk, ..queue() })
            })
            .collect(),
        agents: agents.map(|(id, skills)| (id.clone(), agent(&id, &skills))).collect(),
    }
}

#[derive(Clone, Debug)]
enum Event {
    Arrival,
    PickUp(AssignmentId),
    HangUp(TicketId),
    TalkOver(AssignmentId, Duration),
    Agent(AgentId, AgentWish),
    Ran(RanAhead),
}

/// Somebody who came and never hangs up.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) came: Instant,
    pub(crate) answered: Option<Instant>,
    pub(crate) told: Vec<(Instant, Told)>,
    /// What each closed formula said when he came, and what the Acd thought.
    by_rule: Vec<(&'static str, f64)>,
}

pub(crate) struct Day {
    pub(crate) house: House,
    pub(crate) acd: Acd,
    pub(crate) visits: BTreeMap<TicketId, Visit>,
    /// Batches run, and their steps.
    pub(crate) batches: (u64, u64),
    ways: Ways,
    rng: Rng,
    now: Now,
    agenda: Agenda<Event>,
    tickets: u64,
    ringing: BTreeMap<AssignmentId, (TicketId, QueueId)>,
    joined: BTreeMap<TicketId, (Instant, QueueId)>,
    /// By queue, the last wait and Asterisk's mean.
    last: BTreeMap<QueueId, (f64, f64)>,
    said: BTreeMap<TicketId, Vec<(Instant, Told)>>,
}

impl Day {
    pub(crate) fn new(house: House, seed: u64, ways: Ways) -> Self {
        let plan = plan(house, ways);
        let mut day = Self {
            house,
            acd: Acd::new(Arc::new(plan.clone())),
            visits: BTreeMap::new(),
            batches: (0, 0),
            ways,
            rng: Rng::from_number(seed),
            now: Now::default(),
            agenda: Agenda::default(),
            tickets: 0,
            ringing: BTreeMap::new(),
            joined: BTreeMap::new(),
            last: BTreeMap::new(),
            said: BTreeMap::new(),
        };
        for id in plan.agents.keys() {
            day.input(AcdInput::Reachable { agent: id.clone(), reachable: true });
            day.input(AcdInput::Agent { agent: id.clone(), wish: AgentWish::SignIn });
        }
        for (id, at) in house.goes_home(ways.hours) {
            day.after(at, Event::Agent(id, AgentWish::SignOut));
        }
        for (id, at, lasts) in house.drops_out(ways.hours) {
            day.after(at, Event::Agent(id.clone(), AgentWish::Pause("ill".into())));
            day.after(at + lasts, Event::Agent(id, AgentWish::Ready));
        }
        day.after(Duration::ZERO, Event::Arrival);
        day
    }

    fn after(&mut self, d: Duration, event: Event) {
        self.agenda.after(self.now, d, event);
    }

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
            Event::PickUp(assignment) => self.pick_up(assignment),
            Event::HangUp(ticket) => {
                if self.joined.remove(&ticket).is_some() {
                    self.input(AcdInput::Leave { ticket, cause: Cause::HungUp });
                }
            }
            Event::TalkOver(assignment, talked) => self.input(AcdInput::TalkEnded { assignment, talked }),
            Event::Agent(agent, wish) => self.input(AcdInput::Agent { agent, wish }),
            Event::Ran(ran) => self.input(AcdInput::RanAhead(ran)),
        }
    }

    fn pick_up(&mut self, assignment: AssignmentId) {
        let Some((ticket, queue)) = self.ringing.remove(&assignment) else { return };
        let Some((joined, _)) = self.joined.remove(&ticket) else { return };
        if let Some(visit) = self.visits.get_mut(&ticket) {
            visit.answered = Some(self.now.mono);
            visit.told = self.said.remove(&ticket).unwrap_or_default();
        }
        let wait = self.now.mono.since(joined).as_secs_f64();
        let (_, average) = self.last.get(&queue).copied().unwrap_or_default();
        self.last.insert(queue.clone(), (wait, (3.0 * average + wait) / 4.0));
        let line = self.house.lines().into_iter().find(|l| queue == QueueId::from(l.queue)).expect("a queue");
        let talk = self.house.talk(&mut self.rng, line.talk_s);
        self.after(talk, Event::TalkOver(assignment, talk));
        self.input(AcdInput::Accepted { assignment });
    }

    fn arrive(&mut self) {
        self.tickets += 1;
        let ticket = TicketId(self.tickets);
        let mut at = self.rng.unit();
        let lines = self.house.lines();
        let line = lines.iter().find(|l| {
            at -= l.share;
            at < 0.0
        });
        let line = line.or(lines.last()).expect("there are lines");
        let urgent = self.rng.unit() < line.urgent;
        let joining = Joining {
            ticket,
            call: CallId(ticket.0),
            queue: line.queue.into(),
            priority: if urgent { 0 } else { 5 },
            since: self.now.mono,
            language: Language::Mandarin,
            skills: Vec::new(),
            prefer: None,
            kept: false,
        };
        let patient = self.rng.unit() < 0.3;
        if !patient {
            let patience = exponential(&mut self.rng, 420.0);
            self.after(patience, Event::HangUp(ticket));
        }
        let hour = Duration::from_hours(1);
        let peak = (hour..hour + Duration::from_mins(40)).contains(&self.now.mono.since(Instant::ZERO));
        let (usual, peaks) = self.house.rates();
        let gap = exponential(&mut self.rng, 1.0 / if peak { peaks } else { usual });
        if (self.now.mono + gap).as_millis() < self.ways.hours * 3_600_000 {
            self.after(gap, Event::Arrival);
        }
        self.joined.insert(ticket, (self.now.mono, line.queue.into()));
        self.input(AcdInput::Enter(joining));
        if patient
            && self.now.mono.as_millis() > 40 * 60_000
            && !self.ringing.values().any(|(t, _)| *t == ticket)
        {
            self.visit(ticket, line.queue);
        }
    }

    /// What everybody says of somebody who has just come.
    fn visit(&mut self, ticket: TicketId, queue: &str) {
        let snapshot = self.acd.snapshot(self.now);
        let queue = snapshot.queues.iter().find(|q| q.queue == QueueId::from(queue)).expect("his queue");
        let waiting = queue.waiting.iter().filter(|t| t.ringing.is_none());
        let Some((place, own)) = (0u32..).zip(waiting).find(|(_, t)| t.ticket == ticket) else { return };
        let Some(thought) = own.estimate else { return };
        let talk = queue.service.talk.mean.as_secs_f64() + 24.0;
        let agents = f64::from(u32::try_from(queue.agents_signed_in.max(1)).expect("few"));
        let rate = agents / talk;
        let head = queue.waiting.iter().map(|t| t.waited.as_secs_f64()).fold(0.0, f64::max);
        let (last, average) = self.last.get(&queue.queue).copied().unwrap_or_default();
        let by_rule = vec![
            ("hotline", thought.mean.as_secs_f64()),
            ("ql", f64::from(place + 1) / rate),
            ("qlr", (0..=place).map(|j| 1.0 / (rate + f64::from(j) / 600.0)).sum()),
            ("les", last),
            ("hol", head),
            ("asterisk", average),
        ];
        let visit = Visit { came: self.now.mono, answered: None, told: Vec::new(), by_rule };
        self.visits.insert(ticket, visit);
    }

    fn input(&mut self, input: AcdInput) {
        self.acd.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                AcdOutput::Offer(offer) => {
                    self.ringing.insert(offer.assignment, (offer.ticket, offer.queue));
                    let rings = Duration::from_secs(2 + self.rng.below(5));
                    self.after(rings, Event::PickUp(offer.assignment));
                }
                AcdOutput::Revoke { assignment, .. } => {
                    self.ringing.remove(&assignment);
                }
                AcdOutput::Tell { ticket, told, .. } => {
                    self.said.entry(ticket).or_default().push((self.now.mono, told));
                }
                AcdOutput::RunAhead { batch } => self.run_ahead(batch),
                AcdOutput::Overflow { .. } | AcdOutput::AgentChanged { .. } => {}
            }
        }
    }

    fn run_ahead(&mut self, batch: BatchId) {
        if !self.ways.futures {
            return;
        }
        let ran = self.acd.futures(batch).expect("it is asked for").run();
        self.batches.0 += 1;
        self.batches.1 += u64::from(ran.steps);
        self.after(ran.modelled_delay(), Event::Ran(ran));
    }
}

/// How far each rule was off, and how often the words held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) n: f64,
    squares: BTreeMap<&'static str, f64>,
    biases: BTreeMap<&'static str, f64>,
    words: f64,
    held: f64,
    below: f64,
    above: f64,
    width: f64,
    told: f64,
    later: f64,
    waits: f64,
}

impl Figures {
    pub(crate) fn add(&mut self, day: &Day) {
        for visit in day.visits.values() {
            let Some(answered) = visit.answered else { continue };
            let waited = answered.since(visit.came);
            let wait = waited.as_secs_f64();
            self.n += 1.0;
            self.waits += wait;
            for (rule, said) in &visit.by_rule {
                *self.squares.entry(rule).or_default() += (said - wait) * (said - wait);
                *self.biases.entry(rule).or_default() += said - wait;
            }
            if let Some((_, Told::Wait { low, high, .. })) = visit.told.first() {
                self.words += 1.0;
                self.width += high.saturating_sub(*low).as_secs_f64();
                self.below += f64::from(u8::from(waited < *low));
                self.above += f64::from(u8::from(waited > *high));
                self.held += f64::from(u8::from(*low <= waited && waited <= *high));
            }
            self.told += f64::from(u8::from(!visit.told.is_empty()));
            self.later += f64::from(u8::from(visit.rises() > 0));
        }
    }
    /// Root of the mean square error.
    pub(crate) fn rmse(&self, rule: &str) -> f64 {
        libm::sqrt(self.squares.get(rule).copied().unwrap_or(f64::NAN) / self.n)
    }
    pub(crate) fn rules(&self) -> impl Iterator<Item = &'static str> {
        self.squares.keys().copied()
    }
    /// Of those who were told a range, the share whose wait was in it.
    pub(crate) fn held(&self) -> f64 {
        self.held / self.words
    }
    /// Of those who were told something, the share who were told a later end.
    pub(crate) fn later(&self) -> f64 {
        self.later / self.told
    }
    pub(crate) fn bias(&self, rule: &str) -> f64 {
        self.biases.get(rule).copied().unwrap_or(f64::NAN) / self.n
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits of {:.0} s; RMSE", self.n, self.waits / self.n)?;
        for rule in self.rules() {
            write!(f, " {rule} {:.1} ({:+.1})", self.rmse(rule), self.bias(rule))?;
        }
        let share = |n: f64| 100.0 * n / self.words;
        let (held, below, above) = (100.0 * self.held(), share(self.below), share(self.above));
        write!(f, "; words hold {held:.1} % (below {below:.1}, above {above:.1})")?;
        write!(f, ", width {:.0} s, later {:.1} %", self.width / self.words, 100.0 * self.later())
    }
}

impl Visit {
    /// How often a later end was told; each says why.
    pub(crate) fn rises(&self) -> usize {
        let mut by: Option<Instant> = None;
        let mut rises = 0;
        for (at, told) in &self.told {
            let Told::Wait { low, high, rose } = told else { continue };
            assert!(low < high, "{told:?}");
            let end = *at + *high;
            match rose {
                Some(_) => rises += 1,
                None => assert!(by.is_none_or(|by| end <= by), "later without a cause: {:?}", self.told),
            }
            by = Some(end);
        }
        rises
    }
}
