//! Who is before whom: a total order over all who wait, the same for every queue.
//!
//! First the class (priority less one for each `ageing` waited, never below 0), then the clock, then the number of the
//! ticket. Nobody starves: from `clock + priority * ageing` on a caller's class is 0, so nobody with a later clock is
//! ever ahead of him again. Those who overtake him are therefore at most the more urgent callers whose clocks began
//! in the `priority * ageing` after his.
use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Instant, TicketId};

/// The least urgent class.
pub(crate) const CLASS_LAST: u8 = 9;
const CLASSES: usize = CLASS_LAST as usize + 1;

/// A place in the order; the smaller is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Priority after ageing.
    pub(crate) class: u8,
    /// The caller's clock.
    pub(crate) since: Instant,
    /// The ticket: makes the order total.
    pub(crate) ticket: TicketId,
}

/// The class at `now` of a caller of this priority whose clock began at `since`.
pub(crate) fn class_at(priority: u8, since: Instant, ageing: Duration, now: Instant) -> u8 {
    let steps = now.since(since).as_nanos().checked_div(ageing.as_nanos()).unwrap_or(u128::MAX);
    priority.min(CLASS_LAST).saturating_sub(u8::try_from(steps).unwrap_or(u8::MAX))
}

/// When the class will change next; `None` once it is 0.
pub(crate) fn next_step(priority: u8, since: Instant, ageing: Duration, now: Instant) -> Option<Instant> {
    let class = class_at(priority, since, ageing, now);
    let steps = u32::from(priority.min(CLASS_LAST).saturating_sub(class)) + 1;
    (class > 0).then(|| since + ageing.saturating_mul(steps))
}

/// Places in order, found by bisection: people come at the end and leave mostly at the front, so a ring beats a tree,
/// and it knows how many are ahead without counting them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranks {
    by_class: [VecDeque<(Instant, TicketId)>; CLASSES],
}

impl Ranks {
    /// Adds a place.
    pub(crate) fn insert(&mut self, rank: Rank) {
        if let Some(peers) = self.by_class.get_mut(usize::from(rank.class))
            && let Err(at) = peers.binary_search(&(rank.since, rank.ticket))
        {
            peers.insert(at, (rank.since, rank.ticket));
        }
    }
    /// Takes a place out; whether it was there.
    pub(crate) fn remove(&mut self, rank: Rank) -> bool {
        let Some(peers) = self.by_class.get_mut(usize::from(rank.class)) else { return false };
        let found = peers.binary_search(&(rank.since, rank.ticket));
        found.is_ok_and(|at| peers.remove(at).is_some())
    }
    /// Who is first.
    pub(crate) fn first(&self) -> Option<Rank> {
        self.iter().next()
    }
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.by_class.iter().map(VecDeque::len).sum()
    }
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_class.iter().all(VecDeque::is_empty)
    }
    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Rank> {
        let classes = (0u8..).zip(&self.by_class);
        classes.flat_map(|(class, peers)| {
            peers.iter().map(move |(since, ticket)| Rank { class, since: *since, ticket: *ticket })
        })
    }
    /// How many are of a class before `class`.
    pub(crate) fn before_class(&self, class: u8) -> usize {
        self.by_class.iter().take(usize::from(class)).map(VecDeque::len).sum()
    }
    /// The earliest clock of all.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.by_class.iter().filter_map(|peers| peers.front()).map(|(since, _)| *since).min()
    }
    /// How many are ahead of `rank`.
    pub(crate) fn ahead(&self, rank: Rank) -> usize {
        let class = usize::from(rank.class);
        let urgent: usize = self.by_class.iter().take(class).map(VecDeque::len).sum();
        let peers = self.by_class.get(class);
        urgent + peers.map_or(0, |peers| peers.partition_point(|p| *p < (rank.since, rank.ticket)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AGEING: Duration = Duration::from_mins(1);

    fn rank(priority: u8, since_s: u64, now_s: u64, ticket: u64) -> Rank {
        let since = Instant::from_secs(since_s);
        Rank {
            class: class_at(priority, since, AGEING, Instant::from_secs(now_s)),
            since,
            ticket: TicketId(ticket),
        }
    }

    #[test]
    fn a_class_falls_by_one_each_ageing_and_never_below_zero() {
        let at = |s| class_at(3, Instant::from_secs(10), AGEING, Instant::from_secs(s));
        assert_eq!([at(0), at(69), at(70), at(130), at(189), at(190), at(10_000)], [3, 3, 2, 1, 1, 0, 0]);
        assert_eq!(
            next_step(3, Instant::from_secs(10), AGEING, Instant::from_secs(70)),
            Some(Instant::from_secs(130))
        );
        assert_eq!(next_step(3, Instant::from_secs(10), AGEING, Instant::from_secs(190)), None);
        assert_eq!(class_at(200, Instant::ZERO, AGEING, Instant::ZERO), CLASS_LAST);
        assert_eq!(class_at(5, Instant::ZERO, Duration::ZERO, Instant::ZERO), 0, "no ageing set: first come");
    }

    proptest! {
        #[test]
        fn nobody_with_a_later_clock_is_ahead_once_priority_times_ageing_has_passed(
            priority in 0u8..=9, since in 0u64..1000, other in 0u8..=9, later in 1u64..1000, after in 0u64..5000,
        ) {
            let fair = since + u64::from(priority) * AGEING.as_secs();
            let now = fair.max(since + later) + after;
            prop_assert!(rank(priority, since, now, 2) < rank(other, since + later, now, 1));
        }

        #[test]
        fn counting_those_ahead_agrees_with_looking_at_everybody(
            places in proptest::collection::btree_set((0u8..10, 0u64..20, 0u64..50), 0..60), class in 0u8..10, since in 0u64..20,
        ) {
            let mut ranks = Ranks::default();
            for (class, since, ticket) in &places {
                ranks.insert(Rank { class: *class, since: Instant::from_secs(*since), ticket: TicketId(*ticket) });
            }
            let me = Rank { class, since: Instant::from_secs(since), ticket: TicketId(25) };
            prop_assert_eq!(ranks.ahead(me), ranks.iter().filter(|r| *r < me).count());
        }
    }
}
