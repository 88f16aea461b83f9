//! Kubernetes' strategic merge patch: a merge patch that merges lists by the keys in the schema.
//!
//! Directives: `$patch` (replace, delete, merge) in an object or in an element of a list, `$retainKeys` in an object,
//! `$deleteFromPrimitiveList/NAME` and `$setElementOrder/NAME` beside a list.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use squall_proto::schema::{Field, Kind, MESSAGES, Message, Shape};

use super::Problem;

pub(super) const PATCH: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
pub(super) const SET_ORDER: &str = "$setElementOrder/";

pub(super) type Object = Map<String, Value>;
pub(super) type Schema = Option<&'static Message>;

/// How a list merges.
#[derive(Clone, Copy)]
pub(super) enum Merging {
    /// The list is replaced.
    Not,
    /// Strings and numbers merge by value.
    Values,
    /// Objects merge by this field.
    By(&'static str),
}

/// Applies a patch to a document.
pub(super) fn apply(target: &mut Value, patch: &Value, schema: Schema) -> Result<(), Problem> {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => merge_object(target, patch.clone(), schema),
        (target, patch) => {
            *target = without_directives(patch.clone());
            Ok(())
        }
    }
}

fn malformed<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Malformed(text.into()))
}

fn merge_object(target: &mut Object, mut patch: Object, schema: Schema) -> Result<(), Problem> {
    match patch.remove(PATCH) {
        None => {}
        Some(Value::String(directive)) => match directive.as_str() {
            "replace" => {
                *target = clean_object(patch);
                return Ok(());
            }
            "delete" => {
                target.clear();
                return Ok(());
            }
            "merge" => {}
            other => return malformed(format!("Unknown patch type: {other}")),
        },
        Some(other) => return malformed(format!("Unknown patch type: {other}")),
    }
    retain_keys(target, &mut patch)?;
    set_orders(target, &mut patch, schema)?;
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            delete_from(target, list, &value)?;
        } else if value.is_null() {
            target.remove(&key);
        } else {
            merge_field(target, key, value, schema)?;
        }
    }
    Ok(())
}

fn merge_field(target: &mut Object, key: String, value: Value, schema: Schema) -> Result<(), Problem> {
    let field = schema.and_then(|message| message.field(&key));
    match (target.get_mut(&key), value) {
        (Some(Value::Object(old)), Value::Object(new)) if !replaces(field) => merge_object(old, new, element(field)),
        (Some(Value::Array(old)), Value::Array(new)) => {
            let merged = merge_list(std::mem::take(old), new, merging(field), field)?;
            *old = merged;
            Ok(())
        }
        (_, value) => {
            target.insert(key, without_directives(value));
            Ok(())
        }
    }
}

pub(super) fn replaces(field: Option<&'static Field>) -> bool {
    field.is_some_and(|field| field.patch_strategy.contains(&"replace"))
}

/// Returns the schema of a field's value, or of each of its elements.
pub(super) fn element(field: Option<&'static Field>) -> Schema {
    match field?.kind {
        Kind::Message(index) if !MESSAGES[index].custom_json && field?.shape != Shape::Map => Some(&MESSAGES[index]),
        _ => None,
    }
}

pub(super) fn merging(field: Option<&'static Field>) -> Merging {
    match field {
        Some(field) if field.shape == Shape::List && field.patch_strategy.contains(&"merge") => match field.merge_key {
            "" => Merging::Values,
            key => Merging::By(key),
        },
        _ => Merging::Not,
    }
}

/// Drops the fields that `$retainKeys` does not name.
fn retain_keys(target: &mut Object, patch: &mut Object) -> Result<(), Problem> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let keys: Option<HashSet<&str>> = directive.as_array().and_then(|keys| keys.iter().map(Value::as_str).collect());
    let Some(keys) = keys else { return malformed("$retainKeys must be a list of names") };
    // Kubernetes: a field that the patch removes need not be listed. kubectl sends both for the old member of a union.
    let is_strange =
        |(key, value): &(&String, &Value)| !value.is_null() && !key.starts_with('$') && !keys.contains(key.as_str());
    if let Some((stranger, _)) = patch.iter().find(is_strange) {
        return malformed(format!("{stranger:?} is set but not listed in $retainKeys"));
    }
    target.retain(|key, _| keys.contains(key.as_str()));
    Ok(())
}

