//! The ownership graph over all cached kinds. Every change updates it; the garbage collector queries it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_api::metav1::v1::ObjectMeta;

use super::caches::CachedKind;

/// Number of deleted objects to remember, so that their dependents are recognized as garbage at once.
const REMEMBERED: usize = 65_536;

/// Kind, namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: CachedKind,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Unique only within kind and namespace.
    pub name: String,
}

impl ObjectRef {
    /// Returns the object of the object with this metadata.
    #[must_use]
    pub fn of(kind: CachedKind, meta: &ObjectMeta) -> Self {
        Self { kind, namespace: meta.namespace.clone(), name: meta.name.clone() }
    }
}

/// The known state of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It exists at this object.
    At(ObjectRef),
    /// It existed and was deleted.
    Gone,
    /// It has never been seen: it is gone, or the caches lag behind.
    Unseen,
}

/// The ownership graph. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    alive: HashMap<String, ObjectRef>,
    /// The dependents by the uid of their owner, whether or not the owner exists.
    dependents: HashMap<String, BTreeSet<ObjectRef>>,
    gone: HashSet<String>,
    /// The uids in `gone`, oldest first.
    gone_in_order: VecDeque<String>,
}

impl Graph {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a change, given the metadata of an object before and after.
    pub fn note(&self, kind: CachedKind, old: Option<&ObjectMeta>, new: Option<&ObjectMeta>) {
        let mut state = self.state();
        if let Some(old) = old {
            let object = ObjectRef::of(kind, old);
            for owner in &old.owner_references {
                state.remove_dependent(&owner.uid, &object);
            }
            if new.is_none_or(|new| new.uid != old.uid) {
                state.bury(&old.uid);
            }
        }
        if let Some(new) = new {
            let object = ObjectRef::of(kind, new);
            for owner in &new.owner_references {
                state.dependents.entry(owner.uid.clone()).or_default().insert(object.clone());
            }
            state.alive.insert(new.uid.clone(), object);
        }
    }

    /// Forgets an object of a kind that is no longer cached: nobody knows whether it exists.
    pub fn forget(&self, kind: CachedKind, meta: &ObjectMeta) {
        let mut state = self.state();
        let object = ObjectRef::of(kind, meta);
        for owner in &meta.owner_references {
            state.remove_dependent(&owner.uid, &object);
        }
        state.alive.remove(&meta.uid);
    }

    /// Looks up the object with this uid.
    #[must_use]
    pub fn find(&self, uid: &str) -> Known {
        let state = self.state();
        match state.alive.get(uid) {
            Some(object) => Known::At(object.clone()),
            None if state.gone.contains(uid) => Known::Gone,
            None => Known::Unseen,
        }
    }

    /// The objects that name this uid as one of their owners.
    #[must_use]
    pub fn dependents(&self, uid: &str) -> Vec<ObjectRef> {
        self.state().dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Returns all objects that have an owner.
    #[must_use]
    pub fn owned(&self) -> BTreeSet<ObjectRef> {
        self.state().dependents.values().flatten().cloned().collect()
    }
}

impl State {
    fn remove_dependent(&mut self, owner: &str, object: &ObjectRef) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(object);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn bury(&mut self, uid: &str) {
        self.alive.remove(uid);
        if self.gone.insert(uid.to_owned()) {
            self.gone_in_order.push_back(uid.to_owned());
        }
        if self.gone_in_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_in_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::metav1::v1::OwnerReference;

    fn meta(name: &str, owners: &[&str]) -> ObjectMeta {
        let owners = owners.iter().map(|uid| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() });
        ObjectMeta {
            name: name.to_owned(),
            uid: format!("{name}-uid"),
            owner_references: owners.collect(),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn an_owner_is_there_gone_or_unseen() {
        let graph = Graph::default();
        let (owner, pod) = (meta("a", &[]), meta("p", &["a-uid"]));
        graph.note(CachedKind::Pod, None, Some(&pod));
        assert_eq!(graph.find("a-uid"), Known::Unseen);
        graph.note(CachedKind::ReplicaSet, None, Some(&owner));
        assert_eq!(graph.find("a-uid"), Known::At(ObjectRef::of(CachedKind::ReplicaSet, &owner)));
        assert_eq!(graph.dependents("a-uid"), [ObjectRef::of(CachedKind::Pod, &pod)]);
        graph.note(CachedKind::ReplicaSet, Some(&owner), None);
        assert_eq!(graph.find("a-uid"), Known::Gone);
        let adopted = ObjectMeta { owner_references: meta("p", &["b-uid"]).owner_references, ..pod.clone() };
        graph.note(CachedKind::Pod, Some(&pod), Some(&adopted));
        assert!(graph.dependents("a-uid").is_empty());
        assert_eq!(graph.owned().len(), 1);
        graph.note(CachedKind::Pod, Some(&adopted), None);
        assert!(graph.owned().is_empty());
    }

    #[test]
    fn another_object_of_the_same_name_is_another() {
        let graph = Graph::default();
        let (first, second) = (meta("a", &[]), ObjectMeta { uid: "second".to_owned(), ..meta("a", &[]) });
        graph.note(CachedKind::ReplicaSet, None, Some(&first));
        graph.note(CachedKind::ReplicaSet, Some(&first), Some(&second));
        assert_eq!(graph.find("a-uid"), Known::Gone);
        assert!(matches!(graph.find("second"), Known::At(_)));
    }
}
