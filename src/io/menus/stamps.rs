//! What files look like from outside: which there are, how large, when they changed. Looking costs a `stat` a file and
//! reads nothing. It is asked for rather than told by the kernel: so it holds for network drives, for folders behind
//! symlinks that are switched as a whole, and for folders that are deleted and made again.
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::io::embedded::{self, Place};
use crate::io::menu_files;

/// Most files looked at in one folder: changes of others are not seen. Menus are refused long before.
const FILES_MAX: usize = 20_000;

/// One file from outside: another content has another one, and the same content may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io) struct Stamp {
    size: u64,
    changed: [(i64, i64); 2],
    file: (u64, u64),
}

impl Stamp {
    /// Of a file, or of the file that a symlink leads to.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            size: meta.size(),
            changed: [(meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec())],
            file: (meta.dev(), meta.ino()),
        })
    }
}

/// All files of a set from outside; `None`: it cannot be looked at.
pub(super) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// Looks at the folders of menus and sounds.
pub(super) fn look(menus: &Place, audio: &Place) -> Stamps {
    let mut stamps = Stamps::new();
    if let Place::Folder(folder) = menus {
        let ours = |name: &str| menu_files::is_ours(name);
        look_into(folder, ours, &mut stamps);
    }
    if let Place::Folder(folder) = audio {
        for name in ["manifest.toml", "manifest.lock.toml"] {
            let path = folder.join(name);
            let stamp = Stamp::of(&path).ok();
            stamps.insert(path, stamp);
        }
        for within in embedded::SOUND_FOLDERS {
            look_into(&folder.join(within), |name| !name.starts_with('.'), &mut stamps);
        }
    }
    stamps
}

fn look_into(folder: &Path, ours: impl Fn(&str) -> bool, stamps: &mut Stamps) {
    let Ok(entries) = fs::read_dir(folder) else {
        stamps.insert(folder.to_owned(), None);
        return;
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    for path in paths.filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(&ours)).take(FILES_MAX) {
        let stamp = Stamp::of(&path).ok();
        stamps.insert(path, stamp);
    }
}
