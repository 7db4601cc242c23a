//! The real queue and a slow, obvious model of it under the same random stories: same decisions, same order, same states;
//! and what must hold whatever happens.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotline::base::{AgentId, AssignmentId, CallId, Instant, Language, Now, QueueId, TicketId};
use hotline::exchange::Cause;
use hotline::exchange::acd::{
    Acd, AcdInput, AcdOutput, AcdPlan, AgentPlan, AgentState, AgentWish, Joining, NobodyRule, QueuePlan,
    Strategy,
};
use proptest::prelude::*;

use crate::support::queue_model::{Decision, Model};

const RING: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(25);

/// One line of a story. Numbers choose among what there is at that moment.
#[derive(Clone, Debug)]
enum Step {
    Enter { queue: u8, priority: u8, earlier_s: u64, english: bool, extra: bool, prefer: Option<u8> },
    Leave(usize),
    Accept(usize),
    Refuse(usize),
    NoAnswer(usize),
    CallerGone(usize),
    PickedUp(usize),
    TalkEnded(usize),
    Late(u64),
    Wish(u8, AgentWish),
    Reachable(u8, bool),
    Engaged(u8, bool),
    Wait(u64),
}

const AGENTS: [&str; 5] = ["an", "bo", "cai", "di", "en"];
const QUEUES: [&str; 4] = ["account", "loans", "open", "nowhere"];

fn queue(skills: &[&str], strategy: Strategy) -> QueuePlan {
    QueuePlan {
        skills: skills.iter().map(|s| (*s).into()).collect(),
        strategy,
        ring_for: RING,
        wrap_up: Duration::from_secs(15),
        ageing: Duration::from_secs(40),
        wait_max: None,
        size_max: 6,
        nobody: NobodyRule::Wait,
        tell_every: Duration::from_secs(30),
        expected_talk: Duration::from_secs(90),
        same_agent_wait: Duration::from_secs(25),
        service_target: RING,
    }
}

fn agent(skills: &[(&str, u8)], languages: &[Language], unanswered_max: u8) -> AgentPlan {
    AgentPlan {
        alias: "front desk".into(),
        skills: skills.iter().map(|(s, l)| ((*s).into(), *l)).collect(),
        languages: languages.to_vec(),
        unanswered_max,
        ..AgentPlan::default()
    }
}

fn plan(strategy: Strategy) -> AcdPlan {
    use Language::{English, Mandarin};
    let account = queue(&["account"], strategy);
    let loans = QueuePlan {
        nobody: NobodyRule::Overflow,
        wait_max: Some(Duration::from_secs(100)),
        ageing: Duration::from_secs(70),
        ..queue(&["loans"], Strategy::LongestIdle)
    };
    let open = QueuePlan { wrap_up: Duration::ZERO, same_agent_wait: Duration::ZERO, ..queue(&[], strategy) };
    AcdPlan {
        queues: BTreeMap::from([("account".into(), account), ("loans".into(), loans), ("open".into(), open)]),
        agents: BTreeMap::from([
            ("an".into(), agent(&[("account", 3), ("loans", 8)], &[Mandarin], 2)),
            ("bo".into(), agent(&[("account", 3), ("loans", 8)], &[Mandarin], 2)),
            ("cai".into(), agent(&[("account", 9)], &[Mandarin, English], 1)),
            ("di".into(), agent(&[("loans", 2), ("cards", 5)], &[English, Mandarin], 3)),
            ("en".into(), agent(&[], &[English], 0)),
        ]),
    }
}

fn wish() -> impl Story<Value = AgentWish> {
    prop_oneof![
        3 => Just(AgentWish::SignIn),
        1 => Just(AgentWish::SignOut),
        2 => Just(AgentWish::Ready),
        1 => prop_oneof![Just("lunch"), Just("tea")].prop_map(|r: &str| AgentWish::Pause(r.to_owned())),
    ]
}

