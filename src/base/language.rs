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
    /// From the code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.code() == code)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
