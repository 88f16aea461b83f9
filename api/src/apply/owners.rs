//! Tracks which manager owns which fields (`metadata.managedFields`), and how each write changes that.

use serde_json::{Map, Value, json};
use squall_proto::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use squall_proto::schema::Message;

use super::conflict::{Conflict, OnConflict};
use super::fields::Fields;
use super::form::Schema;
use super::merge::{merge, remove};
use super::walk::{difference, fields_of};
use crate::kinds::{Kind, Object};

/// How a manager came to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// By applying a configuration.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// The manager that writes, and the time of the write.
#[derive(Debug, Clone, Copy)]
pub struct Manager<'a> {
    /// The name of the manager; empty if the written fields get no owner.
    pub name: &'a str,
    /// The subresource that is written; empty for the object itself.
    pub subresource: &'a str,
    /// The time of the write.
    pub now: Time,
}

impl Manager<'_> {
    /// Returns the time of an entry in whole seconds, as in JSON. Otherwise a patch without changes would change the
    /// time, because patches go through JSON.
    fn stamp(&self) -> Time {
        Time { nanos: 0, ..self.now }
    }
}

/// An entry of `managedFields`.
#[derive(Debug, Clone)]
struct Owner {
    entry: ManagedFieldsEntry,
    fields: Fields,
}

impl Owner {
    fn is(&self, manager: &Manager<'_>, operation: Operation, api_version: &str) -> bool {
        self.entry.manager == manager.name
            && self.entry.operation == operation.as_str()
            && self.entry.subresource == manager.subresource
            && self.entry.api_version == api_version
    }

    /// Formats the manager for a conflict, like Kubernetes.
    fn shown(&self) -> String {
        let entry = &self.entry;
        let mut text = format!("{:?}", entry.manager);
        if !entry.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", entry.subresource));
        }
        if entry.operation == Operation::Update.as_str() {
            text.push_str(&format!(" using {}", entry.api_version));
            if let Some(time) = &entry.time {
                text.push_str(&format!(" at {}", squall_proto::format_rfc3339_seconds(time.timestamp())));
            }
        }
        text
    }
}

fn schema_of(kind: Kind) -> Schema {
    Message::find(kind.info().message)
}

/// Converts an object to JSON without the fields that nobody can own.
fn owned_part(object: &Object) -> Map<String, Value> {
    match object.to_json() {
        Value::Object(mut json) => {
            drop_nulls(&mut json);
            stripped(json)
        }
        _ => Map::new(),
    }
}

/// Some fields are null in JSON when they are not set. Nobody owns that.
fn drop_nulls(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| match value {
        Value::Null => false,
        Value::Object(inner) => {
            drop_nulls(inner);
            true
        }
        _ => true,
    });
}

/// Removes the fields that belong to the server, whoever writes them (as in Kubernetes).
fn stripped(mut json: Map<String, Value>) -> Map<String, Value> {
    for field in ["apiVersion", "kind"] {
        json.remove(field);
    }
    if let Some(Value::Object(metadata)) = json.get_mut("metadata") {
        for field in [
            "name",
            "namespace",
            "generateName",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        ] {
            metadata.remove(field);
        }
        if metadata.is_empty() {
            json.remove("metadata");
        }
    }
    json
}

/// Removes the part that a write to this resource does not take, so that nobody owns it (Kubernetes: reset fields).
fn taken(mut config: Map<String, Value>, kind: Kind, subresource: &str) -> Map<String, Value> {
    let has_status = kind.has_part("status");
    match subresource {
        "status" => {
            config.remove("spec");
            let labels = (kind == Kind::Deployment).then_some("labels");
            let owners = (kind == Kind::Pod).then_some("ownerReferences");
            if let Some(Value::Object(metadata)) = config.get_mut("metadata") {
                metadata.retain(|key, _| Some(key.as_str()) != labels && Some(key.as_str()) != owners);
            }
            if config.get("metadata").and_then(Value::as_object).is_some_and(Map::is_empty) {
                config.remove("metadata");
            }
        }
        _ if has_status => drop(config.remove("status")),
        _ => {}
    }
    config
}

