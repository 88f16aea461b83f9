//! Encodes one object in the format that the client accepts.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use prost::encoding::encode_varint;
use prost_types::Any;
use serde::Serialize;
use serde_json::Value;
use squall_api::authentication::v1::TokenRequest;
use squall_api::autoscaling::v1::Scale;
use squall_api::kinds::{Typed, Version, with_type};
use squall_api::metav1::v1::{PartialObjectMetadata, Status};
use squall_api::runtime::{TypeMeta, Unknown};
use squall_api::{Error, Object, manifest};
use squall_proto::TYPE_PREFIX;

use super::accept::{Encoding, Format, Shape};
use super::table;
use crate::handlers::PROTOBUF_MAGIC;
use crate::handlers::TOKEN_REQUEST;
use crate::request::Served;

/// The tag of field 2, length-delimited: `raw` in `Unknown`.
const RAW: u8 = 2 << 3 | 2;

/// The layout of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Compact,
    /// Indented for human readers.
    Indented,
}

/// Writes the responses to one client.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Encoding and shape.
    pub format: Format,
    /// Layout of JSON.
    pub layout: Layout,
    /// Which part of the objects the rows of a table include.
    pub include: table::Include,
    /// The rules of a custom kind, whose objects are written.
    pub version: Option<Arc<Version>>,
}

/// The type of a value.
struct Typing<'a> {
    kind: &'a str,
    api_version: &'a str,
}

/// Encodes a `Status` as JSON.
pub fn status_json(status: &Status, layout: Layout) -> Vec<u8> {
    let text = typed(status, &Typing { kind: "Status", api_version: "v1" });
    match layout {
        Layout::Compact => text,
        Layout::Indented => laid_out(&text),
    }
}

/// Marks a `Status` as a success.
pub fn success(status: Status) -> Status {
    Status { status: "Success".to_owned(), ..status }
}

fn typed(value: &impl Serialize, typing: &Typing<'_>) -> Vec<u8> {
    with_type(typing.kind, typing.api_version, &serde_json::to_vec(value).unwrap_or_default())
}

impl Writer {
    /// Writes objects of this kind. Kubernetes: custom ones have no protobuf form, so a client that prefers it gets
    /// what it accepts besides.
    pub fn serve(&mut self, served: &Served, headers: &HeaderMap) -> Result<(), Error> {
        if served.kind.is_custom() && self.format.encoding == Encoding::Protobuf {
            self.format = Format::negotiate_text(headers)?;
        }
        self.version.clone_from(&served.version);
        Ok(())
    }

    /// Responds with an object, a scale or a token.
    pub fn object(&self, any: &Any, code: StatusCode) -> Result<Response, Error> {
        if any.type_url.strip_prefix(TYPE_PREFIX) == Some("autoscaling.v1.Scale") {
            let scale = Scale::decode(any.value.as_slice()).map_err(Error::internal)?;
            return self.message(&scale, "Scale", "autoscaling/v1", code);
        }
        if any.type_url.strip_prefix(TYPE_PREFIX) == Some(TOKEN_REQUEST) {
            let issued = TokenRequest::decode(any.value.as_slice()).map_err(Error::internal)?;
            return self.message(&issued, "TokenRequest", "authentication.k8s.io/v1", code);
        }
        let mut object = Object::from_any(any)?;
        let info = object.kind().info();
        match self.format.shape {
            Shape::Table => {
                object.follow(self.version.as_ref());
                let served = Served { kind: object.kind(), version: self.version.clone() };
                let table = table::of_objects(&served, &[object], self.include, jiff::Timestamp::now());
                self.value(&table, code)
            }
            Shape::Metadata => {
                let partial = PartialObjectMetadata { metadata: object.meta().clone() };
                self.message(&partial, "PartialObjectMetadata", "meta.k8s.io/v1", code)
            }
            Shape::Objects if self.format.encoding == Encoding::Protobuf => {
                Ok(self.respond(in_envelope(&any.value, info.kind, &info.api_version()), code))
            }
            Shape::Objects => self.text(object.to_json_text(Typed::Yes), code),
        }
    }

