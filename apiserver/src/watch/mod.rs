//! Watches: all changes of a collection after a revision, in order, each exactly once.
//!
//! A watch has no queue of its own: it reads the shared history from its own position. If it falls behind what the
//! history keeps, it ends with 410 Expired.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use squall_api::Error;
use squall_api::timing::later;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::keys;
use crate::registry::{Freshness, Registry, Selection, WatchStart, definition_key, out_of_touch};
use crate::request::Served;
use crate::store::{Change, Limit, Revision};

/// How much is read from the history, and sent, at a time. A client that reads slowly keeps no more than this in memory
/// besides the history.
const BATCH: Limit = Limit { count: 256, bytes: 16 << 10 };
/// Maximum number of open watches of a member.
const WATCHES: i64 = 16_384;
/// Interval of bookmarks, for clients that request them.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);

/// The change of an object, from the view of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is new, or matches now.
    Added,
    /// It has changed.
    Modified,
    /// It is gone, or no longer matches.
    Deleted,
}

/// An event to send to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A changed object, as it is stored.
    Object {
        /// The change of the object.
        fate: Fate,
        /// Current value, or the last one if the object is gone.
        value: Bytes,
        /// Revision of the change.
        revision: Revision,
    },
    /// Everything up to a revision has been sent.
    Bookmark {
        /// The last revision that is covered.
        revision: Revision,
        /// Whether all initial objects have been sent.
        initial_events_end: bool,
    },
}

impl Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Object { value, .. } => value.len(),
            Self::Bookmark { .. } => 0,
        }
    }
}

/// One client's watch.
pub struct Watcher {
    registry: Registry,
    selection: Selection,
    revision: watch::Receiver<Revision>,
    /// Becomes true when the member loses contact with the others.
    lost: watch::Receiver<bool>,
    /// Everything up to this revision has been read.
    position: Revision,
    /// Everything up to this revision has been sent.
    told: Revision,
    bookmarks: bool,
    /// When the next bookmark is due.
    bookmark_at: Instant,
    /// When the watch ends.
    deadline: Instant,
    initial: VecDeque<Event>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.registry.member().metrics().watchers.dec();
    }
}

impl Watcher {
    /// Starts a watch at the requested position.
    pub async fn start(
        registry: Registry,
        selection: Selection,
        start: WatchStart,
        bookmarks: bool,
        deadline: Instant,
    ) -> Result<Self, Error> {
        if registry.member().metrics().watchers.get() >= WATCHES {
            return Err(Error::too_many_requests("too many watches are open, please try again later"));
        }
        let (revision, lost) = (registry.member().view().watch_revision(), registry.contact_lost());
        if *lost.borrow() {
            return Err(out_of_touch());
        }
        registry.member().metrics().watchers.inc();
        let mut watcher = Self {
            registry,
            selection,
            revision,
            lost,
            position: 0,
            told: 0,
            bookmarks,
            bookmark_at: later(Instant::now(), BOOKMARK_INTERVAL),
            deadline,
            initial: VecDeque::new(),
        };
        match start {
            WatchStart::Initial(freshness) => watcher.list(freshness).await?,
            WatchStart::Now(freshness) => watcher.position = watcher.registry.state(freshness).await?.revision(),
            WatchStart::After(revision) => {
                watcher.position = revision;
                watcher.registry.wait_for_revision(revision).await?;
                // Reports an expired revision immediately.
                watcher.changes()?;
            }
        }
        watcher.told = watcher.position;
        Ok(watcher)
    }

    async fn list(&mut self, freshness: Freshness) -> Result<(), Error> {
        let state = self.registry.state(freshness).await?;
        Registry::confirm(&state, self.served())?;
        self.position = state.revision();
        for (_, entry) in self.selection.candidates(&state, "") {
            if self.selection.matches(&entry.value)? {
                self.initial.push_back(Event::Object {
                    fate: Fate::Added,
                    value: entry.value.clone(),
                    revision: entry.mod_revision,
                });
            }
        }
        if self.bookmarks {
            self.initial.push_back(Event::Bookmark { revision: self.position, initial_events_end: true });
        }
        Ok(())
    }

