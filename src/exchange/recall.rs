//! Callers who were cut off, by number and by the way they came, so that a new call finds the old clock, the agent who
//! knows the matter, and, if he was waiting, the old place in line.
//!
//! A number is text from outside, so it earns a place in line and nothing else, and only to somebody who comes the same
//! way: a stranger never takes the place of a trunk's caller. Invariant: never more entries than asked for; the oldest
//! goes first; each is given out once.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Arrival, Peer};
use crate::base::{AgentId, Instant, Language, QueueId};

/// A place in line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LostPlace {
    pub(super) queue: QueueId,
    pub(super) priority: u8,
}

/// What is kept of a visit that was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recall {
    /// Who talked to him, if anybody.
    pub(super) agent: Option<AgentId>,
    /// When he first joined a queue.
    pub(super) since: Instant,
    /// What he had dialled.
    pub(super) dialled: String,
    /// What we spoke.
    pub(super) language: Language,
    /// Where he was waiting, if he was.
    pub(super) place: Option<LostPlace>,
}

/// How somebody came: the same way again is believed to be the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Stranger,
    Agent,
    Trunk,
}

/// Whose: the way, the number, the clock (the older first), and a number that makes it the only one.
type Key = (Kind, String, Instant, u64);

/// One entry as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    kind: Kind,
    caller: String,
    lost: Instant,
    recall: Recall,
}

/// Callers who were cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Written>", into = "Vec<Written>")]
pub(super) struct Recalls {
    by_caller: BTreeMap<Key, (Instant, Recall)>,
    by_age: BTreeSet<(Instant, Key)>,
    last: u64,
}

fn kind(peer: &Peer) -> Kind {
    match peer {
        Peer::Stranger => Kind::Stranger,
        Peer::Agent(_) => Kind::Agent,
        Peer::Trunk(_) => Kind::Trunk,
    }
}

/// The number that he is known by: what a trusted trunk vouches for, else his own word.
pub(super) fn number(arrival: &Arrival) -> &str {
    let vouched = &arrival.vouched.identity;
    if vouched.is_empty() { &arrival.caller } else { vouched }
}

impl Recalls {
    /// Remembers that this caller was cut off at `now`. An empty number is nobody's.
    pub(super) fn remember(&mut self, now: Instant, arrival: &Arrival, recall: Recall, most: usize) {
        if number(arrival).is_empty() || most == 0 {
            return;
        }
        while self.by_caller.len() >= most {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.by_caller.remove(&oldest);
        }
        self.insert(now, (kind(&arrival.peer), number(arrival).to_owned()), recall);
    }

    fn insert(&mut self, lost: Instant, (kind, caller): (Kind, String), recall: Recall) {
        self.last += 1;
        let key = (kind, caller, recall.since, self.last);
        self.by_age.insert((lost, key.clone()));
        self.by_caller.insert(key, (lost, recall));
    }

    /// What is known of this caller, once, if he was cut off within the last `within`: the longest wait of several.
    pub(super) fn take(&mut self, now: Instant, arrival: &Arrival, within: Duration) -> Option<Recall> {
        self.take_if(now, arrival, within, |_| true)
    }

    /// The same, of those that are `wanted`.
    pub(super) fn take_if(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        within: Duration,
        wanted: impl Fn(&Recall) -> bool,
    ) -> Option<Recall> {
        self.forget_before(now, within);
        let of = |since, n| (kind(&arrival.peer), number(arrival).to_owned(), since, n);
        let all = of(Instant::ZERO, 0)..=of(Instant::from_nanos(u64::MAX), u64::MAX);
        let key = self.by_caller.range(all).find(|(_, (_, recall))| wanted(recall))?.0.clone();
        let (lost, recall) = self.by_caller.remove(&key)?;
        self.by_age.remove(&(lost, key));
        Some(recall)
    }

