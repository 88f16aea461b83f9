//! The stored roles and bindings, read anew only when one of them has changed.

use std::sync::{Arc, Mutex, PoisonError};

use squall_api::{Error, Kind, Object};
use squall_daemon::identity::Caller;

use super::{Registry, decode_stored};
use crate::authorization::{Action, Grants, confirm_no_escalation, permitting};
use crate::keys;
use crate::store::State;

const KINDS: [Kind; 4] = [Kind::Role, Kind::RoleBinding, Kind::ClusterRole, Kind::ClusterRoleBinding];

/// How many objects there are of each kind, and their newest revision: a change of any changes one of the two.
type Print = [(usize, u64); 4];

/// The grants of the last state that was asked.
#[derive(Default)]
pub(super) struct Known(Mutex<Option<(Print, Arc<Grants>)>>);

impl Registry {
    /// Returns the stored roles and bindings, as far as this member knows them.
    #[must_use]
    pub fn grants(&self) -> Arc<Grants> {
        let state = self.member().view().state();
        let print = KINDS.map(|kind| print_of(&state, kind));
        let mut known = self.inner.grants.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, grants)) = known.as_ref()
            && *same == print
        {
            return grants.clone();
        }
        let grants = Arc::new(read(&state));
        *known = Some((print, grants.clone()));
        grants
    }

    /// Returns the reason why a caller may perform an action; `None` if they may not.
    #[must_use]
    pub fn permitting(&self, caller: &Caller, action: &Action<'_>) -> Option<String> {
        permitting(caller, action).or_else(|| self.grants().permitting(caller, action))
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

fn print_of(state: &State, kind: Kind) -> (usize, u64) {
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
