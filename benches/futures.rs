//! What callers are told on days with several skills and priorities, beside what every closed formula says: the figures of
//! `docs/estimating.md`, and what they cost.
#[path = "../tests/rooms/support/agenda.rs"]
mod agenda;
#[path = "../tests/rooms/support/skilled_day.rs"]
mod skilled_day;
mod support;
#[expect(dead_code, reason = "the tests look at more of it")]
#[path = "../tests/rooms/support/waiting_day.rs"]
mod waiting_day;

use skilled_day::{Day, Figures, House, Ways};

fn main() {
    for house in [House::Shop, House::Bank] {
        for futures in [false, true] {
            let (mut all, mut batches, mut steps) = (Figures::default(), 0, 0);
            let begun = support::cpu_ns();
            for seed in 1..=12 {
                let mut day = Day::new(house, seed, Ways { futures, ..Ways::default() });
                day.run();
                all.add(&day);
                batches += day.batches.0;
                steps += day.batches.1;
            }
            let took = (support::cpu_ns() - begun) / 1_000_000;
            println!("{house:?} futures {futures}: {all}");
            println!("    {batches} batches, {steps} steps, {took} ms CPU");
        }
    }
}
