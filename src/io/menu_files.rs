//! The menus' folder and the audio manifest, read from disk whole.
//!
//! Invariant: bounded: a folder of any size or kind costs at most `FILES_MAX` files of `FILE_BYTES_MAX` bytes.
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most files that a set may have.
pub(super) const FILES_MAX: usize = 1_000;
/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a folder could not be read. Nothing of it is used then.
#[derive(Debug, thiserror::Error)]
pub enum MenuFilesError {
    /// A file or folder is missing, or may not be read: check the path and the rights.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than any menu: probably not meant to be in this folder.
    #[error("{path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A file is not text in UTF-8: save it as such.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// The folder has too many files: probably the wrong folder.
    #[error("{path} has more than {FILES_MAX} .toml files")]
    TooMany {
        /// Which folder.
        path: PathBuf,
    },
}

/// Reads every `*.toml` of a folder, not of those within it: name -> text. Files whose name begins with a dot are an
/// editor's, not ours.
pub fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, MenuFilesError> {
    let unreadable = |source| MenuFilesError::Unreadable { path: folder.to_owned(), source };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|n| is_ours(n)).map(str::to_owned) else { continue };
        if files.len() >= FILES_MAX {
            return Err(MenuFilesError::TooMany { path: folder.to_owned() });
        }
        files.insert(name, read_text(&path)?);
    }
    Ok(files)
}

/// Whether a file of this name belongs to a set: not an editor's, and not in a folder within.
pub(super) fn is_ours(name: &str) -> bool {
    if name.contains('/') {
        return false;
    }
    !name.starts_with('.') && Path::new(name).extension().is_some_and(|e| e == "toml")
}

/// Reads one text file.
pub fn read_text(path: &Path) -> Result<String, MenuFilesError> {
    let unreadable = |source| MenuFilesError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // Whatever else may be called so, a pipe above all, would be waited for.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(MenuFilesError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| MenuFilesError::NotText { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hotline-menu-files-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn with(self, name: &str, bytes: &[u8]) -> Self {
            fs::write(self.0.join(name), bytes).unwrap();
            self
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn toml_files_are_read_and_nothing_else() {
        let folder = Folder::new("all")
            .with("main.toml", b"say = 1")
            .with("README.md", b"no")
            .with(".#main.toml", b"no");
        let files = read_folder(&folder.0).unwrap();
        assert_eq!(files, BTreeMap::from([("main.toml".to_owned(), "say = 1".to_owned())]));
    }

    #[test]
    fn what_is_not_text_or_too_large_or_absent_is_said() {
        let bytes = Folder::new("bytes").with("main.toml", &[0xff, 0xfe]);
        assert!(matches!(read_folder(&bytes.0), Err(MenuFilesError::NotText { .. })));
        let huge = Folder::new("huge").with("main.toml", &vec![b'#'; (1 << 20) + 1]);
        assert!(matches!(read_folder(&huge.0), Err(MenuFilesError::TooLarge { .. })));
        assert!(matches!(read_folder(Path::new("/no/such/folder")), Err(MenuFilesError::Unreadable { .. })));
    }
}