fn step() -> impl Story<Value = Step> {
    let who = || 0u8..5;
    let enter = (0u8..13, 0u8..=9, prop_oneof![4 => Just(0u64), 1 => 0u64..300]);
    let caller = (any::<bool>(), prop::bool::weighted(0.2), prop::option::weighted(0.3, who()));
    prop_oneof![
        8 => (enter, caller).prop_map(|((queue, priority, earlier_s), (english, extra, prefer))| {
            Step::Enter { queue: queue.min(12) / 4, priority, earlier_s, english, extra, prefer }
        }),
        2 => any::<usize>().prop_map(Step::Leave),
        6 => any::<usize>().prop_map(Step::Accept),
        1 => any::<usize>().prop_map(Step::Refuse),
        2 => any::<usize>().prop_map(Step::NoAnswer),
        1 => any::<usize>().prop_map(Step::CallerGone),
        1 => any::<usize>().prop_map(Step::PickedUp),
        5 => any::<usize>().prop_map(Step::TalkEnded),
        1 => (0u64..60).prop_map(Step::Late),
        5 => (who(), wish()).prop_map(|(a, w)| Step::Wish(a, w)),
        3 => (who(), prop::bool::weighted(0.75)).prop_map(|(a, b)| Step::Reachable(a, b)),
        2 => (who(), prop::bool::weighted(0.3)).prop_map(|(a, b)| Step::Engaged(a, b)),
        8 => prop_oneof![0u64..4000, Just(5000), Just(15_000), Just(20_000), Just(40_000)].prop_map(Step::Wait),
    ]
}

use proptest::strategy::Strategy as Story;

/// The machine under a story, with what is remembered to judge it.
struct Stage {
    acd: Acd,
    now: Now,
    next: u64,
    outputs: Vec<AcdOutput>,
    ringing: BTreeMap<AssignmentId, TicketId>,
    /// Tickets that entered and have not left.
    inside: BTreeMap<TicketId, Joining>,
    left: BTreeSet<TicketId>,
}

impl Stage {
    fn new(plan: AcdPlan) -> Self {
        Self {
            acd: Acd::new(Arc::new(plan)),
            now: Now::default(),
            next: 1,
            outputs: Vec::new(),
            ringing: BTreeMap::new(),
            inside: BTreeMap::new(),
            left: BTreeSet::new(),
        }
    }

    /// The input that a step means now, from what is ringing and talking.
    fn input(&mut self, step: &Step, talking: &[AssignmentId]) -> Option<AcdInput> {
        let ringing: Vec<_> = self.ringing.keys().copied().collect();
        let pick = |from: &[AssignmentId], n: usize| (!from.is_empty()).then(|| from[n % from.len()]);
        let name = |n: u8| AgentId::from(AGENTS[usize::from(n)]);
        Some(match step {
            Step::Enter { queue, priority, earlier_s, english, extra, prefer } => {
                let ticket = TicketId(self.next);
                self.next += 1;
                AcdInput::Enter(Joining {
                    ticket,
                    call: CallId(ticket.0),
                    queue: QueueId::from(QUEUES[usize::from(*queue)]),
                    priority: *priority,
                    since: self.now.mono - Duration::from_secs(*earlier_s),
                    language: if *english { Language::English } else { Language::Mandarin },
                    skills: if *extra { vec!["account".into()] } else { Vec::new() },
                    prefer: prefer.map(name),
                    kept: false,
                })
            }
            Step::Leave(n) => {
                let all: Vec<_> = self.inside.keys().copied().collect();
                let ticket = if all.is_empty() { TicketId(0) } else { all[n % all.len()] };
                AcdInput::Leave { ticket, cause: Cause::HungUp }
            }
            Step::Accept(n) => AcdInput::Accepted { assignment: pick(&ringing, *n)? },
            Step::Refuse(n) => AcdInput::Refused { assignment: pick(&ringing, *n)?, cause: Cause::Busy },
            Step::NoAnswer(n) => AcdInput::NoAnswer { assignment: pick(&ringing, *n)? },
            Step::CallerGone(n) => AcdInput::CallerGone { assignment: pick(&ringing, *n)? },
            Step::PickedUp(n) => {
                let assignment = pick(&ringing, *n)?;
                let ticket = self.ringing[&assignment];
                AcdInput::PickedUp { assignment, ticket }
            }
            Step::TalkEnded(n) => {
                AcdInput::TalkEnded { assignment: pick(talking, *n)?, talked: Duration::from_mins(1) }
            }
            Step::Late(n) => AcdInput::Accepted { assignment: AssignmentId(*n) },
            Step::Wish(a, wish) => AcdInput::Agent { agent: name(*a), wish: wish.clone() },
            Step::Reachable(a, reachable) => AcdInput::Reachable { agent: name(*a), reachable: *reachable },
            Step::Engaged(a, engaged) => AcdInput::Engaged { agent: name(*a), engaged: *engaged },
            Step::Wait(_) => return None,
        })
    }

