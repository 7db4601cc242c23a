//! The grammar of English numbers, positions and waits: "and" before the last two places (two hundred and five, one
//! thousand and twelve), singular after exactly one.
use super::fragment::Speech;
use super::wait::{Length, Span};

const SCALES: [(u32, &str); 3] = [(1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")];

/// A number by itself.
pub(super) fn number(n: u32, speech: &mut Speech) {
    let mut rest = n;
    for (scale, name) in SCALES {
        if rest >= scale {
            below_thousand(rest / scale, false, speech);
            speech.put(name);
            rest %= scale;
        }
    }
    if rest > 0 || n == 0 {
        below_thousand(rest, n >= 1_000, speech);
    }
}

/// `after`: larger places stand before it.
fn below_thousand(n: u32, after: bool, speech: &mut Speech) {
    let (hundreds, rest) = (n / 100, n % 100);
    if hundreds > 0 {
        speech.below_hundred(hundreds);
        speech.put("hundred");
    }
    if rest > 0 && (hundreds > 0 || after) {
        speech.put("and");
    }
    if rest > 0 || n == 0 {
        speech.below_hundred(rest);
    }
}

/// you are number three in line
pub(super) fn position(n: u32, speech: &mut Speech) {
    speech.put("position-before");
    number(n, speech);
    speech.put("position-after");
}

/// there are two callers ahead of you
pub(super) fn ahead(n: u32, speech: &mut Speech) {
    if n == 1 {
        return speech.put("ahead-one");
    }
    speech.put("ahead-before");
    number(n, speech);
    speech.put("ahead-after");
}

/// three minutes
pub(super) fn minutes(n: u32, speech: &mut Speech) {
    number(n, speech);
    speech.put(if n == 1 { "minute" } else { "minutes" });
}

/// your expected wait is between three and five minutes
pub(super) fn wait(span: Span, speech: &mut Speech) {
    speech.put("wait-is");
    match span {
        Span::LessThan(high) => {
            speech.put("less-than");
            length(high, speech);
        }
        Span::About(both) => {
            speech.put("about");
            length(both, speech);
        }
        Span::Minutes(low, high) => range(low, high, "minutes", speech),
        Span::Hours(low, high) => range(low, high, "hours", speech),
        Span::Between(low, high) => {
            speech.put("between");
            length(low, speech);
            speech.put("and");
            length(high, speech);
        }
    }
}

fn range(low: u32, high: u32, unit: &str, speech: &mut Speech) {
    speech.put("between");
    number(low, speech);
    speech.put("and");
    number(high, speech);
    speech.put(unit);
}

fn length(length: Length, speech: &mut Speech) {
    let (whole, unit) = match length {
        Length::Minutes { whole: 0, .. } => return speech.put("half-a-minute"),
        Length::Hours { whole: 0, .. } => return speech.put("half-an-hour"),
        Length::Minutes { whole: 1, half: false } => (1, "minute"),
        Length::Minutes { whole, half: false } => (whole, "minutes"),
        Length::Minutes { whole, half: true } => (whole, "and-a-half-minutes"),
        Length::Hours { whole: 1, half: false } => (1, "hour"),
        Length::Hours { whole, half: false } => (whole, "hours"),
        Length::Hours { whole, half: true } => (whole, "and-a-half-hours"),
    };
    number(whole, speech);
    speech.put(unit);
}
