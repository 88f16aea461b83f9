//! A simulated disk. Written data is visible to all readers; when power fails, only a part of the unsynced data is
//! left, and that part may have holes.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_apiserver::host::{Disk, Note, Output, Work};

use crate::slow::slowly;

/// The unit that a disk writes completely or not at all.
const SECTOR: usize = 512;
/// The latency of an operation, in microseconds.
const LATENCY: std::ops::Range<u64> = 100..4_000;
/// The factor of the latency while the disk is slow.
const SLOWNESS: u32 = 60;

/// The disk of one machine. Clones share it.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct File {
    content: Vec<u8>,
    /// The number of durable bytes.
    durable: usize,
    /// A note's bytes that a power loss may bring back.
    earlier: Option<Vec<u8>>,
}

/// A change of a name that is not durable yet.
struct NameChange {
    path: PathBuf,
    /// The number of the file with this name now; `None` if it was removed.
    file: Option<usize>,
}

struct State {
    random: fastrand::Rng,
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// The name changes in their order.
    unsynced_names: Vec<NameChange>,
    fault: Option<DiskFault>,
    /// Acknowledges a sync often without doing it.
    lies: bool,
}

/// A fault of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// The machine stops after this many more operations.
    StopsAfter(u64, End),
    /// The machine has stopped.
    Stopped(End),
    /// The next sync fails, and its data is lost.
    SyncFails,
    /// Every operation is slow.
    Slow,
}

/// How a machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process is killed; the next one sees its written data.
    Kill,
    /// The power fails.
    PowerLoss,
}

impl SimulatedDisk {
    /// Creates an empty disk.
    pub fn new(seed: u64, lies: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: fastrand::Rng::with_seed(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            fault: None,
            lies,
        })))
    }

    /// Sets the current fault.
    pub fn set_fault(&self, fault: Option<DiskFault>) {
        self.state().fault = fault;
    }

    /// Returns the current fault.
    pub fn fault(&self) -> Option<DiskFault> {
        self.state().fault
    }

    /// Prepares a stopped machine for its next start.
    pub fn end(&self, end: End) {
        let mut state = self.state();
        state.fault = None;
        if end == End::PowerLoss {
            state.lose_power();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an operation; fails if the machine has stopped.
    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match &mut state.fault {
            Some(DiskFault::StopsAfter(0, end)) => state.fault = Some(DiskFault::Stopped(*end)),
            Some(DiskFault::StopsAfter(left, _)) => *left -= 1,
            _ => {}
        }
        match state.fault {
            Some(DiskFault::Stopped(_)) => Err(io::Error::other("the machine has stopped")),
            _ => Ok(state),
        }
    }

    /// Returns the latency of the next operation.
    pub fn latency(&self) -> Duration {
        let mut state = self.state();
        let latency = Duration::from_micros(state.random.u64(LATENCY));
        if state.fault == Some(DiskFault::Slow) { latency * SLOWNESS } else { latency }
    }
}

