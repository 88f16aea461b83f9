//! Handles nodes that fall silent: their conditions become Unknown, and their pods count as not ready and are deleted
//! after the time that they tolerate. `health` counts silent nodes, `taints` sets taints, `eviction` deletes pods.

mod eviction;
mod health;
mod taints;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Node, NodeCondition, Pod};
use squall_api::happening::{EventType, Happening, ObjectId};
use squall_api::kinds::is_pod_ready;
use squall_api::metav1::v1::Time;
use squall_daemon::Timing;

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};
use health::{Health, Trouble, trouble};

const SILENT: &str = "Kubelet stopped posting node status.";

/// Monitors the heartbeats of nodes, by its own clock.
pub struct NodeLifecycleController {
    timing: Timing,
    health: Mutex<Health>,
}

/// The observed state of a node.
pub struct Observed {
    node: Arc<Node>,
    pods: Vec<Arc<Pod>>,
    /// Whether the node is seen for the first time.
    is_new: bool,
    /// Time since its last heartbeat was seen.
    silence: Duration,
    /// How much of the cluster around it is unhealthy.
    trouble: Trouble,
    /// Whether it needs to be given up and the rate limit of its zone allows it now.
    may_give_up: bool,
}

impl NodeLifecycleController {
    /// Creates a controller that has seen no heartbeat yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, health: Mutex::default() }
    }
}

impl Controller for NodeLifecycleController {
    type Observed = Observed;
    const NAME: &'static str = "node-controller";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let node = match change.kind {
            CachedKind::Node => change.new.as_ref(),
            _ => None,
        };
        node.map(|meta| Key::new("", &meta.name)).into_iter().collect()
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.nodes.all().iter().map(|node| Key::new("", &node.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let node = caches.nodes.get("", &key.name)?;
        let nodes = caches.nodes.all();
        let names: HashSet<&str> = nodes.iter().map(|node| node.metadata.name.as_str()).collect();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.keep(&names);
        let is_new = health.is_new(&key.name);
        let mut silence = |node: &Node| {
            let lease = caches.leases.get("kube-node-lease", &node.metadata.name);
            health.silence(&node.metadata.name, &beat(node, lease.as_deref()))
        };
        let own = silence(&node);
        // Heartbeats do not coincide: when the first node exceeds the grace period, the last may have been silent for
        // one heartbeat less. So a node that has missed more than two does not count as healthy, and neither does one
        // that was already marked before we started.
        let suspicious = self.timing.node_grace.checked_div(2).unwrap_or_default();
        let mut is_well = |node: &Arc<Node>| silence(node) <= suspicious && matches!(ready_status(node), "" | "True");
        let well: Vec<bool> = nodes.iter().map(&mut is_well).collect();
        let trouble = trouble(&node, nodes.iter().map(AsRef::as_ref).zip(well));
        let needs = taints::needs_giving_up(&node);
        let may_give_up = needs && health.may_give_up(&node, trouble, &self.timing);
        Some(Observed { pods: caches.pods.group(&key.name), is_new, silence: own, trouble, may_give_up, node })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(&observed, &self.timing, now)
    }
}

