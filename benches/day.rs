//! A whole day of Double Eleven: 100,000 calls and 500 agents through menus, Exchange and Acd, in simulated time.
//!
//! Why: whoever must decide before the day comes tries many plans, and waits for each.
//!
//! | figure | what | budget |
//! |---|---|---|
//! | `day_cpu` | CPU time of the day, estimates and hash included | 10 s |
//! | `day_estimates` | of it what estimates, futures and learning take: the same day without a word about waits is less by so much | 5 s |
//! | `day_memory` | the largest the process ever was | 300 MB |
//! | `day_calls` | calls, in thousands; at least 100 | |
mod support;

use std::sync::Arc;

use hotline::exchange::menu::{MenuSet, PromptTexts};
use hotline::io::embedded::{self, Place};
use hotline::sim::{Day, Plan, PromptLengths, Scenario};

fn main() {
    support::pin();
    let files = embedded::scenarios();
    let (scenario, _) =
        Scenario::read(&files, "double-eleven.toml", &[]).expect("the shipped scenario is clean");
    let (texts, _) =
        PromptTexts::read("manifest.toml", &embedded::manifest(&Place::BuiltIn).expect("is built in"));
    let menu_files = embedded::menus(&Place::BuiltIn).expect("are built in");
    let (menus, _) = MenuSet::load(&menu_files, &texts.known()).expect("the shipped menus are clean");
    let lengths = Arc::new(PromptLengths::read(&embedded::manifest_lock(&Place::BuiltIn)));
    let plan = Plan::new(Arc::new(scenario), &menus, lengths, &files).expect("they fit each other");
    let begun = support::cpu_ns();
    let report = Day::new(plan.clone(), 1).run(|_| {}, |_| {});
    let took = support::cpu_ns() - begun;
    let begun = support::cpu_ns();
    let untold = Day::new(plan, 1).untold().run(|_| {}, |_| {});
    let without = support::cpu_ns() - begun;
    assert_eq!((untold.told.told, untold.machine.broken), (0, 0), "nobody is told anything");
    println!("{report}");
    assert_eq!(report.machine.broken, 0, "no invariant is broken");
    assert!(report.visits + report.refused >= 100_000, "{} calls", report.visits);
    support::report(
        "day_cpu",
        f64::from(u32::try_from(took / 1_000_000).unwrap_or(u32::MAX)) / 1_000.0,
        "s",
        10.0,
    );
    let estimates = u32::try_from(took.saturating_sub(without) / 1_000_000).unwrap_or(u32::MAX);
    support::report("day_estimates", f64::from(estimates) / 1_000.0, "s", 5.0);
    support::report("day_memory", peak_mb(), "MB", 300.0);
}

/// `VmHWM` of this process.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb: f64 = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(f64::INFINITY);
    kb / 1_024.0
}
