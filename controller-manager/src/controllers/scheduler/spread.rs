//! Topology spread: the pods that a constraint selects should be spread evenly over all topology domains.

use std::collections::BTreeMap;

use squall_api::core::v1::{Pod, TopologySpreadConstraint};
use squall_api::labels::Selector;

use super::affinity::node_is_required;
use super::room::Room;

/// Returns why a hard constraint keeps the pod off a node, in Kubernetes' words.
pub fn obstacle(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> Option<&'static str> {
    let hard = pod.spec.topology_spread_constraints.iter().filter(|c| c.when_unsatisfiable == "DoNotSchedule");
    for constraint in hard {
        let Some(domain) = room.label(&constraint.topology_key) else {
            return Some("node(s) didn't match pod topology spread constraints (missing required label)");
        };
        let counts = counts(constraint, pod, rooms);
        let too_few = constraint.min_domains.is_some_and(|least| counts.len() < usize::try_from(least).unwrap_or(0));
        let least = if too_few { 0 } else { counts.values().min().copied().unwrap_or(0) };
        let itself = i64::from(means(constraint, pod, pod));
        let here = counts.get(domain).copied().unwrap_or(0);
        if here.saturating_add(itself).saturating_sub(least) > i64::from(constraint.max_skew) {
            return Some("node(s) didn't match pod topology spread constraints");
        }
    }
    None
}

/// Returns how crowded the node's topology domains are, by the pod's soft constraints. Less is better. A pod without
/// constraints is kept apart from its siblings (Kubernetes: by host and by zone).
pub fn crowd(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> f64 {
    let soft: Vec<&TopologySpreadConstraint> =
        pod.spec.topology_spread_constraints.iter().filter(|c| c.when_unsatisfiable == "ScheduleAnyway").collect();
    if pod.spec.topology_spread_constraints.is_empty() {
        return f64_of(room.siblings(pod)) * weight(rooms.len()) + zone_crowd(pod, room, rooms);
    }
    let crowds = soft.iter().filter_map(|constraint| {
        let counts = counts(constraint, pod, rooms);
        let here = counts.get(room.label(&constraint.topology_key)?).copied().unwrap_or(0);
        Some(f64_of(here) * weight(counts.len()))
    });
    crowds.sum()
}

fn zone_crowd(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> f64 {
    const ZONE: &str = "topology.kubernetes.io/zone";
    let Some(zone) = room.label(ZONE) else { return 0.0 };
    let zones: std::collections::BTreeSet<&str> = rooms.iter().filter_map(|room| room.label(ZONE)).collect();
    let here = rooms.iter().filter(|room| room.label(ZONE) == Some(zone)).map(|room| room.siblings(pod)).sum();
    f64_of(here) * weight(zones.len())
}

/// Kubernetes: a constraint with many domains has more weight, since each domain has few pods.
#[expect(clippy::cast_precision_loss, reason = "there are fewer nodes than 2^52")]
fn weight(domains: usize) -> f64 {
    (domains as f64 + 2.0).ln()
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer pods than 2^52")]
fn f64_of(count: i64) -> f64 {
    count as f64
}

/// Counts the pods that a constraint selects, in each topology domain that the pod may go to.
fn counts<'a>(constraint: &TopologySpreadConstraint, pod: &Pod, rooms: &[Room<'a>]) -> BTreeMap<&'a str, i64> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for room in rooms {
        // Kubernetes: nodes that the pod's node affinity excludes do not count, unless the constraint ignores affinity.
        let ignored = constraint.node_affinity_policy.as_deref() == Some("Ignore");
        let Some(domain) = room.label(&constraint.topology_key) else { continue };
        if !ignored && !node_is_required(pod, room.node) {
            continue;
        }
        let here = room.pods.iter().filter(|there| {
            there.metadata.deletion_timestamp.is_none()
                && there.metadata.namespace == pod.metadata.namespace
                && means(constraint, pod, there)
        });
        let count = counts.entry(domain).or_default();
        *count = count.saturating_add(i64::try_from(here.count()).unwrap_or(i64::MAX));
    }
    counts
}

fn means(constraint: &TopologySpreadConstraint, pod: &Pod, there: &Pod) -> bool {
    let same =
        |key: &String| pod.metadata.labels.get(key).is_none_or(|value| there.metadata.labels.get(key) == Some(value));
    Selector::from_label_selector(constraint.label_selector.as_ref())
        .is_some_and(|selector| selector.matches(&there.metadata.labels))
        && constraint.match_label_keys.iter().all(same)
}
