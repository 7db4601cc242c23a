//! The languages that hotline speaks. A language needs a grammar for numbers, so the set is closed.
use std::fmt;

use serde::{Deserialize, Serialize};

/// A spoken language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// Mandarin Chinese.
    #[default]
    #[serde(rename = "zh")]
    Mandarin,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 2] = [Self::Mandarin, Self::English];

    /// The code used in files and folders: `zh`, `en`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mandarin => "zh",
            Self::English => "en",
        }
    }
    /// The language of a text by its letters: one Chinese character, and it is Mandarin.
    pub fn of_text(text: &str) -> Self {
        if text.chars().any(is_chinese) { Self::Mandarin } else { Self::English }
    }
    /// From the code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.code() == code)
    }
}

/// Whether this is a Chinese character: an ideograph of Unicode, its extensions and its compatible forms.
pub const fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_say_which_language_it_is() {
        for (text, language) in [
            ("支付系统出现故障", Language::Mandarin),
            ("App 崩溃", Language::Mandarin),
            ("Payments are down.", Language::English),
            ("95188", Language::English),
        ] {
            assert_eq!(Language::of_text(text), language, "{text}");
        }
        assert!(is_chinese('𠮷') && !is_chinese(',') && !is_chinese('é'));
    }
}
