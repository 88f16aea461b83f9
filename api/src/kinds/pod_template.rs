//! Defaults and validation of a pod's spec, whether in a pod or in the template of a workload.

use std::collections::HashSet;

use squall_proto::core::v1::{Container, ContainerPort, PodSpec, PodTemplateSpec, Probe};
use squall_proto::intstr::IntOrString;

use crate::field::{Errors, Path};
use crate::labels::Selector;
use crate::names;

/// Fills in the defaults of a pod's spec.
pub fn set_spec_defaults(spec: &mut PodSpec) {
    let default = |field: &mut String, value: &str| {
        if field.is_empty() {
            value.clone_into(field);
        }
    };
    default(&mut spec.restart_policy, "Always");
    default(&mut spec.dns_policy, "ClusterFirst");
    default(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.security_context.get_or_insert_default();
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        default(&mut container.termination_message_path, "/dev/termination-log");
        default(&mut container.termination_message_policy, "File");
        let policy = default_pull_policy(&container.image);
        default(&mut container.image_pull_policy, policy);
        for port in &mut container.ports {
            default(&mut port.protocol, "TCP");
        }
        for probe in [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe] {
            probe.as_mut().map(set_probe_defaults);
        }
    }
}

/// Kubernetes: an image with the tag `latest` or without a tag is always pulled; with another tag or a digest, only if
/// absent.
fn default_pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let fixed = name.contains('@') || name.split_once(':').is_some_and(|(_, tag)| tag != "latest");
    if fixed { "IfNotPresent" } else { "Always" }
}

fn set_probe_defaults(probe: &mut Probe) {
    let default = |field: &mut i32, value| {
        if *field == 0 {
            *field = value;
        }
    };
    default(&mut probe.timeout_seconds, 1);
    default(&mut probe.period_seconds, 10);
    default(&mut probe.success_threshold, 1);
    default(&mut probe.failure_threshold, 3);
    if let Some(get) = &mut probe.handler.http_get {
        if get.path.is_empty() {
            "/".clone_into(&mut get.path);
        }
        if get.scheme.is_empty() {
            "HTTP".clone_into(&mut get.scheme);
        }
    }
}

/// Validates the template of a workload. `workload` is its name in Kubernetes' message.
pub fn validate_template(
    template: &PodTemplateSpec,
    selector: Option<&Selector>,
    workload: &str,
    path: &Path,
    errors: &mut Errors,
) {
    let labels = path.child("metadata").child("labels");
    crate::labels::validate(&template.metadata.labels, &labels, errors);
    if !selector.is_some_and(|selector| selector.matches(&template.metadata.labels)) {
        errors.invalid(&labels, &template.metadata.labels, "`selector` does not match template `labels`");
    }
    let spec = path.child("spec");
    validate_spec(&template.spec, &spec, errors);
    if template.spec.restart_policy != "Always" {
        errors.not_supported(&spec.child("restartPolicy"), &template.spec.restart_policy, &["Always"]);
    }
    if template.spec.active_deadline_seconds.is_some() {
        let detail = format!("activeDeadlineSeconds in {workload} is not Supported");
        errors.forbidden(&spec.child("activeDeadlineSeconds"), &detail);
    }
}

/// Validates a pod's spec.
pub fn validate_spec(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if spec.containers.is_empty() {
        errors.required(&path.child("containers"), "");
    }
    let mut seen = HashSet::new();
    for (list, containers) in [("initContainers", &spec.init_containers), ("containers", &spec.containers)] {
        for (index, container) in containers.iter().enumerate() {
            let path = path.child(list).index(index);
            validate_container(container, &path, errors);
            if !seen.insert(&container.name) {
                errors.duplicate(&path.child("name"), &container.name);
            }
        }
    }
    one_of(&spec.restart_policy, &["Always", "OnFailure", "Never"], &path.child("restartPolicy"), errors);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(&spec.dns_policy, &dns, &path.child("dnsPolicy"), errors);
    if let Some(seconds) = spec.termination_grace_period_seconds {
        errors.non_negative(&path.child("terminationGracePeriodSeconds"), seconds);
    }
    if let Some(seconds) = spec.active_deadline_seconds.filter(|seconds| !(1..=i64::from(i32::MAX)).contains(seconds)) {
        let message = format!("must be between 1 and {}, inclusive", i32::MAX);
        errors.invalid(&path.child("activeDeadlineSeconds"), &seconds, &message);
    }
    crate::labels::validate(&spec.node_selector, &path.child("nodeSelector"), errors);
}

fn one_of(value: &String, allowed: &[&str], path: &Path, errors: &mut Errors) {
    if !allowed.contains(&value.as_str()) {
        let mut sorted = allowed.to_vec();
        sorted.sort_unstable();
        errors.not_supported(path, value, &sorted);
    }
}

