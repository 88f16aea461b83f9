//! Charges a change to the quotas of its namespace, in the transaction that writes it.
//!
//! The transaction succeeds only if the quotas are still those that were charged, so that two changes cannot use up the
//! same remainder. One case escapes that: an object written while its namespace gets its first quota. The leader
//! therefore recounts periodically.

use std::sync::Arc;

use squall_api::core::v1::ResourceQuota;
use squall_api::error::Reason;
use squall_api::{Error, Kind, Object};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::change::{Job, Start};
use super::transaction::{Draft, at, put, revision_of};
use super::{Freshness, Registry, decode_stored};
use crate::admission;
use crate::keys;
use crate::request::{ResourceRef, Subresource, WriteOptions};
use crate::store::State;

/// Serializes the changes that quotas count. Otherwise all would compare the same quota, and only one could win.
pub(super) type Turn = Arc<Mutex<()>>;

/// The charges of a change.
pub(super) struct Charges {
    quotas: Vec<Charge>,
    /// Held until the change is written.
    _turn: Option<OwnedMutexGuard<()>>,
}

struct Charge {
    read: Object,
    charged: Object,
}

impl Charges {
    /// Adds the quotas to a change, after its own comparisons.
    pub(super) fn add_to(&self, change: &mut Draft) -> Result<(), Error> {
        for Charge { read, charged } in &self.quotas {
            let key = keys::object(Kind::ResourceQuota, &read.meta().namespace, &read.meta().name);
            change.compares.push(at(&key, revision_of(read)?));
            change.writes.push(put(&key, charged));
        }
        Ok(())
    }
}

impl Registry {
    /// Computes the charges of a change from `old` to `new`, or the error of a quota that refuses it. `try_number`
    /// counts the attempts of a change: the first uses this member's own state.
    pub(super) async fn charge(
        &self,
        old: Option<&Object>,
        new: Option<&Object>,
        try_number: usize,
    ) -> Result<Charges, Error> {
        let own = || charges(&self.member().view().state(), old, new);
        // Most changes cost nothing and wait for nothing.
        if matches!(own(), Ok(quotas) if quotas.is_empty()) {
            return Ok(Charges { quotas: Vec::new(), _turn: None });
        }
        let turn = Some(self.inner.quota_turn.clone().lock_owned().await);
        // This member's own state may accept the change. Only the most recent state may refuse it.
        if let (0, Ok(quotas)) = (try_number, own()) {
            return Ok(Charges { quotas, _turn: turn });
        }
        let quotas = charges(self.state(Freshness::MostRecent).await?.as_ref(), old, new)?;
        Ok(Charges { quotas, _turn: turn })
    }

    /// Counts a quota immediately if its limits are new.
    pub(super) fn count_quota(&self, new: &mut Object, old: Option<&Object>) -> Result<(), Error> {
        let Object::ResourceQuota(quota) = new else { return Ok(()) };
        let itself = match old {
            Some(Object::ResourceQuota(old)) if old.spec == quota.spec => return Ok(()),
            Some(_) => None,
            None => Some(Object::ResourceQuota(quota.clone())),
        };
        **quota = self.recounted(quota, itself)?;
        Ok(())
    }

    /// Recounts every quota, if this member leads.
    pub async fn keep_quotas(&self) -> Result<(), Error> {
        let status = self.member().status();
        if status.leader != Some(status.id) {
            return Ok(());
        }
        let state = self.member().view().state();
        for quota in quotas(&state, "")? {
            if self.recounted(&quota, None)?.status == quota.status {
                continue;
            }
            let meta = &quota.metadata;
            let whole = ResourceRef::object(Kind::ResourceQuota, &meta.namespace, &meta.name);
            let resource = whole.part(Subresource::Status);
            let options = WriteOptions::default();
            let job = Job { resource: &resource, options: &options, start: Start::Own, version: "" };
            let counted = self.change_part(&job, |old| match old {
                // The state is at least as recent as the quota. The comparison detects concurrent charges.
                Object::ResourceQuota(old) => self.recounted(old, None).map(Object::from),
                other => Ok(other.clone()),
            });
            match counted.await {
                Err(error) if error.is(Reason::Conflict) || error.is(Reason::NotFound) => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// Recounts the quota from the objects of its namespace, plus one that is not stored yet.
    fn recounted(&self, quota: &ResourceQuota, and: Option<Object>) -> Result<ResourceQuota, Error> {
        let state = self.member().view().state();
        let definitions = self.definitions();
        let custom = definitions.iter().filter_map(|definition| definition.storage());
        let kinds = Kind::ALL.iter().copied().chain(custom.map(|version| Kind::Custom(version.kind())));
        let mut objects: Vec<Object> = and.into_iter().collect();
        for kind in kinds.filter(|kind| kind.info().is_namespaced() && admission::may_count(quota, *kind)) {
            for (_, entry) in state.range(&keys::collection(kind, &quota.metadata.namespace)) {
                objects.push(decode_stored(kind, entry)?);
            }
        }
        Ok(admission::recount(quota, objects.into_iter()))
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

/// Returns the quotas of a namespace; an empty namespace means all.
fn quotas(state: &State, namespace: &str) -> Result<Vec<ResourceQuota>, Error> {
    let prefix = keys::collection(Kind::ResourceQuota, namespace);
    let mut found = Vec::new();
    for (_, entry) in state.range(&prefix) {
        found.extend(ResourceQuota::try_from(decode_stored(Kind::ResourceQuota, entry)?).ok());
    }
    Ok(found)
}
