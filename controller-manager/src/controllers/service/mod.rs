//! Assigns external addresses to services of type LoadBalancer.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use squall_api::core::v1::{LoadBalancerIngress, Service};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// Offset of the external address from the cluster address; the two ranges have the same size.
const ABOVE: u32 = 16 << 8;

/// Assigns external addresses to services.
pub struct ServiceController;

impl Controller for ServiceController {
    type Observed = Arc<Service>;
    const NAME: &'static str = "service-controller";

    fn keys(&self, change: &ObjectChange, _: &Caches) -> Vec<Key> {
        let new = change.new.as_ref().filter(|_| change.kind == CachedKind::Service);
        new.map(|meta| Key::new(&meta.namespace, &meta.name)).into_iter().collect()
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        caches
            .services
            .all()
            .iter()
            .map(|service| Key::new(&service.metadata.namespace, &service.metadata.name))
            .collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Arc<Service>> {
        caches.services.get(&key.namespace, &key.name)
    }

    fn plan(&self, service: Arc<Service>, _: Timestamp) -> Plan {
        // Kubernetes: a service with a class is the business of whoever serves that class.
        if service.spec.load_balancer_class.is_some() {
            return Plan::default();
        }
        let wanted = ingress(&service);
        if service.status.load_balancer.ingress == wanted {
            return Plan::default();
        }
        let mut changed = service.as_ref().clone();
        changed.status.load_balancer.ingress = wanted;
        Plan::of(vec![Action::UpdateStatus(Box::new(changed.into()))])
    }
}

/// Derives the external address from the cluster address, so that no two services share one.
fn ingress(service: &Service) -> Vec<LoadBalancerIngress> {
    let address = service.spec.cluster_ip.parse::<Ipv4Addr>().ok().filter(|_| service.spec.r#type == "LoadBalancer");
    let external = address.and_then(|address| u32::from(address).checked_add(ABOVE)).map(Ipv4Addr::from);
    external
        .map(|ip| LoadBalancerIngress { ip: ip.to_string(), ..LoadBalancerIngress::default() })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_another_controller_is_left_alone() {
        let mut service = Service::default();
        service.spec.cluster_ip = "127.64.3.7".to_owned();
        service.spec.r#type = "LoadBalancer".to_owned();
        let plan = |service: &Service| ServiceController.plan(Arc::new(service.clone()), Timestamp::UNIX_EPOCH);
        assert_eq!(plan(&service).actions.len(), 1);
        service.spec.load_balancer_class = Some("example.com/mine".to_owned());
        assert!(plan(&service).actions.is_empty());
    }

    #[test]
    fn only_load_balancers_have_an_external_address() {
        let mut service = Service::default();
        service.spec.cluster_ip = "127.64.3.7".to_owned();
        service.spec.r#type = "LoadBalancer".to_owned();
        assert_eq!(ingress(&service)[0].ip, "127.64.19.7");
        service.spec.r#type = "NodePort".to_owned();
        assert!(ingress(&service).is_empty());
    }
}
