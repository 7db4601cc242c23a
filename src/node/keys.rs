//! One key event out of RFC 4733, SIP INFO and tones in the sound. Some phones send each press in several ways; a press
//! counts once.
//!
//! Invariant: a press that came by one way cancels at most one later press of the same key by each other way, if that
//! comes within [`TWIN_WITHIN`]; presses that came by the same way never cancel each other.
use std::time::Duration;

use crate::base::{Bounded, Instant, Key};

/// The way a key came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyWay {
    /// RFC 4733 packets.
    Event,
    /// A SIP INFO body.
    Info,
    /// Two tones in the sound.
    Inband,
}

/// The ways by which copies of a press have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ways(u8);

impl Ways {
    const fn bit(way: KeyWay) -> u8 {
        match way {
            KeyWay::Event => 1,
            KeyWay::Info => 2,
            KeyWay::Inband => 4,
        }
    }
    const fn only(way: KeyWay) -> Self {
        Self(Self::bit(way))
    }
    const fn has(self, way: KeyWay) -> bool {
        self.0 & Self::bit(way) != 0
    }
    const fn and(self, way: KeyWay) -> Self {
        Self(self.0 | Self::bit(way))
    }
}

/// The copies of one press arrive within this time: an INFO is sent at the key's release or lost and sent again
/// (timer E: 0.5 s, then 1 s more).
const TWIN_WITHIN: Duration = Duration::from_secs(2);

/// Presses still waiting for a twin: nobody types more within [`TWIN_WITHIN`].
const WAITING: usize = 32;

/// Presses in one second that are believed: no finger makes more, and a machine that does would fill the record.
const A_SECOND: u32 = 20;

/// What a press is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// A new one.
    New,
    /// The twin of one that came the other way.
    Twin,
    /// One too many.
    Flood,
}

/// One leg's presses.
#[derive(Debug)]
pub(super) struct KeyMerge {
    presses: Bounded<(Instant, Ways, Key)>,
    second: (Instant, u32),
}

impl Default for KeyMerge {
    fn default() -> Self {
        Self { presses: Bounded::new(WAITING), second: (Instant::ZERO, 0) }
    }
}

impl KeyMerge {
    /// What this press is.
    pub(super) fn take(&mut self, now: Instant, way: KeyWay, key: Key) -> Press {
        if !self.is_new(now, way, key) {
            return Press::Twin;
        }
        if now.since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        if self.second.1 > A_SECOND { Press::Flood } else { Press::New }
    }

    /// Whether this press is new, rather than the twin of one that came another way.
    fn is_new(&mut self, now: Instant, way: KeyWay, key: Key) -> bool {
        let mut kept = Bounded::new(WAITING);
        let mut twin = false;
        while let Some((at, ways, k)) = self.presses.pop() {
            if now.since(at) > TWIN_WITHIN {
                continue;
            }
            let is_twin = !twin && k == key && !ways.has(way);
            twin |= is_twin;
            // As many go in as came out, so there is room.
            kept.push((at, if is_twin { ways.and(way) } else { ways }, k)).ok();
        }
        self.presses = kept;
        if !twin && self.presses.push((now, Ways::only(way), key)).is_err() {
            // 32 presses within two seconds are no fingers; forget the oldest, at worst a key counts twice.
            self.presses.pop();
            self.presses.push((now, Ways::only(way), key)).ok();
        }
        !twin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(c: char) -> Key {
        Key::from_char(c).unwrap()
    }

    #[test]
    fn a_press_sent_both_ways_counts_once_in_either_order() {
        let mut m = KeyMerge::default();
        assert!(m.is_new(Instant::from_millis(0), KeyWay::Event, key('5')));
        assert!(!m.is_new(Instant::from_millis(180), KeyWay::Info, key('5')));
        assert!(m.is_new(Instant::from_millis(1_000), KeyWay::Info, key('5')));
        assert!(!m.is_new(Instant::from_millis(1_020), KeyWay::Event, key('5')));
    }

    #[test]
    fn the_same_key_pressed_twice_by_one_way_counts_twice() {
        let mut m = KeyMerge::default();
        assert!(m.is_new(Instant::from_millis(0), KeyWay::Event, key('1')));
        assert!(m.is_new(Instant::from_millis(200), KeyWay::Event, key('1')));
        assert!(!m.is_new(Instant::from_millis(210), KeyWay::Info, key('1')));
        assert!(!m.is_new(Instant::from_millis(400), KeyWay::Info, key('1')));
        assert!(m.is_new(Instant::from_millis(600), KeyWay::Info, key('1')));
    }

    #[test]
    fn a_press_sent_three_ways_counts_once_and_the_next_one_again() {
        use KeyWay::{Event, Inband, Info};
        let mut m = KeyMerge::default();
        let mut at = 0;
        for order in [[Event, Inband, Info], [Inband, Info, Event], [Info, Event, Inband]] {
            for press in 0..3 {
                let new = order.map(|way| {
                    at += 30;
                    m.is_new(Instant::from_millis(at), way, key('7'))
                });
                assert_eq!(new, [true, false, false], "{order:?} {press}");
            }
            at += 3_000;
        }
    }

    #[test]
    fn a_flood_of_presses_is_cut_to_what_fingers_can() {
        let mut m = KeyMerge::default();
        let taken = |m: &mut KeyMerge, from: u64| {
            (0..500)
                .filter(|n| m.take(Instant::from_millis(from + n), KeyWay::Event, key('1')) == Press::New)
                .count()
        };
        assert_eq!(taken(&mut m, 5_000), 20);
        assert_eq!(taken(&mut m, 6_500), 20);
    }

    #[test]
    fn a_late_press_the_other_way_is_a_press_of_its_own() {
        let mut m = KeyMerge::default();
        assert!(m.is_new(Instant::from_millis(0), KeyWay::Event, key('1')));
        assert!(m.is_new(Instant::from_millis(2_001), KeyWay::Info, key('1')));
    }
}
