//! The bell between control, which gives commands, and the thread of sound, which may sleep.
//!
//! Invariant: a command is never given without a ring that is heard, or a sleep that ends soon by itself: one writes `rung`
//! and then reads `until_ns`, the other writes `until_ns` and then reads `rung`.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::base::Instant;

/// A thread of sound that wakes by itself within this is not woken for a command: with some thousands of legs it wakes each
/// millisecond, and being woken for each command in between costs more than the commands.
const SOON: Duration = Duration::from_millis(1);

/// Between who gives commands and who sleeps.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Commands came since the thread last looked.
    rung: AtomicBool,
    /// When the thread wakes by itself, in nanoseconds; 0: it has not slept yet.
    until_ns: AtomicU64,
}

impl Bell {
    /// A command lies there. Whether the thread must be woken for it.
    pub(super) fn ring(&self, now: Instant) -> bool {
        // One wake-up is enough until the thread has looked.
        !self.rung.swap(true, Ordering::SeqCst)
            && self.until_ns.load(Ordering::SeqCst) > (now + SOON).as_nanos()
    }

    /// The thread looks now.
    pub(super) fn answer(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    /// The thread is about to sleep until then; whether it may.
    pub(super) fn may_sleep(&self, until: Option<Instant>) -> bool {
        self.until_ns.store(until.map_or(u64::MAX, Instant::as_nanos), Ordering::SeqCst);
        !self.rung.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_thread_that_wakes_soon_by_itself_is_not_woken_and_any_other_once() {
        let (now, bell) = (Instant::from_secs(7), Bell::default());
        assert!(!bell.ring(now), "it is awake");
        assert!(!bell.may_sleep(None), "there is something to do");
        bell.answer();
        assert!(bell.may_sleep(Some(now + SOON)));
        assert!(!bell.ring(now), "it wakes within a millisecond");
        bell.answer();
        assert!(bell.may_sleep(Some(now + 2 * SOON)));
        assert!(bell.ring(now));
        assert!(!bell.ring(now), "it was woken");
        bell.answer();
        assert!(bell.may_sleep(None));
        assert!(bell.ring(now));
    }

    #[test]
    fn no_command_is_slept_over_whenever_it_comes() {
        const COMMANDS: u32 = 200_000;
        let (bell, (wake, woken)) = (Arc::new(Bell::default()), sync_channel(COMMANDS as usize));
        let (commands, orders) = sync_channel(64);
        let giver = Arc::clone(&bell);
        let giving = std::thread::spawn(move || {
            for n in 0..COMMANDS {
                commands.send(n).unwrap();
                if giver.ring(Instant::ZERO) {
                    wake.send(()).unwrap();
                }
            }
        });
        let mut next = 0;
        while next < COMMANDS {
            bell.answer();
            while let Ok(n) = orders.try_recv() {
                assert_eq!(n, next);
                next += 1;
            }
            if next < COMMANDS && bell.may_sleep(None) {
                woken.recv_timeout(Duration::from_secs(5)).expect("woken for a command");
            }
        }
        giving.join().unwrap();
    }
}