    fn next_initial(&mut self) -> Vec<Event> {
        let mut bytes = 0;
        let within = self.initial.iter().take(BATCH.count).take_while(|event| {
            let begins_within = bytes < BATCH.bytes;
            bytes = bytes.saturating_add(event.bytes());
            begins_within
        });
        let count = within.count();
        self.initial.drain(..count).collect()
    }

    fn changes(&self) -> Result<Vec<Change>, Error> {
        let changes = self.registry.member().view().changes_after(self.position, BATCH);
        changes.map_err(|oldest| Error::expired(self.position, oldest))
    }

    /// Returns the kind of the watched objects.
    #[must_use]
    pub fn served(&self) -> &Served {
        &self.selection.served
    }

    /// Waits for the next events and returns them, never an empty list. Returns `None` when the watch has ended.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        if !self.initial.is_empty() {
            return Ok(Some(self.next_initial()));
        }
        while Instant::now() < self.deadline {
            // Marked as seen before reading, so that changes made meanwhile are seen the next time.
            self.revision.borrow_and_update();
            let changes = self.changes().inspect_err(|_| {
                self.registry.member().metrics().dropped_watchers.inc();
            })?;
            let mut events = Vec::new();
            for change in &changes {
                if self.replaces_rules(change) {
                    // Kubernetes ends such a watch too. The client goes on by the new rules.
                    self.deadline = Instant::now();
                    return Ok((!events.is_empty()).then_some(events));
                }
                self.position = change.revision;
                if let Some(event) = self.event(change)? {
                    self.told = change.revision;
                    events.push(event);
                }
                if is_election(change) {
                    self.bookmark_at = Instant::now();
                }
            }
            if !events.is_empty() {
                return Ok(Some(events));
            }
            if changes.is_empty()
                && let Some(bookmark) = self.wait().await?
            {
                return Ok(Some(vec![bookmark]));
            }
        }
        Ok(None)
    }

    /// Whether a change replaces the definition whose rules the watched objects are read by.
    fn replaces_rules(&self, change: &Change) -> bool {
        let served = self.served();
        served
            .version
            .as_ref()
            .is_some_and(|version| change.revision > version.revision() && *change.key == *definition_key(served.kind))
    }

    /// Waits for a change, or until a bookmark is due. The last bookmark comes when the watch ends.
    async fn wait(&mut self) -> Result<Option<Event>, Error> {
        tokio::select! {
            changed = self.revision.changed() => {
                return changed.map(|()| None).map_err(|_| Error::unavailable("the apiserver is shutting down"));
            }
            _ = self.lost.wait_for(|lost| *lost) => return Err(out_of_touch()),
            () = tokio::time::sleep_until(self.bookmark_at.min(self.deadline)) => {
                self.bookmark_at = later(Instant::now(), BOOKMARK_INTERVAL);
            }
        }
        let news = self.bookmarks && self.position > self.told;
        self.told = self.position;
        Ok(news.then_some(Event::Bookmark { revision: self.position, initial_events_end: false }))
    }

    /// Translates a change for this client: an object that stops matching is deleted, one that starts is added.
    fn event(&self, change: &Change) -> Result<Option<Event>, Error> {
        if !change.key.starts_with(&self.selection.prefix) {
            return Ok(None);
        }
        let matching = |value: Option<&Bytes>| value.map_or(Ok(false), |value| self.selection.matches(value));
        let previous = change.previous.as_ref().map(|entry| &entry.value);
        let (before, after) = (matching(previous)?, matching(change.value.as_ref())?);
        let (fate, value) = match (before, after) {
            (false, false) => return Ok(None),
            (false, true) => (Fate::Added, change.value.as_ref()),
            (true, true) => (Fate::Modified, change.value.as_ref()),
            (true, false) => (Fate::Deleted, previous),
        };
        Ok(value.map(|value| Event::Object { fate, value: value.clone(), revision: change.revision }))
    }
}

/// Whether the change elects someone else. Every watch then sends its position immediately: a new leader decides
/// nothing before it has seen all writes of its predecessors.
fn is_election(change: &Change) -> bool {
    change.key.starts_with(keys::FENCES) && change.previous.as_ref().map(|entry| &entry.value) != change.value.as_ref()
}
