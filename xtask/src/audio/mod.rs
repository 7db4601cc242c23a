//! `cargo xtask audio`: speaks the prompts of `audio/manifest.toml` into `audio/zh` and `audio/en`, makes the music and the
//! tones in `audio/music`, and writes text, length and licence of each file into `audio/manifest.lock.toml`.
//!
//! Invariant: a file is made anew only when what is to be said has changed (or with `--all`), so that a run without a
//! change leaves the tree as it is.
mod lock;
mod manifest;
mod synth;
mod toml;
mod voice;

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::{Result, root};
use crate::tools::{Tool, provide};
use lock::{Lock, Recording};
use manifest::{Manifest, Prompt};
use voice::Voice;

const TOOLS: &[Tool] = &[
    Tool { program: "espeak-ng", package: "espeak-ng" },
    Tool { program: "sox", package: "sox" },
    Tool { program: "flac", package: "flac" },
];

/// Makes what is missing or has changed; everything with `--all`.
pub fn audio(words: &[String]) -> Result {
    let all = match words {
        [] => false,
        [word] if word == "--all" => true,
        _ => return Err("it takes nothing but --all".into()),
    };
    provide(TOOLS)?;
    let folder = root().join("audio");
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| format!("audio/{name}: {e}"));
    let manifest = Manifest::read(&read("manifest.toml")?)?;
    let voice = Voice::new(&read("pronounce.toml")?)?;
    let old = read("manifest.lock.toml").map_or_else(|_| Ok(Lock::default()), |text| Lock::read(&text))?;
    let mut new = Lock::default();
    for (id, prompt) in &manifest.prompts {
        for (place, recording) in wanted(id, prompt, &manifest.licence, &voice) {
            let kept = old
                .0
                .get(&place)
                .filter(|r| !all && r.same_words(&recording) && folder.join(&r.file).is_file());
            let recording = match kept {
                Some(kept) => Recording { ms: kept.ms, ..recording },
                None => make(&folder, &place, recording)?,
            };
            new.0.insert(place, recording);
        }
    }
    for gone in old.0.iter().filter(|(place, _)| !new.0.contains_key(*place)) {
        eprintln!("- audio/{}", gone.1.file);
        std::fs::remove_file(folder.join(&gone.1.file)).map_err(|e| format!("{}: {e}", gone.1.file))?;
    }
    std::fs::write(folder.join("manifest.lock.toml"), new.write()).map_err(|e| format!("the lock: {e}"))?;
    eprintln!("{} recordings, {} s", new.0.len(), new.0.values().map(|r| r.ms).sum::<u64>() / 1_000);
    Ok(())
}

/// Where a recording belongs: the language or `music`, and the prompt.
type Place = (String, String);

/// The recordings that a prompt wants, without their lengths.
fn wanted(id: &str, prompt: &Prompt, licence: &str, voice: &Voice) -> BTreeMap<Place, Recording> {
    let licence = prompt.licence.as_deref().unwrap_or(licence);
    let recording = |folder: &str, text: &str, spoken: String| {
        let file = format!("{folder}/{id}.flac");
        let recording = Recording { text: text.into(), spoken, file, ms: 0, licence: licence.into() };
        ((folder.to_owned(), id.to_owned()), recording)
    };
    let spoken =
        prompt.words.iter().map(|(language, text)| recording(language, text, voice.spelt(language, text)));
    let sound = prompt.sound.iter().map(|what| recording("music", what, what.clone()));
    spoken.chain(sound).collect()
}

fn make(folder: &Path, place: &Place, recording: Recording) -> Result<Recording> {
    eprintln!("+ audio/{}", recording.file);
    let (language, id) = place;
    let samples = if language == "music" {
        synth::sound(id)
            .ok_or_else(|| format!("nobody knows how to make the sound {id}: xtask/src/audio/synth.rs"))?
    } else {
        voice::speak(language, &recording.spoken)?
    };
    let path = folder.join(&recording.file);
    std::fs::create_dir_all(folder.join(language)).map_err(|e| format!("audio/{language}: {e}"))?;
    voice::write_flac(&path, &samples)?;
    let ms = samples.len() as u64 * 1_000 / u64::from(voice::RATE);
    Ok(Recording { ms, ..recording })
}
