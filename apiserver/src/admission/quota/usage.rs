//! Computes how much of the quota-limited resources an object uses.

use std::collections::BTreeMap;

use squall_api::core::v1::{Container, Pod, Service};
use squall_api::kinds::is_pod_terminal;
use squall_api::quantity::{self, Milli, Quantity};
use squall_api::{Kind, Object};

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Milli>;

/// Returns what the object uses. Kubernetes: a pod that has ended counts only as an object; events are free.
#[must_use]
pub fn usage(object: &Object) -> Amounts {
    let kind = object.kind();
    let mut used = Amounts::new();
    if kind == Kind::Event {
        return used;
    }
    let one = Milli(1_000);
    used.insert(format!("count/{}", kind.info().plural_group()), one);
    match object {
        Object::Pod(pod) if !is_pod_terminal(pod) => add_pod(pod, &mut used),
        Object::Service(service) => add_service(service, &mut used),
        Object::ConfigMap(_) | Object::Secret(_) | Object::ReplicationController(_) | Object::ResourceQuota(_) => {
            used.insert(kind.info().plural.to_owned(), one);
        }
        _ => {}
    }
    used
}

fn add_pod(pod: &Pod, used: &mut Amounts) {
    used.insert("pods".to_owned(), Milli(1_000));
    let requests = pod_sum(pod, |container| &container.resources.requests);
    let limits = pod_sum(pod, |container| &container.resources.limits);
    add_requirements(requests.iter(), limits.iter(), used);
}

/// Adds requests and limits under the resource names that quotas use.
fn add_requirements<'a>(
    requests: impl Iterator<Item = (&'a String, &'a Milli)>,
    limits: impl Iterator<Item = (&'a String, &'a Milli)>,
    used: &mut Amounts,
) {
    for (name, amount) in requests {
        used.insert(format!("requests.{name}"), *amount);
        if is_native(name) {
            used.insert(name.clone(), *amount);
        }
    }
    for (name, amount) in limits.filter(|(name, _)| is_native(name)) {
        used.insert(format!("limits.{name}"), *amount);
    }
}

/// Whether the resource is built in rather than a vendor's.
fn is_native(resource: &str) -> bool {
    !resource.contains('/')
}

/// Returns what the containers of a pod use in total. Kubernetes: regular containers run side by side and add up. Init
/// containers run one after the other before them, so one counts only if it needs more than that sum.
fn pod_sum(pod: &Pod, side: fn(&Container) -> &BTreeMap<String, Quantity>) -> Amounts {
    let mut sum = Amounts::new();
    for (name, amount) in pod.spec.containers.iter().flat_map(|container| amounts(side(container))) {
        let whole = sum.entry(name).or_default();
        *whole = whole.plus(amount);
    }
    for (name, amount) in pod.spec.init_containers.iter().flat_map(|container| amounts(side(container))) {
        let whole = sum.entry(name).or_default();
        *whole = amount.max(*whole);
    }
    sum
}

fn amounts(list: &BTreeMap<String, Quantity>) -> impl Iterator<Item = (String, Milli)> + '_ {
    list.iter().filter_map(|(name, amount)| Some((name.clone(), quantity::parse(amount)?)))
}

fn add_service(service: &Service, used: &mut Amounts) {
    let count = |number: usize| Milli(i128::try_from(number).unwrap_or(i128::MAX).saturating_mul(1_000));
    let spec = &service.spec;
    used.insert("services".to_owned(), count(1));
    let has_ports = matches!(spec.r#type.as_str(), "NodePort" | "LoadBalancer");
    used.insert("services.nodeports".to_owned(), count(if has_ports { spec.ports.len() } else { 0 }));
    used.insert("services.loadbalancers".to_owned(), count(usize::from(spec.r#type == "LoadBalancer")));
}

/// Returns the containers that specify no amount of a limited resource, by resource. Kubernetes: if a quota limits CPU
/// or memory, every container must specify an amount.
#[must_use]
pub fn unspecified<'a>(pod: &Pod, limited: impl Iterator<Item = &'a String>) -> BTreeMap<String, Vec<String>> {
    const DEMANDED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
    let demanded: Vec<&String> = limited.filter(|name| DEMANDED.contains(&name.as_str())).collect();
    let mut missing = BTreeMap::<String, Vec<String>>::new();
    for container in pod.spec.containers.iter().chain(&pod.spec.init_containers) {
        let requests: Amounts = amounts(&container.resources.requests).collect();
        let limits: Amounts = amounts(&container.resources.limits).collect();
        let mut given = Amounts::new();
        add_requirements(requests.iter(), limits.iter(), &mut given);
        for resource in demanded.iter().filter(|resource| !given.contains_key(resource.as_str())) {
            missing.entry((*resource).clone()).or_default().push(container.name.clone());
        }
    }
    for containers in missing.values_mut() {
        containers.sort();
        containers.dedup();
    }
    missing
}
