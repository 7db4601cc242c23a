//! What the benches share: CPU time on one pinned core, the minimum of 25 batches, and the line that `cargo xtask bench`
//! reads.
#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(
    clippy::allow_attributes,
    reason = "an expectation would be fulfilled in one bench and not in the next"
)]
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// Batches of which the fastest counts: what others do to the machine only ever slows one down.
const BATCHES: u32 = 25;

/// Keeps this process on the last core, where it may.
pub(crate) fn pin() {
    pin_to(std::thread::available_parallelism().map_or(1, usize::from) - 1);
}

/// Keeps this process, and the threads that it starts from now on, on one core, where it may.
pub(crate) fn pin_to(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)).is_err() {
        eprintln!("not pinned to a core");
    }
}

/// CPU time of this thread so far, in nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the thread has a CPU clock");
    u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
}

/// CPU nanoseconds of one `run`: the fastest of 25 batches of `runs`.
pub(crate) fn ns_each(runs: u32, mut run: impl FnMut()) -> f64 {
    let batch = |run: &mut dyn FnMut()| {
        let begun = cpu_ns();
        (0..runs).for_each(|_| run());
        Duration::from_nanos(cpu_ns() - begun).as_secs_f64() * 1e9 / f64::from(runs)
    };
    (0..BATCHES).map(|_| batch(&mut run)).fold(f64::INFINITY, f64::min)
}

/// Prints a figure and its budget; less is better.
pub(crate) fn report(name: &str, value: f64, unit: &str, budget: f64) {
    let verdict = if value <= budget { "ok" } else { "over" };
    println!("bench {name} {value:.2} {unit} {budget} {verdict}");
}
