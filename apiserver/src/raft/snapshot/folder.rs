//! The snapshot folder: the newest complete snapshot counts, all others are leftovers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::{Contents, read};
use crate::host::Disk;

/// The snapshot folder of one member.
#[derive(Clone)]
pub struct SnapshotFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Numbers the temporary files.
    next: Arc<AtomicU64>,
}

impl SnapshotFolder {
    /// Opens the folder and removes incomplete files that a crash left.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        disk.create_folder(path)?;
        for file in disk.files(path)? {
            if file.extension().is_some_and(|extension| extension == "tmp") {
                disk.remove(&file)?;
            }
        }
        // A killed process may have renamed a snapshot without syncing the folder. Now this one relies on it.
        disk.sync_folder(path)?;
        Ok(Self { disk, path: path.to_owned(), next: Arc::default() })
    }

    /// Returns the disk that holds the folder.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Reads the newest snapshot, if there is one.
    pub fn newest(&self) -> io::Result<Option<(PathBuf, Contents)>> {
        match self.files()?.pop() {
            None => Ok(None),
            Some(path) => read(self.disk.as_ref(), &path).map(|contents| Some((path, contents))),
        }
    }

    /// Returns an unused path for a new file.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.path.join(format!("{}.tmp", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Makes a written file the newest snapshot, of the entries up to `index`, and removes older snapshots.
    pub fn keep(&self, temporary: &Path, index: u64) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{index:020}.snapshot"));
        self.disk.rename(temporary, &path)?;
        self.disk.sync_folder(&self.path)?;
        for older in self.files()?.into_iter().filter(|file| *file < path) {
            self.disk.remove(&older)?;
        }
        Ok(path)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = self.disk.files(&self.path)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "snapshot"));
        Ok(files)
    }
}
