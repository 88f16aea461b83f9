//! Ports of containers.

use std::collections::HashSet;

use squall_proto::core::v1::{Container, ContainerPort, PodSpec};
use squall_proto::intstr::IntOrString;

use crate::field::{Errors, Path};
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(super) fn validate(ports: &[ContainerPort], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        if !port.name.is_empty() {
            let problems = names::port_name(&port.name);
            if problems.is_empty() && !seen.insert(&port.name) {
                errors.duplicate(&path.child("name"), &port.name);
            }
            for problem in problems {
                errors.invalid(&path.child("name"), &port.name, &problem);
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
        errors.required_one_of(&path.child("protocol"), &port.protocol, &PROTOCOLS);
    }
}

/// Validates a port number.
pub fn validate_port_number(port: i32, path: &Path, errors: &mut Errors) {
    errors.in_range(path, port.into(), 1..=65_535);
}

/// Validates a port given by number or name.
pub fn validate_port(port: &IntOrString, path: &Path, errors: &mut Errors) {
    match (port.as_int(), port.as_str()) {
        (Some(number), _) => validate_port_number(number, path, errors),
        (None, name) => errors.named(path, name.unwrap_or_default(), names::port_name),
    }
}

/// Reports a port of the node that is asked for twice.
pub(super) fn validate_host_ports(containers: &[Container], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index).child("ports");
        for (index, port) in container.ports.iter().enumerate().filter(|(_, port)| port.host_port != 0) {
            let text = format!("{}/{}/{}", port.protocol, port.host_ip, port.host_port);
            if !seen.insert(text.clone()) {
                errors.duplicate(&path.index(index).child("hostPort"), &text);
            }
        }
    }
}

/// A pod with its node's network has its ports there. In a template, a default may still fill them in.
pub(super) fn validate_host_network(spec: &PodSpec, is_pod: bool, path: &Path, errors: &mut Errors) {
    if !spec.host_network {
        return;
    }
    for (index, container) in spec.containers.iter().enumerate() {
        let path = path.child("containers").index(index).child("ports");
        for (index, port) in container.ports.iter().enumerate() {
            if (is_pod || port.host_port != 0) && port.host_port != port.container_port {
                let path = path.index(index).child("hostPort");
                errors.invalid(&path, &port.host_port, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}
