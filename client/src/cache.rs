//! A local copy of a collection, kept up to date by a watch, with the revision that it has reached. Controllers read
//! from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use squall_api::kinds::Meta;
use squall_api::{Kind, Object, meta};
use tokio::sync::watch;

use crate::client::Client;
use crate::error::Error;
use crate::watch::{Event, Selection, Watch};

/// Namespace and name.
type Key = (String, String);

/// A change of one object.
#[derive(Debug)]
pub struct Change<K> {
    /// The object before the change; `None` if it is new.
    pub old: Option<Arc<K>>,
    /// The object after the change; `None` if it is gone.
    pub new: Option<Arc<K>>,
}

/// A cache of the objects of one kind. Clones share the objects.
pub struct Cache<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<K> {
    objects: RwLock<Objects<K>>,
    /// The revision up to which the cache is complete; 0 until it is complete for the first time.
    revision: watch::Sender<u64>,
}

struct Objects<K> {
    by_key: BTreeMap<Key, Arc<K>>,
    /// By the uid of the controlling owner; the empty uid stands for none.
    by_owner: HashMap<String, BTreeMap<Key, Arc<K>>>,
    /// By the result of `group_of`.
    by_group: HashMap<String, BTreeMap<Key, Arc<K>>>,
    group_of: fn(&K) -> &str,
}

impl<K: Meta> Objects<K> {
    fn insert(&mut self, object: Arc<K>) -> Option<Arc<K>> {
        let key = key(object.as_ref());
        let old = self.remove(&key);
        self.by_owner.entry(owner(object.as_ref())).or_default().insert(key.clone(), object.clone());
        self.by_group.entry((self.group_of)(&object).to_owned()).or_default().insert(key.clone(), object.clone());
        self.by_key.insert(key, object);
        old
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<K>> {
        let old = self.by_key.remove(key)?;
        take_out(&mut self.by_owner, &owner(old.as_ref()), key);
        take_out(&mut self.by_group, (self.group_of)(&old), key);
        Some(old)
    }
}

fn take_out<K>(index: &mut HashMap<String, BTreeMap<Key, Arc<K>>>, value: &str, key: &Key) {
    if let Some(keys) = index.get_mut(value) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
        }
    }
}

fn typed<K: TryFrom<Object, Error = Kind>>(object: Object) -> Result<K, Error> {
    K::try_from(object).map_err(|kind| {
        let message = format!("the watch of a cache delivered a {}", kind.info().kind);
        Error::Api(squall_api::Error::internal(message))
    })
}

fn key<K: Meta>(object: &K) -> Key {
    (object.meta().namespace.clone(), object.meta().name.clone())
}

fn owner<K: Meta>(object: &K) -> String {
    meta::controller_of(object.meta()).map(|owner| owner.uid.clone()).unwrap_or_default()
}

impl<K: Meta + TryFrom<Object, Error = Kind> + Send + Sync> Cache<K> {
    /// Creates an empty cache; [`Cache::follow`] fills it.
    #[must_use]
    pub fn new() -> Self {
        Self::grouped(|_| "")
    }

    /// Creates an empty cache with an index by group, for [`Cache::group`].
    #[must_use]
    pub fn grouped(group_of: fn(&K) -> &str) -> Self {
        let objects = Objects { by_key: BTreeMap::new(), by_owner: HashMap::new(), by_group: HashMap::new(), group_of };
        Self { inner: Arc::new(Inner { objects: RwLock::new(objects), revision: watch::Sender::new(0) }) }
    }

