//! The verbs that change objects: each is a pure decision for the loop in `change`.

use prost::Message;
use prost_types::Any;
use serde_json::Value;
use squall_api::apply::OnConflict;
use squall_api::autoscaling::v1::Scale;
use squall_api::decode::Decoded;
use squall_api::error::Reason;
use squall_api::metav1::v1::Time;
use squall_api::patch::Patch;
use squall_api::{Error, Kind, Object};
use squall_proto::TYPE_PREFIX;

use super::change::{Changed, Decided, Fate, Job, Start};
use super::{Freshness, Registry, decode_stored};
use crate::admission::{self, Birth, DeleteOptions, Deletion};
use crate::keys;
use crate::request::{Ownership, ResourceRef, Subresource, WriteOptions};

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
    pub async fn create(
        &self,
        resource: &ResourceRef,
        decoded: Decoded,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        if !resource.subresource.is_whole() {
            return Err(resource.refuses("create"));
        }
        if resource.version.as_ref().is_some_and(|version| version.is_terminating()) {
            return Err(Error::terminating_definition(resource.kind));
        }
        let Decoded { mut object, mut warnings } = decoded;
        in_namespace(&mut object, &resource.namespace)?;
        self.check_namespace(&object).await?;
        self.admit_pod(&mut object).await?;
        let named = ResourceRef::object(resource.kind, &resource.namespace, &object.meta().name);
        let job = Job { resource: &named, options, start: Start::Nothing, version: "" };
        let created = self.change(&job, |_, moment| {
            let birth = Birth { uid: moment.uid.clone(), now: moment.now, seed: moment.seed };
            Ok(admission::create(object.clone(), &birth)?.into())
        });
        match created.await {
            Ok(Changed { object, .. }) => {
                warnings.extend(object.warnings(None));
                Ok(Reply { created: true, ..Reply::of(&object, warnings) })
            }
            // No attempt found a free name.
            Err(error) if error.is(Reason::Conflict) && object.meta().name.is_empty() => {
                Err(Error::already_exists(resource.kind, &object.meta().generate_name))
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces an object or its status. Creates a missing object, for kinds that allow it.
    pub async fn update(
        &self,
        resource: &ResourceRef,
        decoded: Decoded,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let mut new = decoded;
        let (object, mut warnings) = (&mut new.object, Vec::new());
        in_namespace(object, &resource.namespace)?;
        if object.meta().name.is_empty() {
            resource.name.clone_into(&mut object.meta_mut().name);
        }
        if object.meta().name != resource.name {
            return Err(Error::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                object.meta().name,
                resource.name
            )));
        }
        let version = object.meta().resource_version.clone();
        let job = Job { resource, options, start: Start::Own, version: &version };
        let result = self.change_part(&job, |old| {
            let stored = store_part(resource, "update", new.clone(), old)?;
            warnings = stored.warnings;
            Ok(stored.object)
        });
        match result.await {
            Err(error) if error.is(Reason::NotFound) && creates(resource, &new.object) => {
                may_create(options)?;
                new.object.meta_mut().resource_version.clear();
                Box::pin(self.create(resource, new, options)).await
            }
            other => other.map(|object| Reply::of(&object, warnings)),
        }
    }

    /// Applies a patch to an object, its status or its scale.
    pub async fn patch(&self, resource: &ResourceRef, patch: &Patch, options: &WriteOptions) -> Result<Reply, Error> {
        let mut warnings = Vec::new();
        let job = Job { resource, options, start: Start::Own, version: "" };
        let patched = self.change_part(&job, |old| {
            if resource.subresource == Subresource::Scale {
                return patch_scale(old, patch);
            }
            let decoded = admission::patch(old, patch, options.validation)?;
            if decoded.object.meta().resource_version != old.meta().resource_version {
                return Err(Error::modified(old.kind(), &old.meta().name));
            }
            let stored = store_part(resource, "patch", decoded, old)?;
            warnings = stored.warnings;
            Ok(stored.object)
        });
        let object = patched.await?;
        reply_of_part(resource, object, warnings)
    }

    /// Sets the number of replicas.
    pub async fn update_scale(
        &self,
        resource: &ResourceRef,
        scale: &Scale,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let job = Job { resource, options, start: Start::Own, version: &scale.metadata.resource_version };
        let object = self.change_part(&job, |old| admission::set_scale(old, scale.spec.replicas)).await?;
        reply_of_part(resource, object, Vec::new())
    }

    /// Applies a configuration to an object and creates the object if it is missing.
    pub async fn apply(
        &self,
        resource: &ResourceRef,
        config: &Value,
        on_conflict: OnConflict,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        let noted = WriteOptions { ownership: Ownership::Noted, ..options.clone() };
        let manager = |now| (options.field_manager.as_str(), resource.subresource.as_str(), Time::from_timestamp(now));
        let mut warnings = Vec::new();
        let job = Job { resource, options: &noted, start: Start::Own, version: "" };
        let applied = self.change(&job, |old, moment| {
            let old = stored(old, resource)?;
            let decoded = admission::apply(old, config, manager(moment.now), on_conflict, options.validation)?;
            let stored = store_part(resource, "apply", decoded, old)?;
            warnings = stored.warnings;
            Ok(stored.object.into())
        });
        match applied.await {
            Err(error) if error.is(Reason::NotFound) && resource.subresource.is_whole() => {
                may_create(options)?;
                let decoded = admission::apply_to_nothing(resource, config, manager(self.now()), options.validation)?;
                self.create(resource, decoded, &noted).await
            }
            other => other.map(|changed| Reply::of(&changed.object, warnings)),
        }
    }

    /// Binds a pod to a node.
    pub async fn bind(&self, resource: &ResourceRef, node: &str, options: &WriteOptions) -> Result<Reply, Error> {
        let job = Job { resource, options, start: Start::Own, version: "" };
        let bound = self.change(&job, |old, moment| match stored(old, resource)? {
            Object::Pod(pod) => Ok(Object::from(admission::bind(pod, node, moment.now)?).into()),
            _ => Err(resource.refuses("create")),
        });
        Ok(Reply::of(&bound.await?.object, Vec::new()))
    }

    /// Deletes an object, or marks it for deletion.
    pub async fn delete(
        &self,
        resource: &ResourceRef,
        delete: &DeleteOptions,
        version: &str,
        options: &WriteOptions,
    ) -> Result<Reply, Error> {
        // A mark changes no fields of the caller's own.
        let noted = WriteOptions { ownership: Ownership::Noted, ..options.clone() };
        let job = Job { resource, options: &noted, start: Start::MostRecent, version };
        let deleted = self.change(&job, |old, moment| {
            let deletion = admission::delete(stored(old, resource)?, delete, moment.now)?;
            Ok(fate_of(deletion).into())
        });
        let Changed { object, removed } = deleted.await?;
        Ok(Reply { deleted: removed, ..Reply::of(&object, Vec::new()) })
    }

    /// Changes a part of a stored object, and returns the object.
    pub(super) async fn change_part(
        &self,
        job: &Job<'_>,
        mut decide: impl FnMut(&Object) -> Result<Object, Error>,
    ) -> Result<Object, Error> {
        let changed = self.change(job, |old, _| decide(stored(old, job.resource)?).map(Decided::from));
        Ok(changed.await?.object)
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

/// The stored object of a verb that needs one.
pub(super) fn stored<'a>(old: Option<&'a Object>, resource: &ResourceRef) -> Result<&'a Object, Error> {
    old.ok_or_else(|| Error::not_found(resource.kind, &resource.name))
}

