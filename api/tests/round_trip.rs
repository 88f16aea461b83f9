//! Converts every kind, with every field set, through all its forms: YAML, type, protobuf, type, JSON.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Map, Value, json};
use squall_api::decode::{FieldValidation, from_json};
use squall_api::{Kind, Object, manifest};
use squall_proto::schema::{Field, Kind as ValueKind, MESSAGES, Message, Shape};

/// The depth limit for recursive messages.
const MAX_DEPTH: usize = 12;

/// Generates a value of the right type for each field, so that no two neighboring values are equal.
struct Filler {
    count: i64,
    /// How many fields were filled in.
    filled: usize,
    /// The messages that are being filled.
    within: Vec<usize>,
}

impl Filler {
    fn object(&mut self, message: &Message, depth: usize) -> Map<String, Value> {
        let mut object = Map::new();
        for field in message.fields {
            match field.kind {
                ValueKind::Message(index) if field.json.is_empty() => {
                    object.extend(self.object(&MESSAGES[index], depth));
                }
                _ => {
                    if let Some(value) = self.field(field, depth) {
                        object.insert(field.json.to_owned(), value);
                        self.filled += 1;
                    }
                }
            }
        }
        object
    }

    fn field(&mut self, field: &Field, depth: usize) -> Option<Value> {
        let value = self.value(field.kind, depth)?;
        Some(match field.shape {
            Shape::Single => value,
            Shape::List => json!([value]),
            Shape::Map => json!({"some.key/here": value}),
        })
    }

    fn value(&mut self, kind: ValueKind, depth: usize) -> Option<Value> {
        self.count += 1;
        Some(match kind {
            ValueKind::String => json!(format!("text {}", self.count)),
            ValueKind::Bool => json!(true),
            ValueKind::Int32 => json!(self.count),
            ValueKind::Int64 => json!(self.count + (1 << 40)),
            ValueKind::Double => json!(0.5),
            ValueKind::Bytes => json!("AAEC/w=="),
            ValueKind::Message(index) if MESSAGES[index].custom_json => self.custom(MESSAGES[index].name)?,
            ValueKind::Message(_) if depth >= MAX_DEPTH => return None,
            // A schema has schemas within it, each of which has.
            ValueKind::Message(index) if self.within.contains(&index) => return None,
            ValueKind::Message(index) => {
                self.within.push(index);
                let object = self.object(&MESSAGES[index], depth + 1);
                self.within.pop();
                Value::Object(object)
            }
        })
    }

    fn custom(&self, name: &str) -> Option<Value> {
        Some(match name {
            "meta.v1.Time" => json!("2026-11-23T21:30:07Z"),
            "meta.v1.MicroTime" => json!("2026-11-23T21:30:07.000001Z"),
            "intstr.IntOrString" if self.count % 2 == 0 => json!(self.count),
            "intstr.IntOrString" => json!("25%"),
            "resource.Quantity" => json!("1500m"),
            "meta.v1.FieldsV1" | "runtime.RawExtension" => json!({"f:spec": {"f:replicas": {}}}),
            "meta.v1.Verbs" => json!(["get"]),
            "apiextensions.v1.JSON" => json!({"any": ["value", 1, null]}),
            "apiextensions.v1.JSONSchemaPropsOrArray" => json!({"type": "string"}),
            "apiextensions.v1.JSONSchemaPropsOrBool" => json!(true),
            "apiextensions.v1.JSONSchemaPropsOrStringArray" => json!(["name"]),
            other => unreachable!("what does the JSON of {other} look like?"),
        })
    }
}

fn full(kind: Kind) -> (Value, usize) {
    let info = kind.info();
    let mut filler = Filler { count: 0, filled: 0, within: Vec::new() };
    let mut object = filler.object(Message::find(info.message).unwrap(), 0);
    object.insert("apiVersion".to_owned(), info.api_version().into());
    object.insert("kind".to_owned(), info.kind.into());
    (Value::Object(object), filler.filled)
}

#[test]
fn every_field_of_every_kind_survives_every_form() {
    for kind in Kind::ALL {
        let (json, filled) = full(*kind);
        assert!(filled > 15, "{kind:?} has only {filled} fields");
        let yaml = serde_saphyr::to_string(&json).unwrap();
        let read = manifest::documents(&yaml).unwrap().remove(0);
        assert_eq!(read, json, "{kind:?} as YAML");
        let object = from_json(*kind, read, FieldValidation::Strict).unwrap().object;
        let decoded = Object::decode(*kind, &object.encode()).unwrap();
        assert_eq!(decoded, object, "{kind:?} as protobuf");
        let again = Object::from_any(&decoded.to_any()).unwrap().to_json();
        for (path, expected, got) in differences("", &json, &again) {
            assert_eq!(got, expected, "{kind:?}{path}");
        }
    }
}

