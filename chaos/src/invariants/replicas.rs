//! A ReplicaSet never makes a pod beyond what it was asked for.

use std::collections::BTreeMap;

use squall_api::meta;

use super::{Finding, Invariant};
use crate::history::{Fate, History, Subject};

pub const INVARIANT: Invariant = Invariant {
    name: "a ReplicaSet never makes more pods than it is asked for",
    writer: "the ReplicaSet controller",
    is_of_the_end: false,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    // For each ReplicaSet, its size by generation, from the one that its controller says it has observed.
    let mut sizes: BTreeMap<String, BTreeMap<i64, i32>> = BTreeMap::new();
    for set in history.start.replica_sets() {
        let size = set.spec.replicas.unwrap_or(1);
        sizes.entry(set.metadata.uid.clone()).or_default().insert(set.metadata.generation, size);
    }
    let mut findings = Vec::new();
    history.walk(|step| match &step.change.subject {
        Subject::ReplicaSet(set) => {
            let by_generation = sizes.entry(set.metadata.uid.clone()).or_default();
            by_generation.insert(set.metadata.generation, set.spec.replicas.unwrap_or(1));
            // Who reports a generation has seen it, and acts on no older one.
            by_generation.retain(|generation, _| *generation >= set.status.observed_generation);
        }
        Subject::Pod(pod) if step.previous.is_none() && step.change.fate == Fate::Stored => {
            let Some(owner) = meta::controller_of(&pod.metadata) else { return };
            let Some(most) = sizes.get(&owner.uid).and_then(|sizes| sizes.values().max()) else { return };
            let active = step.world.active_pods_of(&owner.uid).count();
            if i32::try_from(active).unwrap_or(i32::MAX) > *most {
                let (pod, set) = (&pod.metadata.name, &owner.name);
                findings.push((
                    step.change.revision,
                    format!("{pod} was made, so that {set} has {active} pods of at most {most}"),
                ));
            }
        }
        Subject::Pod(_)
        | Subject::Deployment(_)
        | Subject::ReplicationController(_)
        | Subject::EndpointSlice(_)
        | Subject::Event(_)
        | Subject::Lease(_) => {}
    });
    findings
}