/// The fate of an object that is to be deleted.
pub(super) fn fate_of(deletion: Deletion) -> Fate {
    match deletion {
        Deletion::Nothing => Fate::Keep,
        Deletion::Mark(new) => Fate::Store(new),
        Deletion::Remove => Fate::Remove,
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

/// Kubernetes: an update or an apply that creates the object needs that permission, too.
fn may_create(options: &WriteOptions) -> Result<(), Error> {
    options.no_creation.clone().map_or(Ok(()), Err)
}

/// Kubernetes: a PUT creates missing objects of some kinds.
fn creates(resource: &ResourceRef, new: &Object) -> bool {
    resource.subresource.is_whole() && resource.kind.info().create_on_update && new.meta().uid.is_empty()
}

/// Returns the object to store when `new` replaces the part of `old` that the resource names, and all warnings.
fn store_part(resource: &ResourceRef, verb: &str, new: Decoded, old: &Object) -> Result<Decoded, Error> {
    let Decoded { object: new, mut warnings } = new;
    let object = match resource.subresource {
        Subresource::Whole => {
            let object = admission::update(new, old)?;
            warnings.extend(object.warnings(Some(old)));
            Ok(object)
        }
        Subresource::Status => admission::update_status(new, old),
        Subresource::Finalize => admission::finalize(new, old),
        Subresource::Scale
        | Subresource::Binding
        | Subresource::Eviction
        | Subresource::Token
        | Subresource::Log
        | Subresource::Proxy(_)
        | Subresource::Unknown(_) => Err(resource.refuses(verb)),
    };
    Ok(Decoded { object: object?, warnings })
}

fn reply_of_part(resource: &ResourceRef, mut object: Object, warnings: Vec<String>) -> Result<Reply, Error> {
    if resource.subresource == Subresource::Scale {
        return Ok(Reply { object: scale_any(&mut object)?, warnings, deleted: false, created: false });
    }
    Ok(Reply::of(&object, warnings))
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
