//! Times of a scenario: clocks on the wall to time since the beginning.
use std::time::Duration;

use crate::base::UtcTime;

/// Seconds of a half hour.
pub(crate) const HALF_HOUR_S: u64 = 1_800;
const DAY_MIN: u64 = 24 * 60;

/// From a moment to another, both since the beginning; the second is no longer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// The first moment.
    pub from: Duration,
    /// The first moment after it.
    pub to: Duration,
}

impl Stretch {
    /// Whether a moment lies within.
    pub fn holds(&self, at: Duration) -> bool {
        self.from <= at && at < self.to
    }
}

/// `2026-11-11T00:00+08:00`: the moment, and how far clocks there are ahead of UTC in seconds.
pub(super) fn moment(text: &str) -> Option<(UtcTime, i64)> {
    let (date, rest) = text.split_once('T')?;
    let (clock, sign, zone) = if let Some((clock, zone)) = rest.split_once('+') {
        (clock, 1, zone)
    } else if let Some((clock, zone)) = rest.split_once('-') {
        (clock, -1, zone)
    } else {
        (rest.strip_suffix('Z')?, 1, "00:00")
    };
    let offset = sign * i64::try_from(minute(zone).filter(|m| *m <= 14 * 60)?).ok()? * 60;
    let of_day = i64::try_from(minute(clock).filter(|m| *m < DAY_MIN)?).ok()? * 60;
    Some((UtcTime::from_secs(days(date)? * 86_400 + of_day - offset), offset))
}

/// Days from 1970-01-01 to `2026-11-11`.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut part = |digits: usize| -> Option<i64> {
        let text = parts.next()?;
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || year < 1970 || day < 1 || day > longest {
        return None;
    }
    // The year is taken to begin with March, so that the odd day stands at its end.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468)
}

/// Minutes since midnight of `09:30`; up to `24:00`.
pub(super) fn minute(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let two =
        |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u64>().ok())?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= DAY_MIN).then_some(hours * 60 + minutes)
}

/// `09:00-18:00`: minutes since midnight; the second is larger than the first, and of the next day beyond 24:00.
pub(super) fn span(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from.trim())?, minute(to.trim())?);
    (from < DAY_MIN && from != to).then(|| (from, if to < from { to + DAY_MIN } else { to }))
}

/// Every stretch in which clocks show the span, each day anew, as far as it lies within `lasts`.
pub(super) fn stretches((from, to): (u64, u64), begins_min: u64, lasts: Duration) -> Vec<Stretch> {
    let end = begins_min + lasts.as_secs().div_ceil(60);
    let mut out = Vec::new();
    // From the day before: a shift of yesterday evening may still go on.
    let mut day = 0;
    while day * DAY_MIN < end + DAY_MIN {
        let (a, b) = (day * DAY_MIN + from, day * DAY_MIN + to);
        let (a, b) = (a.max(begins_min + DAY_MIN), b.min(end + DAY_MIN));
        if a < b {
            let since = |m: u64| Duration::from_secs((m - begins_min - DAY_MIN) * 60);
            out.push(Stretch { from: since(a), to: since(b).min(lasts) });
        }
        day += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment("1970-01-01T00:00Z").unwrap().0, UtcTime::from_secs(0));
        assert_eq!(moment("2026-11-11T00:00+08:00").unwrap(), (UtcTime::from_secs(1_794_326_400), 28_800));
        assert_eq!(moment("2024-02-29T12:00-05:00").unwrap().0, UtcTime::from_secs(1_709_226_000));
        for bad in
            ["2026-02-29T00:00Z", "2026-11-11", "2026-11-11T24:00Z", "26-11-11T00:00Z", "2026-11-11T00:00+8"]
        {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_shift_of_yesterday_evening_goes_on_and_each_day_has_its_own() {
        let h = |h: u64| Duration::from_secs(h * 3_600);
        let night = stretches(span("22:00-06:00").unwrap(), 0, h(48));
        let wanted = [(0, 6), (22, 30), (46, 48)].map(|(a, b)| Stretch { from: h(a), to: h(b) });
        assert_eq!(night, wanted);
        let evening = stretches(span("18:00-02:00").unwrap(), 22 * 60, h(9));
        assert_eq!(evening, [Stretch { from: h(0), to: h(4) }]);
    }
}
