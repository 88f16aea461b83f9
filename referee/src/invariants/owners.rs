//! In the end no object is left without its owner.

use std::fmt::{self, Display};

use serde::Serialize;
use squall_api::kinds::is_pod_active;
use squall_api::meta;
use squall_api::metav1::v1::ObjectMeta;

use super::{Finding, Rule, Scope};
use crate::history::{History, World};

/// The rule for the final state.
pub const RULE: Rule = Rule {
    name: "in the end no object is left without its owner",
    writer: "the garbage collector",
    scope: Scope::TheEnd,
};

/// An object that is left without its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// `pod` or `ReplicaSet`.
    kind: &'static str,
    name: String,
    owner_kind: String,
    owner_name: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, owner_kind, owner_name } = self;
        write!(f, "the {kind} {name} still exists, but its {owner_kind} {owner_name} does not")
    }
}

/// Finds each object without its owner in the final state.
pub fn check(history: &History) -> Vec<Finding<Violation>> {
    let mut world = history.start.clone();
    history.changes.iter().for_each(|change| drop(world.apply(change)));
    let last = history.changes.last().map_or(0, |change| change.revision);
    orphans(&world).into_iter().map(|violation| Finding { revision: last, violation }).collect()
}

/// Returns the objects whose owner is gone.
#[must_use]
pub fn orphans(world: &World) -> Vec<Violation> {
    let pods = world.pods().filter(|pod| is_pod_active(pod)).map(|pod| ("pod", &pod.metadata));
    let sets = world.replica_sets().map(|set| ("ReplicaSet", &set.metadata));
    pods.chain(sets).filter_map(|(kind, meta)| orphan(world, kind, meta)).collect()
}

fn orphan(world: &World, kind: &'static str, meta: &ObjectMeta) -> Option<Violation> {
    let owner = meta::controller_of(meta)?;
    let there = match owner.kind.as_str() {
        "ReplicaSet" => world.replica_sets().any(|set| set.metadata.uid == owner.uid),
        "ReplicationController" => world.controllers().any(|controller| controller.metadata.uid == owner.uid),
        "Deployment" => world.deployments().any(|deployment| deployment.metadata.uid == owner.uid),
        // Other kinds are not recorded.
        _ => true,
    };
    let is_orphan = !there && meta.deletion_timestamp.is_none();
    is_orphan.then(|| Violation {
        kind,
        name: meta.name.clone(),
        owner_kind: owner.kind.clone(),
        owner_name: owner.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::history::{Change, Fate, Subject};
    use crate::invariants::fixtures::{deployment, pod, set};

    #[test]
    fn what_is_left_without_its_owner_is_found() {
        let removed = |subject, revision| Change { revision, subject, fate: Fate::Removed, at: Duration::ZERO };
        let stored = |subject, revision| Change { fate: Fate::Stored, ..removed(subject, revision) };
        let mut changes =
            vec![stored(deployment(1, "1", "0"), 1), stored(set("set", 1, 0), 2), stored(pod("a", "set"), 3)];
        let check = |changes: &[Change]| check(&History { changes: changes.to_vec(), ..History::default() }).len();
        // The owners above have no recorded kind.
        assert_eq!(check(&changes), 0);
        changes.push(removed(deployment(1, "1", "0"), 4));
        let Subject::ReplicaSet(mut set) = set("set", 1, 0) else { unreachable!("it is a ReplicaSet") };
        set.metadata.owner_references[0].kind = "Deployment".to_owned();
        changes.push(stored(Subject::ReplicaSet(set), 5));
        assert_eq!(check(&changes), 1);
    }
}
