//! Which pods have to leave a tainted node, and when.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::Kind;
use squall_api::core::v1::{Node, Pod, PodCondition, Taint};
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::kinds::{covers, pod_condition};
use squall_api::metav1::v1::Time;
use squall_api::timing;
use squall_daemon::Timing;

use crate::runtime::{Action, Plan};

const TARGET: &str = "DisruptionTarget";

/// Deletes the pods that no longer tolerate a taint of the node, after stating the reason in their status.
pub fn evict(node: &Node, pods: &[Arc<Pod>], profile: &Timing, now: Timestamp, plan: &mut Plan) {
    for taint in node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let added = taint.time_added.map_or(now, |time| time.timestamp());
        for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let left = match tolerated_seconds(pod, taint) {
                None => Duration::ZERO,
                Some(None) => continue,
                Some(Some(seconds)) => {
                    let since = added.max(arrival(pod));
                    timing::left(profile.seconds(seconds), since, now)
                }
            };
            if left.is_zero() {
                plan.actions.extend(delete(pod, now));
            } else {
                plan.wake(left);
            }
        }
    }
}

/// Records an event for each pod whose scheduled deletion is cancelled because its taints are removed.
pub fn cancelled(before: &Node, after: &Node, pods: &[Arc<Pod>]) -> Vec<Action> {
    let waits = |node: &Node, pod: &Pod| {
        let mut taints = node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute");
        taints.any(|taint| matches!(tolerated_seconds(pod, taint), Some(Some(_))))
    };
    let stay = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let stay = stay.filter(|pod| waits(before, pod) && !waits(after, pod));
    stay.map(|pod| tell(pod, "Cancelling deletion of Pod")).collect()
}

/// When the pod came to its node. Kubernetes: a pod that comes after the taint has all its seconds too.
fn arrival(pod: &Pod) -> Timestamp {
    let scheduled = pod_condition(pod, "PodScheduled").map(|condition| condition.last_transition_time);
    scheduled.unwrap_or(pod.metadata.creation_timestamp).timestamp()
}

fn tell(pod: &Pod, what: &str) -> Action {
    Action::Tell(Happening {
        object: ObjectId::of(pod),
        event_type: EventType::Normal,
        reason: "TaintManagerEviction",
        message: format!("{what} {}/{}", pod.metadata.namespace, pod.metadata.name),
    })
}

fn delete(pod: &Pod, now: Timestamp) -> Vec<Action> {
    let meta = &pod.metadata;
    let mut actions = vec![tell(pod, "Marking for deletion Pod")];
    if pod_condition(pod, TARGET).is_none() {
        let mut changed = pod.clone();
        changed.status.conditions.push(PodCondition {
            r#type: TARGET.to_owned(),
            status: "True".to_owned(),
            reason: "DeletionByTaintManager".to_owned(),
            message: "Taint manager: deleting due to NoExecute taint".to_owned(),
            last_transition_time: Time::from_timestamp(now),
            ..PodCondition::default()
        });
        actions.push(Action::UpdateStatus(Box::new(changed.into())));
    }
    actions.push(Action::Delete {
        kind: Kind::Pod,
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        propagation: "",
    });
    actions
}

/// Returns how long the pod tolerates the taint: not at all (`None`), for ever (`Some(None)`), or for some seconds.
fn tolerated_seconds(pod: &Pod, taint: &Taint) -> Option<Option<i64>> {
    let tolerations = pod.spec.tolerations.iter().filter(|toleration| covers(toleration, taint));
    let tolerations: Vec<Option<i64>> = tolerations.map(|toleration| toleration.toleration_seconds).collect();
    match tolerations.as_slice() {
        [] => None,
        some if some.iter().all(Option::is_none) => Some(None),
        some => Some(some.iter().flatten().min().copied()),
    }
}
