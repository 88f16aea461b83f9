//! Topology spread constraints.

use std::collections::HashMap;

use squall_proto::core::v1::TopologySpreadConstraint;
use squall_proto::meta::v1::LabelSelector;

use super::affinity::validate_label_keys;
use crate::field::{Errors, Path};
use crate::labels::validate_selector;

const POLICIES: [&str; 2] = ["Honor", "Ignore"];

pub(super) fn validate(constraints: &[TopologySpreadConstraint], path: &Path, errors: &mut Errors) {
    let kind = |constraint: &TopologySpreadConstraint| {
        (constraint.topology_key.clone(), constraint.when_unsatisfiable.clone())
    };
    let last: HashMap<_, usize> = constraints.iter().enumerate().map(|(index, each)| (kind(each), index)).collect();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        errors.positive(&path.child("maxSkew"), constraint.max_skew.into());
        if constraint.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        let when = &constraint.when_unsatisfiable;
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&when.as_str()) {
            errors.not_supported(&path.child("whenUnsatisfiable"), when, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        // Each but the last of the same kind is reported.
        if last.get(&kind(constraint)).is_some_and(|last| *last > index) {
            let pair = format!("{{{}, {when}}}", constraint.topology_key);
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), &pair);
        }
        validate_domains(constraint, &path, errors);
        let policies = [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ];
        for (name, policy) in policies {
            if let Some(policy) = policy.as_deref().filter(|policy| !POLICIES.contains(policy)) {
                errors.not_supported(&path.child(name), &policy, &POLICIES);
            }
        }
        let selector = constraint.label_selector.as_ref();
        validate_label_keys(&constraint.match_label_keys, &[], selector, &path, errors);
        validate_selector(selector.unwrap_or(&LabelSelector::default()), &path.child("labelSelector"), errors);
    }
}

fn validate_domains(constraint: &TopologySpreadConstraint, path: &Path, errors: &mut Errors) {
    let path = path.child("minDomains");
    let Some(domains) = constraint.min_domains else { return };
    errors.positive(&path, domains.into());
    let when = &constraint.when_unsatisfiable;
    if when != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}");
        errors.invalid(&path, &domains, &detail);
    }
}
