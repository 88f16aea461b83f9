//! Endpoints, the older form of EndpointSlices: one object per service, which older clients still read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use squall_api::Kind;
use squall_api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service};
use squall_api::kinds::{is_pod_ready, is_pod_terminal};
use squall_api::labels::Selector;

use super::endpoint_slice::members::{reference, target};
use super::endpoint_slice::{is_managed, services_of};
use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Maximum number of addresses. As in Kubernetes, more are left out, and an annotation reports it.
const MOST: usize = 1_000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// Keeps the Endpoints of services up to date.
pub struct EndpointsController;

/// The observed state of a service, which may already be gone.
pub struct Observed {
    service: Option<Arc<Service>>,
    pods: Vec<Arc<Pod>>,
    endpoints: Option<Arc<Endpoints>>,
}

impl Controller for EndpointsController {
    type Observed = Observed;
    const NAME: &'static str = "endpoint-controller";
    const WORKERS: usize = 2;

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        match change.kind {
            CachedKind::Endpoints => change.both().map(|meta| Key::new(&meta.namespace, &meta.name)).collect(),
            _ => services_of(change, caches),
        }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        let services = caches.services.all();
        let endpoints = caches.endpoints.all();
        let services = services.iter().map(|service| &service.metadata);
        let all = services.chain(endpoints.iter().map(|endpoints| &endpoints.metadata));
        all.map(|meta| Key::new(&meta.namespace, &meta.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let service = caches.services.get(&key.namespace, &key.name);
        let pods = match &service {
            Some(service) if is_managed(service) => {
                let selector = Selector::from_map(&service.spec.selector);
                let mut pods = caches.pods.in_namespace(&key.namespace);
                pods.retain(|pod| selector.matches(&pod.metadata.labels));
                pods
            }
            _ => Vec::new(),
        };
        Some(Observed { service, pods, endpoints: caches.endpoints.get(&key.namespace, &key.name) })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        Plan::of(plan(&observed).into_iter().collect())
    }
}

fn plan(observed: &Observed) -> Option<Action> {
    let ours = |endpoints: &&Arc<Endpoints>| endpoints.metadata.labels.get(MANAGED_BY).is_some_and(|by| by == MANAGER);
    let there = observed.endpoints.as_ref();
    let Some(service) = &observed.service else {
        return there.filter(ours).map(|endpoints| Action::Delete {
            kind: Kind::Endpoints,
            namespace: endpoints.metadata.namespace.clone(),
            name: endpoints.metadata.name.clone(),
            uid: endpoints.metadata.uid.clone(),
            propagation: "",
        });
    };
    if !is_managed(service) {
        return None;
    }
    let mut wanted = there.map(|endpoints| endpoints.as_ref().clone()).unwrap_or_default();
    let meta = &mut wanted.metadata;
    meta.name.clone_from(&service.metadata.name);
    meta.namespace.clone_from(&service.metadata.namespace);
    meta.labels.clone_from(&service.metadata.labels);
    meta.labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if service.spec.cluster_ip == "None" {
        meta.labels.insert(HEADLESS.to_owned(), String::new());
    }
    let (subsets, cut) = subsets(service, &observed.pods);
    wanted.subsets = subsets;
    if cut {
        wanted.metadata.annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
    } else {
        wanted.metadata.annotations.remove(OVER_CAPACITY);
    }
    match there {
        None => Some(Action::Create(Box::new(wanted.into()))),
        Some(there) if **there == wanted => None,
        Some(_) => Some(Action::Update(Box::new(wanted.into()))),
    }
}

/// Returns the addresses in order, grouped by their ports, and whether some had to be left out.
fn subsets(service: &Service, pods: &[Arc<Pod>]) -> (Vec<EndpointSubset>, bool) {
    let publish = service.spec.publish_not_ready_addresses;
    let serves = |pod: &&Arc<Pod>| {
        !pod.status.pod_ip.is_empty() && !is_pod_terminal(pod) && (publish || pod.metadata.deletion_timestamp.is_none())
    };
    let mut serving: Vec<&Arc<Pod>> = pods.iter().filter(serves).collect();
    serving.sort_by_key(|pod| (!is_pod_ready(pod), address_order(pod)));
    let cut = serving.len() > MOST;
    serving.truncate(MOST);
    serving.sort_by_key(|pod| address_order(pod));
    let mut subsets: BTreeMap<Vec<(String, i32)>, EndpointSubset> = BTreeMap::new();
    for pod in serving {
        let port = |port: &squall_api::core::v1::ServicePort| {
            Some(EndpointPort {
                name: port.name.clone(),
                port: target(port, pod)?,
                protocol: port.protocol.clone(),
                app_protocol: port.app_protocol.clone(),
            })
        };
        let ports: Vec<EndpointPort> = service.spec.ports.iter().filter_map(port).collect();
        let same = ports.iter().map(|port| (port.name.clone(), port.port)).collect();
        let subset = subsets.entry(same).or_insert_with(|| EndpointSubset { ports, ..EndpointSubset::default() });
        let address = EndpointAddress {
            ip: pod.status.pod_ip.clone(),
            node_name: Some(pod.spec.node_name.clone()),
            target_ref: Some(reference(pod)),
            ..EndpointAddress::default()
        };
        match publish || is_pod_ready(pod) {
            true => subset.addresses.push(address),
            false => subset.not_ready_addresses.push(address),
        }
    }
    (subsets.into_values().collect(), cut)
}

fn address_order(pod: &Pod) -> Option<std::net::Ipv4Addr> {
    pod.status.pod_ip.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{PodCondition, ServicePort};
    use squall_api::intstr::IntOrString;
    use squall_api::metav1::v1::Time;

    fn pod(last: u8, ready: bool, deleting: bool) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.status.pod_ip = format!("127.64.64.{last}");
        pod.metadata.deletion_timestamp = deleting.then_some(Time { seconds: 1, nanos: 0 });
        let status = if ready { "True" } else { "False" }.to_owned();
        pod.status.conditions.push(PodCondition { r#type: "Ready".to_owned(), status, ..PodCondition::default() });
        Arc::new(pod)
    }

    fn service() -> Arc<Service> {
        let mut service = Service::default();
        service.metadata.name = "kubia".to_owned();
        service.spec.selector.insert("app".to_owned(), "kubia".to_owned());
        service.spec.ports.push(ServicePort {
            port: 80,
            target_port: IntOrString::int(8080),
            ..ServicePort::default()
        });
        Arc::new(service)
    }

    fn made(observed: &Observed) -> Endpoints {
        match plan(observed) {
            Some(Action::Create(object) | Action::Update(object)) => Endpoints::try_from(*object).unwrap(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn ready_pods_are_addresses_and_those_that_go_are_not() {
        let pods = vec![pod(10, true, false), pod(9, true, false), pod(3, false, false), pod(4, true, true)];
        let mut observed = Observed { service: Some(service()), pods, endpoints: None };
        let endpoints = made(&observed);
        let ips = |addresses: &[EndpointAddress]| addresses.iter().map(|a| a.ip.clone()).collect::<Vec<_>>();
        assert_eq!(ips(&endpoints.subsets[0].addresses), ["127.64.64.9", "127.64.64.10"], "in numeric order");
        assert_eq!(ips(&endpoints.subsets[0].not_ready_addresses), ["127.64.64.3"]);
        assert_eq!(endpoints.subsets[0].ports[0].port, 8080);
        observed.endpoints = Some(Arc::new(endpoints));
        assert_eq!(plan(&observed), None);
        observed.service = None;
        assert!(matches!(plan(&observed), Some(Action::Delete { .. })));
    }

    #[test]
    fn what_others_made_is_left_alone() {
        let theirs = Some(Arc::new(Endpoints::default()));
        assert_eq!(plan(&Observed { service: None, pods: vec![], endpoints: theirs.clone() }), None);
        let mut service = service().as_ref().clone();
        service.spec.selector.clear();
        assert_eq!(plan(&Observed { service: Some(Arc::new(service)), pods: vec![], endpoints: theirs }), None);
    }
}
