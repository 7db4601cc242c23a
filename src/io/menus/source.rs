//! One set as it was written: the texts of menus and manifest, and which sounds belong to it. Its revision is the sum of
//! all of that: another word, another sound, another revision.
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::sounds::{SoundFiles, SoundPlace, Sounds, digest_of, hex, lengths};
use crate::base::TrunkId;
use crate::exchange::menu::{
    Bounds, Diagnostic, Findings, MenuSet, Place as Spot, PromptTexts, judge_recordings, judge_words, prove,
};
use crate::io::embedded::{self, Place};
use crate::io::menu_files::MenuFilesError;
use crate::io::server::MANIFEST;

/// The revision that a server gives to these texts with these sounds: what records and `hotline revisions` name.
pub fn revision(menus: &BTreeMap<String, String>, manifest: &str, audio: &Place) -> String {
    let keys = embedded::sounds_of(audio).unwrap_or_default().into_iter().map(|(key, _)| key);
    let sounds = keys.map(|key| {
        let digest = embedded::sound(audio, &key).map(|bytes| digest_of(&bytes)).map_err(|e| e.to_string());
        (key, digest)
    });
    let source = Source {
        menus: menus.clone(),
        manifest: manifest.to_owned(),
        lock: String::new(),
        sounds: if *audio == Place::BuiltIn { SoundFiles::new() } else { sounds.collect() },
        place: SoundPlace::Given(audio.clone()),
    };
    source.revision()
}

/// A set as it was written.
#[derive(Debug, Clone)]
pub(in crate::io) struct Source {
    /// The files of the menus.
    pub menus: BTreeMap<String, String>,
    /// The audio manifest.
    pub manifest: String,
    /// What was recorded, if that is known.
    pub lock: String,
    /// The sounds.
    pub sounds: SoundFiles,
    /// Where they are.
    pub place: SoundPlace,
}

/// A set that may be installed.
#[derive(Debug)]
pub(in crate::io) struct Good {
    /// What it says; its revision is [`Source::revision`].
    pub set: MenuSet,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Which trunks there are: `None` lets any name pass.
pub(in crate::io) type KnownTrunks<'a> = Option<&'a [TrunkId]>;

impl Source {
    /// Reads menus and sounds where they are.
    pub(in crate::io) fn read(
        menus: &Place,
        audio: &Place,
        sounds: &mut Sounds,
    ) -> Result<Self, MenuFilesError> {
        let unreadable = |source| MenuFilesError::Unreadable { path: audio.to_string().into(), source };
        Ok(Self {
            menus: embedded::menus(menus)?,
            manifest: embedded::manifest(audio)?,
            lock: embedded::manifest_lock(audio),
            sounds: sounds.look(audio).map_err(unreadable)?,
            place: SoundPlace::Given(audio.clone()),
        })
    }

    /// The first 12 hexadecimal digits of the SHA-256 over names, texts and the digests of sounds, each with its length
    /// before it. Built-in sounds count as one.
    pub(in crate::io) fn revision(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        for (name, text) in &self.menus {
            add(name.as_bytes());
            add(text.as_bytes());
        }
        add(self.manifest.as_bytes());
        if self.place != SoundPlace::Given(Place::BuiltIn) {
            for (key, digest) in &self.sounds {
                add(key.as_bytes());
                add(digest.as_ref().map_or(b"".as_slice(), |d| d.as_slice()));
            }
        }
        hex(hash.finalize().get(..6).unwrap_or_default())
    }

    /// All texts by name, for showing mistakes.
    pub(in crate::io) fn files(&self) -> BTreeMap<String, String> {
        let mut files = self.menus.clone();
        files.insert(MANIFEST.to_owned(), self.manifest.clone());
        files
    }

    /// Reads it as a start does: without listening to sounds and without walking all ways.
    pub(in crate::io) fn glance(&self) -> Result<Good, Vec<Diagnostic>> {
        let (texts, mut found) = PromptTexts::read(MANIFEST, &self.manifest);
        match MenuSet::load(&self.menus, &texts.known()) {
            Ok((set, more)) if !found.iter().any(Diagnostic::is_error) => {
                found.extend(more);
                Ok(Good { set: MenuSet { revision: self.revision(), ..set }, warnings: found })
            }
            Ok((_, more)) | Err(more) => {
                found.extend(more);
                Err(found)
            }
        }
    }

    /// Checks it as `hotline check` does. Any error: it is not to be installed.
    pub(super) fn check(
        &self,
        sounds: &mut Sounds,
        trunks: KnownTrunks<'_>,
    ) -> Result<Good, Vec<Diagnostic>> {
        let (texts, mut found) = PromptTexts::read(MANIFEST, &self.manifest);
        let recordings = sounds.recordings(&self.sounds, &self.place);
        found.extend(judge_recordings(MANIFEST, &self.manifest, &self.lock, &recordings));
        let reading = match MenuSet::read(&self.menus, &texts.known()) {
            Ok(reading) => reading,
            Err(more) => {
                found.extend(more);
                return Err(found);
            }
        };
        found.extend(reading.warnings.iter().cloned());
        let proof = prove(&reading, &self.menus, &lengths(&recordings, &texts), Bounds::default());
        found.extend(proof.diagnostics);
        found.extend(judge_words(&reading, &self.menus, &texts));
        found.extend(self.unknown_trunks(&reading.set, trunks));
        if found.iter().any(Diagnostic::is_error) {
            return Err(found);
        }
        Ok(Good { set: MenuSet { revision: self.revision(), ..reading.set }, warnings: found })
    }

    /// The same for a server that has these trunks.
    pub(super) fn glance_for(&self, trunks: &[TrunkId]) -> Result<Good, Vec<Diagnostic>> {
        let good = self.glance()?;
        let wrong = self.unknown_trunks(&good.set, Some(trunks));
        if wrong.is_empty() { Ok(good) } else { Err(wrong) }
    }

    fn unknown_trunks(&self, set: &MenuSet, trunks: KnownTrunks<'_>) -> Vec<Diagnostic> {
        let mut findings = Findings::new(&self.menus);
        for (id, party) in &set.directory {
            for trunk in party.trunks.iter().filter(|t| trunks.is_some_and(|known| !known.contains(t))) {
                let message =
                    format!("{id} is called over the trunk `{trunk}`, which hotline.toml does not have");
                findings.error("HL0105", &Spot::file("directory.toml"), message);
            }
        }
        findings.finish()
    }
}
