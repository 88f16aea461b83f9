//! A rollout never removes pods that it needs to keep `replicas - maxUnavailable` available.
//!
//! A ReplicaSet contributes its desired size, but no more than the available pods that it reports: a smaller size then
//! costs only the pods above that size. A scale-down breaks the rule if it lowers the sum of these contributions below
//! the limit in every state that the controller was allowed to see.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;
use squall_api::apps::v1::ReplicaSet;

use super::limits::Limits;
use super::{Finding, Rule, Scope};
use crate::history::{History, Subject, World};

pub const RULE: Rule = Rule {
    name: "a rollout never removes pods it needs for replicas - maxUnavailable",
    writer: "the deployment controller",
    scope: Scope::EveryWrite,
};

/// A scale-down that removes pods that the Deployment needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The ReplicaSet that was scaled down.
    set: String,
    from: i32,
    to: i32,
    deployment: String,
    /// The number of available pods that the scale-down leaves.
    kept: i32,
    /// The number that the Deployment needs.
    least: i32,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, from, to, deployment, kept, least } = self;
        write!(
            f,
            "{set} was scaled from {from} to {to}, which leaves {deployment} {kept} of at least {least} available pods"
        )
    }
}

/// The states that the controller of one Deployment may have seen since its last write.
struct Window {
    /// The lowest number of available pods that any version of the Deployment required.
    least: i32,
    /// For each state, the number of available pods of each ReplicaSet, by uid.
    available: Vec<BTreeMap<String, i32>>,
}

impl Window {
    fn beginning_at(world: &World, uid: &str, least: i32) -> Self {
        Self { least, available: vec![available(world, uid)] }
    }
}

fn available(world: &World, uid: &str) -> BTreeMap<String, i32> {
    world.sets_of(uid).map(|set| (set.metadata.uid.clone(), set.status.available_replicas)).collect()
}

fn size(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
    let mut windows: BTreeMap<String, Window> = BTreeMap::new();
    for deployment in history.start.deployments() {
        let uid = deployment.metadata.uid.clone();
        let window = Window::beginning_at(&history.start, &uid, Limits::of(deployment).least);
        windows.insert(uid, window);
    }
    let mut findings = Vec::new();
    history.walk(|step| match &step.change.subject {
        Subject::Deployment(deployment) => {
            let (uid, least) = (deployment.metadata.uid.clone(), Limits::of(deployment).least);
            let window = windows.entry(uid.clone()).or_insert_with(|| Window::beginning_at(step.world, &uid, least));
            window.least = window.least.min(least);
        }
        Subject::ReplicaSet(set) => {
            let Some(owner) = step.world.owner_of(set) else { return };
            let uid = owner.metadata.uid.clone();
            let Some(window) = windows.get_mut(&uid) else { return };
            let before = match &step.previous {
                Some(Subject::ReplicaSet(previous)) => size(previous),
                _ => 0,
            };
            if size(set) == before {
                window.available.push(available(step.world, &uid));
                return;
            }
            if size(set) < before
                && let Some(kept) = too_few(window, step.world, &uid, set, before)
            {
                let (name, deployment) = (set.metadata.name.clone(), owner.metadata.name.clone());
                let violation =
                    Violation { set: name, from: before, to: size(set), deployment, kept, least: window.least };
                findings.push(Finding { revision: step.change.revision, violation });
            }
            windows.insert(uid.clone(), Window::beginning_at(step.world, &uid, Limits::of(owner).least));
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

/// Returns how many pods the scale-down keeps in the best state that may have been seen, if that is too few in each.
fn too_few(window: &Window, world: &World, uid: &str, scaled: &ReplicaSet, size_before: i32) -> Option<i32> {
    let mut best = None;
    for available in &window.available {
        let contribution =
            |set: &ReplicaSet, size: i32| size.min(available.get(&set.metadata.uid).copied().unwrap_or(0));
        let kept: i32 = world.sets_of(uid).map(|set| contribution(set, size(set))).sum();
        let given_up = contribution(scaled, size_before) - contribution(scaled, size(scaled));
        if kept >= window.least || given_up == 0 {
            return None;
        }
        best = best.max(Some(kept));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::fixtures::{deployment, history, set, told};

    fn found(subjects: Vec<Subject>) -> Vec<(u64, String)> {
        told(check(&history(subjects)))
    }

    #[test]
    fn giving_up_a_pod_that_is_needed_is_found() {
        let start = || vec![deployment(3, "1", "0"), set("old", 3, 3), set("new", 1, 0)];
        let with = |more: Vec<Subject>| found(start().into_iter().chain(more).collect());
        let too_early = with(vec![set("old", 2, 3)]);
        let expected = "old was scaled from 3 to 2, which leaves kubia 2 of at least 3 available pods";
        assert_eq!(too_early, [(4, expected.to_owned())]);
        assert_eq!(with(vec![set("new", 1, 1), set("old", 2, 3)]), []);
        assert_eq!(with(vec![set("new", 1, 1), set("old", 1, 3)]).len(), 1, "two at once");
        assert_eq!(with(vec![set("new", 1, 1), set("old", 2, 3), set("old", 1, 2)]).len(), 1, "one after the other");
    }

    #[test]
    fn giving_up_what_does_not_work_costs_nothing() {
        let broken = vec![deployment(3, "1", "0"), set("old", 3, 1), set("new", 1, 0), set("old", 1, 1)];
        assert_eq!(found(broken), []);
    }

    #[test]
    fn a_state_that_has_passed_may_have_been_the_one_that_was_seen() {
        // The new pod became available and then unavailable, before the controller acted on the first.
        let flapping = vec![
            deployment(3, "1", "0"),
            set("old", 3, 3),
            set("new", 1, 0),
            set("new", 1, 1),
            set("new", 1, 0),
            set("old", 2, 3),
        ];
        assert_eq!(found(flapping), []);
    }
}
