//! The map itself and the one way to change it.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use super::history::Change;
use super::index::{Index, Term};
use super::requests::Requests;
use super::transaction::{Compare, Outcome, Revision, Target, Transaction, Write};

/// A value and the revisions at which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value, in a buffer of its own size.
    pub value: Bytes,
    /// Revision at which the key was created.
    pub create_revision: Revision,
    /// Revision of its last change.
    pub mod_revision: Revision,
}

/// The whole state. Clones are cheap and never change.
#[derive(Debug, Clone, Default)]
pub struct State {
    revision: Revision,
    entries: OrdMap<Arc<str>, Entry>,
    hash: u64,
    index: Index,
}

impl State {
    /// Returns the number of changes so far.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns a checksum of all keys, values and revisions: equal states have equal hashes.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entry at a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Returns the entries whose keys start with the prefix, in key order.
    pub fn range<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries
            .range::<_, str>((Bound::Included(prefix), Bound::Unbounded))
            .map(|(key, entry)| (key.as_ref(), entry))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Applies a transaction. A repetition changes nothing and returns the outcome of the first time.
    pub fn apply(&mut self, transaction: Transaction, requests: &mut Requests, changes: &mut Vec<Change>) -> Outcome {
        if let Some(outcome) = requests.outcome(&transaction.request_id) {
            return outcome;
        }
        let failed = transaction.compares.iter().position(|compare| !self.holds(compare));
        let outcome = match failed {
            Some(place) => Outcome::Refused(place, self.revision),
            None => {
                for write in transaction.writes {
                    changes.extend(self.write(write));
                }
                Outcome::Applied(self.revision)
            }
        };
        requests.remember(transaction.request_id, outcome);
        outcome
    }

    fn holds(&self, compare: &Compare) -> bool {
        let entry = self.entries.get(compare.key.as_str());
        match &compare.target {
            Target::ModRevision(revision) => entry.map_or(0, |entry| entry.mod_revision) == *revision,
            Target::Value(value) => entry.is_some_and(|entry| entry.value == value),
        }
    }

    /// Deleting a key that does not exist is no change.
    fn write(&mut self, write: Write) -> Option<Change> {
        let key: Arc<str> = write.key.into();
        let previous = self.entries.get(&key).cloned();
        if write.value.is_none() && previous.is_none() {
            return None;
        }
        self.revision = self.revision.saturating_add(1);
        if let Some(previous) = &previous {
            self.hash = self.hash.wrapping_sub(hash_entry(&key, previous));
        }
        match &write.value {
            Some(value) => {
                let create_revision = previous.as_ref().map_or(self.revision, |previous| previous.create_revision);
                let entry = Entry { value: value.clone(), create_revision, mod_revision: self.revision };
                self.restore_entry(key.clone(), entry);
            }
            None => self.remove(&key),
        }
        Some(Change::new(self.revision, key, previous, write.value))
    }

    /// Returns the entries whose keys start with the prefix and are not before `start`, in key order.
    pub fn range_from<'a>(&'a self, prefix: &'a str, start: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        self.entries
            .range::<_, str>((Bound::Included(start.max(prefix)), Bound::Unbounded))
            .map(|(key, entry)| (key.as_ref(), entry))
            .take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// Returns an earlier state by undoing the last changes. It is only for reading: its hash is meaningless.
    #[must_use]
    pub fn before(&self, revision: Revision, changes: &[Change]) -> Self {
        let mut earlier = Self { revision, hash: 0, ..self.clone() };
        for change in changes.iter().rev() {
            match &change.previous {
                Some(entry) => earlier.insert(change.key.clone(), entry.clone()),
                None => earlier.remove(&change.key),
            }
        }
        earlier
    }

    /// Returns an empty state to fill from a snapshot.
    #[must_use]
    pub fn at_revision(revision: Revision) -> Self {
        Self { revision, ..Self::default() }
    }

    /// Restores an entry of a snapshot.
    pub fn restore_entry(&mut self, key: Arc<str>, entry: Entry) {
        self.hash = self.hash.wrapping_add(hash_entry(&key, &entry));
        self.insert(key, entry);
    }

    fn insert(&mut self, key: Arc<str>, entry: Entry) {
        let new = entry.value.clone();
        let old = self.entries.insert(key.clone(), entry);
        self.index.change(&key, old.as_ref().map(|old| &*old.value), Some(&new));
    }

    fn remove(&mut self, key: &Arc<str>) {
        let old = self.entries.remove(key);
        self.index.change(key, old.as_ref().map(|old| &*old.value), None);
    }

    /// Returns the entries of a range that may have one term of each group, in key order: all that have, and a few
    /// others. Without groups, returns all entries.
    pub fn candidates<'a>(
        &'a self,
        prefix: &'a str,
        start: &'a str,
        groups: &[Vec<Term>],
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Entry)> + Send + 'a> {
        if groups.is_empty() {
            return Box::new(self.range_from(prefix, start));
        }
        let keys = self.index.candidates(groups, prefix, start);
        let entries = keys.into_iter().filter_map(|key| self.entries.get_key_value(&key));
        Box::new(entries.map(|(key, entry)| (key.as_ref(), entry)))
    }
}

