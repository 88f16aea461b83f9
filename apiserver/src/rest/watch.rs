//! Encodes watches: one event per line or per frame, for as long as the client stays.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use prost::Message;
use serde_json::json;
use squall_api::kinds::{Typed, with_type};
use squall_api::metav1::v1::WatchEvent;
use squall_api::runtime::RawExtension;
use squall_api::{Error, Object};

use super::accept::{Encoding, Shape};
use super::encode::{Layout, Writer, in_envelope, status_json};
use super::table::{self, Headings};
use crate::fairness::AnswerBytes;
use crate::registry::{any, decode};
use crate::request::Served;
use crate::store::Revision;
use crate::watch::{Event, Fate, Watcher};

/// Most watches are idle. A longer event takes room of its own (`answering.rs`).
const IDLE: AnswerBytes = AnswerBytes(1 << 10);
/// Annotation of the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Whether the client asked for a mark at the end of the initial events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndMark {
    /// A bookmark with an annotation ends them.
    Annotated,
    /// Nothing does.
    None,
}

/// Encodes the events of one watch.
struct Lines {
    served: Served,
    writer: Writer,
    /// Whether the next table contains column definitions.
    headings: Headings,
    end_mark: EndMark,
}

/// Responds to a watch request.
pub fn respond(watcher: Watcher, writer: &Writer, end_mark: EndMark) -> Result<Response, Error> {
    if writer.format.encoding == Encoding::Yaml {
        return Err(Error::not_acceptable(&[Encoding::Json.content_type(), Encoding::Protobuf.content_type()]));
    }
    let lines = Lines { served: watcher.served().clone(), writer: writer.clone(), headings: Headings::Shown, end_mark };
    let events = stream::unfold(Some((watcher, lines)), |rest| async move {
        let (mut watcher, mut lines) = rest?;
        match watcher.next().await {
            Ok(Some(events)) => {
                let texts: Result<Vec<Vec<u8>>, Error> = events.iter().map(|event| lines.event(event)).collect();
                match texts {
                    Ok(texts) => Some((Bytes::from(texts.concat()), Some((watcher, lines)))),
                    Err(error) => Some((lines.error(&error), None)),
                }
            }
            Ok(None) => None,
            Err(error) => Some((lines.error(&error), None)),
        }
    });
    let events = events.map(Ok::<_, std::convert::Infallible>);
    let mut response = writer.stream(Body::from_stream(events), StatusCode::OK);
    response.extensions_mut().insert(IDLE);
    if writer.format.encoding == Encoding::Protobuf {
        let framed = HeaderValue::from_static("application/vnd.kubernetes.protobuf;stream=watch");
        response.headers_mut().insert(CONTENT_TYPE, framed);
    }
    Ok(response)
}

impl Lines {
    fn event(&mut self, event: &Event) -> Result<Vec<u8>, Error> {
        match event {
            Event::Object { fate, value, revision } => {
                let word = match fate {
                    Fate::Added => "ADDED",
                    Fate::Modified => "MODIFIED",
                    Fate::Deleted => "DELETED",
                };
                self.object(word, value, *revision)
            }
            Event::Bookmark { revision, initial_events_end } => self.bookmark(*revision, *initial_events_end),
        }
    }

    fn object(&mut self, word: &str, value: &[u8], revision: Revision) -> Result<Vec<u8>, Error> {
        let info = self.served.kind.info();
        if self.writer.format.encoding == Encoding::Protobuf {
            let bytes = any(&self.served, value, revision).value;
            return Ok(frame(word, in_envelope(&bytes, info.kind, &info.api_version())));
        }
        Ok(line(word, &self.json(&decode(&self.served, value, revision)?)?))
    }

    fn json(&mut self, object: &Object) -> Result<Vec<u8>, Error> {
        let value = match self.writer.format.shape {
            Shape::Objects => return Ok(object.to_json_text(Typed::Yes)),
            Shape::Metadata => table::partial(object),
            Shape::Table => {
                let headings = std::mem::replace(&mut self.headings, Headings::Hidden);
                let rows = vec![table::row(object, self.writer.include, Timestamp::now())];
                let version = &object.meta().resource_version;
                table::table(&self.served, &json!({"resourceVersion": version}), rows, headings)
            }
        };
        serde_json::to_vec(&value).map_err(Error::internal)
    }

    /// Encodes a bookmark: an object of the right kind with nothing but its resource version.
    fn bookmark(&mut self, revision: Revision, initial_events_end: bool) -> Result<Vec<u8>, Error> {
        let info = self.served.kind.info();
        let mut object = Object::decode(self.served.kind, &[])?;
        object.meta_mut().resource_version = revision.to_string();
        if initial_events_end && self.end_mark == EndMark::Annotated {
            object.meta_mut().annotations.insert(INITIAL_EVENTS_END.to_owned(), "true".to_owned());
        }
        match (self.writer.format.encoding, self.writer.format.shape) {
            (Encoding::Protobuf, _) => {
                Ok(frame("BOOKMARK", in_envelope(&object.encode(), info.kind, &info.api_version())))
            }
            (_, Shape::Objects) => Ok(line("BOOKMARK", &object.to_json_text(Typed::Yes))),
            (_, Shape::Metadata) => Ok(line("BOOKMARK", table::partial(&object).to_string().as_bytes())),
            (_, Shape::Table) => {
                let row = json!({"cells": [], "object": table::partial(&object)});
                let metadata = json!({"resourceVersion": revision.to_string()});
                let table = table::table(&self.served, &metadata, vec![row], Headings::Hidden);
                Ok(line("BOOKMARK", table.to_string().as_bytes()))
            }
        }
    }

    /// Encodes the last event of a watch that cannot continue.
    fn error(&self, error: &Error) -> Bytes {
        match self.writer.format.encoding {
            Encoding::Protobuf => frame("ERROR", in_envelope(&error.status.encode_to_vec(), "Status", "v1")).into(),
            Encoding::Json | Encoding::Yaml => line("ERROR", &status_json(&error.status, Layout::Compact)).into(),
        }
    }
}

fn line(word: &str, object: &[u8]) -> Vec<u8> {
    [b"{\"type\":\"", word.as_bytes(), b"\",\"object\":", object, b"}\n"].concat()
}

/// Kubernetes: the length of each event precedes it, in four bytes.
fn frame(word: &str, object: Vec<u8>) -> Vec<u8> {
    let event = WatchEvent { r#type: word.to_owned(), object: RawExtension { raw: object } }.encode_to_vec();
    let length = u32::try_from(event.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &event].concat()
}

/// Responds to a watch request whose revision is no longer kept. Kubernetes reports this as an event.
pub fn expired(error: &Error, writer: &Writer) -> Response {
    let text = line("ERROR", &with_type("Status", "v1", &serde_json::to_vec(&error.status).unwrap_or_default()));
    writer.stream(Body::from(text), StatusCode::OK)
}
