//! The addresses behind a service: Endpoints and EndpointSlices.

use squall_proto::core::v1::{EndpointAddress, Endpoints};
use squall_proto::discovery::v1::{Endpoint, EndpointSlice};

use super::layout::Layout;
use crate::table::or_none;

const UNSET: &str = "<unset>";

fn or_unset(text: &str) -> &str {
    if text.is_empty() { UNSET } else { text }
}

pub fn describe_endpoints(layout: &mut Layout, endpoints: &Endpoints) {
    layout.head(&endpoints.metadata);
    layout.line("Subsets:");
    let joined = |addresses: &[EndpointAddress]| {
        let addresses: Vec<&str> = addresses.iter().map(|address| address.ip.as_str()).collect();
        or_none(&addresses.join(","))
    };
    for subset in &endpoints.subsets {
        layout.field("  Addresses", joined(&subset.addresses));
        layout.field("  NotReadyAddresses", joined(&subset.not_ready_addresses));
        if !subset.ports.is_empty() {
            layout.line("  Ports:\n    Name\tPort\tProtocol\n    ----\t----\t--------");
        }
        for port in &subset.ports {
            layout.line(format_args!("    {}\t{}\t{}", or_unset(&port.name), port.port, port.protocol));
        }
        layout.line("");
    }
}

pub fn describe_slice(layout: &mut Layout, slice: &EndpointSlice) {
    layout.head(&slice.metadata);
    layout.field("AddressType", &slice.address_type);
    match slice.ports.is_empty() {
        true => layout.line(format_args!("Ports: {UNSET}")),
        false => layout.line("Ports:\n  Name\tPort\tProtocol\n  ----\t----\t--------"),
    }
    for port in &slice.ports {
        let number = port.port.map_or_else(|| UNSET.to_owned(), |number| number.to_string());
        let (name, protocol) = (port.name.as_deref().unwrap_or_default(), port.protocol.as_deref().unwrap_or_default());
        layout.line(format_args!("  {}\t{number}\t{protocol}", or_unset(name)));
    }
    layout.line(if slice.endpoints.is_empty() { "Endpoints: <none>" } else { "Endpoints:" });
    slice.endpoints.iter().for_each(|endpoint| describe_endpoint(layout, endpoint));
}

fn describe_endpoint(layout: &mut Layout, endpoint: &Endpoint) {
    let text = |value: &Option<String>| or_unset(value.as_deref().unwrap_or_default()).to_owned();
    layout.field("  - Addresses", endpoint.addresses.join(", "));
    layout.line("    Conditions:");
    let ready = endpoint.conditions.ready.map_or_else(|| UNSET.to_owned(), |ready| ready.to_string());
    layout.field("      Ready", ready);
    layout.field("    Hostname", text(&endpoint.hostname));
    if let Some(target) = &endpoint.target_ref {
        layout.field("    TargetRef", format_args!("{}/{}", target.kind, target.name));
    }
    layout.field("    NodeName", text(&endpoint.node_name));
    layout.field("    Zone", text(&endpoint.zone));
}
