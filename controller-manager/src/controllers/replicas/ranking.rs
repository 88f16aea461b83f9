//! Decides which pods are deleted first when there are too many.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::Timestamp;
use squall_api::core::v1::Pod;
use squall_api::kinds::{is_pod_ready, pod_condition};
use squall_api::metav1::v1::Time;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Sorts pods in the order of their deletion. `related` counts, by node, the active pods of the same Deployment.
pub fn sort(pods: &mut [&Pod], related: &HashMap<String, usize>, now: Timestamp) {
    pods.sort_by(|one, other| compare(one, other, related, now));
}

/// Kubernetes: `ActivePodsWithRanks`.
fn compare(one: &Pod, other: &Pod, related: &HashMap<String, usize>, now: Timestamp) -> Ordering {
    let assigned = |pod: &Pod| !pod.spec.node_name.is_empty();
    let phase = |pod: &Pod| match pod.status.phase.as_str() {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    let cost =
        |pod: &Pod| pod.metadata.annotations.get(DELETION_COST).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
    let rank = |pod: &Pod| std::cmp::Reverse(related.get(&pod.spec.node_name).copied().unwrap_or(0));
    let restarts =
        |pod: &Pod| std::cmp::Reverse(pod.status.container_statuses.iter().map(|status| status.restart_count).max());
    assigned(one)
        .cmp(&assigned(other))
        .then_with(|| phase(one).cmp(&phase(other)))
        .then_with(|| is_pod_ready(one).cmp(&is_pod_ready(other)))
        .then_with(|| cost(one).cmp(&cost(other)))
        .then_with(|| rank(one).cmp(&rank(other)))
        .then_with(|| match is_pod_ready(one) && is_pod_ready(other) {
            true => by_age(one, other, ready_since, now),
            false => Ordering::Equal,
        })
        .then_with(|| restarts(one).cmp(&restarts(other)))
        .then_with(|| by_age(one, other, |pod| pod.metadata.creation_timestamp, now))
}

fn ready_since(pod: &Pod) -> Time {
    pod_condition(pod, "Ready").map(|condition| condition.last_transition_time).unwrap_or_default()
}

/// Orders the younger first. Only the order of magnitude of the age counts; within one, the uid decides.
fn by_age(one: &Pod, other: &Pod, since: fn(&Pod) -> Time, now: Timestamp) -> Ordering {
    let bucket = |pod: &Pod| {
        let age = now.as_nanosecond().saturating_sub(since(pod).timestamp().as_nanosecond());
        u128::try_from(age).unwrap_or(0).checked_ilog2()
    };
    bucket(one).cmp(&bucket(other)).then_with(|| one.metadata.uid.cmp(&other.metadata.uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;

    fn pod(name: &str, node: &str, phase: &str, ready_since: Option<i64>) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.metadata.uid = name.to_owned();
        pod.spec.node_name = node.to_owned();
        pod.status.phase = phase.to_owned();
        pod.status.conditions.extend(ready_since.map(|seconds| PodCondition {
            r#type: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Time { seconds, nanos: 0 },
            ..PodCondition::default()
        }));
        pod
    }

    #[test]
    fn the_least_useful_pods_go_first() {
        let mut cheap = pod("cheap", "n1", "Running", Some(1));
        cheap.metadata.annotations.insert(DELETION_COST.to_owned(), "-1".to_owned());
        let pods = [
            pod("old", "n2", "Running", Some(1)),
            pod("young", "n2", "Running", Some(900)),
            cheap,
            pod("crowded", "n1", "Running", Some(1)),
            pod("unready", "n1", "Running", None),
            pod("pending", "n1", "Pending", None),
            pod("unassigned", "", "Pending", None),
        ];
        let mut sorted: Vec<&Pod> = pods.iter().collect();
        sort(
            &mut sorted,
            &HashMap::from([("n1".to_owned(), 3), ("n2".to_owned(), 1)]),
            Timestamp::from_second(1_000).unwrap(),
        );
        let names: Vec<&str> = sorted.iter().map(|pod| pod.metadata.name.as_str()).collect();
        assert_eq!(names, ["unassigned", "pending", "unready", "cheap", "crowded", "young", "old"]);
    }
}