    fn leaves(&mut self, ticket: TicketId) {
        assert!(self.inside.remove(&ticket).is_some(), "{ticket} left without being there");
        assert!(self.left.insert(ticket), "{ticket} left twice");
    }

    fn handle(&mut self, input: AcdInput) {
        match &input {
            AcdInput::Enter(joining) => {
                self.inside.insert(joining.ticket, joining.clone());
            }
            AcdInput::Leave { ticket, .. } if self.inside.contains_key(ticket) => self.leaves(*ticket),
            AcdInput::Accepted { assignment }
            | AcdInput::CallerGone { assignment }
            | AcdInput::PickedUp { assignment, .. } => {
                if let Some(ticket) = self.ringing.remove(assignment) {
                    self.leaves(ticket);
                }
            }
            AcdInput::Refused { assignment, .. } | AcdInput::NoAnswer { assignment } => {
                self.ringing.remove(assignment);
            }
            _ => {}
        }
        self.acd.handle(self.now, input);
    }

    /// Takes the outputs, judges each, and hands back the decisions among them.
    fn drain(&mut self) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while let Some(output) = self.acd.poll_output() {
            match &output {
                AcdOutput::Offer(o) => {
                    assert!(self.ringing.values().all(|t| *t != o.ticket), "{} is offered twice", o.ticket);
                    assert!(self.inside.contains_key(&o.ticket), "{} left before", o.ticket);
                    self.ringing.insert(o.assignment, o.ticket);
                    decisions.push(Decision::Offer(o.assignment, o.ticket, o.agent.clone()));
                }
                AcdOutput::Revoke { assignment, .. } => {
                    assert!(self.ringing.remove(assignment).is_some(), "{assignment} does not ring");
                    decisions.push(Decision::Revoke(*assignment));
                }
                AcdOutput::Overflow { ticket, why, .. } => {
                    self.leaves(*ticket);
                    decisions.push(Decision::Overflow(*ticket, *why));
                }
                AcdOutput::Tell { ticket, .. } => {
                    assert!(self.inside.contains_key(ticket), "{ticket} left before");
                    assert!(
                        self.ringing.values().all(|t| t != ticket),
                        "{ticket} is told while a phone rings"
                    );
                }
                AcdOutput::AgentChanged { .. } | AcdOutput::RunAhead { .. } => {}
            }
            self.outputs.push(output);
        }
        self.acd.check().unwrap();
        self.judge_snapshot();
        decisions
    }

    fn judge_snapshot(&self) {
        let snapshot = self.acd.snapshot(self.now);
        for agent in &snapshot.agents {
            let limbo = matches!(agent.state, AgentState::Ringing(_)) && agent.in_state > LEASE;
            assert!(!limbo, "{} rings beyond the lease", agent.agent);
            assert_eq!(agent.times.sum(), self.now.mono.since(Instant::ZERO), "{}: times", agent.agent);
        }
        let mut seen = 0;
        for ticket in snapshot.queues.iter().flat_map(|q| &q.waiting) {
            assert_eq!(ticket.since, self.inside[&ticket.ticket].since, "{}: its clock moved", ticket.ticket);
            seen += 1;
        }
        assert_eq!(seen, self.inside.len());
    }

    /// Time passes, stopping at each deadline; `each` sees the moment and what was decided then.
    fn wait(&mut self, d: Duration, mut each: impl FnMut(Instant, Vec<Decision>)) {
        let end = self.now.after(d);
        while let Some(at) = self.acd.next_deadline().map(|d| d.at).filter(|at| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.acd.handle_timeout(self.now);
            let decided = self.drain();
            each(at, decided);
        }
        self.now = end;
    }
}

