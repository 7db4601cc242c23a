//! Sounds by their content: what was decoded once is decoded never again, whatever set it belongs to.
//!
//! Invariant: a file whose stamp is the same is not read, and content that is known is not decoded; `figures` count both.
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::figures::MenuFigures;
use super::stamps::Stamp;
use crate::base::{Language, PromptId};
use crate::exchange::menu::{Heard, PromptLengths, PromptTexts, Recording, Recordings};
use crate::io::embedded::{self, Place};
use crate::media::{Codec, GAP, PROMPT_MAX, Prompt, PromptLibrary, decode_audio, listen_to};

/// The SHA-256 of a content.
pub(in crate::io) type Digest = [u8; 32];

/// In small hexadecimal digits: what a kept file is called.
pub(in crate::io) fn hex(digest: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The SHA-256 of `bytes`.
pub(in crate::io) fn digest_of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Where sounds are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io) enum SoundPlace {
    /// As people put them: built in, or a folder with `zh`, `en` and `music`.
    Given(Place),
    /// By their digests, in this folder.
    Kept(PathBuf),
}

/// The sounds of a set: `zh/main.flac` -> what is in it, or why that is not known.
pub(in crate::io) type SoundFiles = BTreeMap<String, Result<Digest, String>>;

impl SoundPlace {
    /// The bytes of a sound.
    pub(super) fn bytes(&self, key: &str, digest: &Digest) -> io::Result<Cow<'static, [u8]>> {
        let bytes = match self {
            Self::Given(place) => embedded::sound(place, key)?,
            Self::Kept(folder) => Cow::Owned(fs::read(folder.join(hex(digest)))?),
        };
        if digest_of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what it was"))
        }
    }
}

struct Known {
    prompt: Result<Arc<Prompt>, String>,
    recording: Option<Recording>,
}

/// Everything that was decoded.
pub(in crate::io) struct Sounds {
    /// Of the server's codecs; nothing is ever in it.
    decoder: PromptLibrary,
    codecs: Vec<Codec>,
    known: BTreeMap<Digest, Known>,
    paths: BTreeMap<PathBuf, (Stamp, Digest)>,
    figures: Arc<MenuFigures>,
}

/// `zh/main.flac`: the folder and the prompt.
fn parts(key: &str) -> Option<(&str, PromptId)> {
    let (folder, name) = key.split_once('/')?;
    let stem = Path::new(name).file_stem()?.to_str()?;
    Some((folder, PromptId::from(stem)))
}

/// A sound that is the same in all languages is in each.
fn languages(folder: &str) -> Vec<Language> {
    Language::from_code(folder).map_or_else(|| Language::ALL.to_vec(), |language| vec![language])
}

/// The file that is played as this prompt in this language, and what is in it.
pub(super) fn key_of<'f>(
    files: &'f SoundFiles,
    language: Language,
    id: &PromptId,
) -> Option<(&'f str, &'f Digest)> {
    let is_it = |key: &str| {
        parts(key).is_some_and(|(folder, name)| name == *id && languages(folder).contains(&language))
    };
    // Of two the later one is played, as in the library.
    let (key, digest) = files.iter().rev().find(|(key, _)| is_it(key))?;
    Some((key, digest.as_ref().ok()?))
}

impl Sounds {
    /// Nothing decoded yet; prompts will be ready in these codecs.
    pub(in crate::io) fn new(codecs: &[Codec], figures: Arc<MenuFigures>) -> Self {
        Self {
            decoder: PromptLibrary::new(GAP).also_in(codecs),
            codecs: codecs.to_vec(),
            known: BTreeMap::new(),
            paths: BTreeMap::new(),
            figures,
        }
    }

    /// What sounds a place has. A file is read only when its stamp is another than before.
    pub(super) fn look(&mut self, place: &Place) -> io::Result<SoundFiles> {
        let mut files = SoundFiles::new();
        for (key, path) in embedded::sounds_of(place)? {
            let digest = match path {
                None => embedded::sound(place, &key).map(|bytes| self.learn(&bytes)),
                Some(path) => self.look_at(&path, place, &key),
            };
            files.insert(key, digest.map_err(|e| e.to_string()));
        }
        Ok(files)
    }

