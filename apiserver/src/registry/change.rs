//! One change: read the object, decide what becomes of it, charge it, write it, and retry if it has changed meanwhile.
//!
//! All verbs go through this loop. They differ in their pure decision, from the stored object to a [`Decided`].

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::decode::Expected;
use squall_api::{Error, Object};
use squall_faults::mutants::Mutant;
use uuid::Uuid;

use super::definitions::{changed, definition_key};
use super::freshness::Freshness;
use super::ownership::note_owner;
use super::repeated::{ATTEMPTS, Attempt, Done};
use super::service::Claims;
use super::transaction::{Draft, Written, at, put, removal, revision_of, versioned};
use super::{Registry, decode_stored};
use crate::request::{ResourceRef, WriteOptions};
use crate::store::{RequestId, Revision, State};
use crate::{admission, keys};

/// The decision about an object.
pub(super) struct Decided {
    pub(super) fate: Fate,
    /// Other objects that change with it, each read at its resource version and written anew.
    pub(super) beside: Vec<(Object, Object)>,
}

/// The fate of an object.
pub(super) enum Fate {
    /// It stays as it is.
    Keep,
    /// It is stored in this form.
    Store(Box<Object>),
    /// It is removed.
    Remove,
}

impl From<Object> for Decided {
    fn from(new: Object) -> Self {
        Fate::Store(Box::new(new)).into()
    }
}

impl From<Fate> for Decided {
    fn from(fate: Fate) -> Self {
        Self { fate, beside: Vec::new() }
    }
}

/// The inputs of a decision beside the stored object.
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// A state at least as recent as the stored object.
    pub(super) state: Arc<State>,
    /// The same for a repeated request, so that it generates the same name.
    pub(super) seed: u64,
    /// The uid of a new object.
    pub(super) uid: String,
}

/// The object that a change starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// There is none: the object is new.
    Nothing,
    /// This member's own, if deciding from it leads to a write; else the most recent one.
    Own,
    /// The most recent one.
    MostRecent,
}

/// A change that a request asks for.
pub(super) struct Job<'a> {
    pub(super) resource: &'a ResourceRef,
    pub(super) options: &'a WriteOptions,
    pub(super) start: Start,
    /// The resource version that the object must have; empty for any.
    pub(super) version: &'a str,
}

/// The result of a change.
pub(super) struct Changed {
    /// The object after the change, or as it was before its removal.
    pub(super) object: Object,
    /// The change removed the object.
    pub(super) removed: bool,
}

/// An attempt, ready to be written.
struct Attempted {
    key: String,
    old: Option<Object>,
    /// The new version; the old one if it is removed.
    new: Object,
    remove: bool,
    claims: Claims,
    beside: Vec<(Object, Object)>,
}

/// The result of preparing an attempt.
enum Prepared {
    /// The request is done: executed earlier, or nothing changes.
    Done(Changed),
    Ready(Box<Attempted>),
}

/// The result of writing an attempt.
enum Tried {
    Written(Changed),
    /// The object has changed since it was read.
    Overtaken,
    /// Another write took an address or a quota: the change can be retried.
    Again,
}

/// One round of the loop.
#[derive(Clone, Copy)]
struct Round {
    /// The request's.
    id: RequestId,
    number: usize,
    /// The freshness of the object that is read.
    freshness: Freshness,
    /// Whether to look for the result of an earlier request with the same ID.
    may_repeat: bool,
}

impl Job<'_> {
    fn attempt(&self, number: usize) -> Attempt {
        match self.start {
            Start::Nothing => Attempt::Create(number),
            Start::Own | Start::MostRecent => Attempt::Change(number),
        }
    }

    /// The error of a change whose object another write has taken; `None` if it may try again.
    fn overtaken(&self) -> Option<Error> {
        let ResourceRef { kind, name, .. } = self.resource;
        match self.start {
            // A generated name has been taken: the next one is another.
            Start::Nothing if name.is_empty() => None,
            Start::Nothing => Some(Error::already_exists(*kind, name)),
            Start::Own | Start::MostRecent if self.version.is_empty() => None,
            Start::Own | Start::MostRecent => Some(Error::modified(*kind, name)),
        }
    }
}

