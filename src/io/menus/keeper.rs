//! The last sets, kept in the store: `menus/NUMBER.json` holds a set's texts and names its sounds, `menus/sounds/SHA256`
//! holds each sound once, `menus/current.json` says which set holds.
//!
//! Invariants: a file is whole or not there (written beside, synced, renamed), so a kill at any moment leaves the sets
//! before it; no name that people gave is ever part of a path: files are called by numbers and digests.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sounds::{Digest, SoundFiles, SoundPlace, hex};
use super::source::Source;
use crate::io::config_http::unhex;
use crate::io::embedded::Place;
use crate::io::whole::write_whole;

/// So many sets are kept, and the one that holds.
pub(in crate::io) const KEPT: usize = 20;
/// All kept sounds together, in bytes: beyond, the oldest sets go earlier.
const SOUND_BYTES: u64 = 1 << 30;
/// The largest file of a set that is read.
const SET_BYTES: u64 = 64 << 20;

/// A kept set, but for what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::io) struct Row {
    /// From 1, never used twice by sets that held.
    pub number: u64,
    /// The set's revision.
    pub revision: String,
    /// When it was first installed.
    pub at_us: i64,
    /// By whom.
    pub who: String,
    /// From where: an address, `here`, a folder.
    pub from: String,
    /// What it changed of the set before.
    pub changed: Vec<String>,
}

/// A kept set as its file has it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    row: Row,
    menus: BTreeMap<String, String>,
    manifest: String,
    /// Sound -> its digest; `None`: the built-in ones.
    sounds: Option<BTreeMap<String, String>>,
}

/// Which set holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::io) struct Current {
    /// Its number.
    pub number: u64,
    /// The revision of the files when another set than theirs was made to hold: it does until they change.
    pub apart_from: Option<String>,
}

/// What is kept.
#[derive(Debug)]
pub(in crate::io) struct Keeper {
    folder: PathBuf,
    rows: Vec<Row>,
    current: Option<Current>,
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// What a set changes of another, in lines: files and sounds that are new, gone or others.
pub(in crate::io) fn changes(old: &Source, new: &Source) -> Vec<String> {
    const LINES: usize = 20;
    let mut lines = Vec::new();
    differ(&old.menus, &new.menus, &mut lines);
    if old.manifest != new.manifest {
        lines.push("manifest.toml changed".to_owned());
    }
    let known = |files: &SoundFiles| -> BTreeMap<String, Option<Digest>> {
        files.iter().map(|(key, digest)| (key.clone(), digest.as_ref().ok().copied())).collect()
    };
    differ(&known(&old.sounds), &known(&new.sounds), &mut lines);
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn differ<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>, lines: &mut Vec<String>) {
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        match (old.get(name), new.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(_), Some(_)) => lines.push(format!("{name} changed")),
            (None, _) => lines.push(format!("{name} added")),
            (Some(_), None) => lines.push(format!("{name} removed")),
        }
    }
}

