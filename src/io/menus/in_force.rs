//! What holds now, for whoever must not wait for the workshop: the emergency banner is put on while a set is being checked.
//!
//! Invariant: it is whole; whoever took it works on with it, whatever is installed meanwhile.
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::sounds::{Digest, SoundFiles, SoundPlace, hex, key_of};
use super::source::Source;
use crate::base::{Language, PromptId};
use crate::exchange::menu::{MenuSet, PromptTexts};
use crate::io::server::MANIFEST;
use crate::media::PromptLibrary;

/// The set that holds, with its words and its sounds.
#[derive(Debug)]
pub(in crate::io) struct InForce {
    /// The set.
    pub set: Arc<MenuSet>,
    /// What prompts say.
    pub texts: PromptTexts,
    /// Its sounds, decoded.
    pub library: Arc<PromptLibrary>,
    sounds: SoundFiles,
    place: SoundPlace,
    kept: PathBuf,
}

impl InForce {
    /// Of a set as it was written; `kept` is where kept sounds are.
    pub(super) fn new(
        set: Arc<MenuSet>,
        library: Arc<PromptLibrary>,
        (source, kept): (&Source, PathBuf),
    ) -> Self {
        let (texts, _) = PromptTexts::read(MANIFEST, &source.manifest);
        Self { set, texts, library, sounds: source.sounds.clone(), place: source.place.clone(), kept }
    }

    /// The file of a prompt: which, and its bytes, from where it is or from where it is kept.
    pub(in crate::io) fn file(
        &self,
        language: Language,
        id: &PromptId,
    ) -> Option<(Digest, io::Result<Cow<'static, [u8]>>)> {
        let (key, digest) = key_of(&self.sounds, language, id)?;
        let kept = || fs::read(self.kept.join(hex(digest))).map(Cow::Owned);
        Some((*digest, self.place.bytes(key, digest).or_else(|_| kept())))
    }
}

/// Where it is told.
#[derive(Debug, Clone)]
pub(in crate::io) struct Notice(Arc<Mutex<Arc<InForce>>>);

impl Notice {
    /// Says what holds at the start.
    pub(super) fn new(holds: InForce) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(holds))))
    }

    /// What holds.
    pub(in crate::io) fn read(&self) -> Arc<InForce> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another set holds from now on.
    pub(super) fn write(&self, holds: InForce) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(holds);
    }
}
