//! Merges a configuration into a document, and removes fields from one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use squall_proto::schema::Field;

use super::fields::{Element, Fields};
use super::form::{Form, Schema, element_of, value_of};
use super::order::{self, Item};

/// Merges a configuration into an object; the rest of the object stays.
pub(super) fn merge(object: &mut Map<String, Value>, config: &Map<String, Value>, schema: Schema) {
    for (name, value) in config {
        let field = schema.and_then(|message| message.field(name));
        match object.get_mut(name) {
            Some(old) => merge_in(old, value, field),
            None => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
}

fn merge_in(old: &mut Value, new: &Value, field: Option<&'static Field>) {
    match (Form::of(field, new), old, new) {
        (Form::Fields(schema), Value::Object(old), Value::Object(new)) => merge(old, new, schema),
        (Form::Keys(schema), Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                match (old.get_mut(key), value) {
                    (Some(Value::Object(old)), Value::Object(value)) if schema.is_some() => merge(old, value, schema),
                    _ => {
                        old.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Form::Elements(keys, schema), Value::Array(old), Value::Array(new)) => {
            let combine = |old: &Value, new: &Value| match (old, new) {
                (Value::Object(old), Value::Object(new)) => {
                    let mut both = old.clone();
                    merge(&mut both, new, schema);
                    Value::Object(both)
                }
                _ => new.clone(),
            };
            *old = merge_list(old, new, |item| element_of(keys, item), combine);
        }
        (Form::Values, Value::Array(old), Value::Array(new)) => {
            *old = merge_list(old, new, value_of, |_, new| new.clone());
        }
        (_, old, new) => *old = new.clone(),
    }
}

/// Merges two lists by the steps to their items.
fn merge_list(
    old: &[Value],
    new: &[Value],
    step: impl Fn(&Value) -> Element,
    combine: impl Fn(&Value, &Value) -> Value,
) -> Vec<Value> {
    let steps = |list: &[Value]| list.iter().map(&step).collect::<Vec<Element>>();
    let (before, after) = (steps(old), steps(new));
    let place: BTreeMap<&Element, usize> = before.iter().enumerate().rev().map(|(place, step)| (step, place)).collect();
    let value = |item| match item {
        Item::Old(at) => old[at].clone(),
        Item::New(at) => place.get(&after[at]).map_or_else(|| new[at].clone(), |was| combine(&old[*was], &new[at])),
    };
    order::merged(&before, &after).into_iter().map(value).collect()
}

/// Removes the fields in `gone` from an object. An object in which nobody keeps a field goes as a whole, with the defaults
/// in it (Kubernetes: structured-merge-diff prunes so). One with lists or maps stays: they may be older than all owners.
pub(super) fn remove(object: &mut Map<String, Value>, gone: &Fields, kept: &Fields, schema: Schema) {
    for (element, set) in gone.children.iter().filter(|(_, set)| !set.is_empty()) {
        let Element::Field(name) = element else { continue };
        let field = schema.and_then(|message| message.field(name));
        let Some(value) = object.get_mut(name) else { continue };
        let keepers = kept.child(element);
        let is_empty = remove_in(value, set, keepers.unwrap_or(&Fields::default()), field);
        if is_empty || (keepers.is_none() && value.is_object() && is_plain(value, field)) {
            object.remove(name);
        }
    }
}

/// Whether a value has nothing but simple fields, as defaults have. A list or a map with something in it is more.
fn is_plain(value: &Value, field: Option<&'static Field>) -> bool {
    match (Form::of(field, value), value) {
        (Form::Fields(schema), Value::Object(object)) => {
            object.iter().all(|(name, inner)| is_plain(inner, schema.and_then(|message| message.field(name))))
        }
        (_, Value::Object(entries)) => entries.is_empty(),
        (_, Value::Array(items)) => items.is_empty(),
        _ => true,
    }
}

/// Removes fields from a value. Returns whether the value itself must be removed.
fn remove_in(value: &mut Value, gone: &Fields, kept: &Fields, field: Option<&'static Field>) -> bool {
    let nothing = Fields::default();
    match (Form::of(field, value), value) {
        (Form::Fields(schema), Value::Object(object)) => {
            remove(object, gone, kept, schema);
            gone.member && object.is_empty()
        }
        (Form::Keys(schema), Value::Object(entries)) => {
            for (element, set) in &gone.children {
                let Element::Field(key) = element else { continue };
                if set.member {
                    entries.remove(key);
                } else if let Some(Value::Object(inner)) = entries.get_mut(key) {
                    remove(inner, set, kept.child(element).unwrap_or(&nothing), schema);
                }
            }
            entries.is_empty()
        }
        (Form::Elements(keys, schema), Value::Array(items)) => {
            let mut seen = BTreeSet::new();
            items.retain_mut(|item| {
                let element = element_of(keys, item);
                let Some(set) = gone.children.get(&element) else { return true };
                let is_first = !seen.contains(&element);
                if let Value::Object(item) = item
                    && !set.member
                    && is_first
                {
                    remove(item, set, kept.child(&element).unwrap_or(&nothing), schema);
                }
                seen.insert(element);
                !set.member
            });
            items.is_empty()
        }
        (Form::Values, Value::Array(items)) => {
            items.retain(|item| !gone.children.contains_key(&value_of(item)));
            items.is_empty()
        }
        _ => gone.member,
    }
}
