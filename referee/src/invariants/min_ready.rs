//! No pod counts as available before it has been ready for minReadySeconds.
//!
//! The recorder sees changes late, and each kind at a different time. So each revision is bounded by moments at which
//! the leading apiserver was seen before and after it: only a pod that is too early by these bounds is reported.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;
use squall_api::kinds::is_pod_ready;
use squall_api::meta;

use super::{Finding, Rule, Scope};
use crate::history::{Fate, History, Subject, World};

pub const RULE: Rule = Rule {
    name: "a pod is available only after it has been ready for minReadySeconds",
    writer: "the ReplicaSet controller",
    scope: Scope::EveryWrite,
};

/// A pod that counts as available too early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    set: String,
    /// The number of pods that the ReplicaSet counts as available.
    counted: i32,
    /// The number of its pods that can have been ready for long enough.
    long_ready: usize,
    /// The time that they need.
    #[serde(with = "squall_api::duration")]
    wanted: Duration,
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, counted, long_ready, wanted } = self;
        write!(f, "{set} counts {counted} pods as available, of which {long_ready} can have been ready for {wanted:?}")
    }
}

pub fn check(history: &History) -> Vec<Finding<Violation>> {
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
                let violation = Violation { set: set.metadata.name.clone(), counted: now, long_ready, wanted };
                findings.push(Finding { revision: step.change.revision, violation });
            }
        }
        Subject::ReplicaSet(_)
        | Subject::Deployment(_)
        | Subject::ReplicationController(_)
        | Subject::Service(_)
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

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;

    use crate::history::{Change, Sighting};
    use crate::invariants::fixtures::{pod, set};

    /// Returns the findings if the pod became ready and was counted as available at these moments, in milliseconds.
    fn counted(ready_at: u64, counted_at: u64) -> Vec<Finding<Violation>> {
        let Subject::ReplicaSet(mut before) = set("set", 1, 0) else { unreachable!("it is a ReplicaSet") };
        before.spec.min_ready_seconds = 10;
        let mut after = before.clone();
        after.status.available_replicas = 1;
        let Subject::Pod(mut ready) = pod("a", "set") else { unreachable!("it is a pod") };
        let condition =
            PodCondition { r#type: "Ready".to_owned(), status: "True".to_owned(), ..PodCondition::default() };
        ready.status.conditions.push(condition);
        let subjects = [
            (0, Subject::ReplicaSet(before)),
            (ready_at, Subject::Pod(ready)),
            (counted_at, Subject::ReplicaSet(after)),
        ];
        let changes = (1..).zip(subjects).map(|(revision, (at, subject))| Change {
            revision,
            subject,
            fate: Fate::Stored,
            at: Duration::from_millis(at),
        });
        // The apiserver was polled every 50 ms.
        let revision = |at| {
            if at >= counted_at {
                3
            } else if at >= ready_at {
                2
            } else {
                1
            }
        };
        let seen = |look: u64| {
            let at = Duration::from_millis(look * 50);
            Sighting { asked: at, answered: at, revision: revision(look * 50) }
        };
        let seen_at = (0..40).map(seen).collect();
        let history = History { changes: changes.collect(), seconds_divided_by: 10, seen_at, ..History::default() };
        check(&history)
    }

    #[test]
    fn a_pod_that_counts_too_early_is_found() {
        // Ten seconds are one second in `fast` timing, and each moment is known to 50 ms.
        assert_eq!(counted(100, 1_150), []);
        assert_eq!(counted(100, 1_060), []);
        assert_eq!(counted(100, 900).len(), 1);
        assert_eq!(counted(100, 150).len(), 1);
    }
}
