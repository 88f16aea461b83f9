//! The fields of a Service that its type decides: an update keeps what the server has allocated, and drops what the new
//! type has no use for.

use std::collections::{BTreeMap, BTreeSet};

use squall_proto::core::v1::{Service, ServicePort, ServiceStatus};

/// Fills in the addresses and ports that the server has allocated (Kubernetes: `patchAllocatedValues`).
pub fn keep_allocated(new: &mut Service, old: &Service) {
    if needs_cluster_ip(new) && needs_cluster_ip(old) {
        if new.spec.cluster_ip.is_empty() && new.spec.cluster_ips.is_empty() {
            new.spec.cluster_ip.clone_from(&old.spec.cluster_ip);
        }
        if new.spec.cluster_ips.is_empty() && new.spec.cluster_ip == old.spec.cluster_ip {
            new.spec.cluster_ips.clone_from(&old.spec.cluster_ips);
        }
    }
    if needs_node_ports(new) && needs_node_ports(old) {
        keep_node_ports(&mut new.spec.ports, &old.spec.ports);
    }
    if needs_health_port(new) && needs_health_port(old) && new.spec.health_check_node_port == 0 {
        new.spec.health_check_node_port = old.spec.health_check_node_port;
    }
}

/// A port keeps its node port by its name. No node port is given away twice.
fn keep_node_ports(new: &mut [ServicePort], old: &[ServicePort]) {
    let ports = |ports: &[ServicePort]| -> BTreeSet<i32> { ports.iter().map(|port| port.node_port).collect() };
    let mut used: BTreeSet<i32> = &ports(new) & &ports(old);
    let by_name: BTreeMap<&str, i32> = old.iter().map(|port| (port.name.as_str(), port.node_port)).collect();
    for port in new.iter_mut().filter(|port| port.node_port == 0) {
        if let Some(kept) = by_name.get(port.name.as_str())
            && used.insert(*kept)
        {
            port.node_port = *kept;
        }
    }
}

/// Drops the fields that the old type needed, the new one does not, and the user left alone (Kubernetes:
/// `dropTypeDependentFields`).
pub fn drop_unused(new: &mut Service, old: &Service) {
    let dropped = |needs: fn(&Service) -> bool| needs(old) && !needs(new);
    let (ips, node_ports, health) = (dropped(needs_cluster_ip), dropped(needs_node_ports), dropped(needs_health_port));
    let (balancer, policy) = (dropped(is_load_balancer), dropped(is_external));
    let (from, to) = (&old.spec, &mut new.spec);
    if ips {
        if to.cluster_ip == from.cluster_ip && to.cluster_ips == from.cluster_ips {
            to.cluster_ip.clear();
            to.cluster_ips.clear();
        }
        if to.ip_families == from.ip_families {
            to.ip_families.clear();
        }
        if to.ip_family_policy == from.ip_family_policy {
            to.ip_family_policy = None;
        }
    }
    // Kubernetes: ports may come and go, as long as no node port is new.
    let numbers = |ports: &[ServicePort]| -> BTreeSet<i32> {
        ports.iter().map(|port| port.node_port).filter(|number| *number != 0).collect()
    };
    if node_ports && numbers(&to.ports).is_subset(&numbers(&from.ports)) {
        to.ports.iter_mut().for_each(|port| port.node_port = 0);
    }
    if health && to.health_check_node_port == from.health_check_node_port {
        to.health_check_node_port = 0;
    }
    if balancer && to.allocate_load_balancer_node_ports == from.allocate_load_balancer_node_ports {
        to.allocate_load_balancer_node_ports = None;
    }
    if balancer && to.load_balancer_class == from.load_balancer_class {
        to.load_balancer_class = None;
    }
    if policy && to.external_traffic_policy == from.external_traffic_policy {
        to.external_traffic_policy.clear();
    }
    if !is_load_balancer(new) {
        new.status.load_balancer = ServiceStatus::default().load_balancer;
    }
}

fn needs_cluster_ip(service: &Service) -> bool {
    service.spec.r#type != "ExternalName"
}

