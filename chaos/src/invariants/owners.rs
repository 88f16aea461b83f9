//! In the end nothing is left whose owner is gone.

use squall_api::kinds::is_pod_active;
use squall_api::meta;
use squall_api::metav1::v1::ObjectMeta;

use super::{Finding, Invariant};
use crate::history::{History, World};

/// The rule.
pub const INVARIANT: Invariant = Invariant {
    name: "in the end nothing is left whose owner is gone",
    writer: "the garbage collector",
    is_of_the_end: true,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    let mut world = history.start.clone();
    history.changes.iter().for_each(|change| drop(world.apply(change)));
    let last = history.changes.last().map_or(0, |change| change.revision);
    orphans(&world).into_iter().map(|text| (last, text)).collect()
}

/// What is there without its owner.
pub fn orphans(world: &World) -> Vec<String> {
    let pods = world.pods().filter(|pod| is_pod_active(pod)).map(|pod| ("pod", &pod.metadata));
    let sets = world.replica_sets().map(|set| ("ReplicaSet", &set.metadata));
    pods.chain(sets).filter_map(|(kind, meta)| orphan(world, kind, meta)).collect()
}

fn orphan(world: &World, kind: &str, meta: &ObjectMeta) -> Option<String> {
    let owner = meta::controller_of(meta)?;
    let there = match owner.kind.as_str() {
        "ReplicaSet" => world.replica_sets().any(|set| set.metadata.uid == owner.uid),
        "ReplicationController" => world.controllers().any(|controller| controller.metadata.uid == owner.uid),
        "Deployment" => world.deployments().any(|deployment| deployment.metadata.uid == owner.uid),
        // Of other kinds nothing is recorded.
        _ => true,
    };
    let gone = !there && meta.deletion_timestamp.is_none();
    gone.then(|| format!("the {kind} {} is there, but its {} {} is not", meta.name, owner.kind, owner.name))
}
