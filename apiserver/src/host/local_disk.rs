//! The disk of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::runtime::Handle;

use super::disk::{Disk, Note, Output, Work};

/// The lowest `nice` priority: such a thread runs in the time that others leave.
const LOWEST_PRIORITY: i32 = 19;

/// Only the owner may read and write.
const OWNER_ONLY: u32 = 0o600;

/// The file systems of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

struct LocalFile(File);

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output for LocalFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Note for LocalFile {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, 0)
    }
}

impl Disk for LocalDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent().filter(|_| !path.exists()) {
            self.create_folder(parent)?;
            match fs::create_dir(path) {
                // Another process created it first; the folder's lock decides between the two.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            self.sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.sort();
        Ok(files)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(path)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        // Logs and snapshots have secrets in them.
        let file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
        Ok(Box::new(LocalFile(file)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(LocalFile(OpenOptions::new().append(true).open(path)?)))
    }

    fn note(&self, path: &Path) -> io::Result<Box<dyn Note>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path)?;
        Ok(Box::new(LocalFile(file)))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        // A lock is never a link to elsewhere, nor a pipe that waits for a reader.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
        let lock = folder.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(OWNER_ONLY)
            .custom_flags(flags)
            .open(lock)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn run(&self, work: Work) -> io::Result<()> {
        match work {
            Work::Log(writer) => {
                let runtime = Handle::current();
                thread::Builder::new().name("raft-log".to_owned()).spawn(move || runtime.block_on(writer))?;
            }
            Work::Waited(work) => drop(tokio::task::spawn_blocking(work)),
            Work::Background(work) => {
                thread::Builder::new().name("background".to_owned()).spawn(move || {
                    if let Err(error) = rustix::process::setpriority_process(None, LOWEST_PRIORITY) {
                        tracing::debug!(%error, "background work runs at normal priority");
                    }
                    work();
                })?;
            }
        }
        Ok(())
    }
}