fn validate_container(container: &Container, path: &Path, errors: &mut Errors) {
    if container.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        for problem in names::dns1123_label(&container.name) {
            errors.invalid(&path.child("name"), &container.name, &problem);
        }
    }
    if container.image.is_empty() {
        errors.required(&path.child("image"), "");
    } else if container.image.trim() != container.image {
        errors.invalid(&path.child("image"), &container.image, "must not have leading or trailing whitespace");
    }
    one_of(&container.image_pull_policy, &["Always", "IfNotPresent", "Never"], &path.child("imagePullPolicy"), errors);
    validate_ports(&container.ports, &path.child("ports"), errors);
    validate_resources(container, &path.child("resources"), errors);
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    for (name, probe) in probes {
        let Some(probe) = probe else { continue };
        let path = path.child(name);
        validate_probe(probe, &path, errors);
        if name != "readinessProbe" && probe.success_threshold != 1 {
            errors.invalid(&path.child("successThreshold"), &probe.success_threshold, "must be 1");
        }
    }
}

fn validate_ports(ports: &[ContainerPort], path: &Path, errors: &mut Errors) {
    let mut names_seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        if !port.name.is_empty() {
            for problem in names::port_name(&port.name) {
                errors.invalid(&path.child("name"), &port.name, &problem);
            }
            if !names_seen.insert(&port.name) {
                errors.duplicate(&path.child("name"), &port.name);
            }
        }
        if port.container_port == 0 {
            errors.required(&path.child("containerPort"), "");
        } else {
            validate_port_number(port.container_port, &path.child("containerPort"), errors);
        }
        if port.host_port != 0 {
            validate_port_number(port.host_port, &path.child("hostPort"), errors);
        }
        one_of(&port.protocol, &["TCP", "UDP", "SCTP"], &path.child("protocol"), errors);
    }
}

fn validate_resources(container: &Container, path: &Path, errors: &mut Errors) {
    for (name, amounts) in [("limits", &container.resources.limits), ("requests", &container.resources.requests)] {
        for (resource, amount) in amounts {
            let path = path.child(name).key(resource);
            match crate::quantity::parse(amount) {
                None => errors.invalid(
                    &path,
                    &amount.string,
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
                ),
                Some(value) if value.0 < 0 => {
                    errors.invalid(&path, &amount.string, "must be greater than or equal to 0");
                }
                Some(_) => {}
            }
        }
    }
}

/// Validates a port number.
pub fn validate_port_number(port: i32, path: &Path, errors: &mut Errors) {
    if !(1..=65_535).contains(&port) {
        errors.invalid(path, &port, "must be between 1 and 65535, inclusive");
    }
}

/// Validates a port given by number or name.
pub fn validate_port(port: &IntOrString, path: &Path, errors: &mut Errors) {
    match (port.as_int(), port.as_str()) {
        (Some(number), _) => validate_port_number(number, path, errors),
        (None, name) => {
            for problem in names::port_name(name.unwrap_or_default()) {
                errors.invalid(path, port, &problem);
            }
        }
    }
}

fn validate_probe(probe: &Probe, path: &Path, errors: &mut Errors) {
    let handler = &probe.handler;
    let given =
        [handler.exec.is_some(), handler.http_get.is_some(), handler.tcp_socket.is_some(), handler.grpc.is_some()];
    match given.iter().filter(|given| **given).count() {
        0 => errors.required(path, "must specify a handler type"),
        1 => {}
        _ => errors.forbidden(path, "may not specify more than 1 handler type"),
    }
    if let Some(get) = &handler.http_get {
        let path = path.child("httpGet");
        if get.path.is_empty() {
            errors.required(&path.child("path"), "");
        }
        validate_port(&get.port, &path.child("port"), errors);
        one_of(&get.scheme, &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    }
    if let Some(tcp) = &handler.tcp_socket {
        validate_port(&tcp.port, &path.child("tcpSocket").child("port"), errors);
    }
    if let Some(exec) = &handler.exec
        && exec.command.is_empty()
    {
        errors.required(&path.child("exec").child("command"), "");
    }
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        errors.non_negative(&path.child(name), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_the_pull_policy() {
        for (image, policy) in [
            ("luksa/kubia:v1", "IfNotPresent"),
            ("luksa/kubia", "Always"),
            ("kubia:latest", "Always"),
            ("localhost:5000/kubia", "Always"),
            ("kubia@sha256:0", "IfNotPresent"),
        ] {
            assert_eq!(default_pull_policy(image), policy, "{image}");
        }
    }
}
