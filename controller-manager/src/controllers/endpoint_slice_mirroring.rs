//! The EndpointSlices of services without a selector: mirrors of the Endpoints that others write for them.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use squall_api::Kind;
use squall_api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use squall_api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use squall_api::meta;

use super::endpoint_slice::{MANAGED_BY, SERVICE_NAME};
use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// Endpoints with this label are mirrored by those that write them.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
/// Endpoints with this annotation are a lock of older clients.
const LOCK: &str = "control-plane.alpha.kubernetes.io/leader";
/// Annotations that say something of the Endpoints only.
const OWN: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"];
/// Maximum number of addresses of a subset (Kubernetes: `--mirroring-max-endpoints-per-subset`).
const MOST: usize = 1_000;

/// Keeps the mirrors up to date.
pub struct EndpointSliceMirroringController;

/// The observed state of a service and of its Endpoints.
pub struct Observed {
    service: Option<Arc<Service>>,
    endpoints: Option<Arc<Endpoints>>,
    slices: Vec<Arc<EndpointSlice>>,
}

impl Controller for EndpointSliceMirroringController {
    type Observed = Observed;
    const NAME: &'static str = "endpoint-slice-mirroring-controller";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let named = || change.both().map(|meta| Key::new(&meta.namespace, &meta.name));
        match change.kind {
            CachedKind::Endpoints | CachedKind::Service => named().collect(),
            CachedKind::EndpointSlice => {
                let ours = change.both().filter(|meta| meta.labels.get(MANAGED_BY).is_some_and(|by| by == MANAGER));
                ours.filter_map(|meta| Some(Key::new(&meta.namespace, meta.labels.get(SERVICE_NAME)?))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        let endpoints = caches.endpoints.all();
        let slices = caches.endpoint_slices.all();
        let of_slices = slices
            .iter()
            .filter(|slice| is_mirror(slice))
            .filter_map(|slice| Some(Key::new(&slice.metadata.namespace, slice.metadata.labels.get(SERVICE_NAME)?)));
        endpoints.iter().map(|one| Key::new(&one.metadata.namespace, &one.metadata.name)).chain(of_slices).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let mut slices = caches.endpoint_slices.in_namespace(&key.namespace);
        slices.retain(|slice| is_mirror(slice) && slice.metadata.labels.get(SERVICE_NAME) == Some(&key.name));
        Some(Observed {
            service: caches.services.get(&key.namespace, &key.name),
            endpoints: caches.endpoints.get(&key.namespace, &key.name),
            slices,
        })
    }

    fn plan(&self, observed: Observed, _: Timestamp) -> Plan {
        Plan::of(plan(&observed))
    }
}

fn is_mirror(slice: &EndpointSlice) -> bool {
    slice.metadata.labels.get(MANAGED_BY).is_some_and(|by| by == MANAGER)
}

fn plan(observed: &Observed) -> Vec<Action> {
    let has_no_selector =
        |service: &Arc<Service>| service.spec.selector.is_empty() && service.metadata.deletion_timestamp.is_none();
    let is_mirrored = |endpoints: &&Arc<Endpoints>| {
        let meta = &endpoints.metadata;
        meta.labels.get(SKIP).is_none_or(|skip| skip != "true")
            && !meta.annotations.contains_key(LOCK)
            && meta.deletion_timestamp.is_none()
    };
    let mirrored = observed.endpoints.as_ref().filter(is_mirrored);
    let mirrored = mirrored.filter(|_| observed.service.as_ref().is_some_and(has_no_selector));
    let mut left: Vec<&Arc<EndpointSlice>> = observed.slices.iter().collect();
    let mut actions = Vec::new();
    for wanted in mirrored.map(|endpoints| slices(endpoints)).unwrap_or_default() {
        let same =
            |slice: &&Arc<EndpointSlice>| (&slice.ports, &slice.address_type) == (&wanted.ports, &wanted.address_type);
        let Some(at) = left.iter().position(same) else {
            actions.push(Action::Create(Box::new(wanted.into())));
            continue;
        };
        let stored = left.swap_remove(at);
        let mut changed = stored.as_ref().clone();
        changed.metadata.labels = wanted.metadata.labels;
        changed.metadata.annotations = wanted.metadata.annotations;
        changed.endpoints = wanted.endpoints;
        if changed != **stored {
            actions.push(Action::Update(Box::new(changed.into())));
        }
    }
    actions.extend(left.into_iter().map(|slice| Action::Delete {
        kind: Kind::EndpointSlice,
        namespace: slice.metadata.namespace.clone(),
        name: slice.metadata.name.clone(),
        uid: slice.metadata.uid.clone(),
        propagation: "",
    }));
    actions
}

/// The slices of Endpoints: one for each group of ports and each family of addresses.
fn slices(endpoints: &Endpoints) -> Vec<EndpointSlice> {
    let mut slices: Vec<EndpointSlice> = Vec::new();
    for subset in &endpoints.subsets {
        let ports = ports(subset);
        let ready = subset.addresses.iter().map(|address| (address, true));
        let all = ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false)));
        for (address, is_ready) in all.take(MOST) {
            let family = if address.ip.contains(':') { "IPv6" } else { "IPv4" };
            let same = |slice: &&mut EndpointSlice| slice.address_type == family && slice.ports == ports;
            let endpoint = endpoint(address, is_ready);
            match slices.iter_mut().find(same) {
                Some(slice) => slice.endpoints.push(endpoint),
                None => {
                    let mut slice = empty(endpoints, family);
                    (slice.ports, slice.endpoints) = (ports.clone(), vec![endpoint]);
                    slices.push(slice);
                }
            }
        }
    }
    slices
}

