//! The scheduler: binds each pod without a node to the best node that can take it.
//!
//! `room` is a node with the pods on it. `fit` chooses the node, by `affinity` (a pod's requirements on nodes and other
//! pods) and `spread` (the even distribution of pods).

mod affinity;
mod fit;
mod room;
mod spread;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::{Node, Pod, PodCondition};
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::kinds::{is_pod_terminal, pod_condition};
use squall_api::metav1::v1::Time;

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};
use room::Room;

/// Maximum number of pods bound in one go. Each takes the placement of the earlier ones into account.
const BATCH: usize = 256;
/// Delay before a pod that fits nowhere is retried, if no change comes earlier.
const RETRY: Duration = Duration::from_secs(1);

/// Assigns pods to nodes.
pub struct Scheduler;

/// All nodes, the pods on them, and the pods without a node.
pub struct Observed {
    nodes: Vec<Arc<Node>>,
    placed: Vec<Arc<Pod>>,
    waiting: Vec<Arc<Pod>>,
}

/// Returns the only key: all pods are scheduled together.
fn everything() -> Key {
    Key::new("", "pods")
}

impl Controller for Scheduler {
    type Observed = Observed;
    const NAME: &'static str = "default-scheduler";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        if matches!(change.kind, CachedKind::Pod | CachedKind::Node) { vec![everything()] } else { Vec::new() }
    }

    fn all_keys(&self, _: &Caches) -> Vec<Key> {
        vec![everything()]
    }

    fn observe(&self, caches: &Caches, _: &Key, _: Option<&str>) -> Option<Observed> {
        let mut waiting = caches.pods.group("");
        waiting.retain(|pod| is_waiting(pod));
        if waiting.is_empty() {
            return None;
        }
        let mut placed = caches.pods.all();
        placed.retain(|pod| !pod.spec.node_name.is_empty() && !is_pod_terminal(pod));
        Some(Observed { nodes: caches.nodes.all(), placed, waiting })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(observed, now)
    }
}

fn is_waiting(pod: &Pod) -> bool {
    pod.spec.scheduler_name == Scheduler::NAME && pod.metadata.deletion_timestamp.is_none() && !is_pod_terminal(pod)
}

fn plan(observed: Observed, now: Timestamp) -> Plan {
    let Observed { nodes, placed, mut waiting } = observed;
    let mut rooms: Vec<Room> = nodes.iter().map(|node| Room::of(node)).collect();
    let places: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.metadata.name.as_str(), place)).collect();
    for pod in &placed {
        if let Some(place) = places.get(pod.spec.node_name.as_str()) {
            rooms[*place].take(pod);
        }
    }
    // Kubernetes: by priority, then by time.
    waiting.sort_by_key(|pod| {
        let created = pod.metadata.creation_timestamp;
        (
            i64::from(pod.spec.priority.unwrap_or(0)).saturating_neg(),
            created.seconds,
            created.nanos,
            pod.metadata.name.clone(),
        )
    });
    let mut plan = Plan::default();
    let mut bindings = Vec::new();
    for pod in &waiting {
        // Only bound pods count towards a batch: pods that fit nowhere must not block the others.
        if bindings.len() == BATCH {
            plan.wake(Duration::ZERO);
            break;
        }
        match fit::choose(&rooms, pod) {
            Ok(place) => {
                rooms[place].take(pod);
                bindings.push(bind(pod, rooms[place].name()));
            }
            Err(reason) => {
                plan.wake(RETRY);
                plan.actions.extend(unschedulable(pod, reason, now));
            }
        }
    }
    if !bindings.is_empty() {
        plan.actions.push(Action::AtOnce(bindings));
    }
    plan
}

fn bind(pod: &Pod, node: &str) -> Action {
    let message = format!("Successfully assigned {}/{} to {node}", pod.metadata.namespace, pod.metadata.name);
    let namespace = pod.metadata.namespace.clone();
    let action = Action::Bind { namespace, name: pod.metadata.name.clone(), node: node.to_owned() };
    Action::Telling { action: Box::new(action), done: tell(pod, EventType::Normal, "Scheduled", message), failed: None }
}

fn tell(pod: &Pod, event_type: EventType, reason: &'static str, message: String) -> Happening {
    Happening { object: ObjectId::of(pod), event_type, reason, message }
}

/// Reports in the pod's status and in an event why it fits nowhere, unless that has been reported already.
fn unschedulable(pod: &Pod, message: String, now: Timestamp) -> Vec<Action> {
    let before = pod_condition(pod, "PodScheduled").filter(|condition| condition.status == "False");
    if before.is_some_and(|condition| condition.message == message) {
        return Vec::new();
    }
    let since = before.map_or_else(|| Time::from_timestamp(now), |condition| condition.last_transition_time);
    let mut changed = pod.clone();
    changed.status.conditions.retain(|condition| condition.r#type != "PodScheduled");
    changed.status.conditions.push(PodCondition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: "Unschedulable".to_owned(),
        message: message.clone(),
        last_transition_time: since,
        ..PodCondition::default()
    });
    let told = tell(pod, EventType::Warning, "FailedScheduling", message);
    vec![Action::UpdateStatus(Box::new(changed.into())), Action::Tell(told)]
}
