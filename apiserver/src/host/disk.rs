//! A disk: files, what makes them durable, and where work that waits for it is done.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

/// Where a member keeps its log and its snapshots. As on any disk, what was written is durable once it was synced, and a
/// name (made, changed or removed) once its folder was.
pub trait Disk: Send + Sync + 'static {
    /// Makes a folder, and those above it, durably. Nothing is done if it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// What is in a folder, by name.
    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// The length of a file.
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// Opens a file for reading.
    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Makes a file; an error if there is one of this name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens a file for writing at its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Cuts a file off at this length, durably.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Gives a file another name; one that has it already is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Locks a folder as long as what is returned lives. `None`: someone else has.
    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
    /// Does work that waits for the disk, away from what serves requests.
    fn run(&self, work: Work) -> io::Result<()>;
}

/// A file that is written.
pub trait Output: Write + Send {
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// Work that waits for the disk.
pub enum Work {
    /// The log's writer: everything waits for it, and it ends with the log.
    Log(BoxFuture<'static, ()>),
    /// Someone waits.
    Waited(Box<dyn FnOnce() + Send>),
    /// Nobody waits: all other work goes first.
    Background(Box<dyn FnOnce() + Send>),
}

/// The whole content of a file.
pub fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(disk.size(path)?).unwrap_or(0));
    disk.read(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Does work and waits for what it returns.
pub async fn waited<T: Send + 'static>(
    disk: &dyn Disk,
    kind: impl FnOnce(Box<dyn FnOnce() + Send>) -> Work,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    // Whoever asked may be gone.
    disk.run(kind(Box::new(move || drop(done.send(work())))))?;
    result.await.map_err(io::Error::other)?
}