impl Registry {
    /// Reads the object, lets `decide` determine what becomes of it, and writes that if the object has not changed
    /// meanwhile. Otherwise retries, unless the caller requires a resource version.
    pub(super) async fn change(
        &self,
        job: &Job<'_>,
        mut decide: impl FnMut(Option<&Object>, &Moment) -> Result<Decided, Error>,
    ) -> Result<Changed, Error> {
        let id = job.options.request_id.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        // Most objects are up to date on this member, and the comparison in the store detects those that are not.
        // Deciding from local state avoids a quorum read. Only a successful write counts; otherwise, decide again.
        let starts_here = job.start == Start::Own && job.version.is_empty();
        let own = Round { id, number: 0, freshness: Freshness::Any, may_repeat: false };
        if starts_here
            && let Ok(Prepared::Ready(attempted)) = self.prepare(job, own, &mut decide).await
            && let Tried::Written(changed) = self.try_write(job, own, *attempted).await?
        {
            return Ok(changed);
        }
        let (first, freshness) = (usize::from(starts_here), Freshness::of_get(job.version)?);
        for number in first..ATTEMPTS {
            let round = Round { id, number, freshness, may_repeat: number == first };
            let attempted = match self.prepare(job, round, &mut decide).await? {
                Prepared::Done(changed) => return Ok(changed),
                Prepared::Ready(attempted) => *attempted,
            };
            match self.try_write(job, round, attempted).await? {
                Tried::Written(changed) => return Ok(changed),
                Tried::Overtaken => job.overtaken().map_or(Ok(()), Err)?,
                Tried::Again => {}
            }
        }
        Err(Error::modified(job.resource.kind, &job.resource.name))
    }

    /// Reads the object and decides.
    async fn prepare(
        &self,
        job: &Job<'_>,
        round: Round,
        decide: &mut impl FnMut(Option<&Object>, &Moment) -> Result<Decided, Error>,
    ) -> Result<Prepared, Error> {
        let old = match job.start {
            Start::Nothing => None,
            Start::Own | Start::MostRecent => match self.read(job.resource, round).await? {
                Read::Found(old) => Some(*old),
                Read::Done(Done { object, deleted }) => {
                    return Ok(Prepared::Done(Changed { object, removed: deleted }));
                }
            },
        };
        admission::restrict_node(&job.options.caller, job.resource, old.as_ref())?;
        if let Some(old) = &old
            && !job.version.is_empty()
            && old.meta().resource_version != job.version
            && !Mutant::NoConflicts.is_on()
        {
            return Err(Error::modified(job.resource.kind, &job.resource.name));
        }
        let uid = if old.is_none() { Uuid::new_v4().to_string() } else { String::new() };
        let seed = job.attempt(round.number).seed(round.id);
        let moment = Moment { now: self.now(), state: self.member().view().state(), seed, uid };
        let decided = decide(old.as_ref(), &moment)?;
        self.settle(job, old, decided, moment.now)
    }

    /// Completes a decided object: its owner, its counted quota, its claims, its key.
    fn settle(
        &self,
        job: &Job<'_>,
        old: Option<Object>,
        Decided { fate, beside }: Decided,
        now: Timestamp,
    ) -> Result<Prepared, Error> {
        let (new, remove, claims) = match (fate, &old) {
            (Fate::Store(new), _) => {
                let mut new = *new;
                admission::restrict_node_change(&job.options.caller, job.resource, old.as_ref(), &new)?;
                self.refuse_escalation(&job.options.caller, old.as_ref(), &new)?;
                note_owner(old.as_ref(), &mut new, job.resource, job.options, now);
                new.meta_mut().resource_version.clear();
                self.count_quota(&mut new, old.as_ref())?;
                let claims = self.claim_addresses(&mut new, old.as_ref())?;
                let remove = nothing_holds(&new);
                (new, remove, claims)
            }
            (Fate::Remove, Some(old)) => (old.clone(), true, Claims::default()),
            (Fate::Keep, Some(old)) => {
                return Ok(Prepared::Done(Changed { object: old.clone(), removed: false }));
            }
            (Fate::Remove | Fate::Keep, None) => {
                return Err(Error::not_found(job.resource.kind, &job.resource.name));
            }
        };
        if let Some(old) = &old
            && !remove
            && beside.is_empty()
            && is_same(&new, old)
        {
            return Ok(Prepared::Done(Changed { object: old.clone(), removed: false }));
        }
        let key = keys::object(new.kind(), &new.meta().namespace, &new.meta().name);
        Ok(Prepared::Ready(Box::new(Attempted { key, old, new, remove, claims, beside })))
    }