/// Merges the lists whose order the patch specifies.
fn set_orders(target: &mut Object, patch: &mut Object, schema: Schema) -> Result<(), Problem> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for directive in directives {
        let Some(name) = directive.strip_prefix(SET_ORDER) else { continue };
        let Some(Value::Array(order)) = patch.remove(&directive) else {
            return malformed(format!("{directive} must be a list"));
        };
        let field = schema.and_then(|message| message.field(name));
        let merging = merging(field);
        let new = match patch.remove(name) {
            None => None,
            Some(Value::Array(new)) => Some(new),
            Some(other) => {
                patch.insert(name.to_owned(), other);
                continue;
            }
        };
        follows(new.as_deref().unwrap_or_default(), &order, merging)?;
        let old = target.get(name).and_then(Value::as_array).cloned();
        let merged = match (old.clone(), new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => clean_list(new),
            (Some(old), Some(new)) => merge_list(old, new, merging, field)?,
        };
        target.insert(name.to_owned(), Value::Array(ordered(merged, &order, &old.unwrap_or_default(), merging)));
    }
    Ok(())
}

/// Checks that the elements of a list are in the order that the patch specifies.
fn follows(list: &[Value], order: &[Value], merging: Merging) -> Result<(), Problem> {
    let mut rest = order.iter();
    let kept = list.iter().filter(|item| item.get(PATCH).is_none());
    for item in kept {
        if !rest.any(|other| same(other, item, merging)) {
            return malformed(format!(
                "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                Value::from(list),
                Value::from(order)
            ));
        }
    }
    Ok(())
}

fn merge_list(
    old: Vec<Value>,
    new: Vec<Value>,
    merging: Merging,
    field: Option<&'static Field>,
) -> Result<Vec<Value>, Problem> {
    match merging {
        Merging::Not => Ok(clean_list(new)),
        Merging::Values => {
            let mut known: HashSet<&Value> = old.iter().collect();
            let added: Vec<Value> = new.iter().filter(|value| known.insert(value)).cloned().collect();
            let merged = old.iter().cloned().chain(added).collect();
            Ok(ordered(merged, &new, &old, merging))
        }
        Merging::By(key) => merge_objects(old, new, key, field),
    }
}

fn merge_objects(
    old: Vec<Value>,
    new: Vec<Value>,
    key: &'static str,
    field: Option<&'static Field>,
) -> Result<Vec<Value>, Problem> {
    let merging = Merging::By(key);
    let (mut kept, mut deleted, mut replaced) = (Vec::new(), HashSet::new(), false);
    for item in new {
        match item.get(PATCH).map(|directive| directive.as_str().unwrap_or_default().to_owned()) {
            None => kept.push(item),
            Some(directive) if directive == "delete" => {
                let Some(name) = item.get(key) else {
                    return malformed("delete patch type with no merge key defined");
                };
                deleted.insert(name.clone());
            }
            Some(directive) if directive == "replace" => replaced = true,
            Some(directive) => return malformed(format!("Unknown patch type: {directive}")),
        }
    }
    if replaced {
        return Ok(clean_list(kept));
    }
    let mut merged: Vec<Value> =
        old.iter().filter(|item| identity(item, merging).is_none_or(|name| !deleted.contains(name))).cloned().collect();
    let mut places: HashMap<Value, usize> = HashMap::new();
    for (place, item) in merged.iter().enumerate() {
        identity(item, merging).map(|name| places.entry(name.clone()).or_insert(place));
    }
    for item in &kept {
        let Value::Object(patch) = item else {
            return malformed(format!("{item} is not an object and cannot be merged by {key:?}"));
        };
        let Some(name) = patch.get(key) else {
            return malformed(format!("map: {item} does not contain declared merge key: {key}"));
        };
        match places.get(name).and_then(|place| merged.get_mut(*place)) {
            Some(Value::Object(target)) => merge_object(target, patch.clone(), element(field))?,
            _ => {
                places.insert(name.clone(), merged.len());
                merged.push(without_directives(item.clone()));
            }
        }
    }
    Ok(ordered(merged, &kept, &old, merging))
}

