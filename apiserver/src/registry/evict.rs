//! Evictions: a pod is removed if its disruption budget allows it. The pod and the budget are written together, so that
//! two evictions cannot use up the same remainder of a budget.

use jiff::Timestamp;
use squall_api::core::v1::Pod;
use squall_api::disruption::{self, Budget, is_for};
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_api::metav1::v1::OwnerReference;
use squall_api::policy::v1::PodDisruptionBudget;
use squall_api::{Error, Kind, Object};
use uuid::Uuid;

use super::change::{Change, Read, Written, at, put, removal, revision_of};
use super::repeated::{ATTEMPTS, Attempt, Done};
use super::write::{Reply, WriteOptions};
use super::{Registry, Resource, decode_stored};
use crate::admission::{self, DeleteOptions, Deletion};
use crate::keys;
use crate::store::State;

impl Registry {
    /// Evicts a pod, unless its budget forbids it.
    pub async fn evict(
        &self,
        resource: &Resource,
        how: &DeleteOptions,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let key = resource.key()?;
        let id = options.request_id.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        for attempt in 0..ATTEMPTS {
            let old = match self.read(resource, "", (attempt == 0).then_some(id)).await? {
                Read::Found(old) => *old,
                Read::Done(Done { object, deleted }) => {
                    return Ok(Reply { deleted, ..Reply::of(&object, Vec::new()) });
                }
            };
            // At least as recent as the pod that was read. The write compares the revision of the budget.
            let state = self.member().view().state();
            let Object::Pod(pod) = &old else { return Err(Error::not_found(Kind::Pod, &resource.name)) };
            let going = admission::delete(&old, how, (self.inner.clock)())?;
            let left = match &going {
                Deletion::Mark(new) => Some(new.as_ref()),
                _ => None,
            };
            let charges = self.charge(Some(&old), left, attempt).await?;
            let mut change = match going {
                Deletion::Nothing => return Ok(Reply::of(&old, Vec::new())),
                Deletion::Mark(new) => Change { compares: vec![], writes: vec![put(&key, &new)] },
                Deletion::Remove => Change { compares: vec![], writes: removal(&key, &old) },
            };
            change.compares.push(at(&key, revision_of(&old)?));
            // Kubernetes: a pod that is pending, has ended or is being deleted does not count.
            if is_pod_active(pod)
                && pod.status.phase != "Pending"
                && let Some(budget) = budget_of(pod, &state)?
            {
                let used = use_up(&budget, pod, &state, (self.inner.clock)())?;
                let meta = &budget.metadata;
                let key = keys::object(Kind::PodDisruptionBudget, &meta.namespace, &meta.name);
                let object = Object::from(budget.clone());
                change.compares.push(at(&key, revision_of(&object)?));
                change.writes.push(put(&key, &used));
            }
            charges.add_to(&mut change)?;
            if let Written::At(_) = self.write(change, id, Attempt::Change(attempt), options).await? {
                return Ok(Reply::of(&old, Vec::new()));
            }
        }
        Err(Error::modified(resource.kind, &resource.name))
    }
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
    let counted = disruption::budget(budget, pods.iter(), expected);
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
    let left = Budget { healthy: counted.healthy - takes, ..counted };
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
