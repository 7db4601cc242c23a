//! The shipped menus and sounds, built into the binary: `hotline` alone is a working hotline. A folder on disk takes
//! their place whole, never file by file.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::menu_files::{self, MenuFilesError};
use crate::base::{Language, PromptId};
use crate::media::{AudioError, Codec, PromptLibrary};

#[derive(RustEmbed)]
#[folder = "menus"]
struct Menus;

#[derive(RustEmbed)]
#[folder = "audio"]
struct Audio;

#[derive(RustEmbed)]
#[folder = "scenarios"]
struct Scenarios;

/// The shipped scenarios: file -> text.
pub fn scenarios() -> BTreeMap<String, String> {
    let files = Scenarios::iter().filter(|name| name.ends_with(".toml"));
    files.filter_map(|name| Some((name.to_string(), text(Scenarios::get(&name)?.data)))).collect()
}

/// Where menus come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Built in.
    BuiltIn,
    /// A folder.
    Folder(PathBuf),
}

impl Place {
    /// A folder if one is named, else what is built in.
    pub fn of(folder: Option<&Path>) -> Self {
        folder.map_or(Self::BuiltIn, |f| Self::Folder(f.to_owned()))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// All files of a set of menus: name -> text.
pub fn menus(place: &Place) -> Result<BTreeMap<String, String>, MenuFilesError> {
    match place {
        Place::Folder(folder) => menu_files::read_folder(folder),
        Place::BuiltIn => Ok(Menus::iter()
            .filter(|name| menu_files::is_ours(name))
            .filter_map(|name| Some((name.to_string(), text(Menus::get(&name)?.data))))
            .collect()),
    }
}

/// The text of the audio manifest.
pub fn manifest(place: &Place) -> Result<String, MenuFilesError> {
    match place {
        Place::Folder(folder) => menu_files::read_text(&folder.join("manifest.toml")),
        Place::BuiltIn => Ok(Audio::get("manifest.toml").map(|f| text(f.data)).unwrap_or_default()),
    }
}

fn text(bytes: Cow<'static, [u8]>) -> String {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// The largest sound file read: ten minutes of 48 kHz stereo.
const SOUND_BYTES: u64 = 128 << 20;

/// A sound file that cannot be used: the prompt is missing then, and everything else works.
#[derive(Debug, thiserror::Error)]
pub enum SoundFileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no sound that we can play.
    #[error("{path}: {source}")]
    NoSound {
        /// Which.
        path: PathBuf,
        /// Why.
        source: AudioError,
    },
}

/// Decodes all sounds: `LANGUAGE/ID.EXT` for one language, `music/ID.EXT` for all; ready to send in G.711 and in
/// `codecs`.
pub fn sounds(place: &Place, codecs: &[Codec]) -> (PromptLibrary, Vec<SoundFileError>) {
    let mut library = PromptLibrary::new(crate::media::GAP).also_in(codecs);
    let mut errors = Vec::new();
    each_sound(place, |language, id, path, bytes| match bytes {
        Ok(bytes) => {
            if let Err(source) = library.add(language, id.clone(), bytes) {
                errors.push(SoundFileError::NoSound { path: path.to_owned(), source });
            }
        }
        Err(source) => errors.push(SoundFileError::Unreadable {
            path: path.to_owned(),
            source: std::io::Error::new(source.kind(), source.to_string()),
        }),
    });
    (library, errors)
}

/// Hands over every sound file with its language and name; one that is the same in all languages, in each. What comes later
/// takes the place of what came before.
pub fn each_sound(
    place: &Place,
    mut each: impl FnMut(Language, &PromptId, &Path, Result<&[u8], &std::io::Error>),
) {
    let mut file = |folder: &str, path: &Path, bytes: Result<&[u8], &std::io::Error>| {
        let Some(id) = path.file_stem().and_then(|s| s.to_str()).map(PromptId::from) else { return };
        let languages: Vec<Language> = match Language::from_code(folder) {
            Some(language) => vec![language],
            None => Language::ALL.to_vec(),
        };
        for language in languages {
            each(language, &id, path, bytes);
        }
    };
    match place {
        Place::BuiltIn => {
            for name in Audio::iter() {
                let path = Path::new(name.as_ref());
                let folder = path.parent().and_then(Path::to_str).unwrap_or("");
                if let Some(found) = Audio::get(&name).filter(|_| is_sound_folder(folder)) {
                    file(folder, path, Ok(&found.data));
                }
            }
        }
        Place::Folder(root) => {
            for folder in SOUND_FOLDERS {
                for path in sound_files(root, folder).unwrap_or_default() {
                    let bytes = read_sound(&path);
                    file(folder, &path, bytes.as_deref());
                }
            }
        }
    }
}

/// The list of what was recorded, and how long each prompt is: what `cargo xtask voice` wrote beside the manifest; empty where there is none.
pub fn manifest_lock(place: &Place) -> String {
    const NAME: &str = "manifest.lock.toml";
    match place {
        Place::Folder(folder) => menu_files::read_text(&folder.join(NAME)).unwrap_or_default(),
        Place::BuiltIn => Audio::get(NAME).map(|f| text(f.data)).unwrap_or_default(),
    }
}

/// The folders of sounds: one a language, and what is the same in all.
pub(super) const SOUND_FOLDERS: [&str; 3] = ["zh", "en", "music"];

/// Every sound of a place: `zh/main.flac`, and its path where it is a file.
pub(super) fn sounds_of(place: &Place) -> std::io::Result<Vec<(String, Option<PathBuf>)>> {
    match place {
        Place::BuiltIn => Ok(Audio::iter()
            .filter(|name| name.split_once('/').is_some_and(|(folder, _)| is_sound_folder(folder)))
            .map(|name| (name.to_string(), None))
            .collect()),
        Place::Folder(root) => {
            let mut all = Vec::new();
            for folder in SOUND_FOLDERS {
                match sound_files(root, folder) {
                    Ok(paths) => all.extend(paths.into_iter().filter_map(|path| {
                        let name = path.file_name()?.to_str()?;
                        Some((format!("{folder}/{name}"), Some(path)))
                    })),
                    // A language that nobody speaks, or no music.
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound && root.is_dir() => {}
                    Err(e) => return Err(e),
                }
            }
            Ok(all)
        }
    }
}

/// The bytes of one of [`sounds_of`].
pub(super) fn sound(place: &Place, key: &str) -> std::io::Result<Cow<'static, [u8]>> {
    match place {
        Place::BuiltIn => {
            let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
            Audio::get(key).map(|found| found.data).ok_or_else(gone)
        }
        Place::Folder(root) => read_sound(&root.join(key)).map(Cow::Owned),
    }
}

fn is_sound_folder(folder: &str) -> bool {
    SOUND_FOLDERS.contains(&folder)
}

/// The files of a folder that are played. Of several with one name it is one: whoever drops a recording in, in whatever format,
/// has it played in place of the one that was made from the manifest; and of two of his own, the newer.
fn sound_files(root: &Path, folder: &str) -> std::io::Result<Vec<PathBuf>> {
    let made = manifest_lock(&Place::Folder(root.to_owned()));
    let mut played = BTreeMap::new();
    for entry in std::fs::read_dir(root.join(folder))?.filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_file() && !name.starts_with('.') {
            let is_own = !made.contains(&format!("file = \"{folder}/{name}\""));
            let changed = entry.metadata().and_then(|m| m.modified()).ok();
            let (prompt, file) = (path.with_extension(""), Some((is_own, changed, path)));
            let before = played.entry(prompt).or_insert(None);
            *before = std::mem::take(before).max(file);
        }
    }
    Ok(played.into_values().flatten().map(|(.., path)| path).collect())
}

