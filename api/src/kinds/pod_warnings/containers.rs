//! Warnings about the containers of a pod: their annotations, resources and variables.

use std::collections::{BTreeMap, HashSet};

use squall_proto::core::v1::{AppArmorProfile, Container, EnvVar, PodSpec};

use super::{SECCOMP, WHOLE, warn_of_fraction};
use crate::field::Path;
use crate::kinds::pod_spec::{APP_ARMOR, SECCOMP_CONTAINER, containers_of};
use crate::warnings::Warnings;

pub(super) fn warn(annotations: &BTreeMap<String, String>, spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    let (spec_path, notes) = (path.child("spec"), path.child("metadata").child("annotations"));
    for (container, path) in containers_of(spec, &spec_path) {
        let key = format!("{SECCOMP_CONTAINER}{}", container.name);
        let context = container.security_context.as_ref();
        if annotations.contains_key(&key) && context.is_none_or(|context| context.seccomp_profile.is_none()) {
            warnings.at(&notes.key(&key), SECCOMP);
        }
        let key = format!("{APP_ARMOR}{}", container.name);
        if let Some(text) = annotations.get(&key)
            && context.is_none_or(|context| context.app_armor_profile.is_none())
            && !is_of_pod(text, spec)
        {
            warnings.at(&notes.key(&key), "deprecated since v1.30; use the \"appArmorProfile\" field instead");
        }
        warn_of_fractions(container, &path.child("resources"), warnings);
        warn_of_variables(&container.env, &path.child("env"), warnings);
    }
}

/// Whether an annotation asks for the profile that the whole pod has.
fn is_of_pod(annotation: &str, spec: &PodSpec) -> bool {
    let profile = spec.security_context.as_ref().and_then(|context| context.app_armor_profile.as_ref());
    let asked = match annotation {
        "unconfined" => ("Unconfined", None),
        "runtime/default" => ("RuntimeDefault", None),
        other => match other.strip_prefix("localhost/") {
            Some(file) => ("Localhost", Some(file)),
            None => return false,
        },
    };
    let of = |profile: &AppArmorProfile| (profile.r#type.as_str(), profile.localhost_profile.as_deref()) == asked;
    profile.is_some_and(of)
}

fn warn_of_fractions(container: &Container, path: &Path, warnings: &mut Warnings) {
    let resources = &container.resources;
    for resource in WHOLE {
        warn_of_fraction(resources.limits.get(resource), &path.child("limits").key(resource), warnings);
        warn_of_fraction(resources.requests.get(resource), &path.child("requests").key(resource), warnings);
    }
}

/// Warns about variables that are set again without their earlier value.
fn warn_of_variables(variables: &[EnvVar], path: &Path, warnings: &mut Warnings) {
    let mut seen = HashSet::new();
    for (index, variable) in variables.iter().enumerate() {
        let earlier = format!("$({})", variable.name);
        let extends = variable.value_from.is_none() && variable.value != earlier && variable.value.contains(&earlier);
        if !seen.insert(&variable.name) && !extends {
            let text =
                format!("hides previous definition of {:?}, which may be dropped when using apply", variable.name);
            warnings.at(&path.index(index), &text);
        }
    }
}
