//! openraft's interface to the log: reads entries from memory and leaves writes to the writer's thread.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::{mpsc, oneshot};

use super::folder::LogFolder;
use super::record::Record;
use super::recover::recover;
use super::window::{Found, Window};
use super::writer::{self, Done, Job};
use crate::host::{Disk, Work, waited};
use crate::metrics::Timer;
use crate::raft::config::LogLimits;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};

/// Maximum length of the entries that are read for one append or one step of applying, unless the first one is longer.
const READ_BYTES: usize = 2 << 20;

/// The log of one member.
#[derive(Clone)]
pub struct LogStorage {
    disk: Arc<dyn Disk>,
    window: Arc<Mutex<Window>>,
    jobs: mpsc::Sender<Job>,
}

impl LogStorage {
    /// Reads the folder, which must exist, and starts the writer, which records the duration of its fsyncs.
    pub fn open(folder: LogFolder, limits: LogLimits, fsync: Timer) -> io::Result<Self> {
        let recovered = recover(&folder, limits.held_bytes)?;
        let disk = folder.disk.clone();
        let (jobs, window) = writer::start(folder, recovered, limits.segment_bytes, fsync)?;
        Ok(Self { disk, window, jobs })
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the last vote.
    pub fn vote(&self) -> Option<Vote> {
        self.window().vote
    }

    /// Returns the last purged entry.
    pub fn purged(&self) -> Option<LogId> {
        self.window().purged
    }

    /// Returns the last entry to purge so that `kept_bytes` stay behind a snapshot; see [`Window::purgeable`].
    pub fn purgeable(&self, snapshot: u64, kept_bytes: usize) -> Option<u64> {
        self.window().purgeable(snapshot, kept_bytes)
    }

    /// Reads a part of the log; see [`Window::find`].
    async fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<Entry>> {
        loop {
            let (first, found) = {
                let window = self.window();
                (window.first_index(), window.find(range.clone(), max_bytes))
            };
            match fetch(&self.disk, found).await {
                // A purge may have removed the segment meanwhile.
                Err(_) if self.window().first_index() > first => {}
                result => return result,
            }
        }
    }

    async fn submit(&self, records: Vec<Record>, done: Done) -> io::Result<()> {
        {
            let mut window = self.window();
            records.iter().cloned().try_for_each(|record| window.apply(record))?;
        }
        self.jobs.send(Job { records, done }).await.map_err(|_| io::Error::other("the log is closed after an error"))
    }

    async fn write(&self, record: Record) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        self.submit(vec![record], Done::Waiter(done)).await?;
        wait.await.map_err(|_| io::Error::other("the log is closed after an error"))?
    }
}

/// Reads the entries that are only on disk, away from the threads that serve requests.
async fn fetch(disk: &Arc<dyn Disk>, found: Vec<Found>) -> io::Result<Vec<Entry>> {
    let read = |disk: &dyn Disk, found: Vec<Found>| {
        let entries = found.into_iter().map(|found| match found {
            Found::Here(entry) => Ok(entry),
            Found::OnDisk(_, place) => place.read(disk),
        });
        entries.collect()
    };
    if found.iter().all(|found| matches!(found, Found::Here(_))) {
        return read(disk.as_ref(), found);
    }
    let worker = disk.clone();
    waited(disk.as_ref(), Work::Waited, move || read(worker.as_ref(), found)).await
}

