//! Affinity to nodes and to other pods.

use std::collections::{BTreeMap, HashMap, HashSet};

use squall_proto::core::v1::{
    Affinity, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec,
    WeightedPodAffinityTerm,
};
use squall_proto::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::field::{Errors, Path};
use crate::labels::validate_selector;
use crate::names;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

pub(super) fn validate(affinity: &Affinity, path: &Path, errors: &mut Errors) {
    if let Some(node) = &affinity.node_affinity {
        validate_node(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pods) = &affinity.pod_affinity {
        let (required, preferred) = (
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
        validate_pods(required, preferred, &path.child("podAffinity"), errors);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let (required, preferred) = (
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
        validate_pods(required, preferred, &path.child("podAntiAffinity"), errors);
    }
}

/// Turns `matchLabelKeys` and `mismatchLabelKeys` into requirements of the selectors, with the values of the pod's own
/// labels (Kubernetes does so when a pod is created).
pub fn merge_label_keys(spec: &mut PodSpec, labels: &BTreeMap<String, String>) {
    let affinity = spec.affinity.iter_mut();
    let lists = affinity.flat_map(|affinity| {
        let pods = affinity.pod_affinity.iter_mut().map(|it| {
            let preferred = &mut it.preferred_during_scheduling_ignored_during_execution;
            (&mut it.required_during_scheduling_ignored_during_execution, preferred)
        });
        let anti = affinity.pod_anti_affinity.iter_mut().map(|it| {
            let preferred = &mut it.preferred_during_scheduling_ignored_during_execution;
            (&mut it.required_during_scheduling_ignored_during_execution, preferred)
        });
        pods.chain(anti)
    });
    for (required, preferred) in lists {
        let preferred = preferred.iter_mut().map(|weighted| &mut weighted.pod_affinity_term);
        for term in required.iter_mut().chain(preferred) {
            merge(&mut term.label_selector, &term.match_label_keys, "In", labels);
            merge(&mut term.label_selector, &term.mismatch_label_keys, "NotIn", labels);
        }
    }
    for constraint in &mut spec.topology_spread_constraints {
        merge(&mut constraint.label_selector, &constraint.match_label_keys, "In", labels);
    }
}

fn merge(selector: &mut Option<LabelSelector>, keys: &[String], operator: &str, labels: &BTreeMap<String, String>) {
    let Some(selector) = selector else { return };
    selector.match_expressions.extend(keys.iter().filter_map(|key| {
        Some(LabelSelectorRequirement {
            key: key.clone(),
            operator: operator.to_owned(),
            values: vec![labels.get(key)?.clone()],
        })
    }));
}

fn validate_node(affinity: &NodeAffinity, path: &Path, errors: &mut Errors) {
    if let Some(selector) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = path.child(REQUIRED).child("nodeSelectorTerms");
        if selector.node_selector_terms.is_empty() {
            errors.required(&path, "must have at least one node selector term");
        }
        for (index, term) in selector.node_selector_terms.iter().enumerate() {
            validate_node_term(term, true, &path.index(index), errors);
        }
    }
    for (index, term) in affinity.preferred_during_scheduling_ignored_during_execution.iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        validate_weight(term.weight, &path, errors);
        validate_node_term(&term.preference, false, &path.child("preference"), errors);
    }
}

fn validate_weight(weight: i32, path: &Path, errors: &mut Errors) {
    if !(1..=100).contains(&weight) {
        errors.invalid(&path.child("weight"), &weight, "must be in the range 1-100");
    }
}

/// Kubernetes: the values of a preference may be no label values; it then prefers nothing.
fn validate_node_term(term: &NodeSelectorTerm, checks_values: bool, path: &Path, errors: &mut Errors) {
    for (index, requirement) in term.match_expressions.iter().enumerate() {
        validate_expression(requirement, checks_values, &path.child("matchExpressions").index(index), errors);
    }
    for (index, requirement) in term.match_fields.iter().enumerate() {
        validate_field(requirement, &path.child("matchFields").index(index), errors);
    }
}

fn validate_expression(requirement: &NodeSelectorRequirement, checks_values: bool, path: &Path, errors: &mut Errors) {
    let values = path.child("values");
    match (requirement.operator.as_str(), requirement.values.len()) {
        ("In" | "NotIn", 0) => errors.required(&values, "must be specified when `operator` is 'In' or 'NotIn'"),
        ("Exists" | "DoesNotExist", 1..) => {
            errors.forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        ("Gt" | "Lt", 0 | 2..) => {
            errors.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        ("In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", _) => {}
        (other, _) => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
    }
    errors.named(&path.child("key"), &requirement.key, names::qualified_name);
    for (index, value) in requirement.values.iter().enumerate().filter(|_| checks_values) {
        errors.named(&values.index(index), value, names::label_value);
    }
}

fn validate_field(requirement: &NodeSelectorRequirement, path: &Path, errors: &mut Errors) {
    let values = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if requirement.values.len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(&values, detail);
        }
        "In" | "NotIn" => {}
        other => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
    }
    if requirement.key != "metadata.name" {
        errors.invalid(&path.child("key"), &requirement.key, "not a valid field selector key");
        return;
    }
    for (index, value) in requirement.values.iter().enumerate() {
        errors.named(&values.index(index), value, names::dns1123_subdomain);
    }
}

fn validate_pods(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path,
    errors: &mut Errors,
) {
    for (index, term) in required.iter().enumerate() {
        validate_pod_term(term, &path.child(REQUIRED).index(index), errors);
    }
    for (index, term) in preferred.iter().enumerate() {
        let path = path.child(PREFERRED).index(index);
        validate_weight(term.weight, &path, errors);
        validate_pod_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

fn validate_pod_term(term: &PodAffinityTerm, path: &Path, errors: &mut Errors) {
    for (name, selector) in [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)] {
        if let Some(selector) = selector {
            validate_selector(selector, &path.child(name), errors);
        }
    }
    for name in &term.namespaces {
        errors.named(&path.child("namespace"), name, names::dns1123_label);
    }
    let selector = term.label_selector.as_ref();
    validate_label_keys(&term.match_label_keys, &term.mismatch_label_keys, selector, path, errors);
    let key = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&key, "can not be empty");
    }
    errors.named(&key, &term.topology_key, names::qualified_name);
}

