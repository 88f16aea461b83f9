//! Service: its rules and table columns.

use jiff::Timestamp;
use squall_proto::core::v1::{Service, ServicePort, ServiceStatus};
use squall_proto::intstr::IntOrString;

use super::{Kind, KindInfo, Resource, Scope, StatusUpdate, service_rules, service_type};
use crate::field::Errors;
use crate::table::{Column, NONE, narrow, or_none, pairs, wide};
use crate::warnings::Warnings;
use crate::{age, names};

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
        name_rule: names::dns1123_label,
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
            let config = spec.session_affinity_config.get_or_insert_default();
            config.client_ip.get_or_insert_default().timeout_seconds.get_or_insert(10_800);
        }
        for port in &mut spec.ports {
            if port.protocol.is_empty() {
                "TCP".clone_into(&mut port.protocol);
            }
            if port.target_port == IntOrString::default() || port.target_port == IntOrString::string("") {
                port.target_port = IntOrString::int(port.port);
            }
        }
        let external = service_rules::is_external(spec);
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
        service_rules::validate(self, errors);
    }

    fn validate_update(&self, old: &Self, errors: &mut Errors) {
        service_rules::validate_update(&self.spec, &old.spec, errors);
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

    fn warn(&self, _old: Option<&Self>, warnings: &mut Warnings) {
        service_rules::warn(self, warnings);
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
