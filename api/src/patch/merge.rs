//! JSON merge patch (RFC 7386), and the patch that turns one document into another.

use serde_json::{Map, Value};

/// Applies a merge patch: `null` deletes, objects merge, everything else replaces.
pub fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(fields) = target {
        for (key, value) in patch {
            if value.is_null() {
                fields.remove(key);
            } else {
                apply(fields.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// Three-way: deletes from `current` what `original` had and `modified` has no longer, and sets what `modified` has
/// and `current` lacks. What only `current` has stays.
#[must_use]
pub fn three_way(original: &Value, modified: &Value, current: &Value) -> Value {
    let mut patch = Map::new();
    let empty = Map::new();
    let object = |value: &'_ Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
    let (original, modified, current) = (object(original), object(modified), object(current));
    for key in original.keys().filter(|key| !modified.contains_key(*key) && current.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in &modified {
        let live = current.get(key).unwrap_or(&Value::Null);
        if value.is_object() && live.is_object() {
            let inner = three_way(original.get(key).unwrap_or(&Value::Null), value, live);
            if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                patch.insert(key.clone(), inner);
            }
        } else if !covers(live, value) {
            patch.insert(key.clone(), value.clone());
        }
    }
    Value::Object(patch)
}

/// Whether everything that `wanted` says is so in `live`. Elements of a list are compared in order, and may have more
/// fields in `live`: the server fills in defaults.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).map_or(value.is_null(), |live| covers(live, value)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_rfc_7386() {
        for (mut target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!(["a"]), json!({"a": null}), json!({})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            apply(&mut target, &patch);
            assert_eq!(target, expected);
        }
    }

    #[test]
    fn three_way_leaves_alone_what_only_the_server_set() {
        let original = json!({"a": 1, "gone": 1, "m": {"x": 1, "y": 1}});
        let modified = json!({"a": 2, "m": {"x": 1}, "list": [{"n": 1}]});
        let current = json!({"a": 1, "gone": 1, "m": {"x": 1, "y": 1}, "server": 1, "list": [{"n": 1, "default": 2}]});
        assert_eq!(three_way(&original, &modified, &current), json!({"a": 2, "gone": null, "m": {"y": null}}));
        assert_eq!(three_way(&modified, &modified, &modified), json!({}));
    }
}
