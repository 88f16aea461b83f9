//! A service with its endpoints.

use squall_proto::core::v1::{Service, ServicePort};
use squall_proto::discovery::v1::EndpointSlice;

use super::layout::Layout;
use crate::table::{NONE, or_none, pairs};

/// The maximum number of endpoints shown for a port.
const MAX_ENDPOINTS: usize = 3;

pub fn describe(layout: &mut Layout, service: &Service, slices: &[EndpointSlice]) {
    let spec = &service.spec;
    layout.head(&service.metadata);
    layout.field("Selector", pairs(&spec.selector));
    layout.field("Type", &spec.r#type);
    layout.field_if_set("IP Family Policy", spec.ip_family_policy.as_deref().unwrap_or_default());
    layout.field("IP Families", or_none(&spec.ip_families.join(",")));
    layout.field("IP", &spec.cluster_ip);
    layout.field("IPs", or_none(&spec.cluster_ips.join(",")));
    layout.field_if_set("External IPs", &spec.external_ips.join(","));
    layout.field_if_set("Desired LoadBalancer IP", &spec.load_balancer_ip);
    layout.field_if_set("External Name", &spec.external_name);
    layout.field_if_set("LoadBalancer Ingress", &ingress(service));
    for port in &spec.ports {
        describe_port(layout, port, slices);
    }
    layout.field("Session Affinity", &spec.session_affinity);
    layout.field_if_set("External Traffic Policy", &spec.external_traffic_policy);
    layout.field_if_set("Internal Traffic Policy", spec.internal_traffic_policy.as_deref().unwrap_or_default());
    layout.field_if_set("LoadBalancer Source Ranges", &spec.load_balancer_source_ranges.join(","));
}

/// Formats the addresses of the load balancer: `127.64.16.1 (VIP)`.
fn ingress(service: &Service) -> String {
    let text = |ingress: &squall_proto::core::v1::LoadBalancerIngress| {
        let address = if ingress.ip.is_empty() { &ingress.hostname } else { &ingress.ip };
        match &ingress.ip_mode {
            Some(mode) => format!("{address} ({mode})"),
            None => address.clone(),
        }
    };
    service.status.load_balancer.ingress.iter().map(text).collect::<Vec<_>>().join(",")
}

fn describe_port(layout: &mut Layout, port: &ServicePort, slices: &[EndpointSlice]) {
    let name = if port.name.is_empty() { "<unset>" } else { &port.name };
    layout.line(format_args!("Port:\t{name}\t{}/{}", port.port, port.protocol));
    layout.field("TargetPort", format_args!("{}/{}", port.target_port, port.protocol));
    if port.node_port != 0 {
        layout.line(format_args!("NodePort:\t{name}\t{}/{}", port.node_port, port.protocol));
    }
    layout.field("Endpoints", endpoints(port, slices));
}

/// Formats the ready addresses behind a port.
fn endpoints(port: &ServicePort, slices: &[EndpointSlice]) -> String {
    let mut addresses = Vec::new();
    for slice in slices {
        for number in
            slice.ports.iter().filter(|p| p.name.as_deref().unwrap_or_default() == port.name).filter_map(|p| p.port)
        {
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready.unwrap_or(true));
            addresses
                .extend(ready.flat_map(|endpoint| &endpoint.addresses).map(|address| format!("{address}:{number}")));
        }
    }
    match addresses.len() {
        // kubectl prints nothing at all for slices without endpoints.
        0 if slices.is_empty() => NONE.to_owned(),
        count if count <= MAX_ENDPOINTS => addresses.join(","),
        count => format!("{} + {} more...", addresses[..MAX_ENDPOINTS].join(","), count.saturating_sub(MAX_ENDPOINTS)),
    }
}
