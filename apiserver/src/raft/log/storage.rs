//! openraft's view of the log: entries are read from memory and written by the writer's thread.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use tokio::sync::{mpsc, oneshot};

use super::record::Record;
use super::recover::{Window, recover};
use super::writer::{self, Done, Job, SyncData};
use crate::metrics::Timer;
use crate::raft::types::{Entry, LogId, TypeConfig, Vote};

/// The log of one member.
#[derive(Clone)]
pub struct LogStorage {
    window: Arc<Mutex<Window>>,
    jobs: mpsc::Sender<Job>,
}

impl LogStorage {
    /// Reads the folder, which must exist, and starts the writer, which times its fsyncs.
    pub fn open(folder: &Path, fsync: Timer) -> io::Result<Self> {
        Self::with_sync(folder, fsync, File::sync_data)
    }

    fn with_sync(folder: &Path, fsync: Timer, sync: SyncData) -> io::Result<Self> {
        let (jobs, window) = writer::start(PathBuf::from(folder), recover(folder)?, fsync, sync)?;
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
        // Nothing depends on it: after a crash the entries are there again, and are purged again. openraft, which takes many small
        // steps, would wait for the disk at each.
        self.submit(vec![Record::Purge(log_id)], Done::Nobody).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::metrics::Metrics;

    static FAILS: AtomicBool = AtomicBool::new(false);

    fn sync(file: &File) -> io::Result<()> {
        if FAILS.load(Ordering::Relaxed) { Err(io::Error::other("the disk is gone")) } else { file.sync_data() }
    }

    /// An fsync that failed may have thrown away what was to be written, and a second one would not tell.
    #[tokio::test]
    async fn after_a_failed_fsync_nothing_more_is_written_and_nothing_acknowledged_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let timer = || Metrics::new().fsync.clone();
        let mut log = LogStorage::with_sync(folder.path(), timer(), sync).unwrap();
        let votes = [1, 2, 3].map(|term| Vote::new(term, 1));
        log.save_vote(&votes[0]).await.unwrap();
        FAILS.store(true, Ordering::Relaxed);
        assert_eq!(log.save_vote(&votes[1]).await.unwrap_err().to_string(), "the disk is gone");
        FAILS.store(false, Ordering::Relaxed);
        let refused = log.save_vote(&votes[2]).await.unwrap_err().to_string();
        assert_eq!(refused, "the log is closed after an error");
        drop(log);
        let mut again = LogStorage::open(folder.path(), timer()).unwrap();
        let vote = again.read_vote().await.unwrap();
        assert!(vote == Some(votes[0]) || vote == Some(votes[1]), "{vote:?}");
    }
}
