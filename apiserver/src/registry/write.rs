//! The verbs that change objects.

use jiff::Timestamp;
use prost::Message;
use prost_types::Any;
use serde_json::Value;
use squall_api::autoscaling::v1::Scale;
use squall_api::decode::{Decoded, FieldValidation};
use squall_api::error::Reason;
use squall_api::metav1::v1::Time;
use squall_api::patch::Patch;
use squall_api::{Error, Kind, Object, apply};
use squall_daemon::identity::Caller;
use squall_proto::TYPE_PREFIX;
use uuid::Uuid;

use super::change::{Change, Read, Written, at, put, removal, revision_of, versioned};
use super::fence::Fence;
use super::repeated::{ATTEMPTS, Attempt, Done};
use super::{Freshness, Registry, Resource, decode_stored};
use crate::admission::{self, Birth, DeleteOptions, Deletion};
use crate::keys;
use crate::store::RequestId;

/// The options of a write.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// Identifies a repeated request; the server generates one if it is missing.
    pub request_id: Option<RequestId>,
    /// Election that must still be the latest one.
    pub fence: Option<Fence>,
    /// How to treat unknown fields.
    pub validation: FieldValidation,
    /// Whether to do everything except the write.
    pub dry_run: bool,
    /// Identity that the server writes for.
    pub caller: Caller,
    /// Recorded as the owner of the written fields; empty for no owner.
    pub field_manager: String,
    /// Whether the write still has to record its owner.
    pub ownership: Ownership,
}

/// How a write changes the ownership of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// The manager owns the fields that it changes.
    #[default]
    Changed,
    /// Apply has already recorded the owner.
    Noted,
}

/// The reply to a write.
#[derive(Debug)]
pub struct Reply {
    /// The object after the write, or as it was before its removal.
    pub object: Any,
    /// Messages for the user.
    pub warnings: Vec<String>,
    /// Whether the object is gone.
    pub deleted: bool,
    /// Whether the object is new.
    pub created: bool,
}

impl Reply {
    pub(super) fn of(object: &Object, warnings: Vec<String>) -> Self {
        Self { object: object.to_any(), warnings, deleted: false, created: false }
    }
}

impl Registry {
    /// Creates an object.
    pub async fn create(&self, resource: &Resource, decoded: Decoded, options: &WriteOptions) -> Result<Reply, Error> {
        if !resource.subresource.is_empty() {
            return Err(Error::method_not_allowed(
                "create",
                &format!("{}/{}", resource.kind.info().plural, resource.subresource),
            ));
        }
        let Decoded { mut object, warnings } = decoded;
        in_namespace(&mut object, &resource.namespace)?;
        let named = Resource { name: object.meta().name.clone(), ..resource.clone() };
        admission::restrict_node(&options.caller, &named, None)?;
        self.check_namespace(&object).await?;
        let generated = object.meta().name.is_empty();
        let id = options.request_id.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        for number in 0..ATTEMPTS {
            let attempt = Attempt::Create(number);
            let birth = Birth { uid: Uuid::new_v4().to_string(), now: (self.inner.clock)(), seed: attempt.seed(id) };
            let mut new = admission::create(object.clone(), &birth)?;
            note_owner(None, &mut new, resource, options, birth.now);
            self.count_quota(&mut new, None)?;
            let claims = self.claim_addresses(&mut new, None)?;
            let key = keys::object(new.kind(), &new.meta().namespace, &new.meta().name);
            let charges = match self.charge(None, Some(&new), number).await {
                Ok(charges) => charges,
                // An earlier attempt of this very request may have used up the quota.
                Err(refusal) => {
                    let state = self.state(Freshness::MostRecent).await?;
                    let Done { object, .. } = self.done_before(id, new.kind(), &key, &state)?.ok_or(refusal)?;
                    return Ok(Reply { created: true, ..Reply::of(&object, warnings) });
                }
            };
            let mut change = Change { compares: vec![at(&key, 0)], writes: vec![put(&key, &new)] };
            change.writes.extend(Fence::of(&new).map(|fence| fence.put()));
            claims.add_to(&mut change);
            charges.add_to(&mut change)?;
            match self.write(change, id, attempt, options).await? {
                Written::At(revision) => {
                    let object = self.as_written(&key, new, revision, options)?;
                    return Ok(Reply { created: true, ..Reply::of(&object, warnings) });
                }
                Written::Refused(0) if generated => {}
                Written::Refused(0) => return Err(Error::already_exists(new.kind(), &new.meta().name)),
                // The comparisons after the claims are those of quotas, which are charged again.
                Written::Refused(place) => claims.refused(place - 1, &object)?,
            }
        }
        Err(if generated {
            Error::already_exists(resource.kind, &object.meta().generate_name)
        } else {
            Error::modified(resource.kind, &object.meta().name)
        })
    }

