//! The objects service: reads, writes, watches and logs.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use squall_api::Error;
use squall_api::apply::OnConflict;
use squall_api::decode::FieldValidation;
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::manifest::Encoding;
use squall_proto::squall::api::v1::objects_server::{Objects, ObjectsServer};
use squall_proto::squall::api::v1::watch_reply::Type;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::handlers_of;
use super::status::{answered, opened, status};
use crate::admission::DeleteOptions;
use crate::handlers::{Body, Deleting, ListQuery, LogQuery, PatchBody, WatchQuery};
use crate::registry::{Registry, Reply, any};
use crate::request::{Fence, ResourceRef, Served, WriteOptions};
use crate::store::RequestId;
use crate::watch::{Event, Fate};

/// Maximum request size (Kubernetes: 3 MiB).
const MAX_REQUEST_BYTES: usize = 3 << 20;
/// A list whose objects exceed this size continues on another page, because a gRPC message is in memory as a whole.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// Serves objects to clients.
pub struct ObjectsService {
    registry: Registry,
}

impl ObjectsService {
    /// Creates the service for direct calls, without a connection.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// Returns the gRPC server for a registry.
    #[must_use]
    pub fn server(registry: Registry) -> ObjectsServer<Self> {
        ObjectsServer::new(Self::new(registry))
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(usize::MAX)
    }
}

#[tonic::async_trait]
impl Objects for ObjectsService {
    type WatchStream = BoxStream<'static, Result<proto::WatchReply, Status>>;

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let object = handlers.get(&resource, &request.resource_version).await?;
            Ok(proto::ObjectReply { object: Some(object), ..Default::default() })
        })
        .await
    }

    async fn list(&self, request: Request<proto::ListRequest>) -> Result<Response<proto::ListReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let query = ListQuery {
                labels: request.label_selector,
                fields: request.field_selector,
                version: request.resource_version,
                matching: request.resource_version_match,
                limit: usize::try_from(request.limit).unwrap_or(0),
                continue_token: request.continue_token,
                send_initial_events: None,
            };
            let listing = handlers.list(&resource, &query, MAX_PAGE_BYTES).await?;
            Ok(proto::ListReply {
                resource_version: listing.revision.to_string(),
                items: listing
                    .entries
                    .iter()
                    .map(|entry| any(&listing.served, &entry.value, entry.mod_revision))
                    .collect(),
                continue_token: listing.next.map(|page| page.token()).unwrap_or_default(),
                remaining_item_count: listing.remaining.and_then(|count| i64::try_from(count).ok()),
            })
        })
        .await
    }

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        opened(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let query = WatchQuery {
                list: ListQuery {
                    labels: request.label_selector,
                    fields: request.field_selector,
                    version: request.resource_version,
                    matching: request.resource_version_match,
                    send_initial_events: request.send_initial_events,
                    ..ListQuery::default()
                },
                bookmarks: request.bookmarks,
                timeout_seconds: u64::try_from(request.timeout_seconds).unwrap_or(0),
            };
            let watcher = handlers.watch(&resource, &query).await?;
            let served = watcher.served().clone();
            let events = stream::unfold(Some((watcher, served)), move |state| async move {
                let (mut watcher, served) = state?;
                match watcher.next().await {
                    Ok(Some(events)) => {
                        let replies: Vec<_> = events.into_iter().map(|event| Ok(reply(&served, event))).collect();
                        Some((stream::iter(replies).left_stream(), Some((watcher, served))))
                    }
                    Ok(None) => None,
                    Err(error) => Some((stream::iter([Err(status(error))]).right_stream(), None)),
                }
            });
            Ok(events.flatten().boxed())
        })
        .await
    }

    async fn create(&self, request: Request<proto::CreateRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let options = write_options(request.options)?;
            handlers.create(&resource, body(request.manifest)?, options).await.map(reply_of)
        })
        .await
    }

    async fn record(&self, request: Request<proto::RecordRequest>) -> Result<Response<proto::RecordReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let proto::RecordRequest { namespace, events, request_id } = request.into_inner();
            let id = read_request_id(&request_id)?.unwrap_or_else(|| Uuid::new_v4().into_bytes());
            let errors = handlers.record(&namespace, events, id).await?;
            Ok(proto::RecordReply { errors: errors.iter().map(ToString::to_string).collect() })
        })
        .await
    }

    async fn update(&self, request: Request<proto::UpdateRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let options = write_options(request.options)?;
            handlers.update(&resource, body(request.manifest)?, options).await.map(reply_of)
        })
        .await
    }

    async fn patch(&self, request: Request<proto::PatchRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let options = write_options(request.options)?;
            let body = PatchBody {
                content_type: request.content_type,
                bytes: request.patch,
                on_conflict: OnConflict::of(request.force),
            };
            handlers.patch(&resource, body, options).await.map(reply_of)
        })
        .await
    }

    async fn delete(&self, request: Request<proto::DeleteRequest>) -> Result<Response<proto::ObjectReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let options = write_options(request.options)?;
            let how = Deleting {
                options: DeleteOptions {
                    grace_period: request.grace_period_seconds,
                    propagation: request.propagation_policy,
                    uid: request.precondition_uid,
                },
                version: request.precondition_resource_version,
            };
            handlers.delete(&resource, &how, options).await.map(reply_of)
        })
        .await
    }

    type LogsStream = BoxStream<'static, Result<proto::LogsReply, Status>>;

    async fn logs(&self, request: Request<proto::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        opened(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let query = LogQuery {
                container: request.container,
                previous: request.previous,
                follow: request.follow,
                timestamps: request.timestamps,
                tail_lines: request.tail_lines,
                since_seconds: request.since_seconds,
                since_time: request.since_time,
                limit_bytes: request.limit_bytes,
            };
            let lines = handlers.logs(&resource, &query).await?;
            let replies = lines.map(|line| match line {
                Ok(data) => Ok(proto::LogsReply { data }),
                Err(error) => Err(status(error)),
            });
            Ok(replies.boxed())
        })
        .await
    }

    async fn delete_collection(
        &self,
        request: Request<proto::DeleteCollectionRequest>,
    ) -> Result<Response<proto::ListReply>, Status> {
        let handlers = handlers_of(&self.registry, &request);
        answered(async {
            let request = request.into_inner();
            let resource = resource_of(&self.registry, request.resource).await?;
            let options = write_options(request.options)?;
            let query =
                ListQuery { labels: request.label_selector, fields: request.field_selector, ..ListQuery::default() };
            let how = Deleting {
                options: DeleteOptions {
                    grace_period: request.grace_period_seconds,
                    propagation: request.propagation_policy,
                    uid: String::new(),
                },
                version: String::new(),
            };
            let deleted = handlers.delete_collection(&resource, &query, &how, options).await?;
            let items = deleted.iter().map(squall_api::Object::to_any).collect();
            Ok(proto::ListReply { items, ..proto::ListReply::default() })
        })
        .await
    }
}

