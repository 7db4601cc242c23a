//! What the commands about menus have in common: a folder of menus, the sounds that belong to it, all read and judged.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hotline::exchange::menu::{
    Bounds, Diagnostic, MenuSet, PromptLengths, PromptTexts, Proof, Reading, Recording, Recordings, Stage,
    judge_recordings, judge_words, prove,
};
use hotline::io::embedded::{self, Place};
use hotline::io::menu_files::MenuFilesError;
use hotline::io::menus::{lengths, listen, revision};

/// Which menus, with which sounds.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MenuFolder {
    /// The folder of menus; without it `menus`, and where there is none, the menus that are built in.
    #[arg(id = "DIR")]
    folder: Option<PathBuf>,
    /// The folder of sounds with `manifest.toml`; by default `audio` beside the menus, and where there is none, the
    /// sounds that are built in.
    #[arg(long)]
    audio: Option<PathBuf>,
}

/// All that was read.
pub(crate) struct Read {
    /// What the set holds; `None` where it has mistakes.
    pub(crate) reading: Option<Reading>,
    /// What was found so far, with the names of `files`.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Texts by the names that are shown.
    pub(crate) files: BTreeMap<String, String>,
    /// Texts by their names within the folder.
    menu_files: BTreeMap<String, String>,
    pub(crate) texts: PromptTexts,
    pub(crate) manifest_name: String,
    menus: Place,
    pub(crate) audio: Place,
}

impl MenuFolder {
    /// These folders.
    pub(crate) fn of(folder: Option<PathBuf>, audio: Option<PathBuf>) -> Self {
        Self { folder, audio }
    }

    fn places(&self) -> (Place, Place) {
        let there = |path: PathBuf| Some(path).filter(|p| p.is_dir());
        let menus = self.folder.clone().or_else(|| there(PathBuf::from("menus")));
        let beside = || there(menus.as_ref()?.join("..").join("audio"));
        let audio = self.audio.clone().or_else(beside);
        (Place::of(menus.as_deref()), Place::of(audio.as_deref()))
    }

    /// Reads the texts of all of it.
    pub(crate) fn read(&self) -> Result<Read, MenuFilesError> {
        let (menus, audio) = self.places();
        let shown = |place: &Place, name: &str| match place {
            Place::BuiltIn => name.to_owned(),
            Place::Folder(folder) => folder.join(name).display().to_string(),
        };
        let manifest_name = shown(&audio, "manifest.toml");
        let manifest = embedded::manifest(&audio)?;
        let (texts, mut diagnostics) = PromptTexts::read(&manifest_name, &manifest);
        let menu_files = embedded::menus(&menus)?;
        let (reading, found) = match MenuSet::read(&menu_files, &texts.known()) {
            Ok(reading) => {
                let warnings = reading.warnings.clone();
                (Some(reading), warnings)
            }
            Err(found) => (None, found),
        };
        diagnostics.extend(found.into_iter().map(|d| Diagnostic { file: shown(&menus, &d.file), ..d }));
        let mut files: BTreeMap<_, _> =
            menu_files.iter().map(|(name, text)| (shown(&menus, name), text.clone())).collect();
        files.insert(manifest_name.clone(), manifest);
        Ok(Read { reading, diagnostics, files, menu_files, texts, manifest_name, menus, audio })
    }
}

impl Read {
    /// The revision that a server would give to this set.
    pub(crate) fn revision(&self) -> String {
        let manifest = self.files.get(&self.manifest_name).map_or("", String::as_str);
        revision(&self.menu_files, manifest, &self.audio)
    }

    /// Listens to all sounds.
    pub(crate) fn recordings(&self) -> Recordings {
        let mut recordings = Recordings::new();
        let mut last: Option<(PathBuf, Recording)> = None;
        embedded::each_sound(&self.audio, |language, id, path, bytes| {
            let heard = match last.take().filter(|(seen, _)| seen == path) {
                Some((_, recording)) => recording,
                None => bytes.map_or_else(|e| Recording::Broken(e.to_string()), listen),
            };
            last = Some((path.to_owned(), heard.clone()));
            recordings.insert((language, id.clone()), heard);
        });
        recordings
    }

    /// What is wrong with the sounds.
    pub(crate) fn judge_sounds(&self, recordings: &Recordings) -> Vec<Diagnostic> {
        let text = self.files.get(&self.manifest_name).map_or("", String::as_str);
        let lock = embedded::manifest_lock(&self.audio);
        judge_recordings(&self.manifest_name, text, &lock, recordings)
    }

    /// Walks all ways, and reads the words.
    pub(crate) fn prove(&self, reading: &Reading, lengths: &PromptLengths) -> Proof {
        let mut proof = prove(reading, &self.menu_files, lengths, Bounds::default());
        proof.diagnostics.extend(judge_words(reading, &self.menu_files, &self.texts));
        let shown = |d: Diagnostic| match &self.menus {
            Place::BuiltIn => d,
            Place::Folder(folder) => Diagnostic { file: folder.join(&d.file).display().to_string(), ..d },
        };
        Proof { diagnostics: proof.diagnostics.into_iter().map(shown).collect(), ..proof }
    }
}

/// Menus without mistakes, ready to be called at an hour of the calendar's wall; now, where none is named.
pub(crate) fn stage(menus: &MenuFolder, at: Option<&str>) -> Result<Stage, String> {
    let read = menus.read().map_err(|e| e.to_string())?;
    let Some(reading) = &read.reading else {
        return Err("the menus have mistakes: `hotline check` shows them".to_owned());
    };
    let lengths = lengths(&read.recordings(), &read.texts);
    let sources = reading.sources(&read.menu_files);
    let set = Arc::new(reading.set.clone());
    let at = match at {
        Some(text) => {
            set.zone.parse(text).ok_or_else(|| format!("`{text}` is no time; write 2026-02-17T03:00"))?
        }
        None => hotline::io::Clock::start().now().utc,
    };
    Ok(Stage { set, lengths: Arc::new(lengths), texts: read.texts.clone(), at, sources })
}
