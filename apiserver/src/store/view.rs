//! The state that readers and watchers of this member see, updated in batches of changes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::watch;

use super::history::{Change, History, Limit};
use super::requests::Requests;
use super::state::State;
use super::transaction::Revision;

/// Number of transactions for which the checksum of the state is kept.
const RECENT_HASHES: usize = 512;
/// Maximum size of the changes that are kept for watches.
const HISTORY_BYTES: usize = 16 << 20;

/// The latest state, the latest changes, and a signal for new ones. Only the state machine writes it.
#[derive(Debug)]
pub struct View {
    state: ArcSwap<State>,
    history: Mutex<History>,
    requests: Mutex<Requests>,
    recent_hashes: Mutex<VecDeque<(Revision, u64)>>,
    revision: watch::Sender<Revision>,
    applied_index: watch::Sender<u64>,
}

impl View {
    /// Creates a view of a state and the last changes that led to it.
    #[must_use]
    pub fn new(state: State, requests: Requests, changes: Vec<Change>, applied_index: u64) -> Self {
        Self {
            requests: Mutex::new(requests),
            recent_hashes: Mutex::default(),
            history: Mutex::new(History::resumed(changes, state.revision(), HISTORY_BYTES)),
            revision: watch::Sender::new(state.revision()),
            applied_index: watch::Sender::new(applied_index),
            state: ArcSwap::from_pointee(state),
        }
    }

    /// Returns the remembered requests. Only the state machine changes them.
    pub fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the checksum of the state after a transaction.
    pub fn note_hash(&self, state: &State) {
        let mut recent = self.recent_hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_HASHES {
            recent.pop_front();
        }
        recent.push_back((state.revision(), state.hash()));
    }

    /// Returns the revision and the checksum of the state after each of the last transactions, oldest first.
    #[must_use]
    pub fn recent_hashes(&self) -> Vec<(Revision, u64)> {
        self.recent_hashes.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Returns the state after a revision. If it is no longer available, the error is the oldest revision that is.
    pub fn state_at(&self, revision: Revision) -> Result<Arc<State>, Revision> {
        let state = self.state();
        if state.revision() == revision {
            return Ok(state);
        }
        let mut changes = self.changes_after(revision, Limit::NONE)?;
        // The history may be ahead of the state that was read.
        changes.retain(|change| change.revision <= state.revision());
        Ok(Arc::new(state.before(revision, &changes)))
    }

    /// Returns the current state.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Returns the changes after a revision, up to a limit; see [`History::after`].
    pub fn changes_after(&self, revision: Revision, limit: Limit) -> Result<Vec<Change>, Revision> {
        self.history().after(revision, limit)
    }

    /// Returns the last value of a removed key, if it is still known.
    #[must_use]
    pub fn value_before_removal(&self, key: &str) -> Option<Bytes> {
        self.history().value_before_removal(key)
    }

    /// Returns the store's revision, with a signal when it grows.
    #[must_use]
    pub fn watch_revision(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Returns the index of the last applied log entry, with a signal when it grows.
    #[must_use]
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied_index.subscribe()
    }

    /// Publishes a new state and the changes that led to it.
    pub fn publish(&self, state: State, changes: Vec<Change>, applied_index: u64) {
        let revision = state.revision();
        // History first: a reader who sees the revision must find its changes.
        self.history().extend(changes);
        self.state.store(Arc::new(state));
        self.revision.send_replace(revision);
        self.applied_index.send_replace(applied_index);
    }

    /// Returns the last changes, up to a number of bytes.
    #[must_use]
    pub fn last_changes(&self, max_bytes: usize) -> Vec<Change> {
        self.history().tail(max_bytes)
    }

    /// Publishes a complete state from a snapshot, with the last changes that led to it.
    pub fn replace(&self, state: State, requests: Requests, changes: Vec<Change>, applied_index: u64) {
        *self.requests() = requests;
        *self.history() = History::resumed(changes, state.revision(), HISTORY_BYTES);
        self.publish(state, Vec::new(), applied_index);
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
