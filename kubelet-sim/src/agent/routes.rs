//! The table of what leads to pods: the ports of services, and those of the node itself. Pure.

use std::sync::Arc;

use squall_api::core::v1::{Pod, Service, ServicePort};
use squall_api::discovery::v1::{Endpoint, EndpointSlice};
use squall_api::happening::ObjectId;
use squall_api::kinds::is_pod_active;
use squall_proto::squall::cri::v1 as cri;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A port of a service or of the node that leads to pods.
pub struct Route {
    /// The object that asks for it.
    pub object: ObjectId,
    /// Where it leads.
    pub port: cri::ServicePort,
}

/// Returns the ports of the node that lead to a pod (Kubernetes: `hostPort`).
pub fn host_ports(pod: &Pod, node: &str) -> Vec<Route> {
    let address = pod.status.pod_ip.as_str();
    if address.is_empty() || !is_pod_active(pod) {
        return Vec::new();
    }
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let ports = ports.filter(|port| port.host_port != 0 && port.protocol != "UDP");
    let named = ports.map(|port| {
        let host = if matches!(port.host_ip.as_str(), "" | "0.0.0.0" | "::") { node } else { &port.host_ip };
        let port = cri::ServicePort {
            name: format!("pod/{}/{}:{}", pod.metadata.namespace, pod.metadata.name, port.host_port),
            frontends: vec![endpoint(host, port.host_port)],
            backends: vec![endpoint(address, port.container_port)],
            client_affinity: false,
        };
        Route { object: ObjectId::of(pod), port }
    });
    named.collect()
}

/// Returns the frontends and backends of each port of each service.
pub fn of_services(services: &[Arc<Service>], slices: &[Arc<EndpointSlice>], node: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    for service in services.iter().filter(|service| !matches!(service.spec.cluster_ip.as_str(), "" | "None")) {
        let of_service = |slice: &&Arc<EndpointSlice>| {
            let name = slice.metadata.labels.get(SERVICE_NAME);
            slice.metadata.namespace == service.metadata.namespace && name == Some(&service.metadata.name)
        };
        let slices: Vec<&Arc<EndpointSlice>> = slices.iter().filter(of_service).collect();
        for port in &service.spec.ports {
            let port = cri::ServicePort {
                name: format!("service/{}/{}:{}", service.metadata.namespace, service.metadata.name, port.port),
                frontends: frontends(service, port, node),
                backends: backends(&slices, &port.name),
                client_affinity: service.spec.session_affinity == "ClientIP",
            };
            routes.push(Route { object: ObjectId::of(&**service), port });
        }
    }
    routes
}

fn endpoint(address: &str, port: i32) -> cri::Endpoint {
    cri::Endpoint { address: address.to_owned(), port: u32::try_from(port).unwrap_or(0) }
}

fn frontends(service: &Service, port: &ServicePort, node: &str) -> Vec<cri::Endpoint> {
    let mut frontends = vec![endpoint(&service.spec.cluster_ip, port.port)];
    frontends.extend(service.status.load_balancer.ingress.iter().map(|ingress| endpoint(&ingress.ip, port.port)));
    if port.node_port != 0 {
        frontends.push(endpoint(node, port.node_port));
    }
    frontends
}

/// Returns the ready endpoints, or, if there are none, those that serve while they terminate (Kubernetes: kube-proxy).
fn backends(slices: &[&Arc<EndpointSlice>], port_name: &str) -> Vec<cri::Endpoint> {
    let collect = |wanted: fn(&Endpoint) -> bool| {
        let mut found = Vec::new();
        for slice in slices {
            // Kubernetes: kube-proxy goes by the name alone. The pods of a slice without this port do not have it.
            let mut ports = slice.ports.iter();
            let port = ports.find(|port| port.name.as_deref().unwrap_or_default() == port_name);
            let Some(port) = port.and_then(|port| port.port) else { continue };
            let endpoints = slice.endpoints.iter().filter(|endpoint| wanted(endpoint));
            found.extend(endpoints.flat_map(|e| e.addresses.iter().map(|address| endpoint(address, port))));
        }
        found
    };
    let ready = collect(|endpoint| endpoint.conditions.ready.unwrap_or(true));
    if ready.is_empty() {
        return collect(|endpoint| {
            endpoint.conditions.serving.unwrap_or(false) && endpoint.conditions.terminating.unwrap_or(false)
        });
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::discovery::v1::{EndpointConditions, EndpointPort};

    fn slice(endpoints: &[(&str, bool, bool)]) -> Arc<EndpointSlice> {
        let mut slice = EndpointSlice::default();
        slice.ports.push(EndpointPort { name: Some(String::new()), port: Some(8080), ..EndpointPort::default() });
        slice.endpoints.extend(endpoints.iter().map(|(address, ready, terminating)| Endpoint {
            addresses: vec![(*address).to_owned()],
            conditions: EndpointConditions {
                ready: Some(*ready),
                serving: Some(true),
                terminating: Some(*terminating),
            },
            ..Endpoint::default()
        }));
        Arc::new(slice)
    }

    #[test]
    fn a_port_of_the_node_leads_to_its_pod() {
        let mut pod = Pod::default();
        pod.status.pod_ip = "127.64.64.2".to_owned();
        pod.spec.containers.push(
            serde_json::from_str(
                r#"{"name": "a", "ports": [{"containerPort": 80, "hostPort": 8000}, {"containerPort": 81},
                {"containerPort": 53, "hostPort": 53, "protocol": "UDP"}]}"#,
            )
            .unwrap(),
        );
        let found = host_ports(&pod, "127.64.64.1");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].port.frontends, &found[0].port.backends),
            (&vec![endpoint("127.64.64.1", 8000)], &vec![endpoint("127.64.64.2", 80)])
        );
        "Failed".clone_into(&mut pod.status.phase);
        assert!(host_ports(&pod, "127.64.64.1").is_empty());
    }

    #[test]
    fn a_port_leads_to_pods_that_have_it_and_to_no_others() {
        let slice = |address: &str, name: &str, port: i32| {
            let mut slice = (*slice(&[(address, true, false)])).clone();
            slice.ports =
                vec![EndpointPort { name: Some(name.to_owned()), port: Some(port), ..EndpointPort::default() }];
            Arc::new(slice)
        };
        let (http, admin) = (slice("a", "http", 8080), slice("b", "admin", 9090));
        let found = |name| -> Vec<(String, u32)> {
            backends(&[&http, &admin], name).into_iter().map(|backend| (backend.address, backend.port)).collect()
        };
        assert_eq!(found("http"), [("a".to_owned(), 8080)]);
        assert_eq!(found("admin"), [("b".to_owned(), 9090)]);
        assert_eq!(found(""), []);
    }

    #[test]
    fn terminating_pods_serve_only_when_there_is_no_other() {
        let addresses = |slice: Arc<EndpointSlice>| -> Vec<String> {
            backends(&[&slice], "").into_iter().map(|backend| format!("{}:{}", backend.address, backend.port)).collect()
        };
        assert_eq!(addresses(slice(&[("a", true, false), ("b", false, true)])), ["a:8080"]);
        assert_eq!(addresses(slice(&[("b", false, true)])), ["b:8080"]);
        assert!(addresses(slice(&[("c", false, false)])).is_empty());
    }
}
