//! Resources of containers and of whole pods.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use squall_proto::core::v1::{Container, PodSpec, ResourceClaim, ResourceRequirements};
use squall_proto::resource::Quantity;

use crate::field::{Errors, Path};
use crate::names;
use crate::quantity::{self, Milli};

type Amounts = BTreeMap<String, Quantity>;
/// A rule for names of resources.
type NameRule = fn(&str, &Path, &mut Errors);

const HUGE_PAGES: &str = "hugepages-";
/// Unprefixed names that exist, whether or not a container may ask for them.
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];
/// Resources that are numbers of objects; the others are amounts.
pub const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Validates the resources of a container.
pub(super) fn validate(resources: &ResourceRequirements, claims: &BTreeSet<&str>, path: &Path, errors: &mut Errors) {
    validate_amounts(&resources.limits, &resources.requests, container_name, path, errors);
    validate_claims(&resources.claims, claims, &path.child("claims"), errors);
}

/// Validates the resources that a pod's sandbox takes.
pub(super) fn validate_overhead(overhead: &Amounts, path: &Path, errors: &mut Errors) {
    validate_amounts(overhead, &Amounts::new(), container_name, path, errors);
}

/// Validates the resources of a pod as a whole.
pub(super) fn validate_pod(spec: &PodSpec, claims: &BTreeSet<&str>, path: &Path, errors: &mut Errors) {
    let Some(resources) = &spec.resources else { return };
    let path = path.child("resources");
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        errors.forbidden(&path, "may not be set for a windows pod");
        return;
    }
    if !resources.claims.is_empty() {
        errors.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    validate_amounts(&resources.limits, &resources.requests, pod_name, &path, errors);
    validate_claims(&resources.claims, claims, &path.child("claims"), errors);
    validate_sums(spec, resources, &path, errors);
}

fn validate_amounts(limits: &Amounts, requests: &Amounts, name: NameRule, path: &Path, errors: &mut Errors) {
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    for (resource, amount) in limits {
        let path = limits_path.key(resource);
        name(resource, &path, errors);
        validate_amount(resource, amount, &path, errors);
    }
    for (resource, amount) in requests {
        let path = requests_path.key(resource);
        name(resource, &path, errors);
        validate_amount(resource, amount, &path, errors);
        match limits.get(resource) {
            Some(limit) => {
                compare(resource, amount, limit, &requests_path, errors);
            }
            None if !may_overcommit(resource) => {
                errors.required(&limits_path, "Limit must be set for non overcommitable resources");
            }
            None => {}
        }
    }
    let resources: HashSet<&str> = limits.keys().chain(requests.keys()).map(String::as_str).collect();
    let has_huge_pages = resources.iter().any(|resource| resource.starts_with(HUGE_PAGES));
    if has_huge_pages && !resources.contains("cpu") && !resources.contains("memory") {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

/// Validates an amount: not negative, whole if the resource is counted, and whole pages.
pub fn validate_amount(resource: &str, amount: &Quantity, path: &Path, errors: &mut Errors) {
    errors.quantity(path, amount);
    let Some(Milli(value)) = quantity::parse(amount) else { return };
    let is_whole = value.checked_rem(1_000) == Some(0);
    if !is_whole && (COUNTED.contains(&resource) || is_extended(resource)) {
        errors.invalid(path, &amount.string, "must be an integer");
    }
    if let Some(size) = resource.strip_prefix(HUGE_PAGES)
        && !is_multiple(value, size)
    {
        let detail = format!("{} is not positive integer multiple of {resource}", amount.string);
        errors.invalid(path, &amount.string, &detail);
    }
}

/// Whether an amount consists of whole pages.
fn is_multiple(amount: i128, size: &str) -> bool {
    let size = quantity::parse(&Quantity { string: size.to_owned() }).map_or(0, |Milli(size)| size);
    size > 0 && size.checked_rem(1_000) == Some(0) && amount.checked_rem(size) == Some(0)
}

fn compare(resource: &str, request: &Quantity, limit: &Quantity, path: &Path, errors: &mut Errors) {
    let (Some(Milli(asked)), Some(Milli(most))) = (quantity::parse(request), quantity::parse(limit)) else { return };
    let relation = match asked.cmp(&most) {
        std::cmp::Ordering::Equal => return,
        _ if !may_overcommit(resource) => "equal to",
        std::cmp::Ordering::Greater => "less than or equal to",
        std::cmp::Ordering::Less => return,
    };
    let detail = format!("must be {relation} {resource} limit of {}", limit.string);
    errors.invalid(path, &request.string, &detail);
}

/// Kubernetes: names without a prefix, and those of `kubernetes.io/`, are its own.
fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && names::qualified_name(&format!("requests.{resource}")).is_empty()
}

fn may_overcommit(resource: &str) -> bool {
    is_native(resource) && !resource.starts_with(HUGE_PAGES)
}

/// Checks that a resource exists. Reports whether it does.
pub fn resource_name(resource: &str, path: &Path, errors: &mut Errors) -> bool {
    let problems = names::qualified_name(resource);
    let is_known = resource.contains('/')
        || STANDARD.contains(&resource)
        || [HUGE_PAGES, "requests.hugepages-"].iter().any(|prefix| resource.starts_with(prefix));
    if problems.is_empty() && !is_known {
        errors.invalid(path, &resource, "must be a standard resource type or fully qualified");
        return false;
    }
    for problem in &problems {
        errors.invalid(path, &resource, problem);
    }
    problems.is_empty()
}

fn container_name(resource: &str, path: &Path, errors: &mut Errors) {
    resource_name(resource, path, errors);
    let is_standard = ["cpu", "memory", "ephemeral-storage"].contains(&resource) || resource.starts_with(HUGE_PAGES);
    if !resource.contains('/') && !is_standard {
        errors.invalid(path, &resource, "must be a standard resource for containers");
    } else if !is_native(resource) && !is_extended(resource) {
        errors.invalid(path, &resource, "doesn't follow extended resource name standard");
    }
}

fn pod_name(resource: &str, path: &Path, errors: &mut Errors) {
    if resource_name(resource, path, errors) && !is_of_pods(resource) {
        errors.not_supported(path, &resource, &["cpu", HUGE_PAGES, "memory"]);
    }
}

fn validate_claims(claims: &[ResourceClaim], known: &BTreeSet<&str>, path: &Path, errors: &mut Errors) {
    // Whole claims, claims of which a part was named, and the parts.
    let (mut whole, mut partly, mut parts) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let name = claim.name.as_str();
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if whole.contains(name) {
            errors.duplicate(&path, &name);
        } else if claim.request.is_empty() {
            if partly.contains(name) {
                errors.duplicate(&path, &name);
            }
            whole.insert(name);
        } else {
            errors.named(&path.child("request"), &claim.request, names::dns1123_label);
            if !parts.insert((name, claim.request.as_str())) {
                errors.duplicate(&path, &format!("{name}/{}", claim.request));
            }
            partly.insert(name);
        }
        if !known.contains(name) {
            let names = known.iter().copied().collect::<Vec<_>>().join(", ");
            let list = if known.is_empty() { " which is empty".to_owned() } else { format!(": {names}") };
            errors.not_found_because(
                &path,
                name,
                &format!("must be one of the names in pod.spec.resourceClaims{list}"),
            );
        }
    }
}

