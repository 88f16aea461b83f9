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
        size_of::<Self>() + self.key.len() + previous + self.value.as_ref().map_or(0, Bytes::len)
    }
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

    /// Adds the next changes and drops the oldest ones beyond the size limit.
    pub fn extend(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.bytes += change.bytes();
            self.changes.push_back(change);
        }
        while self.bytes > self.max_bytes
            && let Some(oldest) = self.changes.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.compacted = oldest.revision;
        }
    }

    /// Returns up to `limit` changes after a revision. If some of them are no longer kept, returns `Err` with the
    /// oldest revision from which a reader can continue.
    pub fn after(&self, revision: Revision, limit: usize) -> Result<Vec<Change>, Revision> {
        if revision < self.compacted {
            return Err(self.compacted);
        }
        let start = self.changes.partition_point(|change| change.revision <= revision);
        Ok(self.changes.range(start..).take(limit).cloned().collect())
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
        let revisions =
            |after, limit| history.after(after, limit).map(|c| c.iter().map(|c| c.revision).collect::<Vec<_>>());
        assert_eq!(revisions(10, 3), Ok(vec![11, 12, 13]));
        assert_eq!(revisions(18, 9), Ok(vec![19, 20]));
        assert_eq!(revisions(20, 9), Ok(vec![]));
        assert_eq!(revisions(25, 9), Ok(vec![]));
        assert_eq!(revisions(9, 9), Err(10));
    }

    #[test]
    fn what_is_dropped_is_reported_as_expired() {
        let size = change(1).bytes();
        let mut history = History::new(0, 3 * size);
        history.extend((1..=5).map(change));
        assert_eq!(history.after(1, 9), Err(2));
        assert_eq!(history.after(2, 9).unwrap().len(), 3);
    }
}
