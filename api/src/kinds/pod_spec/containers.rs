//! The containers of a pod.

use std::collections::HashSet;

use squall_proto::core::v1::{Container, ContainerResizePolicy, ContainerRestartRule, PodSpec};

use super::{Context, environment, handlers, mounts, ports, resources, security};
use crate::field::{Errors, Path};
use crate::names;

const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];
/// Most restart rules of a container, and most exit codes of a rule.
const MAX_RULES: usize = 20;
const MAX_EXIT_CODES: usize = 255;

pub(super) fn validate(spec: &PodSpec, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    validate_regular(&spec.containers, context, &path.child("containers"), errors);
    validate_init(spec, context, &path.child("initContainers"), errors);
}

/// Kubernetes: images of pods have no white space around them. Those of templates may.
pub(super) fn validate_images(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    for (list, containers) in [("containers", &spec.containers), ("initContainers", &spec.init_containers)] {
        for (index, container) in containers.iter().enumerate() {
            if container.image.trim() != container.image {
                let path = path.child(list).index(index).child("image");
                errors.invalid(&path, &container.image, "must not have leading or trailing whitespace");
            }
        }
    }
}

fn validate_regular(containers: &[Container], context: &Context<'_>, path: &Path, errors: &mut Errors) {
    if containers.is_empty() {
        errors.required(path, "");
        return;
    }
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        validate_common(container, context, &path, errors);
        if !seen.insert(&container.name) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        handlers::validate(container, context, &path, errors);
        validate_restart(container, &path, errors);
    }
    ports::validate_host_ports(containers, path, errors);
}

fn validate_init(spec: &PodSpec, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    let mut seen: HashSet<&String> = spec.containers.iter().map(|container| &container.name).collect();
    for (index, container) in spec.init_containers.iter().enumerate() {
        let list = path;
        let path = path.index(index);
        validate_common(container, context, &path, errors);
        validate_restart(container, &path, errors);
        if !container.name.is_empty() && !seen.insert(&container.name) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        // They run one after the other, so that each may have the same port.
        ports::validate_host_ports(std::slice::from_ref(container), list, errors);
        if container.restart_policy.as_deref() == Some("Always") {
            handlers::validate(container, context, &path, errors);
            continue;
        }
        handlers::forbid(container, &path, errors);
        for (index, policy) in container.resize_policy.iter().enumerate() {
            if policy.restart_policy == "RestartContainer" {
                let path = path.child("resizePolicy").index(index).child("restartPolicy");
                let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
                errors.invalid(&path, &policy.restart_policy, detail);
            }
        }
    }
}

fn validate_common(container: &Container, context: &Context<'_>, path: &Path, errors: &mut Errors) {
    if container.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        errors.named(&path.child("name"), &container.name, names::dns1123_label);
    }
    if container.image.is_empty() {
        errors.required(&path.child("image"), "");
    }
    let message = path.child("terminationMessagePolicy");
    errors.required_one_of(&message, &container.termination_message_policy, &["File", "FallbackToLogsOnError"]);
    ports::validate(&container.ports, &path.child("ports"), errors);
    environment::validate(container, path, errors);
    mounts::validate(container, &context.volumes, path, errors);
    let pull = path.child("imagePullPolicy");
    errors.required_one_of(&pull, &container.image_pull_policy, &["Always", "IfNotPresent", "Never"]);
    resources::validate(&container.resources, &context.claims, &path.child("resources"), errors);
    validate_resize(&container.resize_policy, context, &path.child("resizePolicy"), errors);
    if let Some(security) = &container.security_context {
        security::validate(security, context.host_users, &path.child("securityContext"), errors);
    }
}

fn validate_resize(policies: &[ContainerResizePolicy], context: &Context<'_>, path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, policy) in policies.iter().enumerate() {
        if !seen.insert(&policy.resource_name) {
            errors.duplicate(&path.index(index), &policy.resource_name);
        }
        errors.required_one_of(path, &policy.resource_name, &["cpu", "memory"]);
        errors.required_one_of(path, &policy.restart_policy, &["NotRequired", "RestartContainer"]);
        if context.restart_policy == "Never" && policy.restart_policy != "NotRequired" {
            let detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.invalid(path, &policy.restart_policy, detail);
        }
    }
}

fn validate_restart(container: &Container, path: &Path, errors: &mut Errors) {
    let rules = &container.restart_policy_rules;
    match container.restart_policy.as_deref() {
        None if rules.is_empty() => return,
        None => {
            let detail = "must specify restartPolicy when restart rules are used";
            errors.required(&path.child("restartPolicy"), detail);
        }
        Some(policy) if RESTART_POLICIES.contains(&policy) => {}
        Some(policy) => errors.not_supported(&path.child("restartPolicy"), &policy, &RESTART_POLICIES),
    }
    let path = path.child("restartPolicyRules");
    if rules.len() > MAX_RULES {
        errors.too_many(&path, rules.len(), MAX_RULES);
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, &path.index(index), errors);
    }
}

fn validate_rule(rule: &ContainerRestartRule, path: &Path, errors: &mut Errors) {
    errors.one_of(&path.child("action"), &rule.action, &["Restart", "RestartAllContainers"]);
    let path = path.child("exitCodes");
    let Some(codes) = &rule.exit_codes else {
        errors.required(&path, "must be specified");
        return;
    };
    errors.one_of(&path.child("operator"), &codes.operator, &["In", "NotIn"]);
    if codes.values.len() > MAX_EXIT_CODES {
        errors.too_many(&path.child("values"), codes.values.len(), MAX_EXIT_CODES);
    }
}
