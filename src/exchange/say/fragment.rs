//! Fragments: recordings that are said only as a part of a phrase, and the speech that is made of them.
//!
//! Invariant: every fragment that a grammar can put is in [`fragments`], with the words that are recorded for it.
use crate::base::{Language, PromptId};

/// A short silence between groups of digits: a sound of the manifest, not words.
pub(super) const PAUSE: &str = "pause";

/// Fragments with their words in Mandarin and in English; empty where a language does not use one. Numbers, digits
/// and the parts of dates are not here: [`words_of`] makes theirs.
const WORDS: &[(&str, &str, &str)] = &[
    ("two-of", "两", ""),
    ("hundred", "百", "hundred"),
    ("thousand", "千", "thousand"),
    ("ten-thousand", "万", ""),
    ("hundred-million", "亿", ""),
    ("million", "", "million"),
    ("billion", "", "billion"),
    ("and", "", "and"),
    ("wait-is", "预计等待时间", "your expected wait is"),
    ("about", "大约", "about"),
    ("less-than", "不到", "less than"),
    ("between", "", "between"),
    ("to", "到", ""),
    ("half-a-minute", "半分钟", "half a minute"),
    ("minute", "", "minute"),
    ("minutes", "分钟", "minutes"),
    ("and-a-half-minutes", "分半钟", "and a half minutes"),
    ("half-an-hour", "半小时", "half an hour"),
    ("hour", "", "hour"),
    ("hours", "个小时", "hours"),
    ("and-a-half-hours", "个半小时", "and a half hours"),
    ("position-before", "您排在第", "you are number"),
    ("position-after", "位", "in line"),
    ("ahead-before", "您前面还有", "there are"),
    ("ahead-one", "", "there is one caller ahead of you"),
    ("ahead-after", "位来电者", "callers ahead of you"),
    ("before-dawn", "凌晨", ""),
    ("early-morning", "早上", ""),
    ("before-noon", "上午", ""),
    ("noon", "中午", "noon"),
    ("midnight", "", "midnight"),
    ("in-the-morning", "", "in the morning"),
    ("in-the-afternoon", "下午", "in the afternoon"),
    ("in-the-evening", "晚上", "in the evening"),
    ("at-night", "", "at night"),
    ("o-clock", "点", "o'clock"),
    ("half-past", "点半", ""),
    ("oh", "", "oh"),
    ("year", "年", ""),
    ("weekday-1", "星期一", "Monday"),
    ("weekday-2", "星期二", "Tuesday"),
    ("weekday-3", "星期三", "Wednesday"),
    ("weekday-4", "星期四", "Thursday"),
    ("weekday-5", "星期五", "Friday"),
    ("weekday-6", "星期六", "Saturday"),
    ("weekday-7", "星期日", "Sunday"),
    ("agent-number", "工号", "agent number"),
    ("at-your-service", "为您服务", "is at your service"),
    ("yuan", "元", "yuan"),
    ("jiao", "角", ""),
    ("fen", "分", "fen"),
];

/// Every fragment of a language with the words that are recorded for it.
pub fn fragments(language: Language) -> Vec<(PromptId, String)> {
    let numbers = (0..100).map(|n| format!("n-{n}"));
    let digits = (0..10).map(|d| format!("d-{d}"));
    let months = (1..=12).map(|m| format!("month-{m}"));
    let dates = (1..=31).map(|d| format!("date-{d}"));
    let named = WORDS.iter().map(|(id, ..)| (*id).to_owned());
    let all =
        numbers.chain(digits).chain(months).chain(dates).chain(named).map(|id| (words_of(language, &id), id));
    all.filter(|(words, _)| !words.is_empty()).map(|(words, id)| (PromptId::new(id), words)).collect()
}

