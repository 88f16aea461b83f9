//! Decides which old ReplicaSets to delete.

use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::revision::revision;
use squall_api::{Kind, kinds::Meta};

use crate::runtime::Action;

/// Deletes the oldest revisions beyond the limit. One that still has replicas is skipped without replacement.
pub fn forget(deployment: &Deployment, old: &[&ReplicaSet]) -> Vec<Action> {
    let Some(limit) = deployment.spec.revision_history_limit.filter(|limit| *limit != i32::MAX) else {
        return Vec::new();
    };
    let mut candidates: Vec<&&ReplicaSet> =
        old.iter().filter(|set| set.metadata.deletion_timestamp.is_none()).collect();
    let excess = candidates.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    candidates.sort_by_key(|set| (revision(set), set.metadata.creation_timestamp.seconds, set.metadata.name.clone()));
    let idle = |set: &&&&ReplicaSet| {
        set.spec.replicas == Some(0)
            && set.status.replicas == 0
            && set.status.observed_generation >= set.metadata.generation
    };
    candidates
        .iter()
        .take(excess)
        .filter(idle)
        .map(|set| Action::Delete {
            kind: Kind::ReplicaSet,
            namespace: set.meta().namespace.clone(),
            name: set.meta().name.clone(),
            uid: set.meta().uid.clone(),
            propagation: "",
        })
        .collect()
}
