//! The snapshot folder: the newest complete snapshot counts, all others are leftovers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::{Contents, read};
use crate::host::Disk;

/// The snapshot folder of one member.
#[derive(Clone)]
pub struct SnapshotFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Numbers the temporary files.
    next: Arc<AtomicU64>,
    /// Held while a file becomes a snapshot and others go: a snapshot may be built and another one installed at the same
    /// time.
    keeping: Arc<Mutex<()>>,
}

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// File that holds it. It goes when a newer one is kept.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
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
        Ok(Self { disk, path: path.to_owned(), next: Arc::default(), keeping: Arc::default() })
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
    pub fn keep(&self, temporary: &Path, index: u64) -> io::Result<Kept> {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.join(format!("{index:020}.snapshot"));
        let bytes = self.disk.size(temporary)?;
        self.disk.rename(temporary, &path)?;
        self.disk.sync_folder(&self.path)?;
        for older in self.files()?.into_iter().filter(|file| *file < path) {
            self.disk.remove(&older)?;
        }
        Ok(Kept { path, bytes })
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = self.disk.files(&self.path)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "snapshot"));
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::LocalDisk;

    /// A member that was far behind installs a snapshot while it writes one of its own.
    #[test]
    fn snapshots_that_are_kept_at_the_same_time_do_not_remove_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let snapshots = SnapshotFolder::open(Arc::new(LocalDisk), folder.path()).unwrap();
        std::thread::scope(|scope| {
            for worker in 0..4u64 {
                let snapshots = snapshots.clone();
                scope.spawn(move || {
                    for round in 0..50u64 {
                        let temporary = snapshots.temporary();
                        std::fs::write(&temporary, b"snapshot").unwrap();
                        assert_eq!(snapshots.keep(&temporary, round * 4 + worker).unwrap().bytes, 8);
                    }
                });
            }
        });
        assert!(snapshots.files().unwrap().last().unwrap().ends_with("00000000000000000199.snapshot"));
    }
}