    /// Replaces an object or its status. Creates a missing object, for kinds that allow it.
    pub async fn update(&self, resource: &Resource, decoded: Decoded, options: &WriteOptions) -> Result<Reply, Error> {
        let Decoded { object: mut new, warnings } = decoded;
        in_namespace(&mut new, &resource.namespace)?;
        if new.meta().name.is_empty() {
            resource.name.clone_into(&mut new.meta_mut().name);
        }
        if new.meta().name != resource.name {
            return Err(Error::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                new.meta().name,
                resource.name
            )));
        }
        let version = new.meta().resource_version.clone();
        let result =
            self.change(resource, &version, options, |old| store_part(resource, "update", new.clone(), old)).await;
        match result {
            Err(error) if error.is(Reason::NotFound) && creates(resource, &new) => {
                new.meta_mut().resource_version.clear();
                Box::pin(self.create(resource, Decoded { object: new, warnings }, options)).await
            }
            other => other.map(|object| Reply::of(&object, warnings)),
        }
    }

    /// Applies a patch to an object, its status or its scale.
    pub async fn patch(&self, resource: &Resource, patch: &Patch, options: &WriteOptions) -> Result<Reply, Error> {
        let mut warnings = Vec::new();
        let object = self
            .change(resource, "", options, |old| {
                if resource.subresource == "scale" {
                    return patch_scale(old, patch);
                }
                let decoded = admission::patch(old, patch, options.validation)?;
                warnings = decoded.warnings;
                if decoded.object.meta().resource_version != old.meta().resource_version {
                    return Err(Error::modified(old.kind(), &old.meta().name));
                }
                store_part(resource, "patch", decoded.object, old)
            })
            .await?;
        reply_of_part(resource, object, warnings)
    }

    /// Sets the number of replicas.
    pub async fn update_scale(
        &self,
        resource: &Resource,
        scale: &Scale,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let version = &scale.metadata.resource_version;
        let object =
            self.change(resource, version, options, |old| admission::set_scale(old, scale.spec.replicas)).await?;
        reply_of_part(resource, object, Vec::new())
    }

    /// Applies a configuration to an object and creates the object if it is missing.
    pub async fn apply(
        &self,
        resource: &Resource,
        config: &Value,
        force: bool,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let noted = WriteOptions { ownership: Ownership::Noted, ..options.clone() };
        let manager =
            |now: Timestamp| (options.field_manager.as_str(), resource.subresource.as_str(), Time::from_timestamp(now));
        let mut warnings = Vec::new();
        let changed = self
            .change(resource, "", &noted, |old| {
                let decoded = admission::apply(old, config, manager((self.inner.clock)()), force, options.validation)?;
                warnings = decoded.warnings;
                store_part(resource, "apply", decoded.object, old)
            })
            .await;
        match changed {
            Err(error) if error.is(Reason::NotFound) && resource.subresource.is_empty() => {
                let who = manager((self.inner.clock)());
                let decoded = admission::apply_to_nothing(resource, config, who, options.validation)?;
                self.create(resource, decoded, &noted).await
            }
            other => other.map(|object| Reply::of(&object, warnings)),
        }
    }

    /// Binds a pod to a node.
    pub async fn bind(&self, resource: &Resource, node: &str, options: &WriteOptions) -> Result<Reply, Error> {
        let bound = self
            .change(resource, "", options, |old| match old {
                Object::Pod(pod) => admission::bind(pod, node, (self.inner.clock)()).map(Object::from),
                other => Err(Error::method_not_allowed("create", &format!("{}/binding", other.kind().info().plural))),
            })
            .await?;
        Ok(Reply::of(&bound, Vec::new()))
    }

    /// Deletes an object, or marks it for deletion.
    pub async fn delete(
        &self,
        resource: &Resource,
        delete: &DeleteOptions,
        version: &str,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let key = resource.key()?;
        let id = options.request_id.unwrap_or_else(|| Uuid::new_v4().into_bytes());
        for attempt in 0..ATTEMPTS {
            let old = match self.read(resource, version, (attempt == 0).then_some(id)).await? {
                Read::Found(old) => *old,
                Read::Done(Done { object, deleted }) => {
                    return Ok(Reply { deleted, ..Reply::of(&object, Vec::new()) });
                }
            };
            let read_at = revision_of(&old)?;
            admission::restrict_node(&options.caller, resource, Some(&old))?;
            if !version.is_empty() && old.meta().resource_version != version {
                return Err(Error::modified(resource.kind, &resource.name));
            }
            let (new, deleted) = match admission::delete(&old, delete, (self.inner.clock)())? {
                Deletion::Nothing => return Ok(Reply::of(&old, Vec::new())),
                Deletion::Mark(new) => (*new, false),
                Deletion::Remove => (old.clone(), true),
            };
            let charges = self.charge(Some(&old), (!deleted).then_some(&new), attempt).await?;
            let mut change = if deleted {
                Change { compares: vec![at(&key, read_at)], writes: removal(&key, &old) }
            } else {
                Change { compares: vec![at(&key, read_at)], writes: vec![put(&key, &new)] }
            };
            charges.add_to(&mut change)?;
            if let Written::At(revision) = self.write(change, id, Attempt::Change(attempt), options).await? {
                let new =
                    if deleted { versioned(new, revision) } else { self.as_written(&key, new, revision, options)? };
                return Ok(Reply { deleted, ..Reply::of(&new, Vec::new()) });
            }
        }
        Err(Error::modified(resource.kind, &resource.name))
    }

    /// Checks that the object's namespace exists and is not being deleted.
    async fn check_namespace(&self, object: &Object) -> Result<(), Error> {
        let (kind, meta) = (object.kind(), object.meta());
        if !kind.info().is_namespaced() {
            return Ok(());
        }
        let key = keys::object(Kind::Namespace, "", &meta.namespace);
        let mut state = self.member().view().state();
        if state.get(&key).is_none() {
            state = self.state(Freshness::MostRecent).await?;
        }
        let entry = state.get(&key).ok_or_else(|| Error::not_found(Kind::Namespace, &meta.namespace))?;
        match decode_stored(Kind::Namespace, entry)?.meta().deletion_timestamp {
            Some(_) => Err(Error::namespace_terminating(kind, &meta.name, &meta.namespace)),
            None => Ok(()),
        }
    }
}

