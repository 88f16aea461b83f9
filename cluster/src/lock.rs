//! One launcher at a time: a launcher holds the folder's lock while it starts or ends members.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

use crate::guard::open_lock;
use crate::pause::wait_a_moment;

/// The lock file in a cluster's folder.
pub const LOCK: &str = "lock";
/// Maximum wait for the lock: longer than ending all members takes. Adding an apiserver with much data may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lock, held as long as this lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Waits until the lock is free, and takes it.
    pub fn take(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(LOCK);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let file = open(&path).with_context(|| format!("opening {}", path.display()))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // The previous holder may have removed the cluster, and this file with it: then the lock is void.
                Ok(()) if file.metadata().is_ok_and(|data| data.nlink() > 0) => return Ok(Self { _file: file }),
                Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => wait_a_moment(),
                Err(error) => return Err(error).with_context(|| format!("locking {}", path.display())),
            }
        }
        bail!(
            "another ctl has been starting or ending members in {} for {PATIENCE:?}; try again when it has finished",
            folder.display()
        )
    }
}

/// Opens the lock file, even on a disk that has become read-only: the cluster must still be able to end.
fn open(path: &Path) -> std::io::Result<File> {
    match open_lock(path) {
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => File::open(path),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || FolderLock::take(&path).map(drop));
        wait_a_moment();
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn the_lock_of_a_removed_folder_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || FolderLock::take(&path));
        wait_a_moment();
        std::fs::remove_file(folder.path().join(LOCK)).unwrap();
        drop(first);
        let second = second.join().unwrap().unwrap();
        assert!(folder.path().join(LOCK).exists(), "it has created the file again");
        drop(second);
    }
}
