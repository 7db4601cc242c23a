//! Nothing polls: what a server without calls costs. The real program on loopback with the shipped menus, an agent's
//! worth of nothing to do; the CPU time of all its threads over ten seconds, as a share of one core.
//!
//! Budget: 1 % of a core. Last: 0.00 % (debug build), two-core machine shared with others.
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod support;

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// It has settled by then: prompts decoded, ports bound.
const SETTLED: Duration = Duration::from_secs(2);
/// A server that is not ready by then will never be.
const READY: Duration = Duration::from_mins(1);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    let folder = std::env::temp_dir().join(format!("hotline-idle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let share = measure(&folder);
    // What a killed server noted is not in the folder.
    if let Ok(notes) = std::fs::read_link(folder.join("var/journal/notes")) {
        std::fs::remove_dir_all(notes).ok();
    }
    std::fs::remove_dir_all(&folder).unwrap();
    support::report("idle_cpu", share, "%", 1.0);
}

fn measure(folder: &Path) -> f64 {
    let settings = "[sip]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(folder.join("hotline.toml"), settings).unwrap();
    let printed = folder.join("printed");
    let mut hotline = Command::new(env!("CARGO_BIN_EXE_hotline"));
    hotline.current_dir(folder).stdin(Stdio::null()).stdout(std::fs::File::create(&printed).unwrap());
    let running = Running(hotline.spawn().unwrap());
    let end = Instant::now() + READY;
    while !std::fs::read_to_string(&printed).unwrap().contains("is ready") {
        assert!(Instant::now() < end, "the server is not ready after {READY:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(SETTLED);
    let (cpu, since) = (cpu_ns(running.0.id()), Instant::now());
    std::thread::sleep(WATCHED);
    assert!(cpu > 0, "this kernel does not count the threads' time (CONFIG_SCHED_INFO)");
    let spent = Duration::from_nanos(cpu_ns(running.0.id()) - cpu);
    100.0 * spent.as_secs_f64() / since.elapsed().as_secs_f64()
}

/// CPU nanoseconds of all threads of a process so far: the first number of each `schedstat`.
fn cpu_ns(process: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .map(|thread| {
            let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum()
}
