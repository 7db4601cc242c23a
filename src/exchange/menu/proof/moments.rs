//! Hours that differ: of all moments of a year, one for each way in which doors may be open and closed together while the
//! same scheduled changes hold.
//!
//! Invariant: between two neighbouring candidates nothing opens or closes, and no change begins or ends, so no combination
//! is missed on a day that is looked at. Looked at are every date that the calendar names, the day after it, every day on
//! which a change holds, the first of each month (for summer time), and a plain day for each day of the week.
use std::collections::{BTreeMap, BTreeSet};

use crate::base::UtcTime;
use crate::exchange::menu::hours::{Day, Ground, Hours};
use crate::exchange::menu::set::{MenuSet, Opening};

/// Where the plain days are looked for when the calendar names no date.
const BEGIN: &str = "2026-01-01";
/// A year, and a bit.
const DAYS: usize = 400;

/// Every moment at which something may begin or end, in ascending order; one where there are no hours at all.
pub(super) fn candidates(set: &MenuSet) -> BTreeSet<UtcTime> {
    let days = days(set);
    let mut all = BTreeSet::new();
    for day in &days {
        all.insert(set.zone.moment(*day, 0));
        for hours in set.hours.values() {
            all.insert(hours.zone.moment(*day, 0));
            all.extend(hours.edges(*day));
        }
    }
    all.extend(set.schedule.iter().flat_map(|change| [change.from, change.to]));
    all
}

/// One moment for each combination of open and closed doors and of changes, the first of the calendar.
pub(in crate::exchange::menu) fn of_doors(set: &MenuSet) -> Vec<UtcTime> {
    let menus = set.menus.values().filter_map(|m| m.open.as_ref());
    let queues = set.queues.values().filter_map(|q| q.open.as_ref());
    let numbers = set.numbers.values().filter_map(|n| n.open.as_ref());
    let names: BTreeSet<&String> =
        menus.chain(queues).chain(numbers).map(|Opening { hours, .. }| hours).collect();
    let hours: Vec<&Hours> = names.into_iter().filter_map(|name| set.hours.get(name)).collect();
    let mut seen: BTreeMap<Vec<bool>, UtcTime> = BTreeMap::new();
    for at in candidates(set) {
        let open = hours.iter().map(|h| h.is_open(at));
        let changed = set.schedule.iter().map(|change| change.holds(at));
        seen.entry(open.chain(changed).collect()).or_insert(at);
    }
    let mut moments: Vec<UtcTime> = seen.into_values().collect();
    moments.sort_unstable();
    moments
}

fn days(set: &MenuSet) -> BTreeSet<Day> {
    let mut named: BTreeSet<Day> = BTreeSet::new();
    for hours in set.hours.values() {
        named.extend(hours.holidays.keys());
        named.extend(hours.workdays.keys());
        named.extend(hours.dates.keys());
    }
    let mut days: BTreeSet<Day> = named.iter().flat_map(|day| [*day, day.next()]).collect();
    for change in &set.schedule {
        let [first, last] = [change.from, change.to].map(|at| set.zone.wall(at).0);
        let all = std::iter::successors(Some(first), |day| Some(day.next())).take(DAYS);
        days.extend(all.take_while(|day| *day <= last));
    }
    let begin = named.first().copied().or_else(|| Day::parse(BEGIN));
    let mut plain = [false; 7];
    for day in std::iter::successors(begin, |day| Some(day.next())).take(DAYS) {
        let is_plain = set.hours.values().all(|h| h.ground(day) == Ground::Weekday);
        if let Some(seen) = plain.get_mut(day.weekday()).filter(|seen| is_plain && !**seen) {
            *seen = true;
            days.insert(day);
            days.insert(day.next());
        }
        if day.is_first_of_month() {
            days.insert(day);
        }
    }
    days
}
