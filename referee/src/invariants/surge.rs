//! A rollout never asks for more pods than `replicas + maxSurge`.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;

use super::limits::Limits;
use super::{Finding, Rule, Scope};
use crate::history::{History, Subject};

pub const RULE: Rule = Rule {
    name: "a rollout never asks for more than replicas + maxSurge",
    writer: "the deployment controller",
    scope: Scope::EveryWrite,
};

/// A scale-up beyond the surge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The ReplicaSet that was scaled up.
    set: String,
    from: i32,
    to: i32,
    deployment: String,
    /// The desired pods of all ReplicaSets of the Deployment.
    total: i32,
    /// The allowed maximum.
    most: i32,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, from, to, deployment, total, most } = self;
        write!(f, "{set} was scaled from {from} to {to}, so that {deployment} asks for {total} of at most {most} pods")
    }
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
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
                let (set, deployment) = (set.metadata.name.clone(), owner.metadata.name.clone());
                let violation = Violation { set, from: size_before, to: size, deployment, total, most };
                findings.push(Finding { revision: step.change.revision, violation });
            }
            allowed.insert(uid.clone(), Limits::of(owner).most);
        }
        Subject::Pod(_)
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
    use crate::invariants::fixtures::{deployment, history, set, told};

    fn found(subjects: Vec<Subject>) -> Vec<(u64, String)> {
        told(check(&history(subjects)))
    }

    #[test]
    fn more_than_the_surge_is_found() {
        let start = || vec![deployment(3, "1", "0"), set("old", 3, 3)];
        let with = |more: Vec<Subject>| found(start().into_iter().chain(more).collect());
        assert_eq!(with(vec![set("new", 1, 0)]), []);
        let too_many = with(vec![set("new", 2, 0)]);
        assert_eq!(
            too_many,
            [(3, "new was scaled from 0 to 2, so that kubia asks for 5 of at most 4 pods".to_owned())]
        );
        assert_eq!(with(vec![set("new", 1, 0), set("old", 2, 3), set("new", 2, 1)]), []);
        assert_eq!(with(vec![set("new", 1, 0), set("new", 2, 1)]).len(), 1);
    }

    #[test]
    fn a_controller_may_be_late_but_not_later_than_its_own_write() {
        // It may not have seen that 6 became 3 when it scales to 6; after that write it must have.
        let late = vec![deployment(6, "0", "1"), set("old", 3, 3), deployment(3, "0", "1"), set("new", 3, 0)];
        assert_eq!(found(late.clone()), []);
        let later = late.into_iter().chain([set("new", 2, 0), set("new", 3, 0)]).collect();
        assert_eq!(found(later).len(), 1);
    }
}
