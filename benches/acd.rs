//! What the Acd costs with 500 agents: CPU time for each input or telling, the simulated callers included.
//!
//! Why: a simulated day of 100,000 calls must take less than 10 s on one core, everything included.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `acd_calm` | two hours of 8,300 calls each, few waiting | 5 us |
//! | `acd_crowded` | an hour of 10,500 calls, about 1,000 waiting, two tellings for each input | 5 us |
//!
//! Machine: a busy 2-core virtual machine. Last figures, in us: 2.3, 2.2 (over whole days of 100,000 calls: 0.7 s and
//! 1.8 s of CPU time).
#[path = "../tests/rooms/support/agenda.rs"]
mod agenda;
mod support;
#[expect(dead_code, reason = "the tests look at more of it")]
#[path = "../tests/rooms/support/waiting_day.rs"]
mod waiting_day;

use hotline::base::Now;
use waiting_day::{Day, World, queue};

/// Days of which the fastest counts.
const BATCHES: u64 = 25;

fn main() {
    support::pin();
    let calm = Day {
        agents: 500,
        hours: 2,
        calls_per_hour: 8_300.0,
        talk_s: 180.0,
        patience_s: 420.0,
        patient: 0.0,
        urgent: 0.1,
        leave_at_half: 0,
        queue: queue(),
    };
    let crowded = Day { patience_s: 6_000.0, calls_per_hour: 10_500.0, hours: 1, ..calm.clone() };
    support::report("acd_calm", us_each(&calm), "us", 5.0);
    support::report("acd_crowded", us_each(&crowded), "us", 5.0);
}

/// CPU microseconds for each input and telling: the fastest of 25 days.
fn us_each(day: &Day) -> f64 {
    let batch = |seed| {
        let mut world = World::new(day.clone(), seed);
        let begun = support::cpu_ns();
        world.run();
        let took = support::cpu_ns() - begun;
        let handled = world.inputs + world.acd.snapshot(Now::default()).counters.tellings;
        f64::from(u32::try_from(took / handled).unwrap_or(u32::MAX)) / 1_000.0
    };
    (1..=BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}
