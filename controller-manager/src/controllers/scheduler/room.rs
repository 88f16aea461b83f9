//! A node as the scheduler sees it: its pods, their requests, and the capacity that is left.

use std::collections::{BTreeMap, HashMap, HashSet};

use squall_api::core::v1::{Container, Node, Pod};
use squall_api::{meta, quantity};

/// Assumed requests of a pod that has none, for comparing nodes (Kubernetes: 100m, 200Mi).
const DEFAULT_CPU: i128 = 100;
const DEFAULT_MEMORY: i128 = 200 * 1024 * 1024 * 1_000;

/// A host port that a pod uses: address, protocol, number.
type HostPort = (String, String, i32);

/// A node and the pods on it. Amounts are in thousandths.
pub struct Room<'a> {
    pub node: &'a Node,
    pub pods: Vec<&'a Pod>,
    /// Those of them that have anti-affinity to other pods.
    pub unsociable: Vec<&'a Pod>,
    requested: HashMap<String, i128>,
    /// Requested cpu and memory, with the defaults for pods without requests.
    weight: [i128; 2],
    /// Number of pods on the node, by the uid of their controller.
    owners: HashMap<String, i64>,
    ports: HashSet<HostPort>,
}

impl<'a> Room<'a> {
    /// Creates a room for the node, without pods.
    pub fn of(node: &'a Node) -> Self {
        Self {
            node,
            pods: Vec::new(),
            unsociable: Vec::new(),
            requested: HashMap::new(),
            weight: [0; 2],
            owners: HashMap::new(),
            ports: HashSet::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.node.metadata.name
    }

    /// Returns the value of a label of the node.
    pub fn label(&self, key: &str) -> Option<&'a str> {
        self.node.metadata.labels.get(key).map(String::as_str)
    }

    /// Adds a pod to the node.
    pub fn take(&mut self, pod: &'a Pod) {
        for (resource, amount) in requests(pod) {
            let requested = self.requested.entry(resource).or_default();
            *requested = requested.saturating_add(amount);
        }
        let [cpu, memory] = weight(pod);
        self.weight = [self.weight[0].saturating_add(cpu), self.weight[1].saturating_add(memory)];
        let siblings = self.owners.entry(owner(pod).to_owned()).or_default();
        *siblings = siblings.saturating_add(1);
        self.ports.extend(host_ports(pod));
        if pod.spec.affinity.as_ref().is_some_and(|affinity| affinity.pod_anti_affinity.is_some()) {
            self.unsociable.push(pod);
        }
        self.pods.push(pod);
    }

    fn allocatable(&self, resource: &str) -> i128 {
        self.node.status.allocatable.get(resource).and_then(quantity::parse).map_or(0, |amount| amount.0)
    }

    /// Returns which requests of the pod do not fit, in Kubernetes' words.
    pub fn lacking(&self, pod: &Pod) -> Vec<String> {
        let mut lacking = Vec::new();
        let pods = i128::try_from(self.pods.len()).unwrap_or(i128::MAX).saturating_add(1);
        if pods.saturating_mul(1_000) > self.allocatable("pods") {
            lacking.push("Too many pods".to_owned());
        }
        for (resource, asked) in requests(pod) {
            let used = self.requested.get(&resource).copied().unwrap_or(0);
            if asked > 0 && used.saturating_add(asked) > self.allocatable(&resource) {
                lacking.push(format!("Insufficient {resource}"));
            }
        }
        lacking
    }

    /// Whether a host port that the pod wants is taken. The address 0.0.0.0 stands for every address.
    pub fn has_port_clash(&self, pod: &Pod) -> bool {
        let clashes = |(address, protocol, number): &HostPort| {
            self.ports.iter().any(|(other, other_protocol, other_number)| {
                let same_address = address == other || address == "0.0.0.0" || other == "0.0.0.0";
                same_address && protocol == other_protocol && number == other_number
            })
        };
        host_ports(pod).any(|port| clashes(&port))
    }

    /// Returns the number of pods on the node with the same controller; 0 for a pod without a controller.
    pub fn siblings(&self, pod: &Pod) -> i64 {
        Some(owner(pod))
            .filter(|owner| !owner.is_empty())
            .and_then(|owner| self.owners.get(owner))
            .copied()
            .unwrap_or(0)
    }

    /// Returns the used shares of cpu and memory with this pod added, in thousandths. A missing one counts as full.
    pub fn used_with(&self, pod: &Pod) -> [i128; 2] {
        let [cpu, memory] = weight(pod);
        let part = |used: i128, resource: &str| {
            let share = used.saturating_mul(1_000).checked_div(self.allocatable(resource));
            share.unwrap_or(1_000).min(1_000)
        };
        [part(self.weight[0].saturating_add(cpu), "cpu"), part(self.weight[1].saturating_add(memory), "memory")]
    }
}

/// Returns the uid of the pod's controller; empty without one.
pub fn owner(pod: &Pod) -> &str {
    meta::controller_of(&pod.metadata).map_or("", |owner| owner.uid.as_str())
}

/// Returns the requests of a pod: the sum over its containers, or those of one init container where they are higher.
fn requests(pod: &Pod) -> BTreeMap<String, i128> {
    let mut sum: BTreeMap<String, i128> = BTreeMap::new();
    for container in pod.spec.containers.iter().chain(pod.spec.init_containers.iter().filter(|c| is_sidecar(c))) {
        for (resource, amount) in amounts(container) {
            let whole = sum.entry(resource).or_default();
            *whole = whole.saturating_add(amount);
        }
    }
    for container in pod.spec.init_containers.iter().filter(|c| !is_sidecar(c)) {
        for (resource, amount) in amounts(container) {
            let most = sum.entry(resource).or_default();
            *most = amount.max(*most);
        }
    }
    sum
}

fn amounts(container: &Container) -> impl Iterator<Item = (String, i128)> {
    let requests = container.resources.requests.iter();
    requests.filter_map(|(resource, amount)| Some((resource.clone(), quantity::parse(amount)?.0)))
}

/// Whether an init container keeps running beside the others.
fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn weight(pod: &Pod) -> [i128; 2] {
    let requests = requests(pod);
    let of = |resource: &str, default: i128| requests.get(resource).copied().filter(|a| *a > 0).unwrap_or(default);
    [of("cpu", DEFAULT_CPU), of("memory", DEFAULT_MEMORY)]
}

fn host_ports(pod: &Pod) -> impl Iterator<Item = HostPort> {
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    ports.filter(|port| port.host_port > 0).map(|port| {
        let address = if port.host_ip.is_empty() { "0.0.0.0" } else { &port.host_ip };
        let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
        (address.to_owned(), protocol.to_owned(), port.host_port)
    })
}
