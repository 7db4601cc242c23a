//! The emergency banner: what callers are told while something is wrong, put on and taken off while calls run. Who rings
//! hears it after the greeting; who waits, or comes to a queue, hears it there; each once, and a key stops it as it stops
//! any prompt.
//!
//! Invariant: one banner at a time, and none after its `until`, whether anybody takes it off or not.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::menu::{MenuSet, PromptTexts, seconds_of};
use crate::base::{Deadline, Instant, Language, Now, PromptId, QueueId, UtcTime};

/// The longest that a banner may be on: what lasts longer belongs into the menus.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// What a banner of free words is called where others have the name of their prompt. No prompt is: theirs begin with
/// `banner-`.
const SPOKEN: &str = "spoken";
/// Most characters of words that are to be spoken: about half a minute of Mandarin, a minute at the very most.
const WORDS: usize = 200;
/// And of words that are only shown.
const SHOWN: usize = 500;

/// What callers are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// What it is called: a prompt that begins with `banner-`, or `spoken`.
    pub prompt: PromptId,
    /// Its words: what is spoken, or, beside a prompt, for people.
    pub text: BTreeMap<Language, String>,
    /// Its own sounds, each as the SHA-256 of its file in hexadecimal digits: what was heard when it went on is heard
    /// whatever the menus become. Without any it sounds as the prompt does in the menus of each caller.
    #[serde(default)]
    pub sounds: BTreeMap<Language, String>,
    /// Callers of these numbers hear it. Without numbers and queues all do.
    pub numbers: BTreeSet<String>,
    /// Those who wait in these queues hear it.
    pub queues: BTreeSet<QueueId>,
    /// From then on nobody hears it.
    pub until: UtcTime,
}

impl Banner {
    /// What is played: another word for other sounds, and none that any prompt has.
    pub fn said(&self) -> PromptId {
        if self.sounds.is_empty() {
            return self.prompt.clone();
        }
        let parts: Vec<String> = self
            .sounds
            .iter()
            .map(|(l, digest)| format!("{l}-{}", digest.get(..12).unwrap_or(digest)))
            .collect();
        PromptId::from(format!("board/{}", parts.join("/")).as_str())
    }

    /// Whether its words are to be spoken: no prompt says them.
    pub fn is_spoken(&self) -> bool {
        self.prompt.as_str() == SPOKEN
    }

    /// Whether callers of this number hear it before the menu.
    pub fn greets(&self, number: &str) -> bool {
        self.is_for_all() || self.numbers.contains(number)
    }

    /// Whether a caller of this number hears it in this queue.
    pub fn is_said_in(&self, queue: &QueueId, number: &str) -> bool {
        self.queues.contains(queue) || self.greets(number)
    }

    fn is_for_all(&self) -> bool {
        self.numbers.is_empty() && self.queues.is_empty()
    }
}

/// What an operator asks for, as he writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BannerWish {
    /// The prompt; without it `text` is said.
    pub prompt: Option<String>,
    /// The words, by language: said by the prompt that has them, else spoken; beside a prompt for people.
    pub text: BTreeMap<Language, String>,
    /// For callers of these numbers.
    pub numbers: BTreeSet<String>,
    /// For those who wait in these queues.
    pub queues: BTreeSet<String>,
    /// Off at this moment of the calendar's wall: `2026-03-07T18:00`.
    pub until: Option<String>,
    /// Off after this time: `2h`.
    #[serde(rename = "for")]
    pub lasts: Option<String>,
}

impl BannerWish {
    /// To say this, in the language of its letters.
    pub fn say(&mut self, text: &str) {
        self.text.insert(Language::of_text(text), text.to_owned());
    }

    /// The banner that is meant, without sounds of its own; why not, for people.
    pub fn banner(&self, menus: &MenuSet, texts: &PromptTexts, now: UtcTime) -> Result<Banner, String> {
        let prompt = self.prompt_of(menus, texts)?;
        if let Some(number) = self.numbers.iter().find(|n| !menus.numbers.contains_key(*n)) {
            return Err(format!("callers cannot dial {number}"));
        }
        let queues: BTreeSet<QueueId> = self.queues.iter().map(|q| QueueId::from(q.as_str())).collect();
        if let Some(queue) = queues.iter().find(|q| !menus.queues.contains_key(*q)) {
            return Err(format!("there is no queue `{queue}`"));
        }
        let until = self.until_of(menus, now)?;
        let text = if self.text.is_empty() {
            texts.0.get(&prompt).cloned().unwrap_or_default()
        } else {
            self.text.iter().map(|(l, text)| (*l, one_line(text).chars().take(SHOWN).collect())).collect()
        };
        let (numbers, sounds) = (self.numbers.clone(), BTreeMap::new());
        Ok(Banner { prompt, text, sounds, numbers, queues, until })
    }

