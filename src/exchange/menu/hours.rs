//! Opening hours: from a UTC time to "open" or "closed", by the clock on the wall of a time zone. The tables of time
//! zones are built in, so the answer does not depend on the machine.
//!
//! Which hours hold on a date, the first that says something: the date's own; the holiday's; Monday's, on a swapped
//! working day; those of its weekday. Hours that run past midnight belong to the day on which they begin.
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::base::UtcTime;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A time zone of the IANA tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its name, e.g. `Asia/Shanghai`.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some()).map(Self)
    }
    /// Date and minutes since midnight on the wall at `at`. Times outside the years of the calendar are lifted to its
    /// ends.
    pub fn wall(&self, at: UtcTime) -> (Day, u16) {
        let end = if at.as_micros() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let wall = self.0.to_datetime(Timestamp::from_microsecond(at.as_micros()).unwrap_or(end));
        let minutes = u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap_or(0);
        (Day(wall.date()), minutes)
    }
}

/// A date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// From `2026-02-17`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        plain.then(|| text.parse().ok().map(Self)).flatten()
    }
    /// The one after this; the last of the calendar stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.tomorrow().unwrap_or(self.0))
    }
    /// The one before this; the first of the calendar stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.yesterday().unwrap_or(self.0))
    }
    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> usize {
        match self.0.weekday() {
            Weekday::Monday => 0,
            Weekday::Tuesday => 1,
            Weekday::Wednesday => 2,
            Weekday::Thursday => 3,
            Weekday::Friday => 4,
            Weekday::Saturday => 5,
            Weekday::Sunday => 6,
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A stretch of open time within a day, in minutes since its midnight: from the first, up to and without the last.
/// Up to 48 hours when it runs past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first open minute.
    pub from: u16,
    /// The first closed minute.
    pub to: u16,
}

impl Span {
    /// From `09:00-18:00`; `22:00-06:00` runs past midnight, `00:00-24:00` is the whole day.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from.trim())?, minute(to.trim())?);
        match from {
            DAY.. => None,
            _ if to == from => None,
            _ => Some(Self { from, to: if to < from { to + DAY } else { to } }),
        }
    }
    const fn holds(self, minute: u16) -> bool {
        self.from <= minute && minute < self.to
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

/// Opening hours of something.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// Whose clock.
    pub zone: Zone,
    /// Monday to Sunday; none is closed.
    pub week: [Vec<Span>; 7],
    /// On holidays.
    pub holiday: Vec<Span>,
    /// On these dates, whatever else they are.
    pub dates: BTreeMap<Day, Vec<Span>>,
    /// The holidays, with their names.
    pub holidays: BTreeMap<Day, String>,
    /// The swapped working days, with the holiday they are worked for.
    pub workdays: BTreeMap<Day, String>,
}

impl Hours {
    /// Whether it is open at `at`.
    pub fn is_open(&self, at: UtcTime) -> bool {
        let (day, minute) = self.zone.wall(at);
        let today = self.of(day).iter().any(|s| s.holds(minute));
        today || self.of(day.previous()).iter().any(|s| s.holds(minute + DAY))
    }
    /// The hours of a date.
    pub fn of(&self, day: Day) -> &[Span] {
        if let Some(own) = self.dates.get(&day) {
            return own;
        }
        if self.holidays.contains_key(&day) {
            return &self.holiday;
        }
        let weekday = if self.workdays.contains_key(&day) { 0 } else { day.weekday() };
        self.week.get(weekday).map_or(&[], Vec::as_slice)
    }
}
