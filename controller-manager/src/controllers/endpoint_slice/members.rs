//! The pods behind a service as endpoints, grouped by the ports that they serve on.

use std::collections::BTreeMap;

use squall_api::core::v1::{ObjectReference, Pod, Service, ServicePort};
use squall_api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort};
use squall_api::kinds::{is_pod_ready, is_pod_terminal};

/// Endpoints with the same ports.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub ports: Vec<EndpointPort>,
    pub endpoints: Vec<Endpoint>,
}

/// Returns the endpoints of unfinished pods with an address. Pods may have different numbers for a named port.
pub fn groups<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Vec<Group> {
    let mut groups: BTreeMap<Vec<(String, i32)>, Group> = BTreeMap::new();
    for pod in pods.filter(|pod| !pod.status.pod_ip.is_empty() && !is_pod_terminal(pod)) {
        let ports: Vec<EndpointPort> = service.spec.ports.iter().filter_map(|port| endpoint_port(port, pod)).collect();
        let same = |port: &EndpointPort| (port.name.clone().unwrap_or_default(), port.port.unwrap_or(0));
        let group =
            groups.entry(ports.iter().map(same).collect()).or_insert_with(|| Group { ports, endpoints: Vec::new() });
        group.endpoints.push(endpoint(service, pod));
    }
    groups.into_values().collect()
}

/// Returns the container port that a service port targets in a pod; `None` if the pod has no port of that name.
pub fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let named = |name: &str| {
        let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
        ports.find(|port| port.name == name).map(|port| port.container_port)
    };
    match port.target_port.as_str() {
        Some(name) => named(name),
        None => port.target_port.as_int().filter(|number| *number != 0).or(Some(port.port)),
    }
}

fn endpoint_port(port: &ServicePort, pod: &Pod) -> Option<EndpointPort> {
    Some(EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(target(port, pod)?),
        app_protocol: port.app_protocol.clone(),
    })
}

fn endpoint(service: &Service, pod: &Pod) -> Endpoint {
    let serving = is_pod_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    Endpoint {
        addresses: vec![pod.status.pod_ip.clone()],
        conditions: EndpointConditions {
            ready: Some(service.spec.publish_not_ready_addresses || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        node_name: Some(pod.spec.node_name.clone()),
        target_ref: Some(reference(pod)),
        ..Endpoint::default()
    }
}

/// Returns the reference to a pod that an endpoint carries.
pub fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: "Pod".to_owned(),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}
