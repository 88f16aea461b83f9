//! Warnings about ports that are declared twice.

use std::collections::HashMap;

use squall_proto::core::v1::{ContainerPort, PodSpec};

use crate::field::Path;
use crate::kinds::pod_spec::containers_of;
use crate::warnings::Warnings;

/// How many other declarations of a port are compared with one: a pod with thousands of the same port costs no more.
const COMPARED: usize = 64;

pub(super) fn warn(spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    let ports: Vec<(&ContainerPort, Path)> = containers_of(spec, path)
        .flat_map(|(container, path)| {
            let ports = container.ports.iter().enumerate();
            ports.map(move |(index, port)| (port, path.child("ports").index(index)))
        })
        .collect();
    let mut by_number: HashMap<(i32, &str), Vec<(&ContainerPort, &Path)>> = HashMap::new();
    for (port, path) in &ports {
        if !port.host_ip.is_empty() && port.host_port == 0 {
            warnings.at(path, &format!("hostIP set without hostPort: {}", as_go(port)));
        }
        let others = by_number.entry((port.container_port, &port.protocol)).or_default();
        for (other, other_path) in others.iter() {
            if let Some(clash) = clash(port, other) {
                warnings.at(path, &format!("{clash} port definition with {other_path}"));
            }
        }
        if others.len() < COMPARED {
            others.push((port, path));
        }
    }
    let mut names: HashMap<&str, &Path> = HashMap::new();
    for (port, path) in ports.iter().filter(|(port, _)| !port.name.is_empty()) {
        let first = *names.entry(&port.name).or_insert(path);
        if first != path {
            let name = &port.name;
            let text = format!(
                "duplicate port name {name:?} with {first}, services and probes that select ports by name will use {first}"
            );
            warnings.at(path, &text);
        }
    }
}

/// How two declarations of the same port get in each other's way.
fn clash(port: &ContainerPort, other: &ContainerPort) -> Option<&'static str> {
    let is_same_port = port.host_port == other.host_port;
    if is_same_port && port.host_ip == other.host_ip {
        Some("duplicate")
    } else if port.host_port == 0 || other.host_port == 0 {
        Some("overlapping")
    } else if is_same_port && (port.host_ip.is_empty() != other.host_ip.is_empty()) {
        Some("dangerously ambiguous")
    } else {
        None
    }
}

/// Kubernetes: a port as Go prints it.
fn as_go(port: &ContainerPort) -> String {
    let ContainerPort { name, host_port, container_port, protocol, host_ip } = port;
    format!("{{Name:{name} HostPort:{host_port} ContainerPort:{container_port} Protocol:{protocol} HostIP:{host_ip}}}")
}