/// Sorts a merged list like Kubernetes: the elements that the patch names are in the patch's order, the others keep
/// their place from the server.
fn ordered(merged: Vec<Value>, order: &[Value], server: &[Value], merging: Merging) -> Vec<Value> {
    let (order, server) = (places(order, merging), places(server, merging));
    let place = |places: &HashMap<&Value, usize>, item: &Value| places.get(identity(item, merging)?).copied();
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(&order, item).is_some());
    named.sort_by_key(|item| place(&order, item));
    others.sort_by_key(|item| place(&server, item));
    let before = |left: &Value, right: &Value| match (place(&server, left), place(&server, right)) {
        (Some(left), Some(right)) => left < right,
        _ => false,
    };
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        let next = match (others.peek(), named.peek()) {
            (Some(other), Some(one)) if before(other, one) => others.next(),
            (Some(_), None) => others.next(),
            _ => named.next(),
        };
        match next {
            Some(item) => all.push(item),
            None => return all,
        }
    }
}

/// Returns the part of an element that tells it from the others; `None` if it lacks the merge key.
fn identity(item: &Value, merging: Merging) -> Option<&Value> {
    match merging {
        Merging::By(key) => item.get(key),
        Merging::Values | Merging::Not => Some(item),
    }
}

/// Returns the first place of each element. Lists from outside may be long: nothing here compares each with each.
fn places(list: &[Value], merging: Merging) -> HashMap<&Value, usize> {
    let mut places = HashMap::new();
    for (place, item) in list.iter().enumerate() {
        identity(item, merging).map(|identity| places.entry(identity).or_insert(place));
    }
    places
}

fn same(one: &Value, other: &Value, merging: Merging) -> bool {
    identity(one, merging).is_some_and(|identified| identity(other, merging) == Some(identified))
}

fn delete_from(target: &mut Object, list: &str, values: &Value) -> Result<(), Problem> {
    let Some(values) = values.as_array() else { return malformed(format!("{DELETE_FROM}{list} must be a list")) };
    if let Some(Value::Array(items)) = target.get_mut(list) {
        let values: HashSet<&Value> = values.iter().collect();
        items.retain(|item| !values.contains(item));
    }
    Ok(())
}

/// Returns the new part of the document: the patch without its directives and deletions.
fn without_directives(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(clean_object(object)),
        Value::Array(list) => Value::Array(clean_list(list)),
        other => other,
    }
}

fn clean_object(object: Object) -> Object {
    let kept = object.into_iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    kept.map(|(key, value)| (key, without_directives(value))).collect()
}

