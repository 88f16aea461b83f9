//! The garbage collector: deletes what only belonged to owners that are gone.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::metav1::v1::ObjectMeta;
use squall_api::{Kind, Object};

use crate::runtime::{Action, Caches, Controller, Key, ObjectChange, Plan};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// How often everything is looked at anew, in case a cache was behind.
const SWEEP: Duration = Duration::from_secs(30);
/// How long a reference to an owner that is nowhere to be seen may be younger than our caches.
const PATIENCE: Duration = Duration::from_millis(500);

/// Collects garbage.
pub struct GarbageCollector;

/// An object with owners or with one of our finalizers.
pub struct Item {
    object: Object,
    /// Whether every owner it names is there, and not only waiting for it to go.
    owners: Vec<Owner>,
    /// Objects that name it as an owner.
    dependents: Vec<Object>,
}

/// What has become of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is there.
    Solid,
    /// It is gone, or another object has its name.
    Gone,
    /// It waits for its dependents to go first.
    Waiting,
}

impl Controller for GarbageCollector {
    type Observed = Vec<Item>;
    const NAME: &'static str = "garbage-collector";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let gone = change.new.is_none();
        let owned =
            change.latest().is_some_and(|meta| !meta.owner_references.is_empty() || meta.deletion_timestamp.is_some());
        // Heartbeats own nothing and belong to nobody.
        if (gone || owned) && change.kind != Kind::Lease { vec![Key::new("", "everything")] } else { Vec::new() }
    }

    fn all_keys(&self, _: &Caches) -> Vec<Key> {
        vec![Key::new("", "everything")]
    }

    fn observe(&self, caches: &Caches, _: &Key, _: Option<&str>) -> Option<Vec<Item>> {
        let metadata: Vec<(Kind, ObjectMeta)> = Caches::KINDS
            .iter()
            .flat_map(|kind| caches.metadata(*kind).into_iter().map(move |meta| (*kind, meta)))
            .collect();
        let alive: HashSet<&str> = metadata.iter().map(|(_, meta)| meta.uid.as_str()).collect();
        let waiting: HashSet<&str> = metadata
            .iter()
            .filter(|(_, meta)| meta.deletion_timestamp.is_some() && has(meta, FOREGROUND))
            .map(|(_, meta)| meta.uid.as_str())
            .collect();
        let interesting = |meta: &ObjectMeta| {
            let finalizing = meta.deletion_timestamp.is_some() && (has(meta, FOREGROUND) || has(meta, ORPHAN));
            let orphaned = meta
                .owner_references
                .iter()
                .any(|owner| !alive.contains(owner.uid.as_str()) || waiting.contains(owner.uid.as_str()));
            finalizing || (orphaned && meta.deletion_timestamp.is_none())
        };
        let items = metadata.iter().filter(|(_, meta)| interesting(meta)).filter_map(|(kind, meta)| {
            let owners = meta.owner_references.iter().map(|owner| match owner.uid.as_str() {
                uid if waiting.contains(uid) => Owner::Waiting,
                uid if alive.contains(uid) => Owner::Solid,
                _ => Owner::Gone,
            });
            let dependents = metadata
                .iter()
                .filter(|(_, other)| other.owner_references.iter().any(|owner| owner.uid == meta.uid))
                .filter_map(|(kind, other)| caches.find(*kind, &other.namespace, &other.name));
            Some(Item {
                object: caches.find(*kind, &meta.namespace, &meta.name)?,
                owners: owners.collect(),
                dependents: dependents.collect(),
            })
        });
        Some(items.collect())
    }

    fn plan(&self, items: Vec<Item>, now: Timestamp) -> Plan {
        let mut plan = Plan { actions: Vec::new(), wake_after: Some(SWEEP) };
        for item in &items {
            plan_item(item, now, &mut plan);
        }
        plan
    }
}

fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().any(|name| name == finalizer)
}

fn plan_item(item: &Item, now: Timestamp, plan: &mut Plan) {
    let meta = item.object.meta();
    if meta.deletion_timestamp.is_some() {
        if has(meta, ORPHAN) {
            let keep = |dependent: &Object| {
                dependent.meta().owner_references.iter().filter(|owner| owner.uid != meta.uid).cloned().collect()
            };
            plan.actions.extend(
                item.dependents.iter().map(|dependent| Action::SetOwners {
                    object: Box::new(dependent.clone()),
                    owners: keep(dependent),
                }),
            );
            plan.actions.push(without_finalizer(&item.object, ORPHAN));
        } else if has(meta, FOREGROUND) && !item.dependents.iter().any(|dependent| blocks(dependent, &meta.uid)) {
            plan.actions.push(without_finalizer(&item.object, FOREGROUND));
        }
        return;
    }
    if item.owners.contains(&Owner::Solid) {
        return;
    }
    let age = now.duration_since(meta.creation_timestamp.timestamp());
    let young = Duration::try_from(age).unwrap_or_default() < PATIENCE;
    if young && item.owners.contains(&Owner::Gone) {
        plan.wake(PATIENCE);
        return;
    }
    let foreground = item.owners.contains(&Owner::Waiting) && !item.dependents.is_empty();
    plan.actions.push(Action::Delete {
        kind: item.object.kind(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        propagation: if foreground { "Foreground" } else { "Background" },
    });
}

fn blocks(dependent: &Object, uid: &str) -> bool {
    dependent.meta().owner_references.iter().any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true))
}

fn without_finalizer(object: &Object, finalizer: &str) -> Action {
    let mut changed = object.clone();
    changed.meta_mut().finalizers.retain(|name| name != finalizer);
    Action::Update(Box::new(changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;
    use squall_api::metav1::v1::Time;

    fn planned(owners: &[Owner], deleting: bool, finalizer: &str, dependents: usize) -> Vec<Action> {
        let mut pod = Pod::default();
        pod.metadata.deletion_timestamp = deleting.then_some(Time { seconds: 1, nanos: 0 });
        pod.metadata.finalizers.push(finalizer.to_owned());
        let dependents = vec![Object::from(Pod::default()); dependents];
        let item = Item { object: pod.into(), owners: owners.to_vec(), dependents };
        let mut plan = Plan::default();
        plan_item(&item, Timestamp::from_second(100).unwrap(), &mut plan);
        plan.actions
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        assert!(planned(&[Owner::Solid, Owner::Gone], false, "", 0).is_empty());
        assert!(matches!(
            &planned(&[Owner::Gone], false, "", 0)[..],
            [Action::Delete { propagation: "Background", .. }]
        ));
        assert!(matches!(
            &planned(&[Owner::Waiting], false, "", 1)[..],
            [Action::Delete { propagation: "Foreground", .. }]
        ));
    }

    #[test]
    fn finalizers_are_dropped_when_their_work_is_done() {
        assert!(matches!(
            &planned(&[], true, ORPHAN, 2)[..],
            [Action::SetOwners { .. }, Action::SetOwners { .. }, Action::Update(_)]
        ));
        assert!(matches!(&planned(&[], true, FOREGROUND, 0)[..], [Action::Update(_)]));
        assert!(planned(&[], true, "mine/x", 0).is_empty());
    }
}
