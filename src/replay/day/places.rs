//! Places of phones: taken, given back, and not taken again while packets of the last call may still be on their way.
use std::collections::VecDeque;
use std::time::Duration;

use super::leg::{Leg, Seat};
use crate::base::Instant;

/// How long a place rests.
pub(super) const REST: Duration = Duration::from_secs(2);

/// All phones.
#[derive(Debug, Default)]
pub(super) struct Places {
    legs: Vec<Option<Leg>>,
    free: VecDeque<(Instant, usize)>,
    serial: u64,
}

impl Places {
    /// A place for a new call.
    pub(super) fn take(&mut self, now: Instant) -> Seat {
        self.serial += 1;
        let rested = self.free.front().is_some_and(|(since, _)| now.since(*since) >= REST);
        let place = if rested { self.free.pop_front().map(|(_, place)| place) } else { None };
        let place = place.unwrap_or_else(|| {
            self.legs.push(None);
            self.legs.len() - 1
        });
        Seat { place, serial: self.serial }
    }

    /// Puts the call in its place.
    pub(super) fn seat(&mut self, seat: Seat, leg: Leg) {
        if let Some(place) = self.legs.get_mut(seat.place) {
            *place = Some(leg);
        }
    }

    /// The place was not needed.
    pub(super) fn give_back(&mut self, now: Instant, seat: Seat) {
        self.free.push_back((now, seat.place));
    }

    /// The call is over.
    pub(super) fn leave(&mut self, now: Instant, seat: Seat) -> Option<Leg> {
        self.get(seat)?;
        let leg = self.legs.get_mut(seat.place).and_then(Option::take)?;
        self.free.push_back((now, seat.place));
        Some(leg)
    }

    pub(super) fn get(&self, seat: Seat) -> Option<&Leg> {
        self.legs.get(seat.place)?.as_ref().filter(|leg| leg.serial == seat.serial)
    }

    pub(super) fn get_mut(&mut self, seat: Seat) -> Option<&mut Leg> {
        self.legs.get_mut(seat.place)?.as_mut().filter(|leg| leg.serial == seat.serial)
    }

    /// Whoever is in this place now.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Leg> {
        self.legs.get_mut(place)?.as_mut()
    }

    /// Places so far.
    pub(super) fn len(&self) -> usize {
        self.legs.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().flatten()
    }
}
