//! Gates, tolerations and groups: when a pod may be scheduled and where it may stay.

use std::collections::HashSet;

use squall_proto::core::v1::{PodSpec, Toleration};

use crate::field::{Errors, Path};
use crate::names;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn validate_gates(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    for (index, gate) in spec.readiness_gates.iter().enumerate() {
        let path = path.child("readinessGates").index(index).child("conditionType");
        errors.named(&path, &gate.condition_type, names::qualified_name);
    }
    let mut seen = HashSet::new();
    for (index, gate) in spec.scheduling_gates.iter().enumerate() {
        let path = path.child("schedulingGates").index(index);
        errors.named(&path, &gate.name, names::qualified_name);
        if !seen.insert(&gate.name) {
            errors.duplicate(&path, &gate.name);
        }
    }
}

/// Validates the effect of a taint.
pub fn validate_taint_effect(effect: &str, path: &Path, errors: &mut Errors) {
    if !EFFECTS.contains(&effect) {
        errors.not_supported(path, &effect, &EFFECTS);
    }
}

/// Validates tolerations.
pub fn validate_tolerations(tolerations: &[Toleration], path: &Path, errors: &mut Errors) {
    for (index, toleration) in tolerations.iter().enumerate() {
        validate_toleration(toleration, &path.index(index), errors);
    }
}

fn validate_toleration(toleration: &Toleration, path: &Path, errors: &mut Errors) {
    let operator = path.child("operator");
    if !toleration.key.is_empty() {
        errors.named(&path.child("key"), &toleration.key, names::qualified_name);
    } else if toleration.operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.invalid(&operator, &toleration.operator, detail);
    }
    if toleration.toleration_seconds.is_some() && toleration.effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.invalid(&path.child("effect"), &toleration.effect, detail);
    }
    match toleration.operator.as_str() {
        "Equal" | "" => {
            let problems = names::label_value(&toleration.value);
            if !problems.is_empty() {
                errors.invalid(&operator, &toleration.value, &problems.join(";"));
            }
        }
        "Exists" if !toleration.value.is_empty() => {
            errors.invalid(&operator, &toleration.value, "value must be empty when `operator` is 'Exists'");
        }
        "Exists" => {}
        // Kubernetes knows these two, and does not allow them yet.
        "Lt" | "Gt" => {
            errors.not_supported(&operator, &toleration.operator, &["Equal", "Exists", "Lt", "Gt"]);
        }
        _ => errors.not_supported(&operator, &toleration.operator, &["Equal", "Exists"]),
    }
    if !toleration.effect.is_empty() {
        validate_taint_effect(&toleration.effect, &path.child("effect"), errors);
    }
}