/// Offers keep their order; what else happens at one moment is compared as a set.
fn sorted(decisions: &[Decision]) -> (Vec<Decision>, Vec<String>) {
    let (offers, rest): (Vec<_>, Vec<_>) =
        decisions.iter().cloned().partition(|d| matches!(d, Decision::Offer(..)));
    let mut rest: Vec<String> = rest.iter().map(|d| format!("{d:?}")).collect();
    rest.sort();
    (offers, rest)
}

fn agree(stage: &Stage, model: &mut Model, decided: &[Decision]) {
    let expected = std::mem::take(&mut model.decisions);
    assert_eq!(sorted(decided), sorted(&expected), "at {:?}", stage.now.mono);
    let snapshot = stage.acd.snapshot(stage.now);
    let states: Vec<_> = snapshot.agents.iter().map(|a| (a.agent.clone(), a.state.clone())).collect();
    assert_eq!(states, model.states(), "at {:?}", stage.now.mono);
    for queue in &snapshot.queues {
        let real: Vec<_> = queue.waiting.iter().map(|t| (t.ticket, t.ringing.is_some())).collect();
        let order = model.order().into_iter().filter(|c| c.joining.queue == queue.queue);
        let expected: Vec<_> = order.map(|c| (c.joining.ticket, c.ringing)).collect();
        assert_eq!(real, expected, "order of {} at {:?}", queue.queue, stage.now.mono);
    }
}

fn strategies() -> impl Story<Value = Strategy> {
    prop_oneof![
        Just(Strategy::LongestIdle),
        Just(Strategy::FewestCalls),
        Just(Strategy::MostSkilled),
        Just(Strategy::LeastVersatile),
        Just(Strategy::ByName),
    ]
}

/// Everybody begins at work in half of the stories, so that they are not all about empty desks.
fn opening(at_work: bool) -> Vec<Step> {
    let all =
        (0u8..5).flat_map(|a| [Step::Reachable(a, true), Step::Wish(a, AgentWish::SignIn), Step::Wait(1000)]);
    if at_work { all.collect() } else { Vec::new() }
}

fn against_the_model(strategy: Strategy, steps: &[Step]) -> Vec<AcdOutput> {
    let plan = plan(strategy);
    let mut model = Model::new(Arc::new(plan.clone()));
    let mut stage = Stage::new(plan);
    for step in steps {
        if let Step::Wait(ms) = step {
            let mut moments = Vec::new();
            let end = stage.now.mono + Duration::from_millis(*ms);
            stage.wait(Duration::from_millis(*ms), |at, decided| moments.push((at, decided)));
            let mut decided = Vec::new();
            for (at, now) in moments {
                decided.extend(now);
                model.advance(at);
            }
            model.advance(end);
            agree(&stage, &mut model, &decided);
        } else if let Some(input) = stage.input(step, &model.talking()) {
            stage.handle(input.clone());
            let decided = stage.drain();
            model.handle(&input);
            agree(&stage, &mut model, &decided);
        }
    }
    let rest: Vec<_> = stage.inside.keys().copied().collect();
    for ticket in rest {
        stage.handle(AcdInput::Leave { ticket, cause: Cause::HungUp });
        stage.drain();
    }
    assert!(stage.inside.is_empty() && stage.ringing.is_empty());
    stage.outputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_decides_as_the_model_does(
        strategy in strategies(), at_work in any::<bool>(), steps in prop::collection::vec(step(), 1..120),
    ) {
        let steps = [opening(at_work), steps].concat();
        against_the_model(strategy, &steps);
    }

    #[test]
    fn the_same_story_has_the_same_outputs(steps in prop::collection::vec(step(), 1..80)) {
        let steps = [opening(true), steps].concat();
        let told = |steps| serde_json::to_string(&against_the_model(Strategy::LongestIdle, steps)).unwrap();
        prop_assert_eq!(told(&steps), told(&steps));
    }

    /// Plans come and go in the middle of everything; nobody is lost, nobody stays in limbo.
    #[test]
    fn new_plans_at_any_moment_leave_everything_in_order(
        steps in prop::collection::vec((step(), prop::option::weighted(0.15, any::<u8>())), 1..100),
    ) {
        let mut stage = Stage::new(plan(Strategy::LongestIdle));
        let mut talking: BTreeSet<AssignmentId> = BTreeSet::new();
        for step in opening(true) {
            play(&mut stage, &step, &mut talking);
        }
        for (step, install) in &steps {
            if let Some(bits) = install {
                stage.acd.install(stage.now, Arc::new(other_plan(*bits)));
                drain_with_new_agents(&mut stage);
            }
            play(&mut stage, step, &mut talking);
        }
    }
}

