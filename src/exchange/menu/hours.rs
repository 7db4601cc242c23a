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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// By how many seconds the clock on the wall is ahead of UTC at `at`.
    pub fn ahead_s(&self, at: UtcTime) -> i32 {
        let at = Timestamp::from_microsecond(at.as_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_offset(at).seconds()
    }
    /// Universal time, for a folder without a calendar.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }
    /// The moment at which the clock on the wall shows so many minutes after the midnight of `day`; a minute that
    /// summer time skips is the one after, a minute that comes twice the first.
    pub fn moment(&self, day: Day, minute: u16) -> UtcTime {
        let midnight = day.0.at(0, 0, 0, 0);
        let wall = midnight.checked_add(jiff::Span::new().minutes(minute)).unwrap_or(midnight);
        let at = self.0.to_ambiguous_timestamp(wall).compatible().unwrap_or(Timestamp::UNIX_EPOCH);
        UtcTime::from_micros(at.as_microsecond())
    }
    /// From `2026-02-17T03:00` on the wall here (`2026-02-17 03:00` too, and with seconds).
    pub fn parse(&self, text: &str) -> Option<UtcTime> {
        let wall: jiff::civil::DateTime = text.trim().replace(' ', "T").parse().ok()?;
        let at = self.0.to_ambiguous_timestamp(wall).compatible().ok()?;
        Some(UtcTime::from_micros(at.as_microsecond()))
    }
    /// `2026-02-17T03:00` on the wall here.
    pub fn show(&self, at: UtcTime) -> String {
        let (day, minute) = self.wall(at);
        format!("{day}T{:02}:{:02}", minute / 60, minute % 60)
    }
    /// Its name in the IANA tables.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
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
    /// Its midnight in seconds since that of 1970, by the clock on the wall.
    pub fn wall_s(self) -> i64 {
        self.0.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).map_or(0, |at| at.timestamp().as_second())
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
    /// Whether a month begins with it.
    pub fn is_first_of_month(self) -> bool {
        self.0.day() == 1
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
        match self.ground(day) {
            Ground::Date => self.dates.get(&day).map_or(&[], Vec::as_slice),
            Ground::Holiday(_) => &self.holiday,
            Ground::Workday(_) => self.week.first().map_or(&[], Vec::as_slice),
            Ground::Weekday => self.week.get(day.weekday()).map_or(&[], Vec::as_slice),
        }
    }
    /// Why these hours hold on a date.
    pub fn ground(&self, day: Day) -> Ground<'_> {
        if self.dates.contains_key(&day) {
            return Ground::Date;
        }
        match (self.holidays.get(&day), self.workdays.get(&day)) {
            (Some(name), _) => Ground::Holiday(name),
            (None, Some(name)) => Ground::Workday(name),
            (None, None) => Ground::Weekday,
        }
    }
    /// The first moment after `at` at which it opens or closes; none within `days` days.
    pub fn next_change(&self, at: UtcTime, days: u16) -> Option<UtcTime> {
        let open = self.is_open(at);
        let first = self.zone.wall(at).0.previous();
        let all = std::iter::successors(Some(first), |day| Some(day.next())).take(usize::from(days) + 2);
        all.flat_map(|day| self.edges(day)).filter(|edge| *edge > at && self.is_open(*edge) != open).min()
    }
    /// The moments at which the hours of a date begin and end.
    pub fn edges(&self, day: Day) -> impl Iterator<Item = UtcTime> {
        self.of(day).iter().flat_map(move |s| [s.from, s.to].map(|minute| self.zone.moment(day, minute)))
    }
}

/// Why the hours of a date are what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground<'a> {
    /// The date has hours of its own.
    Date,
    /// It is this holiday.
    Holiday(&'a str),
    /// It is worked for this holiday, as a Monday.
    Workday(&'a str),
    /// It is a day of the week like any other.
    Weekday,
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
    fn the_clock_on_the_wall_is_read_both_ways() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let night = zone.parse("2026-02-17T03:00").unwrap();
        assert_eq!(night, utc("2026-02-16T19:00:00Z"));
        assert_eq!(zone.parse("2026-02-17 03:00"), Some(night));
        assert_eq!(zone.moment(day("2026-02-17"), 180), night);
        assert_eq!(zone.moment(day("2026-02-16"), 27 * 60), night, "past midnight");
        assert_eq!(zone.show(night), "2026-02-17T03:00");
        for text in ["", "2026-02-17T25:00", "tomorrow", "2026-02-30T10:00"] {
            assert_eq!(zone.parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_next_change_is_the_next_opening_or_closing() {
        let mut h = hours("Asia/Shanghai");
        h.holidays.insert(day("2026-03-03"), "A day".into());
        assert_eq!(h.next_change(utc("2026-03-02T03:00:00Z"), 7), Some(utc("2026-03-02T10:00:00Z")));
        assert_eq!(h.next_change(utc("2026-03-02T11:00:00Z"), 7), Some(utc("2026-03-04T01:00:00Z")));
        h.week = Default::default();
        assert_eq!(h.next_change(utc("2026-03-02T03:00:00Z"), 7), None);
        assert_eq!(h.ground(day("2026-03-03")), Ground::Holiday("A day"));
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