fn read(entries: &[ManagedFieldsEntry]) -> Vec<Owner> {
    let fields = |entry: &ManagedFieldsEntry| {
        let raw = entry.fields_v1.as_ref().map(|fields| fields.raw.as_slice()).unwrap_or_default();
        Fields::parse(&serde_json::from_slice(raw).unwrap_or(Value::Null))
    };
    entries.iter().map(|entry| Owner { fields: fields(entry), entry: entry.clone() }).collect()
}

fn write(owners: Vec<Owner>) -> Vec<ManagedFieldsEntry> {
    let kept = owners.into_iter().filter(|owner| !owner.fields.is_empty());
    kept.map(|owner| ManagedFieldsEntry {
        fields_type: "FieldsV1".to_owned(),
        fields_v1: Some(FieldsV1 { raw: owner.fields.to_value().to_string().into_bytes() }),
        ..owner.entry
    })
    .collect()
}

fn new_owner(manager: &Manager<'_>, operation: Operation, api_version: String) -> Owner {
    let entry = ManagedFieldsEntry {
        manager: manager.name.to_owned(),
        operation: operation.as_str().to_owned(),
        api_version,
        time: Some(manager.stamp()),
        subresource: manager.subresource.to_owned(),
        ..ManagedFieldsEntry::default()
    };
    Owner { entry, fields: Fields::default() }
}

/// Records a write that was not an apply: the manager becomes the only owner of the fields that it has changed. Skips
/// an object without owners that an unnamed manager writes.
pub fn updated(old: Option<&Object>, new: &mut Object, manager: &Manager<'_>) {
    let nobody = new.meta().managed_fields.is_empty() && manager.name.is_empty();
    if nobody {
        return;
    }
    let kind = new.kind();
    let before = old.map(owned_part).unwrap_or_default();
    let found = difference(&before, &owned_part(new), schema_of(kind));
    if found.set.is_empty() && found.removed.is_empty() {
        return;
    }
    let api_version = kind.info().api_version();
    let mut owners = read(&new.meta().managed_fields);
    for owner in &mut owners {
        let own = owner.is(manager, Operation::Update, &api_version);
        let lost = if own { found.removed.clone() } else { found.removed.clone().union(&found.set) };
        owner.fields = owner.fields.without(&lost);
    }
    if !manager.name.is_empty() && !found.set.is_empty() {
        if !owners.iter().any(|owner| owner.is(manager, Operation::Update, &api_version)) {
            owners.push(new_owner(manager, Operation::Update, api_version.clone()));
        }
        for owner in owners.iter_mut().filter(|owner| owner.is(manager, Operation::Update, &api_version)) {
            owner.fields = owner.fields.clone().union(&found.set);
            owner.entry.time = Some(manager.stamp());
        }
    }
    new.meta_mut().managed_fields = write(owners);
}

/// Applies a configuration to an object. Returns the JSON of the object with the new `managedFields`, or the conflicts
/// with other managers.
pub fn applied(
    live: &Object,
    config: &Value,
    manager: &Manager<'_>,
    on_conflict: OnConflict,
) -> Result<Value, Vec<Conflict>> {
    let kind = live.kind();
    let (schema, api_version) = (schema_of(kind), kind.info().api_version());
    let config = taken(stripped(config.as_object().cloned().unwrap_or_default()), kind, manager.subresource);
    let wanted = fields_of(&config, schema);
    let before = owned_part(live);
    let mut merged = before.clone();
    merge(&mut merged, &config, schema);
    let changed = difference(&before, &merged, schema).set;

    let mut owners = read(&live.meta().managed_fields);
    owners.extend(before_first(live, &before, manager));
    let own = owners.iter().position(|owner| owner.is(manager, Operation::Apply, &api_version));
    let is_other = |place: usize| Some(place) != own;
    let conflicts = conflicts(&owners, &changed, is_other);
    if on_conflict == OnConflict::Refuse && !conflicts.is_empty() {
        return Err(conflicts);
    }
    let others = owners.iter().enumerate().filter(|(place, _)| is_other(*place));
    let owned_by_others = others.fold(Fields::default(), |all, (_, owner)| all.union(&owner.fields));
    let given_up = own.map(|own| owners[own].fields.without(&wanted).without(&owned_by_others)).unwrap_or_default();
    remove(&mut merged, &given_up, &wanted.clone().union(&owned_by_others), schema);

    for (place, owner) in owners.iter_mut().enumerate() {
        if is_other(place) {
            owner.fields = owner.fields.without(&changed).without(&given_up);
        }
    }
    match own {
        Some(own) if owners[own].fields == wanted && changed.is_empty() => {}
        Some(own) => {
            owners[own].fields = wanted;
            owners[own].entry.time = Some(manager.stamp());
        }
        None => owners.push(Owner { fields: wanted, ..new_owner(manager, Operation::Apply, api_version) }),
    }
    Ok(with_books(live, merged, &write(owners)))
}

