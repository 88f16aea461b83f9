//! Decodes objects: from protobuf, and from JSON with Kubernetes' strict decoding, which reports unknown fields and
//! values of the wrong type.
//!
//! Walks the schema of the kind along with the JSON, because serde does not detect unknown keys next to inlined fields.

use std::fmt;
use std::sync::Arc;

use prost_types::Any;
use serde::Deserialize;
use serde_json::Value;
use squall_proto::intstr::IntOrString;
use squall_proto::json::base64_option;
use squall_proto::meta::v1::{MicroTime, Time};
use squall_proto::resource::Quantity;
use squall_proto::schema::{Field, Kind as ValueKind, MESSAGES, Message, Shape};

use crate::error::Error;
use crate::kinds::{Kind, Object, Version};
use crate::structural::{Root, prune};

/// How to treat unknown fields (the API's `fieldValidation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldValidation {
    /// Rejects the object.
    Strict,
    /// Accepts the object with a warning.
    #[default]
    Warn,
    /// Accepts the object.
    Ignore,
}

impl FieldValidation {
    /// Parses the API's value; empty means the default.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "" | "Warn" => Ok(Self::Warn),
            "Strict" => Ok(Self::Strict),
            "Ignore" => Ok(Self::Ignore),
            other => Err(Error::bad_request(format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

/// An object decoded from JSON, with warnings for the user.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The object, without its unknown fields.
    pub object: Object,
    /// Remarks for the user: unknown and duplicate fields, such as `unknown field "spec.foo"`.
    pub warnings: Vec<String>,
}

/// Why JSON is not a valid object of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A value is of the wrong type.
    Mismatch {
        /// The message of Go's JSON decoder.
        text: String,
        /// The message of Kubernetes' conversion of documents.
        found_in: String,
    },
    /// Unknown or duplicate fields, which strict validation rejects.
    Strict(Vec<String>),
    /// A value is of the right type but invalid.
    Value(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { text, .. } | Self::Value(text) => f.write_str(text),
            Self::Strict(unknown) => write!(f, "strict decoding error: {}", unknown.join(", ")),
        }
    }
}

impl Object {
    /// Decodes an object from protobuf bytes.
    pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, Error> {
        kind.decode_object(bytes)
            .map_err(|problem| Error::bad_request(format!("{} cannot be decoded: {problem}", kind.info().kind)))
    }

    /// Decodes the object in an `Any`.
    pub fn from_any(any: &Any) -> Result<Self, Error> {
        let kind = Kind::of_type_url(&any.type_url)
            .ok_or_else(|| Error::bad_request(format!("unknown type URL {:?}", any.type_url)))?;
        Self::decode(kind, &any.value)
    }
}

/// The kind that an object must have and, for a custom one, the rules of its version.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The kind.
    pub kind: Kind,
    /// The rules of a custom kind. Without them, all fields are known.
    pub version: Option<&'a Arc<Version>>,
}

impl From<Kind> for Expected<'_> {
    fn from(kind: Kind) -> Self {
        Self { kind, version: None }
    }
}

/// Decodes an object of this kind that was sent as a whole.
pub fn from_json<'a>(
    expected: impl Into<Expected<'a>>,
    json: Value,
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    from_json_with(expected, json, &[], validation)
}

/// Like [`from_json`], for a text that had several values for the fields in `duplicates`.
pub fn from_json_with<'a>(
    expected: impl Into<Expected<'a>>,
    json: Value,
    duplicates: &[String],
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    let expected = expected.into();
    let info = expected.kind.info();
    read_with(expected, json, duplicates, validation).map_err(|refusal| match (&refusal, expected.kind) {
        // Kubernetes reads these as untyped objects.
        (Refusal::Strict(_), Kind::Custom(_)) => Error::bad_request(refusal.to_string()),
        _ => Error::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {refusal}",
            info.kind, info.version, info.kind
        )),
    })
}

/// Returns the paths of the fields that the kind does not have.
#[must_use]
pub fn unknown_fields<'a>(expected: impl Into<Expected<'a>>, json: &Value) -> Vec<String> {
    let mut walk = Walk::default();
    walk.whole(&mut json.clone(), expected.into());
    walk.unknown
}

/// Decodes an object of this kind.
pub fn read<'a>(
    expected: impl Into<Expected<'a>>,
    json: Value,
    validation: FieldValidation,
) -> Result<Decoded, Refusal> {
    read_with(expected.into(), json, &[], validation)
}

fn read_with(
    Expected { kind, version }: Expected<'_>,
    mut json: Value,
    duplicates: &[String],
    validation: FieldValidation,
) -> Result<Decoded, Refusal> {
    // A schema of a few bytes takes much room once it has its type.
    if kind == Kind::CustomResourceDefinition && objects_in(&json) > MAX_OBJECTS {
        return Err(Refusal::Value(format!("it must have at most {MAX_OBJECTS} objects in it")));
    }
    let mut walk = Walk::default();
    walk.whole(&mut json, Expected { kind, version });
    if let Some(mismatch) = walk.mismatch {
        return Err(mismatch);
    }
    let duplicates = duplicates.iter().map(|path| format!("duplicate field {path:?}"));
    let unknown = walk.unknown.iter().map(|path| format!("unknown field {path:?}"));
    let warnings: Vec<String> = unknown.chain(duplicates).collect();
    if validation == FieldValidation::Strict && !warnings.is_empty() {
        return Err(Refusal::Strict(warnings));
    }
    let mut object = Object::from_json(kind, json).map_err(|error| Refusal::Value(error.to_string()))?;
    object.follow(version);
    let warnings = if validation == FieldValidation::Ignore { Vec::new() } else { warnings };
    Ok(Decoded { object, warnings })
}

