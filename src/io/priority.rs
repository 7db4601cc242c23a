//! Sound before everything else, then who speaks SIP, and what nobody waits for last: the places of threads among the process's.
//!
//! Invariant: a system that does not allow it is no reason to have no calls; it is said once, in the log.
use std::io;

/// How much sooner the media thread runs than its neighbours, in steps of nice. Ten steps are about ten times the weight:
/// a burst of signalling or a write of the store does not make sound late, and even a media thread that never rests
/// leaves the others a tenth.
const STEPS: i32 = 10;
/// How much sooner control runs than the store: a write of many rows must not keep a caller's message waiting.
const SOME: i32 = 5;
/// The lowest value of nice there is.
const FIRST: i32 = -20;
/// The highest.
const LAST: i32 = 19;

/// Puts the calling thread before the others. Needs `CAP_SYS_NICE` or a limit (`LimitNICE`) that allows it.
pub(super) fn hurry() {
    match hurried(STEPS) {
        Ok(nice) => tracing::info!(nice, "the media thread goes first"),
        Err(why) => {
            tracing::info!(%why, "the media thread may not go first: LimitNICE=-10 or CAP_SYS_NICE would let it");
        }
    }
}

/// Puts the calling thread before those of the store and the pages, behind sound. Threads that it starts from then on go
/// where it goes.
pub(super) fn hurry_a_little() {
    if let Err(why) = hurried(SOME) {
        tracing::info!(%why, "control may not go before the store: LimitNICE=-10 or CAP_SYS_NICE would let it");
    }
}

/// Puts the calling thread behind the others: what it does may take as long as it likes. Never refused.
pub(super) fn give_way() {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    if let Err(why) = rustix::process::setpriority_process(None, (nice + STEPS).min(LAST)) {
        tracing::debug!(%why, "a thread cannot give way");
    }
}

/// On Linux nice belongs to a thread, not to the process.
fn hurried(steps: i32) -> io::Result<i32> {
    let nice = rustix::process::getpriority_process(None)?;
    let first = (nice - steps).max(FIRST);
    rustix::process::setpriority_process(None, first)?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_asks_goes_first() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let asked = std::thread::spawn(|| {
            hurried(STEPS).map(|n| (n, rustix::process::getpriority_process(None).unwrap()))
        });
        match asked.join().unwrap() {
            Ok((said, is)) => assert_eq!((said, is), ((before - STEPS).max(FIRST), said)),
            Err(why) => assert!(matches!(why.kind(), io::ErrorKind::PermissionDenied), "{why}"),
        }
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
