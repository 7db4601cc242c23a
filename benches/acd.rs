//! What one input of the Acd costs with 500 agents: a day of 100,000 calls, once with few waiting and once with about a
//! thousand, the simulated callers included.
//!
//! Why: a whole simulated day must take less than 10 s on one core, everything included. Budget: 5 us for an input or a
//! telling. Last figures (CPU time, two shared virtual cores): calm 2.3 us an input; crowded 1.8 s for 280,612 inputs
//! and 515,939 tellings, 2.2 us each.
#[expect(dead_code, reason = "the tests look at more of it")]
#[path = "../tests/rooms/support/waiting_day.rs"]
mod waiting_day;

use std::time::Duration;

use hotline::base::Now;
use waiting_day::{Day, World, queue};

fn main() {
    let calm = Day {
        agents: 500,
        hours: 12,
        calls_per_hour: 100_000.0 / 12.0,
        talk_s: 180.0,
        patience_s: 420.0,
        patient: 0.0,
        urgent: 0.1,
        leave_at_half: 0,
        queue: queue(),
    };
    let crowded = Day { patience_s: 6000.0, calls_per_hour: 9500.0, hours: 10, ..calm.clone() };
    for (name, day) in [("calm", calm), ("crowded", crowded)] {
        let best = (1..=3).map(|seed| measure(&day, seed)).min_by_key(|m| m.0);
        let Some((took, inputs, most, tellings)) = best else { continue };
        let each = took.as_secs_f64() * 1e6 / f64::from(u32::try_from(inputs).unwrap_or(u32::MAX));
        println!(
            "{name}: {inputs} inputs, {tellings} tellings, at most {most} waiting: {took:?}, {each:.2} us an input"
        );
    }
}

fn measure(day: &Day, seed: u64) -> (Duration, u64, usize, u64) {
    let mut world = World::new(day.clone(), seed);
    let begin = cpu_time();
    world.run();
    let took = cpu_time().saturating_sub(begin);
    let tellings = world.acd.snapshot(Now::default()).counters.tellings;
    (took, world.inputs, most_waiting(&world), tellings)
}

/// Time this thread has had a core, from Linux: other programs do not count.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// The longest line there was.
fn most_waiting(world: &World) -> usize {
    let mut steps: Vec<(u64, i64)> = Vec::new();
    for visit in world.visits.values() {
        if let Some(offered) = visit.offered {
            steps.push((visit.joining.since.as_nanos(), 1));
            steps.push((offered.as_nanos(), -1));
        }
    }
    steps.sort_unstable();
    let mut waiting = 0;
    let most = steps.iter().map(|(_, d)| {
        waiting += d;
        waiting
    });
    usize::try_from(most.max().unwrap_or(0)).unwrap_or(0)
}
