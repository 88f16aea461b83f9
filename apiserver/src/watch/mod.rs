//! Watches: the changes of a collection after a revision, in order, complete, each once.
//!
//! A watch has no queue of its own: it reads the shared history from where it is. One that falls behind what the
//! history keeps ends in 410 Expired.

use std::time::Duration;

use bytes::Bytes;
use squall_api::{Error, Kind};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::keys;
use crate::registry::{Freshness, Registry, Selection, WatchStart, out_of_touch};
use crate::store::{Change, Revision};

/// How many changes are read from the history at a time.
const BATCH: usize = 256;
/// How many watches a member serves at once.
const WATCHES: i64 = 16_384;
/// How often a client that wants bookmarks is told how far the watch is.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);

/// What has become of an object, as far as a watch is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is new, or matches now.
    Added,
    /// It has changed.
    Modified,
    /// It is gone, or matches no longer.
    Deleted,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An object, as it is stored.
    Object {
        /// What has become of it.
        fate: Fate,
        /// What it is now, or was last.
        value: Bytes,
        /// The revision of the change.
        revision: Revision,
    },
    /// Everything up to a revision has been told.
    Bookmark {
        /// The revision.
        revision: Revision,
        /// All objects that there were in the beginning have been told.
        initial_events_end: bool,
    },
}

/// One client's watch.
pub struct Watcher {
    registry: Registry,
    selection: Selection,
    revision: watch::Receiver<Revision>,
    /// The member hears of nothing any more.
    lost: watch::Receiver<bool>,
    /// Everything up to here has been looked at.
    position: Revision,
    /// Everything up to here has been told.
    told: Revision,
    bookmarks: bool,
    /// When the next bookmark is due.
    bookmark_at: Instant,
    /// When the watch ends.
    deadline: Instant,
    initial: Vec<Event>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.registry.member().metrics().watchers.dec();
    }
}

impl Watcher {
    /// Begins where it is told to.
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
            bookmark_at: Instant::now() + BOOKMARK_INTERVAL,
            deadline,
            initial: Vec::new(),
        };
        match start {
            WatchStart::Initial(freshness) => watcher.list(freshness).await?,
            WatchStart::Now(freshness) => watcher.position = watcher.registry.state(freshness).await?.revision(),
            WatchStart::After(revision) => {
                watcher.position = revision;
                watcher.registry.wait_for_revision(revision).await?;
                // An expired revision is told at once.
                watcher.changes()?;
            }
        }
        watcher.told = watcher.position;
        Ok(watcher)
    }

    async fn list(&mut self, freshness: Freshness) -> Result<(), Error> {
        let state = self.registry.state(freshness).await?;
        self.position = state.revision();
        for (_, entry) in self.selection.candidates(&state, "") {
            if self.selection.matches(&entry.value)? {
                self.initial.push(Event::Object {
                    fate: Fate::Added,
                    value: entry.value.clone(),
                    revision: entry.mod_revision,
                });
            }
        }
        if self.bookmarks {
            self.initial.push(Event::Bookmark { revision: self.position, initial_events_end: true });
        }
        Ok(())
    }

    fn changes(&self) -> Result<Vec<Change>, Error> {
        let changes = self.registry.member().view().changes_after(self.position, BATCH);
        changes.map_err(|oldest| Error::expired(self.position, oldest))
    }

    /// The kind of the objects.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.selection.kind
    }

    /// The next events; never an empty list. Waits until there are some. `None`: the watch has come to its end.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        if !self.initial.is_empty() {
            return Ok(Some(std::mem::take(&mut self.initial)));
        }
        while Instant::now() < self.deadline {
            // Marked as seen before reading, so that what comes meanwhile is seen the next time.
            self.revision.borrow_and_update();
            let changes = self.changes().inspect_err(|_| {
                self.registry.member().metrics().dropped_watchers.inc();
            })?;
            let mut events = Vec::new();
            for change in &changes {
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

    /// Waits for a change, or until a bookmark is due; the last one is when the watch ends.
    async fn wait(&mut self) -> Result<Option<Event>, Error> {
        tokio::select! {
            changed = self.revision.changed() => {
                return changed.map(|()| None).map_err(|_| Error::unavailable("the apiserver is shutting down"));
            }
            _ = self.lost.wait_for(|lost| *lost) => return Err(out_of_touch()),
            () = tokio::time::sleep_until(self.bookmark_at.min(self.deadline)) => {
                self.bookmark_at = Instant::now() + BOOKMARK_INTERVAL;
            }
        }
        let news = self.bookmarks && self.position > self.told;
        self.told = self.position;
        Ok(news.then_some(Event::Bookmark { revision: self.position, initial_events_end: false }))
    }

    /// What a change means to this client: an object that stops matching is deleted for it, one that starts is new.
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

/// Whether somebody else has been elected by it. Every watch is told at once how far it is: whoever was elected decides
/// nothing before it has seen all that those before it wrote.
fn is_election(change: &Change) -> bool {
    change.key.starts_with(keys::FENCES) && change.previous.as_ref().map(|entry| &entry.value) != change.value.as_ref()
}
