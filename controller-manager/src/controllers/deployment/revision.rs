//! Which ReplicaSet is the new one, and the annotations that number and describe revisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use squall_api::core::v1::PodTemplateSpec;
use squall_api::{hash, meta};

pub const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
const HASH_LABEL: &str = "pod-template-hash";
/// Annotations of a Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];
/// The list of earlier revisions is cut to this length, oldest first.
const MAX_HISTORY_CHARS: usize = 2_000;

/// Whether two templates are the same, the hash label aside. Kubernetes: equality decides, never the hash.
pub fn same_template(one: &PodTemplateSpec, other: &PodTemplateSpec) -> bool {
    let without = |template: &PodTemplateSpec| {
        let mut template = template.clone();
        template.metadata.labels.remove(HASH_LABEL);
        template
    };
    without(one) == without(other)
}

/// The owned ReplicaSets by age, and the place of the new one among them: the oldest with the Deployment's template.
pub fn find_new(deployment: &Deployment, owned: &mut [Arc<ReplicaSet>]) -> Option<usize> {
    let age = |set: &ReplicaSet| {
        let created = set.metadata.creation_timestamp;
        (created.seconds, created.nanos, set.metadata.name.clone())
    };
    owned.sort_by_key(|set| age(set));
    owned.iter().position(|set| same_template(&set.spec.template, &deployment.spec.template))
}

/// The revision of a ReplicaSet; 0 if it has none.
pub fn revision(set: &ReplicaSet) -> i64 {
    set.metadata.annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The revision that the newest template has: one more than any old one.
pub fn next_revision<'a>(old: impl Iterator<Item = &'a ReplicaSet>) -> i64 {
    old.map(revision).max().unwrap_or(0) + 1
}

/// The name that a Deployment gives to the ReplicaSet of its template.
pub fn name_of_new(deployment: &Deployment) -> String {
    let hash = hash::pod_template_hash(&deployment.spec.template, deployment.status.collision_count);
    let name = &deployment.metadata.name;
    let fits = name.get(..253 - 1 - hash.len()).unwrap_or(name);
    format!("{fits}-{hash}")
}

/// A ReplicaSet for the Deployment's template.
pub fn new_replica_set(deployment: &Deployment, revision: i64, replicas: i32, max_replicas: i32) -> ReplicaSet {
    let hash = hash::pod_template_hash(&deployment.spec.template, deployment.status.collision_count);
    let mut set = ReplicaSet::default();
    let mut template = deployment.spec.template.clone();
    template.metadata.labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let mut selector = deployment.spec.selector.clone().unwrap_or_default();
    selector.match_labels.insert(HASH_LABEL.to_owned(), hash);
    set.metadata.name = name_of_new(deployment);
    set.metadata.namespace.clone_from(&deployment.metadata.namespace);
    set.metadata.labels.clone_from(&template.metadata.labels);
    set.metadata.owner_references.push(meta::controller_reference(deployment));
    set.spec = ReplicaSetSpec {
        replicas: Some(replicas),
        min_ready_seconds: deployment.spec.min_ready_seconds,
        selector: Some(selector),
        template,
    };
    copy_annotations(deployment, &mut set.metadata.annotations);
    set.metadata.annotations.insert(REVISION.to_owned(), revision.to_string());
    set_sizes(&mut set.metadata.annotations, deployment.spec.replicas.unwrap_or(1), max_replicas);
    set
}

/// Notes for which total a ReplicaSet has its size.
pub fn set_sizes(annotations: &mut BTreeMap<String, String>, desired: i32, max_replicas: i32) {
    annotations.insert(DESIRED.to_owned(), desired.to_string());
    annotations.insert(MAX_REPLICAS.to_owned(), max_replicas.to_string());
}

fn copy_annotations(deployment: &Deployment, annotations: &mut BTreeMap<String, String>) {
    let copied = deployment.metadata.annotations.iter().filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()));
    annotations.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
}

/// The new ReplicaSet with the annotations and `minReadySeconds` it should have, if it lacks any.
pub fn synced(deployment: &Deployment, set: &ReplicaSet, revision_now: i64) -> Option<ReplicaSet> {
    let mut synced = set.clone();
    let annotations = &mut synced.metadata.annotations;
    copy_annotations(deployment, annotations);
    let before = annotations.get(REVISION).cloned();
    let number = match &before {
        None => Some(0),
        Some(text) => text.parse::<i64>().ok(),
    };
    if number.is_some_and(|number| number < revision_now) {
        annotations.insert(REVISION.to_owned(), revision_now.to_string());
        if let Some(before) = before {
            remember(annotations, &before);
        }
    }
    synced.spec.min_ready_seconds = deployment.spec.min_ready_seconds;
    (synced != *set).then_some(synced)
}

fn remember(annotations: &mut BTreeMap<String, String>, revision: &str) {
    let history = annotations.entry(REVISION_HISTORY.to_owned()).or_default();
    let mut revisions: Vec<&str> = history.split(',').filter(|text| !text.is_empty()).collect();
    revisions.push(revision);
    while revisions.len() > 1 && revisions.join(",").len() > MAX_HISTORY_CHARS {
        revisions.remove(0);
    }
    *history = revisions.join(",");
}
