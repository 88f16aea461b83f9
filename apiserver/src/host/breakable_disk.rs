//! The disk of this machine, which can be slow or full on demand (`squall_faults`).

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use squall_faults::mutants::Mutant;
use squall_faults::{Bite, What, process};

use super::disk::{Disk, Note, Output, Work};
use super::local_disk::LocalDisk;

/// How long the mutant that acknowledges writes too early delays the actual write.
const KEPT_BACK: Duration = Duration::from_secs(1);

/// A [`LocalDisk`] that injects faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct BreakableDisk(LocalDisk);

struct BreakableFile {
    file: Box<dyn Output>,
    /// Bytes that the mutant `no-sync` has not written yet.
    kept_back: Vec<u8>,
    since: std::time::Instant,
}

/// The disk takes no more bytes.
fn full() -> Option<Bite<()>> {
    process().worst(|what| matches!(what, What::Disk(disk) if disk.full).then_some(()))
}

/// The extra time that each fsync takes.
fn sync_delay() -> Option<Bite<Duration>> {
    process().worst(|what| match what {
        What::Disk(disk) if disk.sync_delay_ms > 0 => Some(Duration::from_millis(disk.sync_delay_ms)),
        _ => None,
    })
}

impl BreakableFile {
    fn over(file: Box<dyn Output>) -> Box<dyn Output> {
        Box::new(Self { file, kept_back: Vec::new(), since: std::time::Instant::now() })
    }
}

impl Write for BreakableFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(full) = full() {
            full.count();
            return Err(io::ErrorKind::StorageFull.into());
        }
        if Mutant::NoSync.is_on() {
            self.kept_back.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for BreakableFile {
    fn sync(&mut self) -> io::Result<()> {
        if let Some(slow) = sync_delay() {
            slow.count();
            #[expect(clippy::disallowed_methods, reason = "only the disk's own thread waits, as for a slow disk")]
            thread::sleep(slow.what);
        }
        if Mutant::NoSync.is_on() {
            if self.since.elapsed() < KEPT_BACK {
                return Ok(());
            }
            self.since = std::time::Instant::now();
            let late = std::mem::take(&mut self.kept_back);
            self.file.write_all(&late)?;
        }
        self.file.sync()
    }
}

impl Drop for BreakableFile {
    fn drop(&mut self) {
        // A clean shutdown loses nothing, even with a mutant.
        drop(self.file.write_all(&self.kept_back));
    }
}

/// A note of a disk that keeps notes back as long as it keeps back what they are about.
struct BreakableNote(Box<dyn Note>);

impl Note for BreakableNote {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if Mutant::NoSync.is_on() { Ok(()) } else { self.0.put(bytes) }
    }
}

impl Disk for BreakableDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.files(folder)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.0.size(path)
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.0.read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.0.read_at(path, offset, len)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.0.create(path).map(BreakableFile::over)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.0.append(path).map(BreakableFile::over)
    }

    fn note(&self, path: &Path) -> io::Result<Box<dyn Note>> {
        Ok(Box::new(BreakableNote(self.0.note(path)?)))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.0.truncate(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }

    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.0.lock(folder)
    }

    fn run(&self, work: Work) -> io::Result<()> {
        self.0.run(work)
    }
}
