//! Where the sounds of the banner that is on are kept: `banner/SHA256` in the store's folder. The journal has which banner
//! is on and the digests of its sounds; so a start knows what to look for, and what is left over.
//!
//! Invariant: a file is whole or not there; no name that people gave is part of a path.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Hung;
use crate::base::Language;
use crate::exchange::Banner;
use crate::io::menus::{digest_of, hex};
use crate::io::whole::write_whole;
use crate::media::{Codec, Prompt, PromptLibrary};

/// The folder of the sounds of banners.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    drafts: AtomicU64,
}

impl Shelf {
    /// Of this store.
    pub(super) fn of(store: &Path) -> Self {
        Self { folder: store.join("banner"), drafts: AtomicU64::new(0) }
    }

    fn open(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    /// Where something is to be spoken: a file that nobody else writes. Nothing is there yet.
    pub(super) fn draft(&self, language: Language) -> io::Result<PathBuf> {
        self.open()?;
        let n = self.drafts.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("draft-{n}-{}.wav", language.code()));
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            Ok(()) | Err(_) => Ok(path),
        }
    }

    /// Keeps sounds; their digests.
    pub(super) fn keep(&self, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
        self.open()?;
        for (digest, bytes) in files {
            let path = self.folder.join(digest);
            if !path.exists() {
                write_whole(&path, bytes)?;
            }
        }
        Ok(())
    }

    /// Removes all sounds but these; drafts are their speakers'.
    pub(super) fn keep_only(&self, wanted: &BTreeSet<String>) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if !wanted.contains(name) && !name.starts_with("draft-") {
                // What cannot be removed is in nobody's way.
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    /// Removes what was being spoken when the server ended.
    fn drop_drafts(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with("draft-")) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    fn read(&self, digest: &str, decoder: &PromptLibrary) -> Result<Prompt, String> {
        let bytes = fs::read(self.folder.join(digest)).map_err(|e| e.to_string())?;
        if hex(&digest_of(&bytes)) != digest {
            return Err("it is not what it was".to_owned());
        }
        decoder.read(&bytes).map_err(|e| e.to_string())
    }
}

/// The sounds of the banner that a start finds on, from where they are kept; a prepared one whose files are gone sounds as
/// its prompt does now. Whatever else is kept is removed. `None`: it has none, or none is left.
pub(in crate::io) fn restore(
    store: &Path,
    banner: Option<&Banner>,
    (library, codecs): (&PromptLibrary, &[Codec]),
) -> Option<Hung> {
    let shelf = Shelf::of(store);
    shelf.drop_drafts();
    shelf.keep_only(&banner.map(|b| b.sounds.values().cloned().collect()).unwrap_or_default());
    let banner = banner?;
    let decoder = PromptLibrary::new(crate::media::GAP).also_in(codecs);
    let mut sounds = BTreeMap::new();
    for (language, digest) in &banner.sounds {
        let kept = shelf.read(digest, &decoder).map(Arc::new);
        let kept = kept.inspect_err(|error| tracing::error!(%language, error, "a banner's sound is lost"));
        // Nothing but a banner is called so, and free words have no prompt.
        let now = || library.get(*language, &banner.prompt).filter(|_| !banner.is_spoken()).cloned();
        if let Some(prompt) = kept.ok().or_else(now) {
            sounds.insert(*language, prompt);
        }
    }
    (!sounds.is_empty()).then(|| Hung { said: banner.said(), sounds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{PromptId, UtcTime};
    use crate::media::Sound;

    struct Store(PathBuf);

    impl Store {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hotline-shelf-{name}-{}", std::process::id()));
            fs::remove_dir_all(&path).ok();
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let all = fs::read_dir(self.0.join("banner")).unwrap();
            let mut names: Vec<_> =
                all.map(|e| e.unwrap().file_name().to_str().unwrap()[..5].to_owned()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Store {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn tone(frames: usize) -> Vec<u8> {
        let count = u16::try_from(frames * 160).unwrap();
        let samples = (0..count).map(|n| 0.3 * libm::sinf(f32::from(n) * 0.7)).collect();
        crate::io::banner::level::wav(&Sound { rate: 8_000, samples })
    }

    fn banner(prompt: &str, sounds: &[(Language, &[u8])]) -> Banner {
        Banner {
            prompt: PromptId::from(prompt),
            text: BTreeMap::new(),
            sounds: sounds.iter().map(|(l, bytes)| (*l, hex(&digest_of(bytes)))).collect(),
            numbers: [].into(),
            queues: [].into(),
            until: UtcTime::from_secs(1),
        }
    }

    fn kept(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        [(hex(&digest_of(bytes)), bytes.to_vec())].into()
    }

    #[test]
    fn what_is_on_is_found_again_and_all_else_goes() {
        let store = Store::new("again");
        let shelf = Shelf::of(&store.0);
        let (zh, old) = (tone(10), tone(11));
        shelf.keep(&kept(&zh)).unwrap();
        shelf.keep(&kept(&old)).unwrap();
        fs::write(shelf.draft(Language::English).unwrap(), b"half").unwrap();
        assert_eq!(store.names().len(), 3);
        let on = banner("spoken", &[(Language::Mandarin, &zh)]);
        let library = PromptLibrary::default();
        let hung = restore(&store.0, Some(&on), (&library, &[])).unwrap();
        assert_eq!(store.names(), [&on.sounds[&Language::Mandarin][..5]]);
        let board = crate::io::banner::board_of([&hung], &[]);
        // Whose language has no sound hears the other.
        for language in Language::ALL {
            assert_eq!(board.get(language, &on.said()).unwrap().samples(), 1_600);
        }
        assert!(restore(&store.0, None, (&library, &[])).is_none() && store.names().is_empty());
    }

    #[test]
    fn of_what_is_lost_or_was_changed_a_prepared_one_alone_is_heard() {
        let store = Store::new("lost");
        let shelf = Shelf::of(&store.0);
        let bytes = tone(10);
        shelf.keep(&kept(&bytes)).unwrap();
        let sounds: &[(Language, &[u8])] = &[(Language::English, &bytes)];
        fs::write(shelf.folder.join(hex(&digest_of(&bytes))), tone(12)).unwrap();
        let mut library = PromptLibrary::default();
        library.add(Language::English, PromptId::from("banner-fault"), &tone(20)).unwrap();
        let prepared = banner("banner-fault", sounds);
        let hung = restore(&store.0, Some(&prepared), (&library, &[])).unwrap();
        assert_eq!(hung.sounds[&Language::English].samples(), 3_200);
        assert!(restore(&store.0, Some(&banner("spoken", sounds)), (&library, &[])).is_none());
    }

    #[test]
    fn what_cannot_be_written_whole_is_not_there() {
        let store = Store::new("full");
        let shelf = Shelf::of(&store.0);
        let bytes = tone(10);
        let name = hex(&digest_of(&bytes));
        // Nothing can be written where a folder is.
        fs::create_dir_all(shelf.folder.join(&name).with_extension("new")).unwrap();
        assert!(shelf.keep(&kept(&bytes)).is_err());
        assert!(!shelf.folder.join(name).exists());
    }
}
