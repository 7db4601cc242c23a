//! `hotline prompts`: which prompts have no recording, say other words than the manifest, cannot be played, or are louder or
//! quieter than the others; and `--speak`, which has what is missing spoken by any command.
//!
//! Invariant: a recording that is there and says the right words is never touched.
#![expect(clippy::print_stderr, reason = "a command's output")]
use std::collections::BTreeSet;
use std::io::ErrorKind::NotFound;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hotline::base::{Language, PromptId};
use hotline::exchange::menu::{Diagnostic, Recording, Recordings};
use hotline::io::embedded::{Place, manifest_lock};
use hotline::io::speaker::Speaker;

use super::menus::{MenuFolder, Read};

/// A recording this far from the middle one is noticed by whoever hears both, in dB.
const OFF_DB: f32 = 6.0;
/// How long one prompt may take to be spoken.
const SPOKEN_WITHIN: Duration = Duration::from_mins(5);
/// Findings for which speaking the prompt is the cure: no recording, and one of other words.
const SPOKEN: [&str; 2] = ["HL0403", "HL0409"];

/// What to look at, and what to do.
#[derive(Debug, Args)]
pub(crate) struct Prompts {
    #[command(flatten)]
    menus: MenuFolder,
    /// Have what is missing, or says other words, spoken into the folder of sounds: LANGUAGE/NAME.wav.
    #[arg(long)]
    speak: bool,
    /// The shell command that speaks: `$TEXT` into the WAV file `$FILE`, in `$LANGUAGE` (zh, en); `$VOICE` is espeak-ng's
    /// name of it. Without it that of the settings, and there espeak-ng is the default.
    #[arg(long, value_name = "COMMAND")]
    with: Option<String>,
    /// The settings, whose [voice] says what speaks.
    #[arg(long, default_value = "hotline.toml")]
    config: PathBuf,
}

impl Prompts {
    /// Exit status 0: nothing is missing or off. 1: something is. 2: it could not be read or spoken.
    pub(crate) fn run(self) -> ExitCode {
        match self.told() {
            Ok((told, right)) => {
                let said = write!(std::io::stdout(), "{told}");
                if right && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
            }
            Err(why) => {
                eprintln!("hotline prompts: {why}");
                ExitCode::from(2)
            }
        }
    }

    fn told(&self) -> Result<(String, bool), String> {
        let read = self.menus.read().map_err(|e| e.to_string())?;
        let mut spoken = 0;
        if self.speak {
            spoken = self.speak(&read)?;
        }
        let recordings = read.recordings();
        let mut lines: Vec<String> =
            read.judge_sounds(&recordings).iter().map(|d| format!("{} {}", d.code, d.message)).collect();
        lines.extend(off_level(&read, &recordings));
        let right = lines.is_empty();
        let words: usize = read.texts.0.values().map(std::collections::BTreeMap::len).sum();
        let last = format!("{words} prompts with words, {spoken} spoken now, {} to look at", lines.len());
        lines.push(last);
        Ok((lines.join("\n") + "\n", right))
    }

    /// Speaks what is to be spoken; how many.
    fn speak(&self, read: &Read) -> Result<usize, String> {
        let Place::Folder(folder) = &read.audio else {
            return Err("what is built in cannot be spoken anew: name a folder of sounds with --audio".into());
        };
        let found = read.judge_sounds(&read.recordings());
        let speaker = self.speaker()?;
        let mut count = 0;
        for (language, id, words) in to_speak(read, &found) {
            let file = folder.join(language.code()).join(format!("{id}.wav"));
            speak_one(&speaker, language, &words, &file)?;
            forget(folder, language, &id)?;
            count += 1;
        }
        Ok(count)
    }

    fn speaker(&self) -> Result<Speaker, String> {
        let command = match &self.with {
            Some(command) => command.clone(),
            None => super::serve::settings(&self.config)?.speak,
        };
        Ok(Speaker { command, within: SPOKEN_WITHIN, hidden: Vec::new() })
    }
}

fn speak_one(speaker: &Speaker, language: Language, words: &str, file: &Path) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(|e| failed(&e))?;
    // Beside the one that is there: what a command leaves untouched was not spoken, and one that fails spoils nothing.
    let fresh = file.with_extension("new.wav");
    let gone = std::fs::remove_file(&fresh);
    gone.or_else(|e| if e.kind() == NotFound { Ok(()) } else { Err(failed(&e)) })?;
    let spoken = speaker.speak(language, words, &fresh).map_err(|e| failed(&e));
    let spoken = spoken.and_then(|()| std::fs::rename(&fresh, file).map_err(|e| failed(&e)));
    if spoken.is_err() {
        std::fs::remove_file(&fresh).ok();
    }
    spoken
}

/// What the findings ask to be spoken.
fn to_speak(read: &Read, found: &[Diagnostic]) -> Vec<(Language, PromptId, String)> {
    let asked: BTreeSet<&str> =
        found.iter().filter(|d| SPOKEN.contains(&d.code)).map(|d| d.message.as_str()).collect();
    let all = read.texts.0.iter().flat_map(|(id, texts)| texts.iter().map(move |(l, words)| (*l, id, words)));
    let wanted = all.filter(|(language, id, _)| {
        let name = format!("`{id}` in {language}");
        asked.iter().any(|message| message.contains(&name))
    });
    wanted.map(|(language, id, words)| (language, id.clone(), words.clone())).collect()
}

/// Takes the line of a recording that is no more the one played out of the list of what was recorded.
fn forget(folder: &Path, language: Language, id: &PromptId) -> Result<(), String> {
    let lock = manifest_lock(&Place::Folder(folder.to_owned()));
    let (header, entry) = (format!("[{}]", language.code()), format!("{id} = "));
    let mut inside = false;
    let kept = lock.lines().filter(|line| {
        if line.starts_with('[') {
            inside = *line == header;
        }
        !(inside && line.starts_with(&entry))
    });
    let text: String = kept.flat_map(|line| [line, "\n"]).collect();
    if text == lock {
        return Ok(());
    }
    let path: PathBuf = folder.join("manifest.lock.toml");
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Prompts that are louder or quieter than the middle one of their language.
fn off_level(read: &Read, recordings: &Recordings) -> Vec<String> {
    let mut lines = Vec::new();
    for language in Language::ALL {
        let level = |(slot, recording): (&(Language, PromptId), &Recording)| match recording {
            Recording::Sound(heard) if !heard.silent && has_words(read, slot) => {
                Some((slot.1.clone(), heard.level_db))
            }
            _ => None,
        };
        let mut levels: Vec<(PromptId, f32)> =
            recordings.iter().filter(|(slot, _)| slot.0 == language).filter_map(level).collect();
        levels.sort_by(|a, b| a.1.total_cmp(&b.1));
        let Some((_, middle)) = levels.get(levels.len() / 2).cloned() else { continue };
        for (id, level) in levels.iter().filter(|(_, level)| (level - middle).abs() > OFF_DB) {
            let how = if *level > middle { "louder" } else { "quieter" };
            let by = (level - middle).abs();
            lines.push(format!("the recording of `{id}` in {language} is {by:.0} dB {how} than the others"));
        }
    }
    lines
}

fn has_words(read: &Read, (language, id): &(Language, PromptId)) -> bool {
    read.texts.0.get(id).is_some_and(|texts| texts.contains_key(language))
}
