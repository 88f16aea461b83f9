//! Requests for objects: translates HTTP to handler calls, and their results to HTTP.

use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, WARNING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt;
use squall_api::apply::OnConflict;
use squall_api::decode::FieldValidation;
use squall_api::error::Reason;
use squall_api::metav1::v1::{DeleteOptions, Status, StatusDetails};
use squall_api::{Error, Object};

use super::accept::{Encoding, Format};
use super::encode::{Writer, success};
use super::failure::layout;
use super::query::{Query, dry_run};
use super::watch::{self, EndMark};
use super::{MAX_REQUEST_BYTES, list, table};
use crate::authorization::Verb;
use crate::handlers::{Body, Deleting, Handlers, LogQuery, PatchBody, WatchQuery};
use crate::registry::Reply;
use crate::request::{ResourceRef, Subresource, WriteOptions};

/// The parsed head of a request.
pub(super) struct Head {
    handlers: Handlers,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) writer: Writer,
}

impl Head {
    /// Parses the head of a request.
    pub(super) fn read(handlers: Handlers, uri: &Uri, headers: HeaderMap) -> Result<Self, Error> {
        let query = Query::parse(uri)?;
        let writer = Writer {
            format: Format::negotiate(&headers)?,
            layout: layout(uri, &headers),
            include: table::Include::parse(query.text("includeObject"))?,
            version: None,
        };
        Ok(Self { handlers, query, headers, writer })
    }

    /// Returns the content type without its parameters.
    fn content_type(&self) -> &str {
        let text = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim()
    }

    /// Reads the body in the encoding that the client declares.
    pub(super) async fn body(&self, body: axum::body::Body) -> Result<Body, Error> {
        let encoding = Encoding::parse(self.content_type()).ok_or_else(Error::unsupported_media_type)?;
        let bytes = whole(body).await?;
        Ok(match encoding {
            Encoding::Json => Body::Json(bytes),
            Encoding::Yaml => Body::Yaml(bytes),
            Encoding::Protobuf => Body::Protobuf(bytes),
        })
    }

    fn answer(&self, reply: &Reply) -> Result<Response, Error> {
        let code = if reply.created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = self.writer.object(&reply.object, code)?;
        warn(&mut response, &reply.warnings);
        Ok(response)
    }
}

/// Time limit for receiving a whole body.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// Time limit for the next piece of a body.
const PIECE_PATIENCE: Duration = Duration::from_secs(10);

/// How much of an oversized body is read and discarded, because most clients read the response only after sending it.
const DISCARDED_BYTES: usize = 4 * MAX_REQUEST_BYTES;

/// Reads the body of a request, up to the maximum size.
async fn whole(body: axum::body::Body) -> Result<Bytes, Error> {
    tokio::time::timeout(BODY_PATIENCE, collect(body)).await.map_err(|_| late())?
}

fn late() -> Error {
    Error::timeout("the request body did not arrive in time")
}