    /// Forgets whoever was cut off longer ago than `within`.
    pub(super) fn forget_before(&mut self, now: Instant, within: Duration) {
        while let Some((lost, _)) = self.by_age.first()
            && now.since(*lost) > within
        {
            let Some((_, key)) = self.by_age.pop_first() else { break };
            self.by_caller.remove(&key);
        }
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Places in line that are kept, the longest wait first: caller, when he was cut off, and what is kept.
    pub(super) fn places(&self) -> Vec<(&str, Instant, &Recall, &LostPlace)> {
        let all = self.by_caller.iter();
        let mut places: Vec<_> = all
            .filter_map(|((_, caller, since, n), (lost, recall))| {
                let place = recall.place.as_ref()?;
                Some(((*since, *n), (caller.as_str(), *lost, recall, place)))
            })
            .collect();
        places.sort_by_key(|(order, _)| *order);
        places.into_iter().map(|(_, place)| place).collect()
    }
}

impl From<Vec<Written>> for Recalls {
    fn from(all: Vec<Written>) -> Self {
        let mut recalls = Self::default();
        for Written { kind, caller, lost, recall } in all {
            recalls.insert(lost, (kind, caller), recall);
        }
        recalls
    }
}

impl From<Recalls> for Vec<Written> {
    fn from(recalls: Recalls) -> Self {
        let all = recalls.by_caller.into_iter();
        all.map(|((kind, caller, ..), (lost, recall))| Written { kind, caller, lost, recall }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Vouched;

    const WITHIN: Duration = Duration::from_mins(10);

    fn from(caller: &str, peer: Peer) -> Arrival {
        let (dialled, caller) = ("95188".into(), caller.into());
        Arrival { dialled, caller, caller_name: String::new(), peer, vouched: Vouched::default() }
    }

    fn caller(number: &str) -> Arrival {
        from(number, Peer::Stranger)
    }

    fn recall(since: u64) -> Recall {
        Recall {
            agent: Some(AgentId::from("8001")),
            since: Instant::from_secs(since),
            dialled: "95188".into(),
            language: Language::default(),
            place: Some(LostPlace { queue: QueueId::from("general"), priority: 5 }),
        }
    }

    #[test]
    fn a_caller_is_remembered_once_and_not_for_ever() {
        let mut recalls = Recalls::default();
        recalls.remember(Instant::ZERO, &caller("139"), recall(0), 10);
        assert_eq!(recalls.take(Instant::from_secs(600), &caller("139"), WITHIN), Some(recall(0)));
        assert_eq!(recalls.take(Instant::from_secs(600), &caller("139"), WITHIN), None);
        recalls.remember(Instant::ZERO, &caller("139"), recall(0), 10);
        assert_eq!(recalls.take(Instant::from_secs(601), &caller("139"), WITHIN), None);
        assert_eq!(recalls, Recalls { last: 2, ..Recalls::default() });
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_goes_first() {
        let mut recalls = Recalls::default();
        for n in 0..5u64 {
            recalls.remember(Instant::from_secs(n), &caller(&n.to_string()), recall(0), 2);
        }
        let now = Instant::from_secs(5);
        let kept: Vec<_> =
            (0..5).filter(|n| recalls.take(now, &caller(&n.to_string()), WITHIN).is_some()).collect();
        assert_eq!(kept, [3, 4]);
        assert!(recalls.by_age.is_empty() && recalls.by_caller.is_empty());
    }

    #[test]
    fn a_withheld_number_is_nobodys() {
        let mut recalls = Recalls::default();
        recalls.remember(Instant::ZERO, &caller(""), recall(0), 2);
        assert_eq!(recalls.take(Instant::ZERO, &caller(""), WITHIN), None);
    }

    #[test]
    fn a_number_earns_nothing_by_another_way() {
        let mut recalls = Recalls::default();
        recalls.remember(Instant::ZERO, &from("139", Peer::Trunk("carrier".into())), recall(0), 2);
        assert_eq!(recalls.take(Instant::ZERO, &caller("139"), WITHIN), None);
        // A carrier has several trunks, and a call may come by any.
        assert!(recalls.take(Instant::ZERO, &from("139", Peer::Trunk("other".into())), WITHIN).is_some());
    }

    #[test]
    fn colleagues_behind_one_number_get_their_places_back_in_their_order() {
        let mut recalls = Recalls::default();
        for since in [30, 10, 20] {
            recalls.remember(Instant::from_secs(40), &caller("0571"), recall(since), 9);
        }
        let again: Recalls = serde_json::from_str(&serde_json::to_string(&recalls).unwrap()).unwrap();
        let listed: Vec<_> = again.places().iter().map(|(caller, _, r, _)| (*caller, r.since)).collect();
        assert_eq!(listed, [10, 20, 30].map(|s| ("0571", Instant::from_secs(s))));
        let now = Instant::from_secs(60);
        let since = |r: &mut Recalls| r.take(now, &caller("0571"), WITHIN).map(|r| r.since);
        let (mut one, mut other) = (recalls, again);
        for s in [10, 20, 30] {
            assert_eq!(since(&mut one), Some(Instant::from_secs(s)));
            assert_eq!(since(&mut other), Some(Instant::from_secs(s)));
        }
    }
}
