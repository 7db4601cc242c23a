//! One ordered index of (deadline, whose) for all timers of a composite: the next one is found without asking the parts.
//! Invariant: a timer is in the index once, at the time that it was last set to.
use std::collections::{BTreeMap, BTreeSet};

use crate::base::Instant;

/// Timers by name.
#[derive(Clone, Debug)]
pub(crate) struct Schedule<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_name: BTreeMap<K, Instant>,
}

impl<K: Ord + Clone> Schedule<K> {
    /// Without timers.
    pub(crate) const fn new() -> Self {
        Self { by_time: BTreeSet::new(), by_name: BTreeMap::new() }
    }
    /// Sets the timer `name` to `at`, in place of what it was set to.
    pub(crate) fn set(&mut self, name: K, at: Instant) {
        self.clear(&name);
        self.by_name.insert(name.clone(), at);
        self.by_time.insert((at, name));
    }
    /// Takes the timer away.
    pub(crate) fn clear(&mut self, name: &K) {
        if let Some(at) = self.by_name.remove(name) {
            self.by_time.remove(&(at, name.clone()));
        }
    }
    /// Takes the earliest timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.by_time.first()?.0 > now {
            return None;
        }
        let (_, name) = self.by_time.pop_first()?;
        self.by_name.remove(&name);
        Some(name)
    }
    /// Whether the timer is set.
    pub(crate) fn has(&self, name: &K) -> bool {
        self.by_name.contains_key(name)
    }
    /// The earliest timer.
    pub(crate) fn next(&self) -> Option<(Instant, &K)> {
        self.by_time.first().map(|(at, name)| (*at, name))
    }
    /// How many are set.
    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_set_anew_fires_once_at_its_new_time() {
        let mut timers = Schedule::new();
        timers.set('a', Instant::from_secs(1));
        timers.set('b', Instant::from_secs(2));
        timers.set('a', Instant::from_secs(3));
        assert_eq!(timers.next(), Some((Instant::from_secs(2), &'b')));
        assert_eq!(timers.pop_due(Instant::from_secs(1)), None);
        assert_eq!(timers.pop_due(Instant::from_secs(9)), Some('b'));
        assert_eq!(timers.pop_due(Instant::from_secs(9)), Some('a'));
        assert_eq!((timers.pop_due(Instant::from_secs(9)), timers.len()), (None, 0));
    }
}
