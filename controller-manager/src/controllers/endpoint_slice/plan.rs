//! Updates the slices of a service with as few writes as possible: endpoints stay in their slice, new ones fill slices
//! with room, and a slice is created only when none has room.

use std::collections::{BTreeMap, HashMap};

use squall_api::core::v1::Service;
use squall_api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use squall_api::{Kind, meta};

use super::members::Group;
use super::{MANAGED_BY, MANAGER, SERVICE_NAME};
use crate::runtime::Action;

/// Maximum number of endpoints in a slice (Kubernetes: `--max-endpoints-per-slice`).
const MOST: usize = 100;
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Returns the actions that bring the slices up to date. There is always one slice, even without endpoints.
pub fn reconcile(service: &Service, groups: Vec<Group>, slices: &[&EndpointSlice]) -> Vec<Action> {
    let nothing =
        || Group { ports: slices.first().map(|slice| slice.ports.clone()).unwrap_or_default(), endpoints: vec![] };
    let groups = if groups.is_empty() { vec![nothing()] } else { groups };
    let mut actions = Vec::new();
    let mut left: Vec<&EndpointSlice> = slices.to_vec();
    for group in groups {
        let (mine, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|slice| slice.ports == group.ports);
        left = others;
        // An empty placeholder slice takes the first endpoints that come.
        let placeholder = left.iter().position(|slice| mine.is_empty() && slice.endpoints.is_empty());
        let mine = placeholder.map(|at| vec![left.remove(at)]).unwrap_or(mine);
        actions.extend(fill(service, group, &mine));
    }
    actions.extend(left.into_iter().map(delete));
    actions
}

fn uid(endpoint: &Endpoint) -> &str {
    endpoint.target_ref.as_ref().map_or("", |target| &target.uid)
}

fn fill(service: &Service, group: Group, slices: &[&EndpointSlice]) -> Vec<Action> {
    let ports = group.ports;
    let order: HashMap<String, usize> =
        group.endpoints.iter().enumerate().map(|(place, endpoint)| (uid(endpoint).to_owned(), place)).collect();
    let mut wanted: BTreeMap<usize, Endpoint> = group.endpoints.into_iter().enumerate().collect();
    let mut kept: Vec<Vec<Endpoint>> = slices
        .iter()
        .map(|slice| slice.endpoints.iter().filter_map(|old| wanted.remove(order.get(uid(old))?)).collect())
        .collect();
    let mut new: Vec<Endpoint> = wanted.into_values().collect();
    for endpoints in &mut kept {
        let room = MOST.saturating_sub(endpoints.len()).min(new.len());
        endpoints.extend(new.drain(..room));
    }
    let mut actions = Vec::new();
    // If there are no endpoints at all, one empty slice is enough.
    let mut may_be_empty = new.is_empty() && kept.iter().all(Vec::is_empty);
    for (slice, endpoints) in slices.iter().zip(kept) {
        if endpoints.is_empty() && !std::mem::take(&mut may_be_empty) {
            actions.push(delete(slice));
            continue;
        }
        let mut changed = (*slice).clone();
        dress(&mut changed, service);
        (changed.endpoints, changed.ports) = (endpoints, ports.clone());
        if changed != **slice {
            actions.push(Action::Update(Box::new(changed.into())));
        }
    }
    let chunks: Vec<&[Endpoint]> =
        if slices.is_empty() && new.is_empty() { vec![&[]] } else { new.chunks(MOST).collect() };
    actions.extend(chunks.into_iter().map(|endpoints| create(service, &ports, endpoints)));
    actions
}

/// Sets the labels of a slice of the service.
fn dress(slice: &mut EndpointSlice, service: &Service) {
    let labels = &mut slice.metadata.labels;
    labels.clone_from(&service.metadata.labels);
    labels.insert(SERVICE_NAME.to_owned(), service.metadata.name.clone());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if service.spec.cluster_ip == "None" {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
}

fn create(service: &Service, ports: &[EndpointPort], endpoints: &[Endpoint]) -> Action {
    let mut slice = EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints: endpoints.to_vec(),
        ports: ports.to_vec(),
        ..EndpointSlice::default()
    };
    slice.metadata.generate_name = format!("{}-", service.metadata.name);
    slice.metadata.namespace.clone_from(&service.metadata.namespace);
    slice.metadata.owner_references.push(meta::controller_reference(service));
    dress(&mut slice, service);
    Action::Create(Box::new(slice.into()))
}

fn delete(slice: &EndpointSlice) -> Action {
    Action::Delete {
        kind: Kind::EndpointSlice,
        namespace: slice.metadata.namespace.clone(),
        name: slice.metadata.name.clone(),
        uid: slice.metadata.uid.clone(),
        propagation: "",
    }
}
