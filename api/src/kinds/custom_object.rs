//! Objects of custom kinds: JSON with typed metadata, and the rules of a version of their definition.

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use squall_proto::meta::v1::ObjectMeta;
use squall_proto::squall::api::v1::CustomObject as Wire;

use super::custom_kind::CustomKind;
use super::definition::Version;
use super::{Meta, StatusUpdate};
use crate::age;
use crate::field::{Errors, Path};
use crate::structural::{Root, check_change, check_lists, drop_nulls, fill, prune, whole_numbers};
use crate::warnings::Warnings;

/// How deep the fields of an object may nest. JSON is read to 127 levels, and its owners are recorded in a few more.
const MAX_DEPTH: usize = 100;

fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = || levels.checked_sub(1);
    match value {
        Value::Object(fields) => below().is_none_or(|left| fields.values().any(|field| is_deeper(field, left))),
        Value::Array(items) => below().is_none_or(|left| items.iter().any(|item| is_deeper(item, left))),
        _ => false,
    }
}

/// The names of the fields that are kept apart from the others.
const APART: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// An object of a custom kind.
#[derive(Debug, Clone)]
pub struct CustomObject {
    kind: CustomKind,
    metadata: ObjectMeta,
    /// All other fields.
    fields: Map<String, Value>,
    /// The rules for the object. Without them, everything is allowed.
    version: Option<Arc<Version>>,
}

/// Objects are equal if they say the same, whatever the rules are.
impl PartialEq for CustomObject {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.metadata == other.metadata && self.fields == other.fields
    }
}

impl Meta for CustomObject {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Serialize for CustomObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metadata", &self.metadata)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl CustomObject {
    /// Converts JSON, with or without `apiVersion` and `kind`.
    pub fn from_json(kind: CustomKind, json: Value) -> Result<Self, serde_json::Error> {
        let mut fields: Map<String, Value> = serde_json::from_value(json)?;
        let metadata = match fields.remove("metadata") {
            Some(metadata) => Option::<ObjectMeta>::deserialize(metadata)?.unwrap_or_default(),
            None => ObjectMeta::default(),
        };
        APART.iter().for_each(|name| drop(fields.remove(*name)));
        fields.values_mut().for_each(whole_numbers);
        Ok(Self { kind, metadata, fields, version: None })
    }

    /// Decodes a stored object. The error says why it cannot be.
    pub fn decode(kind: CustomKind, bytes: &[u8]) -> Result<Self, String> {
        let Wire { metadata, json } = Wire::decode(bytes).map_err(|error| error.to_string())?;
        let fields = match json.as_ref() {
            [] => Map::new(),
            json => serde_json::from_slice(json).map_err(|error| error.to_string())?,
        };
        Ok(Self { kind, metadata: metadata.unwrap_or_default(), fields, version: None })
    }

    /// Checks that the bytes are an object of some custom kind, and returns its metadata.
    pub fn metadata_of(bytes: &[u8]) -> Result<ObjectMeta, String> {
        let Wire { metadata, json } = Wire::decode(bytes).map_err(|error| error.to_string())?;
        if !json.is_empty() {
            serde_json::from_slice::<Map<String, Value>>(&json).map_err(|error| error.to_string())?;
        }
        Ok(metadata.unwrap_or_default())
    }

    /// Encodes the object, in a buffer of the right size.
    #[must_use]
    pub fn encode_to_vec(&self) -> Vec<u8> {
        let json =
            if self.fields.is_empty() { Vec::new() } else { Value::Object(self.fields.clone()).to_string().into() };
        Wire { metadata: Some(self.metadata.clone()), json: json.into() }.encode_to_vec()
    }

    /// Returns the kind of the object.
    #[must_use]
    pub fn kind(&self) -> CustomKind {
        self.kind
    }

