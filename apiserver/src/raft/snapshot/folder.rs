//! The folder of snapshots: the newest whole one counts, all others are leftovers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::file::{Contents, read};
use crate::host::Disk;

/// The folder of one member.
#[derive(Clone)]
pub struct SnapshotFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Numbers the files that are being written.
    next: Arc<AtomicU64>,
}

impl SnapshotFolder {
    /// Opens the folder and removes what a crash left half written.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        disk.create_folder(path)?;
        for file in disk.files(path)? {
            if file.extension().is_some_and(|extension| extension == "tmp") {
                disk.remove(&file)?;
            }
        }
        // One that a killed process renamed is read now, and counted on.
        disk.sync_folder(path)?;
        Ok(Self { disk, path: path.to_owned(), next: Arc::default() })
    }

    /// The disk that it is on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The newest snapshot, if there is any.
    pub fn newest(&self) -> io::Result<Option<(PathBuf, Contents)>> {
        match self.files()?.pop() {
            None => Ok(None),
            Some(path) => read(self.disk.as_ref(), &path).map(|contents| Some((path, contents))),
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
