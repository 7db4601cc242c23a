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
const HALF_MINUTE_MS: u128 = 30_000;

/// Rounds a range to steps and finds how to say it.
pub(super) fn span(low: Duration, high: Duration) -> Span {
    let high = halves(high.max(low).as_millis().div_ceil(HALF_MINUTE_MS)).max(1);
    let low = halves(low.as_millis() / HALF_MINUTE_MS);
    let (low, high) = (low - low % step(low), high.next_multiple_of(step(high)));
    if low == 0 {
        return Span::LessThan(length(high, true));
    }
    if low == high {
        return Span::About(length(high, true));
    }
    match (length(low, high >= HOUR), length(high, false)) {
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

/// Half minutes up to three minutes, minutes up to an hour, half hours beyond.
const fn step(halves: u64) -> u64 {
    match halves {
        0..6 => 1,
        6..HOUR => 2,
        _ => HOUR / 2,
    }
}

/// Half an hour is said so only where no whole minutes stand beside it.
fn length(halves: u64, half_hour: bool) -> Length {
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    if halves >= HOUR || (half_hour && halves == HOUR / 2) {
        return Length::Hours { whole: count(halves / HOUR), half: !halves.is_multiple_of(HOUR) };
    }
    Length::Minutes { whole: count(halves / 2), half: !halves.is_multiple_of(2) }
}
