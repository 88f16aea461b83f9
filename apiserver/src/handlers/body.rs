//! Request bodies: an object in one of the encodings that the server reads.

use bytes::Bytes;
use prost::Message;
use prost_types::Any;
use serde::de::DeserializeOwned;
use serde_json::Value;
use squall_api::decode::{self, Decoded, Expected, FieldValidation};
use squall_api::runtime::Unknown;
use squall_api::{Error, Kind, Object, duplicates, manifest};
use squall_proto::TYPE_PREFIX;

/// Prefix of Kubernetes' protobuf encoding.
pub const PROTOBUF_MAGIC: &[u8] = b"k8s\0";
/// Number of bytes of an unreadable body that its error shows.
const SHOWN: usize = 30;

/// A request body and its encoding.
#[derive(Debug, Clone)]
pub enum Body {
    /// JSON.
    Json(Bytes),
    /// YAML.
    Yaml(Bytes),
    /// Kubernetes' protobuf: the magic bytes, then a `runtime.Unknown` around the message.
    Protobuf(Bytes),
    /// A protobuf message with its type URL.
    Object(Any),
}

impl Body {
    /// Returns the length of the body in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Yaml(bytes) | Self::Protobuf(bytes) => bytes.len(),
            Self::Object(any) => any.value.len(),
        }
    }

    /// Decodes the body as an object of this kind.
    pub fn object<'a>(self, expected: impl Into<Expected<'a>>, validation: FieldValidation) -> Result<Decoded, Error> {
        let expected = expected.into();
        let kind = expected.kind;
        let info = kind.info();
        match self {
            Self::Object(any) => {
                if any.type_url != kind.type_url() {
                    return Err(not_of_kind(info.kind));
                }
                let object = Object::decode(kind, &any.value)?;
                match kind {
                    // Its fields are JSON, which the schema has yet to see.
                    Kind::Custom(_) => decode::from_json(expected, object.to_json(), validation),
                    _ => Ok(Decoded { object, warnings: Vec::new() }),
                }
            }
            // Kubernetes: custom objects have no protobuf form.
            Self::Protobuf(_) if kind.is_custom() => Err(Error::unsupported_media_type()),
            Self::Protobuf(bytes) => {
                let unknown = unwrap(&bytes, info.kind)?;
                check_type(&unknown.type_meta.api_version, &unknown.type_meta.kind, &info.api_version(), info.kind)?;
                Ok(Decoded { object: Object::decode(kind, &unknown.raw)?, warnings: Vec::new() })
            }
            Self::Json(bytes) => {
                let (json, duplicates) = json_with_duplicates(&bytes, info.kind)?;
                typed(json, &duplicates, expected, validation)
            }
            Self::Yaml(bytes) => typed(yaml(&bytes, info.kind)?, &[], expected, validation),
        }
    }

    /// Parses the body as a document: an object of this kind, or a part of one.
    pub fn document(self, kind: Kind) -> Result<Value, Error> {
        let info = kind.info();
        let json = match self {
            Self::Json(bytes) => json(&bytes, info.kind)?,
            Self::Yaml(bytes) => yaml(&bytes, info.kind)?,
            Self::Protobuf(_) | Self::Object(_) => return Err(Error::unsupported_media_type()),
        };
        check_document(&json, kind)?;
        Ok(json)
    }

    /// Decodes a message that is not a stored object: a scale, a binding, an eviction or delete options. An empty body
    /// is an empty message.
    pub fn message<M: Message + Default + DeserializeOwned>(self, name: &str) -> Result<M, Error> {
        let short = name.rsplit('.').next().unwrap_or(name);
        let decoded = |bytes: &[u8]| M::decode(bytes).map_err(|error| Error::bad_request(error.to_string()));
        let value = match self {
            Self::Json(bytes) | Self::Yaml(bytes) | Self::Protobuf(bytes) if bytes.is_empty() => {
                return Ok(M::default());
            }
            Self::Object(any) if any.type_url.strip_prefix(TYPE_PREFIX) == Some(name) => return decoded(&any.value),
            Self::Object(_) => return Err(not_of_kind(short)),
            Self::Protobuf(bytes) => return decoded(&unwrap(&bytes, short)?.raw),
            Self::Json(bytes) => json(&bytes, short)?,
            Self::Yaml(bytes) => yaml(&bytes, short)?,
        };
        serde_json::from_value(value).map_err(|error| Error::bad_request(error.to_string()))
    }
}

fn typed(
    json: Value,
    duplicates: &[String],
    expected: Expected<'_>,
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    check_document(&json, expected.kind)?;
    decode::from_json_with(expected, json, duplicates, validation)
}

fn check_document(json: &Value, kind: Kind) -> Result<(), Error> {
    let info = kind.info();
    if !json.is_object() {
        return Err(not_of_kind(info.kind));
    }
    let word = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default();
    check_type(word("apiVersion"), word("kind"), &info.api_version(), info.kind)
}

