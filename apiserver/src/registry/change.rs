//! One change: read the stored object, decide what it becomes, and write that if the stored object is still the same.

use squall_api::{Error, Kind, Object};
use squall_faults::mutants::Mutant;
use uuid::Uuid;

use super::fence::Fence;
use super::freshness::Freshness;
use super::pending::Pending;
use super::repeated::{ATTEMPTS, Attempt, Done};
use super::service::Claims;
use super::write::{WriteOptions, note_owner};
use super::{Registry, Resource, decode_stored};
use crate::admission;
use crate::store::{Compare, Outcome, RequestId, Revision, Target, Transaction, Write};
use crate::write_log::Intent;

/// The comparisons and writes of a decided change.
pub(super) struct Change {
    pub(super) compares: Vec<Compare>,
    pub(super) writes: Vec<Write>,
}

/// The result of a write.
pub(super) enum Written {
    At(Revision),
    /// The comparison at this index failed.
    Refused(usize),
}

/// The request that a change belongs to.
struct Request<'a> {
    key: &'a str,
    resource: &'a Resource,
    id: RequestId,
    options: &'a WriteOptions,
}

/// The decided new version of an object.
struct Decided {
    new: Object,
    claims: Claims,
    /// Revision of the object that the decision is based on.
    read_at: Revision,
    /// Nothing holds the object any longer: it is removed.
    done: bool,
}

impl Decided {
    fn is_unchanged(&self, old: &Object) -> bool {
        !self.done && unchanged(&self.new, old)
    }
}

/// The result of an attempt to write.
enum Tried {
    Written(Object),
    ChangedMeanwhile,
    /// Another write took an address that the server chose, or changed a quota: the change can be retried.
    Overtaken,
}

/// The result of reading an object for a change.
pub(super) enum Read {
    Found(Box<Object>),
    /// The request was already executed.
    Done(Done),
}

impl Registry {
    /// Reads the object, lets `decide` determine what it becomes, and writes that if the object has not changed
    /// meanwhile. Otherwise retries, unless the caller requires a resource version.
    pub(super) async fn change(
        &self,
        resource: &Resource,
        version: &str,
        options: &WriteOptions,
        mut decide: impl FnMut(&Object) -> Result<Object, Error>,
    ) -> Result<Object, Error> {
        let id = options.request_id.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        let request = Request { key: &resource.key()?, resource, id, options };
        // Most objects are up to date on this member, and the comparison in the store detects those that are not.
        // Deciding from local state avoids a quorum read. Only a successful write counts; otherwise, decide again.
        if version.is_empty()
            && let Ok(Read::Found(old)) = self.read(resource, "0", None).await
            && let Ok(decided) = self.decide(&request, &old, &mut decide)
            && !decided.is_unchanged(&old)
            && let Tried::Written(object) = self.try_write(&request, &old, decided, 0).await?
        {
            return Ok(object);
        }
        for attempt in 1..ATTEMPTS {
            let old = match self.read(resource, version, (attempt == 1).then_some(id)).await? {
                Read::Found(old) => *old,
                Read::Done(done) => return Ok(done.object),
            };
            if !version.is_empty() && old.meta().resource_version != version && !Mutant::NoConflicts.is_on() {
                return Err(Error::modified(resource.kind, &resource.name));
            }
            let decided = self.decide(&request, &old, &mut decide)?;
            if decided.is_unchanged(&old) {
                return Ok(old);
            }
            match self.try_write(&request, &old, decided, attempt).await? {
                Tried::Written(object) => return Ok(object),
                Tried::ChangedMeanwhile if version.is_empty() => {}
                Tried::ChangedMeanwhile => return Err(Error::modified(resource.kind, &resource.name)),
                Tried::Overtaken => {}
            }
        }
        Err(Error::modified(resource.kind, &resource.name))
    }

    fn decide(
        &self,
        request: &Request<'_>,
        old: &Object,
        decide: &mut impl FnMut(&Object) -> Result<Object, Error>,
    ) -> Result<Decided, Error> {
        admission::restrict_node(&request.options.caller, request.resource, Some(old))?;
        let mut new = decide(old)?;
        note_owner(Some(old), &mut new, request.resource, request.options, (self.inner.clock)());
        new.meta_mut().resource_version.clear();
        self.count_quota(&mut new, Some(old))?;
        let claims = self.claim_addresses(&mut new, Some(old))?;
        Ok(Decided { done: is_done(&new), new, claims, read_at: revision_of(old)? })
    }

