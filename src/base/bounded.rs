//! A queue that says `Full` instead of growing.
use std::collections::VecDeque;

/// What a full queue hands back: the thing that found no room, so that it can be counted or refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

/// A first-in-first-out queue with a bound.
#[derive(Clone, Debug)]
pub struct Bounded<T> {
    items: VecDeque<T>,
    bound: usize,
}

impl<T> Bounded<T> {
    /// An empty queue for at most `bound` things.
    pub fn new(bound: usize) -> Self {
        Self { items: VecDeque::new(), bound }
    }
    /// Adds at the end, or hands `item` back.
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.items.len() >= self.bound {
            return Err(Full(item));
        }
        self.items.push_back(item);
        Ok(())
    }
    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }
    /// The oldest.
    pub fn peek(&self) -> Option<&T> {
        self.items.front()
    }
    /// How many wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    /// Forgets all.
    pub fn clear(&mut self) {
        self.items.clear();
    }
    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_hands_the_thing_back() {
        let mut q = Bounded::new(1);
        assert_eq!(q.push('a'), Ok(()));
        assert_eq!(q.push('b'), Err(Full('b')));
        assert_eq!(q.pop(), Some('a'));
        assert_eq!(q.push('b'), Ok(()));
    }
}
