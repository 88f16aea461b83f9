//! Names in a spec, and its other small fields.

use squall_proto::core::v1::PodSpec;

use super::{network, resources, scheduling};
use crate::field::{Errors, Path};
use crate::names::{Rule, dns1123_label, dns1123_subdomain};

pub(super) fn validate(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    named("serviceAccountName", &spec.service_account_name, dns1123_subdomain, path, errors);
    named("nodeName", &spec.node_name, dns1123_subdomain, path, errors);
    if let Some(seconds) = spec.active_deadline_seconds {
        errors.in_range(&path.child("activeDeadlineSeconds"), seconds, 1..=i32::MAX.into());
    }
    named("hostname", &spec.hostname, dns1123_label, path, errors);
    named("subdomain", &spec.subdomain, dns1123_label, path, errors);
    scheduling::validate_tolerations(&spec.tolerations, &path.child("tolerations"), errors);
    network::validate_host_aliases(&spec.host_aliases, &path.child("hostAliases"), errors);
    named("priorityClassName", &spec.priority_class_name, dns1123_subdomain, path, errors);
    if let Some(name) = &spec.runtime_class_name {
        errors.named(&path.child("runtimeClassName"), name, dns1123_subdomain);
    }
    if let Some(policy) = &spec.preemption_policy {
        errors.required_one_of(&path.child("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
    }
    resources::validate_overhead(&spec.overhead, &path.child("overhead"), errors);
}

/// Checks a name that may be absent.
fn named(field: &str, name: &str, rule: Rule, path: &Path, errors: &mut Errors) {
    if !name.is_empty() {
        errors.named(&path.child(field), name, rule);
    }
}
