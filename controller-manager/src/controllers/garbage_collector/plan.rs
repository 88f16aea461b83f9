//! Decides what to do with an object, depending on the state of its owners.

use std::time::Duration;

use squall_api::Object;
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::metav1::v1::OwnerReference;

use super::{FOREGROUND, Item, ORPHAN, Owner, has};
use crate::runtime::{Action, Plan};

/// Delay before an owner that has not been seen is looked up again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Decides what to do with an object (Kubernetes: `attemptToDeleteItem`).
pub fn plan(item: &Item) -> Plan {
    let meta = item.object.meta();
    if meta.deletion_timestamp.is_some() {
        return Plan::of(let_go(item));
    }
    let mut plan = Plan::default();
    for (owner, _) in item.owners.iter().filter(|(_, state)| *state == Owner::Elsewhere) {
        plan.actions.push(told_of_namespace(&item.object, owner));
    }
    // Watches report their progress every few seconds: sooner or later an unseen owner is known to exist or to be gone.
    let is = |state: Owner| match state {
        Owner::Unseen => Owner::Solid,
        Owner::Elsewhere => Owner::Gone,
        other => other,
    };
    if item.owners.iter().any(|(_, state)| *state == Owner::Unseen) {
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
    // An object that got other owners meanwhile must stay: its cache may lag behind that of its owner.
    plan.actions.push(Action::DeleteUnchanged { object: Box::new(item.object.clone()), propagation });
    plan
}

/// Completes the deletion of an object: orphans its dependents, or drops its finalizer once none blocks it.
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
    if item.waits_for_itself && meta.owner_references.iter().any(|owner| owner.block_owner_deletion == Some(true)) {
        // Kubernetes breaks such a circle in the same way: the object no longer holds its owners.
        let free = |owner: &OwnerReference| OwnerReference { block_owner_deletion: Some(false), ..owner.clone() };
        let owners = meta.owner_references.iter().map(free).collect();
        return vec![Action::SetOwners { object: Box::new(item.object.clone()), owners }];
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
        let pod = Pod::default();
        let owners = owners
            .iter()
            .enumerate()
            .map(|(number, state)| (OwnerReference { uid: number.to_string(), ..OwnerReference::default() }, *state));
        Item {
            object: pod.into(),
            owners: owners.collect(),
            dependents: vec![Object::from(Pod::default()); dependents],
            waits_for_itself: false,
        }
    }

    fn propagation(plan: &Plan) -> &'static str {
        match &plan.actions[..] {
            [Action::DeleteUnchanged { propagation, .. }] => propagation,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn an_object_goes_with_its_last_owner() {
        assert_eq!(plan(&item(&[Owner::Solid], 0)), Plan::default());
        assert_eq!(propagation(&plan(&item(&[Owner::Gone], 0))), "Background");
        assert_eq!(propagation(&plan(&item(&[Owner::Waiting], 0))), "Background");
        assert_eq!(propagation(&plan(&item(&[Owner::Gone, Owner::Waiting], 1))), "Foreground");
    }

    #[test]
    fn of_several_owners_those_that_are_gone_are_forgotten() {
        let plan = plan(&item(&[Owner::Gone, Owner::Solid, Owner::Waiting], 1));
        let [Action::SetOwners { owners, .. }] = &plan.actions[..] else { unreachable!("{plan:?}") };
        assert_eq!(owners.iter().map(|owner| owner.uid.as_str()).collect::<Vec<_>>(), ["1"]);
    }

    #[test]
    fn an_owner_that_a_cache_may_yet_show_is_waited_for() {
        let item = item(&[Owner::Unseen], 0);
        assert_eq!(plan(&item), Plan { wake_after: Some(LOOK_AGAIN), ..Plan::default() });
    }

    #[test]
    fn an_owner_in_another_namespace_is_none_and_that_is_told() {
        let plan = plan(&item(&[Owner::Elsewhere], 0));
        assert!(
            matches!(&plan.actions[..], [Action::Tell(told), Action::DeleteUnchanged { .. }] if told.reason == "OwnerRefInvalidNamespace")
        );
    }

    #[test]
    fn finalizers_are_dropped_when_their_work_is_done() {
        let mut going = item(&[], 2);
        going.object.meta_mut().deletion_timestamp = Some(Time { seconds: 1, nanos: 0 });
        going.object.meta_mut().uid = "me".to_owned();
        assert!(plan(&going).actions.is_empty(), "finalizers of others stay");
        going.object.meta_mut().finalizers.push(ORPHAN.to_owned());
        assert!(matches!(&plan(&going).actions[..], [Action::Together(freed), Action::Update(_)] if freed.len() == 2));
        going.object.meta_mut().finalizers = vec![FOREGROUND.to_owned()];
        assert!(matches!(&plan(&going).actions[..], [Action::Update(_)]));
        let blocking =
            OwnerReference { uid: "me".to_owned(), block_owner_deletion: Some(true), ..OwnerReference::default() };
        going.dependents[0].meta_mut().owner_references.push(blocking);
        assert!(plan(&going).actions.is_empty(), "a dependent is still there");
        going.waits_for_itself = true;
        going.object.meta_mut().owner_references.push(OwnerReference {
            uid: "dependent".to_owned(),
            block_owner_deletion: Some(true),
            ..OwnerReference::default()
        });
        let [Action::SetOwners { owners, .. }] = &plan(&going).actions[..] else { unreachable!("it waits for itself") };
        assert_eq!(owners[0].block_owner_deletion, Some(false));
        going.object.meta_mut().owner_references.clone_from(owners);
        assert!(plan(&going).actions.is_empty(), "told once");
    }
}
