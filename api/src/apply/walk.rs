//! Finds the fields of a document, and the differences between two.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};
use squall_proto::schema::{Field, Message};

use super::fields::{Element, Fields};
use super::form::{Form, Schema, element_of, has_key, value_of};
use super::order::repeated;
use crate::kinds::Kind;

/// The difference between two documents.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// The fields that are new or have another value.
    pub(super) set: Fields,
    /// The fields that are gone.
    pub(super) removed: Fields,
}

impl Difference {
    fn put(&mut self, element: &Element, inner: Self) {
        self.set.put(element.clone(), inner.set);
        self.removed.put(element.clone(), inner.removed);
    }
}

/// Returns the fields of an object.
pub(super) fn fields_of(object: &Map<String, Value>, schema: Schema) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in object {
        let field = schema.and_then(|message| message.field(name));
        fields.put(Element::Field(name.clone()), fields_in(value, field));
    }
    fields
}

fn fields_in(value: &Value, field: Option<&'static Field>) -> Fields {
    let mut fields = Fields::default();
    match (Form::of(field, value), value) {
        (Form::Fields(schema), Value::Object(object)) if !object.is_empty() => return fields_of(object, schema),
        (Form::Keys(schema), Value::Object(entries)) if !entries.is_empty() => {
            for (key, value) in entries {
                fields.put(Element::Field(key.clone()), fields_under_key(value, schema));
            }
        }
        (Form::Elements(keys, schema), Value::Array(items)) => {
            for item in items {
                fields.put(element_of(keys, item), fields_of_element(item, schema));
            }
        }
        (Form::Values, Value::Array(items)) => {
            items.iter().for_each(|item| fields.put(value_of(item), Fields::leaf()));
        }
        _ => return Fields::leaf(),
    }
    fields
}

fn fields_under_key(value: &Value, schema: Schema) -> Fields {
    let inner = value.as_object().filter(|_| schema.is_some()).map(|object| fields_of(object, schema));
    Fields::leaf().union(&inner.unwrap_or_default())
}

fn fields_of_element(item: &Value, schema: Schema) -> Fields {
    let inner = item.as_object().map(|object| fields_of(object, schema)).unwrap_or_default();
    Fields::leaf().union(&inner)
}

/// Returns why elements of a configuration's lists cannot be told apart, in Kubernetes' words: `.spec.ports: duplicate
/// entries for key [port=80,protocol="TCP"]`.
#[must_use]
pub fn ambiguities(kind: Kind, config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Value::Object(config) = config {
        note_ambiguities(config, Message::find(kind.info().message), "", &mut found);
    }
    found
}

fn note_ambiguities(object: &Map<String, Value>, schema: Schema, path: &str, found: &mut Vec<String>) {
    for (name, value) in object {
        let field = schema.and_then(|message| message.field(name));
        let path = format!("{path}.{name}");
        match (Form::of(field, value), value) {
            (Form::Fields(schema), Value::Object(object)) => note_ambiguities(object, schema, &path, found),
            (Form::Keys(Some(schema)), Value::Object(entries)) => {
                for (key, value) in entries {
                    if let Value::Object(value) = value {
                        note_ambiguities(value, Some(schema), &format!("{path}.{key}"), found);
                    }
                }
            }
            (Form::Elements(keys, schema), Value::Array(items)) => {
                let problems = items.iter().map(|item| unidentified(keys, item));
                let named: Vec<&Value> = identified(items, problems, &path, found).collect();
                note_repeated(named.iter().map(|item| element_of(keys, item)), &path, found);
                for item in named {
                    if let Value::Object(inner) = item {
                        let path = format!("{path}{}", element_of(keys, item).shown());
                        note_ambiguities(inner, schema, &path, found);
                    }
                }
            }
            (Form::Values, Value::Array(items)) => {
                let problems = items.iter().map(|item| item.is_null().then(|| NULL_VALUE.to_owned()));
                let values = identified(items, problems, &path, found);
                note_repeated(values.map(value_of), &path, found);
            }
            _ => {}
        }
    }
}

const NULL_VALUE: &str = "associative list without keys has an element that's an explicit null";