    /// Writes the decided version, if the stored object is still the one that was read.
    async fn try_write(
        &self,
        request: &Request<'_>,
        old: &Object,
        decided: Decided,
        attempt: usize,
    ) -> Result<Tried, Error> {
        let Decided { new, claims, read_at, done } = decided;
        let Request { key, options, .. } = *request;
        let writes = if done { removal(key, &new) } else { vec![put(key, &new)] };
        let mut change = Change { compares: vec![at(key, read_at)], writes };
        change.writes.extend(Fence::of(&new).map(|fence| fence.put()));
        claims.add_to(&mut change);
        let charges = self.charge(Some(old), (!done).then_some(&new), attempt).await?;
        charges.add_to(&mut change)?;
        match self.write(change, request.id, Attempt::Change(attempt), options).await? {
            Written::At(revision) if done => Ok(Tried::Written(versioned(new, revision))),
            Written::At(revision) => self.as_written(key, new, revision, options).map(Tried::Written),
            Written::Refused(0) => Ok(Tried::ChangedMeanwhile),
            Written::Refused(place) => claims.refused(place - 1, &new).map(|()| Tried::Overtaken),
        }
    }

    /// Reads the object, at least as recent as `version`; an empty version reads the most recent one. If the request
    /// `repeated` was already executed, returns its result.
    pub(super) async fn read(
        &self,
        resource: &Resource,
        version: &str,
        repeated: Option<RequestId>,
    ) -> Result<Read, Error> {
        let key = resource.key()?;
        let state = self.state(Freshness::of_get(version)?).await?;
        if let Some(id) = repeated
            && let Some(done) = self.done_before(id, resource.kind, &key, &state)?
        {
            return Ok(Read::Done(done));
        }
        let entry = state.get(&key).ok_or_else(|| Error::not_found(resource.kind, &resource.name))?;
        Ok(Read::Found(Box::new(decode_stored(resource.kind, entry)?)))
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
            (Some(entry), false) => decode_stored(new.kind(), entry),
            // Kubernetes: a dry run returns the resource version of the object that it would replace.
            (entry, true) => Ok(versioned(new, entry.map_or(0, |entry| entry.mod_revision))),
            // Already deleted.
            (None, false) => Ok(versioned(new, revision)),
        }
    }

    /// Proposes a change. `attempt` distinguishes repeated decisions within one request.
    pub(super) async fn write(
        &self,
        change: Change,
        id: RequestId,
        attempt: Attempt,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        if options.dry_run {
            return Ok(Written::At(self.member().view().state().revision()));
        }
        let Change { mut compares, writes } = change;
        let fence = compares.len();
        if Mutant::NoConflicts.is_on() {
            compares.iter_mut().for_each(|compare| forget_revision(compare, self.member().view().state().as_ref()));
        }
        if !Mutant::NoFencing.is_on() {
            compares.extend(options.fence.as_ref().map(Fence::holds));
        }
        let transaction = Transaction { request_id: attempt.transaction_id(id), compares, writes };
        let intent = || Intent::of(&transaction.writes, options);
        let pending = self.inner.write_log.as_ref().map(|_| Pending::new(self, transaction.request_id, intent()));
        let outcome = self.member().propose(transaction, self.deadline()).await;
        if let Some(pending) = pending {
            pending.ended(&outcome);
        }
        match outcome? {
            Outcome::Applied(revision) => Ok(Written::At(revision)),
            Outcome::Refused(place, _) if place == fence => {
                Err(Error::forbidden(Kind::Lease, "", "the writer is no longer the elected leader"))
            }
            Outcome::Refused(place, _) => Ok(Written::Refused(place)),
        }
    }
}

/// Makes a comparison match any existing revision, for a mutant.
fn forget_revision(compare: &mut Compare, state: &crate::store::State) {
    if let Target::ModRevision(revision) = &mut compare.target
        && *revision > 0
        && let Some(entry) = state.get(&compare.key)
    {
        *revision = entry.mod_revision;
    }
}

pub(super) fn at(key: &str, revision: Revision) -> Compare {
    Compare { key: key.to_owned(), target: Target::ModRevision(revision) }
}

pub(super) fn put(key: &str, object: &Object) -> Write {
    Write { key: key.to_owned(), value: Some(object.encode().into()) }
}

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

pub(super) fn versioned(mut object: Object, revision: Revision) -> Object {
    object.meta_mut().resource_version = if revision == 0 { String::new() } else { revision.to_string() };
    object
}

pub(super) fn revision_of(object: &Object) -> Result<Revision, Error> {
    squall_api::meta::parse_resource_version(&object.meta().resource_version)
}

fn unchanged(new: &Object, old: &Object) -> bool {
    let mut old = old.clone();
    old.meta_mut().resource_version.clear();
    *new == old
}

/// Whether nothing holds the object any longer: it is being deleted, and its finalizers and grace period are gone.
fn is_done(object: &Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.is_empty()
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
}