impl State {
    fn number(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, path.display().to_string()))
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let number = self.number(path)?;
        Ok(&mut self.files[number])
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        set(&mut self.names, path, file);
        self.unsynced_names.push(NameChange { path: path.to_owned(), file });
    }

    fn lose_power(&mut self) {
        // A journal keeps the order of changes.
        let kept = self.random.usize(..=self.unsynced_names.len());
        for change in self.unsynced_names.drain(..).take(kept) {
            set(&mut self.durable_names, &change.path, change.file);
        }
        self.names = self.durable_names.clone();
        for file in &mut self.files {
            if let Some(earlier) = file.earlier.take() {
                // Bytes replaced in place. A cache that is lost had them, too.
                if self.lies || self.random.bool() {
                    file.content = earlier;
                }
                continue;
            }
            // A disk that lies has a cache that is lost completely.
            let len = if self.lies { file.durable } else { self.random.usize(file.durable..=file.content.len()) };
            file.content.truncate(len);
            let unsynced = &mut file.content[file.durable..];
            for sector in unsynced.chunks_mut(SECTOR).filter(|_| self.random.u8(..4) == 0) {
                sector.fill(0);
            }
            file.durable = len;
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, usize>, path: &Path, file: Option<usize>) {
    match file {
        Some(number) => names.insert(path.to_owned(), number),
        None => names.remove(path),
    };
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        // Names include their folder, and folders are durable at once.
        self.operate().map(drop)
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.operate()?;
        Ok(state.names.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.operate()?.file(path)?.content.len() as u64)
    }

    fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.operate()?.file(path)?.content.clone())))
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut state = self.operate()?;
        let content = &state.file(path)?.content;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = start.checked_add(len).and_then(|end| content.get(start..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut state = self.operate()?;
        if state.names.contains_key(path) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, path.display().to_string()));
        }
        let number = state.files.len();
        state.files.push(File::default());
        state.name(path, Some(number));
        Ok(Box::new(OpenFile { disk: self.clone(), number }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let number = self.operate()?.number(path)?;
        Ok(Box::new(OpenFile { disk: self.clone(), number }))
    }

    fn note(&self, path: &Path) -> io::Result<Box<dyn Note>> {
        let known = self.operate()?.number(path);
        let number = match known {
            Ok(number) => number,
            Err(_) => {
                drop(self.create(path)?);
                self.operate()?.number(path)?
            }
        };
        Ok(Box::new(OpenFile { disk: self.clone(), number }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut state = self.operate()?;
        let file = state.file(path)?;
        file.content.truncate(usize::try_from(len).map_err(io::Error::other)?);
        file.durable = file.content.len();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let number = state.number(from)?;
        state.name(to, Some(number));
        state.name(from, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        state.number(path)?;
        state.name(path, None);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let State { unsynced_names, durable_names, .. } = &mut *state;
        for change in unsynced_names.extract_if(.., |change| change.path.parent() == Some(folder)) {
            set(durable_names, &change.path, change.file);
        }
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        Ok(Some(Box::new(())))
    }

    fn run(&self, work: Work) -> io::Result<()> {
        let disk = self.clone();
        match work {
            Work::Log(writer) => drop(tokio::spawn(slowly(writer, move || disk.latency()))),
            Work::Waited(work) | Work::Background(work) => drop(tokio::spawn(async move {
                tokio::time::sleep(disk.latency()).await;
                work();
            })),
        }
        Ok(())
    }
}

/// An open file for writing.
struct OpenFile {
    disk: SimulatedDisk,
    number: usize,
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.operate()?.files[self.number].content.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Note for OpenFile {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.operate()?;
        let file = &mut state.files[self.number];
        let replaced = std::mem::replace(&mut file.content, bytes.to_vec());
        file.earlier.get_or_insert(replaced);
        Ok(())
    }
}

impl Output for OpenFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.operate()?;
        let fails = state.fault == Some(DiskFault::SyncFails);
        let lies = state.lies && state.random.bool();
        let file = &mut state.files[self.number];
        if fails {
            file.content.truncate(file.durable);
            state.fault = None;
            return Err(io::Error::other("input/output error"));
        }
        if !lies {
            file.durable = file.content.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(disk: &SimulatedDisk, path: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        disk.read(Path::new(path)).ok()?.read_to_end(&mut content).unwrap();
        Some(content)
    }

    #[test]
    fn what_was_synced_stays_and_of_the_rest_any_part_may_be_lost() {
        let (mut lost, mut torn) = (0, 0);
        for seed in 0..100 {
            let disk = SimulatedDisk::new(seed, false);
            let mut file = disk.create(Path::new("/a/synced")).unwrap();
            file.write_all(b"kept").unwrap();
            file.sync().unwrap();
            disk.sync_folder(Path::new("/a")).unwrap();
            file.write_all(b"and more").unwrap();
            drop(disk.create(Path::new("/a/unsynced")).unwrap());
            disk.end(End::PowerLoss);
            let left = content(&disk, "/a/synced").unwrap();
            assert!(left.starts_with(b"kept") && left.len() <= 12, "{left:?}");
            torn += u32::from(left.len() > 4);
            lost += u32::from(content(&disk, "/a/unsynced").is_none());
        }
        assert!(lost > 10 && lost < 90 && torn > 10, "lost {lost}, torn {torn}");
    }

    #[test]
    fn a_machine_stops_in_the_middle_of_things() {
        let disk = SimulatedDisk::new(1, false);
        disk.set_fault(Some(DiskFault::StopsAfter(1, End::Kill)));
        let mut file = disk.create(Path::new("/a/b")).unwrap();
        assert!(file.write_all(b"x").is_err());
        assert_eq!(disk.fault(), Some(DiskFault::Stopped(End::Kill)));
        disk.end(End::Kill);
        assert_eq!((disk.fault(), content(&disk, "/a/b")), (None, Some(Vec::new())));
    }

    #[test]
    fn a_sync_that_fails_loses_what_it_was_for() {
        let disk = SimulatedDisk::new(1, false);
        let mut file = disk.create(Path::new("/a/b")).unwrap();
        file.write_all(b"x").unwrap();
        disk.set_fault(Some(DiskFault::SyncFails));
        assert!(file.sync().is_err());
        assert_eq!(content(&disk, "/a/b"), Some(Vec::new()));
        file.write_all(b"y").and_then(|()| file.sync()).unwrap();
        assert_eq!(content(&disk, "/a/b"), Some(b"y".to_vec()));
    }
}