/// Returns why an element of a list with these keys has no identity, if it has none.
fn unidentified(keys: &[&str], item: &Value) -> Option<String> {
    match item {
        Value::Null => Some("associative list with keys may not have a null element".to_owned()),
        Value::Object(item) if keys.iter().any(|key| has_key(item, key)) => None,
        Value::Object(_) => Some(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key \
             fields)",
            keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(" ")
        )),
        _ => Some("associative list with keys may not have non-map elements".to_owned()),
    }
}

/// Returns the items without a problem, and notes the others.
fn identified<'a>(
    items: &'a [Value],
    problems: impl Iterator<Item = Option<String>>,
    path: &str,
    found: &mut Vec<String>,
) -> std::vec::IntoIter<&'a Value> {
    let mut whole = Vec::with_capacity(items.len());
    for (place, (item, problem)) in items.iter().zip(problems).enumerate() {
        match problem {
            None => whole.push(item),
            Some(problem) => found.push(format!("{path}: element {place}: {problem}")),
        }
    }
    whole.into_iter()
}

fn note_repeated(elements: impl Iterator<Item = Element>, path: &str, found: &mut Vec<String>) {
    let repeated = repeated(elements).into_iter();
    found.extend(repeated.map(|step| format!("{path}: duplicate entries for key {}", step.shown())));
}

/// Returns the difference between two objects.
pub(super) fn difference(old: &Map<String, Value>, new: &Map<String, Value>, schema: Schema) -> Difference {
    let mut found = Difference::default();
    for (name, value) in new {
        let field = schema.and_then(|message| message.field(name));
        let inner = match old.get(name) {
            None if is_nothing(value) => Difference::default(),
            None => Difference { set: fields_in(value, field), removed: Fields::default() },
            Some(before) => difference_in(before, value, field),
        };
        found.put(&Element::Field(name.clone()), inner);
    }
    for (name, value) in old.iter().filter(|(name, value)| !new.contains_key(*name) && !is_nothing(value)) {
        let field = schema.and_then(|message| message.field(name));
        found.removed.put(Element::Field(name.clone()), fields_in(value, field));
    }
    found
}

/// Whether a value counts as absent: null, an empty list or map, or an object of only such values.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().all(is_nothing),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn difference_in(old: &Value, new: &Value, field: Option<&'static Field>) -> Difference {
    if old == new {
        return Difference::default();
    }
    match (Form::of(field, new), old, new) {
        (Form::Fields(schema), Value::Object(old), Value::Object(new)) => difference(old, new, schema),
        (Form::Keys(schema), Value::Object(old), Value::Object(new)) => {
            let mut found = Difference::default();
            for (key, value) in new.iter().filter(|(key, value)| old.get(*key) != Some(value)) {
                found.set.put(Element::Field(key.clone()), fields_under_key(value, schema));
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                found.removed.put(Element::Field(key.clone()), fields_under_key(value, schema));
            }
            found
        }
        (Form::Elements(keys, schema), Value::Array(old), Value::Array(new)) => elements(old, new, keys, schema),
        (Form::Values, Value::Array(old), Value::Array(new)) => {
            let mut found = Difference::default();
            let (before, after): (HashSet<&Value>, HashSet<&Value>) = (old.iter().collect(), new.iter().collect());
            after.difference(&before).for_each(|item| found.set.put(value_of(item), Fields::leaf()));
            before.difference(&after).for_each(|item| found.removed.put(value_of(item), Fields::leaf()));
            found
        }
        _ => Difference { set: Fields::leaf(), removed: Fields::default() },
    }
}

fn elements(old: &[Value], new: &[Value], keys: &[&str], schema: Schema) -> Difference {
    let mut found = Difference::default();
    let (before, after) = (by_element(old, keys), by_element(new, keys));
    for item in new {
        let element = element_of(keys, item);
        match before.get(&element) {
            None => found.set.put(element, fields_of_element(item, schema)),
            Some(before) => {
                if let (Some(before), Some(after)) = (before.as_object(), item.as_object()) {
                    found.put(&element, difference(before, after, schema));
                }
            }
        }
    }
    for item in old {
        let element = element_of(keys, item);
        if !after.contains_key(&element) {
            found.removed.put(element, fields_of_element(item, schema));
        }
    }
    found
}

/// Returns the first item of each element.
fn by_element<'a>(list: &'a [Value], keys: &[&str]) -> BTreeMap<Element, &'a Value> {
    let mut items = BTreeMap::new();
    for item in list {
        items.entry(element_of(keys, item)).or_insert(item);
    }
    items
}
