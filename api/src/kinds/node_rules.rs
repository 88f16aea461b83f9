//! Validation of nodes.

use std::collections::HashSet;

use serde::Serialize;
use squall_proto::core::v1::{Node, NodeSpec, Taint};
use squall_proto::meta::v1::Time;

use super::pod_spec::{validate_amount, validate_taint_effect};
use crate::addresses::validate_range;
use crate::field::{Errors, Path};
use crate::names;

/// Validates a node.
pub(super) fn validate(node: &Node, errors: &mut Errors) {
    // Kubernetes names the metadata, where taints once were.
    validate_taints(&node.spec.taints, &Path::new("metadata").child("taints"), errors);
    let status = Path::new("status");
    for (name, amounts) in [("capacity", &node.status.capacity), ("allocatable", &node.status.allocatable)] {
        for (resource, amount) in amounts {
            validate_amount(resource, amount, &status.child(name).child(resource), errors);
        }
    }
    let path = Path::new("spec").child("podCIDRs");
    let ranges = &node.spec.pod_cidrs;
    let families: Vec<Option<bool>> =
        ranges.iter().enumerate().map(|(index, range)| validate_range(range, &path.index(index), errors)).collect();
    if ranges.len() > 1 && (ranges.len() > 2 || families[0] == families[1]) {
        errors.invalid(&path, ranges, "may specify no more than one CIDR for each IP family");
    }
}

/// A taint as Kubernetes prints it in messages.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed<'a> {
    key: &'a str,
    value: &'a str,
    effect: &'a str,
    time_added: Option<&'a Time>,
}

fn validate_taints(taints: &[Taint], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        errors.named(&path.child("key"), &taint.key, names::qualified_name);
        let problems = names::label_value(&taint.value);
        if !problems.is_empty() {
            errors.invalid(&path.child("value"), &taint.value, &problems.join(";"));
        }
        if taint.effect.is_empty() {
            errors.required(&path.child("effect"), "");
        } else {
            validate_taint_effect(&taint.effect, &path.child("effect"), errors);
        }
        if !seen.insert((&taint.key, &taint.effect)) {
            let Taint { key, value, effect, time_added } = taint;
            let printed = Printed { key, value, effect, time_added: time_added.as_ref() };
            errors.duplicate_because(&path, &printed, "taints must be unique by key and effect pair");
        }
    }
}

/// Kubernetes: a range and a provider may be set once.
pub(super) fn validate_update(new: &NodeSpec, old: &NodeSpec, errors: &mut Errors) {
    let path = Path::new("spec");
    if !old.pod_cidrs.is_empty() && old.pod_cidrs != new.pod_cidrs {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden(&path.child("podCIDRs"), detail);
    }
    if !old.provider_id.is_empty() && old.provider_id != new.provider_id {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&path.child("providerID"), detail);
    }
    if old.external_id != new.external_id {
        errors.forbidden(&path.child("externalID"), "may not be updated");
    }
}
