//! A ReplicaSet never creates more pods than desired.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;
use squall_api::meta;

use super::{Finding, Rule, Scope};
use crate::history::{Fate, History, Subject};

pub const RULE: Rule = Rule {
    name: "a ReplicaSet never creates more pods than desired",
    writer: "the ReplicaSet controller",
    scope: Scope::EveryWrite,
};

/// One pod too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    pod: String,
    set: String,
    /// The number of active pods of the ReplicaSet, including this one.
    active: i32,
    /// The desired number of pods.
    most: i32,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod, set, active, most } = self;
        write!(f, "{pod} was created, so {set} has {active} pods of at most {most}")
    }
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
    // For each ReplicaSet, its size by generation, starting with the generation that its controller has observed.
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
            // A controller that reports a generation has seen it, and acts on no older one.
            by_generation.retain(|generation, _| *generation >= set.status.observed_generation);
        }
        Subject::Pod(pod) if step.previous.is_none() && step.change.fate == Fate::Stored => {
            let Some(owner) = meta::controller_of(&pod.metadata) else { return };
            let Some(most) = sizes.get(&owner.uid).and_then(|sizes| sizes.values().max()) else { return };
            let active = i32::try_from(step.world.active_pods_of(&owner.uid).count()).unwrap_or(i32::MAX);
            if active > *most {
                let (pod, set) = (pod.metadata.name.clone(), owner.name.clone());
                let violation = Violation { pod, set, active, most: *most };
                findings.push(Finding { revision: step.change.revision, violation });
            }
        }
        Subject::Pod(_)
        | Subject::Deployment(_)
        | Subject::ReplicationController(_)
        | Subject::Service(_)
        | Subject::EndpointSlice(_)
        | Subject::Event(_)
        | Subject::Lease(_) => {}
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::fixtures::{deployment, generation, history, pod, told};

    fn found(subjects: Vec<Subject>) -> Vec<(u64, String)> {
        told(check(&history(subjects)))
    }

    #[test]
    fn a_pod_too_many_is_found() {
        let start = || vec![deployment(3, "1", "0"), generation("old", 2, 0, 1, 0), pod("a", "old"), pod("b", "old")];
        let with = |more: Vec<Subject>| found(start().into_iter().chain(more).collect());
        assert_eq!(with(vec![]), []);
        assert_eq!(with(vec![pod("c", "old")]), [(5, "c was created, so old has 3 pods of at most 2".to_owned())]);
        // The controller has not reported the smaller size yet.
        assert_eq!(with(vec![generation("old", 3, 0, 2, 1), generation("old", 1, 0, 3, 1), pod("c", "old")]), []);
        assert_eq!(with(vec![generation("old", 3, 0, 2, 1), generation("old", 1, 0, 3, 3), pod("c", "old")]).len(), 1);
    }
}
