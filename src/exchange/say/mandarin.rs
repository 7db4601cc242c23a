//! The grammar of Mandarin numbers, positions and waits.
//!
//! 两 before a measure word (两分钟) and before 千, 万, 亿 at the front; 二 elsewhere (第二位, 十二, 二百). 一十 only inside a number
//! (一百一十二), 十 at its front (十二). One 零 for any run of empty places within a number (二百零五, 一千零二十).
use super::fragment::Speech;
use super::wait::{Length, Span};

const WAN: u32 = 10_000;
const YI: u32 = 100_000_000;

/// A number by itself.
pub(super) fn number(n: u32, speech: &mut Speech) {
    if n < 100 {
        return speech.below_hundred(n);
    }
    let (yi, wan, rest) = (n / YI, n / WAN % WAN, n % WAN);
    if yi > 0 {
        group(yi, true, speech);
        speech.put("hundred-million");
    }
    if wan > 0 {
        if yi > 0 && wan < 1_000 {
            speech.below_hundred(0);
        }
        group(wan, yi == 0, speech);
        speech.put("ten-thousand");
    }
    if rest > 0 {
        let front = yi == 0 && wan == 0;
        if !front && (rest < 1_000 || wan == 0) {
            speech.below_hundred(0);
        }
        digits(rest, front, speech);
    }
}

/// The number of 万 or of 亿: 2 by itself is 两.
fn group(n: u32, front: bool, speech: &mut Speech) {
    if n == 2 && front { speech.put("two-of") } else { digits(n, front, speech) }
}

/// 1-9999. At the front of a number 十二 is not 一十二, and 2000 is 两千.
fn digits(n: u32, front: bool, speech: &mut Speech) {
    let (thousands, hundreds, rest) = (n / 1_000, n / 100 % 10, n % 100);
    if thousands > 0 {
        match (thousands, front) {
            (2, true) => speech.put("two-of"),
            _ => speech.below_hundred(thousands),
        }
        speech.put("thousand");
    }
    if hundreds > 0 {
        speech.below_hundred(hundreds);
        speech.put("hundred");
    }
    if rest == 0 {
        return;
    }
    if (thousands > 0 && hundreds == 0) || (hundreds > 0 && rest < 10) {
        speech.below_hundred(0);
    }
    let first = front && thousands == 0 && hundreds == 0;
    if (10..20).contains(&rest) && !first {
        speech.below_hundred(1);
    }
    speech.below_hundred(rest);
}

/// A number before a measure word.
pub(super) fn counted(n: u32, speech: &mut Speech) {
    if n == 2 { speech.put("two-of") } else { number(n, speech) }
}

/// 您排在第三位
pub(super) fn position(n: u32, speech: &mut Speech) {
    speech.put("position-before");
    number(n, speech);
    speech.put("position-after");
}

/// 您前面还有两位来电者
pub(super) fn ahead(n: u32, speech: &mut Speech) {
    speech.put("ahead-before");
    counted(n, speech);
    speech.put("ahead-after");
}

/// 两分钟
pub(super) fn minutes(n: u32, speech: &mut Speech) {
    counted(n, speech);
    speech.put("minutes");
}

/// 预计等待时间大约三到五分钟
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
            speech.put("about");
            length(low, speech);
            speech.put("to");
            length(high, speech);
        }
    }
}

fn range(low: u32, high: u32, unit: &str, speech: &mut Speech) {
    speech.put("about");
    counted(low, speech);
    speech.put("to");
    counted(high, speech);
    speech.put(unit);
}

fn length(length: Length, speech: &mut Speech) {
    let (whole, unit) = match length {
        Length::Minutes { whole: 0, .. } => return speech.put("half-a-minute"),
        Length::Hours { whole: 0, .. } => return speech.put("half-an-hour"),
        Length::Minutes { whole, half: false } => (whole, "minutes"),
        Length::Minutes { whole, half: true } => (whole, "and-a-half-minutes"),
        Length::Hours { whole, half: false } => (whole, "hours"),
        Length::Hours { whole, half: true } => (whole, "and-a-half-hours"),
    };
    counted(whole, speech);
    speech.put(unit);
}
