//! Matches ReplicaSets with the versions of a Deployment's template, and defines the annotations that number them.

use std::borrow::Borrow;

use squall_proto::apps::v1::{Deployment, ReplicaSet};
use squall_proto::core::v1::PodTemplateSpec;

use crate::meta;

/// The annotation with the number of a version, on the Deployment and on its ReplicaSets.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The annotation with the earlier numbers of a ReplicaSet.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The annotation with the Deployment's replicas at the time when the ReplicaSet was scaled.
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The annotation with the maximum number of replicas at that time.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The label that distinguishes the pods of one template from those of another.
pub const HASH_LABEL: &str = "pod-template-hash";
/// Annotations that are not copied: neither from a Deployment to its ReplicaSets, nor back by an undo.
pub const OWN_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// Whether two templates are the same, apart from the hash label. Kubernetes: equality decides, never the hash.
#[must_use]
pub fn same_template(one: &PodTemplateSpec, other: &PodTemplateSpec) -> bool {
    without_hash(one) == without_hash(other)
}

/// Returns the template without the hash label, as its Deployment has it.
#[must_use]
pub fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    template.metadata.labels.remove(HASH_LABEL);
    template
}

/// Sorts a Deployment's ReplicaSets by age and returns the index of the new one: the oldest with the Deployment's
/// template.
pub fn find_new<S: Borrow<ReplicaSet>>(deployment: &Deployment, owned: &mut [S]) -> Option<usize> {
    owned.sort_by_key(|set| {
        let meta = &set.borrow().metadata;
        (meta.creation_timestamp.seconds, meta.creation_timestamp.nanos, meta.name.clone())
    });
    owned.iter().position(|set| same_template(&set.borrow().spec.template, &deployment.spec.template))
}

/// Whether a Deployment controls a ReplicaSet.
#[must_use]
pub fn is_owned(set: &ReplicaSet, deployment: &Deployment) -> bool {
    meta::controller_of(&set.metadata).is_some_and(|owner| owner.uid == deployment.metadata.uid)
}

/// Returns the revision of a ReplicaSet; 0 if it has none.
#[must_use]
pub fn revision(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}
