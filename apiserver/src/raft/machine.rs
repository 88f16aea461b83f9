//! openraft's state machine: applies committed entries to the store and shows the result to readers.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{Stream, TryStreamExt};
use openraft::OptionalSend;
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};

use super::codec::decode_command;
use super::compaction::Compaction;
use super::config::LogLimits;
use super::snapshot::{self, Contents, SnapshotFolder};
use super::types::{LogId, Outcomes, Payload, SnapshotMeta, StoredMembership, TypeConfig};
use crate::host::{Work, waited};
use crate::metrics::Timer;
use crate::store::{Change, State, View};

type FileSnapshot = openraft::alias::SnapshotOf<TypeConfig, PathBuf>;

/// The state, and how far it is applied.
pub struct StateMachine {
    state: State,
    applied: Option<LogId>,
    membership: StoredMembership,
    view: Arc<View>,
    folder: SnapshotFolder,
    newest: Newest,
    timer: Timer,
    compaction: Arc<Compaction>,
    /// Length of the last changes that a snapshot contains.
    history_bytes: usize,
}

/// The newest snapshot. The builder sets it as soon as the file is on disk.
type Newest = Arc<Mutex<Option<(SnapshotMeta, PathBuf)>>>;

/// Sets the newest snapshot, unless a newer one was installed while this one was built.
fn set_newest(newest: &Newest, meta: SnapshotMeta, path: PathBuf) {
    let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
    if newest.as_ref().is_none_or(|(known, _)| known.last_log_id <= meta.last_log_id) {
        *newest = Some((meta, path));
    }
}

impl StateMachine {
    /// Opens the state of member `id` from its newest snapshot, or empty. Records how long entries take to apply.
    pub fn open(id: u64, folder: SnapshotFolder, limits: LogLimits, timer: Timer) -> io::Result<Self> {
        let (path, Contents { meta, state, requests, changes }) = match folder.newest()? {
            None => (None, Contents::default()),
            Some((path, contents)) => (Some(path), contents),
        };
        let view = Arc::new(View::new(state.clone(), requests, changes, index_of(meta.last_log_id.as_ref())));
        let size = path.as_ref().map_or(Ok(0), |path| folder.disk().size(path))?;
        let compaction = Arc::new(Compaction::new(id, size, limits.snapshot_bytes));
        let newest = Arc::new(Mutex::new(path.map(|path| (meta.clone(), path))));
        Ok(Self {
            state,
            applied: meta.last_log_id,
            membership: meta.last_membership,
            view,
            folder,
            newest,
            timer,
            compaction,
            history_bytes: limits.history_bytes,
        })
    }

    /// Returns the last applied entry.
    #[must_use]
    pub fn applied(&self) -> Option<LogId> {
        self.applied
    }

    /// Returns the view that readers use.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    /// Returns the counter that decides when a snapshot is due.
    #[must_use]
    pub fn compaction(&self) -> Arc<Compaction> {
        self.compaction.clone()
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
    }
}

/// Maximum length of the commands that are applied before readers see the result.
const STEP_BYTES: usize = 4 << 20;

/// Applied entries that readers do not see yet.
#[derive(Default)]
struct Step {
    bytes: usize,
    changes: Vec<Change>,
    replies: Vec<(ApplyResponder<TypeConfig>, Outcomes)>,
}

impl StateMachine {
    /// Shows the state to readers before anyone is notified, so that writers can read their own writes.
    fn publish(&self, step: Step) {
        self.view.publish(self.state.clone(), step.changes, index_of(self.applied.as_ref()));
        for (responder, outcomes) in step.replies {
            responder.send(outcomes);
        }
    }
}

fn index_of(log_id: Option<&LogId>) -> u64 {
    log_id.map_or(0, |id| id.index)
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = PathBuf;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let start = Instant::now();
        let mut step = Step::default();
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut outcomes = Outcomes::default();
            match entry.payload {
                Payload::Blank => {}
                Payload::Normal(command) => {
                    self.compaction.applied(command.0.len());
                    step.bytes = step.bytes.saturating_add(command.0.len());
                    let transactions = decode_command(&command)?;
                    let mut requests = self.view.requests();
                    for next in transactions {
                        outcomes.0.push(self.state.apply(next, &mut requests, &mut step.changes));
                        self.view.note_hash(&self.state);
                    }
                }
                Payload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
            }
            self.applied = Some(entry.log_id);
            step.replies.extend(responder.map(|responder| (responder, outcomes)));
            if step.bytes >= STEP_BYTES {
                self.publish(std::mem::take(&mut step));
            }
        }
        self.publish(step);
        self.timer.observe(start.elapsed());
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let (state, requests) = (self.state.clone(), self.view.requests().clone());
        let changes = self.view.last_changes(self.history_bytes);
        Builder {
            contents: Contents { meta: self.meta(), state, requests, changes },
            folder: self.folder.clone(),
            newest: self.newest.clone(),
            compaction: self.compaction.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, file: PathBuf) -> io::Result<()> {
        let disk = self.folder.disk().clone();
        let contents = {
            let (disk, file) = (disk.clone(), file.clone());
            move || snapshot::read(disk.as_ref(), &file)
        };
        let contents = waited(disk.as_ref(), Work::Waited, contents).await?;
        let kept = self.folder.keep(&file, index_of(meta.last_log_id.as_ref()))?;
        self.state = contents.state;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.compaction.written(kept.bytes);
        set_newest(&self.newest, meta.clone(), kept.path);
        let index = index_of(self.applied.as_ref());
        self.view.replace(self.state.clone(), contents.requests, contents.changes, index);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<FileSnapshot>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(newest.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes a snapshot while the member continues to apply entries.
pub struct Builder {
    contents: Contents,
    folder: SnapshotFolder,
    newest: Newest,
    compaction: Arc<Compaction>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = PathBuf;

    async fn build_snapshot(&mut self) -> io::Result<FileSnapshot> {
        let (meta, folder) = (self.contents.meta.clone(), self.folder.clone());
        // Also dropped on that thread: it then holds the last references to much of the state, which are slow to free.
        let contents = std::mem::take(&mut self.contents);
        let disk = self.folder.disk();
        let kept = waited(disk.as_ref(), Work::Background, move || {
            let temporary = folder.temporary();
            snapshot::write(folder.disk().as_ref(), &temporary, &contents)?;
            folder.keep(&temporary, index_of(contents.meta.last_log_id.as_ref()))
        })
        .await?;
        self.compaction.written(kept.bytes);
        set_newest(&self.newest, meta.clone(), kept.path.clone());
        Ok(Snapshot { meta, snapshot: kept.path })
    }
}
