//! Which set a start begins with: that of the files; or the one that was made to hold apart from them, while they are as
//! they were then; or, when the files cannot be loaded or are gone, the one that held last. Only a first start fails. Sounds are
//! not listened to and ways not walked at a start: a set that only these would refuse holds, once it was put there while nobody looked.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::figures::MenuFigures;
use super::keeper::Keeper;
use super::sounds::Sounds;
use super::source::{Good, Source};
use super::stamps::{self, Stamps};
use crate::base::TrunkId;
use crate::exchange::menu::{MenuSet, render};
use crate::io::Settings;
use crate::io::embedded::Place;
use crate::io::menu_files::MenuFilesError;
use crate::io::server::StartError;
use crate::media::PromptLibrary;

/// What a start begins with.
#[derive(Debug)]
pub(in crate::io) struct Boot {
    /// The set.
    pub set: Arc<MenuSet>,
    /// Its sounds.
    pub library: Arc<PromptLibrary>,
    /// What is to be told before the first call.
    pub warnings: String,
    /// Texts of the set, the manifest among them.
    pub texts: BTreeMap<String, String>,
    /// What the workshop goes on with.
    pub bench: Bench,
}

/// What the workshop works with.
pub(in crate::io) struct Bench {
    pub(super) places: (Place, Place),
    pub(super) sounds: Sounds,
    pub(super) keeper: Keeper,
    pub(in crate::io) figures: Arc<MenuFigures>,
    /// The set that holds, as it was written.
    pub(super) source: Source,
    pub(super) set: Arc<MenuSet>,
    pub(super) library: Arc<PromptLibrary>,
    /// The files when they were read last, and their revision; none where they could not be read.
    pub(super) taken: Stamps,
    pub(super) files_revision: Option<String>,
    /// The number under which the set that holds is kept, if it is.
    pub(super) number: Option<u64>,
    pub(super) apart: bool,
    /// Why the files are not what holds.
    pub(super) refused: Option<Vec<String>>,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("revision", &self.set.revision).finish_non_exhaustive()
    }
}

/// An error with its cause.
pub(super) fn in_words(error: &MenuFilesError) -> String {
    let why = std::error::Error::source(error).map(|e| format!(": {e}")).unwrap_or_default();
    format!("{error}{why}")
}

/// Reads what a start begins with.
pub(in crate::io) fn boot(settings: &Settings) -> Result<Boot, StartError> {
    let figures = Arc::new(MenuFigures::default());
    let mut sounds = Sounds::new(&settings.codecs, Arc::clone(&figures));
    let keeper = Keeper::look(&settings.store);
    let places = (Place::of(settings.menus.as_deref()), Place::of(settings.audio.as_deref()));
    let taken = stamps::look(&places.0, &places.1);
    let read = Source::read(&places.0, &places.1, &mut sounds);
    let files_revision = read.as_ref().ok().map(Source::revision);
    let mut told = String::new();
    let mut refused = None;
    let trunks: Vec<TrunkId> = settings.trunks.keys().cloned().collect();
    let apart = kept_apart(&keeper, files_revision.as_deref(), (&mut sounds, &trunks));
    let is_apart = apart.is_some();
    let (source, good, number) = match apart {
        Some((number, source, good)) => {
            told = format!(
                "menus: set {number} ({}) holds, which was rolled back to or sent; the files hold another one, which is taken \
                 when they change\n",
                source.revision()
            );
            (source, good, Some(number))
        }
        None => match of_files(read, &places.0, &trunks) {
            Ok((source, good)) => (source, good, None),
            Err(error) => {
                let held = held_last(&keeper, (&mut sounds, &trunks));
                let Some((number, source, good)) = held else { return Err(error) };
                told =
                    format!("menus: set {number} ({}), which held last, holds: {error}\n", source.revision());
                refused = Some(error.to_string().lines().take(20).map(str::to_owned).collect());
                (source, good, Some(number))
            }
        },
    };
    if !told.is_empty() {
        tracing::warn!("{}", told.trim_end());
    }
    let texts = source.files();
    told.push_str(&render(&good.warnings, &texts, false));
    let (library, errors) = sounds.library(&source.sounds, &source.place);
    for error in errors {
        tracing::error!(error, "a prompt cannot be played");
    }
    let (set, library) = (Arc::new(good.set), Arc::new(library));
    let bench = Bench {
        places,
        sounds,
        keeper,
        figures,
        source,
        set: Arc::clone(&set),
        library: Arc::clone(&library),
        taken,
        files_revision,
        number,
        apart: is_apart,
        refused,
    };
    Ok(Boot { set, library, warnings: told, texts, bench })
}

fn of_files(
    read: Result<Source, MenuFilesError>,
    place: &Place,
    trunks: &[TrunkId],
) -> Result<(Source, Good), StartError> {
    let source = read?;
    match source.glance_for(trunks) {
        Ok(good) => Ok((source, good)),
        Err(found) => {
            let text = render(&found, &source.files(), false);
            Err(StartError::Menus { place: place.to_string(), text })
        }
    }
}

/// The set that was made to hold apart from the files, while they are what they were then, or cannot be read.
fn kept_apart(
    keeper: &Keeper,
    files: Option<&str>,
    with: (&mut Sounds, &[TrunkId]),
) -> Option<(u64, Source, Good)> {
    let from = keeper.current()?.apart_from.as_deref()?;
    if files.is_some_and(|files| files != from) {
        return None;
    }
    held_last(keeper, with)
}

fn held_last(keeper: &Keeper, (sounds, trunks): (&mut Sounds, &[TrunkId])) -> Option<(u64, Source, Good)> {
    let number = keeper.current()?.number;
    let loaded = load(keeper, number, sounds);
    let source =
        loaded.inspect_err(|error| tracing::error!(number, %error, "a kept set cannot be read")).ok()?;
    let good = source.glance_for(trunks);
    let good = good.inspect_err(|_| tracing::error!(number, "a kept set has mistakes")).ok()?;
    Some((number, source, good))
}

/// A kept set, with the sounds that are built in where it had those.
pub(super) fn load(keeper: &Keeper, number: u64, sounds: &mut Sounds) -> std::io::Result<Source> {
    let mut source = keeper.load(number)?;
    if let super::sounds::SoundPlace::Given(place) = &source.place {
        source.sounds = sounds.look(place)?;
    }
    Ok(source)
}