fn play(stage: &mut Stage, step: &Step, talking: &mut BTreeSet<AssignmentId>) {
    if let Step::Wait(ms) = step {
        let end = stage.now.after(Duration::from_millis(*ms));
        while let Some(at) = stage.acd.next_deadline().map(|d| d.at).filter(|at| *at <= end.mono) {
            stage.now = stage.now.after(at.since(stage.now.mono));
            stage.acd.handle_timeout(stage.now);
            drain_with_new_agents(stage);
        }
        stage.now = end;
        return;
    }
    let now: Vec<_> = talking.iter().copied().collect();
    let Some(input) = stage.input(step, &now) else { return };
    match &input {
        AcdInput::Accepted { assignment } if stage.ringing.contains_key(assignment) => {
            talking.insert(*assignment);
        }
        AcdInput::TalkEnded { assignment, .. } => {
            talking.remove(assignment);
        }
        _ => {}
    }
    stage.handle(input);
    drain_with_new_agents(stage);
}

/// As [`Stage::drain`], but agents may be known for a shorter time than the day.
fn drain_with_new_agents(stage: &mut Stage) {
    while let Some(output) = stage.acd.poll_output() {
        match output {
            AcdOutput::Offer(o) => {
                assert!(stage.inside.contains_key(&o.ticket));
                stage.ringing.insert(o.assignment, o.ticket);
            }
            AcdOutput::Revoke { assignment, .. } => assert!(stage.ringing.remove(&assignment).is_some()),
            AcdOutput::Overflow { ticket, .. } => stage.leaves(ticket),
            AcdOutput::Tell { .. } | AcdOutput::AgentChanged { .. } | AcdOutput::RunAhead { .. } => {}
        }
    }
    stage.acd.check().unwrap();
    let waiting: usize = stage.acd.snapshot(stage.now).queues.iter().map(|q| q.waiting.len()).sum();
    let ringing_elsewhere = stage.inside.len() - waiting;
    assert!(ringing_elsewhere <= stage.ringing.len(), "a caller is lost");
}

/// The plan with some agents and queues gone or changed, by the bits.
fn other_plan(bits: u8) -> AcdPlan {
    let mut plan = plan(Strategy::LongestIdle);
    if bits & 1 != 0 {
        plan.agents.remove(&AgentId::from("an"));
    }
    if bits & 2 != 0 {
        plan.agents.insert("bo".into(), agent(&[("account", 1)], &[Language::English], 1));
    }
    if bits & 4 != 0 {
        plan.queues.remove(&QueueId::from("open"));
    }
    if bits & 8 != 0 {
        let account = plan.queues.get_mut(&QueueId::from("account")).unwrap();
        account.skills = vec!["loans".into()];
        account.ageing = Duration::from_secs(10);
        account.nobody = NobodyRule::Overflow;
    }
    if bits & 16 != 0 {
        plan.agents.insert("fa".into(), agent(&[("account", 2), ("loans", 2)], &[Language::Mandarin], 2));
    }
    if bits & 32 != 0 {
        plan.queues.get_mut(&QueueId::from("loans")).unwrap().wait_max = Some(Duration::from_secs(30));
    }
    plan
}