fn read_sound(path: &Path) -> std::io::Result<Vec<u8>> {
    let length = std::fs::metadata(path)?.len();
    if length > SOUND_BYTES {
        return Err(std::io::Error::other(format!("{length} bytes are more than {SOUND_BYTES}")));
    }
    std::fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that are played, in a folder where `made` is in the list of what was made.
    fn played(name: &str, files: &[&str], made: &str) -> Vec<String> {
        let root = std::env::temp_dir().join(format!("hotline-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&root).ok();
        std::fs::create_dir_all(root.join("en")).unwrap();
        let early = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(400_000);
        for (file, minute) in files.iter().zip(0..) {
            let file = std::fs::File::create(root.join("en").join(file)).unwrap();
            file.set_modified(early + std::time::Duration::from_mins(minute)).unwrap();
        }
        let lock = format!("[en]\nwelcome = {{ file = \"{made}\", text = \"Welcome.\" }}\n");
        std::fs::write(root.join("manifest.lock.toml"), lock).unwrap();
        let mut last = BTreeMap::new();
        each_sound(&Place::Folder(root.clone()), |_, id, path, _| {
            last.insert(id.clone(), path.file_name().unwrap().to_string_lossy().into_owned());
        });
        std::fs::remove_dir_all(&root).unwrap();
        last.into_values().collect()
    }

    #[test]
    fn a_recording_that_somebody_dropped_in_is_played_in_place_of_what_was_made() {
        assert_eq!(played("own", &["welcome.aac", "welcome.flac"], "en/welcome.flac"), ["welcome.aac"]);
        assert_eq!(played("own2", &["welcome.mp3", "welcome.flac"], "en/welcome.flac"), ["welcome.mp3"]);
    }

    #[test]
    fn of_two_of_his_own_the_newer_is_played() {
        assert_eq!(played("new", &["welcome.wav", "welcome.ogg"], "en/welcome.flac"), ["welcome.ogg"]);
        assert_eq!(
            played("new2", &["welcome.ogg", "welcome.wav", "main.ogg"], ""),
            ["main.ogg", "welcome.wav"]
        );
    }
}
