//! A length of waiting time in the steps in which people speak of it, without a word of any language.
//!
//! Invariant: what is said covers what is meant: the lower end is rounded down, the upper end up.
use std::time::Duration;

/// A length that can be said: `half` adds half a unit, so that 0 and a half is half a minute or half an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Minutes { whole: u32, half: bool },
    Hours { whole: u32, half: bool },
}

/// A range that can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Less than this.
    LessThan(Length),
    /// Both ends fall on the same step.
    About(Length),
    /// From one to the other in whole minutes: the unit is said once.
    Minutes(u32, u32),
    /// From one to the other in whole hours: the unit is said once.
    Hours(u32, u32),
    /// From one to the other, each with its unit.
    Between(Length, Length),
}

/// Half minutes in an hour. All steps are counted in half minutes.
const HOUR: u64 = 120;
const HALF_HOUR: u64 = HOUR / 2;
const HALF_MINUTE_MS: u128 = 30_000;

/// Rounds a range to steps and finds how to say it.
pub(super) fn span(low: Duration, high: Duration) -> Span {
    let high = halves(high.max(low).as_millis().div_ceil(HALF_MINUTE_MS)).max(1);
    let high = high.next_multiple_of(step(high));
    let low = halves(low.as_millis() / HALF_MINUTE_MS);
    let low = low - low % if high > 2 * HOUR { HALF_HOUR } else { step(low) };
    let one = low == 0 || low == high;
    let hours = (one || high >= HOUR) && low.is_multiple_of(HALF_HOUR) && high.is_multiple_of(HALF_HOUR);
    match (length(low, hours), length(high, hours)) {
        (_, high) if low == 0 => Span::LessThan(high),
        (low, high) if low == high => Span::About(high),
        (Length::Minutes { whole: a, half: false }, Length::Minutes { whole: b, half: false }) => {
            Span::Minutes(a, b)
        }
        (Length::Hours { whole: a, half: false }, Length::Hours { whole: b, half: false }) => {
            Span::Hours(a, b)
        }
        (a, b) => Span::Between(a, b),
    }
}

/// At most a year: nobody is told more.
fn halves(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).min(HOUR * 24 * 365)
}

/// Half minutes up to three minutes, minutes up to two hours, half hours beyond.
const fn step(halves: u64) -> u64 {
    match halves {
        0..6 => 1,
        6..=240 => 2,
        _ => HALF_HOUR,
    }
}

/// Hours are said where both ends are half or whole ones.
fn length(halves: u64, hours: bool) -> Length {
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    if hours {
        Length::Hours { whole: count(halves / HOUR), half: !halves.is_multiple_of(HOUR) }
    } else {
        Length::Minutes { whole: count(halves / 2), half: !halves.is_multiple_of(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two ends of what is said, in half minutes.
    fn ends(span: Span) -> (u64, u64) {
        let halves = |length| match length {
            Length::Minutes { whole, half } => u64::from(whole) * 2 + u64::from(half),
            Length::Hours { whole, half } => u64::from(whole) * HOUR + u64::from(half) * HALF_HOUR,
        };
        match span {
            Span::LessThan(high) => (0, halves(high)),
            Span::About(both) => (halves(both), halves(both)),
            Span::Minutes(low, high) => (u64::from(low) * 2, u64::from(high) * 2),
            Span::Hours(low, high) => (u64::from(low) * HOUR, u64::from(high) * HOUR),
            Span::Between(low, high) => (halves(low), halves(high)),
        }
    }

    #[test]
    fn whole_minutes_up_to_two_hours_are_said_as_they_are() {
        for low in 0..=120 {
            for high in low.max(1)..=120 {
                let minutes = |m: u64| Duration::from_secs(60 * m);
                assert_eq!(ends(span(minutes(low), minutes(high))), (low * 2, high * 2), "{low}-{high}");
            }
        }
    }

    #[test]
    fn what_is_said_covers_what_is_meant() {
        for low in (0..20_000).step_by(37) {
            for high in (low..20_000).step_by(211) {
                let (from, to) = ends(span(Duration::from_secs(low), Duration::from_secs(high)));
                assert!(from * 30 <= low && high <= to * 30, "{low}-{high} s: {from}-{to} half minutes");
            }
        }
    }
}