/// Returns the indexes of a range, from the first to the one after the last.
fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<TypeConfig> for LogStorage {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.read(indexes(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start..end, READ_BYTES).await
    }

    /// Reads a little at a time: a member that catches up may have to apply more than fits into memory.
    async fn entries_stream<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + OptionalSend {
        let Range { start, end } = indexes(&range);
        let steps = stream::try_unfold((self.clone(), start), move |(log, next)| async move {
            let entries = if next < end { log.read(next..end, READ_BYTES).await? } else { Vec::new() };
            let last = entries.last().map(|entry| entry.log_id.index);
            Ok::<_, io::Error>(
                last.map(|last| (stream::iter(entries.into_iter().map(Ok)), (log, last.saturating_add(1)))),
            )
        });
        steps.try_flatten().boxed()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.window().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStorage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let window = self.window();
        Ok(LogState { last_purged_log_id: window.purged, last_log_id: window.last_log_id() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.write(Record::Vote(*vote)).await
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let records = entries.into_iter().map(Record::Append).collect();
        self.submit(records, Done::Raft(callback)).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        self.write(Record::Truncate(last_log_id)).await
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        // Nothing depends on its durability: after a crash, the entries reappear and are purged again. openraft takes
        // many small steps and would wait for the disk at each one.
        self.submit(vec![Record::Purge(log_id)], Done::Nobody).await
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::host::{LocalDisk, Note, Output, Work};
    use crate::metrics::Metrics;
    use crate::raft::log::Begun;

    /// A disk whose fsyncs fail while the flag is set.
    #[derive(Clone, Default)]
    struct Failing(Arc<AtomicBool>);

    struct FailingOutput(Box<dyn Output>, Failing);

    impl Write for FailingOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl Output for FailingOutput {
        fn sync(&mut self) -> io::Result<()> {
            if self.1.0.load(Ordering::Relaxed) { Err(io::Error::other("the disk is gone")) } else { self.0.sync() }
        }
    }

    impl Disk for Failing {
        fn create_folder(&self, path: &Path) -> io::Result<()> {
            LocalDisk.create_folder(path)
        }
        fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
            LocalDisk.files(folder)
        }
        fn size(&self, path: &Path) -> io::Result<u64> {
            LocalDisk.size(path)
        }
        fn read(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
            LocalDisk.read(path)
        }
        fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
            LocalDisk.read_at(path, offset, len)
        }
        fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
            Ok(Box::new(FailingOutput(LocalDisk.create(path)?, self.clone())))
        }
        fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
            Ok(Box::new(FailingOutput(LocalDisk.append(path)?, self.clone())))
        }
        fn note(&self, path: &Path) -> io::Result<Box<dyn Note>> {
            LocalDisk.note(path)
        }
        fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
            LocalDisk.truncate(path, len)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            LocalDisk.rename(from, to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            LocalDisk.remove(path)
        }
        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            LocalDisk.sync_folder(path)
        }
        fn lock(&self, folder: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
            LocalDisk.lock(folder)
        }
        fn run(&self, work: Work) -> io::Result<()> {
            LocalDisk.run(work)
        }
    }

    /// A failed fsync may have dropped the data, and a second fsync would not report that.
    #[tokio::test]
    async fn after_a_failed_fsync_nothing_more_is_written_and_nothing_acknowledged_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Failing::default();
        let (limits, fsync) = (LogLimits::default(), Metrics::new().fsync.clone());
        let place = LogFolder {
            disk: Arc::new(disk.clone()),
            path: folder.path().to_owned(),
            mark: folder.path().join("mark"),
            member: 1,
            begun: Begun::No,
        };
        let open = || LogStorage::open(place.clone(), limits, fsync.clone()).unwrap();
        let mut log = open();
        let votes = [1, 2, 3].map(|term| Vote::new(term, 1));
        log.save_vote(&votes[0]).await.unwrap();
        disk.0.store(true, Ordering::Relaxed);
        assert_eq!(log.save_vote(&votes[1]).await.unwrap_err().to_string(), "the disk is gone");
        disk.0.store(false, Ordering::Relaxed);
        let refused = log.save_vote(&votes[2]).await.unwrap_err().to_string();
        assert_eq!(refused, "the log is closed after an error");
        drop(log);
        let vote = open().read_vote().await.unwrap();
        assert!(vote == Some(votes[0]) || vote == Some(votes[1]), "{vote:?}");
    }
}