#[test]
fn an_unknown_field_is_found_wherever_it_is() {
    for kind in Kind::ALL {
        let (mut json, _) = full(*kind);
        json["metadata"]["noSuchField"] = json!(1);
        let error = from_json(*kind, json, FieldValidation::Strict).unwrap_err().to_string();
        assert!(error.contains("unknown field \"metadata.noSuchField\""), "{error}");
    }
}

#[test]
fn an_unset_time_is_null_in_a_status_and_absent_in_metadata() {
    let json =
        json!({"apiVersion": "v1", "kind": "Pod", "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let pod = from_json(Kind::Pod, json, FieldValidation::Strict).unwrap().object.to_json();
    assert_eq!(pod["status"]["conditions"][0].get("lastProbeTime"), Some(&Value::Null));
    assert_eq!(pod["metadata"].get("creationTimestamp"), None);
}

/// Returns the paths and values that differ, because whole objects are too long to read.
fn differences(path: &str, expected: &Value, got: &Value) -> Vec<(String, Value, Value)> {
    match (expected, got) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let value = |map: &Map<String, Value>, key: &String| map.get(key).cloned().unwrap_or(json!("(absent)"));
            keys.iter()
                .flat_map(|key| differences(&format!("{path}.{key}"), &value(one, key), &value(other, key)))
                .collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.flat_map(|(index, (one, other))| differences(&format!("{path}[{index}]"), one, other)).collect()
        }
        _ if expected == got => Vec::new(),
        _ => vec![(path.to_owned(), expected.clone(), got.clone())],
    }
}

/// Found by fuzzing: a fraction of a second counted backwards before 1970.
#[test]
fn times_before_1970_read_back() {
    for time in ["0026-11-30T15:36:18.397780Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000001Z"] {
        let json = json!({"metadata": {"name": "a"}, "spec": {"renewTime": time}});
        let lease = from_json(Kind::Lease, json, FieldValidation::Strict).unwrap().object;
        assert_eq!(lease.to_json()["spec"]["renewTime"], time);
        assert_eq!(Object::from_json(Kind::Lease, lease.to_json()).unwrap(), lease);
    }
}

/// Found by fuzzing: a time of whole seconds kept a fraction that its JSON does not have.
#[test]
fn fractions_of_whole_seconds_are_dropped() {
    let json = json!({"metadata": {"name": "a", "creationTimestamp": "2026-11-30T15:36:18.397780Z"}});
    let node = from_json(Kind::Node, json, FieldValidation::Strict).unwrap().object;
    assert_eq!(node.to_json()["metadata"]["creationTimestamp"], "2026-11-30T15:36:18Z");
    assert_eq!(Object::from_json(Kind::Node, node.to_json()).unwrap(), node);
}

/// Returns the paths of all values within a JSON document, as pointers.
fn pointers(json: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match json {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        let pointer = format!("{at}/{key}");
        pointers(value, &pointer, found);
        found.push(pointer);
    }
}

/// A document with every field of a kind, not very deep.
fn every_field(kind: Kind) -> Value {
    let mut filler = Filler { count: 0, filled: 0, within: Vec::new() };
    Value::Object(filler.object(Message::find(kind.info().message).unwrap(), MAX_DEPTH - 3))
}

#[test]
fn a_null_may_stand_in_every_place_and_an_error_names_its_field() {
    let (mut places, mut errors) = (0, 0);
    for kind in Kind::ALL {
        let whole = every_field(*kind);
        let mut all = Vec::new();
        pointers(&whole, "", &mut all);
        for pointer in all {
            places += 1;
            let with = |value: Value| {
                let mut json = whole.clone();
                *json.pointer_mut(&pointer).unwrap() = value;
                from_json(*kind, json, FieldValidation::Ignore)
            };
            if let Err(error) = with(Value::Null) {
                panic!("null at {pointer} of a {kind:?}: {error}");
            }
            // Nothing has this type.
            if let Err(error) = with(json!([[true]])) {
                errors += 1;
                let mut steps = pointer.rsplit('/').map(|step| step.replace("~1", "/"));
                let field = steps.find(|step| step.parse::<usize>().is_err()).unwrap();
                assert!(error.to_string().contains(&field), "{pointer} of a {kind:?}: {error}");
            }
        }
    }
    assert!(places > 1_000 && errors > places / 2, "only {places} places and {errors} errors");
}
