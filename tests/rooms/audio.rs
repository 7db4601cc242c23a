//! What is shipped in `audio/`: every prompt has its recording in each of its languages, says what the manifest says,
//! and can be decoded; whatever the engine says by itself is there.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use hotline::base::{Language, PromptId};
use hotline::exchange::menu::{HOUSE_PROMPTS, PromptTexts, QUIET_DB, SILENCE_MAX};
use hotline::exchange::{EXCHANGE_PROMPTS, fragments};
use hotline::media::{PromptLibrary, decode_audio, listen_to};

fn audio() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audio")
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(audio().join(name)).unwrap_or_else(|e| panic!("audio/{name}: {e}"))
}

/// Prompt -> language -> words; no words at all: a sound.
fn manifest() -> BTreeMap<PromptId, BTreeMap<Language, String>> {
    let (texts, diagnostics) = PromptTexts::read("audio/manifest.toml", &text_of("manifest.toml"));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    texts.0
}

/// One entry of the lock.
struct Recording {
    text: String,
    licence: String,
    file: String,
    length: Duration,
}

/// Folder (`zh`, `en`, `music`) -> prompt -> recording.
fn lock() -> BTreeMap<String, BTreeMap<String, Recording>> {
    let lock: toml::Table = text_of("manifest.lock.toml").parse().unwrap();
    let recording = |entry: &toml::Value| Recording {
        text: entry["text"].as_str().unwrap().into(),
        licence: entry["licence"].as_str().unwrap().into(),
        file: entry["file"].as_str().unwrap().into(),
        length: Duration::from_millis(entry["ms"].as_integer().unwrap().try_into().unwrap()),
    };
    let folder = |entries: &toml::Value| {
        entries.as_table().unwrap().iter().map(|(id, entry)| (id.clone(), recording(entry))).collect()
    };
    lock.iter().map(|(name, entries)| (name.clone(), folder(entries))).collect()
}

#[test]
fn every_fragment_is_recorded_with_the_words_that_the_grammar_means() {
    let manifest = manifest();
    for language in Language::ALL {
        for (id, words) in fragments(language) {
            let recorded = manifest.get(&id).and_then(|texts| texts.get(&language));
            assert_eq!(recorded, Some(&words), "{id} in {language}");
        }
    }
}

#[test]
fn what_the_engine_says_by_itself_is_recorded_in_every_language() {
    let manifest = manifest();
    for id in EXCHANGE_PROMPTS.iter().chain(&HOUSE_PROMPTS).chain(&["pause", "music", "busy"]) {
        let texts =
            manifest.get(&PromptId::from(*id)).unwrap_or_else(|| panic!("{id} is not in the manifest"));
        assert!(texts.is_empty() || texts.len() == Language::ALL.len(), "{id} lacks a language");
    }
}

#[test]
fn every_prompt_has_a_recording_of_its_words_in_each_of_its_languages() {
    let (manifest, lock) = (manifest(), lock());
    let mut wanted = BTreeSet::new();
    for (id, texts) in &manifest {
        let folders: Vec<(&str, Option<&String>)> = match texts.len() {
            0 => vec![("music", None)],
            _ => texts.iter().map(|(language, text)| (language.code(), Some(text))).collect(),
        };
        for (folder, text) in folders {
            let recording = lock.get(folder).and_then(|entries| entries.get(id.as_str()));
            let recording = recording.unwrap_or_else(|| panic!("{folder}/{id}: run `cargo xtask voice`"));
            assert!(text.is_none_or(|t| *t == recording.text), "{folder}/{id}: run `cargo xtask voice`");
            assert!(!recording.licence.is_empty(), "{folder}/{id} has no licence");
            wanted.insert((folder.to_owned(), id.as_str().to_owned()));
        }
    }
    let made = lock.iter().flat_map(|(f, entries)| entries.keys().map(move |id| (f.clone(), id.clone())));
    assert_eq!(made.collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn every_recording_decodes_sounds_and_lasts_as_long_as_is_written() {
    for (folder, entries) in lock() {
        for (id, recording) in entries {
            let bytes = std::fs::read(audio().join(&recording.file)).expect(&recording.file);
            let sound = decode_audio(&bytes, Duration::from_mins(2)).expect(&recording.file);
            let off = sound.duration().abs_diff(recording.length);
            assert!(off < Duration::from_millis(2), "{folder}/{id} is off by {off:?}");
            let heard = listen_to(&sound);
            let spoken = folder != "music";
            assert!(!spoken || !heard.silent && !heard.clipped, "{folder}/{id}: {heard:?}");
            assert!(!spoken || heard.level_db > QUIET_DB, "{folder}/{id}: {heard:?}");
            assert!(!spoken || heard.pause.1 <= SILENCE_MAX, "{folder}/{id}: {heard:?}");
            let loudest = sound.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
            assert!(id == "pause" || (0.1..1.0).contains(&loudest), "{folder}/{id} peaks at {loudest}");
        }
    }
}

#[test]
fn the_welcome_lasts_less_than_eight_seconds() {
    let welcomes: Vec<_> = lock()
        .into_values()
        .flatten()
        .filter(|(id, _)| id.starts_with("welcome"))
        .map(|(_, recording)| (recording.file, recording.length))
        .collect();
    assert!(welcomes.len() >= 6, "{welcomes:?}");
    assert!(welcomes.iter().all(|(_, length)| *length < Duration::from_secs(8)), "{welcomes:?}");
}

#[test]
fn no_recording_sounds_like_a_key() {
    let mut library = PromptLibrary::default();
    for recording in lock().into_values().flat_map(BTreeMap::into_values) {
        let bytes = std::fs::read(audio().join(&recording.file)).expect(&recording.file);
        library.add(Language::English, PromptId::from(recording.file.as_str()), &bytes).unwrap();
    }
    let keys: Vec<_> = library.iter().filter(|(.., p)| p.sounds_like_a_key()).map(|(_, id, _)| id).collect();
    assert!(keys.is_empty(), "{keys:?}");
}

#[test]
fn nothing_lies_beside_the_manifest_and_the_whole_is_small() {
    let lock = lock();
    let mut size = 0;
    for (folder, entries) in &lock {
        let files: BTreeSet<&str> = entries.values().map(|r| r.file.as_str()).collect();
        for entry in std::fs::read_dir(audio().join(folder)).unwrap().map(Result::unwrap) {
            let file = format!("{folder}/{}", entry.file_name().to_string_lossy());
            assert!(files.contains(file.as_str()), "audio/{file} is in no manifest");
            size += entry.metadata().unwrap().len();
        }
    }
    assert!(size < 12_000_000, "{size} bytes");
}
