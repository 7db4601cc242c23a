//! How deep a jitter buffer must be: measured from how early each packet came before it was needed.
//!
//! Invariant: nothing is allocated; of the last 256 packets (5 s) one in a hundred, rounded up, may come too late, all others are in
//! time; the depth is kept within its bounds, whatever the network does.
//!
//! ```text
//!                 slack of the packets, in samples
//!   too late  0 |---- least ------ good ---- most ---------- typical packets ----->
//!                     the one in a hundred lies here, else sound is stretched or dropped
//! ```
use crate::media::SoundRules;
use crate::media::conceal::LOOK_AHEAD;
use crate::media::frame::samples_in;

/// Packets that are remembered.
const WINDOW: usize = 256;
/// One in this many may come too late.
const MAY_BE_LATE: usize = 100;
/// So many packets are needed before anything is concluded, and again before it is thought over.
const ENOUGH: usize = 32;
const EVERY: u32 = 16;
/// What is aimed at lies this far above the least slack, and is left when it is this far above: 5 and 12.5 ms.
const GOOD: i32 = 40;
const MOST: i32 = 100;
/// The depth at which sound begins, above the least: 10 ms, before anything is known.
const FIRST: i32 = 80;
/// A path that became slower is believed after this many late packets in a row, over at least 40 ms: in a burst that
/// waited somewhere all come at once.
const LATE_IN_A_ROW: u32 = 3;
const LATE_FOR: u64 = 320;

/// What comes too late and within this of the packet before it was held up with it, in samples: 5 ms. One cause, counted
/// once: a whole second of delay would not mend it.
const BURST: u64 = 40;

/// The packets' slack, and what follows from it.
#[derive(Debug)]
pub(super) struct Pace {
    slacks: [i16; WINDOW],
    known: usize,
    next: usize,
    since: u32,
    least: i32,
    deepest: i32,
    /// The spread of the slack when it was last thought over.
    spread: i32,
    late: Option<(u64, u32)>,
    /// When the last packet came.
    last: u64,
}

impl Pace {
    #[expect(clippy::cast_possible_wrap, reason = "a few thousand samples")]
    pub(super) fn new(rules: &SoundRules) -> Self {
        let least = samples_in(rules.depth_min) as i32 + LOOK_AHEAD as i32;
        let deepest = (samples_in(rules.depth_max) as i32).max(least + MOST);
        let slacks = [0; WINDOW];
        Self { slacks, known: 0, next: 0, since: 0, least, deepest, spread: 0, late: None, last: 0 }
    }
    /// The slack that a source's first packet is given.
    pub(super) const fn first(&self) -> i32 {
        self.least + FIRST
    }
    /// The slack that the first packet after a silence is given.
    pub(super) fn again(&self) -> i32 {
        (self.least + GOOD + self.spread / 2).min(self.deepest)
    }
    /// Whether such a packet, that came with this slack, may keep it.
    pub(super) fn is_good(&self, slack: i32) -> bool {
        (self.least..=self.least + MOST + self.spread).contains(&slack)
    }
    /// A new source, or one whose clock jumped: nothing is known.
    pub(super) const fn forget(&mut self) {
        (self.known, self.next, self.since, self.late) = (0, 0, 0, None);
    }
    /// A packet came this early. `Some` from time to time: samples to drop (positive) or to add (negative) so that the
    /// depth is right.
    pub(super) fn note(&mut self, clock: u64, slack: i32) -> Option<i32> {
        let is_burst = slack < 0 && clock.saturating_sub(self.last) < BURST;
        self.last = clock;
        if is_burst {
            return None;
        }
        self.slacks[self.next] = slack.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        self.next = (self.next + 1) % WINDOW;
        self.known = (self.known + 1).min(WINDOW);
        self.since += 1;
        if self.known < ENOUGH || self.since < EVERY {
            return None;
        }
        self.since = 0;
        Some(self.judge())
    }
    fn judge(&mut self) -> i32 {
        let mut slacks = self.slacks;
        let slacks = &mut slacks[..self.known];
        let most = slacks.iter().copied().max().map_or(0, i32::from);
        let slow = i32::from(*slacks.select_nth_unstable(self.known.div_ceil(MAY_BE_LATE)).1);
        self.spread = most - slow;
        let good = self.least + GOOD;
        if slow < self.least {
            // What is early must not wait longer than the bound for what is late.
            -(good - slow).min(self.deepest - most).max(0)
        } else if slow > self.least + MOST {
            slow - good
        } else if most > self.deepest {
            most - self.deepest
        } else {
            0
        }
    }
    /// From now on everything has this much less slack.
    pub(super) fn shift(&mut self, less: i32) {
        let less = less.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        self.slacks.iter_mut().for_each(|s| *s = s.saturating_sub(less));
    }
    /// A packet came in time (`false`) or too late; `true` when the path has become slower for good.
    pub(super) fn is_slower(&mut self, clock: u64, late: bool) -> bool {
        if !late {
            self.late = None;
            return false;
        }
        let (since, count) = self.late.unwrap_or((clock, 0));
        self.late = Some((since, count + 1));
        count + 1 >= LATE_IN_A_ROW && clock.saturating_sub(since) >= LATE_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The correction after `n` packets of these slacks, in turn.
    fn after(n: usize, slacks: &[i32]) -> i32 {
        let mut pace = Pace::new(&SoundRules::default());
        let mut last = 0;
        for (at, slack) in (1..).zip(slacks.iter().cycle()).take(n) {
            last = pace.note(160 * at, *slack).unwrap_or(last);
        }
        last
    }

    #[test]
    fn the_depth_follows_the_one_packet_in_a_hundred() {
        let least = Pace::new(&SoundRules::default()).least;
        assert_eq!(least, 190);
        assert_eq!(after(256, &[least + 80]), 0, "as it began");
        assert_eq!(after(256, &[least - 1]), -41);
        assert_eq!(after(256, &[least + 101]), 61);
        let mut jumpy = vec![500; 256];
        jumpy[7] = 0;
        (jumpy[99], jumpy[200]) = (0, 0);
        assert_eq!(after(256, &jumpy), 270, "three in 256 may be late");
        jumpy[11] = 0;
        assert_eq!(after(256, &jumpy), -230, "four may not");
    }

    #[test]
    fn the_depth_stays_within_its_bounds() {
        let mut slacks = vec![1_500; 256];
        slacks[..40].fill(-2_000);
        assert_eq!(after(256, &slacks), -100, "1,600 is the deepest");
        assert_eq!(after(31, &[-500]), 0, "too few to say");
        let mut pace = Pace::new(&SoundRules::default());
        let burst = (0..256).filter_map(|n| pace.note(8_000 + n, if n < 30 { -500 } else { 230 }));
        assert_eq!(burst.last(), Some(0), "a burst counts once");
    }

    #[test]
    fn a_slower_path_is_no_burst() {
        let mut pace = Pace::new(&SoundRules::default());
        assert!(!(0..20).any(|n| pace.is_slower(8_000 + n, true)), "all at once");
        pace.is_slower(9_000, false);
        assert_eq!([0, 160, 320].map(|at| pace.is_slower(10_000 + at, true)), [false, false, true]);
    }
}
