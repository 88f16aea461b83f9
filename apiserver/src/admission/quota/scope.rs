//! Scopes: which pods a quota covers.

use squall_api::Object;
use squall_api::core::v1::{Affinity, Pod, ResourceQuota, ScopedResourceSelectorRequirement};

/// Whether the quota covers the object. Scopes match only pods, and all of them must match.
#[must_use]
pub fn is_about(quota: &ResourceQuota, object: &Object) -> bool {
    let expressions = quota.spec.scope_selector.iter().flat_map(|selector| &selector.match_expressions);
    let mut requirements = quota.spec.scopes.iter().map(|scope| exists(scope)).chain(expressions.cloned()).peekable();
    match (requirements.peek(), object) {
        (None, _) => true,
        (Some(_), Object::Pod(pod)) => requirements.all(|requirement| holds(&requirement, pod)),
        (Some(_), _) => false,
    }
}

fn exists(scope: &str) -> ScopedResourceSelectorRequirement {
    ScopedResourceSelectorRequirement {
        scope_name: scope.to_owned(),
        operator: "Exists".to_owned(),
        ..ScopedResourceSelectorRequirement::default()
    }
}

fn holds(requirement: &ScopedResourceSelectorRequirement, pod: &Pod) -> bool {
    match requirement.scope_name.as_str() {
        "Terminating" => ends(pod),
        "NotTerminating" => !ends(pod),
        "BestEffort" => pod.status.qos_class == "BestEffort",
        "NotBestEffort" => pod.status.qos_class != "BestEffort",
        "CrossNamespacePodAffinity" => pod.spec.affinity.as_ref().is_some_and(looks_elsewhere),
        "PriorityClass" => has_class(requirement, &pod.spec.priority_class_name),
        _ => false,
    }
}

/// Kubernetes: a pod is `Terminating` if it has an active deadline.
fn ends(pod: &Pod) -> bool {
    pod.spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0)
}

fn has_class(requirement: &ScopedResourceSelectorRequirement, class: &str) -> bool {
    let is_listed = requirement.values.iter().any(|value| value == class);
    match requirement.operator.as_str() {
        "In" => !class.is_empty() && is_listed,
        "NotIn" => !is_listed,
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        _ => false,
    }
}

fn looks_elsewhere(affinity: &Affinity) -> bool {
    let (near, far) = (affinity.pod_affinity.iter(), affinity.pod_anti_affinity.iter());
    let required = near
        .clone()
        .flat_map(|near| &near.required_during_scheduling_ignored_during_execution)
        .chain(far.clone().flat_map(|far| &far.required_during_scheduling_ignored_during_execution));
    let preferred = near
        .flat_map(|near| &near.preferred_during_scheduling_ignored_during_execution)
        .chain(far.flat_map(|far| &far.preferred_during_scheduling_ignored_during_execution))
        .map(|preferred| &preferred.pod_affinity_term);
    required.chain(preferred).any(|term| !term.namespaces.is_empty() || term.namespace_selector.is_some())
}
