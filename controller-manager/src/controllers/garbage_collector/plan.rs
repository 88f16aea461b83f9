//! What becomes of an object, by what has become of its owners.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_api::Object;
use squall_api::metav1::v1::OwnerReference;
use squall_client::events::{EventType, Happening, ObjectId};

use super::{FOREGROUND, Item, ORPHAN, Owner, has};
use crate::runtime::{Action, Plan};

/// When an owner that is nowhere to be seen is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// An object of this age would not name an owner that our caches have yet to show: watches are never so far behind.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// Decides (Kubernetes: `attemptToDeleteItem`).
pub fn plan(item: &Item, now: Timestamp) -> Plan {
    let meta = item.object.meta();
    if meta.deletion_timestamp.is_some() {
        return Plan::of(let_go(item));
    }
    let mut plan = Plan::default();
    for (owner, _) in item.owners.iter().filter(|(_, state)| *state == Owner::Elsewhere) {
        plan.actions.push(told_of_namespace(&item.object, owner));
    }
    let waits_for_caches = now.duration_since(meta.creation_timestamp.timestamp()) < PATIENCE;
    let is = |state: Owner| match state {
        Owner::Unseen if waits_for_caches => Owner::Solid,
        Owner::Unseen | Owner::Elsewhere => Owner::Gone,
        other => other,
    };
    if waits_for_caches && item.owners.iter().any(|(_, state)| *state == Owner::Unseen) {
        plan.wake(LOOK_AGAIN);
    }
    let solid = |(_, state): &&(OwnerReference, Owner)| is(*state) == Owner::Solid;
    let kept: Vec<OwnerReference> = item.owners.iter().filter(solid).map(|(owner, _)| owner.clone()).collect();
    if kept.len() == item.owners.len() {
        return plan;
    }
    if !kept.is_empty() {
        plan.actions.push(Action::SetOwners { object: Box::new(item.object.clone()), owners: kept });
        return plan;
    }
    let waiting = item.owners.iter().any(|(_, state)| *state == Owner::Waiting);
    let propagation = match () {
        () if has(meta, ORPHAN) => "Orphan",
        () if has(meta, FOREGROUND) || (waiting && !item.dependents.is_empty()) => "Foreground",
        () => "Background",
    };
    plan.actions.push(Action::Delete {
        kind: item.object.kind(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        propagation,
    });
    plan
}

/// What is left to do for an object that is to go: its dependents lose it, or have gone before it.
fn let_go(item: &Item) -> Vec<Action> {
    let meta = item.object.meta();
    if has(meta, ORPHAN) {
        let others = |dependent: &Object| {
            dependent.meta().owner_references.iter().filter(|owner| owner.uid != meta.uid).cloned().collect()
        };
        let freed = item
            .dependents
            .iter()
            .map(|dependent| Action::SetOwners { object: Box::new(dependent.clone()), owners: others(dependent) });
        return vec![Action::Together(freed.collect()), without_finalizer(&item.object, ORPHAN)];
    }
    if has(meta, FOREGROUND) && !item.dependents.iter().any(|dependent| blocks(dependent, &meta.uid)) {
        return vec![without_finalizer(&item.object, FOREGROUND)];
    }
    Vec::new()
}

fn blocks(dependent: &Object, uid: &str) -> bool {
    dependent.meta().owner_references.iter().any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true))
}

fn without_finalizer(object: &Object, finalizer: &str) -> Action {
    let mut changed = object.clone();
    changed.meta_mut().finalizers.retain(|name| name != finalizer);
    Action::Update(Box::new(changed))
}

fn told_of_namespace(object: &Object, owner: &OwnerReference) -> Action {
    let message = format!(
        "ownerRef [{}/{}, namespace: {}, name: {}, uid: {}] does not exist in namespace {:?}",
        owner.api_version,
        owner.kind,
        object.meta().namespace,
        owner.name,
        owner.uid,
        object.meta().namespace
    );
    let object = ObjectId::of_object(object);
    Action::Tell(Happening { object, event_type: EventType::Warning, reason: "OwnerRefInvalidNamespace", message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;
    use squall_api::metav1::v1::Time;

    fn item(owners: &[Owner], dependents: usize) -> Item {
        let mut pod = Pod::default();
        pod.metadata.creation_timestamp = Time { seconds: 100, nanos: 0 };
        let owners = owners
            .iter()
            .enumerate()
            .map(|(number, state)| (OwnerReference { uid: number.to_string(), ..OwnerReference::default() }, *state));
        Item {
            object: pod.into(),
            owners: owners.collect(),
            dependents: vec![Object::from(Pod::default()); dependents],
        }
    }

    fn planned(item: &Item, second: i64) -> Plan {
        plan(item, Timestamp::from_second(second).unwrap())
    }

    fn propagation(plan: &Plan) -> &'static str {
        match &plan.actions[..] {
            [Action::Delete { propagation, .. }] => propagation,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        assert_eq!(planned(&item(&[Owner::Solid], 0), 101), Plan::default());
        assert_eq!(propagation(&planned(&item(&[Owner::Gone], 0), 101)), "Background");
        assert_eq!(propagation(&planned(&item(&[Owner::Waiting], 0), 101)), "Background");
        assert_eq!(propagation(&planned(&item(&[Owner::Gone, Owner::Waiting], 1), 101)), "Foreground");
    }

    #[test]
    fn of_several_owners_those_that_are_gone_are_forgotten() {
        let plan = planned(&item(&[Owner::Gone, Owner::Solid, Owner::Waiting], 1), 101);
        let [Action::SetOwners { owners, .. }] = &plan.actions[..] else { unreachable!("{plan:?}") };
        assert_eq!(owners.iter().map(|owner| owner.uid.as_str()).collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn an_owner_that_a_cache_may_yet_show_is_waited_for() {
        let item = item(&[Owner::Unseen], 0);
        assert_eq!(planned(&item, 101), Plan { wake_after: Some(LOOK_AGAIN), ..Plan::default() });
        assert_eq!(propagation(&planned(&item, 111)), "Background");
    }

    #[test]
    fn an_owner_in_another_namespace_is_none_and_that_is_told() {
        let plan = planned(&item(&[Owner::Elsewhere], 0), 101);
        assert!(
            matches!(&plan.actions[..], [Action::Tell(told), Action::Delete { .. }] if told.reason == "OwnerRefInvalidNamespace")
        );
    }

    #[test]
    fn finalizers_are_dropped_when_their_work_is_done() {
        let mut going = item(&[], 2);
        going.object.meta_mut().deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        going.object.meta_mut().uid = "me".to_owned();
        assert!(planned(&going, 101).actions.is_empty(), "the finalizers of others are theirs");
        going.object.meta_mut().finalizers.push(ORPHAN.to_owned());
        assert!(
            matches!(&planned(&going, 101).actions[..], [Action::Together(freed), Action::Update(_)] if freed.len() == 2)
        );
        going.object.meta_mut().finalizers = vec![FOREGROUND.to_owned()];
        assert!(matches!(&planned(&going, 101).actions[..], [Action::Update(_)]));
        let blocking =
            OwnerReference { uid: "me".to_owned(), block_owner_deletion: Some(true), ..OwnerReference::default() };
        going.dependents[0].meta_mut().owner_references.push(blocking);
        assert!(planned(&going, 101).actions.is_empty(), "a dependent is still there");
    }
}