fn empty(endpoints: &Endpoints, family: &str) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: family.to_owned(), ..EndpointSlice::default() };
    let (meta, from) = (&mut slice.metadata, &endpoints.metadata);
    meta.generate_name = format!("{}-", from.name);
    meta.namespace.clone_from(&from.namespace);
    meta.labels.clone_from(&from.labels);
    meta.labels.insert(SERVICE_NAME.to_owned(), from.name.clone());
    meta.labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    meta.annotations.clone_from(&from.annotations);
    meta.annotations.retain(|key, _| !OWN.contains(&key.as_str()));
    meta.owner_references.push(meta::controller_reference(endpoints));
    slice
}

fn ports(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let port = |port: &squall_api::core::v1::EndpointPort| EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.port),
        app_protocol: port.app_protocol.clone(),
    };
    subset.ports.iter().map(port).collect()
}

/// Endpoints may have an address in another form than slices.
fn canonical(ip: &str) -> String {
    ip.parse::<IpAddr>().map_or_else(|_| ip.to_owned(), |ip| ip.to_string())
}

fn endpoint(address: &EndpointAddress, is_ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![canonical(&address.ip)],
        conditions: EndpointConditions { ready: Some(is_ready), ..EndpointConditions::default() },
        hostname: Some(address.hostname.clone()).filter(|name| !name.is_empty()),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed() -> Observed {
        let mut endpoints = Endpoints::default();
        "e".clone_into(&mut endpoints.metadata.name);
        endpoints.metadata.labels.insert("app".to_owned(), "e".to_owned());
        endpoints.metadata.annotations.insert(OWN[0].to_owned(), "{}".to_owned());
        let address = |ip: &str| EndpointAddress { ip: ip.to_owned(), ..EndpointAddress::default() };
        let port = squall_api::core::v1::EndpointPort { port: 80, ..Default::default() };
        endpoints.subsets.push(EndpointSubset {
            addresses: vec![address("10.0.0.1"), address("FD00::1")],
            not_ready_addresses: vec![address("10.0.0.2")],
            ports: vec![port],
        });
        Observed { service: Some(Arc::default()), endpoints: Some(Arc::new(endpoints)), slices: Vec::new() }
    }

    fn created(actions: Vec<Action>) -> Vec<Arc<EndpointSlice>> {
        let slice = |action| match action {
            Action::Create(object) => EndpointSlice::try_from(*object).ok().map(Arc::new),
            _ => None,
        };
        actions.into_iter().filter_map(slice).collect()
    }

    #[test]
    fn endpoints_of_a_service_without_a_selector_are_mirrored_once() {
        let mut observed = observed();
        let slices = created(plan(&observed));
        let shape = |slice: &Arc<EndpointSlice>| {
            let ready = slice.endpoints.iter().map(|one| (one.addresses[0].clone(), one.conditions.ready));
            (slice.address_type.clone(), ready.collect::<Vec<_>>())
        };
        let ip = |ip: &str, ready| (ip.to_owned(), Some(ready));
        assert_eq!(
            slices.iter().map(shape).collect::<Vec<_>>(),
            [
                ("IPv4".to_owned(), vec![ip("10.0.0.1", true), ip("10.0.0.2", false)]),
                ("IPv6".to_owned(), vec![ip("fd00::1", true)])
            ]
        );
        assert!(slices[0].metadata.annotations.is_empty() && slices[0].metadata.labels["app"] == "e");
        observed.slices = slices;
        assert!(plan(&observed).is_empty(), "{:?}", plan(&observed));
    }

    #[test]
    fn a_mirror_follows_its_endpoints_and_goes_with_them() {
        let mut observed = observed();
        observed.slices = created(plan(&observed));
        let endpoints = Arc::make_mut(observed.endpoints.as_mut().unwrap());
        endpoints.subsets[0].addresses.pop();
        "10.0.0.9".clone_into(&mut endpoints.subsets[0].addresses[0].ip);
        assert!(matches!(plan(&observed).as_slice(), [Action::Update(_), Action::Delete { .. }]));
        let deletes = |observed: &Observed| {
            let actions = plan(observed);
            actions.len() == 2 && actions.iter().all(|action| matches!(action, Action::Delete { .. }))
        };
        let with = |change: fn(&mut Observed)| {
            let mut observed = Observed {
                service: observed.service.clone(),
                endpoints: observed.endpoints.clone(),
                slices: observed.slices.clone(),
            };
            change(&mut observed);
            observed
        };
        assert!(deletes(&with(|it| it.endpoints = None)));
        assert!(deletes(&with(|it| it.service = None)));
        assert!(deletes(&with(|it| {
            let service = Arc::make_mut(it.service.as_mut().unwrap());
            service.spec.selector.insert("app".to_owned(), "e".to_owned());
        })));
        assert!(deletes(&with(|it| {
            let endpoints = Arc::make_mut(it.endpoints.as_mut().unwrap());
            endpoints.metadata.labels.insert(SKIP.to_owned(), "true".to_owned());
        })));
        assert!(deletes(&with(|it| {
            let endpoints = Arc::make_mut(it.endpoints.as_mut().unwrap());
            endpoints.metadata.annotations.insert(LOCK.to_owned(), "{}".to_owned());
        })));
    }
}
