//! The requests to a cluster: reading and writing objects, and logs.

use std::future::Future;

use prost::Message;
use prost_types::Any;
use squall_api::autoscaling::v1::Scale;
use squall_api::{Object, patch};
use squall_proto::squall::api::v1 as proto;
use squall_proto::squall::api::v1::manifest::Encoding;
use squall_proto::squall::api::v1::objects_client::ObjectsClient;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::bearer::Wire;
use crate::client::Client;
use crate::error::Error;
use crate::resource::ResourceRef;
use crate::trace::{Question, Sent};

/// The result of a write.
#[derive(Debug)]
pub struct Reply {
    /// The object, as an `Any` because it may be a `Scale`.
    pub object: Any,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// After a delete: the object is gone.
    pub deleted: bool,
}

impl Reply {
    /// Decodes the object; fails for a `Scale`.
    pub fn object(&self) -> Result<Object, Error> {
        Ok(Object::from_any(&self.object)?)
    }
}

impl Client {
    /// Reads one object.
    pub async fn get(&self, resource: &ResourceRef, resource_version: &str) -> Result<Any, Error> {
        let request =
            proto::GetRequest { resource: Some(resource.to_proto()), resource_version: resource_version.to_owned() };
        let answer = async {
            let reply = self.call(request, |mut client, request| async move { client.get(request).await }).await?;
            reply.object.ok_or_else(|| Error::Api(squall_api::Error::internal("the reply contains no object")))
        };
        self.observe(|| Question { verb: "GET", resource, query: Vec::new(), sent: None }, answer).await
    }

    /// Lists a collection. Returns the revision of the list and its objects. Long lists are fetched in pages of the
    /// same revision.
    pub async fn list(
        &self,
        resource: &ResourceRef,
        labels: &str,
        fields: &str,
        resource_version: &str,
    ) -> Result<(String, Vec<Object>), Error> {
        let mut request = proto::ListRequest {
            resource: Some(resource.to_proto()),
            label_selector: labels.to_owned(),
            field_selector: fields.to_owned(),
            resource_version: resource_version.to_owned(),
            ..proto::ListRequest::default()
        };
        let mut objects = Vec::new();
        loop {
            let page = self.list_page(resource, request.clone()).await?;
            for item in &page.items {
                objects.push(Object::from_any(item)?);
            }
            if page.continue_token.is_empty() {
                return Ok((page.resource_version, objects));
            }
            // The token contains the revision of the next page.
            request.resource_version.clear();
            request.continue_token = page.continue_token;
        }
    }

    async fn list_page(&self, resource: &ResourceRef, request: proto::ListRequest) -> Result<proto::ListReply, Error> {
        let question = || {
            let query = vec![
                ("fieldSelector", request.field_selector.clone()),
                ("labelSelector", request.label_selector.clone()),
                ("continue", request.continue_token.clone()),
            ];
            Question { verb: "GET", resource, query, sent: None }
        };
        let answer = self.call(request.clone(), |mut client, request| async move { client.list(request).await });
        self.observe(question, answer).await
    }

    /// Creates an object, or (with the subresource "binding") binds a pod to a node.
    pub async fn create(
        &self,
        resource: &ResourceRef,
        manifest: proto::Manifest,
        options: proto::WriteOptions,
    ) -> Result<Reply, Error> {
        let request = proto::CreateRequest {
            resource: Some(resource.to_proto()),
            manifest: Some(manifest),
            options: Some(self.options(options)),
        };
        let question = || Question {
            verb: "POST",
            resource,
            query: self.written(&request.options),
            sent: Sent::of(request.manifest.as_ref()),
        };
        let answer = self.write(request.clone(), |mut client, request| async move { client.create(request).await });
        self.observe(question, answer).await
    }

    /// Creates events in a namespace, at most 256 at a time. Returns one error for each event that could not be
    /// created.
    pub async fn record(&self, namespace: &str, events: Vec<Any>) -> Result<Vec<String>, Error> {
        let request_id = Uuid::new_v4().into_bytes().to_vec().into();
        let request = proto::RecordRequest { namespace: namespace.to_owned(), events, request_id };
        let reply = self.call(request, |mut client, request| async move { client.record(request).await }).await?;
        Ok(reply.errors)
    }

    /// Replaces an existing object.
    pub async fn update(
        &self,
        resource: &ResourceRef,
        manifest: proto::Manifest,
        options: proto::WriteOptions,
    ) -> Result<Reply, Error> {
        let request = proto::UpdateRequest {
            resource: Some(resource.to_proto()),
            manifest: Some(manifest),
            options: Some(self.options(options)),
        };
        let question = || Question {
            verb: "PUT",
            resource,
            query: self.written(&request.options),
            sent: Sent::of(request.manifest.as_ref()),
        };
        let answer = self.write(request.clone(), |mut client, request| async move { client.update(request).await });
        self.observe(question, answer).await
    }

    /// Applies a merge patch.
    pub async fn patch(
        &self,
        resource: &ResourceRef,
        patch: &serde_json::Value,
        options: proto::WriteOptions,
    ) -> Result<Reply, Error> {
        self.patch_as(resource, patch::MERGE, patch.to_string().into_bytes(), options).await
    }