/// Kubernetes: an object that nobody was written down for belongs, as it is, to `before-first-apply`.
fn before_first(live: &Object, before: &Map<String, Value>, manager: &Manager<'_>) -> Option<Owner> {
    let (meta, kind) = (live.meta(), live.kind());
    let exists = !meta.uid.is_empty() && meta.managed_fields.is_empty();
    let before = taken(before.clone(), kind, "");
    let earlier = Manager { name: "before-first-apply", subresource: "", ..*manager };
    let owner = new_owner(&earlier, Operation::Update, kind.info().api_version());
    exists.then(|| Owner { fields: fields_of(&before, schema_of(kind)), ..owner })
}

fn conflicts(owners: &[Owner], changed: &Fields, is_other: impl Fn(usize) -> bool) -> Vec<Conflict> {
    let others = owners.iter().enumerate().filter(|(place, _)| is_other(*place));
    others
        .flat_map(|(_, owner)| {
            let paths = owner.fields.common(changed).paths().into_iter();
            paths.map(|path| Conflict { manager: owner.shown(), path }).collect::<Vec<_>>()
        })
        .collect()
}

/// Adds the fields that nobody can own, and the new entries.
fn with_books(live: &Object, merged: Map<String, Value>, entries: &[ManagedFieldsEntry]) -> Value {
    let mut json = live.to_json();
    let kept = json.get("metadata").cloned().unwrap_or_else(|| json!({}));
    if let Value::Object(json) = &mut json {
        json.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind"));
        json.extend(merged);
        let metadata = json.entry("metadata").or_insert_with(|| json!({}));
        if let (Value::Object(metadata), Value::Object(kept)) = (metadata, kept) {
            for (key, value) in kept {
                // Fields that managers own have been merged or removed already.
                if !matches!(key.as_str(), "labels" | "annotations" | "finalizers" | "ownerReferences") {
                    metadata.insert(key, value);
                }
            }
            metadata.insert("managedFields".to_owned(), json!(entries));
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_proto::apps::v1::Deployment;

    fn manager(name: &str) -> Manager<'_> {
        Manager { name, subresource: "", now: Time { seconds: 0, nanos: 0 } }
    }

    fn object(json: Value) -> Object {
        Object::from_json(Kind::Deployment, json).unwrap()
    }

    fn apply(live: &Object, name: &str, config: Value, on_conflict: OnConflict) -> Result<Object, Vec<Conflict>> {
        applied(live, &config, &manager(name), on_conflict).map(object)
    }

    fn config(replicas: Option<i32>, labels: Value, containers: Value) -> Value {
        let mut config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kubia", "labels": labels},
            "spec": {"template": {"spec": {"containers": containers}}}});
        if let Some(replicas) = replicas {
            config["spec"]["replicas"] = replicas.into();
        }
        config
    }

    fn deployment(object: &Object) -> Deployment {
        Deployment::try_from(object.clone()).unwrap()
    }

    #[test]
    fn what_is_no_longer_applied_goes_and_what_others_own_stays() {
        let live = object(json!({"metadata": {"name": "kubia"}}));
        let first = config(Some(3), json!({"a": "1", "b": "2"}), json!([{"name": "c", "image": "i:1"}]));
        let live = apply(&live, "one", first, OnConflict::Refuse).unwrap();
        let live = apply(
            &live,
            "two",
            config(None, json!({"b": "2"}), json!([{"name": "d", "image": "j:1"}])),
            OnConflict::Refuse,
        )
        .unwrap();
        let second = config(None, json!({}), json!([{"name": "c", "image": "i:2"}]));
        let live = deployment(&apply(&live, "one", second, OnConflict::Refuse).unwrap());
        assert_eq!(live.spec.replicas, None);
        assert_eq!(live.metadata.labels.into_iter().collect::<Vec<_>>(), [("b".to_owned(), "2".to_owned())]);
        let images: Vec<&str> = live.spec.template.spec.containers.iter().map(|c| c.image.as_str()).collect();
        assert_eq!(images, ["i:2", "j:1"]);
    }

    /// The first containers of a Deployment, as JSON.
    fn containers(object: &Object) -> Value {
        object.to_json()["spec"]["template"]["spec"]["containers"].clone()
    }

    #[test]
    fn an_object_that_is_given_up_goes_with_its_defaults() {
        let probe = |probe: Value| config(None, json!({}), json!([{"name": "c", "readinessProbe": probe}]));
        let mut live = object(json!({"metadata": {"name": "kubia"}}));
        live = apply(&live, "one", probe(json!({"tcpSocket": {"port": 80}})), OnConflict::Refuse).unwrap();
        live.set_defaults();
        assert_eq!(containers(&live)[0]["readinessProbe"]["periodSeconds"], 10);
        let none = config(None, json!({}), json!([{"name": "c"}]));
        let gone = apply(&live, "one", none.clone(), OnConflict::Refuse).unwrap();
        assert_eq!(containers(&gone)[0].get("readinessProbe"), None);
        let other = probe(json!({"httpGet": {"path": "/", "port": 80}}));
        let switched = apply(&live, "one", other, OnConflict::Refuse).unwrap();
        assert_eq!(containers(&switched)[0]["readinessProbe"].get("tcpSocket"), None);
        assert_eq!(containers(&switched)[0]["readinessProbe"]["periodSeconds"], 10, "nobody gave the probe up");
        // Another manager owns a part of the probe: the probe stays, without the part that was given up.
        let part = probe(json!({"periodSeconds": 7}));
        let shared = apply(&live, "two", part, OnConflict::TakeOver).unwrap();
        let kept = apply(&shared, "one", none, OnConflict::Refuse).unwrap();
        assert_eq!(containers(&kept)[0]["readinessProbe"]["periodSeconds"], 7);
        assert_eq!(containers(&kept)[0]["readinessProbe"].get("tcpSocket"), None);
    }

    #[test]
    fn labels_and_lists_that_nobody_owns_stay() {
        let live = object(json!({"metadata": {"name": "kubia", "labels": {"old": "1"}, "annotations": {"older": "2"}},
            "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}));
        let mine = config(Some(3), json!({"mine": "3"}), json!([{"name": "d"}]));
        let with = apply(&live, "one", mine, OnConflict::Refuse).unwrap();
        let without = apply(&with, "one", json!({}), OnConflict::Refuse).unwrap();
        assert_eq!(without.meta().labels.keys().collect::<Vec<_>>(), ["old"]);
        assert_eq!(without.meta().annotations.keys().collect::<Vec<_>>(), ["older"]);
        assert_eq!(containers(&without).as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn the_applied_order_wins() {
        let named = |names: &[&str]| -> Value { names.iter().map(|name| json!({"name": name})).collect() };
        let mut live = object(json!({"metadata": {"name": "kubia"}}));
        for (order, expected) in
            [(&["a", "b"][..], &["a", "b"][..]), (&["b", "a"], &["b", "a"]), (&["b", "c", "a"], &["b", "c", "a"])]
        {
            live = apply(&live, "one", config(None, json!({}), named(order)), OnConflict::Refuse).unwrap();
            let found: Vec<String> =
                containers(&live).as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_status_is_owned_by_those_who_write_it() {
        let live = object(json!({"metadata": {"name": "kubia"}}));
        let whole = json!({"spec": {"replicas": 2}, "status": {"replicas": 9}, "metadata": {"labels": {"a": "1"}}});
        let books = |subresource| {
            let manager = Manager { subresource, ..manager("one") };
            let applied = object(applied(&live, &whole, &manager, OnConflict::Refuse).unwrap());
            String::from_utf8(applied.meta().managed_fields[0].fields_v1.clone().unwrap().raw).unwrap()
        };
        assert_eq!(books(""), r#"{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:replicas":{}}}"#);
        assert_eq!(books("status"), r#"{"f:status":{"f:replicas":{}}}"#);
    }

    #[test]
    fn an_element_without_a_key_is_named() {
        let containers = json!([{"image": "x"}, null, {"name": "c", "ports": [{"hostPort": 1}]}, 5]);
        let mut config = config(None, json!({}), containers);
        config["metadata"]["finalizers"] = json!(["a", null]);
        let omits = "associative list with keys has an element that omits all key fields [\"name\"] (and doesn't have default \
                     values for any key fields)";
        assert_eq!(
            crate::apply::ambiguities(Kind::Deployment, &config),
            [
                ".metadata.finalizers: element 1: associative list without keys has an element that's an explicit null",
                &format!(".spec.template.spec.containers: element 0: {omits}"),
                ".spec.template.spec.containers: element 1: associative list with keys may not have a null element",
                ".spec.template.spec.containers: element 3: associative list with keys may not have non-map elements",
            ]
        );
    }

    #[test]
    fn an_element_that_comes_twice_is_named() {
        let ports = json!([{"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]}]);
        let mut config = config(None, json!({}), ports);
        config["metadata"]["finalizers"] = json!(["a", "a"]);
        assert_eq!(
            crate::apply::ambiguities(Kind::Deployment, &config),
            [
                ".metadata.finalizers: duplicate entries for key [=\"a\"]",
                ".spec.template.spec.containers[name=\"c\"].ports: duplicate entries for key \
                 [containerPort=80,protocol=\"TCP\"]",
            ]
        );
    }

    #[test]
    fn another_value_for_what_another_owns_is_a_conflict() {
        let live = object(json!({"metadata": {"name": "kubia"}}));
        let live = apply(&live, "one", config(Some(3), json!({}), json!([])), OnConflict::Refuse).unwrap();
        let same = apply(&live, "two", config(Some(3), json!({}), json!([])), OnConflict::Refuse).unwrap();
        assert_eq!(same.meta().managed_fields.len(), 2, "both own it");
        let wanted = config(Some(5), json!({}), json!([]));
        let conflicts = apply(&live, "two", wanted.clone(), OnConflict::Refuse).unwrap_err();
        assert_eq!(conflicts, [Conflict { manager: "\"one\"".to_owned(), path: ".spec.replicas".to_owned() }]);
        let forced = apply(&live, "two", wanted, OnConflict::TakeOver).unwrap();
        assert_eq!(deployment(&forced).spec.replicas, Some(5));
        assert!(
            apply(&forced, "one", config(Some(3), json!({}), json!([])), OnConflict::Refuse).is_err(),
            "the other owns it now"
        );
    }

    #[test]
    fn an_update_takes_over_what_it_changes() {
        let live = object(json!({"metadata": {"name": "kubia"}}));
        let live = apply(&live, "one", config(Some(3), json!({"a": "1"}), json!([])), OnConflict::Refuse).unwrap();
        let mut scaled = deployment(&live);
        scaled.spec.replicas = Some(7);
        let mut scaled = Object::from(scaled);
        updated(Some(&live), &mut scaled, &Manager { subresource: "scale", ..manager("kubectl") });
        let conflicts =
            apply(&scaled, "one", config(Some(3), json!({"a": "1"}), json!([])), OnConflict::Refuse).unwrap_err();
        assert_eq!(
            conflicts[0].manager,
            "\"kubectl\" with subresource \"scale\" using apps/v1 at 1970-01-01T00:00:00Z"
        );
        let relaxed = apply(&scaled, "one", config(None, json!({"a": "1"}), json!([])), OnConflict::Refuse).unwrap();
        assert_eq!(deployment(&relaxed).spec.replicas, Some(7), "the first manager no longer owns it");
    }

    #[test]
    fn nothing_new_changes_nothing() {
        let live = object(json!({"metadata": {"name": "kubia"}}));
        let wanted = config(Some(3), json!({"a": "1"}), json!([{"name": "c", "ports": [{"containerPort": 80}]}]));
        let live = apply(&live, "one", wanted.clone(), OnConflict::Refuse).unwrap();
        let later = Manager { now: Time { seconds: 99, nanos: 0 }, ..manager("one") };
        assert_eq!(object(applied(&live, &wanted, &later, OnConflict::Refuse).unwrap()), live);
        let mut same = live.clone();
        updated(Some(&live), &mut same, &later);
        assert_eq!(same, live);
    }
}