/// Finds the resource of a request.
async fn resource_of(registry: &Registry, resource: Option<proto::Resource>) -> Result<ResourceRef, Error> {
    let resource = resource.ok_or_else(|| Error::bad_request("the request names no resource"))?;
    let served = registry.find_kind(&resource.group, &resource.version, &resource.plural).await?;
    ResourceRef::parse(resource, served)
}

fn reply_of(reply: Reply) -> proto::ObjectReply {
    proto::ObjectReply { object: Some(reply.object), warnings: reply.warnings, deleted: reply.deleted }
}

fn reply(served: &Served, event: Event) -> proto::WatchReply {
    match event {
        Event::Object { fate, value, revision } => proto::WatchReply {
            r#type: match fate {
                Fate::Added => Type::Added,
                Fate::Modified => Type::Modified,
                Fate::Deleted => Type::Deleted,
            }
            .into(),
            object: Some(any(served, &value, revision)),
            resource_version: revision.to_string(),
            initial_events_end: false,
        },
        Event::Bookmark { revision, initial_events_end } => proto::WatchReply {
            r#type: Type::Bookmark.into(),
            object: None,
            resource_version: revision.to_string(),
            initial_events_end,
        },
    }
}

fn read_request_id(bytes: &[u8]) -> Result<Option<RequestId>, Error> {
    match bytes {
        [] => Ok(None),
        bytes => bytes.try_into().map(Some).map_err(|_| Error::bad_request("a request ID must be 16 bytes long")),
    }
}

fn write_options(options: Option<proto::WriteOptions>) -> Result<WriteOptions, Error> {
    let options = options.unwrap_or_default();
    Ok(WriteOptions {
        request_id: read_request_id(&options.request_id)?,
        fence: options.fence.map(|fence| Fence {
            namespace: fence.lease_namespace,
            lease: fence.lease_name,
            holder: fence.holder,
            transitions: fence.transitions,
        }),
        validation: FieldValidation::parse(&options.field_validation)?,
        dry_run: options.dry_run,
        field_manager: options.field_manager,
        ..WriteOptions::default()
    })
}

fn body(manifest: Option<proto::Manifest>) -> Result<Body, Error> {
    match manifest.and_then(|manifest| manifest.encoding) {
        None => Err(Error::bad_request("the request has no object")),
        Some(Encoding::Object(any)) => Ok(Body::Object(any)),
        Some(Encoding::Json(bytes)) => Ok(Body::Json(bytes)),
    }
}
