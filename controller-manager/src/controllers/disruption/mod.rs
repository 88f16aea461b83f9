//! Disruption budgets: computes how many of the pods that a budget selects may be evicted now.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::Pod;
use squall_api::disruption::{budget, expected, is_for};
use squall_api::metav1::v1::OwnerReference;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::{Kind, Object};

use crate::runtime::{Action, CachedKind, Caches, Controller, Key, ObjectChange, Plan};

/// How often a budget is looked at again while somebody announced to disrupt its pods.
const RECHECK: Duration = Duration::from_secs(5);

/// Keeps the status of budgets up to date.
pub struct DisruptionController;

/// The observed state of a budget.
pub struct Observed {
    budget: Arc<PodDisruptionBudget>,
    pods: Vec<Arc<Pod>>,
    /// Number of pods that the pods' controllers want.
    expected: i32,
}

impl Controller for DisruptionController {
    type Observed = Observed;
    const NAME: &'static str = "controllermanager";

    fn keys(&self, change: &ObjectChange, caches: &Caches) -> Vec<Key> {
        let Some(meta) = change.latest() else { return Vec::new() };
        match change.kind {
            CachedKind::PodDisruptionBudget => vec![Key::new(&meta.namespace, &meta.name)],
            // These determine the expected number of pods.
            CachedKind::Pod | CachedKind::Deployment | CachedKind::ReplicaSet | CachedKind::ReplicationController => {
                let budgets = caches.disruption_budgets.in_namespace(&meta.namespace);
                budgets.iter().map(|budget| Key::new(&meta.namespace, &budget.metadata.name)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn all_keys(&self, caches: &Caches) -> Vec<Key> {
        let budgets = caches.disruption_budgets.all();
        budgets.iter().map(|budget| Key::new(&budget.metadata.namespace, &budget.metadata.name)).collect()
    }

    fn observe(&self, caches: &Caches, key: &Key, _: Option<&str>) -> Option<Observed> {
        let budget = caches.disruption_budgets.get(&key.namespace, &key.name)?;
        let mut pods = caches.pods.in_namespace(&key.namespace);
        pods.retain(|pod| is_for(&budget, pod));
        let find = |namespace: &str, owner: &OwnerReference| -> Option<Object> {
            let kind = Kind::of_manifest(&owner.api_version, &owner.kind).and_then(CachedKind::of)?;
            caches.find(kind, namespace, &owner.name).filter(|found| found.meta().uid == owner.uid)
        };
        let expected = expected(pods.iter().map(AsRef::as_ref), find);
        Some(Observed { budget, pods, expected })
    }

    fn plan(&self, observed: Observed, now: Timestamp) -> Plan {
        let before = &observed.budget;
        let counted = budget(before, observed.pods.iter().map(AsRef::as_ref), observed.expected, now);
        let status = counted.status(before, now);
        // What somebody announced has to be looked at again when its time is over.
        let wake_after = (!status.disrupted_pods.is_empty()).then_some(RECHECK);
        if status == before.status {
            return Plan { wake_after, ..Plan::default() };
        }
        let mut changed = before.as_ref().clone();
        changed.status = status;
        Plan { wake_after, ..Plan::of(vec![Action::UpdateStatus(Box::new(changed.into()))]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;
    use squall_api::intstr::IntOrString;

    fn pod(ready: bool) -> Arc<Pod> {
        let mut pod = Pod::default();
        let status = if ready { "True" } else { "False" }.to_owned();
        pod.status.conditions.push(PodCondition { r#type: "Ready".to_owned(), status, ..PodCondition::default() });
        Arc::new(pod)
    }

    fn planned(before: PodDisruptionBudget, pods: Vec<Arc<Pod>>) -> Option<PodDisruptionBudget> {
        let observed = Observed { budget: Arc::new(before), expected: 3, pods };
        match DisruptionController.plan(observed, Timestamp::UNIX_EPOCH).actions.pop()? {
            Action::UpdateStatus(object) => PodDisruptionBudget::try_from(*object).ok(),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_budget_says_what_is_left_of_it() {
        let mut before = PodDisruptionBudget::default();
        before.spec.min_available = Some(IntOrString::int(2));
        let all = planned(before, vec![pod(true), pod(true), pod(true)]).unwrap();
        let status = &all.status;
        assert_eq!((status.disruptions_allowed, status.current_healthy, status.desired_healthy), (1, 3, 2));
        assert_eq!(status.conditions[0].reason, "SufficientPods");
        assert!(planned(all.clone(), vec![pod(true), pod(true), pod(true)]).is_none(), "nothing has changed");
        let fewer = planned(all, vec![pod(true), pod(false), pod(true)]).unwrap();
        assert_eq!(
            (fewer.status.disruptions_allowed, fewer.status.conditions[0].reason.as_str()),
            (0, "InsufficientPods")
        );
    }
}
