//! A Deployment has one ReplicaSet for each version of its template, and numbers versions upwards.

use std::collections::BTreeMap;

use squall_api::apps::v1::ReplicaSet;
use squall_api::revision::{revision, same_template};

use super::{Finding, Invariant};
use crate::history::{Fate, History, Subject};

pub const INVARIANT: Invariant = Invariant {
    name: "a Deployment has one ReplicaSet for each template, and its revisions rise",
    writer: "the deployment controller",
    is_of_the_end: false,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    // The highest revision that each Deployment (by uid) has given so far.
    let mut highest: BTreeMap<String, i64> = BTreeMap::new();
    for set in history.start.replica_sets() {
        if let Some(owner) = history.start.owner_of(set) {
            let known = highest.entry(owner.metadata.uid.clone()).or_default();
            *known = revision(set).max(*known);
        }
    }
    let mut findings = Vec::new();
    history.walk(|step| {
        let Subject::ReplicaSet(set) = &step.change.subject else { return };
        let Some(owner) = step.world.owner_of(set) else { return };
        let uid = &owner.metadata.uid;
        if step.change.fate == Fate::Removed {
            // As Kubernetes counts: one more than the highest that is there.
            highest.insert(uid.clone(), step.world.sets_of(uid).map(revision).max().unwrap_or(0));
            return;
        }
        let number = step.change.revision;
        let is_new = step.previous.is_none();
        let same = |other: &&ReplicaSet| {
            other.metadata.uid != set.metadata.uid
                && other.metadata.deletion_timestamp.is_none()
                && same_template(&other.spec.template, &set.spec.template)
        };
        if is_new && let Some(other) = step.world.sets_of(uid).find(same) {
            let (name, other, owner) = (&set.metadata.name, &other.metadata.name, &owner.metadata.name);
            findings.push((number, format!("{name} was made, though {owner} had {other} of the same template")));
        }
        let before = match &step.previous {
            Some(Subject::ReplicaSet(previous)) => revision(previous),
            _ => 0,
        };
        let (now, known) = (revision(set), highest.entry(uid.clone()).or_default());
        if now != before && now != 0 && now <= *known {
            let name = &set.metadata.name;
            findings.push((number, format!("{name} became revision {now}, though there had been revision {known}")));
        }
        *known = now.max(*known);
    });
    findings
}
