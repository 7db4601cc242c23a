//! Whether the machine stood still while a test listened: a test's own timer came late, or a thread of its own (the
//! server's, a phone's) or of its children (baresip) was ready and waited for a processor. What is missing then says
//! nothing about the server.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A stall that can be heard.
pub(crate) const STALL: Duration = Duration::from_millis(40);
const TICK: Duration = Duration::from_millis(5);

/// Does something; how long the machine stalled meanwhile at its worst.
pub(crate) async fn watched<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let (late, before) = (Cell::new(Duration::ZERO), waited());
    let clock = async {
        loop {
            let begun = tokio::time::Instant::now();
            tokio::time::sleep(TICK).await;
            late.set(late.get().max(begun.elapsed().saturating_sub(TICK)));
        }
    };
    let result = tokio::select! {
        result = work => result,
        never = clock => never,
    };
    let grown = waited().into_iter().map(|(task, ns)| ns - before.get(&task).copied().unwrap_or(ns).min(ns));
    let waited = Duration::from_nanos(grown.max().unwrap_or(0));
    (result, late.get().max(waited))
}

/// How long each thread of ours and of our children was ready and did not run since it began, in ns.
fn waited() -> BTreeMap<PathBuf, u64> {
    let mut processes = vec![PathBuf::from("/proc/self")];
    for task in folders(Path::new("/proc/self/task")) {
        let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
        processes.extend(children.split_whitespace().map(|pid| Path::new("/proc").join(pid)));
    }
    let tasks = processes.iter().flat_map(|process| folders(&process.join("task")));
    let told = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.join("schedstat")).ok()?;
        Some((task, text.split_whitespace().nth(1)?.parse().ok()?))
    });
    told.collect()
}

fn folders(at: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(at).map(|all| all.filter_map(|e| Some(e.ok()?.path())).collect()).unwrap_or_default()
}
