//! The same agent again: callers who were cut off, by number, so that a new call finds the old clock and the agent who
//! knows the matter.
//!
//! A number is text from outside, so it earns a place in line and nothing else. Invariant: never more than the
//! settings' `recalls_max` entries; the oldest goes first.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::{AgentId, Instant};

/// What is kept of a visit that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recall {
    /// Who talked to him, if anybody.
    pub(super) agent: Option<AgentId>,
    /// When he first joined a queue.
    pub(super) since: Instant,
}

/// Callers who were cut off.
#[derive(Debug, Default)]
pub(super) struct Recalls {
    by_caller: BTreeMap<String, (Instant, Recall)>,
    by_age: BTreeSet<(Instant, String)>,
}

impl Recalls {
    /// Remembers that this caller was cut off at `now`. An empty number is nobody's.
    pub(super) fn remember(&mut self, now: Instant, caller: &str, recall: Recall, most: usize) {
        if caller.is_empty() || most == 0 {
            return;
        }
        self.forget(caller);
        while self.by_caller.len() >= most {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.by_caller.remove(&oldest);
        }
        self.by_caller.insert(caller.to_owned(), (now, recall));
        self.by_age.insert((now, caller.to_owned()));
    }

    /// What is known of this caller, once, if he was cut off within the last `within`.
    pub(super) fn take(&mut self, now: Instant, caller: &str, within: Duration) -> Option<Recall> {
        let (at, recall) = self.forget(caller)?;
        (now.since(at) <= within).then_some(recall)
    }

    fn forget(&mut self, caller: &str) -> Option<(Instant, Recall)> {
        let found = self.by_caller.remove(caller)?;
        self.by_age.remove(&(found.0, caller.to_owned()));
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_mins(10);

    fn recall(name: &str) -> Recall {
        Recall { agent: Some(AgentId::from(name)), since: Instant::ZERO }
    }

    #[test]
    fn a_caller_is_remembered_once_and_not_for_ever() {
        let mut recalls = Recalls::default();
        recalls.remember(Instant::ZERO, "139", recall("8001"), 10);
        assert_eq!(recalls.take(Instant::from_secs(600), "139", WITHIN), Some(recall("8001")));
        assert_eq!(recalls.take(Instant::from_secs(600), "139", WITHIN), None);
        recalls.remember(Instant::ZERO, "139", recall("8001"), 10);
        assert_eq!(recalls.take(Instant::from_secs(601), "139", WITHIN), None);
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let mut recalls = Recalls::default();
        for n in 0..5u64 {
            recalls.remember(Instant::from_secs(n), &n.to_string(), recall("8001"), 2);
        }
        let now = Instant::from_secs(5);
        let kept: Vec<_> = (0..5).filter(|n| recalls.take(now, &n.to_string(), WITHIN).is_some()).collect();
        assert_eq!(kept, [3, 4]);
        assert!(recalls.by_age.is_empty() && recalls.by_caller.is_empty());
    }

    #[test]
    fn a_withheld_number_is_nobodys() {
        let mut recalls = Recalls::default();
        recalls.remember(Instant::ZERO, "", recall("8001"), 2);
        assert_eq!(recalls.take(Instant::ZERO, "", WITHIN), None);
    }
}
