//! The verbs that change objects.

use bytes::Bytes;
use futures_util::future::join_all;
use prost::Message;
use prost_types::Any;
use squall_api::apply::OnConflict;
use squall_api::authentication::v1::TokenRequest;
use squall_api::autoscaling::v1::Scale;
use squall_api::core::v1::Binding;
use squall_api::error::Reason;
use squall_api::field::{Errors, Path};
use squall_api::patch::{self, Patch, PatchType, Problem};
use squall_api::policy::v1::Eviction;
use squall_api::{Error, Kind, Object};
use squall_proto::TYPE_PREFIX;

use super::{Body, Handlers, ListQuery};
use crate::admission::DeleteOptions;
use crate::authorization::Verb;
use crate::heavy::elsewhere;
use crate::registry::{Reply, decode_stored};
use crate::request::{ResourceRef, Subresource, WriteOptions};
use crate::store::RequestId;

/// A patch as the client sent it.
#[derive(Debug, Clone)]
pub struct PatchBody {
    /// Media type, which selects the patch format.
    pub content_type: String,
    /// Patch document, not decoded yet.
    pub bytes: Bytes,
    /// The treatment of fields that others own, for an apply.
    pub on_conflict: OnConflict,
}

/// The options and preconditions of a delete.
#[derive(Debug, Clone, Default)]
pub struct Deleting {
    /// Grace period, propagation policy and required uid.
    pub options: DeleteOptions,
    /// Required resource version; empty for any.
    pub version: String,
}

impl PatchBody {
    /// Returns the length of the document in bytes.
    fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn no_manager() -> Error {
    let mut errors = Errors::default();
    errors.required(&Path::new("fieldManager"), "is required for apply patch");
    Error::invalid_request("meta.k8s.io", "PatchOptions", &errors)
}

/// The message of a token request.
pub const TOKEN_REQUEST: &str = "authentication.v1.TokenRequest";
/// How often a write is tried with the rules of another definition.
const DEFINITION_ATTEMPTS: usize = 5;
/// Maximum number of events in one call.
const MAX_RECORDED: usize = 256;

/// Derives the ID of one of a request's writes. A repeated request derives the same IDs.
fn numbered(mut id: RequestId, number: usize) -> RequestId {
    for (byte, add) in id.iter_mut().rev().zip(number.to_le_bytes()) {
        *byte ^= add;
    }
    id
}

impl Handlers {
    /// Runs a write with a body of this length on this thread or, if it is heavy, on the one for such.
    async fn placed(
        &self,
        resource: &ResourceRef,
        bytes: usize,
        write: impl Future<Output = Result<Reply, Error>> + Send + 'static,
    ) -> Result<Reply, Error> {
        match self.registry.heavy_thread(resource, bytes) {
            None => write.await,
            Some(heavy) => {
                let written = elsewhere(heavy, write).await;
                written.unwrap_or_else(|| Err(Error::unavailable("this apiserver is shutting down")))
            }
        }
    }

    /// Writes by the rules of the most recent definition of a custom kind: as long as these are others than those that
    /// a write went by, it is made again. The store refuses a write by rules that have been replaced.
    async fn current<W: Future<Output = Result<Reply, Error>>>(
        &self,
        resource: &ResourceRef,
        write: impl Fn(ResourceRef) -> W,
    ) -> Result<Reply, Error> {
        let mut resource = resource.clone();
        for _ in 1..DEFINITION_ATTEMPTS {
            match write(resource.clone()).await {
                // It may have been done: another attempt could do it twice.
                Err(error) if resource.version.is_some() && !error.is(Reason::Timeout) => {
                    match self.registry.renewed(&resource).await? {
                        Some(renewed) => resource = renewed,
                        None => return Err(error),
                    }
                }
                other => return other,
            }
        }
        write(resource).await
    }

