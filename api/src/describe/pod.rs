//! A pod with its containers.

use jiff::Timestamp;
use squall_proto::core::v1::Pod;

use super::layout::{Layout, moment};
use super::{containers, volumes};
use crate::age;
use crate::kinds::{is_pod_terminal, pod_condition};

pub fn describe(layout: &mut Layout, pod: &Pod, now: Timestamp) {
    let (meta, spec, status) = (&pod.metadata, &pod.spec, &pod.status);
    layout.identity(meta);
    if let Some(priority) = spec.priority {
        layout.field("Priority", priority);
    }
    layout.field_if_set("Priority Class Name", &spec.priority_class_name);
    layout.field_if_set("Service Account", &spec.service_account_name);
    match spec.node_name.as_str() {
        "" => layout.field("Node", "<none>"),
        node => layout.field("Node", format_args!("{node}/{}", status.host_ip)),
    }
    if let Some(start) = &status.start_time {
        layout.field("Start Time", moment(start));
    }
    layout.pairs("Labels", &meta.labels);
    layout.annotations("Annotations", &meta.annotations);
    describe_status(layout, pod, now);
    layout.field("IP", &status.pod_ip);
    if status.pod_ips.is_empty() {
        layout.field("IPs", "<none>");
    } else {
        layout.line("IPs:");
        status.pod_ips.iter().for_each(|ip| layout.field("  IP", &ip.ip));
    }
    layout.controller(meta);
    layout.field_if_set("NominatedNodeName", &status.nominated_node_name);
    if !spec.init_containers.is_empty() {
        containers::describe(layout, "Init Containers", &spec.init_containers, &status.init_container_statuses, "");
    }
    containers::describe(layout, "Containers", &spec.containers, &status.container_statuses, "");
    describe_conditions(layout, pod);
    volumes::describe(layout, &spec.volumes, "");
    layout.field("QoS Class", &status.qos_class);
    layout.pairs("Node-Selectors", &spec.node_selector);
    layout.tolerations("Tolerations", &spec.tolerations);
}

fn describe_status(layout: &mut Layout, pod: &Pod, now: Timestamp) {
    match &pod.metadata.deletion_timestamp {
        Some(deleted) if !is_pod_terminal(pod) => {
            layout.field("Status", format_args!("Terminating (lasts {})", age::since(deleted, now)));
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
            layout.field("Termination Grace Period", format_args!("{grace}s"));
        }
        _ => layout.field("Status", &pod.status.phase),
    }
    layout.field_if_set("Reason", &pod.status.reason);
    layout.field_if_set("Message", &pod.status.message);
}

fn describe_conditions(layout: &mut Layout, pod: &Pod) {
    if !pod.spec.readiness_gates.is_empty() {
        layout.line("Readiness Gates:");
        layout.line("  Type\tStatus");
        for gate in &pod.spec.readiness_gates {
            let status = pod_condition(pod, &gate.condition_type).map_or("<none>", |condition| &condition.status);
            layout.line(format_args!("  {} \t{status} ", gate.condition_type));
        }
    }
    if !pod.status.conditions.is_empty() {
        layout.line("Conditions:");
        layout.line("  Type\tStatus");
        for condition in &pod.status.conditions {
            layout.line(format_args!("  {} \t{} ", condition.r#type, condition.status));
        }
    }
}
