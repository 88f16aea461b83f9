//! The garbage collector: deletes objects whose owners are all gone, orphans dependents on request, and completes
//! foreground deletions once no dependent blocks them.

mod plan;

use std::collections::HashSet;

use jiff::Timestamp;
use squall_api::Object;
use squall_api::metav1::v1::{ObjectMeta, OwnerReference};

use crate::runtime::{Caches, Controller, Key, Known, ObjectChange, ObjectRef, Plan};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Deletes or orphans dependents when their owners go.
pub struct GarbageCollector;

/// An object with owners, or with one of our finalizers.
pub struct Item {
    object: Object,
    /// Each owner that it references, and the state of that owner.
    owners: Vec<(OwnerReference, Owner)>,
    /// Objects that reference it as an owner.
    dependents: Vec<Object>,
    /// Whether it waits for itself: for dependents that wait for theirs, round to it.
    waits_for_itself: bool,
}

/// The state of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It exists.
    Solid,
    /// It is gone, or another object has its name.
    Gone,
    /// It is in another namespace than the dependent, which is not allowed.
    Elsewhere,
    /// It is deleted in the foreground and waits for its dependents to go first, this one included.
    Waiting,
    /// It has not been seen, but the cache of its kind may be older than the object that references it.
    Unseen,
}

/// Encodes the kind and the name of the object in the name of the key.
fn key(object_ref: &ObjectRef) -> Key {
    Key::new(&object_ref.namespace, format!("{}/{}", object_ref.kind.info().plural_group(), object_ref.name))
}

fn object_ref(key: &Key, caches: &Caches) -> Option<ObjectRef> {
    let (collection, name) = key.name.split_once('/')?;
    let kind = caches.kinds().into_iter().find(|known| known.info().plural_group() == collection)?;
    Some(ObjectRef { kind, namespace: key.namespace.clone(), name: name.to_owned() })
}

fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().any(|name| name == finalizer)
}

/// Whether the object is being deleted in the foreground, that is, after its dependents.
fn is_waiting(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && has(meta, FOREGROUND)
}

impl Controller for GarbageCollector {
    type Observed = Item;
    const NAME: &'static str = "garbage-collector";
    const WORKERS: usize = 20;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        let mut keys = Vec::new();
        let dependents = |meta: &ObjectMeta| caches.graph.dependents(&meta.uid);
        match (change.old.as_deref(), change.new.as_deref()) {
            (old, Some(new)) => {
                let finalizing = new.deletion_timestamp.is_some() && (has(new, FOREGROUND) || has(new, ORPHAN));
                let owners_changed = old.is_none_or(|old| old.owner_references != new.owner_references);
                if finalizing || (owners_changed && !new.owner_references.is_empty()) {
                    keys.push(key(&ObjectRef::of(change.kind, new)));
                }
                if is_waiting(new) && !old.is_some_and(is_waiting) {
                    keys.extend(dependents(new).iter().map(key));
                }
                // Another object took its name before we saw the deletion.
                if let Some(old) = old.filter(|old| old.uid != new.uid) {
                    keys.extend(dependents(old).iter().map(key));
                }
            }
            (Some(gone), None) => keys.extend(dependents(gone).iter().map(key)),
            (None, None) => {}
        }
        // An owner that waits for this object may have nothing left to wait for.
        for owner in change.old.iter().flat_map(|old| &old.owner_references) {
            if let Known::At(object_ref) = caches.graph.find(&owner.uid)
                && caches.meta(object_ref.kind, &object_ref.namespace, &object_ref.name, is_waiting) == Some(true)
            {
                keys.push(key(&object_ref));
            }
        }
        keys
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        let mut keys: Vec<Key> = caches.graph.owned().iter().map(key).collect();
        for kind in caches.kinds() {
            let going = caches.metadata(kind).into_iter().filter(|meta| meta.deletion_timestamp.is_some());
            keys.extend(going.map(|meta| key(&ObjectRef::of(kind, &meta))));
        }
        keys
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Item> {
        let object_ref = object_ref(key, caches)?;
        // Most objects are in order: do not copy them.
        let is_in_order = |meta: &ObjectMeta| {
            let solid = |owner: &OwnerReference| state(owner, meta, caches) == Owner::Solid;
            meta.deletion_timestamp.is_none() && meta.owner_references.iter().all(solid)
        };
        if caches.meta(object_ref.kind, &object_ref.namespace, &object_ref.name, is_in_order)? {
            return None;
        }
        let object = caches.find(object_ref.kind, &object_ref.namespace, &object_ref.name)?;
        let owners =
            object.meta().owner_references.iter().map(|owner| (owner.clone(), state(owner, object.meta(), caches)));
        let dependents = caches.graph.dependents(&object.meta().uid);
        let dependents = dependents
            .iter()
            .filter_map(|object_ref| caches.find(object_ref.kind, &object_ref.namespace, &object_ref.name));
        let waits_for_itself = is_waiting(object.meta()) && waits_for_itself(&object.meta().uid, caches);
        Some(Item { owners: owners.collect(), dependents: dependents.collect(), waits_for_itself, object })
    }

    fn plan(&self, item: Item, _: Timestamp) -> Plan {
        plan::plan(&item)
    }
}

/// Whether a chain of dependents, each deleted in the foreground, leads from an object back to it.
fn waits_for_itself(uid: &str, caches: &Caches) -> bool {
    let mut seen = HashSet::new();
    let mut next = caches.graph.dependents(uid);
    while let Some(dependent) = next.pop() {
        let waiting = |meta: &ObjectMeta| is_waiting(meta).then(|| meta.uid.clone());
        let found = caches.meta(dependent.kind, &dependent.namespace, &dependent.name, waiting);
        let Some(found) = found.flatten() else { continue };
        if found == uid {
            return true;
        }
        if seen.insert(found.clone()) {
            next.extend(caches.graph.dependents(&found));
        }
    }
    false
}

fn state(owner: &OwnerReference, dependent: &ObjectMeta, caches: &Caches) -> Owner {
    match caches.graph.find(&owner.uid) {
        Known::At(object_ref) if !object_ref.namespace.is_empty() && object_ref.namespace != dependent.namespace => {
            Owner::Elsewhere
        }
        Known::At(object_ref) => {
            match caches.meta(object_ref.kind, &object_ref.namespace, &object_ref.name, is_waiting) {
                Some(true) => Owner::Waiting,
                _ => Owner::Solid,
            }
        }
        Known::Gone => Owner::Gone,
        Known::Unseen => match caches.kind_of(&owner.api_version, &owner.kind) {
            // An owner of a kind that is not cached is assumed to exist.
            None => Owner::Solid,
            // A cache that has passed the revision of the dependent would show its owner.
            Some(kind) if caches.reached(kind) >= revision(dependent) => Owner::Gone,
            Some(_) => Owner::Unseen,
        },
    }
}

fn revision(meta: &ObjectMeta) -> u64 {
    squall_api::meta::parse_resource_version(&meta.resource_version).unwrap_or(u64::MAX)
}
