//! A rollout never asks for more pods than `replicas + maxSurge`.

use std::collections::BTreeMap;

use super::limits::Limits;
use super::{Finding, Invariant};
use crate::history::{History, Subject};

pub const INVARIANT: Invariant = Invariant {
    name: "a rollout never asks for more than replicas + maxSurge",
    writer: "the deployment controller",
    is_of_the_end: false,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    // For each Deployment, the most that any version of it has allowed since the last write to its ReplicaSets.
    let mut allowed: BTreeMap<String, i32> = BTreeMap::new();
    for deployment in history.start.deployments() {
        allowed.insert(deployment.metadata.uid.clone(), Limits::of(deployment).most);
    }
    let mut findings = Vec::new();
    history.walk(|step| match &step.change.subject {
        Subject::Deployment(deployment) => {
            let most = Limits::of(deployment).most;
            let before = allowed.entry(deployment.metadata.uid.clone()).or_insert(most);
            *before = most.max(*before);
        }
        Subject::ReplicaSet(set) => {
            let Some(owner) = step.world.owner_of(set) else { return };
            let size_before = match &step.previous {
                Some(Subject::ReplicaSet(previous)) => previous.spec.replicas.unwrap_or(1),
                _ => 0,
            };
            let size = set.spec.replicas.unwrap_or(1);
            if size == size_before {
                return;
            }
            let uid = &owner.metadata.uid;
            let total: i32 = step.world.sets_of(uid).map(|set| set.spec.replicas.unwrap_or(1)).sum();
            let most = allowed.get(uid).copied().unwrap_or(i32::MAX);
            if size > size_before && total > most {
                let (deployment, set) = (&owner.metadata.name, &set.metadata.name);
                findings.push((
                    step.change.revision,
                    format!("{set} was scaled from {size_before} to {size}, so that {deployment} asks for {total} of at most {most} pods"),
                ));
            }
            allowed.insert(uid.clone(), Limits::of(owner).most);
        }
        Subject::Pod(_)
        | Subject::ReplicationController(_)
        | Subject::EndpointSlice(_)
        | Subject::Event(_)
        | Subject::Lease(_) => {}
    });
    findings
}
