//! Watches: the changes of a collection after a revision, in order, complete, each once.
//!
//! A watch has no queue of its own: it reads the shared history from where it is. One that falls behind what the
//! history keeps ends in 410 Expired.

use std::time::Duration;

use squall_api::Error;
use squall_api::meta::parse_resource_version;
use squall_proto::squall::api::v1::WatchReply;
use squall_proto::squall::api::v1::watch_reply::Type;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::registry::{Registry, Selection, any};
use crate::store::{Change, Revision};

/// How many changes are read from the history at a time.
const BATCH: usize = 256;
/// How often a client that wants bookmarks is told how far the watch is.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);

/// One client's watch.
pub struct Watcher {
    registry: Registry,
    selection: Selection,
    revision: watch::Receiver<Revision>,
    /// Everything up to here has been looked at.
    position: Revision,
    /// Everything up to here has been told.
    told: Revision,
    bookmarks: bool,
    /// When the next bookmark is due.
    bookmark_at: Instant,
    initial: Vec<WatchReply>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.registry.member().metrics().watchers.dec();
    }
}

impl Watcher {
    /// Begins after a revision, or with all objects there are ("" the most recent, "0" any state).
    pub async fn start(
        registry: Registry,
        selection: Selection,
        resource_version: &str,
        bookmarks: bool,
    ) -> Result<Self, Error> {
        let revision = registry.member().view().watch_revision();
        registry.member().metrics().watchers.inc();
        let mut watcher = Self {
            registry,
            selection,
            revision,
            position: 0,
            told: 0,
            bookmarks,
            bookmark_at: Instant::now() + BOOKMARK_INTERVAL,
            initial: Vec::new(),
        };
        match resource_version {
            "" | "0" => watcher.list(resource_version).await?,
            text => {
                watcher.position = parse_resource_version(text)?;
                watcher.registry.wait_for_revision(watcher.position).await?;
                // An expired revision is told at once.
                watcher.changes()?;
            }
        }
        watcher.told = watcher.position;
        Ok(watcher)
    }

    async fn list(&mut self, resource_version: &str) -> Result<(), Error> {
        let state = self.registry.state_for(resource_version).await?;
        self.position = state.revision();
        for (_, entry) in state.range(&self.selection.prefix) {
            if self.selection.matches(&entry.value)? {
                self.initial.push(reply(Type::Added, &self.selection, &entry.value, entry.mod_revision));
            }
        }
        if self.bookmarks {
            self.initial.push(WatchReply { initial_events_end: true, ..bookmark(self.position) });
        }
        Ok(())
    }

    fn changes(&self) -> Result<Vec<Change>, Error> {
        let changes = self.registry.member().view().changes_after(self.position, BATCH);
        changes.map_err(|oldest| Error::expired(self.position, oldest))
    }

    /// The next events; never an empty list. Waits until there are some.
    pub async fn next(&mut self) -> Result<Vec<WatchReply>, Error> {
        if !self.initial.is_empty() {
            return Ok(std::mem::take(&mut self.initial));
        }
        loop {
            // Marked as seen before reading, so that what comes meanwhile is seen the next time.
            self.revision.borrow_and_update();
            let changes = self.changes().inspect_err(|_| {
                self.registry.member().metrics().dropped_watchers.inc();
            })?;
            let mut events = Vec::new();
            for change in &changes {
                self.position = change.revision;
                events.extend(self.event(change)?);
            }
            if !events.is_empty() {
                self.told = self.position;
                return Ok(events);
            }
            if changes.is_empty()
                && let Some(bookmark) = self.wait().await?
            {
                return Ok(vec![bookmark]);
            }
        }
    }

    /// Waits for a change, or until a bookmark is due.
    async fn wait(&mut self) -> Result<Option<WatchReply>, Error> {
        match tokio::time::timeout_at(self.bookmark_at, self.revision.changed()).await {
            Ok(Ok(())) => return Ok(None),
            Ok(Err(_)) => return Err(Error::unavailable("the apiserver is shutting down")),
            Err(_) => self.bookmark_at = Instant::now() + BOOKMARK_INTERVAL,
        }
        let news = self.bookmarks && self.position > self.told;
        self.told = self.position;
        Ok(news.then(|| bookmark(self.position)))
    }

    /// What a change means to this client: an object that stops matching is deleted for it, one that starts is new.
    fn event(&self, change: &Change) -> Result<Option<WatchReply>, Error> {
        if !change.key.starts_with(&self.selection.prefix) {
            return Ok(None);
        }
        let matching = |value: Option<&bytes::Bytes>| value.map_or(Ok(false), |value| self.selection.matches(value));
        let (before, after) = (matching(change.previous.as_ref())?, matching(change.value.as_ref())?);
        let (kind, value) = match (before, after) {
            (false, false) => return Ok(None),
            (false, true) => (Type::Added, change.value.as_ref()),
            (true, true) => (Type::Modified, change.value.as_ref()),
            (true, false) => (Type::Deleted, change.previous.as_ref()),
        };
        Ok(value.map(|value| reply(kind, &self.selection, value, change.revision)))
    }
}

fn reply(kind: Type, selection: &Selection, value: &[u8], revision: Revision) -> WatchReply {
    WatchReply {
        r#type: kind.into(),
        object: Some(any(selection.kind, value, revision)),
        resource_version: revision.to_string(),
        initial_events_end: false,
    }
}

fn bookmark(revision: Revision) -> WatchReply {
    WatchReply { r#type: Type::Bookmark.into(), resource_version: revision.to_string(), ..WatchReply::default() }
}
