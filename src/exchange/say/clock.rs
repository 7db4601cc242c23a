//! Times of the day and sums of money, in both languages.
//!
//! Invariant: what no clock or calendar shows (the 25th hour, a hundred fen) is passed over in silence, never said wrongly.
use super::fragment::Speech;
use super::{english, mandarin};
use crate::base::Language;

/// 下午五点半; five thirty in the afternoon.
pub(super) fn time(language: Language, (hour, minute): (u8, u8), speech: &mut Speech) {
    match (hour, language) {
        (24.., _) => {}
        _ if minute >= 60 => {}
        (_, Language::Mandarin) => mandarin_time(hour, minute, speech),
        (_, Language::English) => english_time(hour, minute, speech),
    }
}

/// The part of the day first; then hours of the twelve, 两点 at two, 半 at half past.
fn mandarin_time(hour: u8, minute: u8, speech: &mut Speech) {
    speech.put(match hour {
        ..6 => "before-dawn",
        6..9 => "early-morning",
        9..12 => "before-noon",
        12 => "noon",
        13..18 => "in-the-afternoon",
        _ => "in-the-evening",
    });
    mandarin::counted(u32::from(if hour > 12 { hour - 12 } else { hour }), speech);
    speech.put(if minute == 30 { "half-past" } else { "o-clock" });
    if minute == 0 || minute == 30 {
        return;
    }
    if minute < 10 {
        speech.below_hundred(0);
    }
    speech.below_hundred(minute.into());
    speech.put("fen");
}

/// Hours of the twelve, "oh" before minutes below ten, the part of the day last.
fn english_time(hour: u8, minute: u8, speech: &mut Speech) {
    match (hour, minute) {
        (0, 0) => return speech.put("midnight"),
        (12, 0) => return speech.put("noon"),
        _ => {}
    }
    speech.below_hundred(u32::from((hour + 11) % 12 + 1));
    match minute {
        0 => speech.put("o-clock"),
        1..10 => {
            speech.put("oh");
            speech.below_hundred(minute.into());
        }
        _ => speech.below_hundred(minute.into()),
    }
    speech.put(match hour {
        ..5 | 22.. => "at-night",
        5..12 => "in-the-morning",
        12..18 => "in-the-afternoon",
        18..22 => "in-the-evening",
    });
}

/// 十二元零五分; twelve yuan and five fen.
pub(super) fn money(language: Language, (yuan, fen): (u32, u8), speech: &mut Speech) {
    if fen >= 100 {
        return;
    }
    match language {
        Language::Mandarin => mandarin_money(yuan, fen, speech),
        Language::English => english_money(yuan, fen, speech),
    }
}

/// 角 for the tenths, 分 for the hundredths; 零 where the tenths are passed over.
fn mandarin_money(yuan: u32, fen: u8, speech: &mut Speech) {
    if yuan > 0 || fen == 0 {
        mandarin::counted(yuan, speech);
        speech.put("yuan");
    }
    let (jiao, fen) = (fen / 10, fen % 10);
    if jiao > 0 {
        counted_coin(yuan, jiao, "jiao", speech);
    } else if yuan > 0 && fen > 0 {
        speech.below_hundred(0);
    }
    if fen > 0 {
        counted_coin(yuan, fen, "fen", speech);
    }
}

/// 两角 by itself, 二角 behind a sum.
fn counted_coin(yuan: u32, coins: u8, coin: &str, speech: &mut Speech) {
    if yuan == 0 && coin == "jiao" {
        mandarin::counted(coins.into(), speech);
    } else {
        speech.below_hundred(coins.into());
    }
    speech.put(coin);
}

fn english_money(yuan: u32, fen: u8, speech: &mut Speech) {
    if yuan > 0 || fen == 0 {
        english::number(yuan, speech);
        speech.put("yuan");
    }
    if fen > 0 {
        if yuan > 0 {
            speech.put("and");
        }
        speech.below_hundred(fen.into());
        speech.put("fen");
    }
}
