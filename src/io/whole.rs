//! Files that are written whole or not at all: beside first, to the disk, then in their place.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a file whole or not at all, and to the disk; nobody but its owner may read it.
///
/// # Errors
/// Those of the file system; the file is then as it was.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(e) = written.and_then(|()| fs::rename(&beside, path)) {
        // On a full disk the half of it takes room for nothing.
        fs::remove_file(&beside).ok();
        return Err(e);
    }
    path.parent().map_or_else(|| Ok(()), |folder| File::open(folder)?.sync_all())
}
