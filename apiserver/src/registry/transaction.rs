//! A transaction of the store: its comparisons and writes, and the object that it leaves.

use squall_api::decode::Expected;
use squall_api::{Error, Kind, Object};
use squall_faults::mutants::Mutant;

use super::pending::Pending;
use super::repeated::Attempt;
use super::{Registry, decode_stored, fence};
use crate::admission;
use crate::request::{Fence, WriteOptions};
use crate::store::{Compare, Outcome, RequestId, Revision, State, Target, Transaction, Write};
use crate::write_log::Intent;

/// A transaction in the making: its comparisons and writes so far.
pub(super) struct Draft {
    pub(super) compares: Vec<Compare>,
    pub(super) writes: Vec<Write>,
}

/// The result of a write.
pub(super) enum Written {
    At(Revision),
    /// The comparison at this index failed.
    Refused(usize),
}

impl Registry {
    /// Proposes a change. `attempt` distinguishes repeated decisions within one request.
    pub(super) async fn write(
        &self,
        change: Draft,
        id: RequestId,
        attempt: Attempt,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        if options.dry_run {
            return Ok(Written::At(self.member().view().state().revision()));
        }
        let Draft { mut compares, writes } = change;
        // The election is compared after everything else.
        let election = compares.len();
        if Mutant::NoConflicts.is_on() {
            compares.iter_mut().for_each(|compare| forget_revision(compare, self.member().view().state().as_ref()));
        }
        if !Mutant::NoFencing.is_on() {
            compares.extend(options.fence.as_ref().map(fence::holds));
        }
        let transaction = Transaction { request_id: attempt.transaction_id(id), compares, writes };
        let keys = || transaction.writes.iter().map(|write| write.key.clone()).collect();
        let intent = || Intent::new(keys(), options.caller.user(), options.fence.as_ref().map(Fence::election));
        let pending = self.inner.write_log.as_ref().map(|_| Pending::new(self, transaction.request_id, intent()));
        let outcome = self.member().propose(transaction, self.deadline()).await;
        if let Some(pending) = pending {
            pending.ended(&outcome);
        }
        match outcome? {
            Outcome::Applied(revision) => Ok(Written::At(revision)),
            Outcome::Refused(place, _) if place == election => {
                Err(Error::forbidden(Kind::Lease, "", "the writer is no longer the elected leader"))
            }
            Outcome::Refused(place, _) => Ok(Written::Refused(place)),
        }
    }

    /// Returns the object as it is stored. A repeated request finds what the first one wrote, and the revision of a
    /// transaction is not that of its first write.
    pub(super) fn as_written(
        &self,
        key: &str,
        new: Object,
        revision: Revision,
        options: &WriteOptions,
    ) -> Result<Object, Error> {
        let state = self.member().view().state();
        match (state.get(key), options.dry_run) {
            (Some(entry), false) => decode_stored(Expected { kind: new.kind(), version: new.version() }, entry),
            // Kubernetes: a dry run returns the resource version of the object that it would replace.
            (entry, true) => Ok(versioned(new, entry.map_or(0, |entry| entry.mod_revision))),
            // Already deleted.
            (None, false) => Ok(versioned(new, revision)),
        }
    }
}

/// Makes a comparison match any existing revision, for a mutant.
fn forget_revision(compare: &mut Compare, state: &State) {
    if let Target::ModRevision(revision) = &mut compare.target
        && *revision > 0
        && let Some(entry) = state.get(&compare.key)
    {
        *revision = entry.mod_revision;
    }
}

/// Requires that a key was last written at a revision; 0 requires that it does not exist.
pub(super) fn at(key: &str, revision: Revision) -> Compare {
    Compare { key: key.to_owned(), target: Target::ModRevision(revision) }
}

/// Stores an object.
pub(super) fn put(key: &str, object: &Object) -> Write {
    Write { key: key.to_owned(), value: Some(object.encode().into()) }
}

/// Removes an object, with the claims of a service.
pub(super) fn removal(key: &str, object: &Object) -> Vec<Write> {
    let claims = match object {
        Object::Service(service) => admission::claims(service),
        _ => Vec::new(),
    };
    std::iter::once(key.to_owned())
        .chain(claims.into_iter().map(|claim| claim.key))
        .map(|key| Write { key, value: None })
        .collect()
}

/// The object with a resource version; none for revision 0.
pub(super) fn versioned(mut object: Object, revision: Revision) -> Object {
    object.meta_mut().resource_version = if revision == 0 { String::new() } else { revision.to_string() };
    object
}

/// The revision at which an object was read.
pub(super) fn revision_of(object: &Object) -> Result<Revision, Error> {
    squall_api::meta::parse_resource_version(&object.meta().resource_version)
}
