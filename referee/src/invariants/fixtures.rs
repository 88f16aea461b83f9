//! Small objects and histories for the tests of invariants.

use std::time::Duration;

use squall_api::apps::v1::{Deployment, ReplicaSet, RollingUpdateDeployment};
use squall_api::core::v1::Pod;
use squall_api::intstr::IntOrString;
use squall_api::metav1::v1::OwnerReference;

use super::Finding;
use crate::history::{Change, Fate, History, Subject};

fn owner(uid: &str) -> Vec<OwnerReference> {
    vec![OwnerReference {
        uid: uid.to_owned(),
        name: uid.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    }]
}

pub fn deployment(replicas: i32, surge: &str, unavailable: &str) -> Subject {
    let amount = |text: &str| Some(text.parse().map_or_else(|_| IntOrString::string(text), IntOrString::int));
    let mut deployment = Deployment::default();
    deployment.metadata.uid = "kubia".to_owned();
    deployment.metadata.name = "kubia".to_owned();
    deployment.spec.replicas = Some(replicas);
    deployment.spec.strategy.rolling_update =
        Some(RollingUpdateDeployment { max_surge: amount(surge), max_unavailable: amount(unavailable) });
    Subject::Deployment(Box::new(deployment))
}

/// A ReplicaSet of the Deployment with this size and this many available pods.
pub fn set(uid: &str, size: i32, available: i32) -> Subject {
    generation(uid, size, available, 1, 1)
}

pub fn generation(uid: &str, size: i32, available: i32, generation: i64, observed: i64) -> Subject {
    let mut set = ReplicaSet::default();
    set.metadata.uid = uid.to_owned();
    set.metadata.name = uid.to_owned();
    set.metadata.owner_references = owner("kubia");
    set.metadata.generation = generation;
    set.spec.replicas = Some(size);
    set.status.available_replicas = available;
    set.status.observed_generation = observed;
    Subject::ReplicaSet(Box::new(set))
}

pub fn pod(uid: &str, set: &str) -> Subject {
    let mut pod = Pod::default();
    pod.metadata.uid = uid.to_owned();
    pod.metadata.name = uid.to_owned();
    pod.metadata.owner_references = owner(set);
    Subject::Pod(Box::new(pod))
}

/// Returns the findings as revisions and sentences.
pub fn told<V: ToString>(findings: Vec<Finding<V>>) -> Vec<(u64, String)> {
    findings.into_iter().map(|finding| (finding.revision, finding.violation.to_string())).collect()
}

/// Returns a history that stores these objects, one per revision.
pub fn history(subjects: Vec<Subject>) -> History {
    let changes = (1..).zip(subjects).map(|(revision, subject)| Change {
        revision,
        subject,
        fate: Fate::Stored,
        at: Duration::ZERO,
    });
    History { changes: changes.collect(), ..History::default() }
}
