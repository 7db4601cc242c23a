//! What will happen when, in simulated time. Equal times keep the order in which they were planned.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::Instant;

/// Events of a simulated world.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    heap: BinaryHeap<Reverse<Planned<T>>>,
    next: u64,
}

#[derive(Debug)]
struct Planned<T> {
    at: Instant,
    number: u64,
    event: T,
}

impl<T> PartialEq for Planned<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Planned<T> {}

impl<T> PartialOrd for Planned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Planned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next: 0 }
    }
}

impl<T> Schedule<T> {
    /// Plans an event.
    pub(crate) fn plan(&mut self, at: Instant, event: T) {
        self.heap.push(Reverse(Planned { at, number: self.next, event }));
        self.next += 1;
    }
    /// When the next one happens.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(p)| p.at)
    }
    /// The next one.
    pub(crate) fn take(&mut self) -> Option<(Instant, T)> {
        self.heap.pop().map(|Reverse(p)| (p.at, p.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equal_times_keep_their_order() {
        let mut schedule = Schedule::default();
        for (at, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            schedule.plan(Instant::from_secs(at), name);
        }
        let order: String = std::iter::from_fn(|| schedule.take().map(|(_, name)| name)).collect();
        assert_eq!((order.as_str(), schedule.next_at()), ("abcd", None));
    }
}
