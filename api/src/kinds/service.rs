//! Service: its rules and table columns.

use std::collections::HashSet;

use jiff::Timestamp;
use squall_proto::core::v1::{ClientIpConfig, Service, ServicePort, ServiceStatus, SessionAffinityConfig};
use squall_proto::intstr::IntOrString;

use super::pod_template::{validate_port, validate_port_number};
use super::{Kind, KindInfo, Resource, Scope, StatusUpdate, service_type};
use crate::field::{Errors, Path};
use crate::table::{Column, NONE, narrow, or_none, pairs, wide};
use crate::{age, names};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

impl Resource for Service {
    const KIND: Kind = Kind::Service;
    const INFO: KindInfo = KindInfo {
        kind: "Service",
        group: "",
        version: "v1",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        scope: Scope::Namespaced,
        message: "core.v1.Service",
        name_rule: names::dns1035_label,
        create_on_update: true,
        in_all: true,
    };
    const COLUMNS: &'static [Column] = &[
        narrow("Name"),
        narrow("Type"),
        narrow("Cluster-IP"),
        narrow("External-IP"),
        narrow("Port(s)"),
        narrow("Age"),
        wide("Selector"),
    ];

    fn set_defaults(&mut self) {
        let spec = &mut self.spec;
        if spec.r#type.is_empty() {
            "ClusterIP".clone_into(&mut spec.r#type);
        }
        if spec.session_affinity.is_empty() {
            "None".clone_into(&mut spec.session_affinity);
        }
        if spec.session_affinity == "None" {
            spec.session_affinity_config = None;
        }
        if spec.session_affinity == "ClientIP" {
            spec.session_affinity_config.get_or_insert(SessionAffinityConfig {
                client_ip: Some(ClientIpConfig { timeout_seconds: Some(10_800) }),
            });
        }
        for port in &mut spec.ports {
            if port.protocol.is_empty() {
                "TCP".clone_into(&mut port.protocol);
            }
            if port.target_port == IntOrString::default() || port.target_port == IntOrString::string("") {
                port.target_port = IntOrString::int(port.port);
            }
        }
        let external = matches!(spec.r#type.as_str(), "NodePort" | "LoadBalancer");
        if external && spec.external_traffic_policy.is_empty() {
            "Cluster".clone_into(&mut spec.external_traffic_policy);
        }
        if spec.r#type == "LoadBalancer" {
            spec.allocate_load_balancer_node_ports.get_or_insert(true);
        }
        if spec.r#type != "ExternalName" {
            spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_owned());
            spec.ip_family_policy.get_or_insert_with(|| "SingleStack".to_owned());
            if spec.ip_families.is_empty() {
                spec.ip_families.push("IPv4".to_owned());
            }
        }
    }

    fn validate(&self, errors: &mut Errors) {
        let path = Path::new("spec");
        let spec = &self.spec;
        let headless = spec.cluster_ip == "None";
        if spec.ports.is_empty() && !headless && spec.r#type != "ExternalName" {
            errors.required(&path.child("ports"), "");
        }
        for (index, port) in spec.ports.iter().enumerate() {
            let path = path.child("ports").index(index);
            if port.name.is_empty() && spec.ports.len() > 1 {
                errors.required(&path.child("name"), "");
            }
            validate_service_port(port, &path, errors);
        }
        duplicates(&spec.ports, &path.child("ports"), errors);
        if !TYPES.contains(&spec.r#type.as_str()) {
            errors.not_supported(&path.child("type"), &spec.r#type, &TYPES);
        }
        if !matches!(spec.session_affinity.as_str(), "ClientIP" | "None") {
            errors.not_supported(&path.child("sessionAffinity"), &spec.session_affinity, &["ClientIP", "None"]);
        }
        if spec.r#type == "ExternalName" && spec.external_name.is_empty() {
            errors.required(&path.child("externalName"), "");
        }
        if !spec.cluster_ip.is_empty() && !headless && spec.cluster_ip.parse::<std::net::Ipv4Addr>().is_err() {
            errors.invalid(
                &path.child("clusterIPs").index(0),
                &spec.cluster_ip,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            );
        }
        crate::labels::validate(&spec.selector, &path.child("selector"), errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        let fixed =
            self.spec.r#type != "ExternalName" && old.spec.r#type != "ExternalName" && !old.spec.cluster_ip.is_empty();
        if fixed && self.spec.cluster_ip != old.spec.cluster_ip {
            errors.invalid(
                &Path::new("spec").child("clusterIPs").index(0),
                &self.spec.cluster_ips,
                "may not change once set",
            );
        }
    }

    fn prepare_create(&mut self) {
        self.status = ServiceStatus::default();
        same_addresses(self);
    }

    fn prepare_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        service_type::keep_allocated(self, old);
        service_type::drop_unused(self, old);
        same_addresses(self);
    }

    fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        self.spec = old.spec.clone();
        StatusUpdate::Taken
    }

    fn row(&self, now: Timestamp) -> Vec<String> {
        vec![
            self.metadata.name.clone(),
            self.spec.r#type.clone(),
            or_none(&self.spec.cluster_ip),
            external_addresses(self),
            ports(&self.spec.ports),
            age::since(&self.metadata.creation_timestamp, now),
            pairs(&self.spec.selector),
        ]
    }
}

