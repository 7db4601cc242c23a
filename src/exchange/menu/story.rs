//! A rehearsal in words: what happens to the caller as lines for people, and scripts that say what must happen.
//!
//! ```text
//! # The night of the Spring Festival: the loans desk is closed, and a human is there all the same.
//! dial 95188 at 2026-02-17T03:00
//! keys 2
//! expect menu night
//! expect text 10:00
//! keys ~~~
//! expect human general
//! ```
//!
//! Invariant: an expectation looks only at what happened since the last `dial` or `keys`, and each at what came after
//! what the one before it found.
use std::sync::Arc;

use super::manifest::PromptTexts;
use super::rehearsal::{Act, PromptLengths, Rehearsal, Scene};
use super::set::MenuSet;
use crate::base::{Language, Now, UtcTime};
use crate::exchange::say::{Phrase, transcript};

/// What `phrases` say in a language: the words of the manifest, numbers as they are spoken, sounds by name.
pub fn words(texts: &PromptTexts, language: Language, phrases: &[Phrase]) -> String {
    let one = |phrase: &Phrase| match phrase {
        Phrase::Prompt(id) => match texts.0.get(id).and_then(|words| words.get(&language)) {
            Some(words) => words.clone(),
            None => format!("[{id}]"),
        },
        other => transcript(language, std::slice::from_ref(other)),
    };
    phrases.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The clock of a rehearsal: minutes and seconds since it was dialled.
pub fn clock(now: Now) -> String {
    let seconds = now.mono.as_millis() / 1_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// What happened, in lines.
pub fn lines(scene: &Scene, texts: &PromptTexts) -> Vec<String> {
    match scene {
        Scene::Says { say, language, lasts } => {
            let names: Vec<String> = say.iter().map(name).collect();
            let mut lines =
                vec![format!("says {} ({} s)", names.join(" + "), lasts.as_millis().div_ceil(1_000))];
            for each in Language::ALL {
                let mark = if each == *language { '>' } else { ' ' };
                lines.push(format!("  {mark} {each}  {}", words(texts, each, say)));
            }
            lines
        }
        Scene::Menu(menu) => vec![format!("menu {menu}")],
        Scene::Hidden(true) => vec!["digits are hidden from now on".to_owned()],
        Scene::Hidden(false) => vec!["digits are shown again".to_owned()],
        Scene::Entered(entry, digits) => vec![format!("{entry} is {digits}")],
        Scene::Line { queue, human: true } => vec![format!("waits for a human, in the queue {queue}")],
        Scene::Line { queue, human: false } => vec![format!("waits in the queue {queue}")],
        Scene::Nothing => vec!["nothing happens".to_owned()],
        Scene::Ended(cause) => vec![format!("the call is over: {}", cause.as_str())],
    }
}

fn name(phrase: &Phrase) -> String {
    match phrase {
        Phrase::Prompt(id) => id.to_string(),
        Phrase::Digits(digits) => format!("the digits {digits}"),
        other => transcript(Language::English, std::slice::from_ref(other)),
    }
}

/// A line of a script that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFault {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// A script that was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Everything that happened, for people.
    pub story: String,
    /// What was expected and did not happen.
    pub faults: Vec<ScriptFault>,
    /// How many expectations there were.
    pub expectations: usize,
}

/// What may be expected.
const KINDS: [&str; 10] =
    ["menu", "queue", "human", "says", "text", "language", "hidden", "entered", "nothing", "end"];

/// What scripts are played on.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The menus.
    pub set: Arc<MenuSet>,
    /// How long prompts last.
    pub lengths: Arc<PromptLengths>,
    /// What they say.
    pub texts: PromptTexts,
    /// The hour, where a script names none.
    pub at: UtcTime,
    /// Where it is written.
    pub sources: super::Sources,
}

impl Stage {
    /// Plays a script.
    pub fn play(&self, script: &str) -> Played {
        let mut player = Player { stage: self, caller: None, scenes: Vec::new(), played: Played::default() };
        for (n, line) in script.lines().enumerate() {
            let line = line.trim();
            player.tell(line);
            // In a line of keys # is a key.
            let comment = line.split_once(" #").filter(|_| !line.starts_with("keys"));
            let line = comment.map_or(line, |(before, _)| before.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(message) = player.step(line) {
                player.tell(&format!("    NOT SO: {message}"));
                player.played.faults.push(ScriptFault { line: n + 1, message });
            }
        }
        player.played
    }
}

struct Player<'a> {
    stage: &'a Stage,
    caller: Option<Rehearsal>,
    /// What happened and was not yet expected.
    scenes: Vec<Scene>,
    played: Played,
}