    fn look_at(&mut self, path: &Path, place: &Place, key: &str) -> io::Result<Digest> {
        let stamp = Stamp::of(path)?;
        if let Some((_, digest)) = self.paths.get(path).filter(|(seen, _)| *seen == stamp) {
            return Ok(*digest);
        }
        let bytes = embedded::sound(place, key)?;
        let digest = self.learn(&bytes);
        self.paths.insert(path.to_owned(), (stamp, digest));
        Ok(digest)
    }

    /// Decodes these bytes, unless they are known.
    fn learn(&mut self, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        if let std::collections::btree_map::Entry::Vacant(new) = self.known.entry(digest) {
            self.figures.sounds_decoded.fetch_add(1, Ordering::Relaxed);
            let prompt = self.decoder.read(bytes).map(Arc::new).map_err(|e| e.to_string());
            new.insert(Known { prompt, recording: None });
        }
        digest
    }

    /// A library of these sounds, and what of them cannot be played.
    pub(super) fn library(&mut self, files: &SoundFiles, place: &SoundPlace) -> (PromptLibrary, Vec<String>) {
        let mut library = PromptLibrary::new(GAP).also_in(&self.codecs);
        let mut errors = Vec::new();
        for (key, digest) in files {
            let Some((folder, id)) = parts(key) else { continue };
            let prompt = digest.clone().and_then(|digest| {
                if !self.known.contains_key(&digest) {
                    let bytes = place.bytes(key, &digest).map_err(|e| e.to_string())?;
                    self.learn(&bytes);
                }
                let known = self.known.get(&digest).map(|known| known.prompt.clone());
                known.unwrap_or_else(|| Err("it is gone".to_owned()))
            });
            match prompt {
                Ok(prompt) => {
                    for language in languages(folder) {
                        library.share(language, id.clone(), Arc::clone(&prompt));
                    }
                }
                Err(why) => errors.push(format!("{key}: {why}")),
            }
        }
        (library, errors)
    }

    /// How these sounds are: each content is listened to once.
    pub(super) fn recordings(&mut self, files: &SoundFiles, place: &SoundPlace) -> Recordings {
        let mut recordings = Recordings::new();
        for (key, digest) in files {
            let Some((folder, id)) = parts(key) else { continue };
            let recording = match digest {
                Ok(digest) => self.recording(key, digest, place),
                Err(why) => Recording::Broken(why.clone()),
            };
            for language in languages(folder) {
                recordings.insert((language, id.clone()), recording.clone());
            }
        }
        recordings
    }

    fn recording(&mut self, key: &str, digest: &Digest, place: &SoundPlace) -> Recording {
        if let Some(known) = self.known.get(digest).and_then(|k| k.recording.clone()) {
            return known;
        }
        let recording = match place.bytes(key, digest) {
            Ok(bytes) => {
                self.figures.sounds_listened.fetch_add(1, Ordering::Relaxed);
                listen(&bytes)
            }
            Err(e) => return Recording::Broken(e.to_string()),
        };
        if let Some(known) = self.known.get_mut(digest) {
            known.recording = Some(recording.clone());
        }
        recording
    }

    /// Forgets all but these contents and paths.
    pub(super) fn keep_only(&mut self, files: &[&SoundFiles]) {
        let wanted: BTreeSet<Digest> =
            files.iter().flat_map(|files| files.values()).filter_map(|d| d.as_ref().ok().copied()).collect();
        self.known.retain(|digest, _| wanted.contains(digest));
        self.paths.retain(|_, (_, digest)| wanted.contains(digest));
    }
}

/// How a sound is.
pub fn listen(bytes: &[u8]) -> Recording {
    match decode_audio(bytes, PROMPT_MAX) {
        Ok(sound) => {
            let verdict = listen_to(&sound);
            Recording::Sound(Heard {
                lasts: sound.duration().max(Duration::from_millis(1)),
                silent: verdict.silent,
                level_db: verdict.level_db,
                clipped: verdict.clipped,
                pause: verdict.pause,
            })
        }
        Err(error) => Recording::Broken(error.to_string()),
    }
}

/// How long prompts last: as recorded, else as long as their words take to say.
pub fn lengths(recordings: &Recordings, texts: &PromptTexts) -> PromptLengths {
    let mut lengths = PromptLengths::estimated(texts);
    lengths.gap = GAP;
    let heard = |(slot, recording): (&(Language, PromptId), &Recording)| match recording {
        Recording::Sound(heard) => Some((slot.clone(), heard.lasts)),
        Recording::Broken(_) => None,
    };
    lengths.lengths.extend(recordings.iter().filter_map(heard));
    lengths
}
