//! EndpointSlices: which pods stand behind a service, and whether they are ready.

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::core::v1::{ObjectReference, Pod, Service, ServicePort};
use squall_api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use squall_api::kinds::{is_pod_ready, is_pod_terminal};
use squall_api::labels::Selector;
use squall_api::{Kind, meta};

use crate::runtime::{Action, Caches, Controller, Key, ObjectChange, Plan};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Keeps the slices of services.
pub struct EndpointSliceController;

/// What matters to a service.
pub struct Observed {
    service: Arc<Service>,
    pods: Vec<Arc<Pod>>,
    slices: Vec<Arc<EndpointSlice>>,
}

impl Controller for EndpointSliceController {
    type Observed = Observed;
    const NAME: &'static str = "endpoint-slice-controller";
    const WORKERS: usize = 2;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        let mut keys = Vec::new();
        for meta in change.both() {
            match change.kind {
                Kind::Service => keys.push(Key::new(&meta.namespace, &meta.name)),
                Kind::EndpointSlice => {
                    keys.extend(meta.labels.get(SERVICE_NAME).map(|name| Key::new(&meta.namespace, name)));
                }
                Kind::Pod => {
                    let services = caches.services.in_namespace(&meta.namespace);
                    let selects = |service: &&Arc<Service>| {
                        !service.spec.selector.is_empty()
                            && Selector::from_map(&service.spec.selector).matches(&meta.labels)
                    };
                    keys.extend(
                        services
                            .iter()
                            .filter(selects)
                            .map(|service| Key::new(&meta.namespace, &service.metadata.name)),
                    );
                }
                _ => {}
            }
        }
        keys.dedup();
        keys
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches
            .services
            .all()
            .iter()
            .map(|service| Key::new(&service.metadata.namespace, &service.metadata.name))
            .collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let service = caches.services.get(&key.namespace, &key.name)?;
        let selector = Selector::from_map(&service.spec.selector);
        let pods =
            caches.pods.in_namespace(&key.namespace).into_iter().filter(|pod| selector.matches(&pod.metadata.labels));
        let slices = caches.endpoint_slices.controlled_by(&service.metadata.uid);
        Some(Observed { pods: pods.collect(), slices, service })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        plan(&observed)
    }
}

fn plan(observed: &Observed) -> Plan {
    let service = observed.service.as_ref();
    // Services without a selector have endpoints of someone else's making.
    if service.spec.selector.is_empty() || service.metadata.deletion_timestamp.is_some() {
        return Plan::default();
    }
    let wanted = slice(service, &observed.pods);
    let Some((first, surplus)) = observed.slices.split_first() else {
        return Plan::of(vec![Action::Create(Box::new(wanted.into()))]);
    };
    let mut actions = Vec::new();
    if first.endpoints != wanted.endpoints || first.ports != wanted.ports {
        let changed = EndpointSlice { endpoints: wanted.endpoints, ports: wanted.ports, ..first.as_ref().clone() };
        actions.push(Action::Update(Box::new(changed.into())));
    }
    actions.extend(surplus.iter().map(|slice| Action::Delete {
        kind: Kind::EndpointSlice,
        namespace: slice.metadata.namespace.clone(),
        name: slice.metadata.name.clone(),
        uid: slice.metadata.uid.clone(),
        propagation: "",
    }));
    Plan::of(actions)
}

fn slice(service: &Service, pods: &[Arc<Pod>]) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: "IPv4".to_owned(), ..EndpointSlice::default() };
    slice.metadata.generate_name = format!("{}-", service.metadata.name);
    slice.metadata.namespace.clone_from(&service.metadata.namespace);
    slice.metadata.labels.clone_from(&service.metadata.labels);
    slice.metadata.labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone());
    slice.metadata.labels.insert(MANAGED_BY.to_owned(), "endpointslice-controller.k8s.io".to_owned());
    slice.metadata.owner_references.push(meta::controller_reference(service));
    let with_address: Vec<&Arc<Pod>> =
        pods.iter().filter(|pod| !pod.status.pod_ip.is_empty() && !is_pod_terminal(pod)).collect();
    slice.ports = service.spec.ports.iter().map(|port| endpoint_port(port, &with_address)).collect();
    slice.endpoints = with_address.iter().map(|pod| endpoint(pod, service.spec.publish_not_ready_addresses)).collect();
    slice
}

fn endpoint_port(port: &ServicePort, pods: &[&Arc<Pod>]) -> EndpointPort {
    let named = |name: &str| {
        let ports =
            pods.first().into_iter().flat_map(|pod| &pod.spec.containers).flat_map(|container| &container.ports);
        ports.into_iter().find(|port| port.name == name).map(|port| port.container_port)
    };
    let number = port.target_port.as_int().or_else(|| port.target_port.as_str().and_then(named));
    EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: number,
        ..EndpointPort::default()
    }
}

fn endpoint(pod: &Pod, publish_not_ready: bool) -> Endpoint {
    let serving = is_pod_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    Endpoint {
        addresses: vec![pod.status.pod_ip.clone()],
        conditions: EndpointConditions {
            ready: Some(publish_not_ready || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        node_name: Some(pod.spec.node_name.clone()),
        target_ref: Some(ObjectReference {
            kind: "Pod".to_owned(),
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;
    use squall_api::intstr::IntOrString;
    use squall_api::metav1::v1::Time;

    fn pod(address: &str, ready: bool, deleting: bool) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.status.pod_ip = address.to_owned();
        pod.metadata.deletion_timestamp = deleting.then_some(Time { seconds: 1, nanos: 0 });
        let status = if ready { "True" } else { "False" };
        pod.status.conditions.push(PodCondition {
            r#type: "Ready".to_owned(),
            status: status.to_owned(),
            ..PodCondition::default()
        });
        Arc::new(pod)
    }

    #[test]
    fn terminating_pods_stay_but_are_not_ready() {
        let mut service = Service::default();
        service.spec.selector.insert("app".to_owned(), "kubia".to_owned());
        service.spec.ports.push(ServicePort {
            port: 80,
            target_port: IntOrString::int(8080),
            ..ServicePort::default()
        });
        let pods = vec![
            pod("127.0.0.2", true, false),
            pod("127.0.0.3", true, true),
            pod("127.0.0.4", false, false),
            pod("", false, false),
        ];
        let slice = slice(&service, &pods);
        let conditions: Vec<_> = slice
            .endpoints
            .iter()
            .map(|e| (e.conditions.ready, e.conditions.serving, e.conditions.terminating))
            .collect();
        let yes_no = |ready, serving, terminating| (Some(ready), Some(serving), Some(terminating));
        assert_eq!(conditions, [yes_no(true, true, false), yes_no(false, true, true), yes_no(false, false, false)]);
        assert_eq!(slice.ports[0].port, Some(8080));
    }
}
