//! openraft's state machine: applies committed entries to the store and shows the result to readers.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{Stream, TryStreamExt};
use openraft::OptionalSend;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};

use super::codec::decode_command;
use super::snapshot::{self, SnapshotFolder};
use super::types::{LogId, Outcomes, Payload, SnapshotMeta, StoredMembership, TypeConfig};
use crate::metrics::Timer;
use crate::store::{Requests, State, View};

type FileSnapshot = openraft::alias::SnapshotOf<TypeConfig, PathBuf>;

/// The state and how far it is applied.
pub struct StateMachine {
    state: State,
    applied: Option<LogId>,
    membership: StoredMembership,
    view: Arc<View>,
    folder: SnapshotFolder,
    newest: Newest,
    timer: Timer,
}

/// The newest snapshot: the builder sets it as soon as it is on disk.
type Newest = Arc<Mutex<Option<(SnapshotMeta, PathBuf)>>>;

fn set_newest(newest: &Newest, meta: SnapshotMeta, path: PathBuf) {
    *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((meta, path));
}

impl StateMachine {
    /// Begins from the newest snapshot, or empty. Times what is applied.
    pub fn open(folder: SnapshotFolder, timer: Timer) -> io::Result<Self> {
        let (newest, state, requests) = match folder.newest()? {
            None => (None, State::default(), Requests::default()),
            Some((path, contents)) => (Some((contents.meta, path)), contents.state, contents.requests),
        };
        let meta = newest.as_ref().map(|(meta, _)| meta.clone()).unwrap_or_default();
        let view = Arc::new(View::new(state.clone(), requests, index_of(meta.last_log_id.as_ref())));
        let newest = Arc::new(Mutex::new(newest));
        Ok(Self { state, applied: meta.last_log_id, membership: meta.last_membership, view, folder, newest, timer })
    }

    /// What readers see.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.clone()
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
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
        let mut changes = Vec::new();
        let mut replies = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut outcomes = Outcomes::default();
            match entry.payload {
                Payload::Blank => {}
                Payload::Normal(command) => {
                    let transactions = decode_command(&command)?;
                    let mut requests = self.view.requests();
                    for next in transactions {
                        outcomes.0.push(self.state.apply(next, &mut requests, &mut changes));
                        self.view.note_hash(&self.state);
                    }
                }
                Payload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
            }
            self.applied = Some(entry.log_id);
            replies.extend(responder.map(|responder| (responder, outcomes)));
        }
        // Shown before anyone is told, so that whoever is told reads their own write.
        self.view.publish(self.state.clone(), changes, index_of(self.applied.as_ref()));
        self.timer.observe(start.elapsed());
        for (responder, outcomes) in replies {
            responder.send(outcomes);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            meta: self.meta(),
            state: self.state.clone(),
            requests: self.view.requests().clone(),
            folder: self.folder.clone(),
            newest: self.newest.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, file: PathBuf) -> io::Result<()> {
        let contents = {
            let file = file.clone();
            blocking(move || snapshot::read(&file)).await?
        };
        let path = self.folder.keep(&file, index_of(meta.last_log_id.as_ref()))?;
        self.state = contents.state;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        set_newest(&self.newest, meta.clone(), path);
        self.view.replace(self.state.clone(), contents.requests, index_of(self.applied.as_ref()));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<FileSnapshot>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(newest.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes a snapshot while entries go on being applied.
pub struct Builder {
    meta: SnapshotMeta,
    state: State,
    requests: Requests,
    folder: SnapshotFolder,
    newest: Newest,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = PathBuf;

    async fn build_snapshot(&mut self) -> io::Result<FileSnapshot> {
        let (meta, state, folder) = (self.meta.clone(), self.state.clone(), self.folder.clone());
        let requests = std::mem::take(&mut self.requests);
        let snapshot = blocking(move || {
            let temporary = folder.temporary();
            snapshot::write(&temporary, &meta, &state, &requests)?;
            folder.keep(&temporary, index_of(meta.last_log_id.as_ref()))
        })
        .await?;
        set_newest(&self.newest, self.meta.clone(), snapshot.clone());
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}

/// Runs file work off the one thread that serves requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