async fn collect(mut body: axum::body::Body) -> Result<Bytes, Error> {
    let (mut bytes, mut length) = (BytesMut::new(), 0_usize);
    while let Some(frame) = tokio::time::timeout(PIECE_PATIENCE, body.frame()).await.map_err(|_| late())? {
        let frame = frame.map_err(|error| Error::bad_request(format!("reading the request body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_REQUEST_BYTES {
            bytes.extend_from_slice(&data);
        } else if length > DISCARDED_BYTES {
            break;
        }
    }
    if length > MAX_REQUEST_BYTES { Err(Error::too_large(MAX_REQUEST_BYTES)) } else { Ok(bytes.freeze()) }
}

/// Maximum length of all warnings in characters, and of each once they are longer together (Kubernetes: 4,096 and 256).
const ALL_WARNINGS: usize = 4_096;
const EACH_WARNING: usize = 256;

/// Returns the warnings that fit into the head of a response, shortened if need be.
fn fitting(warnings: &[String]) -> Vec<String> {
    let total: usize = warnings.iter().map(|warning| warning.chars().count()).sum();
    if total <= ALL_WARNINGS {
        return warnings.to_vec();
    }
    let mut left = ALL_WARNINGS;
    let shortened = warnings.iter().map(|warning| warning.chars().take(EACH_WARNING).collect::<String>());
    let fits = |warning: &String| {
        let length = warning.chars().count();
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    shortened.take_while(fits).collect()
}

/// Kubernetes: warnings are response headers.
fn warn(response: &mut Response, warnings: &[String]) {
    for warning in fitting(warnings) {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
}

/// Serves a request for objects.
pub async fn serve(handlers: Handlers, resource: ResourceRef, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let collection = resource.name.is_empty();
    // Nobody who may not do it makes this server read a body.
    if let Some(verb) = written(&parts.method, collection) {
        handlers.authorize(verb, &resource)?;
    }
    if let Subresource::Unknown(part) = &resource.subresource {
        return Err(Error::no_such_part(resource.kind, &resource.name, part));
    }
    let mut head = Head::read(handlers, &parts.uri, parts.headers)?;
    head.writer.serve(&resource.served(), &head.headers)?;
    match parts.method {
        Method::GET | Method::HEAD if collection => head.list_or_watch(&resource).await,
        Method::GET | Method::HEAD if head.query.flag("watch") && resource.subresource.is_whole() => {
            head.watch(&resource).await
        }
        Method::GET if resource.subresource == Subresource::Log => head.logs(&resource).await,
        Method::GET | Method::HEAD => {
            let object = head.handlers.get(&resource, head.query.text("resourceVersion")).await?;
            head.writer.object(&object, StatusCode::OK)
        }
        Method::POST => head.create(&resource, body).await,
        Method::PUT if !collection => head.update(&resource, body).await,
        Method::PATCH if !collection => head.patch(&resource, body).await,
        Method::DELETE if collection => head.delete_collection(&resource, body).await,
        Method::DELETE => head.delete(&resource, body).await,
        _ => Err(Error::no_such_method()),
    }
}

/// The verb of a request with a body.
fn written(method: &Method, collection: bool) -> Option<Verb> {
    match *method {
        Method::POST => Some(Verb::Create),
        Method::PUT => Some(Verb::Update),
        Method::PATCH => Some(Verb::Patch),
        Method::DELETE if collection => Some(Verb::DeleteCollection),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
    }
}

impl Head {
    async fn list_or_watch(&self, resource: &ResourceRef) -> Result<Response, Error> {
        if self.query.flag("watch") {
            return self.watch(resource).await;
        }
        let listing = self.handlers.list(resource, &self.query.list()?, usize::MAX).await?;
        list::respond(listing, &self.writer, self.handlers.registry().heavy())
    }

    async fn logs(&self, resource: &ResourceRef) -> Result<Response, Error> {
        let query = LogQuery {
            container: self.query.text("container").to_owned(),
            previous: self.query.flag("previous"),
            follow: self.query.flag("follow"),
            timestamps: self.query.flag("timestamps"),
            tail_lines: self.query.number("tailLines")?,
            since_seconds: self.query.number("sinceSeconds")?,
            since_time: self.query.text("sinceTime").to_owned(),
            limit_bytes: self.query.number("limitBytes")?,
        };
        let lines = self.handlers.logs(resource, &query).await?;
        let mut response = Response::new(axum::body::Body::from_stream(lines));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    async fn watch(&self, resource: &ResourceRef) -> Result<Response, Error> {
        let query: WatchQuery = self.query.watch()?;
        let end_mark = match query.list.send_initial_events {
            Some(true) => EndMark::Annotated,
            Some(false) | None => EndMark::None,
        };
        match self.handlers.watch(resource, &query).await {
            Ok(watcher) => watch::respond(watcher, &self.writer, end_mark),
            Err(error) if error.is(Reason::Expired) => Ok(watch::expired(&error, &self.writer)),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, resource: &ResourceRef, body: axum::body::Body) -> Result<Response, Error> {
        if !resource.name.is_empty() && resource.subresource.is_whole() {
            return Err(Error::no_such_method());
        }
        let options = self.query.write(&self.headers)?;
        let reply = self.handlers.create(resource, self.body(body).await?, options).await?;
        if resource.subresource.is_whole() || resource.subresource == Subresource::Token {
            return self.answer(&reply);
        }
        // Kubernetes: a binding or an eviction is not returned to the client.
        let status = success(Status { code: 201, ..Status::default() });
        self.writer.status(&status)
    }

    async fn update(&self, resource: &ResourceRef, body: axum::body::Body) -> Result<Response, Error> {
        let options = self.query.write(&self.headers)?;
        let reply = self.handlers.update(resource, self.body(body).await?, options).await?;
        self.answer(&reply)
    }

    async fn patch(&self, resource: &ResourceRef, body: axum::body::Body) -> Result<Response, Error> {
        let mut options = self.query.write(&self.headers)?;
        let content_type = self.content_type().to_owned();
        if content_type == squall_api::patch::APPLY {
            // Apply has no default manager: the client must name the owner of the fields.
            self.query.text("fieldManager").clone_into(&mut options.field_manager);
        }
        let body = PatchBody {
            content_type,
            bytes: whole(body).await?,
            on_conflict: OnConflict::of(self.query.flag("force")),
        };
        let reply = self.handlers.patch(resource, body, options).await?;
        self.answer(&reply)
    }

    async fn delete(&self, resource: &ResourceRef, body: axum::body::Body) -> Result<Response, Error> {
        let (how, options) = self.deleting(body).await?;
        let reply = self.handlers.delete(resource, &how, options).await?;
        if !reply.deleted || resource.kind.is_returned_when_deleted() {
            return self.answer(&reply);
        }
        let object = Object::from_any(&reply.object)?;
        let info = resource.kind.info();
        let details = StatusDetails {
            name: object.meta().name.clone(),
            group: info.group.to_owned(),
            kind: info.plural.to_owned(),
            uid: object.meta().uid.clone(),
            ..StatusDetails::default()
        };
        self.writer.status(&success(Status { details: Some(details), ..Status::default() }))
    }

    async fn delete_collection(&self, resource: &ResourceRef, body: axum::body::Body) -> Result<Response, Error> {
        let (how, options) = self.deleting(body).await?;
        let deleted = self.handlers.delete_collection(resource, &self.query.list()?, &how, options).await?;
        list::removed(&resource.served(), &deleted, &self.writer)
    }

    /// Reads how to delete from the body, or else from the parameters.
    async fn deleting(&self, body: axum::body::Body) -> Result<(Deleting, WriteOptions), Error> {
        let mut options = WriteOptions { validation: FieldValidation::Ignore, ..self.query.write(&self.headers)? };
        let given: DeleteOptions = self.body(body).await?.message("meta.v1.DeleteOptions")?;
        let mut how = self.query.deleting()?;
        options.dry_run |= dry_run(given.dry_run.iter().map(String::as_str))?;
        how.options.grace_period = given.grace_period_seconds.or(how.options.grace_period);
        if let Some(policy) = given.propagation_policy {
            how.options.propagation = policy;
        } else if let Some(orphan) = given.orphan_dependents {
            // The older form of the propagation policy.
            how.options.propagation = if orphan { "Orphan" } else { "Background" }.to_owned();
        }
        if let Some(preconditions) = given.preconditions {
            how.options.uid = preconditions.uid.unwrap_or_default();
            how.version = preconditions.resource_version.unwrap_or_default();
        }
        Ok((how, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_fit_into_the_head_of_a_response() {
        let few = ["unknown field \"a\"".to_owned(), "x".repeat(4_000)];
        assert_eq!(fitting(&few), few);
        let many: Vec<String> = (0..10_000).map(|number| format!("unknown field \"é{number}\"")).collect();
        let fitted = fitting(&many);
        assert!(fitted.len() > 100 && fitted.iter().map(|warning| warning.chars().count()).sum::<usize>() <= 4_096);
        let long = vec!["é".repeat(5_000)];
        assert_eq!(fitting(&long)[0].chars().count(), 256);
    }
}
