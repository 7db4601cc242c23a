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

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str) -> Hours {
        let day = vec![Span::parse("09:00-18:00").unwrap()];
        let mut week = [(); 7].map(|()| day.clone());
        week[5] = Vec::new();
        week[6] = Vec::new();
        Hours {
            zone: Zone::named(zone).unwrap(),
            week,
            holiday: Vec::new(),
            dates: BTreeMap::new(),
            holidays: BTreeMap::new(),
            workdays: BTreeMap::new(),
        }
    }

    fn utc(text: &str) -> UtcTime {
        UtcTime::from_micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn open_from_the_first_minute_and_closed_at_the_last() {
        let h = hours("Asia/Shanghai");
        // Monday, 2 March 2026; Shanghai is eight hours ahead.
        assert!(!h.is_open(utc("2026-03-02T00:59:59.999Z")));
        assert!(h.is_open(utc("2026-03-02T01:00:00Z")));
        assert!(h.is_open(utc("2026-03-02T09:59:59Z")));
        assert!(!h.is_open(utc("2026-03-02T10:00:00Z")));
        assert!(!h.is_open(utc("2026-03-07T04:00:00Z")), "a Saturday");
    }

    #[test]
    fn summer_time_moves_the_hours_with_the_clock_on_the_wall() {
        let h = hours("America/New_York");
        // Winter time ends on Sunday, 8 March 2026.
        assert!(!h.is_open(utc("2026-03-06T13:30:00Z")), "08:30 in winter");
        assert!(h.is_open(utc("2026-03-09T13:30:00Z")), "09:30 in summer");
        // Summer time ends on Sunday, 1 November 2026.
        assert!(h.is_open(utc("2026-10-30T21:30:00Z")), "17:30 in summer");
        assert!(h.is_open(utc("2026-11-02T22:30:00Z")), "17:30 in winter");
        assert!(!h.is_open(utc("2026-11-02T13:30:00Z")), "08:30 in winter");
    }

    #[test]
    fn an_hour_that_comes_twice_is_open_twice_and_one_that_is_skipped_never() {
        let mut h = hours("America/New_York");
        h.week[6] = vec![Span::parse("01:00-03:00").unwrap()];
        // 1 November 2026: 01:30 comes twice.
        assert!(h.is_open(utc("2026-11-01T05:30:00Z")));
        assert!(h.is_open(utc("2026-11-01T06:30:00Z")));
        // 8 March 2026: after 01:59 comes 03:00.
        assert!(h.is_open(utc("2026-03-08T06:59:00Z")));
        assert!(!h.is_open(utc("2026-03-08T07:00:00Z")));
    }

    #[test]
    fn a_date_comes_before_a_holiday_before_a_swapped_day_before_the_weekday() {
        let mut h = hours("Asia/Shanghai");
        h.holidays.insert(day("2026-02-16"), "Spring Festival".into());
        h.holidays.insert(day("2026-02-17"), "Spring Festival".into());
        h.workdays.insert(day("2026-02-14"), "Spring Festival".into());
        h.dates.insert(day("2026-02-16"), vec![Span::parse("10:00-14:00").unwrap()]);
        assert!(h.is_open(utc("2026-02-14T04:00:00Z")), "a Saturday that is worked");
        assert!(!h.is_open(utc("2026-02-07T04:00:00Z")), "a Saturday like any other");
        assert!(h.is_open(utc("2026-02-16T03:00:00Z")), "the date's own hours, on a holiday");
        assert!(!h.is_open(utc("2026-02-16T07:00:00Z")), "after them");
        assert!(!h.is_open(utc("2026-02-17T03:00:00Z")), "a holiday");
    }

    #[test]
    fn hours_past_midnight_belong_to_the_day_on_which_they_begin() {
        let mut h = hours("Asia/Shanghai");
        h.week = Default::default();
        h.week[4] = vec![Span::parse("22:00-06:00").unwrap()];
        assert!(h.is_open(utc("2026-03-06T15:00:00Z")), "Friday 23:00");
        assert!(h.is_open(utc("2026-03-06T21:00:00Z")), "Saturday 05:00");
        assert!(!h.is_open(utc("2026-03-06T22:00:00Z")), "Saturday 06:00");
        assert!(!h.is_open(utc("2026-03-05T21:00:00Z")), "Friday 05:00");
        h.holidays.insert(day("2026-03-07"), "A day".into());
        assert!(h.is_open(utc("2026-03-06T21:00:00Z")), "the holiday began, Friday's night goes on");
    }

    #[test]
    fn nonsense_is_no_span_and_no_day() {
        for text in
            ["9-17", "09:00", "09:60-10:00", "24:00-25:00", "09:00-09:00", "-", "24:00-06:00", "+9:00-10:00"]
        {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        assert_eq!(Span::parse("00:00-24:00"), Some(Span { from: 0, to: 1440 }));
        for text in ["2026-02-30", "2026-2-3", "20260203", "today", "-009999-01-01"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Zone::named("Asia/Beijing"), None);
        assert_eq!(Zone::named("Asia/../etc"), None);
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        let h = hours("Asia/Shanghai");
        for us in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(h.is_open(UtcTime::from_micros(us)), h.is_open(UtcTime::from_micros(us)));
        }
        assert!(!h.is_open(UtcTime::from_micros(i64::MIN)) || !h.of(day("2026-03-02")).is_empty());
    }
}