/// How many JSON objects a definition of a custom kind may have in it.
const MAX_OBJECTS: usize = 100_000;

fn objects_in(json: &Value) -> usize {
    match json {
        Value::Object(fields) => fields.values().map(objects_in).fold(1, usize::saturating_add),
        Value::Array(items) => items.iter().map(objects_in).fold(0, usize::saturating_add),
        _ => 0,
    }
}

/// Kubernetes: a null within a list or a map reads as nothing of its type: the empty string, zero, an empty object.
fn fill(json: &mut Value, field: &'static Field) {
    if !json.is_null() {
        return;
    }
    *json = match field.kind {
        ValueKind::String | ValueKind::Bytes => "".into(),
        ValueKind::Bool => false.into(),
        ValueKind::Int32 | ValueKind::Int64 | ValueKind::Double => 0.into(),
        ValueKind::Message(index) if MESSAGES[index].custom_json => return,
        ValueKind::Message(_) => Value::Object(serde_json::Map::new()),
    };
}

/// The findings of a walk over the JSON, which also replaces nulls within lists and maps.
#[derive(Default)]
struct Walk {
    unknown: Vec<String>,
    /// The first value of the wrong type.
    mismatch: Option<Refusal>,
}

impl Walk {
    fn whole(&mut self, json: &mut Value, Expected { kind, version }: Expected<'_>) {
        if kind.is_custom() {
            self.custom_object(json, version);
        } else if let Some(message) = Message::find(kind.info().message) {
            self.object(json, message, &mut Vec::new());
        }
    }

    /// Checks the metadata, and removes the fields that the schema of a custom kind does not know.
    fn custom_object(&mut self, json: &mut Value, version: Option<&Arc<Version>>) {
        if let Some((metadata, message)) = json.get_mut("metadata").zip(Message::find("meta.v1.ObjectMeta")) {
            self.object(metadata, message, &mut vec!["metadata".to_owned()]);
        }
        if let Some(version) = version {
            self.unknown.extend(prune(json, version.schema(), Root::Resource));
        }
    }

    fn object(&mut self, json: &mut Value, message: &'static Message, path: &mut Vec<String>) {
        if message.custom_json {
            return self.custom(json, message, path);
        }
        if json.is_null() {
            return;
        }
        let Value::Object(fields) = json else {
            return self.mismatched(json, message.short_name(), path, &go_type(message.name));
        };
        for (key, value) in fields.iter_mut() {
            if path.is_empty() && matches!(key.as_str(), "apiVersion" | "kind") {
                continue;
            }
            path.push(key.clone());
            match message.field(key.as_str()) {
                None => self.unknown.push(dotted(path)),
                Some(field) => self.field(value, field, message, path),
            }
            path.pop();
        }
    }

    /// Checks a value with a form of its own, such as a time.
    fn custom(&mut self, json: &Value, message: &'static Message, path: &[String]) {
        let checked = match message.name {
            "resource.Quantity" => Quantity::deserialize(json).map(drop),
            "meta.v1.Time" => Time::deserialize(json).map(drop),
            "meta.v1.MicroTime" => MicroTime::deserialize(json).map(drop),
            "intstr.IntOrString" => IntOrString::deserialize(json).map(drop),
            _ => return,
        };
        if let Err(error) = checked {
            self.mismatch.get_or_insert_with(|| Refusal::Value(format!("{}: {error}", dotted(path))));
        }
    }