impl Player<'_> {
    fn step(&mut self, line: &str) -> Result<(), String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "dial" => self.dial(rest.trim()),
            "keys" => self.keys(rest),
            "expect" => self.expect(rest.trim()),
            other => Err(format!("`{other}` is none of dial, keys, expect")),
        }
    }

    fn dial(&mut self, rest: &str) -> Result<(), String> {
        let (number, at) = match rest.split_once(" at ") {
            Some((number, at)) => (number.trim(), Some(at.trim())),
            None => (rest, None),
        };
        let zone = &self.stage.set.zone;
        let at = match at {
            Some(text) => {
                zone.parse(text).ok_or_else(|| format!("`{text}` is no time; write 2026-02-17T03:00"))?
            }
            None => self.stage.at,
        };
        self.caller = Rehearsal::dial(&self.stage.set, &self.stage.lengths, number, at);
        if self.caller.is_none() {
            return Err(format!("callers cannot dial {number}"));
        }
        self.scenes.clear();
        self.see();
        Ok(())
    }

    fn keys(&mut self, keys: &str) -> Result<(), String> {
        self.scenes.clear();
        for c in keys.chars().filter(|c| !c.is_whitespace()) {
            let act =
                Act::from_char(c).ok_or_else(|| format!("`{c}` is no key; `.` listens, `~` does nothing"))?;
            let caller = self.caller.as_mut().ok_or("nobody has dialled yet")?;
            caller.act(act);
            self.see();
        }
        Ok(())
    }

    fn tell(&mut self, line: &str) {
        self.played.story.push_str(line);
        self.played.story.push('\n');
    }

    fn see(&mut self) {
        let Some(caller) = &mut self.caller else { return };
        let scenes = caller.take_scenes();
        let clock = clock(caller.now());
        for line in scenes.iter().flat_map(|scene| lines(scene, &self.stage.texts)) {
            self.tell(&format!("    {clock}  {line}"));
        }
        self.scenes.extend(scenes);
    }

    fn expect(&mut self, what: &str) -> Result<(), String> {
        self.played.expectations += 1;
        let (kind, value) = what.split_once(' ').unwrap_or((what, ""));
        let value = value.trim();
        let texts = &self.stage.texts;
        let is = |scene: &Scene| match (kind, scene) {
            ("menu", Scene::Menu(menu)) => menu.as_str() == value,
            ("queue", Scene::Line { queue, .. }) => queue.as_str() == value,
            ("human", Scene::Line { queue, human }) => {
                *human && (value.is_empty() || queue.as_str() == value)
            }
            ("says", Scene::Says { say, .. }) => say.iter().any(|phrase| name(phrase) == value),
            ("text", Scene::Says { say, language, .. }) => words(texts, *language, say).contains(value),
            ("language", Scene::Says { language, .. }) => language.code() == value,
            ("hidden", Scene::Hidden(on)) => *on,
            ("entered", Scene::Entered(entry, digits)) => format!("{entry} {digits}") == value,
            ("nothing", Scene::Nothing) | ("end", Scene::Ended(_)) => true,
            _ => false,
        };
        if !KINDS.contains(&kind) {
            return Err(format!("`{kind}` cannot be expected; one of: {}", KINDS.join(", ")));
        }
        if let Some(found) = self.scenes.iter().position(is) {
            // `text` and `language` look at what is said, which another line may expect too.
            let kept = usize::from(!matches!(kind, "says" | "text" | "language"));
            self.scenes.drain(..found + kept);
            return Ok(());
        }
        let seen: Vec<String> =
            self.scenes.iter().filter_map(|s| lines(s, texts).into_iter().next()).collect();
        let seen = if seen.is_empty() { "nothing more happened".to_owned() } else { seen.join("; ") };
        Err(format!("expected {what}, but: {seen}"))
    }
}
