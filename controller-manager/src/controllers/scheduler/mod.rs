//! The scheduler: puts each pod that has no node on one that can take it, spreading the pods of one owner.

mod fit;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::Kind;
use squall_api::core::v1::{Node, Pod, PodCondition};
use squall_api::kinds::{is_pod_terminal, pod_condition};
use squall_api::metav1::v1::Time;
use squall_client::events::{EventType, Happening, ObjectId};

use crate::runtime::{Action, Caches, Controller, Key, ObjectChange, Plan};

/// How many pods are placed in one go: each sees where the ones before it went.
const BATCH: usize = 64;
/// When a pod that fits nowhere is tried again, if nothing happens before.
const RETRY: Duration = Duration::from_secs(1);

/// Places pods.
pub struct Scheduler;

/// All nodes and pods.
pub struct Observed {
    nodes: Vec<Arc<Node>>,
    pods: Vec<Arc<Pod>>,
}

/// All pods are looked at together, under one key.
fn everything() -> Key {
    Key::new("", "pods")
}

impl Controller for Scheduler {
    type Observed = Observed;
    const NAME: &'static str = "default-scheduler";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        if matches!(change.kind, Kind::Pod | Kind::Node) { vec![everything()] } else { Vec::new() }
    }

    fn all_keys(&self, _: &Caches) -> Vec<Key> {
        vec![everything()]
    }

    fn observe(&self, caches: &Caches, _: &Key, _: Option<&str>) -> Option<Observed> {
        let pods = caches.pods.all();
        pods.iter().any(|pod| is_waiting(pod)).then(|| Observed { nodes: caches.nodes.all(), pods })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(&observed, now)
    }
}

fn is_waiting(pod: &Pod) -> bool {
    pod.spec.node_name.is_empty()
        && pod.spec.scheduler_name == Scheduler::NAME
        && pod.metadata.deletion_timestamp.is_none()
        && !is_pod_terminal(pod)
}

fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let mut nodes: Vec<fit::Room> = observed.nodes.iter().map(|node| fit::Room::of(node)).collect();
    for pod in observed.pods.iter().filter(|pod| !pod.spec.node_name.is_empty() && !is_pod_terminal(pod)) {
        if let Some(room) = nodes.iter_mut().find(|room| room.name() == pod.spec.node_name) {
            room.take(pod);
        }
    }
    // Kubernetes: by priority, then by time.
    let mut waiting: Vec<&Arc<Pod>> = observed.pods.iter().filter(|pod| is_waiting(pod)).collect();
    waiting.sort_by_key(|pod| {
        let created = pod.metadata.creation_timestamp;
        (-pod.spec.priority.unwrap_or(0), created.seconds, created.nanos, pod.metadata.name.clone())
    });
    let mut plan = Plan::default();
    let mut bindings = Vec::new();
    let mut told = Vec::new();
    for pod in waiting.iter().take(BATCH) {
        match fit::choose(&nodes, pod) {
            Ok(place) => {
                nodes[place].take(pod);
                let node = nodes[place].name().to_owned();
                let message =
                    format!("Successfully assigned {}/{} to {node}", pod.metadata.namespace, pod.metadata.name);
                bindings.push(Action::Bind {
                    namespace: pod.metadata.namespace.clone(),
                    name: pod.metadata.name.clone(),
                    node,
                });
                told.push(tell(pod, EventType::Normal, "Scheduled", message));
            }
            Err(reason) => {
                plan.wake(RETRY);
                plan.actions.extend(unschedulable(pod, reason, now));
            }
        }
    }
    if waiting.len() > BATCH {
        plan.wake(Duration::ZERO);
    }
    if !bindings.is_empty() {
        plan.actions.push(Action::Together(bindings));
        plan.actions.extend(told);
    }
    plan
}

fn tell(pod: &Pod, event_type: EventType, reason: &'static str, message: String) -> Action {
    Action::Tell(Happening { object: ObjectId::of(pod), event_type, reason, message })
}

/// Says in the pod's status and in an event why it fits nowhere, unless both have been said.
fn unschedulable(pod: &Pod, message: String, now: Timestamp) -> Vec<Action> {
    let said = pod_condition(pod, "PodScheduled")
        .is_some_and(|condition| condition.status == "False" && condition.message == message);
    if said {
        return Vec::new();
    }
    let mut changed = pod.clone();
    changed.status.conditions.retain(|condition| condition.r#type != "PodScheduled");
    changed.status.conditions.push(PodCondition {
        r#type: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: "Unschedulable".to_owned(),
        message: message.clone(),
        last_transition_time: Time::from_timestamp(now),
        ..PodCondition::default()
    });
    vec![Action::UpdateStatus(Box::new(changed.into())), tell(pod, EventType::Warning, "FailedScheduling", message)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::resource::Quantity;

    fn node(name: &str, pods: &str) -> Arc<Node> {
        let mut node = Node::default();
        node.metadata.name = name.to_owned();
        for (resource, amount) in [("cpu", "4"), ("memory", "8Gi"), ("pods", pods)] {
            node.status.allocatable.insert(resource.to_owned(), Quantity { string: amount.to_owned() });
        }
        Arc::new(node)
    }

    fn pod(name: &str) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.spec.scheduler_name = Scheduler::NAME.to_owned();
        Arc::new(pod)
    }

    fn placed(nodes: Vec<Arc<Node>>, pods: Vec<Arc<Pod>>) -> (Vec<String>, Plan) {
        let plan = plan(&Observed { nodes, pods }, Timestamp::UNIX_EPOCH);
        let bindings = plan.actions.iter().find_map(|action| match action {
            Action::Together(bindings) => Some(bindings.clone()),
            _ => None,
        });
        let nodes = bindings.unwrap_or_default().into_iter().map(|binding| match binding {
            Action::Bind { node, .. } => node,
            other => panic!("{other:?}"),
        });
        (nodes.collect(), plan)
    }

    #[test]
    fn pods_are_spread_over_the_nodes() {
        let (mut nodes, _) =
            placed(vec![node("a", "9"), node("b", "9"), node("c", "9")], vec![pod("1"), pod("2"), pod("3")]);
        nodes.sort();
        assert_eq!(nodes, ["a", "b", "c"]);
    }

    #[test]
    fn a_pod_that_fits_nowhere_says_why() {
        let (nodes, plan) = placed(vec![node("a", "1"), node("b", "0")], vec![pod("1"), pod("2")]);
        assert_eq!(nodes, ["a"]);
        let why = plan.actions.iter().find_map(|action| match action {
            Action::Tell(happening) if happening.reason == "FailedScheduling" => Some(happening.message.clone()),
            _ => None,
        });
        assert_eq!(why.as_deref(), Some("0/2 nodes are available: 2 Too many pods."));
        let (_, plan) = placed(vec![], vec![pod("1")]);
        assert!(format!("{plan:?}").contains("no nodes available to schedule pods"));
    }
}
