//! openraft's interface to the log: reads entries from memory and leaves writes to the writer's thread.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use super::recover::{Window, recover};
use super::writer::{self, Done, Job};
use crate::host::Disk;
use crate::metrics::Timer;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};

/// The log of one member.
#[derive(Clone)]
pub struct LogStorage {
    window: Arc<Mutex<Window>>,
    jobs: mpsc::Sender<Job>,
}

impl LogStorage {
    /// Reads the folder, which must exist, and starts the writer. The writer starts a new segment after `segment_bytes`
    /// and records the duration of its fsyncs.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, segment_bytes: u64, fsync: Timer) -> io::Result<Self> {
        let recovered = recover(disk.as_ref(), folder)?;
        let (jobs, window) = writer::start(disk, folder.to_owned(), recovered, segment_bytes, fsync)?;
        Ok(Self { window: Arc::new(Mutex::new(window)), jobs })
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
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

impl RaftLogReader<TypeConfig> for LogStorage {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let window = self.window();
        let first = window.first_index();
        let place =
            |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX).min(window.entries.len());
        let start = match range.start_bound() {
            Bound::Included(index) => place(*index),
            Bound::Excluded(index) => place(index + 1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => place(index + 1),
            Bound::Excluded(index) => place(*index),
            Bound::Unbounded => window.entries.len(),
        };
        Ok(window.entries.range(start..end.max(start)).cloned().collect())
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
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::host::{LocalDisk, Output, Work};
    use crate::metrics::Metrics;

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
        fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
            Ok(Box::new(FailingOutput(LocalDisk.create(path)?, self.clone())))
        }
        fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
            Ok(Box::new(FailingOutput(LocalDisk.append(path)?, self.clone())))
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
        let open =
            || LogStorage::open(Arc::new(disk.clone()), folder.path(), 1 << 20, Metrics::new().fsync.clone()).unwrap();
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