impl Keeper {
    /// What is kept in the store. Files that are not whole are passed over, and told.
    pub(in crate::io) fn look(store: &Path) -> Self {
        let folder = store.join("menus");
        let mut rows = Vec::new();
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u64>().ok());
            let Some(number) = number.filter(|_| path.extension().is_some_and(|e| e == "json")) else {
                continue;
            };
            match read_set(&path) {
                Ok(kept) if kept.row.number == number => rows.push(kept.row),
                Ok(_) => tracing::error!(path = %path.display(), "a kept set of menus has another's number"),
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "a kept set of menus cannot be read");
                }
            }
        }
        rows.sort_by_key(|row| row.number);
        let current = match fs::read(folder.join("current.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .inspect_err(|error| tracing::error!(%error, "it is not known which set of menus held last"))
                .ok(),
            Err(_) => None,
        };
        Self { folder, rows, current }
    }

    /// What is kept, the oldest first.
    pub(in crate::io) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Which set holds.
    pub(in crate::io) const fn current(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// Where kept sounds are.
    pub(in crate::io) fn sounds(&self) -> PathBuf {
        self.folder.join("sounds")
    }

    /// A set by its number, or by the beginning of its revision: then the newest.
    pub(in crate::io) fn find(&self, what: &str) -> Option<&Row> {
        let number = what.trim_start_matches('#').parse::<u64>().ok();
        let by_number = number.and_then(|number| self.rows.iter().find(|row| row.number == number));
        let by_name = || self.rows.iter().rev().find(|row| what.len() >= 4 && row.revision.starts_with(what));
        by_number.or_else(by_name)
    }

    /// The set that held before the one that holds now.
    pub(in crate::io) fn before(&self) -> Option<&Row> {
        let now = self.current.as_ref().map(|c| c.number)?;
        self.rows.iter().rev().find(|row| row.number < now)
    }

    /// The texts of a kept set, and which sounds it has.
    pub(in crate::io) fn load(&self, number: u64) -> io::Result<Source> {
        let kept = read_set(&self.path(number))?;
        let (sounds, place) = match kept.sounds {
            None => (SoundFiles::new(), SoundPlace::Given(Place::BuiltIn)),
            Some(named) => {
                let files = named.into_iter().map(|(key, hex)| {
                    let digest = unhex(&hex).ok_or_else(|| "it was not kept".to_owned());
                    (key, digest)
                });
                (files.collect(), SoundPlace::Kept(self.sounds()))
            }
        };
        let source =
            Source { menus: kept.menus, manifest: kept.manifest, lock: String::new(), sounds, place };
        Ok(source)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    /// Keeps a set; its number. Sounds that are there already are not written again; of a set that cannot be kept whole
    /// nothing stays.
    pub(in crate::io) fn keep(&mut self, row: Row, source: &Source) -> io::Result<u64> {
        let kept = self.keep_whole(row, source);
        if kept.is_err() {
            self.prune();
        }
        kept
    }

    fn keep_whole(&mut self, mut row: Row, source: &Source) -> io::Result<u64> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.sounds())?;
        row.number =
            self.rows.last().map_or(0, |row| row.number).max(self.current.as_ref().map_or(0, |c| c.number))
                + 1;
        let built_in = source.place == SoundPlace::Given(Place::BuiltIn);
        if !built_in {
            for (key, digest) in &source.sounds {
                let Ok(digest) = digest else { continue };
                let path = self.sounds().join(hex(digest));
                if !path.exists() {
                    write_whole(&path, &source.place.bytes(key, digest)?)?;
                }
            }
        }
        let named = source.sounds.iter().map(|(key, digest)| {
            (key.clone(), digest.as_ref().map_or_else(|_| String::new(), |digest| hex(digest)))
        });
        let kept = Kept {
            row: row.clone(),
            menus: source.menus.clone(),
            manifest: source.manifest.clone(),
            sounds: (!built_in).then(|| named.collect()),
        };
        write_whole(&self.path(row.number), &serde_json::to_vec(&kept)?)?;
        let number = row.number;
        self.rows.push(row);
        Ok(number)
    }

    /// From now on this set holds, after a restart too.
    pub(in crate::io) fn hold(&mut self, current: Current) -> io::Result<()> {
        write_whole(&self.folder.join("current.json"), &serde_json::to_vec(&current)?)?;
        self.current = Some(current);
        self.prune();
        Ok(())
    }

    /// A set that was kept and then not installed.
    pub(in crate::io) fn discard(&mut self, number: u64) {
        self.rows.retain(|row| row.number != number);
        fs::remove_file(self.path(number)).ok();
    }

    /// Sets beyond the bound go, the oldest first, and sounds that no set has. What cannot be removed is in nobody's way.
    fn prune(&mut self) {
        let holds = self.current.as_ref().map_or(0, |c| c.number);
        let mut sizes = self.sound_sizes();
        loop {
            let Ok(wanted) = self.wanted_sounds() else { return };
            for (name, _) in sizes.iter().filter(|(name, _)| !wanted.contains(*name)) {
                fs::remove_file(self.sounds().join(name)).ok();
            }
            sizes.retain(|name, _| wanted.contains(name));
            let much = self.rows.len() > KEPT || sizes.values().sum::<u64>() > SOUND_BYTES;
            let oldest = self.rows.iter().position(|row| row.number != holds);
            let Some(oldest) = oldest.filter(|_| much) else { return };
            let row = self.rows.remove(oldest);
            fs::remove_file(self.path(row.number)).ok();
        }
    }

    fn sound_sizes(&self) -> BTreeMap<String, u64> {
        let entries = fs::read_dir(self.sounds()).into_iter().flatten().filter_map(Result::ok);
        let named =
            entries.filter_map(|e| Some((e.file_name().into_string().ok()?, e.metadata().ok()?.len())));
        named.collect()
    }

    /// What the kept sets sound like. A set that cannot be read now may have any of them.
    fn wanted_sounds(&self) -> io::Result<BTreeSet<String>> {
        let mut wanted = BTreeSet::new();
        for row in &self.rows {
            let sounds = read_set(&self.path(row.number))?.sounds;
            wanted.extend(sounds.into_iter().flat_map(BTreeMap::into_values));
        }
        Ok(wanted)
    }
}

