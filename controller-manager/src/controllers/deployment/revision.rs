//! The ReplicaSet of a new version, and the annotations that number and describe versions.

use std::collections::BTreeMap;

use squall_api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use squall_api::revision::{DESIRED, HASH_LABEL, MAX_REPLICAS, OWN_ANNOTATIONS, REVISION, REVISION_HISTORY, revision};
use squall_api::{hash, meta};

/// Maximum length of the list of earlier revisions; the oldest are dropped first.
const MAX_HISTORY_CHARS: usize = 2_000;

/// Returns the revision of the newest template: one more than any old one.
pub fn next_revision<'a>(old: impl Iterator<Item = &'a ReplicaSet>) -> i64 {
    old.map(revision).max().unwrap_or(0).saturating_add(1)
}

/// The name that a Deployment gives to the ReplicaSet of its template.
pub fn name_of_new(deployment: &Deployment) -> String {
    let hash = hash::pod_template_hash(&deployment.spec.template, deployment.status.collision_count);
    let name = &deployment.metadata.name;
    let fits = name.get(..252_usize.saturating_sub(hash.len())).unwrap_or(name);
    format!("{fits}-{hash}")
}

/// Builds the ReplicaSet for the Deployment's template.
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

/// Notes the totals that the size of a ReplicaSet was decided for.
pub fn set_sizes(annotations: &mut BTreeMap<String, String>, desired: i32, max_replicas: i32) {
    annotations.insert(DESIRED.to_owned(), desired.to_string());
    annotations.insert(MAX_REPLICAS.to_owned(), max_replicas.to_string());
}

fn copy_annotations(deployment: &Deployment, annotations: &mut BTreeMap<String, String>) {
    let copied = deployment.metadata.annotations.iter().filter(|(key, _)| !OWN_ANNOTATIONS.contains(&key.as_str()));
    annotations.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
}

/// Returns the new ReplicaSet with up-to-date annotations and `minReadySeconds`; `None` if nothing changes.
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