    fn field(&mut self, json: &mut Value, field: &'static Field, message: &'static Message, path: &mut Vec<String>) {
        match (field.shape, json) {
            (_, Value::Null) => {}
            (Shape::Single, value) => self.value(value, field, message, path),
            (Shape::List, Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let name = path.pop().unwrap_or_default();
                    path.push(format!("{name}[{index}]"));
                    fill(item, field);
                    self.value(item, field, message, path);
                    path.pop();
                    path.push(name);
                }
            }
            (Shape::Map, Value::Object(entries)) => {
                for (key, item) in entries {
                    path.push(key.clone());
                    fill(item, field);
                    self.value(item, field, message, path);
                    path.pop();
                }
            }
            (Shape::List, other) => {
                self.mismatched(other, message.short_name(), path, &format!("[]{}", kind_name(field)));
            }
            (Shape::Map, other) => {
                self.mismatched(other, message.short_name(), path, &format!("map[string]{}", kind_name(field)));
            }
        }
    }

    fn value(&mut self, json: &mut Value, field: &'static Field, message: &'static Message, path: &mut Vec<String>) {
        let fits = match field.kind {
            ValueKind::Message(index) => return self.object(json, &MESSAGES[index], path),
            ValueKind::String => json.is_string(),
            ValueKind::Bytes => {
                if let Err(error) = base64_option::deserialize(&*json) {
                    self.mismatch.get_or_insert_with(|| Refusal::Value(format!("{}: {error}", dotted(path))));
                }
                return;
            }
            ValueKind::Bool => json.is_boolean(),
            ValueKind::Int32 => json.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            ValueKind::Int64 => json.as_i64().is_some(),
            ValueKind::Double => json.is_number(),
        };
        if !fits && !json.is_null() {
            self.mismatched(json, message.short_name(), path, &kind_name(field));
        }
    }

    fn mismatched(&mut self, json: &Value, structure: &str, path: &[String], expected: &str) {
        let found = match json {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if expected.starts_with("int") => format!("number {number}"),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let text = format!(
            "json: cannot unmarshal {found} into Go struct field {structure}.{} of type {expected}",
            dotted(path)
        );
        let found_in = match expected {
            list if list.starts_with("[]") => format!("cannot restore slice from {found}"),
            map if map.starts_with("map[") => format!("cannot restore map from {found}"),
            structure if structure.contains('.') => format!("cannot restore struct from: {found}"),
            simple => format!("unrecognized type: {simple}"),
        };
        self.mismatch.get_or_insert(Refusal::Mismatch { text, found_in });
    }
}

fn dotted(path: &[String]) -> String {
    path.join(".")
}

fn kind_name(field: &Field) -> String {
    match field.kind {
        ValueKind::String => "string".to_owned(),
        ValueKind::Bool => "bool".to_owned(),
        ValueKind::Int32 => "int32".to_owned(),
        ValueKind::Int64 => "int64".to_owned(),
        ValueKind::Double => "float64".to_owned(),
        ValueKind::Bytes => "[]uint8".to_owned(),
        ValueKind::Message(index) => go_type(MESSAGES[index].name),
    }
}

/// `core.v1.PodSpec` is `v1.PodSpec` in Go.
fn go_type(name: &str) -> String {
    let parts: Vec<&str> = name.rsplitn(3, '.').collect();
    match parts.as_slice() {
        [message, package, ..] => format!("{package}.{message}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(json: Value) -> String {
        from_json(Kind::Deployment, json, FieldValidation::Strict).unwrap_err().to_string()
    }

    #[test]
    fn unknown_fields_are_named() {
        let json =
            json!({"kind": "Deployment", "spec": {"replicaz": 3, "template": {"spec": {"containers": [{"nam": 1}]}}}});
        assert_eq!(
            refusal(json.clone()),
            "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \
             \"spec.replicaz\", unknown field \"spec.template.spec.containers[0].nam\""
        );
        let decoded = from_json(Kind::Deployment, json, FieldValidation::Warn).unwrap();
        assert_eq!(decoded.warnings[0], "unknown field \"spec.replicaz\"");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told_in_gos_words() {
        assert_eq!(
            refusal(json!({"spec": {"replicas": "three"}})),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct \
             field DeploymentSpec.spec.replicas of type int32"
        );
        assert!(refusal(json!({"spec": {"replicas": 1e12}})).contains("of type int32"));
        assert!(refusal(json!({"spec": []})).contains("cannot unmarshal array"));
        assert!(refusal(json!({"metadata": {"labels": ["a"]}})).contains("of type map[string]string"));
    }

    #[test]
    fn a_null_in_a_map_or_a_list_reads_as_nothing_of_its_type() {
        let json = json!({"metadata": {"labels": {"a": null}}, "spec": {
            "nodeSelector": {"a": null}, "containers": [{"name": "a", "args": [null], "ports": [null],
            "resources": {"limits": {"cpu": null}}}]}});
        let pod = from_json(Kind::Pod, json, FieldValidation::Strict).unwrap().object.to_json();
        assert_eq!((&pod["metadata"]["labels"], &pod["spec"]["nodeSelector"]), (&json!({"a": ""}), &json!({"a": ""})));
        let container = &pod["spec"]["containers"][0];
        assert_eq!((&container["args"], &container["ports"]), (&json!([""]), &json!([{"containerPort": 0}])));
    }

    #[test]
    fn a_definition_of_very_many_schemas_is_refused_before_it_has_its_types() {
        let many: serde_json::Map<String, Value> = (0..MAX_OBJECTS).map(|n| (n.to_string(), json!({}))).collect();
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": many}});
        let definition = json!({"spec": {"versions": [{"name": "v1", "schema": schema}]}});
        let refused = from_json(Kind::CustomResourceDefinition, definition, FieldValidation::Warn).unwrap_err();
        assert!(refused.to_string().contains("at most 100000 objects"), "{refused}");
    }

    #[test]
    fn inlined_fields_and_nulls_are_known() {
        let json = json!({"metadata": {"creationTimestamp": null}, "spec": {"template": {"spec": {
            "volumes": [{"name": "a", "emptyDir": {}}],
            "containers": [{"name": "a", "livenessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1}}]}}}});
        from_json(Kind::Deployment, json, FieldValidation::Strict).unwrap();
    }
}
