//! Evictions: a pod is removed if its disruption budget allows it. The pod and the budget are written together, so that
//! two evictions cannot use up the same remainder of a budget.

use jiff::Timestamp;
use squall_api::core::v1::Pod;
use squall_api::disruption::{self, Budget, is_for};
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_api::metav1::v1::OwnerReference;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::{Error, Kind, Object};

use super::change::{Changed, Decided, Fate, Job, Moment, Start};
use super::write::{Reply, fate_of, stored};
use super::{Registry, decode_stored};
use crate::admission::{self, DeleteOptions};
use crate::keys;
use crate::request::{Ownership, ResourceRef, WriteOptions};
use crate::store::State;

impl Registry {
    /// Evicts a pod, unless its budget forbids it.
    pub async fn evict(
        &self,
        resource: &ResourceRef,
        how: &DeleteOptions,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        // A mark changes no fields of the caller's own.
        let noted = WriteOptions { ownership: Ownership::Noted, ..options.clone() };
        let job = Job { resource, options: &noted, start: Start::MostRecent, version: "" };
        let mut evicted = None;
        let changed = self.change(&job, |old, moment| {
            let Some(Object::Pod(pod)) = old else { return Err(Error::not_found(Kind::Pod, &resource.name)) };
            evicted = old.cloned();
            let old = stored(old, resource)?;
            let fate = fate_of(admission::delete(old, how, moment.now)?);
            let beside = match fate {
                Fate::Keep => Vec::new(),
                Fate::Store(_) | Fate::Remove => charged_budget(pod, moment)?.into_iter().collect(),
            };
            Ok(Decided { fate, beside })
        });
        let Changed { object, removed } = changed.await?;
        // The reply is the pod before its eviction; of a repeated request, as it is now.
        Ok(Reply { deleted: evicted.is_none() && removed, ..Reply::of(&evicted.unwrap_or(object), Vec::new()) })
    }
}

/// The budget of a pod before and after the eviction; `None` if no budget counts it.
fn charged_budget(pod: &Pod, moment: &Moment) -> Result<Option<(Object, Object)>, Error> {
    // Kubernetes: a pod that is pending, has ended or is being deleted does not count.
    if !is_pod_active(pod) || pod.status.phase == "Pending" {
        return Ok(None);
    }
    let Some(budget) = budget_of(pod, &moment.state)? else { return Ok(None) };
    let used = use_up(&budget, pod, &moment.state, moment.now)?;
    Ok(Some((budget.into(), used)))
}

fn all_of<K: TryFrom<Object>>(kind: Kind, namespace: &str, state: &State) -> Result<Vec<K>, Error> {
    let prefix = keys::collection(kind, namespace);
    let mut found = Vec::new();
    for (_, entry) in state.range(&prefix) {
        found.extend(K::try_from(decode_stored(kind, entry)?).ok());
    }
    Ok(found)
}

/// Returns the budget of a pod, if it has one.
fn budget_of(pod: &Pod, state: &State) -> Result<Option<PodDisruptionBudget>, Error> {
    let budgets: Vec<PodDisruptionBudget> = all_of(Kind::PodDisruptionBudget, &pod.metadata.namespace, state)?;
    let mut covering = budgets.into_iter().filter(|budget| is_for(budget, pod));
    match (covering.next(), covering.next()) {
        (Some(_), Some(_)) => Err(Error::internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
        (first, _) => Ok(first),
    }
}

/// Returns the budget after the removal of one more pod, or an error if the budget does not allow it.
fn use_up(budget: &PodDisruptionBudget, pod: &Pod, state: &State, now: Timestamp) -> Result<Object, Error> {
    let mut pods: Vec<Pod> = all_of(Kind::Pod, &pod.metadata.namespace, state)?;
    pods.retain(|other| is_for(budget, other));
    let expected = disruption::expected(pods.iter(), |namespace, owner| scaled(namespace, owner, state));
    let counted = disruption::budget(budget, pods.iter(), expected, now);
    let takes = i32::from(is_pod_ready(pod));
    // Kubernetes: an unhealthy pod may go while enough others are healthy, or always if the budget says so.
    let always = budget.spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow");
    if counted.allowed() < takes || (takes == 0 && !always && counted.healthy < counted.desired) {
        let Budget { desired, healthy, .. } = counted;
        return Err(Error::disruption_refused(format!(
            "The disruption budget {} needs {desired} healthy pods and has {healthy} currently",
            budget.metadata.name
        )));
    }
    let left = Budget { healthy: counted.healthy.saturating_sub(takes), ..counted };
    let mut used = budget.clone();
    used.status = left.status(budget, now);
    used.metadata.resource_version.clear();
    Ok(used.into())
}

fn scaled(namespace: &str, owner: &OwnerReference, state: &State) -> Option<Object> {
    let kind = Kind::of_manifest(&owner.api_version, &owner.kind)?;
    let entry = state.get(&keys::object(kind, namespace, &owner.name))?;
    decode_stored(kind, entry).ok().filter(|found| found.meta().uid == owner.uid)
}
