//! Validation of services.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use squall_proto::core::v1::{Service, ServicePort, ServiceSpec};

use super::pod_spec::{validate_port, validate_port_number};
use crate::addresses;
use crate::field::{Errors, Path};
use crate::names;
use crate::warnings::Warnings;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Kubernetes: affinity to a client lasts a day at most.
const MAX_AFFINITY: i32 = 86_400;
const BALANCERS_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";

/// Validates a service.
pub(super) fn validate(service: &Service, errors: &mut Errors) {
    let (spec, path) = (&service.spec, Path::new("spec"));
    let annotations = &service.metadata.annotations;
    if let (Some(mode), Some(hints)) = (annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS))
        && mode != hints
    {
        let path = Path::new("metadata").child("annotations").key(TOPOLOGY_MODE);
        errors.invalid(&path, mode, &format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified"));
    }
    validate_type(spec, &path, errors);
    validate_ports(&spec.ports, &path.child("ports"), errors);
    crate::labels::validate(&spec.selector, &path.child("selector"), errors);
    validate_affinity(spec, &path, errors);
    if spec.r#type != "ExternalName" {
        validate_addresses(spec, &path, errors);
    }
    for (index, address) in spec.external_ips.iter().enumerate() {
        let path = path.child("externalIPs").index(index);
        match addresses::validate(address, &path, errors) {
            Some(parsed) if parsed.is_loopback() => {
                errors.invalid(&path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
            }
            Some(_) => addresses::validate_endpoint(address, &path, errors),
            None => {}
        }
    }
    errors.required_one_of(&path.child("type"), &spec.r#type, &TYPES);
    validate_numbers(spec, &path.child("ports"), errors);
    validate_sources(spec, annotations, &path, errors);
    validate_balancer(spec, &path, errors);
    validate_traffic(spec, &path, errors);
}

/// Kubernetes: the address may not change, unless the type becomes or was an external name.
pub(super) fn validate_update(new: &ServiceSpec, old: &ServiceSpec, errors: &mut Errors) {
    let fixed = new.r#type != "ExternalName" && old.r#type != "ExternalName" && !old.cluster_ip.is_empty();
    if fixed && new.cluster_ip != old.cluster_ip {
        let path = Path::new("spec").child("clusterIPs").index(0);
        errors.invalid(&path, &new.cluster_ips, "may not change once set");
    }
}

fn validate_type(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    let is_headless = spec.cluster_ip == "None";
    if spec.ports.is_empty() && !is_headless && spec.r#type != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    match spec.r#type.as_str() {
        kind @ ("LoadBalancer" | "NodePort") if is_headless => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid(&path.child("clusterIPs").index(0), &spec.cluster_ip, &detail);
        }
        "ExternalName" => {
            let given = [
                ("clusterIPs", !spec.cluster_ips.is_empty()),
                ("ipFamilies", !spec.ip_families.is_empty()),
                ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                errors.forbidden(&path.child(name), "may not be set for ExternalName services");
            }
            let name = spec.external_name.strip_suffix('.').unwrap_or(&spec.external_name);
            if name.is_empty() {
                errors.required(&path.child("externalName"), "");
            } else {
                errors.named(&path.child("externalName"), name, names::dns1123_subdomain);
            }
        }
        _ => {}
    }
}

fn validate_ports(ports: &[ServicePort], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = path.child("name");
        if !port.name.is_empty() {
            errors.named(&name, &port.name, names::dns1123_label);
            if !seen.insert(&port.name) {
                errors.duplicate(&name, &port.name);
            }
        } else if ports.len() > 1 {
            errors.required(&name, "");
        }
        validate_port_number(port.port, &path.child("port"), errors);
        errors.required_one_of(&path.child("protocol"), &port.protocol, &PROTOCOLS);
        validate_port(&port.target_port, &path.child("targetPort"), errors);
        if let Some(protocol) = &port.app_protocol {
            errors.named(&path.child("appProtocol"), protocol, names::qualified_name);
        }
    }
}