fn ready_condition(node: &Node) -> Option<&NodeCondition> {
    node.status.conditions.iter().find(|condition| condition.r#type == "Ready")
}

fn ready_status(node: &Node) -> &str {
    ready_condition(node).map_or("", |condition| &condition.status)
}

/// A node's last sign of life. Kubernetes: a node that has returned counts as heard as soon as its kubelet reports its
/// status, even before it renews its Lease.
fn beat(node: &Node, lease: Option<&Lease>) -> String {
    let renewed = lease.map_or("", |lease| &lease.metadata.resource_version);
    let reported = ready_condition(node).map(|condition| condition.last_heartbeat_time.timestamp());
    format!("{renewed} {reported:?}")
}

fn plan(observed: &Observed, timing: &Timing, now: Timestamp) -> Plan {
    let mut plan = Plan { wake_after: Some(timing.node_monitor), ..Plan::default() };
    let node = observed.node.as_ref();
    let name = &node.metadata.name;
    if observed.is_new {
        let message = format!("Node {name} event: Registered Node {name} in Controller");
        plan.actions.push(tell(node, "RegisteredNode", message));
    }
    if observed.silence > timing.node_grace && !matches!(ready_status(node), "" | "Unknown") {
        plan.actions.push(unknown(node, now));
        plan.actions.push(tell(node, "NodeNotReady", format!("Node {name} status is now: NodeNotReady")));
        return plan;
    }
    let wanted = taints::wanted(node, observed.may_give_up, observed.trouble, now);
    if wanted != node.spec.taints {
        let mut changed = node.clone();
        changed.spec.taints = wanted;
        plan.actions.extend(eviction::cancelled(node, &changed, &observed.pods));
        plan.actions.push(Action::Update(Box::new(changed.into())));
        return plan;
    }
    // If all nodes are silent, their pods may still serve: our own outage must not leave services without endpoints.
    if observed.trouble == Trouble::All {
        return plan;
    }
    if !matches!(ready_status(node), "" | "True") {
        let ready = observed.pods.iter().filter(|pod| is_pod_ready(pod));
        plan.actions.extend(ready.flat_map(|pod| not_ready(pod, now)));
    }
    eviction::evict(node, &observed.pods, timing, now, &mut plan);
    plan
}

fn tell(node: &Node, reason: &'static str, message: String) -> Action {
    Action::Tell(Happening { object: ObjectId::of(node), event_type: EventType::Normal, reason, message })
}

/// Sets all conditions of the node to Unknown.
fn unknown(node: &Node, now: Timestamp) -> Action {
    let mut changed = node.clone();
    for condition in &mut changed.status.conditions {
        *condition = NodeCondition {
            status: "Unknown".to_owned(),
            reason: "NodeStatusUnknown".to_owned(),
            message: SILENT.to_owned(),
            last_transition_time: Time::from_timestamp(now),
            ..condition.clone()
        };
    }
    Action::UpdateStatus(Box::new(changed.into()))
}

fn not_ready(pod: &Arc<Pod>, now: Timestamp) -> [Action; 2] {
    let mut changed = pod.as_ref().clone();
    for condition in changed.status.conditions.iter_mut().filter(|condition| condition.r#type == "Ready") {
        "False".clone_into(&mut condition.status);
        condition.last_transition_time = Time::from_timestamp(now);
    }
    let told = Happening {
        object: ObjectId::of(pod.as_ref()),
        event_type: EventType::Warning,
        reason: "NodeNotReady",
        message: "Node is not ready".to_owned(),
    };
    [Action::UpdateStatus(Box::new(changed.into())), Action::Tell(told)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::Resource;
    use squall_api::core::v1::{PodCondition, Taint, Toleration};
    use squall_daemon::Timing;

    fn observed(ready: &str, silence: u64) -> Observed {
        let mut node = Node::default();
        let condition =
            NodeCondition { r#type: "Ready".to_owned(), status: ready.to_owned(), ..NodeCondition::default() };
        node.status.conditions.push(condition);
        let mut pod = Pod::default();
        pod.prepare_create();
        Observed {
            node: Arc::new(node),
            pods: vec![Arc::new(pod)],
            is_new: false,
            silence: Duration::from_secs(silence),
            trouble: Trouble::Some,
            may_give_up: true,
        }
    }

    #[test]
    fn a_lease_and_a_report_are_signs_of_life_and_a_verdict_of_ours_is_none() {
        let node = observed("True", 0).node.as_ref().clone();
        let renewed = |version: &str| {
            let mut lease = Lease::default();
            version.clone_into(&mut lease.metadata.resource_version);
            lease
        };
        let first = beat(&node, Some(&renewed("7")));
        assert_ne!(first, beat(&node, Some(&renewed("8"))));
        let mut reported = node.clone();
        reported.status.conditions[0].last_heartbeat_time = Time::from_timestamp(Timestamp::from_second(9).unwrap());
        assert_ne!(first, beat(&reported, Some(&renewed("7"))));
        match unknown(&node, Timestamp::from_second(99).unwrap()) {
            Action::UpdateStatus(object) => {
                let given_up = Node::try_from(object.as_ref().clone()).unwrap();
                assert_eq!(first, beat(&given_up, Some(&renewed("7"))));
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn at(observed: &Observed, second: i64) -> Plan {
        plan(observed, &Timing::KUBERNETES, Timestamp::from_second(second).unwrap())
    }

    fn updated(plan: Plan) -> Node {
        match plan.actions.last() {
            Some(Action::Update(object)) => Node::try_from(object.as_ref().clone()).unwrap(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_silent_node_is_marked_tainted_and_emptied() {
        assert!(at(&observed("True", 49), 100).actions.is_empty());
        assert!(matches!(&at(&observed("True", 51), 100).actions[..], [Action::UpdateStatus(_), Action::Tell(_)]));
        let mut silent = observed("Unknown", 99);
        silent.node = Arc::new(updated(at(&silent, 100)));
        assert!(at(&silent, 399).actions.is_empty(), "tolerated for 300 s");
        assert!(matches!(at(&silent, 400).actions.last(), Some(Action::Delete { .. })));
    }

    #[test]
    fn a_taint_set_by_hand_counts_from_the_first_look_at_it() {
        let mut tainted = observed("True", 0);
        let hand = Taint { key: "maint".to_owned(), effect: "NoExecute".to_owned(), ..Taint::default() };
        Arc::get_mut(&mut tainted.node).unwrap().spec.taints.push(hand);
        let mut pod = Pod::default();
        pod.spec.tolerations.push(Toleration {
            operator: "Exists".to_owned(),
            toleration_seconds: Some(30),
            ..Toleration::default()
        });
        tainted.pods = vec![Arc::new(pod.clone())];
        // Each plan is made anew, as by a process that was started again.
        tainted.node = Arc::new(updated(at(&tainted, 100)));
        assert!(at(&tainted, 129).actions.is_empty());
        assert!(matches!(at(&tainted, 130).actions.last(), Some(Action::Delete { .. })));
        // A pod that came later has all its seconds.
        pod.metadata.creation_timestamp = Time { seconds: 120, nanos: 0 };
        tainted.pods = vec![Arc::new(pod)];
        assert!(at(&tainted, 149).actions.is_empty());
        assert!(matches!(at(&tainted, 150).actions.last(), Some(Action::Delete { .. })));
    }

    #[test]
    fn a_node_that_has_to_wait_its_turn_gets_no_new_pods_but_keeps_its_own() {
        let mut silent = observed("Unknown", 99);
        silent.may_give_up = false;
        let node = updated(at(&silent, 100));
        let effects: Vec<&str> = node.spec.taints.iter().map(|taint| taint.effect.as_str()).collect();
        assert_eq!(effects, ["NoSchedule"]);
        silent.node = Arc::new(node);
        assert!(at(&silent, 999).actions.is_empty());
        silent.may_give_up = true;
        assert_eq!(updated(at(&silent, 1_000)).spec.taints.len(), 2);
    }

    /// Kubernetes 77864: an outage of the control plane left services without endpoints.
    #[test]
    fn when_all_nodes_are_silent_nobody_is_evicted_and_ready_pods_stay_ready() {
        let mut silent = observed("Unknown", 99);
        silent.node = Arc::new(updated(at(&silent, 100)));
        let ready = PodCondition { r#type: "Ready".to_owned(), status: "True".to_owned(), ..PodCondition::default() };
        Arc::get_mut(&mut silent.pods[0]).unwrap().status.conditions.push(ready);
        assert!(matches!(&at(&silent, 101).actions[..], [Action::UpdateStatus(_), Action::Tell(_)]));
        silent.trouble = Trouble::All;
        silent.node = Arc::new(updated(at(&silent, 102)));
        assert!(silent.node.spec.taints.iter().all(|taint| taint.effect != "NoExecute"));
        assert!(at(&silent, 9_999).actions.is_empty());
    }

    #[test]
    fn a_node_that_comes_back_loses_its_taints() {
        let mut back = observed("True", 0);
        let effect = "NoExecute".to_owned();
        let taint = Taint { key: taints::UNREACHABLE.to_owned(), effect, ..Taint::default() };
        Arc::get_mut(&mut back.node).unwrap().spec.taints.push(taint);
        let plan = at(&back, 1);
        assert!(
            matches!(&plan.actions[0], Action::Tell(told) if told.message.starts_with("Cancelling deletion of Pod"))
        );
        assert!(updated(plan).spec.taints.is_empty());
    }

    #[test]
    fn a_cordoned_node_is_tainted_so() {
        let mut cordoned = observed("True", 0);
        Arc::get_mut(&mut cordoned.node).unwrap().spec.unschedulable = true;
        let node = updated(at(&cordoned, 1));
        assert_eq!(node.spec.taints[0].key, "node.kubernetes.io/unschedulable");
        cordoned.node = Arc::new(Node {
            spec: squall_api::core::v1::NodeSpec { unschedulable: false, ..node.spec.clone() },
            ..node
        });
        assert!(updated(at(&cordoned, 2)).spec.taints.is_empty());
    }

    #[test]
    fn a_new_node_is_told_of() {
        let mut new = observed("True", 0);
        new.is_new = true;
        assert!(matches!(&at(&new, 1).actions[..], [Action::Tell(told)] if told.reason == "RegisteredNode"));
    }
}