    /// Charges an attempt and writes it, if everything that it was decided from is still the same.
    async fn try_write(
        &self,
        job: &Job<'_>,
        Round { id, number, .. }: Round,
        attempted: Attempted,
    ) -> Result<Tried, Error> {
        let Attempted { key, old, new, remove, claims, beside } = attempted;
        let charges = match self.charge(old.as_ref(), (!remove).then_some(&new), number).await {
            Ok(charges) => charges,
            // An earlier attempt of this very request may have used up the quota.
            Err(refusal) => {
                let state = self.state(Freshness::MostRecent).await?;
                let Done { object, deleted } = self
                    .done_before(id, Expected { kind: new.kind(), version: new.version() }, &key, &state)?
                    .ok_or(refusal)?;
                return Ok(Tried::Written(Changed { object, removed: deleted }));
            }
        };
        let read_at: Revision = old.as_ref().map_or(Ok(0), revision_of)?;
        let writes = if remove { removal(&key, &new) } else { vec![put(&key, &new)] };
        let mut change = Draft { compares: vec![at(&key, read_at)], writes };
        // Rules that have been replaced meanwhile decide nothing.
        let rules =
            new.version().filter(|_| !remove).map(|version| at(&definition_key(new.kind()), version.revision()));
        change.compares.extend(rules);
        let guards = change.compares.len();
        change.writes.extend(super::fence::put(&new).filter(|_| !remove));
        claims.add_to(&mut change);
        for (read, written) in &beside {
            let key = keys::object(read.kind(), &read.meta().namespace, &read.meta().name);
            change.compares.push(at(&key, revision_of(read)?));
            change.writes.push(put(&key, written));
        }
        charges.add_to(&mut change)?;
        match self.write(change, id, job.attempt(number), job.options).await? {
            Written::At(revision) if remove => {
                Ok(Tried::Written(Changed { object: versioned(new, revision), removed: true }))
            }
            Written::At(revision) => {
                let object = self.as_written(&key, new, revision, job.options)?;
                Ok(Tried::Written(Changed { object, removed: false }))
            }
            Written::Refused(0) => Ok(Tried::Overtaken),
            Written::Refused(place) if place < guards => Err(changed(new.kind())),
            Written::Refused(place) => claims.refused(place.saturating_sub(guards), &new).map(|()| Tried::Again),
        }
    }

    /// Reads the object. If the request was already executed, returns its result.
    async fn read(&self, resource: &ResourceRef, round: Round) -> Result<Read, Error> {
        let key = resource.key()?;
        let state = self.state(round.freshness).await?;
        if round.may_repeat
            && let Some(done) = self.done_before(round.id, resource.into(), &key, &state)?
        {
            return Ok(Read::Done(done));
        }
        let entry = state.get(&key).ok_or_else(|| Error::not_found(resource.kind, &resource.name))?;
        Ok(Read::Found(Box::new(decode_stored(resource, entry)?)))
    }
}

/// The result of reading an object for a change.
enum Read {
    Found(Box<Object>),
    /// The request was already executed.
    Done(Done),
}

/// Whether nothing changes; the new object has no resource version.
fn is_same(new: &Object, old: &Object) -> bool {
    let mut old = old.clone();
    old.meta_mut().resource_version.clear();
    *new == old
}

/// Whether nothing holds the object any longer: it is being deleted, and its finalizers and grace period are gone.
fn nothing_holds(object: &Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_some()
        && !admission::has_finalizers(object)
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
}