fn validate_affinity(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    errors.required_one_of(&path.child("sessionAffinity"), &spec.session_affinity, &["ClientIP", "None"]);
    let config = spec.session_affinity_config.as_ref();
    let path = path.child("sessionAffinityConfig");
    match spec.session_affinity.as_str() {
        "ClientIP" => {
            let path = path.child("clientIP").child("timeoutSeconds");
            let seconds = config.and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
            match seconds {
                None => errors.required(&path, "when session affinity type is ClientIP"),
                Some(seconds) if !(1..=MAX_AFFINITY).contains(&seconds) => {
                    let detail = format!("must be greater than 0 and less than {MAX_AFFINITY}");
                    errors.invalid(&path, &seconds, &detail);
                }
                Some(_) => {}
            }
        }
        "None" if config.is_some() => errors.forbidden(&path, "must not be set when session affinity is None"),
        _ => {}
    }
}

fn validate_addresses(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    let addresses_path = path.child("clusterIPs");
    match (spec.cluster_ip.as_str(), spec.cluster_ips.first()) {
        ("", Some(_)) => {
            let detail = "must be empty when `clusterIP` is not specified";
            errors.invalid(&addresses_path, &spec.cluster_ips, detail);
        }
        ("", None) => {}
        (_, None) => errors.required(&addresses_path, ""),
        (address, Some(first)) if first != address => {
            errors.invalid(&addresses_path, &spec.cluster_ips, "first value must match `clusterIP`");
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    for (index, family) in spec.ip_families.iter().enumerate() {
        let path = path.child("ipFamilies").index(index);
        errors.one_of(&path, family, &["IPv4", "IPv6"]);
        if !seen.insert(family) {
            errors.duplicate(&path, family);
        }
    }
    if let Some(policy) = &spec.ip_family_policy {
        errors.one_of(&path.child("ipFamilyPolicy"), policy, &["PreferDualStack", "RequireDualStack", "SingleStack"]);
    }
    for (index, address) in spec.cluster_ips.iter().enumerate() {
        if index == 0 && address == "None" {
            if spec.cluster_ips.len() > 1 {
                errors.invalid(&addresses_path, &spec.cluster_ips, "'None' must be the first and only value");
            }
        } else {
            addresses::validate(address, &addresses_path.index(index), errors);
        }
    }
    if spec.cluster_ips.len() > 2 {
        errors.invalid(&addresses_path, &spec.cluster_ips, "may only hold up to 2 values");
    }
}

/// A port as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    name: &'a str,
    protocol: &'a str,
    app_protocol: Option<&'a str>,
    port: i32,
    target_port: i32,
    node_port: i32,
}

/// Reports numbers that two ports of a protocol have.
fn validate_numbers(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    if spec.r#type == "ClusterIP" {
        for (index, _) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
            let path = path.index(index).child("nodePort");
            errors.forbidden(&path, "may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut seen = HashSet::new();
    for (index, port) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
        if !seen.insert((&port.protocol, port.node_port)) {
            errors.duplicate(&path.index(index).child("nodePort"), &port.node_port);
        }
    }
    let mut seen = HashSet::new();
    for (index, port) in spec.ports.iter().enumerate() {
        if !seen.insert((&port.protocol, port.port)) {
            let printed = Printed {
                name: "",
                protocol: &port.protocol,
                app_protocol: None,
                port: port.port,
                target_port: 0,
                node_port: 0,
            };
            errors.duplicate(&path.index(index), &printed);
        }
    }
    for (index, port) in spec.ports.iter().enumerate() {
        if port.node_port != 0 && spec.r#type != "ClusterIP" && !(30_000..=32_767).contains(&port.node_port) {
            let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
            errors.invalid(&path.index(index).child("nodePort"), &port.node_port, detail);
        }
    }
}

fn validate_sources(spec: &ServiceSpec, annotations: &BTreeMap<String, String>, path: &Path, errors: &mut Errors) {
    let is_balancer = spec.r#type == "LoadBalancer";
    if !spec.load_balancer_source_ranges.is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !is_balancer {
            errors.forbidden(&path, BALANCERS_ONLY);
        }
        for (index, range) in spec.load_balancer_source_ranges.iter().enumerate() {
            addresses::validate_range(range.trim(), &path.index(index), errors);
        }
    } else if let Some(ranges) = annotations.get(SOURCE_RANGES) {
        let path = Path::new("metadata").child("annotations").key(SOURCE_RANGES);
        if !is_balancer {
            errors.forbidden(&path, BALANCERS_ONLY);
        }
        for range in ranges.split(',').map(str::trim).filter(|_| !ranges.trim().is_empty()) {
            addresses::validate_range(range, &path, errors);
        }
    }
}

