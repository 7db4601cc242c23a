//! What callers are told on days with several skills and priorities, beside what every closed formula says: the figures of
//! `docs/estimating.md`.
//!
//! Why: a range that does not hold as often as it claims is a broken promise, and one day is too short to tell.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `futures_holds_off` | how far the share of waits within the words said is from 80 %, the worse kind of day | 3 points |
//! | `futures_error` | root mean square error over that of the best closed formula, the worse kind of day | 1 |
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
    support::pin();
    let (mut off, mut error): (f64, f64) = (0.0, 0.0);
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
            println!("{house:?}, {}: {all}", if futures { "futures" } else { "formula and learned" });
            println!("    {batches} batches, {steps} steps, {took} ms CPU");
            if futures {
                off = off.max(100.0 * (all.held() - 0.8).abs());
                let best = all.rules().filter(|rule| *rule != "hotline").map(|rule| all.rmse(rule));
                error = error.max(all.rmse("hotline") / best.fold(f64::INFINITY, f64::min));
            }
        }
    }
    support::report("futures_holds_off", off, "points", 3.0);
    support::report("futures_error", error, "of the best", 1.0);
}