fn is_load_balancer(service: &Service) -> bool {
    service.spec.r#type == "LoadBalancer"
}

fn needs_node_ports(service: &Service) -> bool {
    service.spec.r#type == "NodePort"
        || (is_load_balancer(service) && service.spec.allocate_load_balancer_node_ports != Some(false))
}

fn needs_health_port(service: &Service) -> bool {
    is_load_balancer(service) && service.spec.external_traffic_policy == "Local"
}

/// Whether requests come from outside of the cluster.
fn is_external(service: &Service) -> bool {
    let has_addresses = service.spec.r#type == "ClusterIP" && !service.spec.external_ips.is_empty();
    service.spec.r#type == "NodePort" || is_load_balancer(service) || has_addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    fn service(of: &str) -> Service {
        let mut service = Service::default();
        of.clone_into(&mut service.spec.r#type);
        service.spec.ports.push(ServicePort { port: 80, ..ServicePort::default() });
        service.set_defaults();
        service
    }

    fn balancer() -> Service {
        let mut balancer = service("LoadBalancer");
        "Local".clone_into(&mut balancer.spec.external_traffic_policy);
        "127.64.0.9".clone_into(&mut balancer.spec.cluster_ip);
        balancer.spec.cluster_ips.push("127.64.0.9".to_owned());
        balancer.spec.ports[0].node_port = 30_001;
        balancer.spec.health_check_node_port = 30_002;
        balancer.spec.load_balancer_class = Some("example.com/mine".to_owned());
        balancer.status.load_balancer.ingress.push(Default::default());
        balancer
    }

    fn changed(old: &Service, to: &str) -> Service {
        let mut new = old.clone();
        to.clone_into(&mut new.spec.r#type);
        new.set_defaults();
        new.prepare_update(old);
        new
    }

    #[test]
    fn a_new_type_drops_what_it_has_no_use_for() {
        let inside = changed(&balancer(), "ClusterIP");
        let spec = &inside.spec;
        assert_eq!((spec.external_traffic_policy.as_str(), spec.allocate_load_balancer_node_ports), ("", None));
        assert_eq!((spec.ports[0].node_port, spec.health_check_node_port), (0, 0));
        assert_eq!((&spec.load_balancer_class, spec.cluster_ip.as_str()), (&None, "127.64.0.9"));
        assert!(inside.status.load_balancer.ingress.is_empty());
        let node = changed(&balancer(), "NodePort");
        assert_eq!((node.spec.ports[0].node_port, node.spec.external_traffic_policy.as_str()), (30_001, "Local"));
        let elsewhere = changed(&balancer(), "ExternalName");
        assert_eq!((elsewhere.spec.cluster_ip.as_str(), elsewhere.spec.cluster_ips.len()), ("", 0));
        assert_eq!((elsewhere.spec.ip_families.len(), &elsewhere.spec.ip_family_policy), (0, &None));
        let with_addresses = changed(&Service { ..balancer() }, "LoadBalancer");
        assert_eq!(with_addresses, balancer(), "the same type keeps everything");
    }

    #[test]
    fn what_the_user_changes_too_stays_for_validation() {
        let old = balancer();
        let mut new = old.clone();
        "ClusterIP".clone_into(&mut new.spec.r#type);
        new.spec.ports[0].node_port = 30_007;
        "Cluster".clone_into(&mut new.spec.external_traffic_policy);
        new.prepare_update(&old);
        assert_eq!((new.spec.ports[0].node_port, new.spec.external_traffic_policy.as_str()), (30_007, "Cluster"));
    }

    #[test]
    fn a_put_without_allocated_values_keeps_them() {
        let old = balancer();
        let mut new = service("LoadBalancer");
        "Local".clone_into(&mut new.spec.external_traffic_policy);
        new.prepare_update(&old);
        assert_eq!((new.spec.cluster_ip.as_str(), new.spec.ports[0].node_port), ("127.64.0.9", 30_001));
        assert_eq!(new.spec.health_check_node_port, 30_002);
    }
}