fn read_set(path: &Path) -> io::Result<Kept> {
    if fs::metadata(path)?.len() > SET_BYTES {
        return Err(bad("it is larger than any set"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Store(PathBuf);

    impl Store {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hotline-keeper-{name}-{}", std::process::id()));
            fs::remove_dir_all(&path).ok();
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Store {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn source(text: &str) -> Source {
        Source {
            menus: BTreeMap::from([("../../etc/passwd.toml".to_owned(), text.to_owned())]),
            manifest: String::new(),
            lock: String::new(),
            sounds: SoundFiles::new(),
            place: SoundPlace::Given(Place::BuiltIn),
        }
    }

    fn row(source: &Source) -> Row {
        let (who, from) = ("lele".to_owned(), "here".to_owned());
        Row { number: 0, revision: source.revision(), at_us: 1, who, from, changed: Vec::new() }
    }

    fn keep(keeper: &mut Keeper, text: &str) -> u64 {
        let source = source(text);
        let number = keeper.keep(row(&source), &source).unwrap();
        keeper.hold(Current { number, apart_from: None }).unwrap();
        number
    }

    #[test]
    fn twenty_sets_are_kept_and_the_one_that_holds_and_numbers_are_never_used_twice() {
        let store = Store::new("twenty");
        let mut keeper = Keeper::look(&store.0);
        for n in 1..=25 {
            assert_eq!(keep(&mut keeper, &n.to_string()), n);
        }
        let numbers = |keeper: &Keeper| keeper.rows().iter().map(|r| r.number).collect::<Vec<_>>();
        assert_eq!(numbers(&keeper), (6..=25).collect::<Vec<_>>());
        keeper.hold(Current { number: 6, apart_from: Some("abc".to_owned()) }).unwrap();
        for n in 26..=27 {
            let source = source(&n.to_string());
            keeper.keep(row(&source), &source).unwrap();
        }
        keeper.hold(Current { number: 6, apart_from: None }).unwrap();
        assert_eq!(numbers(&keeper), [6].into_iter().chain(9..=27).collect::<Vec<_>>());
        let again = Keeper::look(&store.0);
        assert_eq!((numbers(&again), again.current()), (numbers(&keeper), keeper.current()));
        assert_eq!(again.load(27).unwrap().menus, source("27").menus);
        assert_eq!(again.load(27).unwrap().revision(), source("27").revision());
    }

    #[test]
    fn a_set_is_found_by_its_number_or_the_beginning_of_its_revision() {
        let store = Store::new("found");
        let mut keeper = Keeper::look(&store.0);
        keep(&mut keeper, "a");
        keep(&mut keeper, "b");
        let revision = source("a").revision();
        assert_eq!(keeper.find("2").map(|r| r.number), Some(2));
        assert_eq!(keeper.find(&revision[..6]).map(|r| r.number), Some(1));
        assert_eq!(keeper.find("../1"), None);
        assert_eq!(keeper.before().map(|r| r.number), Some(1));
    }

    #[test]
    fn what_is_not_whole_is_passed_over_and_names_of_files_stay_within() {
        let store = Store::new("whole");
        let mut keeper = Keeper::look(&store.0);
        keep(&mut keeper, "a");
        keep(&mut keeper, "b");
        let folder = store.0.join("menus");
        let text = fs::read(folder.join("2.json")).unwrap();
        fs::write(folder.join("2.json"), &text[..text.len() / 2]).unwrap();
        fs::write(folder.join("3.new"), &text).unwrap();
        let again = Keeper::look(&store.0);
        assert_eq!(again.rows().iter().map(|r| r.number).collect::<Vec<_>>(), [1]);
        let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["1.json", "2.json", "3.new", "current.json", "sounds"]);
    }

    #[test]
    fn of_a_set_that_cannot_be_kept_nothing_stays() {
        let store = Store::new("full");
        let audio = store.0.join("audio");
        fs::create_dir_all(audio.join("zh")).unwrap();
        fs::write(audio.join("zh/a.wav"), b"one").unwrap();
        let mut keeper = Keeper::look(&store.0);
        keep(&mut keeper, "a");
        let sounds = [("zh/a.wav".to_owned(), Ok(crate::io::menus::sounds::digest_of(b"one")))].into();
        let place = SoundPlace::Given(Place::Folder(audio));
        let second = Source { sounds, place, ..source("b") };
        // Nothing can be written where a folder is: the sound is kept before the texts cannot be.
        fs::create_dir_all(store.0.join("menus/2.new")).unwrap();
        assert!(keeper.keep(row(&second), &second).is_err());
        assert_eq!((keeper.rows().len(), keeper.sound_sizes().len()), (1, 0));
        fs::remove_dir(store.0.join("menus/2.new")).unwrap();
        assert_eq!(keeper.keep(row(&second), &second).unwrap(), 2);
        assert_eq!(keeper.sound_sizes().len(), 1);
    }

    #[test]
    fn each_sound_is_kept_once_and_goes_with_the_last_set_that_has_it() {
        let store = Store::new("sounds");
        let audio = store.0.join("audio");
        fs::create_dir_all(audio.join("zh")).unwrap();
        fs::write(audio.join("zh/a.wav"), b"one").unwrap();
        fs::write(audio.join("zh/b.wav"), b"one").unwrap();
        let mut keeper = Keeper::look(&store.0);
        let with = |bytes: &[u8]| {
            let digest = Ok(crate::io::menus::sounds::digest_of(bytes));
            let files =
                SoundFiles::from([("zh/a.wav".to_owned(), digest.clone()), ("zh/b.wav".to_owned(), digest)]);
            Source { sounds: files, place: SoundPlace::Given(Place::Folder(audio.clone())), ..source("x") }
        };
        let first = with(b"one");
        let number = keeper.keep(row(&first), &first).unwrap();
        keeper.hold(Current { number, apart_from: None }).unwrap();
        assert_eq!(keeper.sound_sizes().len(), 1);
        let loaded = keeper.load(number).unwrap();
        let digest = loaded.sounds["zh/a.wav"].clone().unwrap();
        assert_eq!(&*loaded.place.bytes("zh/a.wav", &digest).unwrap(), b"one");
        assert_eq!(loaded.revision(), first.revision());
        for n in 0..KEPT {
            keep(&mut keeper, &n.to_string());
        }
        assert_eq!((keeper.rows().len(), keeper.sound_sizes().len()), (KEPT, 0));
    }
}
