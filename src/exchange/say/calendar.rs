//! Years, days of the year and of the week, in both languages.
//!
//! Invariant: what no calendar shows (the 13th month, the 30th of February of a year) is passed over in silence, never said
//! wrongly.
use super::english;
use super::fragment::{PAUSE, Speech};
use crate::base::Language;

/// 十二月三十一日; the thirty-first of December.
pub(super) fn date(language: Language, (month, day): (u8, u8), speech: &mut Speech) {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return;
    }
    let (month, day) = (format!("month-{month}"), format!("date-{day}"));
    let order = match language {
        Language::Mandarin => [month, day],
        Language::English => [day, month],
    };
    for id in &order {
        speech.put(id);
    }
}

/// 二零二六年, digit by digit; twenty twenty-six, nineteen oh five, two thousand and five.
pub(super) fn year(language: Language, year: u16, speech: &mut Speech) {
    let year = u32::from(year);
    if !(1..10_000).contains(&year) {
        return;
    }
    match language {
        Language::Mandarin => {
            let places = [1_000, 100, 10, 1].into_iter().skip_while(|place| year < *place);
            places.for_each(|place| speech.below_hundred(year / place % 10));
            speech.put("year");
        }
        Language::English => english_year(year, speech),
    }
}

fn english_year(year: u32, speech: &mut Speech) {
    let (century, rest) = (year / 100, year % 100);
    if century == 0 || century.is_multiple_of(10) && rest < 10 {
        return english::number(year, speech);
    }
    speech.below_hundred(century);
    match rest {
        0 => return speech.put("hundred"),
        1..10 => speech.put("oh"),
        _ => {}
    }
    speech.below_hundred(rest);
}

/// 星期二; Tuesday.
pub(super) fn weekday(day: u8, speech: &mut Speech) {
    if (1..=7).contains(&day) {
        speech.put(&format!("weekday-{day}"));
    }
}

/// 二零二六年二月十七日星期二; Tuesday, the seventeenth of February, twenty twenty-six.
pub(super) fn day(language: Language, (year_, month, day): (u16, u8, u8), speech: &mut Speech) {
    if !(1..10_000).contains(&year_) || !(1..=12).contains(&month) || !(1..=days(year_, month)).contains(&day)
    {
        return;
    }
    let of_week = day_of_week(year_, month, day);
    match language {
        Language::Mandarin => {
            year(language, year_, speech);
            date(language, (month, day), speech);
            weekday(of_week, speech);
        }
        Language::English => {
            weekday(of_week, speech);
            speech.put(PAUSE);
            date(language, (month, day), speech);
            speech.put(PAUSE);
            year(language, year_, speech);
        }
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// The days of a month.
fn days(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 1 for Monday: the days since a Monday, the first of January of the year 1, counted by whole years and months.
fn day_of_week(year: u16, month: u8, day: u8) -> u8 {
    let before = u32::from(year) - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: u32 = (1..month).map(|m| u32::from(days(year, m))).sum();
    let since = years + months + u32::from(day) - 1;
    u8::try_from(since % 7).unwrap_or_default() + 1
}
