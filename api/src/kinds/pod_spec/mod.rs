//! Defaults and validation of a pod's spec, whether in a pod or in the template of a workload.
//!
//! The rules, their order and their messages are Kubernetes' (1.36, `pkg/apis/core/validation`), slips of its field
//! names included. `tests/tests/interfaces/validation` has a table of cases, each with the answer of the real one.

mod affinity;
mod annotations;
mod claims;
mod containers;
mod defaults;
mod environment;
mod handlers;
mod mounts;
mod names;
mod network;
mod paths;
mod ports;
mod resources;
mod scheduling;
mod security;
mod spread;
mod template;
mod update;
mod volumes;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use squall_proto::core::v1::{Container, PodSpec, VolumeSource};
use squall_proto::meta::v1::ObjectMeta;

use crate::field::{Errors, Path};

pub use affinity::merge_label_keys;
pub use annotations::{APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD, validate_annotations};
pub use defaults::{set_pod_defaults, set_spec_defaults};
pub use ports::{validate_port, validate_port_number};
pub use resources::{COUNTED, resource_name, validate_amount};
pub use scheduling::{validate_taint_effect, validate_tolerations};
pub use template::validate_template;
pub use update::validate_update;

/// The parts of a spec that its containers refer to.
struct Context<'a> {
    /// The valid volumes, by name.
    volumes: BTreeMap<&'a str, &'a VolumeSource>,
    /// The names of the resource claims.
    claims: BTreeSet<&'a str>,
    /// The grace period of the pod.
    grace: Option<i64>,
    /// The restart policy of the pod.
    restart_policy: &'a str,
    /// Whether the pod has the users of its node.
    host_users: bool,
}

/// Validates a spec. `pod` is the metadata of its pod, unless it belongs to a template.
pub fn validate_spec(spec: &PodSpec, pod: Option<&ObjectMeta>, path: &Path, errors: &mut Errors) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let context = Context {
        volumes: volumes::validate(&spec.volumes, pod, &path.child("volumes"), errors),
        claims: claims::names(&spec.resource_claims),
        grace: spec.termination_grace_period_seconds,
        restart_policy: &spec.restart_policy,
        host_users: spec.host_users.unwrap_or(true),
    };
    claims::validate(&spec.resource_claims, &path.child("resourceClaims"), errors);
    containers::validate(spec, &context, path, errors);
    resources::validate_pod(spec, &context.claims, path, errors);
    ports::validate_host_network(spec, pod.is_some(), path, errors);
    errors.required_one_of(&path.child("restartPolicy"), &spec.restart_policy, &["Always", "OnFailure", "Never"]);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.required_one_of(&path.child("dnsPolicy"), &spec.dns_policy, &dns);
    crate::labels::validate(&spec.node_selector, &path.child("nodeSelector"), errors);
    security::validate_pod(spec, &path.child("securityContext"), errors);
    if let Some(affinity) = &spec.affinity {
        affinity::validate(affinity, &path.child("affinity"), errors);
    }
    network::validate_dns(spec, &path.child("dnsConfig"), errors);
    scheduling::validate_gates(spec, path, errors);
    spread::validate(&spec.topology_spread_constraints, &path.child("topologySpreadConstraints"), errors);
    windows::validate_host_process(spec, path, errors);
    security::validate_host_users(spec, path, errors);
    network::validate_hostname_override(spec, path, errors);
    names::validate(spec, path, errors);
    windows::validate_os(spec, path, errors);
    environment::validate_file_volumes(spec, path, errors);
}

/// Validates the spec of a pod: what holds in a template, and what does not need to.
pub fn validate_pod(spec: &PodSpec, metadata: &ObjectMeta, path: &Path, errors: &mut Errors) {
    validate_spec(spec, Some(metadata), path, errors);
    volumes::validate_tokens(spec, path, errors);
    containers::validate_images(spec, path, errors);
    if !spec.ephemeral_containers.is_empty() {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if !spec.node_name.is_empty() && !spec.scheduling_gates.is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden(&path.child("nodeName"), detail);
    }
    security::validate_annotated(&metadata.annotations, spec, path, errors);
}

/// Returns every container but the ephemeral ones, with its path, in Kubernetes' order.
pub fn containers_of<'a>(spec: &'a PodSpec, path: &'a Path) -> impl Iterator<Item = (&'a Container, Path)> {
    let list = |name: &'static str, containers: &'a [Container]| {
        containers.iter().enumerate().map(move |(index, container)| (container, path.child(name).index(index)))
    };
    list("initContainers", &spec.init_containers).chain(list("containers", &spec.containers))
}