/// The words of a fragment; empty where the language does not use it.
fn words_of(language: Language, id: &str) -> String {
    let number = |prefix: &str| id.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
    if let Some(n) = number("n-") {
        return below_hundred(language, n);
    }
    if let Some(m) = number("month-") {
        return month(language, m);
    }
    if let Some(d) = number("date-") {
        return date(language, d);
    }
    match (number("d-"), language) {
        (Some(1), Language::Mandarin) => return "幺".into(),
        (Some(d), _) => return below_hundred(language, d),
        (None, _) => {}
    }
    let found = WORDS.iter().find(|(name, ..)| *name == id);
    let words = found.map(|(_, mandarin, english)| match language {
        Language::Mandarin => *mandarin,
        Language::English => *english,
    });
    words.unwrap_or_default().to_owned()
}

const MANDARIN: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The words of a number below a hundred, which is recorded as one.
fn below_hundred(language: Language, n: u32) -> String {
    let (tens, ones) = (n / 10 % 10, n % 10);
    match language {
        Language::Mandarin => match (tens, ones) {
            (0, ones) => word(&MANDARIN, ones).to_owned(),
            (tens, ones) => {
                let ten = if tens == 1 { "" } else { word(&MANDARIN, tens) };
                let one = if ones == 0 { "" } else { word(&MANDARIN, ones) };
                format!("{ten}十{one}")
            }
        },
        Language::English => match (tens, ones) {
            (0 | 1, _) => word(&ENGLISH, tens * 10 + ones).to_owned(),
            (tens, 0) => word(&TENS, tens).to_owned(),
            (tens, ones) => format!("{}-{}", word(&TENS, tens), word(&ENGLISH, ones)),
        },
    }
}

const MONTHS: [&str; 13] = [
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// 二月, February.
fn month(language: Language, m: u32) -> String {
    match language {
        Language::Mandarin => below_hundred(language, m) + "月",
        Language::English => word(&MONTHS, m).to_owned(),
    }
}

/// The ordinals that do not end in "th" behind the number as it is.
const ORDINALS: [(&str, &str); 8] = [
    ("one", "first"),
    ("two", "second"),
    ("three", "third"),
    ("five", "fifth"),
    ("eight", "eighth"),
    ("nine", "ninth"),
    ("twelve", "twelfth"),
    ("ty", "tieth"),
];

/// 二十一日, the twenty-first of.
fn date(language: Language, d: u32) -> String {
    let number = below_hundred(language, d);
    if language == Language::Mandarin {
        return number + "日";
    }
    let odd = ORDINALS.iter().find_map(|(end, ordinal)| Some(number.strip_suffix(end)?.to_owned() + ordinal));
    format!("the {} of", odd.unwrap_or(number + "th"))
}

fn word(words: &[&'static str], i: u32) -> &'static str {
    usize::try_from(i).ok().and_then(|i| words.get(i)).copied().unwrap_or_default()
}

/// Fragments and prompts in the order in which they are said.
#[derive(Debug, Default)]
pub(super) struct Speech(Vec<PromptId>);

impl Speech {
    /// A prompt as it stands.
    pub(super) fn prompt(&mut self, id: &PromptId) {
        self.0.push(id.clone());
    }
    /// A fragment, or a prompt without numbers.
    pub(super) fn put(&mut self, id: &str) {
        self.0.push(PromptId::from(id));
    }
    /// A number below a hundred, recorded as one.
    pub(super) fn below_hundred(&mut self, n: u32) {
        self.0.push(PromptId::new(format!("n-{}", n % 100)));
    }
    /// A digit of a number that is read digit by digit.
    pub(super) fn digit(&mut self, d: u32) {
        self.0.push(PromptId::new(format!("d-{}", d % 10)));
    }
    /// What to play.
    pub(super) fn into_prompts(self) -> Vec<PromptId> {
        self.0
    }
    /// What it sounds like.
    pub(super) fn text(&self, language: Language) -> String {
        let (comma, space) = match language {
            Language::Mandarin => ("，", ""),
            Language::English => (",", " "),
        };
        let mut text = String::new();
        for id in &self.0 {
            let words = words_of(language, id.as_str());
            match (id.as_str(), words.is_empty()) {
                (PAUSE, _) => text.push_str(comma),
                (_, false) if text.is_empty() => text = words,
                (_, false) => text = text + space + &words,
                (id, true) => text = format!("{text}[{id}]"),
            }
        }
        text
    }
}
