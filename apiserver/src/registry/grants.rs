//! The stored roles and bindings, read anew only when one of them has changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use super::{Freshness, Registry, decode_stored};
use crate::authorization::{Action, Grants, confirm_no_escalation, permitting};
use crate::keys;
use crate::store::{Revision, State};

const KINDS: [Kind; 4] = [Kind::Role, Kind::RoleBinding, Kind::ClusterRole, Kind::ClusterRoleBinding];

/// How many objects there are of each kind, and their newest revision: a change of any changes one of the two.
type Fingerprint = [(usize, u64); 4];

/// The grants of the last state that was asked.
struct Last {
    revision: Revision,
    fingerprint: Fingerprint,
    grants: Arc<Grants>,
}

/// The grants as they were last read.
#[derive(Default)]
pub(super) struct Known(Mutex<Option<Last>>);

impl Known {
    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The grants at a revision, if they were read there.
    fn at(&self, revision: Revision) -> Option<Arc<Grants>> {
        self.last().as_ref().filter(|last| last.revision == revision).map(|last| last.grants.clone())
    }

    /// The same grants, if nothing else has changed than other objects.
    fn of(&self, fingerprint: &Fingerprint) -> Option<Arc<Grants>> {
        self.last().as_ref().filter(|last| last.fingerprint == *fingerprint).map(|last| last.grants.clone())
    }

    /// Remembers the grants, unless another request has read newer ones.
    fn note(&self, read: Last) {
        let mut last = self.last();
        if last.as_ref().is_none_or(|last| last.revision <= read.revision) {
            *last = Some(read);
        }
    }
}

impl Registry {
    /// Returns the stored roles and bindings, as far as this member knows them.
    #[must_use]
    pub fn grants(&self) -> Arc<Grants> {
        let state = self.member().view().state();
        let known = &self.inner.grants;
        if let Some(grants) = known.at(state.revision()) {
            return grants;
        }
        let fingerprint = KINDS.map(|kind| fingerprint_of(&state, kind));
        // Nobody waits while they are read.
        let grants = known.of(&fingerprint).unwrap_or_else(|| Arc::new(read(&state)));
        known.note(Last { revision: state.revision(), fingerprint, grants: grants.clone() });
        grants
    }

    /// Returns the reason why a caller may perform an action; `None` if they may not.
    #[must_use]
    pub fn permitting(&self, caller: &Caller, action: &Action<'_>) -> Option<String> {
        permitting(caller, action).or_else(|| self.grants().permitting(caller, action))
    }

    /// Waits until this member knows every role that a write of this kind is judged by.
    pub async fn know_roles(&self, kind: Kind) -> Result<(), Error> {
        if KINDS.contains(&kind) {
            self.state(Freshness::MostRecent).await?;
        }
        Ok(())
    }

    /// Refuses a role or a binding that gives what the caller does not have.
    pub(super) fn refuse_escalation(&self, caller: &Caller, old: Option<&Object>, new: &Object) -> Result<(), Error> {
        if !KINDS.contains(&new.kind()) {
            return Ok(());
        }
        let may = |action: &Action<'_>| self.permitting(caller, action).is_some();
        confirm_no_escalation(caller, &self.grants(), old, new, may)
    }
}

fn fingerprint_of(state: &State, kind: Kind) -> (usize, u64) {
    let prefix = keys::collection(kind, "");
    state.range(&prefix).fold((0, 0), |(count, newest): (usize, u64), (_, entry)| {
        (count.saturating_add(1), newest.max(entry.mod_revision))
    })
}

fn read(state: &State) -> Grants {
    let mut grants = Grants::default();
    for kind in KINDS {
        for (key, entry) in state.range(&keys::collection(kind, "")) {
            match decode_stored(kind, entry) {
                Ok(Object::Role(role)) => grants.add_role(*role),
                Ok(Object::ClusterRole(role)) => grants.add_cluster_role(*role),
                Ok(Object::RoleBinding(binding)) => grants.add_binding(&binding),
                Ok(Object::ClusterRoleBinding(binding)) => grants.add_cluster_binding(&binding),
                Ok(_) => {}
                // It gives nothing to anybody.
                Err(error) => tracing::error!(%error, key, "a role or a binding cannot be read"),
            }
        }
    }
    grants
}
