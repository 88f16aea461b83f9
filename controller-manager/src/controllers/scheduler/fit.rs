//! Whether a pod fits on a node, and which of the nodes it fits on is best.

use std::collections::{BTreeMap, HashMap};

use squall_api::core::v1::{Node, Pod, Taint, Toleration};
use squall_api::kinds::covers;
use squall_api::{meta, quantity};

/// What a pod that asks for nothing counts as, when nodes are compared (Kubernetes: 100m, 200Mi).
const DEFAULT_REQUESTS: [(&str, i128); 2] = [("cpu", 100), ("memory", 200 * 1024 * 1024 * 1_000)];
const COUNTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// A node and what is left on it.
pub struct Room<'a> {
    node: &'a Node,
    /// Asked for by the pods on it, in thousandths.
    requested: HashMap<&'static str, i128>,
    /// The same, with the defaults for pods that ask for nothing.
    weight: HashMap<&'static str, i128>,
    pods: i128,
    /// How many pods of each owner are on it.
    owners: HashMap<String, i128>,
}

impl<'a> Room<'a> {
    /// An empty node.
    pub fn of(node: &'a Node) -> Self {
        Self { node, requested: HashMap::new(), weight: HashMap::new(), pods: 0, owners: HashMap::new() }
    }

    pub fn name(&self) -> &str {
        &self.node.metadata.name
    }

    /// Puts a pod on it.
    pub fn take(&mut self, pod: &Pod) {
        for resource in COUNTED {
            let amount = request(pod, resource);
            *self.requested.entry(resource).or_default() += amount;
            let default = DEFAULT_REQUESTS.iter().find(|(name, _)| *name == resource).map_or(0, |(_, amount)| *amount);
            *self.weight.entry(resource).or_default() += if amount == 0 { default } else { amount };
        }
        self.pods += 1;
        *self.owners.entry(owner(pod)).or_default() += 1;
    }

    fn allocatable(&self, resource: &str) -> i128 {
        self.node.status.allocatable.get(resource).and_then(quantity::parse).map_or(0, |amount| amount.0)
    }

    /// Why the pod cannot go here, in Kubernetes' words; nothing if it can.
    fn obstacles(&self, pod: &Pod) -> Vec<String> {
        if self.node.spec.unschedulable && !tolerates(&pod.spec.tolerations, &unschedulable_taint()) {
            return vec!["node(s) were unschedulable".to_owned()];
        }
        let blocks = |taint: &&Taint| {
            matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute") && !tolerates(&pod.spec.tolerations, taint)
        };
        if self.node.spec.taints.iter().any(|taint| blocks(&taint)) {
            return vec!["node(s) had untolerated taint(s)".to_owned()];
        }
        if !selects(&pod.spec.node_selector, &self.node.metadata.labels) {
            return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
        }
        let mut lacking = Vec::new();
        if (self.pods + 1) * 1_000 > self.allocatable("pods") {
            lacking.push("Too many pods".to_owned());
        }
        for resource in COUNTED {
            let asked = request(pod, resource);
            let used = self.requested.get(resource).copied().unwrap_or(0);
            if asked > 0 && used + asked > self.allocatable(resource) {
                lacking.push(format!("Insufficient {resource}"));
            }
        }
        lacking
    }

    /// Better is less: first where fewest pods of the same owner are, then where most is left.
    fn score(&self, pod: &Pod) -> (i128, i128) {
        let siblings = self.owners.get(&owner(pod)).copied().unwrap_or(0);
        let used = ["cpu", "memory"].iter().map(|resource| {
            let used = self.weight.get(resource).copied().unwrap_or(0);
            used * 1_000 / self.allocatable(resource).max(1)
        });
        (siblings, used.sum())
    }
}

/// The place of the best node, or why there is none.
pub fn choose(nodes: &[Room<'_>], pod: &Pod) -> Result<usize, String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<((i128, i128), usize)> = None;
    for (place, room) in nodes.iter().enumerate() {
        let obstacles = room.obstacles(pod);
        if obstacles.is_empty() {
            let score = room.score(pod);
            if best.is_none_or(|(other, _)| score < other) {
                best = Some((score, place));
            }
        }
        obstacles.into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
    }
    if let Some((_, place)) = best {
        return Ok(place);
    }
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut texts: Vec<String> = reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    texts.sort();
    Err(format!("0/{} nodes are available: {}.", nodes.len(), texts.join(", ")))
}

fn owner(pod: &Pod) -> String {
    meta::controller_of(&pod.metadata).map(|owner| owner.uid.clone()).unwrap_or_default()
}

fn request(pod: &Pod, resource: &str) -> i128 {
    let amount = |container: &squall_api::core::v1::Container| {
        container.resources.requests.get(resource).and_then(quantity::parse).map_or(0, |amount| amount.0)
    };
    let running: i128 = pod.spec.containers.iter().map(amount).sum();
    let starting = pod.spec.init_containers.iter().map(amount).max().unwrap_or(0);
    running.max(starting)
}

fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn unschedulable_taint() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() }
}

/// Whether one of the tolerations covers the taint.
fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| covers(toleration, taint))
}
