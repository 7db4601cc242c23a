//! `bans.json` in the store: who is shut out, so that a restart is no way to clear a ban. Invariant: the file is whole at
//! any moment; one that cannot be read is set aside and said, never a reason not to start.
use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::node::Ban;

/// Lists that may wait to be written; the newest holds them all.
pub(super) const WAITING: usize = 64;
const FILE: &str = "bans.json";

/// The bans of the run before.
pub(super) fn read(store: &Path) -> Vec<Ban> {
    let path = store.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            tracing::error!(path = %path.display(), error = %e, "the bans cannot be read: nobody is shut out");
            return Vec::new();
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|e| {
        let aside = path.with_extension("json.bad");
        let moved = std::fs::rename(&path, &aside);
        tracing::error!(error = %e, aside = %aside.display(), moved = moved.is_ok(), "the bans are no list of bans");
        Vec::new()
    })
}

fn write(path: &PathBuf, bans: &[Ban]) -> io::Result<()> {
    let new = path.with_extension("json.new");
    std::fs::write(&new, serde_json::to_vec(bans)?)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(new, path)
}

/// Writes each list that comes, until control is gone.
pub(super) async fn keep(store: PathBuf, mut lists: mpsc::Receiver<Vec<Ban>>) {
    let path = store.join(FILE);
    while let Some(mut bans) = lists.recv().await {
        while let Ok(newer) = lists.try_recv() {
            bans = newer;
        }
        if let Err(e) = write(&path, &bans) {
            tracing::error!(path = %path.display(), error = %e, "the bans are not kept over a restart");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_are_read_as_they_were_written_and_a_broken_file_is_set_aside() {
        let store = std::env::temp_dir().join(format!("hotline-bans-{}", std::process::id()));
        std::fs::create_dir_all(&store).unwrap();
        assert_eq!(read(&store), []);
        let bans = vec![Ban { address: "192.0.2.1".parse().unwrap(), until_us: 5 }];
        write(&store.join(FILE), &bans).unwrap();
        assert_eq!(read(&store), bans);
        std::fs::write(store.join(FILE), "nonsense").unwrap();
        assert_eq!(read(&store), []);
        assert!(store.join("bans.json.bad").exists());
        std::fs::remove_dir_all(&store).unwrap();
    }
}
