//! The index from terms to keys: serves selectors, and is updated with every change.
//!
//! A term is the hash of its meaning. If two meanings have the same hash, a lookup also finds objects that do not
//! match. It never misses one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;
use squall_api::Kind;

use crate::scan;

/// A property by which objects of a collection can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(u64);

impl Term {
    /// The object has a label with this key.
    #[must_use]
    pub fn labeled(collection: &str, key: &str) -> Self {
        Self::of((collection, "labeled", key, ""))
    }

    /// The object has a label with this key and value.
    #[must_use]
    pub fn label(collection: &str, key: &str, value: &str) -> Self {
        Self::of((collection, "label", key, value))
    }

    /// A field of the object has this value.
    #[must_use]
    pub fn field(collection: &str, name: &str, value: &str) -> Self {
        Self::of((collection, "field", name, value))
    }

    fn of(meaning: (&str, &str, &str, &str)) -> Self {
        // The hash is the same in every process, but nothing depends on that: indexes are not stored.
        let mut hasher = DefaultHasher::new();
        meaning.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The index of a state. Clones are cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    keys: OrdSet<(Term, Arc<str>)>,
}

impl Index {
    /// Updates the index after a change of the value at a key.
    pub(super) fn change(&mut self, key: &Arc<str>, old: Option<&[u8]>, new: Option<&[u8]>) {
        let (old, new) = (terms(key, old), terms(key, new));
        for gone in old.difference(&new) {
            self.keys.remove(&(*gone, key.clone()));
        }
        for come in new.difference(&old) {
            self.keys.insert((*come, key.clone()));
        }
    }

    /// Returns the keys with a term that start with the prefix and are not before `start`, in order.
    pub(super) fn keys<'a>(&'a self, term: Term, prefix: &'a str, start: &str) -> impl Iterator<Item = &'a Arc<str>> {
        let from = (term, Arc::from(start.max(prefix)));
        self.keys
            .range((Bound::Included(from), Bound::Unbounded))
            .take_while(move |(other, key)| *other == term && key.starts_with(prefix))
            .map(|(_, key)| key)
    }

    /// Returns the keys of the group with the fewest keys. They include all keys that have one term of each group.
    pub(super) fn candidates(&self, groups: &[Vec<Term>], prefix: &str, start: &str) -> BTreeSet<Arc<str>> {
        let keys = |group: &Vec<Term>| {
            let group: Vec<Term> = group.clone();
            group.into_iter().flat_map(|term| self.keys(term, prefix, start))
        };
        let mut counters: Vec<_> = groups.iter().map(keys).collect();
        // All advance at the same pace: the first to end has the fewest.
        let fewest = loop {
            match counters.iter_mut().position(|counter| counter.next().is_none()) {
                Some(place) => break place,
                None if counters.is_empty() => return BTreeSet::new(),
                None => {}
            }
        };
        keys(&groups[fewest]).cloned().collect()
    }
}

/// Returns the terms of a value. Anything that is not an object or cannot be decoded has none: reading it fails anyway.
fn terms(key: &str, value: Option<&[u8]>) -> BTreeSet<Term> {
    let mut terms = BTreeSet::new();
    let (Some(value), Some((collection, kind))) = (value, collection_of(key)) else { return terms };
    let _ = scan::for_each_label(value, |key, value| {
        terms.insert(Term::labeled(collection, key));
        terms.insert(Term::label(collection, key, value));
    });
    for field in kind.into_iter().flat_map(scan::fields).filter(|field| field.indexed) {
        if let Ok(text) = field.read(value) {
            terms.insert(Term::field(collection, field.name, text));
        }
    }
    terms
}

/// Returns the collection of an object, `deployments.apps`, and its kind if that is built in. Others are custom: their
/// groups have a dot.
fn collection_of(key: &str) -> Option<(&str, Option<Kind>)> {
    let (collection, _) = key.split_once('/')?;
    let (plural, group) = collection.split_once('.').unwrap_or((collection, ""));
    let kind = Kind::find(group, plural);
    (kind.is_some() || group.contains('.')).then_some((collection, kind))
}
