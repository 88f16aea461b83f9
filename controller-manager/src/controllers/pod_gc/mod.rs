//! Deletes pods that no kubelet will delete: pods of missing nodes, pods that were deleted before they were scheduled,
//! and the oldest finished pods when there are too many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use squall_api::core::v1::Pod;
use squall_api::kinds::is_pod_terminal;
use squall_daemon::Timing;

use crate::runtime::{Action, Caches, Controller, Key, ObjectChange, Plan};

/// Maximum number of finished pods (Kubernetes: `--terminated-pod-gc-threshold`).
const MOST_ENDED: usize = 12_500;

/// Deletes orphaned, unscheduled and surplus finished pods.
pub struct PodGarbageCollector {
    timing: Timing,
    /// Nodes that pods are bound to but that do not exist, and when each was first missed.
    missing: Mutex<HashMap<String, Instant>>,
}

/// Pods that may have to be deleted.
pub struct Observed {
    /// Pods whose node has been missing for long enough.
    orphaned: Vec<Arc<Pod>>,
    unplaced: Vec<Arc<Pod>>,
    ended: Vec<Arc<Pod>>,
}

impl PodGarbageCollector {
    /// Creates a collector that has missed no node yet.
    pub fn new(timing: Timing) -> Self {
        Self { timing, missing: Mutex::default() }
    }

    /// Whether a node has been missing for long enough: the cache of nodes may lag behind that of pods.
    fn is_gone(&self, node: &str) -> bool {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.entry(node.to_owned()).or_insert_with(Instant::now).elapsed() >= self.timing.seconds(40)
    }
}

impl Controller for PodGarbageCollector {
    type Observed = Observed;
    const NAME: &'static str = "pod-garbage-collector";

    fn keys(&self, _: &ObjectChange, _: &Caches) -> Vec<Key> {
        Vec::new()
    }

    fn all_keys(&self, _: &Caches) -> Vec<Key> {
        vec![Key::new("", "pods")]
    }

    fn observe(&self, caches: &Caches, _: &Key, _: Option<&str>) -> Option<Observed> {
        let pods = caches.pods.all();
        let nodes: std::collections::HashSet<String> =
            caches.nodes.all().iter().map(|node| node.metadata.name.clone()).collect();
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).retain(|node, _| !nodes.contains(node));
        let of = |wanted: &dyn Fn(&Pod) -> bool| pods.iter().filter(|pod| wanted(pod)).cloned().collect::<Vec<_>>();
        Some(Observed {
            orphaned: of(&|pod| {
                let node = &pod.spec.node_name;
                !node.is_empty() && !nodes.contains(node) && self.is_gone(node)
            }),
            unplaced: of(&|pod| pod.spec.node_name.is_empty() && pod.metadata.deletion_timestamp.is_some()),
            ended: of(&is_pod_terminal),
        })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        // Kubernetes: every 20 s.
        Plan { wake_after: Some(self.timing.seconds(20).max(Duration::from_secs(1))), ..Plan::of(plan(observed)) }
    }
}

fn plan(observed: Observed) -> Vec<Action> {
    let Observed { orphaned, unplaced, mut ended } = observed;
    ended.sort_by_key(|pod| (pod.metadata.creation_timestamp.seconds, pod.metadata.name.clone()));
    let surplus = ended.len().saturating_sub(MOST_ENDED);
    let all = orphaned.into_iter().chain(unplaced).chain(ended.into_iter().take(surplus));
    let actions: Vec<Action> = all
        .map(|pod| Action::DeleteNow {
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        })
        .collect();
    if actions.is_empty() { Vec::new() } else { vec![Action::AtOnce(actions)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_oldest_of_too_many_ended_pods_go() {
        let pod = |number: usize| {
            let mut pod = Pod::default();
            pod.metadata.name = number.to_string();
            pod.metadata.creation_timestamp.seconds = i64::try_from(number).unwrap();
            Arc::new(pod)
        };
        let of = |count: usize| Observed { orphaned: vec![], unplaced: vec![], ended: (0..count).map(pod).collect() };
        assert!(plan(of(MOST_ENDED)).is_empty());
        let [Action::AtOnce(gone)] = &plan(of(MOST_ENDED + 2))[..] else { unreachable!() };
        let names = gone.iter().map(|action| match action {
            Action::DeleteNow { name, .. } => name.as_str(),
            other => unreachable!("{other:?}"),
        });
        assert_eq!(names.collect::<Vec<_>>(), ["0", "1"]);
    }
}