fn clean_list(list: Vec<Value>) -> Vec<Value> {
    list.into_iter().filter(|item| item.get(PATCH).is_none()).map(without_directives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(mut target: Value, patch: &Value) -> Result<Value, Problem> {
        apply(&mut target, patch, Message::find("apps.v1.Deployment")).map(|()| target)
    }

    fn containers(list: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": list}}}})
    }

    #[test]
    fn lists_of_objects_merge_by_their_key() {
        let target =
            containers(json!([{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]));
        let patch =
            containers(json!([{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}, {"name": "c"}]));
        let expected = containers(json!([
            {"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]},
            {"name": "c"}, {"name": "b"}
        ]));
        assert_eq!(patched(target, &patch).unwrap(), expected);
    }

    #[test]
    fn an_element_is_deleted_and_a_list_replaced_by_directive() {
        let target = || containers(json!([{"name": "a"}, {"name": "b"}]));
        let delete = containers(json!([{"name": "a", "$patch": "delete"}]));
        assert_eq!(patched(target(), &delete).unwrap(), containers(json!([{"name": "b"}])));
        let replace = containers(json!([{"name": "c"}, {"$patch": "replace"}]));
        assert_eq!(patched(target(), &replace).unwrap(), containers(json!([{"name": "c"}])));
    }

    #[test]
    fn the_patch_may_give_the_order() {
        let target = containers(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]));
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "x"}]}}}});
        let expected = containers(json!([{"name": "b"}, {"name": "c"}, {"name": "a", "image": "x"}]));
        assert_eq!(patched(target, &patch).unwrap(), expected);
        let patch = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "z"}]}}}});
        assert!(matches!(patched(containers(json!([])), &patch), Err(Problem::Malformed(_))));
    }

    #[test]
    fn retained_keys_are_the_only_ones_left() {
        let target = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        assert_eq!(patched(target.clone(), &patch).unwrap(), json!({"spec": {"strategy": {"type": "Recreate"}}}));
        let by_kubectl = json!({"spec": {"strategy":
            {"$retainKeys": ["type"], "type": "Recreate", "rollingUpdate": null}}});
        assert_eq!(patched(target.clone(), &by_kubectl).unwrap(), json!({"spec": {"strategy": {"type": "Recreate"}}}));
        let strange = json!({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {"maxSurge": 2}}}});
        assert!(patched(target, &strange).is_err());
        let volumes = |value: Value| json!({"spec": {"template": {"spec": {"volumes": [value]}}}});
        let switched = volumes(json!({"$retainKeys": ["name", "configMap"], "name": "d", "emptyDir": null,
            "configMap": {"name": "c"}}));
        assert_eq!(
            patched(volumes(json!({"name": "d", "emptyDir": {}})), &switched).unwrap(),
            volumes(json!({"name": "d", "configMap": {"name": "c"}}))
        );
    }

    #[test]
    fn values_are_added_once_and_deleted_by_directive() {
        let target = || json!({"metadata": {"finalizers": ["a", "b"]}});
        let add = json!({"metadata": {"finalizers": ["b", "c"]}});
        assert_eq!(patched(target(), &add).unwrap(), json!({"metadata": {"finalizers": ["a", "b", "c"]}}));
        let delete = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
        assert_eq!(patched(target(), &delete).unwrap(), json!({"metadata": {"finalizers": ["b"]}}));
    }

    #[test]
    fn maps_merge_and_other_lists_are_replaced() {
        let target = json!({"metadata": {"labels": {"a": "1", "b": "2"}},
            "spec": {"template": {"spec": {"tolerations": [{"key": "x"}]}}}});
        let patch = json!({"metadata": {"labels": {"b": null, "c": "3"}},
            "spec": {"template": {"spec": {"tolerations": [{"key": "y"}]}}}});
        let expected = json!({"metadata": {"labels": {"a": "1", "c": "3"}},
            "spec": {"template": {"spec": {"tolerations": [{"key": "y"}]}}}});
        assert_eq!(patched(target, &patch).unwrap(), expected);
    }

    #[test]
    fn a_patch_that_makes_no_sense_is_refused() {
        for patch in [
            json!({"$patch": "explode"}),
            json!({"spec": {"$retainKeys": 3}}),
            containers(json!([{"image": "no name"}])),
            containers(json!([{"$patch": "delete"}])),
            containers(json!([{"$patch": 5, "name": "a"}])),
            containers(json!(["text"])),
            json!({"metadata": {"$setElementOrder/finalizers": "a"}}),
        ] {
            let target = json!({"metadata": {"finalizers": ["a"]}, "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}});
            assert!(matches!(patched(target, &patch), Err(Problem::Malformed(_))), "{patch}");
        }
    }
}
