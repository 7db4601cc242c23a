//! What an estimate costs: CPU time of one prediction with words, and of learning from one outcome.
//!
//! Why: an estimate must never delay a call, and in a simulated day of 100,000 calls all together take at most 5 s.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `estimate_one` | what is said to one caller, by an estimator that has learned from 10,000 | 1,000 us |
//! | `estimate_learn` | learning from one outcome | 1,000 us |
//! | `estimate_thousand_wait` | one input or telling of the Acd with about 1,000 waiting and 100 agents | 1,000 us |
#[path = "../tests/rooms/support/agenda.rs"]
mod agenda;
mod support;
#[expect(dead_code, reason = "the tests look at more of it")]
#[path = "../tests/rooms/support/waiting_day.rs"]
mod waiting_day;

use std::time::Duration;

use hotline::base::{Now, Rng};
use hotline::exchange::acd::{Entry, Estimator, Forecast, Sight, spread_by_steps};
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
