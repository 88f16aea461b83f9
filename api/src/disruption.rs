//! Computes how many pods a disruption budget allows to be evicted. Pure.
//!
//! Kubernetes: the disruption controller; percentages round up.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use squall_proto::core::v1::Pod;
use squall_proto::intstr::IntOrString;
use squall_proto::meta::v1::{Condition, OwnerReference, Time};
use squall_proto::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};

use crate::Object;
use crate::counts::total;
use crate::kinds::{is_pod_active, is_pod_ready};
use crate::labels::Selector;
use crate::meta::controller_of;

const ALLOWED: &str = "DisruptionAllowed";
/// How long a pod that somebody announced to disrupt counts as gone while it is not (Kubernetes: `DeletionTimeout`).
const ANNOUNCED: SignedDuration = SignedDuration::from_mins(2);

/// The numbers of a disruption budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// How many pods should exist.
    pub expected: i32,
    /// How many of them are healthy.
    pub healthy: i32,
    /// How many must stay healthy.
    pub desired: i32,
    /// The pods that somebody announced to disrupt, and when. They do not count as healthy.
    pub disrupted: BTreeMap<String, Time>,
}

impl Budget {
    /// Returns how many pods may be evicted.
    #[must_use]
    pub fn allowed(&self) -> i32 {
        self.healthy.saturating_sub(self.desired).max(0)
    }

    /// Returns the status of the budget. `now` becomes the transition time of a condition that changes.
    #[must_use]
    pub fn status(&self, budget: &PodDisruptionBudget, now: Timestamp) -> PodDisruptionBudgetStatus {
        let allowed = self.allowed();
        let (status, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        let mut conditions = budget.status.conditions.clone();
        let before = conditions.iter().position(|condition| condition.r#type == ALLOWED);
        let since = before.map(|at| &conditions[at]).filter(|condition| condition.status == status);
        let condition = Condition {
            r#type: ALLOWED.to_owned(),
            status: status.to_owned(),
            observed_generation: budget.metadata.generation,
            last_transition_time: since.map_or_else(|| Time::from_timestamp(now), |found| found.last_transition_time),
            reason: reason.to_owned(),
            message: String::new(),
        };
        match before {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
        PodDisruptionBudgetStatus {
            observed_generation: budget.metadata.generation,
            disrupted_pods: self.disrupted.clone(),
            disruptions_allowed: allowed,
            current_healthy: self.healthy,
            desired_healthy: self.desired,
            expected_pods: self.expected,
            conditions,
        }
    }
}

/// Whether the budget covers a pod: it is in the budget's namespace and selected. An empty selector selects all pods.
#[must_use]
pub fn is_for(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    budget.metadata.namespace == pod.metadata.namespace
        && Selector::from_label_selector(budget.spec.selector.as_ref())
            .is_some_and(|selector| selector.matches(&pod.metadata.labels))
}

/// Returns how many pods the controllers of these pods want; a pod without a controller counts as one. Kubernetes: for
/// a ReplicaSet that a Deployment controls, the Deployment counts, because it has several ReplicaSets during a rollout.
pub fn expected<'a>(
    pods: impl Iterator<Item = &'a Pod>,
    find: impl Fn(&str, &OwnerReference) -> Option<Object>,
) -> i32 {
    let mut wanted: BTreeMap<String, i32> = BTreeMap::new();
    let mut alone = 0_i32;
    for pod in pods.filter(|pod| is_pod_active(pod)) {
        let namespace = &pod.metadata.namespace;
        let Some(owner) = controller_of(&pod.metadata) else {
            alone = alone.saturating_add(1);
            continue;
        };
        let Some(found) = find(namespace, owner) else { continue };
        let above = controller_of(found.meta()).and_then(|above| find(namespace, above));
        let mut scaled = above.unwrap_or(found);
        let replicas = scaled.replicas_mut().and_then(|replicas| *replicas).unwrap_or(1);
        wanted.insert(scaled.meta().uid.clone(), replicas);
    }
    total(wanted.into_values().chain([alone]))
}

/// Computes the budget for its pods; `expected` is the number of pods that their controllers want.
#[must_use]
pub fn budget<'a>(
    budget: &PodDisruptionBudget,
    pods: impl Iterator<Item = &'a Pod>,
    expected: i32,
    now: Timestamp,
) -> Budget {
    let (mut healthy, mut disrupted) = (0_usize, BTreeMap::new());
    for pod in pods.filter(|pod| is_pod_active(pod)) {
        match announced(budget, pod, now) {
            Some(time) => drop(disrupted.insert(pod.metadata.name.clone(), time)),
            None => healthy = healthy.saturating_add(usize::from(is_pod_ready(pod))),
        }
    }
    let spec = &budget.spec;
    let desired = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), _) => amount(min, expected),
        (None, Some(max)) => expected.saturating_sub(amount(max, expected)),
        // Kubernetes: a budget without limits keeps at least one pod.
        (None, None) => 1,
    };
    Budget { expected, healthy: i32::try_from(healthy).unwrap_or(i32::MAX), desired: desired.max(0), disrupted }
}

