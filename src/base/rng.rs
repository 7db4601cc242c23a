//! Chance from a seed: tags, branches, Call-IDs, nonces and simulated people all come from here, so that a run can
//! be repeated. Live, the seed comes from the operating system.
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A `ChaCha` generator. `fork` gives an independent child, so that one part's appetite does not change another's luck.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: [u8; 32],
    inner: ChaCha12Rng,
}

impl Rng {
    /// From a 32-byte seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, inner: ChaCha12Rng::from_seed(seed) }
    }
    /// From a number: for tests and scenarios.
    pub fn from_number(n: u64) -> Self {
        let mut seed = [0; 32];
        for (to, from) in seed.iter_mut().zip(n.to_le_bytes()) {
            *to = from;
        }
        Self::from_seed(seed)
    }
    /// An independent generator for the part called `label`: depends on the seed and the label alone.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(label.as_bytes());
        let mut seed = [0; 32];
        seed.copy_from_slice(hash.finalize().as_slice());
        Self::from_seed(seed)
    }
    /// An independent generator for the part of this number: as [`Rng::fork`], for parts that are many.
    #[must_use]
    pub fn fork_number(&self, number: u64) -> Self {
        let mut inner = ChaCha12Rng::from_seed(self.seed);
        // Each number has a stream of its own under the seed; stream 0 is the generator itself.
        inner.set_stream(number.wrapping_add(1));
        let mut seed = [0; 32];
        inner.fill_bytes(&mut seed);
        Self::from_seed(seed)
    }
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.inner.next_u32()
    }
    /// A number in `0..n`; 0 when `n` is 0. The bias is below 2^-32 for every `n` used here.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
    /// A number in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// `n` characters of `a-z0-9`, about 5.17 bits each.
    pub fn token(&mut self, n: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..n)
            .map(|_| {
                let i = usize::try_from(self.below(36)).unwrap_or(0);
                LETTERS.get(i).copied().map_or('a', char::from)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_depends_on_seed_and_label_alone() {
        let mut used = Rng::from_number(7);
        let fresh = Rng::from_number(7);
        used.next_u64();
        assert_eq!(used.fork("tags").next_u64(), fresh.fork("tags").next_u64());
        assert_ne!(fresh.fork("tags").next_u64(), fresh.fork("nonces").next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let mut rng = Rng::from_number(1);
        let mut seen = [false; 6];
        for _ in 0..1_000 {
            seen[usize::try_from(rng.below(6)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(rng.below(0), 0);
    }
}
