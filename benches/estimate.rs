//! What an estimate costs: CPU time of one prediction with words, and of learning from one outcome.
//!
//! Why: an estimate must never delay a call, and in a simulated day of 100,000 calls all together take at most 5 s.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `estimate_one` | what is said to one caller, by an estimator that has learned from 10,000 | 1,000 us |
//! | `estimate_learn` | learning from one outcome | 1,000 us |
//! | `estimate_skilled_thousand` | one telling with about 1,000 waiting in five queues that share 100 agents, two priorities: estimate and futures, amortised | 1,000 us |
//! | `estimate_thousand_wait` | one input or telling of the Acd with about 1,000 waiting and 100 agents | 1,000 us |
#[path = "../tests/rooms/support/agenda.rs"]
mod agenda;
mod support;
#[expect(dead_code, reason = "the tests look at more of it")]
#[path = "../tests/rooms/support/waiting_day.rs"]
mod waiting_day;

use std::sync::Arc;
use std::time::Duration;

use agenda::{Agenda, Next, exponential};
use hotline::base::{AgentId, AssignmentId, CallId, Language, Now, Rng, TicketId};
use hotline::exchange::acd::{
    Acd, AcdInput, AcdOutput, AcdPlan, AgentPlan, AgentWish, Entry, Estimator, Forecast, Joining, QueuePlan,
    RanAhead, Sight, spread_by_steps,
};
use waiting_day::{Day, World, queue};

fn main() {
    support::pin();
    let mut rng = Rng::from_number(1);
    let (mut estimator, mut now_s) = (Estimator::default(), 0.0);
    for _ in 0..10_000 {
        learn(&mut estimator, &mut rng, &mut now_s);
    }
    let sights: Vec<Sight> = (0..1000).map(|_| sight(&mut rng)).collect();
    let mut next = sights.iter().cycle();
    let one = support::ns_each(1000, || {
        let sight = next.next().expect("a cycle has no end");
        std::hint::black_box(estimator.enter(sight, &formula(sight)));
    });
    support::report("estimate_one", one / 1000.0, "us", 1000.0);
    let learned = support::ns_each(100, || learn(&mut estimator, &mut rng, &mut now_s));
    support::report("estimate_learn", learned / 1000.0, "us", 1000.0);
    let (told, tellings, batches) = skilled_thousand(true);
    let (untold, _, _) = skilled_thousand(false);
    println!("{tellings} tellings, {batches} batches of futures");
    let us = Duration::from_nanos(told.saturating_sub(untold) / tellings.max(1)).as_secs_f64() * 1e6;
    support::report("estimate_skilled_thousand", us, "us", 1000.0);
    let crowd = Day {
        agents: 100,
        hours: 1,
        calls_per_hour: 3_000.0,
        talk_s: 180.0,
        patience_s: 6_000.0,
        patient: 0.0,
        urgent: 0.1,
        leave_at_half: 0,
        queue: queue(),
    };
    let mut world = World::new(crowd, 1);
    let begun = support::cpu_ns();
    world.run();
    let took = support::cpu_ns() - begun;
    let handled = world.inputs + world.acd.snapshot(Now::default()).counters.tellings;
    let us = Duration::from_nanos(took / handled).as_secs_f64() * 1e6;
    support::report("estimate_thousand_wait", us, "us", 1000.0);
}

fn formula(sight: &Sight) -> Forecast {
    spread_by_steps(sight.ahead, (sight.ahead + 1.0) * sight.handle_s / sight.agents.max(1.0))
}

fn sight(rng: &mut Rng) -> Sight {
    let ahead = 30.0 * rng.unit();
    Sight {
        day_s: 86_400.0 * rng.unit(),
        waiting: ahead,
        ahead,
        rivals: ahead,
        agents: 10.0,
        able: 10.0,
        busy: 10.0,
        handle_s: 180.0,
        last_s: 300.0 * rng.unit(),
        ..Sight::default()
    }
}

fn learn(estimator: &mut Estimator, rng: &mut Rng, now_s: &mut f64) {
    *now_s += 5.0;
    let sight = sight(rng);
    let entry: Entry = estimator.enter(&sight, &formula(&sight));
    let waited = Duration::from_secs_f64((sight.ahead + 1.0) * 18.0 * 2.0 * rng.unit());
    estimator.served(*now_s, &entry, waited);
}

