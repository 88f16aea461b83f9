//! Validation of Endpoints and EndpointSlices.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use squall_proto::core::v1::{EndpointAddress, EndpointPort, Endpoints};
use squall_proto::discovery::v1::{Endpoint, EndpointHints, EndpointPort as SlicePort, EndpointSlice};

use super::pod_spec::validate_port_number;
use crate::addresses;
use crate::field::{Errors, Path};
use crate::names;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Kubernetes: `maxEndpoints`, `maxAddresses`, `maxPorts`, `maxTopologyLabels`, `maxZoneHints`.
const MAX_ENDPOINTS: usize = 1_000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;
const MAX_LABELS: usize = 16;
const MAX_HINTS: usize = 8;

/// Validates Endpoints.
pub(super) fn validate(endpoints: &Endpoints, errors: &mut Errors) {
    for (index, subset) in endpoints.subsets.iter().enumerate() {
        let path = Path::new("subsets").index(index);
        if subset.addresses.is_empty() && subset.not_ready_addresses.is_empty() {
            errors.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for (list, found) in [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)] {
            for (index, address) in found.iter().enumerate() {
                validate_address(address, &path.child(list).index(index), errors);
            }
        }
        for (index, port) in subset.ports.iter().enumerate() {
            validate_port(port, subset.ports.len() > 1, &path.child("ports").index(index), errors);
        }
    }
}

fn validate_address(address: &EndpointAddress, path: &Path, errors: &mut Errors) {
    addresses::validate(&address.ip, &path.child("ip"), errors);
    if !address.hostname.is_empty() {
        errors.named(&path.child("hostname"), &address.hostname, names::dns1123_label);
    }
    if let Some(node) = &address.node_name {
        errors.named(&path.child("nodeName"), node, names::dns1123_subdomain);
    }
    addresses::validate_endpoint(&address.ip, &path.child("ip"), errors);
}

fn validate_port(port: &EndpointPort, needs_name: bool, path: &Path, errors: &mut Errors) {
    if !port.name.is_empty() {
        errors.named(&path.child("name"), &port.name, names::dns1123_label);
    } else if needs_name {
        errors.required(&path.child("name"), "");
    }
    validate_port_number(port.port, &path.child("port"), errors);
    errors.required_one_of(&path.child("protocol"), &port.protocol, &PROTOCOLS);
    if let Some(protocol) = &port.app_protocol {
        errors.named(&path.child("appProtocol"), protocol, names::qualified_name);
    }
}

/// Validates an EndpointSlice.
pub(super) fn validate_slice(slice: &EndpointSlice, errors: &mut Errors) {
    errors.required_one_of(&Path::new("addressType"), &slice.address_type, &["FQDN", "IPv4", "IPv6"]);
    validate_slice_ports(&slice.ports, &Path::new("ports"), errors);
    let path = Path::new("endpoints");
    if slice.endpoints.len() > MAX_ENDPOINTS {
        errors.too_many(&path, slice.endpoints.len(), MAX_ENDPOINTS);
        return;
    }
    for (index, endpoint) in slice.endpoints.iter().enumerate() {
        validate_endpoint(endpoint, &slice.address_type, &path.index(index), errors);
    }
}

fn validate_slice_ports(ports: &[SlicePort], path: &Path, errors: &mut Errors) {
    if ports.len() > MAX_PORTS {
        errors.too_many(path, ports.len(), MAX_PORTS);
        return;
    }
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            errors.named(&path.child("name"), name, names::dns1123_label);
        }
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), &name);
        }
        errors.required_one_of(&path.child("protocol"), port.protocol.as_deref().unwrap_or_default(), &PROTOCOLS);
        if let Some(protocol) = &port.app_protocol {
            errors.named(&path.child("appProtocol"), protocol, names::qualified_name);
        }
    }
}

fn validate_endpoint(endpoint: &Endpoint, kind: &str, path: &Path, errors: &mut Errors) {
    let list = path.child("addresses");
    match endpoint.addresses.len() {
        0 => errors.required(&list, "must contain at least 1 address"),
        count if count > MAX_ADDRESSES => errors.too_many(&list, count, MAX_ADDRESSES),
        _ => {}
    }
    for (index, address) in endpoint.addresses.iter().enumerate() {
        validate_slice_address(address, kind, &list, index, errors);
    }
    if let Some(node) = &endpoint.node_name {
        errors.named(&path.child("nodeName"), node, names::dns1123_subdomain);
    }
    validate_topology(&endpoint.deprecated_topology, &path.child("deprecatedTopology"), errors);
    if let Some(name) = &endpoint.hostname {
        errors.named(&path.child("hostname"), name, names::dns1123_label);
    }
    if let Some(hints) = &endpoint.hints {
        validate_hints(hints, &path.child("hints"), errors);
    }
}

fn validate_slice_address(address: &str, kind: &str, list: &Path, index: usize, errors: &mut Errors) {
    let path = list.index(index);
    match (kind, kind) {
        ("FQDN", _) => validate_domain(address, &path, errors),
        ("IPv4" | "IPv6", kind) => {
            let Some(parsed) = addresses::validate(address, &path, errors) else { return };
            let canonical = parsed.to_string();
            if kind == "IPv6" && canonical != address {
                errors.invalid(&path, &address, &format!("must be in canonical form ({canonical:?})"));
                return;
            }
            if matches!(parsed, IpAddr::V4(_)) != (kind == "IPv4") {
                errors.invalid(list, &address, &format!("must be an {kind} address"));
            }
            addresses::validate_endpoint(address, &path, errors);
        }
        _ => {}
    }
}

/// A full name has at least two parts.
fn validate_domain(name: &str, path: &Path, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "");
        return;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let problems = names::dns1123_subdomain(name);
    if !problems.is_empty() {
        errors.invalid(path, &name, &problems.join(","));
    } else if !name.contains('.') {
        errors.invalid(path, &name, "should be a domain with at least two segments separated by dots");
    }
}

fn validate_topology(labels: &BTreeMap<String, String>, path: &Path, errors: &mut Errors) {
    if labels.len() > MAX_LABELS {
        errors.too_many(path, labels.len(), MAX_LABELS);
    }
    crate::labels::validate(labels, path, errors);
}

fn validate_hints(hints: &EndpointHints, path: &Path, errors: &mut Errors) {
    let zones = path.child("forZones");
    if hints.for_zones.len() > MAX_HINTS {
        errors.too_many(&zones, hints.for_zones.len(), MAX_HINTS);
        return;
    }
    let mut seen = HashSet::new();
    for (index, zone) in hints.for_zones.iter().enumerate() {
        let path = zones.index(index).child("name");
        if !seen.insert(&zone.name) {
            errors.duplicate(&path, &zone.name);
        }
        errors.named(&path, &zone.name, names::label_value);
    }
}
