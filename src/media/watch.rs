//! Notices that nothing comes from a leg any more.
//!
//! Invariant: one complaint a silence; packets only note the time, so the index of deadlines is not touched by them.
use std::time::Duration;

use crate::base::Instant;

/// The watch over one leg.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    limit: Option<Duration>,
    receiving: bool,
    since: Instant,
    lost: bool,
}

impl Watch {
    /// Complain after `limit`, counted from now on.
    pub(super) fn set_limit(&mut self, now: Instant, limit: Option<Duration>) {
        self.limit = limit;
        self.restart(now);
    }
    /// Sound is expected, or not.
    pub(super) fn set_receiving(&mut self, now: Instant, receiving: bool) {
        if receiving && !self.receiving {
            self.restart(now);
        }
        self.receiving = receiving;
    }
    fn restart(&mut self, now: Instant) {
        (self.since, self.lost) = (now, false);
    }
    /// A packet came; `true` when it ends a silence that was complained of.
    pub(super) fn packet(&mut self, now: Instant) -> bool {
        self.since = now;
        std::mem::replace(&mut self.lost, false)
    }
    /// Whether there is a silence that was complained of.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }
    /// When to look again.
    pub(super) fn due(&self) -> Option<Instant> {
        let limit = self.limit.filter(|_| self.receiving && !self.lost)?;
        Some(self.since + limit)
    }
    /// Looks; `true` when it is time to complain.
    pub(super) fn complains(&mut self, now: Instant) -> bool {
        let complains = self.due().is_some_and(|due| due <= now);
        self.lost |= complains;
        complains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Instant {
        Instant::from_secs(s)
    }

    #[test]
    fn one_complaint_a_silence_and_none_while_nothing_is_expected() {
        let mut watch = Watch::default();
        watch.set_limit(at(0), Some(Duration::from_secs(5)));
        assert_eq!(watch.due(), None, "nothing was agreed yet");
        watch.set_receiving(at(2), true);
        assert!(!watch.complains(at(6)));
        watch.packet(at(6));
        assert!(!watch.complains(at(7)));
        assert_eq!(watch.due(), Some(at(11)));
        assert!(watch.complains(at(11)));
        assert!(!watch.complains(at(30)));
        assert!(watch.packet(at(31)));
        watch.set_receiving(at(32), false);
        assert!(!watch.complains(at(99)));
        watch.set_receiving(at(100), true);
        watch.set_receiving(at(104), true);
        assert_eq!(watch.due(), Some(at(105)));
    }
}