    /// Responds with a `Status`.
    pub fn status(&self, status: &Status) -> Result<Response, Error> {
        let code = u16::try_from(status.code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        self.message(status, "Status", "v1", code.unwrap_or(StatusCode::OK))
    }

    /// Responds with a message of the API.
    pub fn message<M: Message + Serialize>(
        &self,
        message: &M,
        kind: &str,
        api_version: &str,
        code: StatusCode,
    ) -> Result<Response, Error> {
        match self.format.encoding {
            Encoding::Protobuf => Ok(self.respond(in_envelope(&message.encode_to_vec(), kind, api_version), code)),
            Encoding::Json | Encoding::Yaml => self.text(typed(message, &Typing { kind, api_version }), code),
        }
    }

    /// Responds with a JSON value.
    pub fn value(&self, value: &Value, code: StatusCode) -> Result<Response, Error> {
        self.text(serde_json::to_vec(value).map_err(Error::internal)?, code)
    }

    /// Responds with JSON, converted to YAML if the client accepts that.
    pub fn text(&self, json: Vec<u8>, code: StatusCode) -> Result<Response, Error> {
        let text = match self.format.encoding {
            Encoding::Yaml => {
                let value: Value = serde_json::from_slice(&json).map_err(Error::internal)?;
                manifest::to_yaml(&value).map_err(Error::internal)?.into_bytes()
            }
            _ if self.layout == Layout::Indented => laid_out(&json),
            _ => [json.as_slice(), b"\n"].concat(),
        };
        Ok(self.respond(text, code))
    }

    /// Whether responses are JSON without indentation.
    pub fn is_plain_json(&self) -> bool {
        self.format.encoding == Encoding::Json && self.layout == Layout::Compact
    }

    fn respond(&self, body: Vec<u8>, code: StatusCode) -> Response {
        self.stream(Body::from(Bytes::from(body)), code)
    }

    /// Responds with a streamed body.
    pub fn stream(&self, body: Body, code: StatusCode) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = code;
        let content_type = HeaderValue::from_static(self.format.encoding.content_type());
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }
}

/// Wraps a message in Kubernetes' protobuf envelope.
pub fn in_envelope(raw: &[u8], kind: &str, api_version: &str) -> Vec<u8> {
    let mut bytes = envelope_head(raw.len(), kind, api_version);
    bytes.extend(raw);
    bytes
}

/// Returns the part of the envelope that precedes a message of this length.
pub fn envelope_head(length: usize, kind: &str, api_version: &str) -> Vec<u8> {
    let type_meta = TypeMeta { api_version: api_version.to_owned(), kind: kind.to_owned() };
    let mut bytes = PROTOBUF_MAGIC.to_vec();
    bytes.extend(Unknown { type_meta, ..Unknown::default() }.encode_to_vec());
    bytes.push(RAW);
    encode_varint(length as u64, &mut bytes);
    bytes
}

/// Indents JSON with two spaces per level. The input must be valid.
pub fn laid_out(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len().saturating_mul(2));
    let (mut depth, mut quoted, mut escaped, mut opened) = (0_usize, false, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth.saturating_mul(2)));
    };
    for &byte in json {
        if quoted {
            out.push(byte);
            quoted = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if opened && !closes {
            line(&mut out, depth);
        }
        match byte {
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut out, depth);
                }
            }
            _ => {}
        }
        opened = matches!(byte, b'{' | b'[');
        out.push(byte);
        match byte {
            b',' => line(&mut out, depth),
            b':' => out.push(b' '),
            b'"' => quoted = true,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_as_serde_does_it() {
        let text = r#"{"a":{},"b":[1,[],"x,{:\"}"],"c":{"d":null,"e":"\\"}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            String::from_utf8(laid_out(text.as_bytes())).unwrap(),
            serde_json::to_string_pretty(&value).unwrap()
        );
    }

    #[test]
    fn an_envelope_can_be_opened() {
        let bytes = in_envelope(b"\x0a\x00", "Pod", "v1");
        let unknown = Unknown::decode(bytes.strip_prefix(PROTOBUF_MAGIC).unwrap()).unwrap();
        assert_eq!((unknown.type_meta.kind.as_str(), unknown.raw.as_slice()), ("Pod", &b"\x0a\x00"[..]));
    }
}