/// An object may omit its API version and kind, but must not contradict the expected ones.
fn check_type(api_version: &str, kind: &str, expected_version: &str, expected: &str) -> Result<(), Error> {
    if !api_version.is_empty() && api_version != expected_version {
        return Err(Error::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected_version})"
        )));
    }
    if !kind.is_empty() && kind != expected {
        return Err(Error::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {expected}",
            expected_version.rsplit('/').next().unwrap_or_default()
        )));
    }
    Ok(())
}

fn json(bytes: &[u8], expected: &str) -> Result<Value, Error> {
    json_with_duplicates(bytes, expected).map(|(json, _)| json)
}

fn json_with_duplicates(bytes: &[u8], expected: &str) -> Result<(Value, Vec<String>), Error> {
    duplicates::from_slice(bytes).map_err(|error| {
        let text = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
        unrecognized(expected, &format!("couldn't get version/kind; json parse error: {text}"), bytes)
    })
}

fn yaml(bytes: &[u8], expected: &str) -> Result<Value, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| unrecognized(expected, &error.to_string(), bytes))?;
    manifest::parse(text).map_err(|error| unrecognized(expected, &error, bytes))
}

fn unwrap(bytes: &[u8], expected: &str) -> Result<Unknown, Error> {
    let inner = bytes.strip_prefix(PROTOBUF_MAGIC).ok_or_else(|| {
        unrecognized(
            expected,
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
            bytes,
        )
    })?;
    Unknown::decode(inner).map_err(|error| unrecognized(expected, &error.to_string(), bytes))
}

fn not_of_kind(expected: &str) -> Error {
    Error::bad_request(format!("the object provided is unrecognized (must be of type {expected})"))
}

fn unrecognized(expected: &str, problem: &str, bytes: &[u8]) -> Error {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let text = match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(shown).into_owned(),
        Some(_) => shown.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let more = if bytes.len() > SHOWN { " ..." } else { "" };
    Error::bad_request(format!(
        "the object provided is unrecognized (must be of type {expected}): {problem} ({text}{more})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::autoscaling::v1::Scale;
    use squall_api::runtime::TypeMeta;

    fn refusal(body: Body) -> String {
        body.object(Kind::Deployment, FieldValidation::Strict).unwrap_err().to_string()
    }

    #[test]
    fn a_body_is_read_in_every_encoding() {
        let json = br#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"kubia"}}"#;
        let object =
            Body::Json(Bytes::from_static(json)).object(Kind::Deployment, FieldValidation::Strict).unwrap().object;
        let yaml = Bytes::from_static(b"metadata:\n  name: kubia\n");
        assert_eq!(Body::Yaml(yaml).object(Kind::Deployment, FieldValidation::Strict).unwrap().object, object);
        let type_meta = TypeMeta { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned() };
        let unknown = Unknown { type_meta, raw: object.encode(), ..Unknown::default() };
        let bytes: Bytes = [PROTOBUF_MAGIC, &unknown.encode_to_vec()].concat().into();
        assert_eq!(Body::Protobuf(bytes).object(Kind::Deployment, FieldValidation::Strict).unwrap().object, object);
        assert_eq!(
            Body::Object(object.to_any()).object(Kind::Deployment, FieldValidation::Strict).unwrap().object,
            object
        );
    }

    #[test]
    fn what_cannot_be_read_is_shown() {
        assert_eq!(
            refusal(Body::Json(Bytes::from_static(b"{"))),
            "the object provided is unrecognized (must be of type Deployment): couldn't get version/kind; json parse error: \
             unexpected end of JSON input ({)"
        );
        assert!(refusal(Body::Json(Bytes::new())).ends_with("(<empty>)"));
        assert!(refusal(Body::Json(Bytes::from_static(b"[]"))).contains("must be of type Deployment"));
        assert!(refusal(Body::Protobuf(Bytes::from_static(b"\xff\xff"))).ends_with("(ffff)"));
        assert!(refusal(Body::Yaml(Bytes::from_static(b"a: b: c"))).contains("yaml"));
        assert!(
            refusal(Body::Json(Bytes::from_static(br#"{"kind":"Pod"}"#))).contains("cannot be handled as a Deployment")
        );
        assert!(
            refusal(Body::Json(Bytes::from_static(br#"{"apiVersion":"v1"}"#))).contains("does not match the expected")
        );
    }

    #[test]
    fn messages_that_are_no_objects_are_read_too() {
        let scale: Scale =
            Body::Json(Bytes::from_static(br#"{"spec":{"replicas":4}}"#)).message("autoscaling.v1.Scale").unwrap();
        assert_eq!(scale.spec.replicas, 4);
        assert_eq!(Body::Json(Bytes::new()).message::<Scale>("autoscaling.v1.Scale").unwrap(), Scale::default());
    }

    #[test]
    fn a_field_that_is_there_twice_is_told_or_refused() {
        let text = r#"{"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "1", "a": "2"}}"#;
        let read = |validation| Body::Json(text.into()).object(Kind::ConfigMap, validation);
        let error = read(FieldValidation::Strict).unwrap_err().to_string();
        assert!(error.ends_with("strict decoding error: duplicate field \"data.a\""), "{error}");
        assert_eq!(read(FieldValidation::Warn).unwrap().warnings, ["duplicate field \"data.a\""]);
        assert!(read(FieldValidation::Ignore).unwrap().warnings.is_empty());
    }
}
