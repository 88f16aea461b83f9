//! Warnings about the choice of a node: labels of the past, and selectors that match nothing.

use squall_proto::core::v1::{NodeSelectorTerm, PodAffinityTerm, PodSpec, WeightedPodAffinityTerm};

use crate::field::Path;
use crate::names;
use crate::warnings::Warnings;

/// Labels of nodes that are deprecated, and the reasons.
const DEPRECATED: [(&str, &str); 8] = [
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];
const NO_POD: &str = "a null labelSelector results in matching no pod";

fn deprecation(label: &str) -> Option<&'static str> {
    DEPRECATED.iter().find(|(name, _)| *name == label).map(|(_, reason)| *reason)
}

/// Warns about selectors of nodes, and about spreads.
pub(super) fn warn_of_nodes(spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    for label in spec.node_selector.keys() {
        if let Some(reason) = deprecation(label) {
            warnings.at(&path.child("nodeSelector").key(label), reason);
        }
    }
    if let Some(affinity) = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref()) {
        let path = path.child("affinity").child("nodeAffinity");
        let required = affinity.required_during_scheduling_ignored_during_execution.as_ref();
        let terms = path.child("requiredDuringSchedulingIgnoredDuringExecution").child("nodeSelectorTerms");
        for (index, term) in required.iter().flat_map(|required| &required.node_selector_terms).enumerate() {
            warn_of_term(term, false, &terms.index(index), warnings);
        }
        let terms = path.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in affinity.preferred_during_scheduling_ignored_during_execution.iter().enumerate() {
            warn_of_term(&term.preference, true, &terms.index(index).child("preference"), warnings);
        }
    }
    for (index, spread) in spec.topology_spread_constraints.iter().enumerate() {
        let path = path.child("topologySpreadConstraints").index(index);
        if let Some(reason) = deprecation(&spread.topology_key) {
            warnings.at(&path.child("topologyKey"), &format!("{} is {reason}", spread.topology_key));
        }
        if spread.label_selector.is_none() {
            warnings.at(&path.child("labelSelector"), NO_POD);
        }
    }
}

fn warn_of_term(term: &NodeSelectorTerm, with_values: bool, path: &Path, warnings: &mut Warnings) {
    for (index, expression) in term.match_expressions.iter().enumerate() {
        let path = path.child("matchExpressions").index(index);
        if let Some(reason) = deprecation(&expression.key) {
            warnings.at(&path.child("key"), &format!("{} is {reason}", expression.key));
        }
        for (index, value) in expression.values.iter().enumerate().filter(|_| with_values) {
            for problem in names::label_value(value) {
                warnings.at(&path.child("values").index(index), &format!("{value} is invalid, {problem}"));
            }
        }
    }
}

/// Warns about affinities to pods.
pub(super) fn warn_of_pods(spec: &PodSpec, path: &Path, warnings: &mut Warnings) {
    let Some(affinity) = &spec.affinity else { return };
    let path = path.child("affinity");
    if let Some(wanted) = &affinity.pod_affinity {
        let required = &wanted.required_during_scheduling_ignored_during_execution;
        let preferred = &wanted.preferred_during_scheduling_ignored_during_execution;
        warn_of_affinity(required, preferred, &path.child("podAffinity"), warnings);
    }
    if let Some(avoided) = &affinity.pod_anti_affinity {
        let required = &avoided.required_during_scheduling_ignored_during_execution;
        let preferred = &avoided.preferred_during_scheduling_ignored_during_execution;
        warn_of_affinity(required, preferred, &path.child("podAntiAffinity"), warnings);
    }
}

fn warn_of_affinity(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path,
    warnings: &mut Warnings,
) {
    let list = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    for (index, _) in required.iter().enumerate().filter(|(_, term)| term.label_selector.is_none()) {
        warnings.at(&list.index(index).child("labelSelector"), NO_POD);
    }
    let list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    let terms = preferred.iter().map(|weighted| &weighted.pod_affinity_term);
    for (index, _) in terms.enumerate().filter(|(_, term)| term.label_selector.is_none()) {
        warnings.at(&list.index(index).child("podAffinityTerm").child("labelSelector"), NO_POD);
    }
}