const QUEUES: [&str; 5] = ["account", "loans", "disputes", "merchant", "urgent"];
const AGENTS: usize = 100;

enum Event {
    PickUp(AssignmentId),
    TalkOver(AssignmentId, Duration),
    Ran(RanAhead),
}

/// Each agent has two of the skills, every tenth all.
fn skilled_plan() -> AcdPlan {
    let queues = QUEUES.map(|q| (q.into(), QueuePlan { skills: vec![q.into()], ..queue() }));
    let agent = |i: usize| AgentPlan {
        skills: (0..if i.is_multiple_of(10) { 5 } else { 2 })
            .map(|k| (QUEUES[(i + k) % 5].into(), 5))
            .collect(),
        languages: vec![Language::Mandarin],
        ..AgentPlan::default()
    };
    let agents = (0..AGENTS).map(|i| (AgentId::from(format!("agent-{i}").as_str()), agent(i)));
    AcdPlan { queues: queues.into(), agents: agents.collect() }
}

/// The caller of this number.
fn joining(number: u64, now: Now) -> Joining {
    Joining {
        ticket: TicketId(number),
        call: CallId(number),
        queue: QUEUES[usize::try_from(number % 5).unwrap_or(0)].into(),
        priority: if number.is_multiple_of(9) { 0 } else { 5 },
        since: now.mono,
        language: Language::Mandarin,
        skills: Vec::new(),
        prefer: None,
        kept: false,
    }
}

/// Ten minutes in which a thousand wait, told or not: CPU in ns, tellings, batches.
fn skilled_thousand(told: bool) -> (u64, u64, u64) {
    let plan = Arc::new(skilled_plan());
    let mut acd = Acd::new(Arc::clone(&plan));
    if !told {
        acd.tell_nobody();
    }
    let (mut now, mut rng, mut agenda) = (Now::default(), Rng::from_number(1), Agenda::default());
    let mut next = 0_u64;
    let begun = support::cpu_ns();
    for agent in plan.agents.keys() {
        acd.handle(now, AcdInput::Reachable { agent: agent.clone(), reachable: true });
        acd.handle(now, AcdInput::Agent { agent: agent.clone(), wish: AgentWish::SignIn });
    }
    let mut come = |acd: &mut Acd, now: Now| {
        next += 1;
        acd.handle(now, AcdInput::Enter(joining(next, now)));
    };
    for _ in 0..1_000 + AGENTS {
        now = now.after(Duration::from_millis(50));
        come(&mut acd, now);
    }
    loop {
        while let Some(output) = acd.poll_output() {
            match output {
                AcdOutput::Offer(offer) => {
                    agenda.after(now, Duration::from_secs(3), Event::PickUp(offer.assignment));
                }
                AcdOutput::RunAhead { batch } => {
                    if let Some(futures) = acd.futures(batch) {
                        let ran = futures.run();
                        agenda.after(now, ran.modelled_delay(), Event::Ran(ran));
                    }
                }
                AcdOutput::Revoke { .. }
                | AcdOutput::Tell { .. }
                | AcdOutput::Overflow { .. }
                | AcdOutput::AgentChanged { .. } => {}
            }
        }
        let Some(event) = agenda.next(&mut now, acd.next_deadline()) else { break };
        if now.mono.as_millis() > 650_000 {
            break;
        }
        match event {
            Next::Timer => acd.handle_timeout(now),
            Next::Event(Event::Ran(ran)) => acd.handle(now, AcdInput::RanAhead(ran)),
            Next::Event(Event::PickUp(assignment)) => {
                let talk = exponential(&mut rng, 180.0);
                acd.handle(now, AcdInput::Accepted { assignment });
                agenda.after(now, talk, Event::TalkOver(assignment, talk));
                come(&mut acd, now);
            }
            Next::Event(Event::TalkOver(assignment, talked)) => {
                acd.handle(now, AcdInput::TalkEnded { assignment, talked });
            }
        }
    }
    let counters = acd.snapshot(now).counters;
    (support::cpu_ns() - begun, counters.tellings, counters.batches)
}