/// Makes `clusterIP` and `clusterIPs[0]` the same.
fn same_addresses(service: &mut Service) {
    let spec = &mut service.spec;
    match (spec.cluster_ip.is_empty(), spec.cluster_ips.is_empty()) {
        (false, true) => spec.cluster_ips.push(spec.cluster_ip.clone()),
        (true, false) => spec.cluster_ip.clone_from(&spec.cluster_ips[0]),
        _ => {}
    }
}

fn validate_service_port(port: &ServicePort, path: &Path, errors: &mut Errors) {
    if !port.name.is_empty() {
        for problem in names::dns1123_label(&port.name) {
            errors.invalid(&path.child("name"), &port.name, &problem);
        }
    }
    validate_port_number(port.port, &path.child("port"), errors);
    if !["TCP", "UDP", "SCTP"].contains(&port.protocol.as_str()) {
        errors.not_supported(&path.child("protocol"), &port.protocol, &["SCTP", "TCP", "UDP"]);
    }
    validate_port(&port.target_port, &path.child("targetPort"), errors);
    if port.node_port != 0 && !(30_000..=32_767).contains(&port.node_port) {
        errors.invalid(
            &path.child("nodePort"),
            &port.node_port,
            "provided port is not in the valid range. The range of valid ports is 30000-32767",
        );
    }
}

fn duplicates(ports: &[ServicePort], path: &Path, errors: &mut Errors) {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for (index, port) in ports.iter().enumerate() {
        if !port.name.is_empty() && !names.insert(&port.name) {
            errors.duplicate(&path.index(index).child("name"), &port.name);
        }
        if !numbers.insert((port.port, &port.protocol)) {
            errors.duplicate(&path.index(index), port);
        }
    }
}

fn external_addresses(service: &Service) -> String {
    let external = service.spec.external_ips.join(",");
    match service.spec.r#type.as_str() {
        "ExternalName" => or_none(&service.spec.external_name),
        "LoadBalancer" => {
            let ingress = service.status.load_balancer.ingress.iter();
            let mut addresses: Vec<&str> =
                ingress.map(|i| if i.ip.is_empty() { i.hostname.as_str() } else { i.ip.as_str() }).collect();
            addresses.sort_unstable();
            addresses.extend(service.spec.external_ips.iter().map(String::as_str));
            if addresses.is_empty() { "<pending>".to_owned() } else { addresses.join(",") }
        }
        _ => or_none(&external),
    }
}

fn ports(ports: &[ServicePort]) -> String {
    let texts: Vec<String> = ports
        .iter()
        .map(|port| match port.node_port {
            0 => format!("{}/{}", port.port, port.protocol),
            node => format!("{}:{node}/{}", port.port, port.protocol),
        })
        .collect();
    if texts.is_empty() { NONE.to_owned() } else { texts.join(",") }
}
