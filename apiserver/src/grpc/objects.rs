//! The service of objects.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use prost::Message;
use squall_api::core::v1::Binding;
use squall_api::decode::{self, Decoded, FieldValidation};
use squall_api::{Error, Kind, Object};
use squall_proto::TYPE_PREFIX;
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::manifest::Encoding;
use squall_proto::squall::api::v1::objects_server::{Objects, ObjectsServer};
use tonic::{Request, Response, Status};

use crate::admission::DeleteOptions;
use crate::registry::{Registry, Reply, Resource, Selection, WriteOptions};
use crate::watch::Watcher;

/// Larger requests are refused (Kubernetes: 3 MiB).
const MAX_REQUEST_BYTES: usize = 3 << 20;

/// Serves objects to clients.
pub struct ObjectsService {
    registry: Registry,
}

impl ObjectsService {
    /// The service of a registry.
    #[must_use]
    pub fn server(registry: Registry) -> ObjectsServer<Self> {
        ObjectsServer::new(Self { registry })
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(usize::MAX)
    }
}

#[tonic::async_trait]
impl Objects for ObjectsService {
    type WatchStream = BoxStream<'static, Result<proto::WatchReply, Status>>;

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let object = self.registry.get(&resource, &request.resource_version).await?;
        Ok(Response::new(proto::ObjectReply { object: Some(object), ..Default::default() }))
    }

    async fn list(&self, request: Request<proto::ListRequest>) -> Result<Response<proto::ListReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let selection = Selection::parse(&resource, &request.label_selector, &request.field_selector)?;
        let (revision, items) = self.registry.list(&selection, &request.resource_version).await?;
        Ok(Response::new(proto::ListReply { resource_version: revision.to_string(), items }))
    }

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let selection = Selection::parse(&resource, &request.label_selector, &request.field_selector)?;
        let watcher =
            Watcher::start(self.registry.clone(), selection, &request.resource_version, request.bookmarks).await?;
        let events = stream::unfold(Some(watcher), |watcher| async move {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(events) => Some((stream::iter(events).map(Ok).left_stream(), Some(watcher))),
                Err(error) => Some((stream::iter([Err(error.into())]).right_stream(), None)),
            }
        });
        Ok(Response::new(events.flatten().boxed()))
    }

    async fn create(&self, request: Request<proto::CreateRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let options = write_options(request.options)?;
        if resource.subresource == "binding" {
            let node = binding_target(request.manifest)?;
            return answer(self.registry.bind(&resource, &node, &options).await);
        }
        let decoded = read_manifest(resource.kind, request.manifest, options.validation)?;
        answer(self.registry.create(&resource, decoded, &options).await)
    }

    async fn update(&self, request: Request<proto::UpdateRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let options = write_options(request.options)?;
        let decoded = read_manifest(resource.kind, request.manifest, options.validation)?;
        answer(self.registry.update(&resource, decoded, &options).await)
    }

    async fn patch(&self, request: Request<proto::PatchRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let options = write_options(request.options)?;
        answer(self.registry.patch(&resource, &request.content_type, &request.patch, &options).await)
    }

    async fn delete(&self, request: Request<proto::DeleteRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let request = request.into_inner();
        let resource = Resource::parse(request.resource)?;
        let options = write_options(request.options)?;
        let delete = DeleteOptions {
            grace_period: request.grace_period_seconds,
            propagation: request.propagation_policy,
            uid: request.precondition_uid,
        };
        answer(self.registry.delete(&resource, &delete, &request.precondition_resource_version, &options).await)
    }
}

fn answer(reply: Result<Reply, Error>) -> Result<Response<proto::ObjectReply>, Status> {
    let reply = reply?;
    Ok(Response::new(proto::ObjectReply {
        object: Some(reply.object),
        warnings: reply.warnings,
        deleted: reply.deleted,
    }))
}

fn write_options(options: Option<proto::WriteOptions>) -> Result<WriteOptions, Error> {
    let options = options.unwrap_or_default();
    let request_id = match options.request_id.as_ref() {
        [] => None,
        bytes => Some(bytes.try_into().map_err(|_| Error::bad_request("a request id has 16 bytes"))?),
    };
    Ok(WriteOptions {
        request_id,
        fence: options.fence.map(|fence| {
            crate::registry::fence(&fence.lease_namespace, &fence.lease_name, &fence.holder, fence.transitions)
        }),
        validation: FieldValidation::parse(&options.field_validation)?,
        dry_run: options.dry_run,
    })
}

fn read_manifest(kind: Kind, manifest: Option<proto::Manifest>, validation: FieldValidation) -> Result<Decoded, Error> {
    match manifest.and_then(|manifest| manifest.encoding) {
        None => Err(Error::bad_request("the request has no object")),
        Some(Encoding::Object(any)) => {
            let object = Object::from_any(&any)?;
            if object.kind() != kind {
                return Err(not_of_kind(kind));
            }
            Ok(Decoded { object, warnings: Vec::new() })
        }
        Some(Encoding::Json(bytes)) => {
            let json: serde_json::Value = serde_json::from_slice(&bytes)
                .map_err(|error| Error::bad_request(format!("json parse error: {error}")))?;
            let (api_version, name) = (json.get("apiVersion"), json.get("kind"));
            if api_version.is_none_or(|text| *text != kind.info().api_version())
                || name.is_none_or(|text| text != kind.info().kind)
            {
                return Err(not_of_kind(kind));
            }
            decode::from_json(kind, json, validation)
        }
    }
}

fn not_of_kind(kind: Kind) -> Error {
    Error::bad_request(format!("the object provided is unrecognized (must be of type {})", kind.info().kind))
}

fn binding_target(manifest: Option<proto::Manifest>) -> Result<String, Error> {
    let binding = match manifest.and_then(|manifest| manifest.encoding) {
        Some(Encoding::Object(any)) if any.type_url == format!("{TYPE_PREFIX}core.v1.Binding") => {
            Binding::decode(any.value.as_slice()).map_err(|error| Error::bad_request(error.to_string()))?
        }
        Some(Encoding::Json(bytes)) => {
            serde_json::from_slice(&bytes).map_err(|error| Error::bad_request(error.to_string()))?
        }
        _ => return Err(Error::bad_request("the object provided is unrecognized (must be of type Binding)")),
    };
    if binding.target.name.is_empty() {
        return Err(Error::bad_request("target.name: Required value"));
    }
    Ok(binding.target.name)
}
