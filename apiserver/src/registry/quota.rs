//! What a change costs the quotas of its namespace, charged in the same transaction that writes it.
//!
//! The transaction holds only if the quotas are what the charge was reckoned from, so that two changes cannot both use
//! up what is left. One thing escapes that: an object written while its namespace gets its first quota. The leader
//! therefore counts anew from time to time.

use std::sync::Arc;

use squall_api::core::v1::ResourceQuota;
use squall_api::error::Reason;
use squall_api::{Error, Kind, Object};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::change::{Change, at, put, revision_of};
use super::{Freshness, Registry, Resource, WriteOptions, decode_stored};
use crate::admission;
use crate::keys;
use crate::store::State;

/// Changes that quotas count wait here for each other: all would compare the same quota, and only one could win.
pub(super) type Turn = Arc<Mutex<()>>;

/// What a change costs.
pub(super) struct Charges {
    quotas: Vec<Charge>,
    /// Ours until the change is written.
    _turn: Option<OwnedMutexGuard<()>>,
}

struct Charge {
    read: Object,
    charged: Object,
}

impl Charges {
    /// Adds the quotas to a change, after its own comparisons.
    pub(super) fn add_to(&self, change: &mut Change) -> Result<(), Error> {
        for Charge { read, charged } in &self.quotas {
            let key = keys::object(Kind::ResourceQuota, &read.meta().namespace, &read.meta().name);
            change.compares.push(at(&key, revision_of(read)?));
            change.writes.push(put(&key, charged));
        }
        Ok(())
    }
}

impl Registry {
    /// What a change from `old` to `new` costs, or why a quota refuses it. `try_number` counts the tries of a change:
    /// the first is reckoned from this member's own state.
    pub(super) async fn charge(
        &self,
        old: Option<&Object>,
        new: Option<&Object>,
        try_number: usize,
    ) -> Result<Charges, Error> {
        let own = || charges(&self.member().view().state(), old, new);
        // Most changes cost nothing, and wait for nobody.
        if matches!(own(), Ok(quotas) if quotas.is_empty()) {
            return Ok(Charges { quotas: Vec::new(), _turn: None });
        }
        let turn = Some(self.inner.quota_turn.clone().lock_owned().await);
        // What is left when it is our turn, as far as this member knows. Only the newest state may refuse.
        if let (0, Ok(quotas)) = (try_number, own()) {
            return Ok(Charges { quotas, _turn: turn });
        }
        let quotas = charges(self.state(Freshness::MostRecent).await?.as_ref(), old, new)?;
        Ok(Charges { quotas, _turn: turn })
    }

    /// A quota whose limits are new is counted at once.
    pub(super) fn count_quota(&self, new: &mut Object, old: Option<&Object>) -> Result<(), Error> {
        let Object::ResourceQuota(quota) = new else { return Ok(()) };
        let itself = match old {
            Some(Object::ResourceQuota(old)) if old.spec == quota.spec => return Ok(()),
            Some(_) => None,
            None => Some(Object::ResourceQuota(quota.clone())),
        };
        **quota = recounted(quota, &self.member().view().state(), itself)?;
        Ok(())
    }

    /// Counts every quota anew, if this member leads.
    pub async fn keep_quotas(&self) -> Result<(), Error> {
        let status = self.member().status();
        if status.leader != Some(status.id) {
            return Ok(());
        }
        let state = self.member().view().state();
        for quota in quotas(&state, "")? {
            if recounted(&quota, &state, None)?.status == quota.status {
                continue;
            }
            let resource = Resource {
                kind: Kind::ResourceQuota,
                namespace: quota.metadata.namespace.clone(),
                name: quota.metadata.name.clone(),
                subresource: "status".to_owned(),
            };
            let options = WriteOptions::default();
            let counted = self.change(&resource, "", &options, |old| match old {
                // From a state that is not older than the quota: what is charged meanwhile is seen by the comparison.
                Object::ResourceQuota(old) => recounted(old, &self.member().view().state(), None).map(Object::from),
                other => Ok(other.clone()),
            });
            match counted.await {
                Err(error) if error.is(Reason::Conflict) || error.is(Reason::NotFound) => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

fn charges(state: &State, old: Option<&Object>, new: Option<&Object>) -> Result<Vec<Charge>, Error> {
    let Some(object) = new.or(old) else { return Ok(Vec::new()) };
    let meta = object.meta();
    if meta.namespace.is_empty() {
        return Ok(Vec::new());
    }
    let mut charges = Vec::new();
    for quota in quotas(state, &meta.namespace)? {
        let is_itself = object.kind() == Kind::ResourceQuota && quota.metadata.name == meta.name;
        if !is_itself && let Some(mut charged) = admission::charge(&quota, old, new)? {
            charged.metadata.resource_version.clear();
            charges.push(Charge { read: quota.into(), charged: charged.into() });
        }
    }
    Ok(charges)
}

/// The quotas of a namespace, or of all.
fn quotas(state: &State, namespace: &str) -> Result<Vec<ResourceQuota>, Error> {
    let prefix = keys::collection(Kind::ResourceQuota, namespace);
    let mut found = Vec::new();
    for (_, entry) in state.range(&prefix) {
        found.extend(ResourceQuota::try_from(decode_stored(Kind::ResourceQuota, entry)?).ok());
    }
    Ok(found)
}

/// The quota counted from the objects of its namespace and one that is not there yet.
fn recounted(quota: &ResourceQuota, state: &State, and: Option<Object>) -> Result<ResourceQuota, Error> {
    let mut objects: Vec<Object> = and.into_iter().collect();
    for kind in
        Kind::ALL.iter().copied().filter(|kind| kind.info().is_namespaced() && admission::may_count(quota, *kind))
    {
        let prefix = keys::collection(kind, &quota.metadata.namespace);
        for (_, entry) in state.range(&prefix) {
            objects.push(decode_stored(kind, entry)?);
        }
    }
    Ok(admission::recount(quota, objects.into_iter()))
}
