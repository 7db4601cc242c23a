//! Where segments are kept. Invariant: what a call of [`Disk`] returned `Ok` for survives the loss of power.
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The disk as the journal uses it; tests put faults into it.
pub(in crate::io) trait Disk: Send {
    /// Makes a segment of these bytes, which is appended to from now on.
    fn begin(&mut self, number: u64, bytes: &[u8]) -> io::Result<()>;
    /// Appends to the segment that was begun last.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Removes a segment that is needed no more.
    fn remove(&mut self, number: u64) -> io::Result<()>;
}

/// A folder of segment files.
#[derive(Debug)]
pub(in crate::io) struct Folder {
    path: PathBuf,
    open: Option<File>,
}

impl Folder {
    /// Makes the folder where there is none.
    pub(in crate::io) fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { path: path.to_path_buf(), open: None })
    }
}

/// The file of a segment.
pub(super) fn file_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.journal"))
}

impl Disk for Folder {
    /// Written aside and renamed, so that a segment that has its name is whole.
    fn begin(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        self.open = None;
        let (to, aside) = (file_of(&self.path, number), self.path.join("next.new"));
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, &to)?;
        File::open(&self.path)?.sync_all()?;
        self.open = Some(file);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.open.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        std::fs::remove_file(file_of(&self.path, number))
    }
}