/// Validates `matchLabelKeys` and `mismatchLabelKeys`. The selector has the requirements that come from them already.
pub(super) fn validate_label_keys(
    matching: &[String],
    mismatching: &[String],
    selector: Option<&LabelSelector>,
    path: &Path,
    errors: &mut Errors,
) {
    for (name, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)] {
        let path = path.child(name);
        if selector.is_none() && !keys.is_empty() {
            errors.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (index, key) in keys.iter().enumerate() {
            errors.named(&path.index(index), key, names::qualified_name);
        }
    }
    if let Some(selector) = selector {
        report_repeated_keys(matching, selector, path, errors);
    }
    let other: HashSet<&String> = mismatching.iter().collect();
    for (index, key) in matching.iter().enumerate().filter(|(_, key)| other.contains(key)) {
        let path = path.child("matchLabelKeys").index(index);
        errors.invalid(&path, key, "exists in both matchLabelKeys and mismatchLabelKeys");
    }
}

fn report_repeated_keys(matching: &[String], selector: &LabelSelector, path: &Path, errors: &mut Errors) {
    let indexes: HashMap<&String, usize> = matching.iter().enumerate().map(|(index, key)| (key, index)).collect();
    let mut seen: HashSet<&String> = selector.match_labels.keys().collect();
    for expression in &selector.match_expressions {
        if let Some(index) = indexes.get(&expression.key)
            && seen.contains(&expression.key)
        {
            let detail = "exists in both matchLabelKeys and labelSelector";
            errors.invalid(&path.index(*index), &expression.key, detail);
        }
        seen.insert(&expression.key);
    }
}
