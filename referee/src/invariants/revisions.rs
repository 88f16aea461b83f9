//! A Deployment has one ReplicaSet for each version of its template, and its revision numbers increase.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;
use squall_api::apps::v1::ReplicaSet;
use squall_api::revision::{revision, same_template};

use super::{Finding, Rule, Scope};
use crate::history::{Fate, History, Subject};

pub const RULE: Rule = Rule {
    name: "a Deployment has one ReplicaSet for each template, and its revisions increase",
    writer: "the deployment controller",
    scope: Scope::EveryWrite,
};

/// A ReplicaSet that its Deployment must not have, or not under this revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Violation {
    /// A second ReplicaSet with the same template.
    SecondOfTemplate { set: String, deployment: String, other: String },
    /// A revision that is not above all earlier ones.
    Falls { set: String, revision: i64, known: i64 },
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondOfTemplate { set, deployment, other } => {
                write!(f, "{set} was created, but {deployment} had {other} with the same template")
            }
            Self::Falls { set, revision, known } => {
                write!(f, "{set} became revision {revision}, but revision {known} existed before")
            }
        }
    }
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
    // The highest revision that each Deployment (by uid) has used so far.
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
            // As in Kubernetes, the next revision is one more than the highest existing one.
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
            let (set, deployment) = (set.metadata.name.clone(), owner.metadata.name.clone());
            let violation = Violation::SecondOfTemplate { set, deployment, other: other.metadata.name.clone() };
            findings.push(Finding { revision: number, violation });
        }
        let before = match &step.previous {
            Some(Subject::ReplicaSet(previous)) => revision(previous),
            _ => 0,
        };
        let (now, known) = (revision(set), highest.entry(uid.clone()).or_default());
        if now != before && now != 0 && now <= *known {
            let violation = Violation::Falls { set: set.metadata.name.clone(), revision: now, known: *known };
            findings.push(Finding { revision: number, violation });
        }
        *known = now.max(*known);
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Container;
    use squall_api::revision::REVISION;

    use crate::invariants::fixtures::{deployment, history, set, told};

    fn found(subjects: Vec<Subject>) -> Vec<(u64, String)> {
        told(check(&history(subjects)))
    }

    /// A ReplicaSet of the Deployment with this image and this revision.
    fn versioned(uid: &str, image: &str, revision: i64) -> Subject {
        let Subject::ReplicaSet(mut set) = set(uid, 1, 0) else { unreachable!("it is a ReplicaSet") };
        let container = Container { image: image.to_owned(), ..Container::default() };
        set.spec.template.spec.containers.push(container);
        set.metadata.annotations.insert(REVISION.to_owned(), revision.to_string());
        Subject::ReplicaSet(set)
    }

    #[test]
    fn a_second_replica_set_of_a_template_and_a_revision_that_falls_are_found() {
        let start = || vec![deployment(3, "1", "0"), versioned("one", "v1", 1)];
        let with = |more: Vec<Subject>| found(start().into_iter().chain(more).collect());
        assert_eq!(with(vec![versioned("two", "v2", 2)]), []);
        // Going back to an old version gives its ReplicaSet a new number.
        assert_eq!(with(vec![versioned("two", "v2", 2), versioned("one", "v1", 3)]), []);
        let twice = with(vec![versioned("two", "v1", 2)]);
        assert_eq!(twice, [(3, "two was created, but kubia had one with the same template".to_owned())]);
        let falls = with(vec![versioned("two", "v2", 5), versioned("one", "v1", 4)]);
        assert_eq!(falls, [(4, "one became revision 4, but revision 5 existed before".to_owned())]);
    }
}
