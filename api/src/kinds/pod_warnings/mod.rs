//! Warnings about pods and templates that are valid, but hardly as they were meant (Kubernetes: `pkg/api/pod/warnings.go`).

mod containers;
mod ports;
mod scheduling;
mod volumes;

use std::collections::{BTreeMap, HashSet};

use squall_proto::core::v1::{PodSpec, PodTemplateSpec};
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::resource::Quantity;

use crate::field::Path;
use crate::kinds::pod_spec::SECCOMP_POD;
use crate::names;
use crate::quantity;
use crate::warnings::Warnings;

/// Annotations that have no function any more, and the reasons.
const WITHOUT_FUNCTION: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
];
/// The resources of which there are no fractions.
const WHOLE: [&str; 2] = ["memory", "ephemeral-storage"];

/// Warns about a pod, or about the template at a path.
pub fn warn(annotations: &BTreeMap<String, String>, spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    let spec_path = path.child("spec");
    let notes = path.child("metadata").child("annotations");
    scheduling::warn_of_nodes(spec, &spec_path, warnings);
    for (key, reason) in WITHOUT_FUNCTION.iter().filter(|(key, _)| annotations.contains_key(*key)) {
        warnings.at(&notes.key(key), reason);
    }
    volumes::warn(&spec.volumes, &spec_path.child("volumes"), warnings);
    warn_of_doubles(spec, &spec_path, warnings);
    for resource in WHOLE {
        warn_of_fraction(spec.overhead.get(resource), &spec_path.child("overhead").key(resource), warnings);
    }
    let has_profile = spec.security_context.as_ref().is_some_and(|context| context.seccomp_profile.is_some());
    if annotations.contains_key(SECCOMP_POD) && !has_profile {
        warnings.at(&notes.key(SECCOMP_POD), SECCOMP);
    }
    containers::warn(annotations, spec, path, warnings);
    ports::warn(spec, &spec_path, warnings);
    if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        let text = "must be >= 0; negative values are invalid and will be treated as 1";
        warnings.at(&spec_path.child("terminationGracePeriodSeconds"), text);
    }
    scheduling::warn_of_pods(spec, &spec_path, warnings);
    for (index, server) in spec.dns_config.iter().flat_map(|config| &config.nameservers).enumerate() {
        warnings.of_address(&spec_path.child("dnsConfig").child("nameservers").index(index), server);
    }
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        warnings.of_address(&spec_path.child("hostAliases").index(index).child("ip"), &alias.ip);
    }
}

/// Warns about a new workload, whose name becomes part of its pods', or about one whose specification changes.
pub fn warn_of_workload(
    new: &ObjectMeta,
    template: Option<&PodTemplateSpec>,
    old: Option<&ObjectMeta>,
    warnings: &mut Warnings,
) {
    if old.is_none() {
        warn_of_name(&new.name, "Pod names and hostnames", warnings);
    }
    if let Some(template) = template.filter(|_| old.is_none_or(|old| old.generation != new.generation)) {
        let path = Path::new("spec").child("template");
        warn(&template.metadata.annotations, &template.spec, &path, warnings);
    }
}

/// Warns about a name that is no label of DNS.
pub fn warn_of_name(name: &str, place: &str, warnings: &mut Warnings) {
    let problems = names::dns1123_label(name);
    if !problems.is_empty() {
        let text = format!(
            "this is used in {place}, which can result in surprising behavior; a DNS label is recommended: [{}]",
            problems.join(" ")
        );
        warnings.at(&Path::new("metadata").child("name"), &text);
    }
}

const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";

fn warn_of_doubles(spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    let mut seen = HashSet::new();
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        if !seen.insert(&alias.ip) {
            let path = path.child("hostAliases").index(index).child("ip");
            warnings.at(&path, &format!("duplicate ip {:?}", alias.ip));
        }
    }
    let secrets = path.child("imagePullSecrets");
    let mut seen = HashSet::new();
    for (index, secret) in spec.image_pull_secrets.iter().enumerate() {
        if !seen.insert(&secret.name) {
            warnings.at(&secrets.index(index).child("name"), &format!("duplicate name {:?}", secret.name));
        }
    }
    for (index, _) in spec.image_pull_secrets.iter().enumerate().filter(|(_, secret)| secret.name.is_empty()) {
        warnings.at(&secrets.index(index).child("name"), "invalid empty name \"\"");
    }
}

fn warn_of_fraction(amount: Option<&Quantity>, path: &Path, warnings: &mut Warnings) {
    if let Some(amount) = amount
        && quantity::parse(amount).is_some_and(|amount| amount.0 % 1_000 != 0)
    {
        warnings.at(path, &format!("fractional byte value {:?} is invalid, must be an integer", amount.string));
    }
}