    /// Creates an object, or binds or evicts a pod.
    pub async fn create(&self, resource: &ResourceRef, body: Body, options: WriteOptions) -> Result<Reply, Error> {
        self.authorize(Verb::Create, resource)?;
        self.registry.know_roles(resource.kind).await?;
        self.current(resource, |whole| {
            let (handlers, body, options, bytes) = (self.clone(), body.clone(), options.clone(), body.len());
            let here = whole.clone();
            async move {
                let write = async move { handlers.create_here(&here, body, options).await };
                self.placed(&whole, bytes, write).await
            }
        })
        .await
    }

    async fn create_here(&self, resource: &ResourceRef, body: Body, options: WriteOptions) -> Result<Reply, Error> {
        let options = self.on_behalf(options);
        match resource.subresource {
            Subresource::Binding => {
                let binding: Binding = body.message("core.v1.Binding")?;
                if binding.target.name.is_empty() {
                    return Err(Error::bad_request("target.name: Required value"));
                }
                self.registry.bind(resource, &binding.target.name, &options).await
            }
            Subresource::Eviction => {
                let eviction: Eviction = body.message("policy.v1.Eviction")?;
                let given = eviction.delete_options.unwrap_or_default();
                let how = DeleteOptions {
                    grace_period: given.grace_period_seconds,
                    propagation: given.propagation_policy.unwrap_or_default(),
                    uid: given.preconditions.and_then(|preconditions| preconditions.uid).unwrap_or_default(),
                };
                let dry_run = options.dry_run || !given.dry_run.is_empty();
                self.registry.evict(resource, &how, &WriteOptions { dry_run, ..options }).await
            }
            Subresource::Token => {
                let asked: TokenRequest = body.message(TOKEN_REQUEST)?;
                let issued = self.registry.issue_token(resource, asked, self.caller.node()).await?;
                let object = Any { type_url: format!("{TYPE_PREFIX}{TOKEN_REQUEST}"), value: issued.encode_to_vec() };
                Ok(Reply { object, warnings: Vec::new(), deleted: false, created: true })
            }
            Subresource::Whole
            | Subresource::Status
            | Subresource::Scale
            | Subresource::Finalize
            | Subresource::Log
            | Subresource::Proxy(_)
            | Subresource::Unknown(_) => {
                let decoded = body.object(resource, options.validation)?;
                self.registry.create(resource, decoded, &options).await
            }
        }
    }

    /// Creates events concurrently, so that they are written together. Returns the errors of those that failed.
    pub async fn record(&self, namespace: &str, events: Vec<Any>, id: RequestId) -> Result<Vec<Error>, Error> {
        let events_of = ResourceRef::collection(Kind::Event, namespace);
        self.authorize(Verb::Create, &events_of)?;
        if events.len() > MAX_RECORDED {
            return Err(Error::bad_request(format!("at most {MAX_RECORDED} events can be recorded at once")));
        }
        let creations = events.into_iter().enumerate().map(|(number, event)| {
            let options = WriteOptions { request_id: Some(numbered(id, number)), ..WriteOptions::default() };
            let (options, events_of) = (self.on_behalf(options), &events_of);
            async move {
                let decoded = Body::Object(event).object(Kind::Event, options.validation)?;
                self.registry.create(events_of, decoded, &options).await
            }
        });
        let errors: Vec<Error> = join_all(creations).await.into_iter().filter_map(Result::err).collect();
        // The client retries these errors on another member, which recognizes the events that were already created.
        let elsewhere = |error: &&Error| error.is(Reason::ServiceUnavailable) || error.is(Reason::Timeout);
        match errors.iter().find(elsewhere) {
            Some(error) => Err(error.clone()),
            None => Ok(errors),
        }
    }

    /// Replaces an object, its status or its scale.
    pub async fn update(&self, resource: &ResourceRef, body: Body, options: WriteOptions) -> Result<Reply, Error> {
        self.authorize(Verb::Update, resource)?;
        self.registry.know_roles(resource.kind).await?;
        self.current(resource, |whole| {
            let (handlers, body, options, bytes) = (self.clone(), body.clone(), options.clone(), body.len());
            let here = whole.clone();
            async move {
                let write = async move { handlers.update_here(&here, body, options).await };
                self.placed(&whole, bytes, write).await
            }
        })
        .await
    }

