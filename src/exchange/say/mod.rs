//! The voice of numbers: what is said aloud, as values. A [`Phrase`] is a meaning; a language's grammar turns it into
//! recorded fragments, which [`say`] hands back in the order in which they are played.
//!
//! Invariants: a phrase holds no word of a language, so the same list of phrases is said in each; whatever [`say`]
//! hands back is a prompt that the caller named or one of [`fragments`].
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Language, PromptId};
use crate::exchange::{RiseCause, Told};

mod calendar;
mod clock;
mod english;
mod fragment;
mod mandarin;
#[cfg(test)]
mod tests;
mod wait;

pub use fragment::fragments;
use fragment::{PAUSE, Speech};

/// "You are next": also said in place of a position when nobody is ahead.
pub(super) const YOU_ARE_NEXT: &str = "you-are-next";
/// "We cannot say how long it will take."
pub(super) const WAIT_UNKNOWN: &str = "wait-unknown";
/// "Nobody is at work yet. You may wait."
pub(super) const NOBODY_YET: &str = "nobody-yet";
/// "Fewer colleagues are at work than before."
pub(super) const FEWER_AGENTS: &str = "rise-fewer-agents";
/// "Conversations take longer than usual."
pub(super) const LONGER_TALKS: &str = "rise-longer-talks";
/// "More urgent calls have come in."
pub(super) const URGENT_CALLERS: &str = "rise-urgent-callers";

/// An agent's name is the prompt of this name and the agent's number: recorded by the house, or not at all.
pub const AGENT_NAME: &str = "name-";

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phrase {
    /// A recorded prompt of the audio manifest, as it stands.
    Prompt(PromptId),
    /// A bare number: "two hundred and five".
    Number(u32),
    /// Each digit by itself, in groups, as an order number is read back. Anything that is not `0`-`9` is passed over
    /// in silence.
    Digits(String),
    /// The caller's place in the line, 1 for the next: "you are number three in line". 0 and 1 are "you are next".
    Position(u32),
    /// How many callers are before him: "there are two callers ahead of you". 0 is "you are next".
    Ahead(u32),
    /// A length of time in whole minutes: "three minutes".
    Minutes(u32),
    /// A time of the day: "five thirty in the afternoon".
    Time {
        /// 0-23.
        hour: u8,
        /// 0-59.
        minute: u8,
    },
    /// A day of the year: "the thirty-first of December".
    Date {
        /// 1-12.
        month: u8,
        /// 1-31.
        day: u8,
    },
    /// A year: "twenty twenty-six".
    Year(u16),
    /// A day of the week, 1 for Monday to 7 for Sunday.
    Weekday(u8),
    /// A day of the calendar with its weekday: "Tuesday, the seventeenth of February, twenty twenty-six".
    Day {
        /// 1-9999.
        year: u16,
        /// 1-12.
        month: u8,
        /// 1-31.
        day: u8,
    },
    /// A sum of money: "twelve yuan and five fen".
    Money {
        /// Whole yuan.
        yuan: u32,
        /// Hundredths, 0-99.
        fen: u8,
    },
    /// An agent: by name where the house has recorded one, the prompt `name-8001`; else "agent number eight zero zero one".
    Agent {
        /// The agent's number.
        number: String,
        /// Whether the name is recorded.
        named: bool,
    },
    /// Who serves the caller now: "agent number eight zero zero one is at your service". An agent who has neither a
    /// recorded name nor a digit in his number is not said at all.
    Serves {
        /// The agent's number.
        number: String,
        /// Whether the name is recorded.
        named: bool,
    },
    /// The wait that remains: "your expected wait is between three and five minutes". `low` zero: "less than" the upper
    /// end. Spoken in half minutes up to three, in minutes up to two hours, in half hours beyond; `low` is rounded down
    /// and `high` up, so that what is said is never narrower than what is meant.
    Wait {
        /// At least this.
        low: Duration,
        /// At most this.
        high: Duration,
    },
}

impl Phrase {
    /// A recorded prompt, by name.
    pub fn prompt(id: &str) -> Self {
        Self::Prompt(PromptId::from(id))
    }
}

