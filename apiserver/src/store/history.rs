//! The most recent changes by revision, from which watches are served.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::state::Entry;
use super::transaction::Revision;

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Revision that the change made.
    pub revision: Revision,
    /// The changed key.
    pub key: Arc<str>,
    /// Entry before the change; `None` if there was none.
    pub previous: Option<Entry>,
    /// Value after the change; `None` if the key was deleted.
    pub value: Option<Bytes>,
}

impl Change {
    pub(super) fn new(revision: Revision, key: Arc<str>, previous: Option<Entry>, value: Option<Bytes>) -> Self {
        Self { revision, key, previous, value }
    }

    fn bytes(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, |entry| entry.value.len());
        let parts = [size_of::<Self>(), self.key.len(), previous, self.value.as_ref().map_or(0, Bytes::len)];
        parts.into_iter().fold(0, usize::saturating_add)
    }
}

/// How much of the history to read at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Maximum number of changes.
    pub count: usize,
    /// No change is read after this many bytes.
    pub bytes: usize,
}

impl Limit {
    /// Everything; the history itself is bounded.
    pub const NONE: Self = Self { count: usize::MAX, bytes: usize::MAX };
}

/// The most recent changes without gaps, up to a total size.
#[derive(Debug)]
pub struct History {
    changes: VecDeque<Change>,
    bytes: usize,
    max_bytes: usize,
    /// Changes up to this revision are no longer kept.
    compacted: Revision,
}

impl History {
    /// Creates a history that starts after a revision and keeps at most `max_bytes`.
    #[must_use]
    pub fn new(after: Revision, max_bytes: usize) -> Self {
        Self { changes: VecDeque::new(), bytes: 0, max_bytes, compacted: after }
    }

    /// Creates a history that ends with these changes, the last of which made `revision`.
    #[must_use]
    pub fn resumed(changes: Vec<Change>, revision: Revision, max_bytes: usize) -> Self {
        let after = changes.first().map_or(revision, |first| first.revision.saturating_sub(1));
        let mut history = Self::new(after, max_bytes);
        history.extend(changes);
        history
    }

    /// Returns the last changes, up to a number of bytes.
    pub fn tail(&self, max_bytes: usize) -> Vec<Change> {
        let mut bytes = 0usize;
        let within = self.changes.iter().rev().take_while(|change| {
            bytes = bytes.saturating_add(change.bytes());
            bytes <= max_bytes
        });
        let count = within.count();
        self.changes.range(self.changes.len().saturating_sub(count)..).cloned().collect()
    }

    /// Adds the next changes and drops the oldest ones beyond the size limit.
    pub fn extend(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.bytes = self.bytes.saturating_add(change.bytes());
            self.changes.push_back(change);
        }
        while self.bytes > self.max_bytes
            && let Some(oldest) = self.changes.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
            self.compacted = oldest.revision;
        }
    }

    /// Returns the changes after a revision, up to a limit. If some of them are no longer kept, returns `Err` with the
    /// oldest revision from which a reader can continue.
    pub fn after(&self, revision: Revision, limit: Limit) -> Result<Vec<Change>, Revision> {
        if revision < self.compacted {
            return Err(self.compacted);
        }
        let start = self.changes.partition_point(|change| change.revision <= revision);
        let mut bytes = 0usize;
        let within = self.changes.range(start..).take(limit.count).take_while(|change| {
            let begins_within = bytes < limit.bytes;
            bytes = bytes.saturating_add(change.bytes());
            begins_within
        });
        Ok(within.cloned().collect())
    }

    /// Returns the value of a key before its removal, if that is still kept.
    pub fn value_before_removal(&self, key: &str) -> Option<Bytes> {
        let last = self.changes.iter().rev().find(|change| change.key.as_ref() == key)?;
        last.previous.as_ref().filter(|_| last.value.is_none()).map(|entry| entry.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: Revision) -> Change {
        Change::new(revision, "key".into(), None, Some(Bytes::from_static(b"value")))
    }

    #[test]
    fn changes_come_in_order_and_without_a_gap() {
        let mut history = History::new(10, 1 << 20);
        history.extend((11..=20).map(change));
        let revisions = |after, count| {
            history
                .after(after, Limit { count, ..Limit::NONE })
                .map(|c| c.iter().map(|c| c.revision).collect::<Vec<_>>())
        };
        assert_eq!(revisions(10, 3), Ok(vec![11, 12, 13]));
        assert_eq!(revisions(18, 9), Ok(vec![19, 20]));
        assert_eq!(revisions(20, 9), Ok(vec![]));
        assert_eq!(revisions(25, 9), Ok(vec![]));
        assert_eq!(revisions(9, 9), Err(10));
        let bytes = |bytes| history.after(10, Limit { bytes, ..Limit::NONE }).unwrap().len();
        let size = change(11).bytes();
        assert_eq!([1, size, size + 1, 3 * size].map(bytes), [1, 1, 2, 3], "at least one, and no more than needed");
    }

    #[test]
    fn a_history_continues_from_its_last_changes() {
        let mut history = History::new(10, 1 << 20);
        history.extend((11..=20).map(change));
        let tail = history.tail(3 * change(11).bytes());
        let mut resumed = History::resumed(tail, 20, 1 << 20);
        resumed.extend([change(21)]);
        assert_eq!(resumed.after(17, Limit::NONE).unwrap().len(), 4, "18 to 21");
        assert_eq!(resumed.after(16, Limit::NONE), Err(17));
        assert_eq!(History::resumed(Vec::new(), 20, 1).after(19, Limit::NONE), Err(20));
    }

    #[test]
    fn what_is_dropped_is_reported_as_expired() {
        let size = change(1).bytes();
        let mut history = History::new(0, 3 * size);
        history.extend((1..=5).map(change));
        assert_eq!(history.after(1, Limit::NONE), Err(2));
        assert_eq!(history.after(2, Limit::NONE).unwrap().len(), 3);
    }
}