    async fn update_here(&self, resource: &ResourceRef, body: Body, options: WriteOptions) -> Result<Reply, Error> {
        let options = self.creating(resource, options);
        if resource.subresource == Subresource::Scale {
            let scale: Scale = body.message("autoscaling.v1.Scale")?;
            return self.registry.update_scale(resource, &scale, &options).await;
        }
        let decoded = body.object(resource, options.validation)?;
        self.registry.update(resource, decoded, &options).await
    }

    /// Changes a part of an object.
    pub async fn patch(&self, resource: &ResourceRef, body: PatchBody, options: WriteOptions) -> Result<Reply, Error> {
        self.authorize(Verb::Patch, resource)?;
        self.registry.know_roles(resource.kind).await?;
        self.current(resource, |whole| {
            let (handlers, body, options, bytes) = (self.clone(), body.clone(), options.clone(), body.len());
            let here = whole.clone();
            async move {
                let write = async move { handlers.patch_here(&here, body, options).await };
                self.placed(&whole, bytes, write).await
            }
        })
        .await
    }

    async fn patch_here(&self, resource: &ResourceRef, body: PatchBody, options: WriteOptions) -> Result<Reply, Error> {
        let options = self.on_behalf(options);
        if body.content_type == patch::APPLY {
            if options.field_manager.is_empty() {
                return Err(no_manager());
            }
            let options = self.creating(resource, options);
            let config = Body::Yaml(body.bytes).document(resource.kind)?;
            return self.registry.apply(resource, &config, body.on_conflict, &options).await;
        }
        let patch =
            Patch::parse(PatchType::parse(&body.content_type)?, &body.bytes).map_err(|problem| match problem {
                Problem::Malformed(text) | Problem::Inapplicable(text) => Error::bad_request(text),
            })?;
        self.registry.patch(resource, &patch, &options).await
    }

    /// Deletes an object, or marks it for deletion.
    pub async fn delete(&self, resource: &ResourceRef, how: &Deleting, options: WriteOptions) -> Result<Reply, Error> {
        self.authorize(Verb::Delete, resource)?;
        let options = self.on_behalf(options);
        self.registry.delete(resource, &how.options, &how.version, &options).await
    }

    /// Deletes the objects of a collection one after the other and returns them as they were.
    pub async fn delete_collection(
        &self,
        resource: &ResourceRef,
        query: &ListQuery,
        how: &Deleting,
        options: WriteOptions,
    ) -> Result<Vec<Object>, Error> {
        self.authorize(Verb::DeleteCollection, resource)?;
        // The ID is for the whole request: with the same one, all deletes but the first would look like repetitions.
        let options = WriteOptions { request_id: None, ..self.on_behalf(options) };
        let reader = Self { registry: self.registry.clone(), caller: squall_daemon::identity::Caller::server() };
        let listing = reader.list(resource, query, usize::MAX).await?;
        let mut deleted = Vec::new();
        for entry in &listing.entries {
            let object = decode_stored(resource, entry)?;
            let meta = object.meta();
            let one = ResourceRef { namespace: meta.namespace.clone(), name: meta.name.clone(), ..resource.clone() };
            match self.registry.delete(&one, &how.options, &how.version, &options).await {
                Ok(_) => deleted.push(object),
                // Another request deleted it first.
                Err(error) if error.is(Reason::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }

    /// The options of a write that may create the object.
    fn creating(&self, resource: &ResourceRef, options: WriteOptions) -> WriteOptions {
        WriteOptions { no_creation: self.authorize(Verb::Create, resource).err(), ..self.on_behalf(options) }
    }

    fn on_behalf(&self, options: WriteOptions) -> WriteOptions {
        WriteOptions { caller: self.caller.clone(), ..options }
    }
}
