//! No pod counts as available before it has been ready for minReadySeconds.
//!
//! The recorder hears of changes late, and of each kind another moment late. So each revision is bounded by moments at which the
//! leading apiserver was seen to be before it and after it: only what is too early by these is found.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_api::kinds::is_pod_ready;
use squall_api::meta;

use super::{Finding, Invariant};
use crate::history::{Fate, History, Subject, World};

pub const INVARIANT: Invariant = Invariant {
    name: "a pod is available only after it was ready for minReadySeconds",
    writer: "the ReplicaSet controller",
    is_of_the_end: false,
    check,
};

fn check(history: &History) -> Vec<Finding> {
    let second = Duration::from_secs(1) / history.seconds_divided_by.max(1);
    let mut ready_since: BTreeMap<String, Option<Duration>> = BTreeMap::new();
    for pod in history.start.pods().filter(|pod| is_pod_ready(pod)) {
        ready_since.insert(pod.metadata.uid.clone(), None);
    }
    let mut findings = Vec::new();
    history.walk(|step| match &step.change.subject {
        Subject::Pod(pod) => {
            let uid = &pod.metadata.uid;
            if step.change.fate == Fate::Removed || !is_pod_ready(pod) {
                ready_since.remove(uid);
            } else {
                ready_since.entry(uid.clone()).or_insert(Some(history.not_before(step.change.revision)));
            }
        }
        Subject::ReplicaSet(set) if set.spec.min_ready_seconds > 0 => {
            let wanted = second * u32::try_from(set.spec.min_ready_seconds).unwrap_or(0);
            let now_is = history.not_after(step.change.revision);
            let before = match &step.previous {
                Some(Subject::ReplicaSet(previous)) => previous.status.available_replicas,
                _ => 0,
            };
            let now = set.status.available_replicas;
            let long_ready = pods_of(step.world, &set.metadata.uid)
                .filter(|uid| match ready_since.get(uid) {
                    None => false,
                    Some(None) => true,
                    Some(Some(since)) => now_is.saturating_sub(*since) >= wanted,
                })
                .count();
            if now > before && now > i32::try_from(long_ready).unwrap_or(i32::MAX) {
                let name = &set.metadata.name;
                findings.push((
                    step.change.revision,
                    format!("{name} counts {now} pods as available, of which {long_ready} can have been ready for {wanted:?}"),
                ));
            }
        }
        Subject::ReplicaSet(_)
        | Subject::Deployment(_)
        | Subject::ReplicationController(_)
        | Subject::EndpointSlice(_)
        | Subject::Event(_)
        | Subject::Lease(_) => {}
    });
    findings
}

fn pods_of<'a>(world: &'a World, set: &'a str) -> impl Iterator<Item = String> + 'a {
    let owned =
        world.pods().filter(move |pod| meta::controller_of(&pod.metadata).is_some_and(|owner| owner.uid == set));
    owned.map(|pod| pod.metadata.uid.clone())
}