    /// Follows the collection and calls `changed` after each change. Returns only on an error that a retry cannot fix.
    pub async fn follow(&self, client: Client, selection: Selection, changed: impl Fn(Change<K>)) -> Error {
        let mut watch = Watch::new(client, selection);
        let mut seen: Option<BTreeSet<Key>> = None;
        loop {
            match watch.next().await.and_then(|event| self.take(event, &mut seen, &changed)) {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    }

    fn take(&self, event: Event, seen: &mut Option<BTreeSet<Key>>, changed: &impl Fn(Change<K>)) -> Result<(), Error> {
        match event {
            Event::Begin => *seen = Some(BTreeSet::new()),
            Event::Applied(object, revision) => {
                let new: Arc<K> = Arc::new(typed(*object)?);
                if let Some(seen) = seen {
                    seen.insert(key(new.as_ref()));
                }
                let old = self.write().insert(new.clone());
                if seen.is_none() {
                    self.reached(revision);
                }
                changed(Change { old, new: Some(new) });
            }
            Event::Deleted(object, revision) => {
                let gone: K = typed(*object)?;
                let old = self.write().remove(&key(&gone));
                if seen.is_none() {
                    self.reached(revision);
                }
                changed(Change { old: old.or_else(|| Some(Arc::new(gone))), new: None });
            }
            Event::Complete(revision) => {
                let kept = seen.take().unwrap_or_default();
                let gone: Vec<Key> = self.read().by_key.keys().filter(|key| !kept.contains(*key)).cloned().collect();
                for key in gone {
                    let old = self.write().remove(&key);
                    changed(Change { old, new: None });
                }
                // A collection that is read before the first write is complete too.
                self.reached(revision.max(1));
            }
            Event::Progress(revision) => {
                if seen.is_none() {
                    self.reached(revision);
                }
            }
        }
        Ok(())
    }

    /// Inserts one object as if the watch had delivered it at a revision. For tests of code that reads caches.
    pub fn show(&self, object: K, revision: u64) {
        self.write().insert(Arc::new(object));
        self.reached(revision);
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Objects<K>> {
        self.inner.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Objects<K>> {
        self.inner.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Advances the revision. Not to be called while the cache is being rebuilt: it is incomplete then.
    fn reached(&self, revision: u64) {
        self.inner.revision.send_if_modified(|reached| {
            let further = revision > *reached;
            *reached = revision.max(*reached);
            further
        });
    }

    /// Returns the revision up to which the cache is complete; 0 until it is complete for the first time.
    #[must_use]
    pub fn reached_revision(&self) -> u64 {
        *self.inner.revision.borrow()
    }

    /// Waits until the cache is complete up to a revision (1: complete for the first time).
    pub async fn wait_for(&self, revision: u64) {
        let mut reached = self.inner.revision.subscribe();
        // The sender lives as long as this cache.
        drop(reached.wait_for(|reached| *reached >= revision).await);
    }

    /// Returns the object with this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().by_key.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Returns all objects, sorted by namespace and name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().by_key.values().cloned().collect()
    }

    /// Returns all objects of a namespace, sorted by name.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let from = (namespace.to_owned(), String::new());
        self.read()
            .by_key
            .range(from..)
            .take_while(|((n, _), _)| n == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Returns the objects that an owner controls; with an empty uid, those without a controller.
    #[must_use]
    pub fn controlled_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.read().by_owner.get(uid).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Returns the objects of a group, sorted by namespace and name.
    #[must_use]
    pub fn group(&self, group: &str) -> Vec<Arc<K>> {
        self.read().by_group.get(group).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }
}

impl<K: Meta + TryFrom<Object, Error = Kind> + Send + Sync> Default for Cache<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;
    use squall_api::metav1::v1::OwnerReference;

    fn pod(name: &str, owner: &str) -> Box<Object> {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.metadata.namespace = "default".to_owned();
        if !owner.is_empty() {
            let reference =
                OwnerReference { uid: owner.to_owned(), controller: Some(true), ..OwnerReference::default() };
            pod.metadata.owner_references.push(reference);
        }
        Box::new(pod.into())
    }

    #[test]
    fn a_new_beginning_removes_what_is_gone() {
        let cache = Cache::<Pod>::new();
        let (mut seen, changes) = (None, std::cell::RefCell::new(Vec::new()));
        let mut take = |event| {
            cache
                .take(event, &mut seen, &|change: Change<Pod>| {
                    changes.borrow_mut().push((change.old.is_some(), change.new.is_some()));
                })
                .unwrap();
        };
        take(Event::Begin);
        take(Event::Applied(pod("a", "x"), 1));
        take(Event::Applied(pod("b", "x"), 2));
        assert_eq!(*cache.inner.revision.borrow(), 0, "not complete yet");
        take(Event::Complete(5));
        take(Event::Applied(pod("a", ""), 6));
        take(Event::Begin);
        take(Event::Applied(pod("a", ""), 6));
        take(Event::Complete(9));
        assert_eq!(*changes.borrow(), [(false, true), (false, true), (true, true), (true, true), (true, false)]);
        assert_eq!((cache.controlled_by("x").len(), cache.controlled_by("").len()), (0, 1));
        assert_eq!(*cache.inner.revision.borrow(), 9);
    }
}
