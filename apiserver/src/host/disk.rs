//! A disk: files, how they become durable, and where blocking disk work runs.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

/// Holds a member's log and snapshots. As on any disk, data is durable once the file is synced, and a created, changed
/// or removed name once its folder is synced.
pub trait Disk: Send + Sync + 'static {
    /// Creates a folder and its parents durably. Does nothing if it exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Lists the contents of a folder, sorted by name.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Returns the length of a file in bytes.
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// Opens a file for reading.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Reads exactly `len` bytes of a file from an offset.
    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Creates a file. Fails if one of this name exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens a file for appending.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens a note, or creates an empty one.
    fn note(&self, path: &Path) -> io::Result<Box<dyn Note>>;
    /// Truncates a file to this length, durably.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames a file and replaces an existing one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Locks a folder until the returned value is dropped. Returns `None` if someone else holds the lock.
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
    /// Runs work that waits for the disk, away from the threads that serve requests.
    fn run(&self, work: Work) -> io::Result<()>;
}

/// A file that is open for writing.
pub trait Output: Write + Send {
    /// Makes all written data durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// A few bytes that are replaced in place.
pub trait Note: Send {
    /// Replaces the bytes, without a sync: after a power loss, earlier ones may be back. A killed process leaves these.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Work that waits for the disk.
pub enum Work {
    /// The log writer, which everything waits for. It ends with the log.
    Log(BoxFuture<'static, ()>),
    /// Work whose result a caller waits for.
    Waited(Box<dyn FnOnce() + Send>),
    /// Work without a waiting caller. All other work has priority.
    Background(Box<dyn FnOnce() + Send>),
}

/// Reads a whole file.
pub fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(disk.size(path)?).unwrap_or(0));
    disk.read(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Runs work and waits for its result.
pub async fn waited<T: Send + 'static>(
    disk: &dyn Disk,
    kind: impl FnOnce(Box<dyn FnOnce() + Send>) -> Work,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    // The caller may have stopped waiting.
    disk.run(kind(Box::new(move || drop(done.send(work())))))?;
    result.await.map_err(io::Error::other)?
}
