//! What is wrong with recordings, told at the prompt's place in the audio manifest.
//!
//! Invariant: judges only prompts that the manifest names, in the languages in which they have words; what is a mere
//! sound may be silent for as long as it likes.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Findings, Place};
use super::manifest::PromptTexts;
use super::raw::{self, Table, Value};
use crate::base::{Language, PromptId};

/// The longest silence within what is said.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);

/// A recording, as it was heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Recording {
    /// It cannot be played, for this reason.
    Broken(String),
    /// It can.
    Sound(Heard),
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// How long it lasts.
    pub lasts: Duration,
    /// Nothing can be heard.
    pub silent: bool,
    /// The level of what is spoken, in dB below full scale: -20 is loud, -45 hardly heard.
    pub level_db: f32,
    /// The loudest parts are cut off.
    pub clipped: bool,
    /// The longest silence: where it begins, and how long it lasts.
    pub pause: (Duration, Duration),
}

/// The quietest speech that is understood in a street, in dB below full scale.
pub const QUIET_DB: f32 = -36.0;

/// Recordings by language and name.
pub type Recordings = BTreeMap<(Language, PromptId), Recording>;

/// Judges the recordings of all prompts of the manifest `text`; `lock` is the list of what was recorded, if there is one.
pub fn judge_recordings(file: &str, text: &str, lock: &str, recordings: &Recordings) -> Vec<Diagnostic> {
    let files = BTreeMap::from([(file.to_owned(), text.to_owned())]);
    let mut findings = Findings::new(&files);
    let (texts, _) = PromptTexts::read(file, text);
    let places = places(file, text);
    let said = recorded(lock);
    for (id, words) in &texts.0 {
        let place = places.get(id).cloned().unwrap_or_else(|| Place::file(file));
        let languages: Vec<Language> =
            if words.is_empty() { Language::ALL.to_vec() } else { words.keys().copied().collect() };
        for language in languages {
            let mut told = Told { findings: &mut findings, place: &place, id, language };
            let slot = (language, id.clone());
            told.recording(recordings.get(&slot), !words.is_empty());
            if let (Some(now), Some(then)) = (words.get(&language), said.get(&slot)) {
                told.words(now, then);
            }
        }
    }
    let mut all = findings.finish();
    // A sound that is the same in all languages is told once.
    all.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
    all
}

struct Told<'f, 'a> {
    findings: &'f mut Findings<'a>,
    place: &'f Place,
    id: &'f PromptId,
    language: Language,
}

impl Told<'_, '_> {
    fn error(&mut self, code: &'static str, message: String, help: &str) {
        self.findings.error(code, self.place, message).help(help);
    }

    fn recording(&mut self, recording: Option<&Recording>, words: bool) {
        let name =
            if words { format!("`{}` in {}", self.id, self.language) } else { format!("`{}`", self.id) };
        match recording {
            None => {
                let help = "speak it: a file NAME.wav, .flac, .ogg or .mp3 in the folder of its language";
                self.error("HL0403", format!("the prompt {name} has no recording"), help);
            }
            Some(Recording::Broken(why)) => {
                let help = "WAV, FLAC, Ogg Vorbis and MP3 are played";
                self.error("HL0404", format!("the recording of {name} cannot be played: {why}"), help);
            }
            Some(Recording::Sound(heard)) if words => self.heard(&name, heard),
            Some(Recording::Sound(_)) => {}
        }
    }

    fn heard(&mut self, name: &str, heard: &Heard) {
        if heard.silent {
            return self.error("HL0405", format!("the recording of {name} is silent"), "record it again");
        }
        if heard.level_db < QUIET_DB {
            let message = format!(
                "the recording of {name} is too quiet: {:.0} dB below full scale, {:.0} at least",
                heard.level_db, QUIET_DB
            );
            self.error("HL0406", message, "raise its level to about -20 dB");
        }
        if heard.clipped {
            let message = format!("the recording of {name} is clipped: its loudest parts are cut off");
            self.error("HL0407", message, "record it again at a lower level");
        }
        let (at, lasts) = heard.pause;
        if lasts > SILENCE_MAX {
            let message = format!(
                "the recording of {name} is silent for {:.1} s, from {:.1} s on",
                lasts.as_secs_f32(),
                at.as_secs_f32()
            );
            self.error("HL0408", message, "cut the silence: callers think that the line is dead after 2 s");
        }
    }

    fn words(&mut self, now: &str, then: &str) {
        if now != then {
            let message =
                format!("the recording of `{}` in {} says other words: {then}", self.id, self.language);
            self.findings.warning("HL0409", self.place, message).help("speak it again");
        }
    }
}

/// Where each prompt stands.
fn places(file: &str, text: &str) -> BTreeMap<PromptId, Place> {
    let prompts = table(text, file).remove("prompt");
    let Some(Value::Table(prompts)) = prompts.map(|f| f.node.value) else { return BTreeMap::new() };
    prompts.into_iter().map(|(id, field)| (PromptId::from(id.as_str()), field.key)).collect()
}

/// What was recorded: the `text` of each entry of the lock.
fn recorded(lock: &str) -> BTreeMap<(Language, PromptId), String> {
    let mut said = BTreeMap::new();
    for (folder, field) in table(lock, "manifest.lock.toml") {
        let (Some(language), Value::Table(entries)) = (Language::from_code(&folder), field.node.value) else {
            continue;
        };
        for (id, entry) in entries {
            let Value::Table(entry) = entry.node.value else { continue };
            if let Some(Value::Text(text)) = entry.get("text").map(|f| &f.node.value) {
                said.insert((language, PromptId::from(id.as_str())), text.clone());
            }
        }
    }
    said
}

fn table(text: &str, file: &str) -> Table {
    let files = BTreeMap::new();
    raw::parse(&Arc::from(file), text, &mut Findings::new(&files))
}
