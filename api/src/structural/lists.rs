//! Elements that lists have twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{ListType, Schema};
use crate::field::{Errors, Path};

/// Reports elements that a list of type "set" or "map" has twice, wherever it is in the value.
pub fn check_lists(value: &Value, schema: &Schema, path: &Path, errors: &mut Errors) {
    if !schema.has_keyed_lists {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(field) = schema.properties.get(name) {
                    check_lists(value, field, &path.child(name), errors);
                } else if let Some(field) = schema.field(name) {
                    check_lists(value, field, &path.key(name), errors);
                }
            }
        }
        Value::Array(items) => {
            match &schema.list {
                ListType::Atomic => {}
                ListType::Set => report_repeated(items, path, errors),
                ListType::Map(keys) => check_map(items, keys, path, errors),
            }
            if let Some(element) = schema.items.as_deref() {
                for (index, item) in items.iter().enumerate() {
                    check_lists(item, element, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_map(items: &[Value], keys: &[String], path: &Path, errors: &mut Errors) {
    if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| !item.is_null() && !item.is_object()) {
        return errors.invalid(&path.index(index), item, "must be an object for an array of list-type map");
    }
    let identity = |item: &Value| -> Value {
        let of = |key: &String| Some((key.clone(), item.get(key)?.clone()));
        Value::Object(keys.iter().filter_map(of).collect::<Map<_, _>>())
    };
    let identities: Vec<Value> = items.iter().map(identity).collect();
    report_repeated(&identities, path, errors);
}

/// Reports the second of equal values, and no further ones.
fn report_repeated(values: &[Value], path: &Path, errors: &mut Errors) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, value) in values.iter().enumerate() {
        let times = seen.entry(value.to_string()).or_default();
        *times = times.saturating_add(1);
        if *times == 2 {
            errors.duplicate(&path.index(index), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compile;
    use super::*;

    fn found(schema: Value, value: &Value) -> Vec<String> {
        let schema = compile(&serde_json::from_value(schema).unwrap()).unwrap();
        let mut errors = Errors::default();
        check_lists(value, &schema, &Path::default(), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_element_that_a_set_or_a_map_has_twice_is_reported_once() {
        let set = json!({"type": "object", "properties": {"a": {
            "type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}});
        assert_eq!(found(set, &json!({"a": ["x", "y", "x", "x"]})), ["a[2]: Duplicate value: \"x\""]);
        let map = json!({"type": "object", "additionalProperties": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k", "l"], "items": {"type": "object", "properties": {
            "k": {"type": "string"}, "l": {"type": "integer"}}}}});
        let value = json!({"a": [{"k": "x", "l": 1}, {"k": "x", "l": 2}, {"l": 1, "k": "x"}, {}, {}]});
        assert_eq!(
            found(map, &value),
            ["[a][2]: Duplicate value: {\"k\":\"x\",\"l\":1}", "[a][4]: Duplicate value: {}"]
        );
    }
}
