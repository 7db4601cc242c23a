//! A hash map without iteration, so that its order can never reach a decision.
#![expect(
    clippy::disallowed_types,
    reason = "this is the one wrapper round the hash map; it offers no iteration"
)]
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// Look-up only: no iteration, hence no order that differs from run to run.
#[derive(Clone, Debug)]
pub struct Lookup<K, V, S = RandomState>(HashMap<K, V, S>);

/// A [`Lookup`] for numbers that we give ourselves: nobody outside can choose them so that they collide, so hashing
/// them may cost next to nothing. Never for keys that come from a message.
pub type ById<K, V> = Lookup<K, V, BuildHasherDefault<IdHasher>>;

/// Spreads a number over 64 bits by a multiplication (Knuth's) and turns the well mixed upper bits down to the lowest.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, number: u64) {
        let spread = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread.rotate_left(20);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

impl<K, V, S: Default> Default for Lookup<K, V, S> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Default> Lookup<K, V, S> {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }
    /// Puts `value` under `key`; hands back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }
    /// The value under `key`.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }
    /// The value under `key`, to change.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }
    /// Takes the value under `key` out.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }
    /// Whether `key` is there.
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_fall_into_buckets_of_their_own_as_often_as_by_chance() {
        let hash = |n: u64| BuildHasherDefault::<IdHasher>::default().hash_one(n);
        // What the table looks at: the lowest bits for the place, the highest seven to tell neighbours apart.
        for step in [1, 2, 8, 1_024, 1 << 33] {
            let mut places = [0; 1_024];
            (0..1_024).for_each(|n| places[(hash(n * step) % 1_024) as usize] += 1);
            let taken = places.iter().filter(|n| **n > 0).count();
            assert!(taken > 560, "{taken} of 1,024 at steps of {step}; chance takes 647");
            let tops: std::collections::BTreeSet<u64> = (0..1_024).map(|n| hash(n * step) >> 57).collect();
            assert!(tops.len() > 100, "{} of 128 at steps of {step}", tops.len());
        }
    }
}