/// When somebody announced to disrupt the pod, in the budget's status; `None` if nobody did, or too long ago.
fn announced(budget: &PodDisruptionBudget, pod: &Pod, now: Timestamp) -> Option<Time> {
    let time = budget.status.disrupted_pods.get(&pod.metadata.name)?;
    Some(*time).filter(|time| now.duration_since(time.timestamp()) < ANNOUNCED)
}

fn amount(amount: &IntOrString, of: i32) -> i32 {
    let percent = amount.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse::<i64>().ok());
    match (amount.as_int(), percent) {
        (Some(number), _) => number,
        (None, Some(percent)) => {
            let hundredths = i64::from(of).saturating_mul(percent).saturating_add(99);
            i32::try_from(hundredths.div_euclid(100)).unwrap_or(i32::MAX)
        }
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_proto::core::v1::PodCondition;

    fn pods(ready: usize, unready: usize) -> Vec<Pod> {
        let pod = |ready: bool| {
            let mut pod = Pod::default();
            let status = if ready { "True" } else { "False" }.to_owned();
            pod.status.conditions.push(PodCondition { r#type: "Ready".to_owned(), status, ..PodCondition::default() });
            pod
        };
        (0..ready).map(|_| pod(true)).chain((0..unready).map(|_| pod(false))).collect()
    }

    #[test]
    fn a_budget_is_a_number_or_a_percentage_that_rounds_up() {
        let of = |min: Option<IntOrString>, max: Option<IntOrString>| {
            let mut wanted = PodDisruptionBudget::default();
            (wanted.spec.min_available, wanted.spec.max_unavailable) = (min, max);
            budget(&wanted, pods(3, 1).iter(), 4, Timestamp::UNIX_EPOCH).allowed()
        };
        assert_eq!(of(Some(IntOrString::int(2)), None), 1);
        assert_eq!(of(Some(IntOrString::string("50%")), None), 1);
        assert_eq!(of(Some(IntOrString::string("51%")), None), 0);
        assert_eq!(of(None, Some(IntOrString::int(1))), 0, "one is unavailable already");
        assert_eq!(of(None, Some(IntOrString::int(2))), 1);
        assert_eq!(of(None, Some(IntOrString::string("100%"))), 3);
    }

    #[test]
    fn a_pod_that_somebody_announced_to_disrupt_does_not_count_for_two_minutes() {
        let mut wanted = PodDisruptionBudget::default();
        wanted.spec.min_available = Some(IntOrString::int(1));
        let mut pods = pods(2, 0);
        "a".clone_into(&mut pods[0].metadata.name);
        let time = Time { seconds: 1_000, nanos: 0 };
        wanted.status.disrupted_pods.extend([("a".to_owned(), time), ("gone".to_owned(), time)]);
        let at = |second| budget(&wanted, pods.iter(), 2, Timestamp::from_second(second).unwrap());
        let soon = at(1_119);
        assert_eq!((soon.healthy, soon.allowed()), (1, 0));
        assert_eq!(soon.status(&wanted, Timestamp::UNIX_EPOCH).disrupted_pods.keys().collect::<Vec<_>>(), ["a"]);
        let late = at(1_120);
        assert_eq!((late.healthy, late.allowed(), late.disrupted.len()), (2, 1, 0));
    }
}
