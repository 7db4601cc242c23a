//! `cargo xtask voice`: speaks the prompts of `audio/manifest.toml` into `audio/zh` and `audio/en`, makes the music and the
//! tones in `audio/music`, and writes text, voice, length and licence of each file into `audio/manifest.lock.toml`.
//!
//! Invariant: a file is made anew only when what is to be said, or who says it, has changed (or with `--all`), so that a run
//! without a change leaves the tree as it is.
mod breath;
mod listen;
mod lock;
mod loudness;
mod manifest;
mod neural;
mod pipe;
mod synth;
mod toml;
mod voice;

pub use listen::listen;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::run::{Result, root};
use crate::tools::{Tool, provide};
use lock::{Lock, Recording};
use manifest::{Manifest, Prompt};
use neural::Speakers;
use voice::Voice;

const TOOLS: &[Tool] = &[Tool { program: "sox", package: "sox" }, Tool { program: "flac", package: "flac" }];

/// Makes what is missing or has changed; everything with `--all`.
pub fn voice(words: &[String]) -> Result {
    let all = match words {
        [] => false,
        [word] if word == "--all" => true,
        _ => return Err("it takes nothing but --all".into()),
    };
    provide(TOOLS)?;
    let wanted = wanted_all()?;
    let old = text_of("manifest.lock.toml").map_or_else(|_| Ok(Lock::default()), |text| Lock::read(&text))?;
    let kept = |place: &Place, recording: &Recording| {
        let there = |r: &&Recording| !all && r.same_words(recording) && folder().join(&r.file).is_file();
        old.0.get(place).filter(there).map(|r| r.ms)
    };
    let speakers = Speakers::read(&text_of("voice.toml")?)?;
    speak(wanted.iter().filter(|(place, recording)| kept(place, recording).is_none()), &speakers)?;
    let mut new = Lock::default();
    for (place, recording) in wanted {
        let recording = match kept(&place, &recording) {
            Some(ms) => Recording { ms, ..recording },
            None => make(&place, recording, &speakers)?,
        };
        new.0.insert(place, recording);
    }
    for gone in old.0.iter().filter(|(place, _)| !new.0.contains_key(*place)) {
        eprintln!("- audio/{}", gone.1.file);
        std::fs::remove_file(folder().join(&gone.1.file)).map_err(|e| format!("{}: {e}", gone.1.file))?;
    }
    std::fs::write(folder().join("manifest.lock.toml"), new.write()).map_err(|e| format!("the lock: {e}"))?;
    eprintln!("{} recordings, {} s", new.0.len(), new.0.values().map(|r| r.ms).sum::<u64>() / 1_000);
    Ok(())
}

fn folder() -> PathBuf {
    root().join("audio")
}

fn text_of(name: &str) -> Result<String> {
    std::fs::read_to_string(folder().join(name)).map_err(|e| format!("audio/{name}: {e}"))
}

/// All recordings that the manifest wants.
fn wanted_all() -> Result<BTreeMap<Place, Recording>> {
    let manifest = Manifest::read(&text_of("manifest.toml")?)?;
    let voice = Voice::new(&text_of("pronounce.toml")?)?;
    let speakers = Speakers::read(&text_of("voice.toml")?)?;
    let mut all = BTreeMap::new();
    for (id, prompt) in &manifest.prompts {
        all.extend(wanted(id, prompt, &manifest.licence, (&voice, &speakers))?);
    }
    Ok(all)
}

/// Has the sentences of all these recordings spoken, at one go: the model is loaded once.
fn speak<'r>(recordings: impl Iterator<Item = (&'r Place, &'r Recording)>, speakers: &Speakers) -> Result {
    let words = recordings.filter(|((folder, _), _)| folder != MUSIC);
    let sentences: BTreeSet<(&str, String)> =
        words.flat_map(|((language, _), r)| voice::sentences(language, &r.spoken)).collect();
    let spoken: Result<Vec<_>> = sentences
        .iter()
        .map(|(language, words)| Ok((*language, speakers.of(language)?, words.as_str())))
        .collect();
    neural::speak_all(spoken?.into_iter())
}

/// The folder of what is not words.
const MUSIC: &str = "music";

/// Where a recording belongs: the language or `music`, and the prompt.
type Place = (String, String);

/// The recordings that a prompt wants, without their lengths.
fn wanted(
    id: &str,
    prompt: &Prompt,
    licence: &str,
    (voice, speakers): (&Voice, &Speakers),
) -> Result<BTreeMap<Place, Recording>> {
    let licence = prompt.licence.as_deref().unwrap_or(licence);
    let recording = |folder: &str, text: &str, spoken: String, voice: String| {
        let file = format!("{folder}/{id}.flac");
        let recording = Recording { text: text.into(), spoken, file, voice, ms: 0, licence: licence.into() };
        ((folder.to_owned(), id.to_owned()), recording)
    };
    let spoken = prompt.words.iter().map(|(language, text)| {
        let speaker = speakers.of(language)?;
        let spoken = voice.spelt(language, text) + speaker.mark(id, text);
        let speaker = speaker.saying(&spoken).to_string();
        Ok(recording(language, text, spoken, speaker))
    });
    let sound = prompt.sound.iter().map(|what| Ok(recording(MUSIC, what, what.clone(), String::new())));
    spoken.chain(sound).collect()
}

fn make(place: &Place, recording: Recording, speakers: &Speakers) -> Result<Recording> {
    eprintln!("+ audio/{}", recording.file);
    let (language, id) = place;
    let samples = if language == MUSIC {
        synth::sound(id)
            .ok_or_else(|| format!("nobody knows how to make the sound {id}: xtask/src/audio/synth.rs"))?
    } else {
        voice::speak(language, &recording.spoken, speakers)?
    };
    let path = folder().join(&recording.file);
    std::fs::create_dir_all(folder().join(language)).map_err(|e| format!("audio/{language}: {e}"))?;
    voice::write_flac(&path, &samples)?;
    let ms = samples.len() as u64 * 1_000 / u64::from(voice::RATE);
    Ok(Recording { ms, ..recording })
}
