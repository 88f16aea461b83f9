//! Computes the strategic merge patch of `apply` from the last applied, the newly applied and the live configuration.
//!
//! Kubernetes: `CreateThreeWayMergePatch`. Fields that only the server has stay: defaults, fields set by others,
//! status.

use serde_json::{Map, Value, json};
use squall_proto::schema::{Field, Message};

use crate::kinds::Kind;

use super::strategic::{
    DELETE_FROM, Merging, Object, PATCH, RETAIN_KEYS, SET_ORDER, Schema, element, merging, replaces,
};

/// Returns the patch that deletes from `current` the fields that `original` had and `modified` no longer has, and sets
/// the fields of `modified` that `current` lacks or has with another value. An empty object if there is nothing to do.
#[must_use]
pub fn three_way(kind: Kind, original: &Value, modified: &Value, current: &Value) -> Value {
    let schema = Message::find(kind.info().message);
    let empty = Map::new();
    let object = |value| Value::as_object(value).unwrap_or(&empty);
    Value::Object(objects(object(original), object(modified), object(current), schema))
}

fn objects(original: &Object, modified: &Object, current: &Object, schema: Schema) -> Object {
    let mut patch = Map::new();
    for key in original.keys().filter(|key| !is_set(modified, key) && current.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in modified.iter().filter(|(_, value)| !value.is_null()) {
        let field = schema.and_then(|message| message.field(key));
        let original = original.get(key).unwrap_or(&Value::Null);
        match (value, current.get(key)) {
            (Value::Object(value), Some(Value::Object(live))) if !replaces(field) => {
                let inner = nested(original, value, live, field);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Value::Array(value), Some(Value::Array(live))) => {
                lists(&mut patch, key, [original.as_array().map_or(&[], Vec::as_slice), value, live], field);
            }
            (value, live) if live != Some(value) => {
                patch.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    patch
}

/// Whether a field is set; an explicit `null` counts as unset.
fn is_set(object: &Object, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

/// Returns the patch of a nested object. In a union, only the applied fields may stay, which `$retainKeys` ensures.
fn nested(original: &Value, modified: &Object, current: &Object, field: Option<&'static Field>) -> Object {
    let empty = Map::new();
    let mut patch = objects(original.as_object().unwrap_or(&empty), modified, current, element(field));
    let is_union = field.is_some_and(|field| field.patch_strategy.contains(&"retainKeys"));
    if is_union && !patch.is_empty() {
        let keys = modified.keys().filter(|key| is_set(modified, key));
        patch.insert(RETAIN_KEYS.to_owned(), keys.map(String::as_str).collect());
    }
    patch
}

/// Adds the patch of a list. `lists` are the original, the modified and the current list.
fn lists(patch: &mut Object, key: &str, lists: [&[Value]; 3], field: Option<&'static Field>) {
    let [original, modified, current] = lists;
    match merging(field) {
        Merging::By(name) if lists.iter().all(|list| are_distinct(list, name)) => {
            by_key(patch, key, lists, name, field);
        }
        Merging::By(_) if !is_there(original, modified, current) => {
            // The elements are not distinct, so the directive replaces the whole list.
            let directive = json!({PATCH: "replace"});
            patch.insert(key.to_owned(), modified.iter().cloned().chain([directive]).collect());
        }
        Merging::Values => values(patch, key, lists),
        Merging::Not if !is_there(original, modified, current) => {
            patch.insert(key.to_owned(), modified.into());
        }
        Merging::By(_) | Merging::Not => {}
    }
}

fn are_distinct(list: &[Value], name: &str) -> bool {
    let mut keys: Vec<String> = list.iter().filter_map(|item| item.get(name)).map(Value::to_string).collect();
    keys.sort();
    keys.dedup();
    keys.len() == list.len()
}

/// Whether the server already has a list that is replaced as a whole. If the same list was applied before, its elements
/// may have more fields on the server: its defaults.
fn is_there(original: &[Value], modified: &[Value], current: &[Value]) -> bool {
    modified == current || (original == modified && covers(&current.into(), &modified.into()))
}

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

fn by_key(patch: &mut Object, key: &str, lists: [&[Value]; 3], name: &'static str, field: Option<&'static Field>) {
    let [original, modified, current] = lists;
    let empty = Map::new();
    let find = |list: &'_ [Value], item: &Value| list.iter().position(|other| other.get(name) == item.get(name));
    let object = |list: &[Value], item: &Value| {
        find(list, item).and_then(|at| list[at].as_object().cloned()).unwrap_or_else(|| empty.clone())
    };
    let identity = |item: &Value| json!({name: item.get(name)});
    let mut changes = Vec::new();
    for item in modified {
        if find(current, item).is_none() {
            changes.push(item.clone());
            continue;
        }
        let mut inner =
            objects(&object(original, item), &object(modified, item), &object(current, item), element(field));
        if !inner.is_empty() {
            inner.insert(name.to_owned(), item.get(name).cloned().unwrap_or_default());
            changes.push(Value::Object(inner));
        }
    }
    let gone = original.iter().filter(|item| find(modified, item).is_none() && find(current, item).is_some());
    changes.extend(gone.map(|item| json!({name: item.get(name), PATCH: "delete"})));
    let places: Vec<usize> = modified.iter().filter_map(|item| find(current, item)).collect();
    if !changes.is_empty() || !places.is_sorted() {
        patch.insert(format!("{SET_ORDER}{key}"), modified.iter().map(identity).collect());
    }
    if !changes.is_empty() {
        patch.insert(key.to_owned(), changes.into());
    }
}

/// Adds the patch of a list of strings or numbers, which merges by value.
fn values(patch: &mut Object, key: &str, [original, modified, current]: [&[Value]; 3]) {
    let new: Vec<Value> = modified.iter().filter(|value| !current.contains(value)).cloned().collect();
    let is_gone = |value: &&Value| !modified.contains(value) && current.contains(value);
    let gone: Vec<Value> = original.iter().filter(is_gone).cloned().collect();
    if !new.is_empty() || !gone.is_empty() {
        patch.insert(format!("{SET_ORDER}{key}"), modified.into());
    }
    if !new.is_empty() {
        patch.insert(key.to_owned(), new.into());
    }
    if !gone.is_empty() {
        patch.insert(format!("{DELETE_FROM}{key}"), gone.into());
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::super::strategic;
    use super::*;

    /// Returns the patch, and the result of applying it to `current`.
    fn applied(original: &Value, modified: &Value, current: &Value) -> (Value, Value) {
        let patch = three_way(Kind::Deployment, original, modified, current);
        let mut result = current.clone();
        strategic::apply(&mut result, &patch, Message::find("apps.v1.Deployment")).unwrap();
        (patch, result)
    }

    fn pod(spec: Value) -> Value {
        json!({"spec": {"template": {"spec": spec}}})
    }

    #[test]
    fn a_container_that_another_added_stays_and_one_that_was_applied_goes() {
        let original = pod(json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b"}]}));
        let modified = pod(json!({"containers": [{"name": "a", "image": "a:2"}]}));
        let current = pod(
            json!({"containers": [{"name": "sidecar"}, {"name": "a", "image": "a:1", "stdin": true}, {"name": "b"}]}),
        );
        let (patch, result) = applied(&original, &modified, &current);
        assert_eq!(
            patch,
            pod(json!({"$setElementOrder/containers": [{"name": "a"}],
                "containers": [{"image": "a:2", "name": "a"}, {"$patch": "delete", "name": "b"}]}))
        );
        let expected = pod(json!({"containers": [{"name": "sidecar"}, {"name": "a", "image": "a:2", "stdin": true}]}));
        assert_eq!(result, expected);
    }

    #[test]
    fn of_a_strategy_only_what_is_applied_stays() {
        let current = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let modified = json!({"spec": {"strategy": {"type": "Recreate"}}});
        let (patch, result) = applied(&json!({}), &modified, &current);
        assert_eq!(patch, json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}));
        assert_eq!(result, modified);
    }

    #[test]
    fn finalizers_are_added_and_deleted_one_by_one() {
        let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
        let (patch, result) =
            applied(&finalizers(json!(["a"])), &finalizers(json!(["b"])), &finalizers(json!(["a", "server"])));
        assert_eq!(patch["metadata"]["$deleteFromPrimitiveList/finalizers"], json!(["a"]));
        assert_eq!(result, finalizers(json!(["b", "server"])));
    }

    #[test]
    fn a_list_that_does_not_merge_is_left_alone_only_as_it_was_applied() {
        let tolerations = |list: Value| pod(json!({"tolerations": list}));
        let (long, short) = (json!([{"key": "x", "operator": "Exists"}]), json!([{"key": "x"}]));
        let (patch, _) = applied(&tolerations(short.clone()), &tolerations(short.clone()), &tolerations(long.clone()));
        assert_eq!(patch, json!({}), "the server's default");
        let (_, result) = applied(&tolerations(long.clone()), &tolerations(short.clone()), &tolerations(long));
        assert_eq!(result, tolerations(short), "a field was taken out of the manifest");
    }

    #[test]
    fn elements_of_one_name_are_replaced_together() {
        let ports =
            |list: Value| json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "ports": list}]}}}});
        let modified =
            ports(json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]));
        let (_, result) = applied(&json!({}), &modified, &ports(json!([{"containerPort": 53, "protocol": "TCP"}])));
        assert_eq!(result, modified);
    }

    #[test]
    fn what_is_no_longer_applied_goes_only_if_it_is_there() {
        let original = json!({"metadata": {"labels": {"a": "1", "gone": "1", "b": "1"}}});
        let modified = json!({"metadata": {"labels": {"a": "1", "b": null}}});
        let current = json!({"metadata": {"labels": {"a": "1", "b": "1"}}});
        let (patch, result) = applied(&original, &modified, &current);
        assert_eq!(patch, json!({"metadata": {"labels": {"b": null}}}));
        assert_eq!(result, json!({"metadata": {"labels": {"a": "1"}}}));
    }

    fn containers() -> impl Strategy<Value = Value> {
        let env = vec("[XYZ]", 0..4).prop_map(|names| {
            let distinct: std::collections::BTreeSet<String> = names.into_iter().collect();
            distinct.into_iter().map(|name| json!({"name": name, "value": "1"})).collect::<Value>()
        });
        let container = (proptest::option::of("[uv]"), env);
        btree_map("[abc]", container, 0..4).prop_shuffle_list()
    }

    /// Turns the elements of a map into a list in random order.
    trait Shuffled {
        fn prop_shuffle_list(self) -> BoxedStrategy<Value>;
    }

    impl<S> Shuffled for S
    where
        S: Strategy<Value = std::collections::BTreeMap<String, (Option<String>, Value)>> + 'static,
    {
        fn prop_shuffle_list(self) -> BoxedStrategy<Value> {
            let list = self.prop_map(|map| {
                let containers = map.into_iter().map(|(name, (image, env))| match image {
                    Some(image) => json!({"name": name, "image": image, "env": env}),
                    None => json!({"name": name, "env": env}),
                });
                containers.collect::<Vec<Value>>()
            });
            list.prop_shuffle().prop_map(Value::from).boxed()
        }
    }

    fn by_name(list: &Value) -> std::collections::BTreeMap<String, Value> {
        list.as_array().unwrap().iter().map(|item| (item["name"].as_str().unwrap().to_owned(), item.clone())).collect()
    }

    proptest! {
        #[test]
        fn everything_applied_is_there_and_nothing_else_is_lost(
            original in containers(), modified in containers(), current in containers(),
        ) {
            let spec = |list: &Value| pod(json!({"containers": list}));
            let (_, result) = applied(&spec(&original), &spec(&modified), &spec(&current));
            let list = &result["spec"]["template"]["spec"]["containers"];
            let (original, wanted, live, result) = (by_name(&original), by_name(&modified), by_name(&current), by_name(list));
            for (name, container) in &wanted {
                let found = &result[name];
                if let Some(image) = container.get("image") {
                    prop_assert_eq!(&found["image"], image);
                } else if original.get(name).is_some_and(|before| before.get("image").is_some()) {
                    prop_assert_eq!(found.get("image"), None);
                }
                let env = by_name(&found["env"]);
                prop_assert!(by_name(&container["env"]).keys().all(|variable| env.contains_key(variable)));
            }
            for name in live.keys().filter(|name| !wanted.contains_key(*name)) {
                prop_assert_eq!(result.contains_key(name), !original.contains_key(name), "{}", name);
            }
            let names = |list: &Value| list.as_array().unwrap().iter().map(|item| item["name"].clone()).collect::<Vec<_>>();
            let kept: Vec<Value> = names(list).into_iter().filter(|name| names(&modified).contains(name)).collect();
            prop_assert_eq!(kept, names(&modified), "the order is that of the manifest");
            let again = three_way(Kind::Deployment, &spec(&modified), &spec(&modified), &spec(list));
            prop_assert_eq!(again, json!({}), "applying twice changes nothing");
        }
    }
}
