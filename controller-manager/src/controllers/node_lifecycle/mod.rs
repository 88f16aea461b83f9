//! Nodes that fall silent: their state becomes unknown, their pods count as not ready and, after the time they
//! tolerate, are deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use squall_api::Kind;
use squall_api::core::v1::{Node, NodeCondition, Pod, Taint, Toleration};
use squall_api::kinds::{covers, is_pod_ready};
use squall_api::metav1::v1::Time;
use squall_client::events::{EventType, Happening, ObjectId};
use squall_daemon::Timing;

use crate::runtime::{Action, Caches, Controller, Key, ObjectChange, Plan};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const SILENT: &str = "Kubelet stopped posting node status.";

/// Watches the heartbeats of nodes, by its own clock.
pub struct NodeLifecycleController {
    timing: Timing,
    /// The last heartbeat of each node and when it was seen.
    heard: Mutex<HashMap<String, (String, Instant)>>,
}

/// What matters to a node.
pub struct Observed {
    node: Arc<Node>,
    pods: Vec<Arc<Pod>>,
    /// For how long nothing has been heard of it.
    silence: Duration,
    /// Most nodes are silent: more likely the network is at fault than all of them.
    mass_failure: bool,
}

impl NodeLifecycleController {
    /// Has heard of no node yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, heard: Mutex::default() }
    }

    fn silence(&self, caches: &Caches, node: &str) -> Duration {
        let beat = caches
            .leases
            .get("kube-node-lease", node)
            .map(|lease| lease.metadata.resource_version.clone())
            .unwrap_or_default();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.get(node) {
            Some((last, since)) if *last == beat => since.elapsed(),
            _ => {
                heard.insert(node.to_owned(), (beat, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

impl Controller for NodeLifecycleController {
    type Observed = Observed;
    const NAME: &'static str = "node-controller";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let node = match change.kind {
            Kind::Node => change.new.as_ref(),
            _ => None,
        };
        node.map(|meta| Key::new("", &meta.name)).into_iter().collect()
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches.nodes.all().iter().map(|node| Key::new("", &node.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let node = caches.nodes.get("", &key.name)?;
        let silence = self.silence(caches, &key.name);
        let nodes = caches.nodes.all();
        let silent =
            nodes.iter().filter(|node| self.silence(caches, &node.metadata.name) > self.timing.node_grace).count();
        let pods = caches.pods.group(&key.name);
        Some(Observed { node, pods, silence, mass_failure: nodes.len() > 1 && silent == nodes.len() })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        plan(&observed, &self.timing, now)
    }
}

fn plan(observed: &Observed, timing: &Timing, now: Timestamp) -> Plan {
    let mut plan = Plan { actions: Vec::new(), wake_after: Some(timing.node_monitor) };
    let node = observed.node.as_ref();
    let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
    if observed.silence > timing.node_grace && ready.is_some_and(|condition| condition.status != "Unknown") {
        plan.actions.push(unknown(node, now));
        let message = format!("Node {} status is now: NodeNotReady", node.metadata.name);
        plan.actions.push(Action::Tell(Happening {
            object: ObjectId::of(node),
            event_type: EventType::Normal,
            reason: "NodeNotReady",
            message,
        }));
        return plan;
    }
    let wanted = taints(node, ready, now);
    if wanted != node.spec.taints {
        let mut changed = node.clone();
        changed.spec.taints = wanted;
        plan.actions.push(Action::Update(Box::new(changed.into())));
        return plan;
    }
    if ready.is_some_and(|condition| condition.status != "True") {
        plan.actions.extend(observed.pods.iter().filter(|pod| is_pod_ready(pod)).map(|pod| not_ready(pod, now)));
    }
    if !observed.mass_failure {
        evict(observed, timing, now, &mut plan);
    }
    plan
}

/// The node with all its conditions unknown.
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

/// The taints of the node's state, beside those of others.
fn taints(node: &Node, ready: Option<&NodeCondition>, now: Timestamp) -> Vec<Taint> {
    let key = match ready.map(|condition| condition.status.as_str()) {
        Some("True") => None,
        Some("Unknown") => Some(UNREACHABLE),
        _ => Some(NOT_READY),
    };
    let ours = |taint: &Taint| taint.key == UNREACHABLE || taint.key == NOT_READY;
    let mut taints: Vec<Taint> =
        node.spec.taints.iter().filter(|taint| !ours(taint) || Some(taint.key.as_str()) == key).cloned().collect();
    if let Some(key) = key.filter(|key| !taints.iter().any(|taint| taint.key == *key)) {
        let taint = |effect: &str| Taint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            time_added: Some(Time::from_timestamp(now)),
            ..Taint::default()
        };
        taints.extend([taint("NoSchedule"), taint("NoExecute")]);
    }
    taints
}

fn not_ready(pod: &Pod, now: Timestamp) -> Action {
    let mut changed = pod.clone();
    for condition in changed.status.conditions.iter_mut().filter(|condition| condition.r#type == "Ready") {
        "False".clone_into(&mut condition.status);
        condition.last_transition_time = Time::from_timestamp(now);
    }
    Action::UpdateStatus(Box::new(changed.into()))
}

/// Deletes the pods whose time on a tainted node is over.
fn evict(observed: &Observed, timing: &Timing, now: Timestamp, plan: &mut Plan) {
    for taint in observed.node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let since = taint.time_added.map_or(now, |time| time.timestamp());
        for pod in observed.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
            let left = match tolerated_seconds(pod, taint) {
                None => Duration::ZERO,
                Some(None) => continue,
                Some(Some(seconds)) => {
                    let allowed = SignedDuration::try_from(timing.seconds(seconds)).unwrap_or(SignedDuration::MAX);
                    Duration::try_from(allowed - now.duration_since(since)).unwrap_or_default()
                }
            };
            if !left.is_zero() {
                plan.wake(left);
                continue;
            }
            plan.actions.push(Action::Tell(Happening {
                object: ObjectId::of(pod.as_ref()),
                event_type: EventType::Normal,
                reason: "TaintManagerEviction",
                message: format!("Marking for deletion Pod {}/{}", pod.metadata.namespace, pod.metadata.name),
            }));
            plan.actions.push(Action::Delete {
                kind: Kind::Pod,
                namespace: pod.metadata.namespace.clone(),
                name: pod.metadata.name.clone(),
                uid: pod.metadata.uid.clone(),
                propagation: "",
            });
        }
    }
}

/// For how long the pod tolerates the taint: not at all, for ever (`Some(None)`), or for some seconds.
fn tolerated_seconds(pod: &Pod, taint: &Taint) -> Option<Option<i64>> {
    let covering = |toleration: &&Toleration| covers(toleration, taint);
    let tolerations: Vec<Option<i64>> =
        pod.spec.tolerations.iter().filter(covering).map(|toleration| toleration.toleration_seconds).collect();
    match tolerations.as_slice() {
        [] => None,
        some if some.iter().all(Option::is_none) => Some(None),
        some => Some(some.iter().flatten().min().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::Resource;
    use squall_daemon::TimingProfile;

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
            silence: Duration::from_secs(silence),
            mass_failure: false,
        }
    }

    fn at(observed: &Observed, second: i64) -> Plan {
        plan(observed, &TimingProfile::K8s.timing(), Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_silent_node_is_marked_tainted_and_emptied() {
        assert!(at(&observed("True", 49), 100).actions.is_empty());
        assert!(matches!(&at(&observed("True", 51), 100).actions[..], [Action::UpdateStatus(_), Action::Tell(_)]));
        let mut silent = observed("Unknown", 99);
        let Some(Action::Update(object)) = at(&silent, 100).actions.pop() else { panic!("no taint") };
        silent.node = Arc::new(Node::try_from(*object).unwrap());
        assert!(at(&silent, 399).actions.is_empty(), "tolerated for 300 s");
        assert!(matches!(at(&silent, 400).actions.last(), Some(Action::Delete { .. })));
        silent.mass_failure = true;
        assert!(at(&silent, 400).actions.is_empty(), "when all are silent nobody is evicted");
    }

    #[test]
    fn a_node_that_comes_back_loses_its_taints() {
        let mut back = observed("True", 0);
        Arc::get_mut(&mut back.node)
            .unwrap()
            .spec
            .taints
            .push(Taint { key: UNREACHABLE.to_owned(), ..Taint::default() });
        let Some(Action::Update(object)) = at(&back, 1).actions.pop() else { panic!("still tainted") };
        assert!(Node::try_from(*object).unwrap().spec.taints.is_empty());
    }
}
