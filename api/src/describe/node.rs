//! A node with its Lease, its pods and their requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use squall_proto::core::v1::{Node, Pod, ResourceRequirements};
use squall_proto::resource::Quantity;

use super::Related;
use super::layout::{Layout, moment};
use crate::age;
use crate::kinds::is_pod_terminal;
use crate::quantity::{self, Milli};
use crate::table::NONE;

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// The resources that are summed up over a node's pods.
const SUMMED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

pub fn describe(layout: &mut Layout, node: &Node, related: &Related, now: Timestamp) {
    let meta = &node.metadata;
    layout.field("Name", &meta.name);
    let roles: Vec<&str> = meta.labels.keys().filter_map(|label| label.strip_prefix(ROLE_PREFIX)).collect();
    layout.field("Roles", if roles.is_empty() { NONE.to_owned() } else { roles.join(",") });
    layout.pairs("Labels", &meta.labels);
    layout.annotations("Annotations", &meta.annotations);
    layout.field("CreationTimestamp", moment(&meta.creation_timestamp));
    let taints: Vec<String> = node.spec.taints.iter().map(taint_text).collect();
    layout.list("Taints", &taints);
    layout.field("Unschedulable", node.spec.unschedulable);
    describe_lease(layout, related);
    describe_conditions(layout, node);
    layout.line("Addresses:");
    node.status.addresses.iter().for_each(|address| layout.field(&format!("  {}", address.r#type), &address.address));
    describe_amounts(layout, "Capacity", &node.status.capacity);
    describe_amounts(layout, "Allocatable", &node.status.allocatable);
    describe_system(layout, node);
    let mut pods: Vec<&Pod> = related.pods.iter().filter(|pod| !is_pod_terminal(pod)).collect();
    pods.sort_by(|one, other| {
        (&one.metadata.namespace, &one.metadata.name).cmp(&(&other.metadata.namespace, &other.metadata.name))
    });
    describe_pods(layout, node, &pods, now);
    describe_allocated(layout, node, &pods);
}

fn taint_text(taint: &squall_proto::core::v1::Taint) -> String {
    match taint.value.as_str() {
        "" => format!("{}:{}", taint.key, taint.effect),
        value => format!("{}={value}:{}", taint.key, taint.effect),
    }
}

fn describe_lease(layout: &mut Layout, related: &Related) {
    let Some(lease) = &related.lease else { return };
    let time = |time: &Option<squall_proto::meta::v1::MicroTime>| match time {
        Some(time) => moment(&squall_proto::meta::v1::Time { seconds: time.seconds, nanos: 0 }),
        None => "<unset>".to_owned(),
    };
    layout.line("Lease:");
    layout.field("  HolderIdentity", lease.spec.holder_identity.as_deref().unwrap_or("<unset>"));
    layout.field("  AcquireTime", time(&lease.spec.acquire_time));
    layout.field("  RenewTime", time(&lease.spec.renew_time));
}

fn describe_conditions(layout: &mut Layout, node: &Node) {
    if node.status.conditions.is_empty() {
        return;
    }
    layout.line("Conditions:");
    layout.line("  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
    layout.line("  ----\t------\t-----------------\t------------------\t------\t-------");
    for condition in &node.status.conditions {
        let (heartbeat, transition) = (moment(&condition.last_heartbeat_time), moment(&condition.last_transition_time));
        layout.line(format_args!(
            "  {} \t{} \t{heartbeat} \t{transition} \t{} \t{}",
            condition.r#type, condition.status, condition.reason, condition.message
        ));
    }
}

fn describe_amounts(layout: &mut Layout, label: &str, amounts: &BTreeMap<String, Quantity>) {
    layout.line(format_args!("{label}:"));
    amounts.iter().for_each(|(name, amount)| layout.field(&format!("  {name}"), &amount.string));
}

fn describe_system(layout: &mut Layout, node: &Node) {
    let info = &node.status.node_info;
    layout.line("System Info:");
    for (label, value) in [
        ("Machine ID", &info.machine_id),
        ("System UUID", &info.system_uuid),
        ("Boot ID", &info.boot_id),
        ("Kernel Version", &info.kernel_version),
        ("OS Image", &info.os_image),
        ("Operating System", &info.operating_system),
        ("Architecture", &info.architecture),
        ("Container Runtime Version", &info.container_runtime_version),
        ("Kubelet Version", &info.kubelet_version),
        ("Kube-Proxy Version", &info.kube_proxy_version),
    ] {
        layout.field(&format!("  {label}"), value);
    }
    layout.field_if_set("PodCIDR", &node.spec.pod_cidr);
    layout.field_if_set("PodCIDRs", &node.spec.pod_cidrs.join(","));
    layout.field_if_set("ProviderID", &node.spec.provider_id);
}

fn describe_pods(layout: &mut Layout, node: &Node, pods: &[&Pod], now: Timestamp) {
    layout.field("Non-terminated Pods", format_args!("({} in total)", pods.len()));
    layout.line("  Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    layout.line("  ---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    for pod in pods {
        let share = |name: &str, side| share(name, total(&[pod], name, side), node);
        let [cpu, memory] = ["cpu", "memory"].map(|name| format!("{}\t{}", share(name, requests), share(name, limits)));
        let age = age::since(&pod.metadata.creation_timestamp, now);
        layout.line(format_args!("  {}\t{}\t\t{cpu}\t{memory}\t{age}", pod.metadata.namespace, pod.metadata.name));
    }
}

fn describe_allocated(layout: &mut Layout, node: &Node, pods: &[&Pod]) {
    layout.line("Allocated resources:");
    layout.line("  (Total limits may be over 100 percent, i.e., overcommitted.)");
    layout.line("  Resource\tRequests\tLimits");
    layout.line("  --------\t--------\t------");
    for name in SUMMED {
        let share = |side| share(name, total(pods, name, side), node);
        layout.line(format_args!("  {name}\t{}\t{}", share(requests), share(limits)));
    }
}

/// Selects the requests or the limits.
type Side = fn(&ResourceRequirements) -> &BTreeMap<String, Quantity>;

fn requests(resources: &ResourceRequirements) -> &BTreeMap<String, Quantity> {
    &resources.requests
}

fn limits(resources: &ResourceRequirements) -> &BTreeMap<String, Quantity> {
    &resources.limits
}

fn total(pods: &[&Pod], name: &str, side: Side) -> Milli {
    let of_pods = pods.iter().flat_map(|pod| &pod.spec.containers);
    let amounts = of_pods.filter_map(|container| side(&container.resources).get(name)).filter_map(quantity::parse);
    amounts.fold(Milli::default(), Milli::plus)
}

/// Formats an amount and its share of what the node can allocate: `500m (1%)`.
fn share(name: &str, amount: Milli, node: &Node) -> String {
    let whole = node.status.allocatable.get(name).and_then(quantity::parse).unwrap_or_default();
    let percent = amount.0.saturating_mul(100).checked_div(whole.0).unwrap_or(0);
    let text = if name == "cpu" { quantity::decimal(amount) } else { quantity::binary(amount) };
    format!("{text} ({percent}%)")
}