/// What a waiting caller is told, as phrases: the cause of a rise first, then the wait.
pub fn told(told: &Told) -> Vec<Phrase> {
    match told {
        Told::Wait { low, high, rose } => {
            let cause = rose.map(|cause| match cause {
                RiseCause::FewerAgents => FEWER_AGENTS,
                RiseCause::LongerTalks => LONGER_TALKS,
                RiseCause::UrgentCallers => URGENT_CALLERS,
            });
            let wait = Phrase::Wait { low: *low, high: *high };
            cause.map(Phrase::prompt).into_iter().chain([wait]).collect()
        }
        Told::Unknown => vec![Phrase::prompt(WAIT_UNKNOWN)],
        Told::NobodyYet => vec![Phrase::prompt(NOBODY_YET)],
        Told::Next => vec![Phrase::prompt(YOU_ARE_NEXT)],
    }
}

/// The recordings to play for `phrases` in `language`, in order.
pub fn say(language: Language, phrases: &[Phrase]) -> Vec<PromptId> {
    let mut speech = Speech::default();
    for phrase in phrases {
        speak(language, phrase, &mut speech);
    }
    speech.into_prompts()
}

/// What `phrases` sound like, as text: for people who read tests, logs and pages. A prompt stands as `[its name]`.
pub fn transcript(language: Language, phrases: &[Phrase]) -> String {
    let sentence = |phrase: &Phrase| {
        if let Phrase::Prompt(id) = phrase {
            return format!("[{id}]");
        }
        let mut speech = Speech::default();
        speak(language, phrase, &mut speech);
        speech.text(language)
    };
    phrases.iter().map(sentence).filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" ")
}

fn speak(language: Language, phrase: &Phrase, speech: &mut Speech) {
    match (phrase, language) {
        (Phrase::Prompt(id), _) => speech.prompt(id),
        (Phrase::Digits(text), _) => digits(text, speech),
        (Phrase::Position(0 | 1) | Phrase::Ahead(0), _) => speech.put(YOU_ARE_NEXT),
        (Phrase::Time { hour, minute }, _) => clock::time(language, (*hour, *minute), speech),
        (Phrase::Date { month, day }, _) => calendar::date(language, (*month, *day), speech),
        (Phrase::Year(year), _) => calendar::year(language, *year, speech),
        (Phrase::Weekday(day), _) => calendar::weekday(*day, speech),
        (Phrase::Day { year, month, day }, _) => calendar::day(language, (*year, *month, *day), speech),
        (Phrase::Agent { number, named }, _) => {
            agent(number, *named, speech);
        }
        (Phrase::Serves { number, named }, _) => {
            if agent(number, *named, speech) {
                speech.put("at-your-service");
            }
        }
        (Phrase::Money { yuan, fen }, _) => clock::money(language, (*yuan, *fen), speech),
        (Phrase::Number(n), Language::Mandarin) => mandarin::number(*n, speech),
        (Phrase::Number(n), Language::English) => english::number(*n, speech),
        (Phrase::Position(n), Language::Mandarin) => mandarin::position(*n, speech),
        (Phrase::Position(n), Language::English) => english::position(*n, speech),
        (Phrase::Ahead(n), Language::Mandarin) => mandarin::ahead(*n, speech),
        (Phrase::Ahead(n), Language::English) => english::ahead(*n, speech),
        (Phrase::Minutes(n), Language::Mandarin) => mandarin::minutes(*n, speech),
        (Phrase::Minutes(n), Language::English) => english::minutes(*n, speech),
        (Phrase::Wait { low, high }, Language::Mandarin) => mandarin::wait(wait::span(*low, *high), speech),
        (Phrase::Wait { low, high }, Language::English) => english::wait(wait::span(*low, *high), speech),
    }
}

/// The name that the house recorded, else the number as people read it from a badge. Whether there was anything to say.
fn agent(number: &str, named: bool, speech: &mut Speech) -> bool {
    let numbered = number.contains(|c: char| c.is_ascii_digit());
    if named {
        speech.put(&format!("{AGENT_NAME}{number}"));
    } else if numbered {
        speech.put("agent-number");
        digits(number, speech);
    }
    named || numbered
}

/// Digit by digit. More than five are said in groups of three or four, as people say them, with a pause between.
fn digits(text: &str, speech: &mut Speech) {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let groups = if digits.len() > 5 { digits.len().div_ceil(4) } else { 1 };
    let mut rest = digits.as_slice();
    for left in (1..=groups).rev() {
        let (group, after) = rest.split_at(rest.len().div_ceil(left));
        for digit in group {
            speech.digit(*digit);
        }
        if !after.is_empty() {
            speech.put(PAUSE);
        }
        rest = after;
    }
}
