//! The changes that a pod's spec may have.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use squall_proto::core::v1::{Affinity, Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration};

use super::annotations::{APP_ARMOR, MIRROR};
use crate::field::{Errors, Path};

/// Validates a change of a pod. Its new spec was found valid.
pub fn validate_update(new: &Pod, old: &Pod, errors: &mut Errors) {
    validate_annotations(
        &new.metadata.annotations,
        &old.metadata.annotations,
        &Path::new("metadata").child("annotations"),
        errors,
    );
    let path = Path::new("spec");
    for (name, new, old) in [
        ("containers", &new.spec.containers, &old.spec.containers),
        ("initContainers", &new.spec.init_containers, &old.spec.init_containers),
    ] {
        if new.len() != old.len() {
            errors.forbidden(&path.child(name), "pod updates may not add or remove containers");
            return;
        }
    }
    if !validate_deadline(&new.spec, &old.spec, &path.child("activeDeadlineSeconds"), errors) {
        return;
    }
    validate_tolerations(&new.spec.tolerations, &old.spec.tolerations, &path.child("tolerations"), errors);
    validate_gates(&new.spec, &old.spec, &path.child("schedulingGates"), errors);
    let mut rest = new.spec.clone();
    take_back(&mut rest, &old.spec);
    if !old.spec.scheduling_gates.is_empty() {
        validate_gated(&mut rest, &old.spec, &path, errors);
    }
    if rest != old.spec {
        errors.forbidden(
            &path,
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        );
    }
}

fn validate_annotations(
    new: &BTreeMap<String, String>,
    old: &BTreeMap<String, String>,
    path: &Path,
    errors: &mut Errors,
) {
    for key in old.keys().filter(|key| new.get(*key) != old.get(*key)) {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(&path.key(key), "may not remove or update AppArmor annotations");
        }
        if key == MIRROR {
            errors.forbidden(&path.key(key), "may not remove or update mirror pod annotation");
        }
    }
    for key in new.keys().filter(|key| !old.contains_key(*key)) {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(&path.key(key), "may not add AppArmor annotations");
        }
        if key == MIRROR {
            errors.forbidden(&path.key(key), "may not add mirror pod annotation");
        }
    }
}

/// A deadline may be set, and come earlier. Reports whether the others are worth a look (Kubernetes' order).
fn validate_deadline(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut Errors) -> bool {
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(now), Some(before)) if now > before => {
            errors.invalid(path, &now, "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            errors.invalid(path, &Value::Null, "must not update from a positive integer to nil value");
            true
        }
        _ => true,
    }
}

/// Tolerations may be added, and be for another time.
fn validate_tolerations(new: &[Toleration], old: &[Toleration], path: &Path, errors: &mut Errors) {
    let timeless = |toleration: &Toleration| {
        (toleration.key.clone(), toleration.operator.clone(), toleration.value.clone(), toleration.effect.clone())
    };
    let kept: HashSet<_> = new.iter().map(timeless).collect();
    if !old.iter().all(|old| kept.contains(&timeless(old))) {
        errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// Gates may be opened.
fn validate_gates(new: &PodSpec, old: &PodSpec, path: &Path, errors: &mut Errors) {
    let known: HashSet<&String> = old.scheduling_gates.iter().map(|gate| &gate.name).collect();
    for (index, gate) in new.scheduling_gates.iter().enumerate().filter(|(_, gate)| !known.contains(&gate.name)) {
        let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
        errors.forbidden(&path.index(index).child("name"), &detail);
    }
}

/// Takes back what everybody may change, and the node, which a binding sets.
fn take_back(rest: &mut PodSpec, old: &PodSpec) {
    rest.active_deadline_seconds = old.active_deadline_seconds;
    rest.tolerations.clone_from(&old.tolerations);
    rest.scheduling_gates.clone_from(&old.scheduling_gates);
    rest.termination_grace_period_seconds = old.termination_grace_period_seconds;
    take_images_back(&mut rest.containers, &old.containers);
    take_images_back(&mut rest.init_containers, &old.init_containers);
    if old.node_name.is_empty() {
        rest.node_name.clear();
    }
}

fn take_images_back(containers: &mut [Container], old: &[Container]) {
    for (container, old) in containers.iter_mut().zip(old) {
        container.image.clone_from(&old.image);
    }
}

/// A pod that waits at a gate may be steered to fewer nodes.
fn validate_gated(rest: &mut PodSpec, old: &PodSpec, path: &Path, errors: &mut Errors) {
    if old.node_selector.iter().any(|(key, value)| rest.node_selector.get(key) != Some(value)) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.invalid(&path.child("nodeSelector"), &rest.node_selector, detail);
    }
    rest.node_selector.clone_from(&old.node_selector);
    let node = |spec: &PodSpec| spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let (now, before) = (node(rest), node(old));
    if now == before {
        return;
    }
    validate_node_affinity(now.as_ref(), before.as_ref(), &path.child("affinity").child("nodeAffinity"), errors);
    let mut affinity = rest.affinity.take().unwrap_or_default();
    affinity.node_affinity = before;
    rest.affinity = (affinity != Affinity::default() || old.affinity.is_some()).then_some(affinity);
}

fn validate_node_affinity(new: Option<&NodeAffinity>, old: Option<&NodeAffinity>, path: &Path, errors: &mut Errors) {
    fn terms(affinity: Option<&NodeAffinity>) -> &[NodeSelectorTerm] {
        let required = affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
        required.map_or(&[], |selector| &selector.node_selector_terms)
    }
    let path = path.child("requiredDuringSchedulingIgnoredDuringExecution").child("nodeSelectorTerms");
    let (new, old) = (terms(new), terms(old));
    if !old.is_empty() && old.len() != new.len() {
        errors.invalid(&path, &new, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
        return;
    }
    for (index, (new, old)) in new.iter().zip(old).enumerate() {
        if !only_adds(new, old) {
            errors.invalid(&path.index(index), new, "only additions are allowed (no mutations or deletions)");
        }
    }
}

fn only_adds(new: &NodeSelectorTerm, old: &NodeSelectorTerm) -> bool {
    let was_empty = old.match_expressions.is_empty() && old.match_fields.is_empty();
    let is_empty = new.match_expressions.is_empty() && new.match_fields.is_empty();
    (!was_empty || is_empty)
        && new.match_expressions.starts_with(&old.match_expressions)
        && new.match_fields.starts_with(&old.match_fields)
}
