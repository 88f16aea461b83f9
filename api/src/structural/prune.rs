//! Removes the fields that a schema does not name.

use serde_json::{Map, Value};

use super::Schema;
use super::check::shortened;

/// How many of the removed fields are named.
const MAX_REMOVED: usize = 256;

/// Whether a value is a whole object of the API, so that its apiVersion, kind and metadata need no schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// It is.
    Resource,
    /// It is a value within one.
    Value,
}

/// Removes the fields that the schema does not name, and returns their paths: `spec.foo`, `spec.list[0].bar`.
pub fn prune(value: &mut Value, schema: &Schema, root: Root) -> Vec<String> {
    let mut walk = Walk { path: String::new(), removed: Vec::new() };
    walk.value(value, Some(schema), root == Root::Resource || schema.is_resource);
    walk.removed.sort_unstable();
    walk.removed
}

/// Whether a field of a resource needs no schema.
fn is_meta(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind" | "metadata")
}

struct Walk {
    path: String,
    removed: Vec<String>,
}

impl Walk {
    fn value(&mut self, value: &mut Value, schema: Option<&Schema>, is_resource: bool) {
        match value {
            Value::Object(fields) => self.object(fields, schema, is_resource),
            Value::Array(items) => {
                let element = schema.and_then(|schema| schema.items.as_deref());
                // Below a value that keeps what it has, so does an element without a schema.
                if element.is_none() && schema.is_some_and(|schema| schema.preserves_unknown) {
                    return;
                }
                for (index, item) in items.iter_mut().enumerate() {
                    self.within(&format!("[{index}]"), |walk| {
                        walk.value(item, element, element.is_some_and(|element| element.is_resource));
                    });
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, fields: &mut Map<String, Value>, schema: Option<&Schema>, is_resource: bool) {
        let keeps = schema.is_some_and(|schema| schema.preserves_unknown);
        let mut unknown = Vec::new();
        for (name, value) in fields.iter_mut() {
            if is_resource && is_meta(name) {
                continue;
            }
            let dot = if self.path.is_empty() { "" } else { "." };
            let place = format!("{dot}{name}");
            match schema.map(|schema| (schema.properties.get(name), schema.additional.as_ref())) {
                Some((Some(field), _)) => self.within(&place, |walk| walk.value(value, Some(field), field.is_resource)),
                Some((None, Some(more))) => {
                    let field = more.schema.as_deref();
                    let is_resource = field.is_some_and(|field| field.is_resource);
                    self.within(&place, |walk| walk.value(value, field, is_resource));
                }
                Some((None, None)) if keeps => {}
                Some((None, None)) | None => unknown.push(name.clone()),
            }
        }
        for name in unknown {
            let dot = if self.path.is_empty() { "" } else { "." };
            if self.removed.len() < MAX_REMOVED {
                self.removed.push(shortened(&format!("{}{dot}{}", shortened(&self.path), shortened(&name))));
            }
            fields.remove(&name);
        }
    }

    fn within(&mut self, place: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(place);
        walk(self);
        self.path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compile;
    use super::*;

    fn pruned(schema: Value, mut value: Value) -> (Value, Vec<String>) {
        let schema = compile(&serde_json::from_value(schema).unwrap()).unwrap();
        let removed = prune(&mut value, &schema, Root::Resource);
        (value, removed)
    }

    #[test]
    fn unknown_fields_are_removed_and_named() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "a": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"y": {"type": "string"}}}},
        }}}});
        let value = json!({"apiVersion": "v1", "kind": "A", "metadata": {"anything": 1}, "other": 1, "spec": {
            "a": "b", "c": 1, "list": [{"x": 1, "z": 2}, {"x": 2}], "map": {"k": {"y": "", "z": 1}}}});
        let (value, removed) = pruned(schema, value);
        assert_eq!(removed, ["other", "spec.c", "spec.list[0].z", "spec.map.k.z"]);
        assert_eq!(
            value,
            json!({"apiVersion": "v1", "kind": "A", "metadata": {"anything": 1}, "spec": {
                "a": "b", "list": [{"x": 1}, {"x": 2}], "map": {"k": {"y": ""}}}})
        );
    }

    #[test]
    fn what_is_to_be_preserved_is_and_schemas_below_still_count() {
        let schema = json!({"type": "object", "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "strict": {"type": "object", "properties": {"a": {"type": "string"}}}}},
            "inner": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {
                "spec": {"type": "object"}}},
        }});
        let value = json!({"free": {"b": {"c": [1]}, "strict": {"a": "", "d": 1}},
            "inner": {"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "spec": {"e": 1}, "f": 1}});
        let (value, removed) = pruned(schema, value);
        assert_eq!(removed, ["free.strict.d", "inner.f", "inner.spec.e"]);
        assert_eq!(value["free"], json!({"b": {"c": [1]}, "strict": {"a": ""}}));
        assert_eq!(value["inner"], json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}, "spec": {}}));
    }
}