/// The state's hash is the sum of its entries' hashes, so that each change can update it.
fn hash_entry(key: &str, entry: &Entry) -> u64 {
    let mut low = crc32fast::Hasher::new();
    low.update(key.as_bytes());
    low.update(&entry.mod_revision.to_le_bytes());
    let mut high = low.clone();
    high.update(&entry.create_revision.to_le_bytes());
    low.update(&entry.value);
    high.update(&entry.value);
    mix(u64::from(high.finalize()) << 32 | u64::from(low.finalize()))
}

/// Spreads every bit over the whole word (splitmix64), so that sums of checksums do not cancel out.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn put(id: u8, key: &str, value: &str, compares: Vec<Compare>) -> Transaction {
        let write = Write { key: key.to_owned(), value: Some(Bytes::from(value.to_owned())) };
        Transaction { request_id: [id; 16], compares, writes: vec![write] }
    }

    fn at(key: &str, revision: Revision) -> Compare {
        Compare { key: key.to_owned(), target: Target::ModRevision(revision) }
    }

    #[test]
    fn a_transaction_happens_wholly_or_not_at_all() {
        let mut store = Store::default();
        assert_eq!(store.apply(put(1, "a", "1", vec![at("a", 0)])), Outcome::Applied(1));
        assert_eq!(store.apply(put(2, "a", "2", vec![at("a", 0)])), Outcome::Refused(0, 1));
        assert_eq!(store.apply(put(3, "a", "2", vec![at("b", 0), at("a", 1)])), Outcome::Applied(2));
        let value = Compare { key: "a".to_owned(), target: Target::Value(Bytes::from("2")) };
        assert_eq!(store.apply(put(4, "b", "x", vec![value])), Outcome::Applied(3));
        assert_eq!(store.changes.len(), 3);
        assert_eq!(store.state.get("a").map(|entry| (entry.create_revision, entry.mod_revision)), Some((1, 2)));
    }

    #[test]
    fn a_repeated_request_is_applied_once() {
        let mut store = Store::default();
        for _ in 0..3 {
            assert_eq!(store.apply(put(1, "a", "1", vec![at("a", 0)])), Outcome::Applied(1));
        }
        assert_eq!((store.changes.len(), store.state.revision()), (1, 1));
    }

    #[test]
    fn the_hash_tells_states_apart_and_does_not_depend_on_the_way() {
        let (mut one, mut two) = (Store::default(), Store::default());
        one.apply(put(1, "a", "1", Vec::new()));
        two.apply(put(1, "a", "1", Vec::new()));
        assert_eq!(one.state.hash(), two.state.hash());
        two.apply(put(2, "a", "2", Vec::new()));
        assert_ne!(one.state.hash(), two.state.hash());
        let mut restored = State::at_revision(two.state.revision());
        for (key, entry) in two.state.range("") {
            restored.restore_entry(key.into(), entry.clone());
        }
        assert_eq!(restored.hash(), two.state.hash());
    }

    #[test]
    fn changes_can_be_undone() {
        let mut store = Store::default();
        store.apply(put(1, "a", "1", Vec::new()));
        store.apply(put(2, "b", "1", Vec::new()));
        let then = store.state.clone();
        store.apply(put(3, "a", "2", Vec::new()));
        store.apply(put(4, "c", "1", Vec::new()));
        let gone = vec![Write { key: "b".to_owned(), value: None }];
        store.apply(Transaction { request_id: [5; 16], compares: vec![], writes: gone });
        let earlier = store.state.before(2, &store.changes[2..]);
        assert_eq!(earlier.range("").collect::<Vec<_>>(), then.range("").collect::<Vec<_>>());
        assert_eq!(earlier.revision(), 2);
    }

    #[test]
    fn ranges_are_by_prefix_and_in_order() {
        let mut store = Store::default();
        for (id, key) in ["b/1", "a/2", "a/1", "a0", "b/2"].into_iter().enumerate() {
            store.apply(put(u8::try_from(id).unwrap(), key, "x", Vec::new()));
        }
        let keys: Vec<&str> = store.state.range("a/").map(|(key, _)| key).collect();
        assert_eq!(keys, ["a/1", "a/2"]);
        assert_eq!(store.state.range_from("a/", "a/1\0").map(|(key, _)| key).collect::<Vec<_>>(), ["a/2"]);
        assert_eq!(store.state.range_from("a/", "").count(), 2);
        let delete = |key: &str| vec![Write { key: key.to_owned(), value: None }];
        let count = store.changes.len();
        store.apply(Transaction { request_id: [9; 16], compares: vec![], writes: delete("nothing") });
        assert_eq!(store.changes.len(), count, "deleting nothing is no change");
        store.apply(Transaction { request_id: [10; 16], compares: vec![], writes: delete("a/1") });
        assert_eq!(store.state.range("a/").count(), 1);
    }
}
