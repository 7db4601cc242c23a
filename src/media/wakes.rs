//! When which leg wants to be woken, and why: one ordered index for the whole plane.
//!
//! Invariant: each leg has at most one entry of each kind, and its [`Wakes`] mirrors the index exactly, so a change
//! costs O(log n) and nothing is ever searched.
use std::collections::BTreeSet;

use crate::base::{Deadline, Instant, LegId};

/// Why a leg is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// A packet is to be made: a prompt, a mix, silence.
    Tick,
    /// An RTCP report is due.
    Rtcp,
    /// Nothing may have come for the watched time.
    Watch,
}

impl Wake {
    const fn why(self) -> &'static str {
        match self {
            Self::Tick => "media tick",
            Self::Rtcp => "rtcp report",
            Self::Watch => "sound watch",
        }
    }
}

/// One leg's entries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wakes([Option<Instant>; 3]);

impl Wakes {
    /// When, if at all.
    pub(super) fn at(&self, wake: Wake) -> Option<Instant> {
        self.0[wake as usize]
    }
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct WakeIndex(BTreeSet<(Instant, LegId, Wake)>);

impl WakeIndex {
    /// Sets or clears an entry.
    pub(super) fn set(&mut self, leg: LegId, wakes: &mut Wakes, wake: Wake, at: Option<Instant>) {
        let before = std::mem::replace(&mut wakes.0[wake as usize], at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&(before, leg, wake));
        }
        if let Some(at) = at {
            self.0.insert((at, leg, wake));
        }
    }
    /// Clears all entries of a leg.
    pub(super) fn clear(&mut self, leg: LegId, wakes: &mut Wakes) {
        for wake in [Wake::Tick, Wake::Rtcp, Wake::Watch] {
            self.set(leg, wakes, wake, None);
        }
    }
    /// The first entry, if it is due.
    pub(super) fn due(&self, now: Instant) -> Option<(Instant, LegId, Wake)> {
        self.0.first().copied().filter(|(at, _, _)| *at <= now)
    }
    /// When to wake the plane.
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        self.0.first().map(|(at, _, wake)| Deadline::new(*at, wake.why()))
    }
}
