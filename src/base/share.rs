//! A share of a stream that is let through: evenly, with a little chance, and never nothing at all.
use crate::base::Rng;

/// What is let through after each setting of the share, whatever it is.
const ALWAYS: f64 = 2.0;

/// How much of what comes is let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    part: f64,
    /// Passages owed: each arrival adds the part, each passage takes one.
    owed: f64,
}

impl Default for Share {
    /// All of it.
    fn default() -> Self {
        Self { part: 1.0, owed: ALWAYS }
    }
}

impl Share {
    /// From now on this part, 0-1; the next two pass in any case.
    pub fn set(&mut self, part: f64) {
        self.part = part.clamp(0.0, 1.0);
        self.owed = self.owed.max(ALWAYS);
    }
    /// Whether all of it passes.
    pub fn is_whole(&self) -> bool {
        self.part >= 1.0
    }
    /// The part, 0-1.
    pub const fn part(&self) -> f64 {
        self.part
    }
    /// Whether what comes now passes.
    pub fn passes(&mut self, rng: &mut Rng) -> bool {
        if self.is_whole() {
            return true;
        }
        // A little chance, so that what comes in step is not stopped in step.
        self.owed = (self.owed + self.part * (0.5 + rng.unit())).min(ALWAYS + 1.0);
        let passes = self.owed >= 1.0;
        if passes {
            self.owed -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_part_passes_and_after_each_setting_the_next_two() {
        let mut rng = Rng::from_number(1);
        let mut share = Share::default();
        assert!(share.is_whole() && (0..9).all(|_| share.passes(&mut rng)));
        share.set(0.25);
        let passed = (0..10_000).filter(|_| share.passes(&mut rng)).count();
        assert!((2_300..=2_700).contains(&passed), "{passed}");
        for _ in 0..100 {
            share.set(0.0);
            assert!(share.passes(&mut rng) && share.passes(&mut rng));
            assert!((0..20).all(|_| !share.passes(&mut rng)));
        }
    }
}
