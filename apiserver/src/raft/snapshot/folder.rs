//! The folder of snapshots: the newest whole one counts, all others are leftovers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::{Contents, read};
use crate::raft::log::sync_folder;

/// The folder of one member.
#[derive(Debug, Clone)]
pub struct SnapshotFolder {
    path: PathBuf,
    /// Numbers the files that are being written.
    next: Arc<AtomicU64>,
}

impl SnapshotFolder {
    /// Opens the folder and removes what a crash left half written.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        for entry in fs::read_dir(path)? {
            let file = entry?.path();
            if file.extension().is_some_and(|extension| extension == "tmp") {
                fs::remove_file(file)?;
            }
        }
        Ok(Self { path: path.to_owned(), next: Arc::default() })
    }

    /// The newest snapshot, if there is any.
    pub fn newest(&self) -> io::Result<Option<(PathBuf, Contents)>> {
        match self.files()?.pop() {
            None => Ok(None),
            Some(path) => read(&path).map(|contents| Some((path, contents))),
        }
    }

    /// A name to write to.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.path.join(format!("{}.tmp", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Makes a written file the newest snapshot, of entries up to an index, and removes the older ones.
    pub fn keep(&self, temporary: &Path, index: u64) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{index:020}.snapshot"));
        fs::rename(temporary, &path)?;
        sync_folder(&self.path)?;
        for older in self.files()?.into_iter().filter(|file| *file < path) {
            fs::remove_file(older)?;
        }
        Ok(path)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "snapshot"));
        files.sort();
        Ok(files)
    }
}