/// The pod as a whole asks for no less than its containers together, and allows no less than any of them.
fn validate_sums(spec: &PodSpec, resources: &ResourceRequirements, path: &Path, errors: &mut Errors) {
    for (resource, amount) in &resources.requests {
        let sum = requested(spec, resource);
        if quantity::parse(amount).is_some_and(|amount| amount < sum) {
            let detail =
                format!("must be greater than or equal to aggregate container requests of {}", text(resource, sum));
            errors.invalid(&path.child("requests").key(resource), &amount.string, &detail);
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        for (resource, amount) in &container.resources.limits {
            let Some(most) = resources.limits.get(resource) else { continue };
            if quantity::parse(amount) > quantity::parse(most) {
                let path = path.child("containers").index(index).key(resource).child("limits");
                let detail = format!("must be less than or equal to pod limits of {}", most.string);
                errors.invalid(&path, &amount.string, &detail);
            }
        }
    }
}

/// The requests of all containers.
fn requested(spec: &PodSpec, resource: &str) -> Milli {
    together(spec, |resources| resources.requests.get(resource))
}

/// The amount of all containers: of those that run together, or of the largest init container with the sidecars before
/// it.
fn together<'a>(spec: &'a PodSpec, of: impl Fn(&'a ResourceRequirements) -> Option<&'a Quantity>) -> Milli {
    let amount = |container: &'a Container| of(&container.resources).and_then(quantity::parse).unwrap_or(Milli(0));
    let mut together = spec.containers.iter().fold(Milli(0), |sum, each| sum.plus(amount(each)));
    let (mut sidecars, mut most) = (Milli(0), Milli(0));
    for container in &spec.init_containers {
        let amount = amount(container);
        if container.restart_policy.as_deref() == Some("Always") {
            together = together.plus(amount);
            sidecars = sidecars.plus(amount);
            most = most.max(sidecars);
        } else {
            most = most.max(sidecars.plus(amount));
        }
    }
    together.max(most)
}

fn text(resource: &str, amount: Milli) -> String {
    if resource == "cpu" { quantity::decimal(amount) } else { quantity::binary(amount) }
}

/// Fills in the resources of a pod as a whole, if some of them are given: huge pages allowed to its containers, and
/// requests as of its containers, or else as the limits.
pub(super) fn set_pod_defaults(spec: &mut PodSpec) {
    let Some(mut resources) = spec.resources.take() else { return };
    if !resources.limits.is_empty() || !resources.requests.is_empty() {
        for name in names_of(spec, |each| &each.limits).into_iter().filter(|name| name.starts_with(HUGE_PAGES)) {
            if !resources.requests.contains_key(&name) && !resources.limits.contains_key(&name) {
                let sum = together(spec, |each| each.limits.get(&name));
                resources.limits.insert(name.clone(), Quantity { string: text(&name, sum) });
            }
        }
    }
    if !resources.limits.is_empty() {
        for name in names_of(spec, |each| &each.requests).into_iter().filter(|name| is_of_pods(name)) {
            if may_overcommit(&name) && !resources.requests.contains_key(&name) {
                let sum = requested(spec, &name);
                resources.requests.insert(name.clone(), Quantity { string: text(&name, sum) });
            }
        }
        for (name, amount) in resources.limits.iter().filter(|(name, _)| is_of_pods(name)) {
            resources.requests.entry(name.clone()).or_insert_with(|| amount.clone());
        }
    }
    spec.resources = Some(resources);
}

/// Whether a pod as a whole may ask for a resource.
fn is_of_pods(resource: &str) -> bool {
    ["cpu", "memory"].contains(&resource) || resource.starts_with(HUGE_PAGES)
}

fn names_of(spec: &PodSpec, amounts: impl Fn(&ResourceRequirements) -> &Amounts) -> BTreeSet<String> {
    let containers = spec.init_containers.iter().chain(&spec.containers);
    containers.flat_map(|container| amounts(&container.resources).keys().cloned()).collect()
}
