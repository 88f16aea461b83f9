//! Which nodes a pod requires or prefers, by their labels and by the pods on them.

use squall_api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodAffinityTerm};
use squall_api::labels::Selector;

use super::room::Room;

/// Whether the node meets the pod's requirements (Kubernetes: the node selector and one of the affinity terms).
pub fn node_is_required(pod: &Pod, node: &Node) -> bool {
    let selected = pod.spec.node_selector.iter().all(|(key, value)| node.metadata.labels.get(key) == Some(value));
    let required = pod
        .spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selected && required.is_none_or(|selector| selector.node_selector_terms.iter().any(|term| term_matches(term, node)))
}

/// Sums the weights of the pod's preferred terms that the node matches.
pub fn node_preference(pod: &Pod, node: &Node) -> i64 {
    let affinity = pod.spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let terms = affinity.into_iter().flat_map(|a| &a.preferred_during_scheduling_ignored_during_execution);
    terms.filter(|term| term_matches(&term.preference, node)).map(|term| i64::from(term.weight)).sum()
}

/// A term without any requirement matches no node.
fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    let label = |key: &str| node.metadata.labels.get(key).map(String::as_str);
    let field = |key: &str| (key == "metadata.name").then_some(node.metadata.name.as_str());
    !empty
        && term.match_expressions.iter().all(|requirement| holds(requirement, label(&requirement.key)))
        && term.match_fields.iter().all(|requirement| holds(requirement, field(&requirement.key)))
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let listed = || value.is_some_and(|value| requirement.values.iter().any(|one| one == value));
    let numbers = || Some((value?.parse::<i64>().ok()?, requirement.values.first()?.parse::<i64>().ok()?));
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(value, bound)| value > bound),
        "Lt" => numbers().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// Returns why existing pods keep this pod off the node, in Kubernetes' words.
pub fn pod_obstacle(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> Option<&'static str> {
    let affinity = pod.spec.affinity.as_ref();
    let required = affinity.and_then(|a| a.pod_affinity.as_ref()).into_iter();
    for term in required.flat_map(|a| &a.required_during_scheduling_ignored_during_execution) {
        // Kubernetes: the first pod of a group with affinity to itself may go anywhere.
        let first = matches(term, pod, pod) && !rooms.iter().any(|room| has_match(term, pod, room));
        let satisfied = in_domain(term, room, rooms).any(|room| has_match(term, pod, room)) || first;
        if room.label(&term.topology_key).is_none() || !satisfied {
            return Some("node(s) didn't match pod affinity rules");
        }
    }
    let forbidden = affinity.and_then(|a| a.pod_anti_affinity.as_ref()).into_iter();
    for term in forbidden.flat_map(|a| &a.required_during_scheduling_ignored_during_execution) {
        if in_domain(term, room, rooms).any(|room| has_match(term, pod, room)) {
            return Some("node(s) didn't match pod anti-affinity rules");
        }
    }
    let objects = |other: &Room<'_>| {
        other.unsociable.iter().any(|there| {
            let anti = there.spec.affinity.as_ref().and_then(|a| a.pod_anti_affinity.as_ref());
            let terms = anti.into_iter().flat_map(|a| &a.required_during_scheduling_ignored_during_execution);
            terms.into_iter().any(|term| matches(term, there, pod) && same_domain(term, other, room))
        })
    };
    rooms.iter().any(objects).then_some("node(s) didn't satisfy existing pods anti-affinity rules")
}

/// Sums the weights of the pod's preferred terms over the existing pods that match; anti-affinity counts negative.
pub fn pod_preference(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> i64 {
    let Some(affinity) = &pod.spec.affinity else { return 0 };
    let wanted = affinity.pod_affinity.iter().flat_map(|a| &a.preferred_during_scheduling_ignored_during_execution);
    let unwanted =
        affinity.pod_anti_affinity.iter().flat_map(|a| &a.preferred_during_scheduling_ignored_during_execution);
    let signed = wanted.map(|term| (term, 1)).chain(unwanted.map(|term| (term, -1_i64)));
    let weights = signed.map(|(weighted, sign)| {
        let term = &weighted.pod_affinity_term;
        let pods = in_domain(term, room, rooms).flat_map(|room| &room.pods);
        let count = pods.filter(|there| matches(term, pod, there)).count();
        sign.saturating_mul(weighted.weight.into()).saturating_mul(i64::try_from(count).unwrap_or(i64::MAX))
    });
    weights.fold(0, i64::saturating_add)
}

/// Returns the nodes in the same topology domain as this one.
fn in_domain<'r, 'a>(
    term: &PodAffinityTerm,
    room: &Room<'_>,
    rooms: &'r [Room<'a>],
) -> impl Iterator<Item = &'r Room<'a>> {
    rooms.iter().filter(|other| same_domain(term, other, room))
}

fn same_domain(term: &PodAffinityTerm, one: &Room<'_>, other: &Room<'_>) -> bool {
    one.label(&term.topology_key).is_some_and(|value| other.label(&term.topology_key) == Some(value))
}

fn has_match(term: &PodAffinityTerm, of: &Pod, room: &Room<'_>) -> bool {
    room.pods.iter().any(|there| matches(term, of, there))
}

/// Whether the pod `there` matches an affinity term of the pod `of`. A term without namespaces applies to the pod's
/// own namespace; one with an empty namespace selector, to all.
fn matches(term: &PodAffinityTerm, of: &Pod, there: &Pod) -> bool {
    let everywhere = term
        .namespace_selector
        .as_ref()
        .is_some_and(|selector| selector.match_labels.is_empty() && selector.match_expressions.is_empty());
    let own = term.namespaces.is_empty() && term.namespace_selector.is_none();
    let namespace = everywhere
        || (own && of.metadata.namespace == there.metadata.namespace)
        || term.namespaces.contains(&there.metadata.namespace);
    namespace
        && Selector::from_label_selector(term.label_selector.as_ref())
            .is_some_and(|selector| selector.matches(&there.metadata.labels))
}
