//! A rollout never gives up pods that it needs to keep `replicas - maxUnavailable` available.
//!
//! What a ReplicaSet contributes is what it is asked for, but no more than it reports as available: asking for less
//! then can only cost what is above that. A scale-down breaks the rule when it lowers the sum of these below the limit
//! in every state that the controller was allowed to see.

use std::collections::BTreeMap;

use squall_api::apps::v1::ReplicaSet;

use super::limits::Limits;
use super::{Finding, Invariant};
use crate::history::{History, Subject, World};

pub const INVARIANT: Invariant = Invariant {
    name: "a rollout never gives up pods it needs for replicas - maxUnavailable",
    writer: "the deployment controller",
    is_of_the_end: false,
    check,
};

/// What the controller of one Deployment may have seen since its last write.
struct Window {
    /// The least that any version of the Deployment has asked for.
    least: i32,
    /// For each state, how many pods of each ReplicaSet (by uid) were available.
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

fn check(history: &History) -> Vec<Finding> {
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
                let (name, deployment, least) = (&set.metadata.name, &owner.metadata.name, window.least);
                let (from, to) = (before, size(set));
                findings.push((
                    step.change.revision,
                    format!("{name} was scaled from {from} to {to}, which leaves {deployment} {kept} of at least {least} available pods"),
                ));
            }
            windows.insert(uid.clone(), Window::beginning_at(step.world, &uid, Limits::of(owner).least));
        }
        Subject::Pod(_)
        | Subject::ReplicationController(_)
        | Subject::EndpointSlice(_)
        | Subject::Event(_)
        | Subject::Lease(_) => {}
    });
    findings
}

/// How many pods the scale-down keeps in the best state that may have been seen, if that is too few in each.
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