    /// Returns the rules for the object, if they are known.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<Version>> {
        self.version.as_ref()
    }

    /// Gives the object the rules of a version of its kind, and the kind of that version. A field that is left out gets
    /// its default, as it does when Kubernetes reads a stored object.
    pub fn follow(&mut self, version: &Arc<Version>) {
        self.kind = version.kind();
        self.version = Some(version.clone());
        // A schema may have lost fields, and got defaults, since the object was stored.
        self.on_fields(|value| drop(prune(value, version.schema(), Root::Resource)));
        if version.has_defaults() {
            self.set_defaults();
        }
    }

    /// Returns the value of a field besides the metadata.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Returns all fields besides the metadata, for changes.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.fields
    }

    /// Returns the value at a path of field names such as `.spec.replicas`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Value> {
        let mut names = path.trim_start_matches('.').split('.');
        let first = self.fields.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    fn on_fields(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = Value::Object(std::mem::take(&mut self.fields));
        change(&mut value);
        if let Value::Object(fields) = value {
            self.fields = fields;
        }
    }

    pub(super) fn set_defaults(&mut self) {
        let Some(version) = self.version.clone() else { return };
        self.on_fields(|value| {
            drop_nulls(value, Some(version.schema()));
            fill(value, version.schema());
        });
    }

    /// The whole object as JSON, as its schema sees it.
    fn whole(&self) -> Value {
        let info = self.kind.info();
        let mut fields = self.fields.clone();
        fields.insert("apiVersion".to_owned(), info.api_version().into());
        fields.insert("kind".to_owned(), info.kind.into());
        fields.insert("metadata".to_owned(), serde_json::to_value(&self.metadata).unwrap_or_default());
        Value::Object(fields)
    }

    fn check(&self, old: Option<&Self>, errors: &mut Errors) {
        let Some(version) = &self.version else { return };
        if self.fields.values().any(|value| is_deeper(value, MAX_DEPTH)) {
            // A deeper one could not be read back from the store.
            return errors.invalid(&Path::default(), &"", &format!("must not nest more than {MAX_DEPTH} levels deep"));
        }
        let (value, old) = (self.whole(), old.map(Self::whole));
        check_change(&value, old.as_ref(), version.schema(), &Path::default(), errors);
        let mut repeated = Errors::default();
        check_lists(&value, version.schema(), &Path::default(), &mut repeated);
        let mut before = Errors::default();
        if let Some(old) = &old {
            check_lists(old, version.schema(), &Path::default(), &mut before);
        }
        // Kubernetes: an object that had such elements before may keep them.
        if before.is_empty() {
            errors.append(repeated);
        }
    }

    pub(super) fn validate(&self, errors: &mut Errors) {
        self.check(None, errors);
    }

    pub(super) fn validate_change(&self, old: &Self, errors: &mut Errors) {
        self.check(Some(old), errors);
    }

    fn has_status(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.has_status())
    }

    pub(super) fn prepare_create(&mut self) {
        if self.has_status() {
            self.fields.remove("status");
        }
        self.metadata.generation = 1;
    }

    pub(super) fn prepare_update(&mut self, old: &Self) {
        if self.has_status() {
            self.take_status(old);
        }
        if self.fields != old.fields {
            self.metadata.generation = old.metadata.generation.saturating_add(1);
        }
    }

    fn take_status(&mut self, from: &Self) {
        match from.fields.get("status") {
            Some(status) => drop(self.fields.insert("status".to_owned(), status.clone())),
            None => drop(self.fields.remove("status")),
        }
    }

    /// Kubernetes: unlike other kinds, a custom one takes no labels and annotations with a status.
    pub(super) fn prepare_status_update(&mut self, old: &Self) -> StatusUpdate {
        if !self.has_status() {
            return StatusUpdate::Unsupported;
        }
        let mut kept = old.clone();
        kept.take_status(self);
        kept.metadata.managed_fields = std::mem::take(&mut self.metadata.managed_fields);
        kept.metadata.resource_version.clear();
        kept.version.clone_from(&self.version);
        *self = kept;
        StatusUpdate::Taken
    }

    pub(super) fn warn(&self, _old: Option<&Self>, warnings: &mut Warnings) {
        if let Some(text) = self.version.as_ref().and_then(|version| version.deprecation()) {
            warnings.say(text.to_owned());
        }
    }

    pub(super) fn selectable(&self, field: &str) -> Option<String> {
        let version = self.version.as_ref()?;
        if !version.can_select(field) {
            return None;
        }
        Some(match self.at(field) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        })
    }

    pub(super) fn replicas_mut(&mut self) -> Option<&mut Option<i32>> {
        // The number is JSON here: see `scale`.
        None
    }

    /// Returns the cells of the object's row: those of its version's columns, or of the columns that every kind has.
    pub(super) fn row(&self, now: Timestamp) -> Vec<String> {
        let name = self.metadata.name.clone();
        match self.version.as_ref().filter(|version| !version.columns().is_empty()) {
            Some(version) => {
                let whole = self.whole();
                let cells = version.columns().iter().map(|column| column.cell(&whole, now));
                std::iter::once(name).chain(cells).collect()
            }
            None => vec![name, age::since(&self.metadata.creation_timestamp, now)],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use squall_proto::apiextensions::v1::CustomResourceDefinition;

    use super::super::definition::Definition;
    use super::*;

    fn version() -> Arc<Version> {
        let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com",
            "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.color"}],
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer", "minimum": 1}, "color": {"type": "string", "default": "red"}}},
                    "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}}}}}}]}});
        let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        Definition::of(&definition, 7).unwrap().version("v1").unwrap().clone()
    }

    fn widget(json: Value) -> CustomObject {
        let version = version();
        let mut object = CustomObject::from_json(version.kind(), json).unwrap();
        object.follow(&version);
        object
    }

    fn problems(object: &CustomObject, old: Option<&CustomObject>) -> Vec<String> {
        let mut errors = Errors::default();
        object.check(old, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_object_survives_its_encoding_and_is_filled_in() {
        let object = widget(json!({"apiVersion": "x", "metadata": {"name": "a"}, "spec": {"size": 2}}));
        let decoded = CustomObject::decode(object.kind(), &object.encode_to_vec()).unwrap();
        assert_eq!(decoded, object);
        assert_eq!(serde_json::to_value(&object).unwrap()["spec"], json!({"size": 2, "color": "red"}));
        assert_eq!(object.selectable(".spec.color"), None);
        assert_eq!(object.selectable("spec.color").as_deref(), Some("red"));
        assert_eq!(object.row(Timestamp::UNIX_EPOCH), ["a", "2"]);
        assert!(CustomObject::decode(object.kind(), &[1, 2, 3]).is_err());
    }

    #[test]
    fn an_object_that_could_not_be_read_back_is_refused() {
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(!is_deeper(&deep(100), 100) && is_deeper(&deep(101), 100));
        let mut object = widget(json!({"spec": {"size": 1}}));
        object.fields_mut().insert("free".to_owned(), deep(120));
        assert!(problems(&object, None)[0].contains("must not nest more than 100 levels deep"));
    }

    #[test]
    fn spec_and_status_change_apart() {
        let mut old = widget(json!({"spec": {"size": 1}, "status": {"ready": true}}));
        old.prepare_create();
        assert_eq!((old.field("status"), old.metadata.generation), (None, 1));
        let mut status =
            widget(json!({"metadata": {"labels": {"a": "b"}}, "spec": {"size": 9}, "status": {"ready": true}}));
        assert_eq!(status.prepare_status_update(&old), StatusUpdate::Taken);
        assert_eq!((status.at(".spec.size"), status.at(".status.ready")), (Some(&json!(1)), Some(&json!(true))));
        assert!(status.metadata.labels.is_empty());
        let mut update = widget(json!({"spec": {"size": 2}, "status": {"ready": false}}));
        update.metadata.generation = 1;
        update.prepare_update(&status);
        assert_eq!((update.at(".status.ready"), update.metadata.generation), (Some(&json!(true)), 2));
    }

    #[test]
    fn an_object_that_no_longer_fits_can_be_changed_elsewhere() {
        let wrong = widget(json!({"spec": {"size": 0}}));
        assert_eq!(problems(&wrong, None).len(), 1);
        let changed = widget(json!({"spec": {"size": 0, "color": "blue"}}));
        assert_eq!(problems(&changed, Some(&wrong)), [""; 0]);
        assert_eq!(problems(&widget(json!({})), Some(&wrong)), [""; 0]);
        assert_eq!(problems(&widget(json!({"spec": {}})), Some(&wrong)), ["spec.size: Required value"]);
    }
}