    /// What it is about, in a word for the audit.
    pub fn about(&self) -> String {
        let prompt = self.prompt.clone().or_else(|| self.text.values().next().cloned());
        let whom: Vec<&str> = self.numbers.iter().chain(&self.queues).map(String::as_str).collect();
        let whom = if whom.is_empty() { "all".to_owned() } else { whom.join(", ") };
        let until = self.until.as_ref().or(self.lasts.as_ref()).map(String::as_str).unwrap_or_default();
        format!("{} for {whom}, {until}", prompt.unwrap_or_default())
    }

    fn prompt_of(&self, menus: &MenuSet, texts: &PromptTexts) -> Result<PromptId, String> {
        let all = || menus.banners.iter().map(PromptId::as_str).collect::<Vec<_>>().join(", ");
        if let Some(name) = &self.prompt {
            let prompt = menus.banners.get(&PromptId::from(name.as_str()));
            return prompt.cloned().ok_or_else(|| format!("`{name}` is no banner; there are: {}", all()));
        }
        if self.text.is_empty() {
            return Err(format!("which? say its words, or name a prompt: {}", all()));
        }
        for (language, text) in &self.text {
            sayable(*language, &one_line(text))?;
        }
        let says = |id: &&PromptId| {
            let words = texts.0.get(*id);
            words.is_some_and(|w| self.text.iter().all(|(l, text)| w.get(l) == Some(&one_line(text))))
        };
        Ok(menus.banners.iter().find(says).cloned().unwrap_or_else(|| PromptId::from(SPOKEN)))
    }

    fn until_of(&self, menus: &MenuSet, now: UtcTime) -> Result<UtcTime, String> {
        let until = match (&self.until, &self.lasts) {
            (Some(text), None) => menus.zone.parse(text).ok_or_else(|| {
                format!("`{text}` is no moment; write 2026-03-07T18:00 ({})", menus.zone.name())
            })?,
            (None, Some(text)) => {
                let seconds = seconds_of(text).filter(|s| *s <= LONGEST.as_secs());
                let seconds =
                    seconds.ok_or_else(|| format!("`{text}` is no time up to 31 days; write 2h"))?;
                now + Duration::from_secs(seconds)
            }
            (None, None) => return Err("until when? until 2026-03-07T18:00, or for 2h".to_owned()),
            (Some(_), Some(_)) => return Err("either until or for, not both".to_owned()),
        };
        if until <= now {
            return Err(format!("{} is over already", menus.zone.show(until)));
        }
        if until > now + LONGEST {
            return Err(
                "a banner is on for 31 days at most; what lasts longer belongs into the menus".to_owned()
            );
        }
        Ok(until)
    }
}

/// Words as they are said: what is no character of a text is a blank, and one is enough.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether somebody could say that in a banner.
fn sayable(language: Language, words: &str) -> Result<(), String> {
    if !words.chars().any(char::is_alphanumeric) {
        return Err(format!("the text in {language} has no word to say"));
    }
    let length = words.chars().count();
    if length > WORDS {
        return Err(format!(
            "the text in {language} has {length} characters; nobody listens to more than {WORDS}"
        ));
    }
    Ok(())
}

/// A banner that is on, with a number that no other had.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) number: u64,
    pub(super) banner: Banner,
    /// When to look whether it is over: the civil clock may have been set meanwhile.
    look: Instant,
}

/// Where the banner hangs.
#[derive(Debug, Default)]
pub(super) struct Board {
    posted: Option<Posted>,
    count: u64,
}

impl Board {
    /// Puts one on, in place of another.
    pub(super) fn post(&mut self, now: Now, banner: Banner) {
        self.count += 1;
        self.posted = Some(Posted { number: self.count, look: look(now, banner.until), banner });
    }

    /// Takes it off; whether there was one.
    pub(super) fn clear(&mut self) -> bool {
        self.posted.take().is_some()
    }

    /// The one that is on at `now`.
    pub(super) fn at(&self, now: Now) -> Option<&Posted> {
        self.posted.as_ref().filter(|posted| now.utc < posted.banner.until)
    }

    /// When to call [`Board::expire`].
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        self.posted.as_ref().map(|posted| Deadline::new(posted.look, "banner"))
    }

    /// Whether it came to its end just now.
    pub(super) fn expire(&mut self, now: Now) -> bool {
        let Some(posted) = self.posted.as_mut().filter(|posted| posted.look <= now.mono) else {
            return false;
        };
        if now.utc < posted.banner.until {
            posted.look = look(now, posted.banner.until);
            return false;
        }
        self.clear()
    }
}

/// When `until` comes, or in an hour: the clock may be set meanwhile.
fn look(now: Now, until: UtcTime) -> Instant {
    const AT_MOST: Duration = Duration::from_hours(1);
    let left = u64::try_from(until.as_micros().saturating_sub(now.utc.as_micros())).unwrap_or(0);
    now.mono + Duration::from_micros(left).min(AT_MOST)
}