    /// Applies a patch of this content type.
    pub async fn patch_as(
        &self,
        resource: &ResourceRef,
        content_type: &str,
        patch: Vec<u8>,
        options: proto::WriteOptions,
    ) -> Result<Reply, Error> {
        let request = proto::PatchRequest {
            resource: Some(resource.to_proto()),
            content_type: content_type.to_owned(),
            patch: patch.into(),
            options: Some(self.options(options)),
            force: false,
        };
        self.send_patch(resource, request).await
    }

    /// Applies a manifest (server-side apply). With `force`, takes over fields that other managers own.
    pub async fn apply(
        &self,
        resource: &ResourceRef,
        manifest: Vec<u8>,
        force: bool,
        options: proto::WriteOptions,
    ) -> Result<Reply, Error> {
        let request = proto::PatchRequest {
            resource: Some(resource.to_proto()),
            content_type: patch::APPLY.to_owned(),
            patch: manifest.into(),
            options: Some(self.options(options)),
            force,
        };
        self.send_patch(resource, request).await
    }

    async fn send_patch(&self, resource: &ResourceRef, request: proto::PatchRequest) -> Result<Reply, Error> {
        let question = || Question {
            verb: "PATCH",
            resource,
            query: self.written(&request.options),
            sent: Some(Sent::Text(String::from_utf8_lossy(&request.patch).into_owned())),
        };
        let answer = self.write(request.clone(), |mut client, request| async move { client.patch(request).await });
        self.observe(question, answer).await
    }

    /// Deletes an object. `how` holds the options; its `resource` is ignored.
    pub async fn delete(&self, resource: &ResourceRef, how: proto::DeleteRequest) -> Result<Reply, Error> {
        let options = self.options(how.options.clone().unwrap_or_default());
        let request = proto::DeleteRequest { resource: Some(resource.to_proto()), options: Some(options), ..how };
        let query = self.written(&request.options);
        let answer = self.write(request, |mut client, request| async move { client.delete(request).await });
        self.observe(|| Question { verb: "DELETE", resource, query, sent: None }, answer).await
    }

    /// Deletes the objects of a collection one by one.
    pub async fn delete_collection(&self, collection: &ResourceRef, options: proto::WriteOptions) -> Result<(), Error> {
        let request = proto::DeleteCollectionRequest {
            resource: Some(collection.to_proto()),
            options: Some(self.options(options)),
            propagation_policy: "Background".to_owned(),
            ..proto::DeleteCollectionRequest::default()
        };
        self.call(request, |mut client, request| async move { client.delete_collection(request).await }).await.map(drop)
    }

    /// Reads how many replicas an object has and should have.
    pub async fn scale(&self, object: &ResourceRef) -> Result<Scale, Error> {
        scale_of(&self.get(&object.clone().part("scale"), "").await?)
    }

    /// Sets how many replicas an object should have. Fails if the object has changed since the scale was read.
    pub async fn set_scale(&self, object: &ResourceRef, scale: &Scale) -> Result<Scale, Error> {
        let json = serde_json::to_vec(scale).map_err(|error| squall_api::Error::bad_request(error.to_string()))?;
        let manifest = proto::Manifest { encoding: Some(Encoding::Json(json.into())) };
        let reply = self.update(&object.clone().part("scale"), manifest, proto::WriteOptions::default()).await?;
        scale_of(&reply.object)
    }

    /// Streams the logs of a container, and follows them if asked to. `how` holds the options; its `resource` is
    /// ignored.
    pub async fn logs(&self, pod: &ResourceRef, how: proto::LogsRequest) -> Result<Streaming<proto::LogsReply>, Error> {
        let request = proto::LogsRequest { resource: Some(pod.to_proto()), ..how };
        self.call(request, |mut client, request| async move { client.logs(request).await }).await
    }

    /// Returns the query parameters of a write that differ from the defaults.
    fn written(&self, options: &Option<proto::WriteOptions>) -> Vec<(&'static str, String)> {
        let Some(options) = options else { return Vec::new() };
        let dry_run = if options.dry_run { "All" } else { "" };
        let manager = Some(&options.field_manager).filter(|manager| *manager != self.field_manager());
        vec![("dryRun", dry_run.to_owned()), ("fieldManager", manager.cloned().unwrap_or_default())]
    }

    async fn write<Q: Clone, F>(
        &self,
        request: Q,
        call: impl Fn(ObjectsClient<Wire>, Request<Q>) -> F,
    ) -> Result<Reply, Error>
    where
        F: Future<Output = Result<Response<proto::ObjectReply>, Status>>,
    {
        let reply = self.call(request, call).await?;
        let object =
            reply.object.ok_or_else(|| Error::Api(squall_api::Error::internal("the reply contains no object")))?;
        Ok(Reply { object, warnings: reply.warnings, deleted: reply.deleted })
    }
}

fn scale_of(any: &Any) -> Result<Scale, Error> {
    Scale::decode(any.value.as_slice()).map_err(|error| Error::Api(squall_api::Error::internal(error.to_string())))
}
