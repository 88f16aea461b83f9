//! The annotations that say something about a pod.

use std::collections::{BTreeMap, HashSet};

use squall_proto::core::v1::PodSpec;

use super::{containers_of, paths};
use crate::field::{Errors, Path};

pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// The annotation that asked for a seccomp profile of a pod, before there was a field.
pub const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The beginning of the same for a container, whose name follows.
pub const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// The beginning of the annotation that asked for an AppArmor profile of a container, whose name follows.
pub const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Validates the annotations of a pod or a template.
pub fn validate_annotations(annotations: &BTreeMap<String, String>, spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if let Some(value) = annotations.get(MIRROR)
        && spec.node_name.is_empty()
    {
        errors.invalid(&path.key(MIRROR), value, "must set spec.nodeName if mirror pod annotation is set");
    }
    if let Some(cost) = annotations.get(DELETION_COST)
        && !is_cost(cost)
    {
        errors.invalid(&path.key(DELETION_COST), cost, "must be a 32bit integer");
    }
    if let Some(profile) = annotations.get(SECCOMP_POD) {
        validate_seccomp(profile, &path.child(SECCOMP_POD), errors);
    }
    let containers: HashSet<&str> = containers_of(spec, path).map(|(container, _)| container.name.as_str()).collect();
    for (key, value) in annotations {
        if key.starts_with(SECCOMP_CONTAINER) {
            validate_seccomp(value, &path.child(key), errors);
        }
        if let Some(container) = key.strip_prefix(APP_ARMOR) {
            let path = path.key(key);
            if !containers.contains(container) {
                errors.invalid(&path, &container, "container not found");
            }
            validate_app_armor(value, &path, errors);
        }
    }
}

/// Kubernetes: no plus sign and no leading zeros.
fn is_cost(text: &str) -> bool {
    let begins_well = text == "0" || text.starts_with(|first: char| first == '-' || ('1'..='9').contains(&first));
    begins_well && text.parse::<i32>().is_ok()
}

fn validate_seccomp(profile: &str, path: &Path, errors: &mut Errors) {
    match profile.strip_prefix("localhost/") {
        Some(file) => paths::descending(file, path, errors),
        None if ["runtime/default", "docker/default", "unconfined"].contains(&profile) => {}
        None => errors.invalid(path, &profile, "must be a valid seccomp profile"),
    }
}

fn validate_app_armor(profile: &str, path: &Path, errors: &mut Errors) {
    let is_known = ["", "runtime/default", "unconfined"].contains(&profile) || profile.starts_with("localhost/");
    if !is_known {
        errors.invalid(path, &profile, &format!("invalid AppArmor profile name: {profile:?}"));
    }
}