fn validate_balancer(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    let is_balancer = spec.r#type == "LoadBalancer";
    if spec.allocate_load_balancer_node_ports.is_some() && !is_balancer {
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), BALANCERS_ONLY);
    }
    match &spec.load_balancer_class {
        Some(class) if is_balancer => {
            errors.named(&path.child("loadBalancerClass"), class, names::qualified_name);
        }
        Some(_) => errors.forbidden(&path.child("loadBalancerClass"), BALANCERS_ONLY),
        None => {}
    }
}

/// Whether others than pods reach a service.
pub(super) fn is_external(spec: &ServiceSpec) -> bool {
    matches!(spec.r#type.as_str(), "NodePort" | "LoadBalancer")
        || (spec.r#type == "ClusterIP" && !spec.external_ips.is_empty())
}

fn validate_traffic(spec: &ServiceSpec, path: &Path, errors: &mut Errors) {
    let external = path.child("externalTrafficPolicy");
    let policy = &spec.external_traffic_policy;
    if is_external(spec) {
        errors.required_one_of(&external, policy, &["Cluster", "Local"]);
    } else if !policy.is_empty() {
        errors.invalid(&external, policy, "may only be set for externally-accessible services");
    }
    let health = path.child("healthCheckNodePort");
    let needs_health = spec.r#type == "LoadBalancer" && policy == "Local";
    if spec.health_check_node_port != 0 && !needs_health {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.invalid(&health, &spec.health_check_node_port, detail);
    }
    let internal = path.child("internalTrafficPolicy");
    match &spec.internal_traffic_policy {
        Some(policy) => errors.one_of(&internal, policy, &["Cluster", "Local"]),
        None if spec.r#type != "ExternalName" => errors.required(&internal, ""),
        None => {}
    }
    if let Some(distribution) = &spec.traffic_distribution {
        let allowed = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        errors.one_of(&path.child("trafficDistribution"), distribution, &allowed);
    }
}

/// Warns about fields of a service that have no effect, or will have none (Kubernetes: `pkg/api/service/warnings.go`).
pub(super) fn warn(service: &Service, warnings: &mut Warnings) {
    let spec = &service.spec;
    if service.metadata.annotations.contains_key(TOPOLOGY_HINTS) {
        warnings.say(format!("annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"));
    }
    let (is_headless, is_name) =
        (spec.r#type == "ClusterIP" && spec.cluster_ip == "None", spec.r#type == "ExternalName");
    let mut ignored = |field: &str, case: &str| warnings.say(format!("{field} is ignored {case}"));
    if is_headless {
        let case = "for headless services";
        let fields = [
            (!spec.load_balancer_ip.is_empty(), "spec.loadBalancerIP"),
            (!spec.external_ips.is_empty(), "spec.externalIPs"),
            (spec.session_affinity != "None", "spec.SessionAffinity"),
        ];
        fields.iter().filter(|(is_set, _)| *is_set).for_each(|(_, field)| ignored(field, case));
    }
    let path = Path::new("spec");
    for (index, address) in spec.external_ips.iter().enumerate() {
        warnings.of_address(&path.child("externalIPs").index(index), address);
    }
    if !spec.external_ips.is_empty() && !is_headless && !is_name {
        warnings.say("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    warnings.of_address(&path.child("loadBalancerIP"), &spec.load_balancer_ip);
    for (index, range) in spec.load_balancer_source_ranges.iter().enumerate() {
        warnings.of_range(&path.child("loadBalancerSourceRanges").index(index), range);
    }
    if is_name && !spec.external_ips.is_empty() {
        warnings.say("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !is_name && !spec.external_name.is_empty() {
        warnings.say("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if spec.traffic_distribution.as_deref() == Some("PreferClose") {
        let text = "\"PreferClose\" is deprecated; use \"PreferSameZone\"";
        warnings.at(&path.child("trafficDistribution"), text);
    }
}