fn in_namespace(object: &mut Object, namespace: &str) -> Result<(), Error> {
    let meta = object.meta_mut();
    if meta.namespace.is_empty() {
        namespace.clone_into(&mut meta.namespace);
    }
    if meta.namespace == namespace {
        return Ok(());
    }
    Err(Error::bad_request("the namespace of the provided object does not match the namespace sent on the request"))
}

/// Kubernetes: a PUT creates missing objects of some kinds.
fn creates(resource: &Resource, new: &Object) -> bool {
    resource.subresource.is_empty() && resource.kind.info().create_on_update && new.meta().uid.is_empty()
}

/// Records the owner of the written fields, unless that has been done.
pub(super) fn note_owner(
    old: Option<&Object>,
    new: &mut Object,
    resource: &Resource,
    options: &WriteOptions,
    now: Timestamp,
) {
    if options.ownership == Ownership::Noted {
        return;
    }
    let now = Time::from_timestamp(now);
    let manager = apply::Manager { name: &options.field_manager, subresource: &resource.subresource, now };
    apply::updated(old, new, &manager);
}

/// Returns the object to store when `new` replaces the part of `old` that the resource names.
fn store_part(resource: &Resource, verb: &str, new: Object, old: &Object) -> Result<Object, Error> {
    match (resource.subresource.as_str(), resource.kind) {
        ("", _) => admission::update(new, old),
        ("status", _) => admission::update_status(new, old),
        ("finalize", Kind::Namespace) => admission::finalize(new, old),
        (other, kind) => Err(Error::method_not_allowed(verb, &format!("{}/{other}", kind.info().plural))),
    }
}

fn reply_of_part(resource: &Resource, mut object: Object, warnings: Vec<String>) -> Result<Reply, Error> {
    match resource.subresource.as_str() {
        "scale" => Ok(Reply { object: scale_any(&mut object)?, warnings, deleted: false, created: false }),
        _ => Ok(Reply::of(&object, warnings)),
    }
}

fn patch_scale(old: &Object, patch: &Patch) -> Result<Object, Error> {
    let mut copy = old.clone();
    let unsupported = || Error::method_not_allowed("patch", &format!("{}/scale", old.kind().info().plural));
    let scale = admission::scale_of(&mut copy).ok_or_else(unsupported)?;
    let patched = admission::patch_scale(&scale, patch)?;
    if patched.metadata.resource_version != scale.metadata.resource_version {
        return Err(Error::modified(old.kind(), &old.meta().name));
    }
    admission::set_scale(old, patched.spec.replicas)
}

/// Returns the scale of an object, ready to send.
pub(super) fn scale_any(object: &mut Object) -> Result<Any, Error> {
    let plural = object.kind().info().plural;
    let scale =
        admission::scale_of(object).ok_or_else(|| Error::method_not_allowed("get", &format!("{plural}/scale")))?;
    Ok(Any { type_url: format!("{TYPE_PREFIX}autoscaling.v1.Scale"), value: scale.encode_to_vec() })
}
