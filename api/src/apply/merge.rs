//! Merges a configuration into a document, and removes fields from one.

use serde_json::{Map, Value};
use squall_proto::schema::Field;

use super::fields::{Element, Fields};
use super::form::{Form, Schema, element_of, value_of};

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
            for item in new {
                let element = element_of(keys, item);
                match (old.iter_mut().find(|other| element_of(keys, other) == element), item) {
                    (Some(Value::Object(old)), Value::Object(item)) => merge(old, item, schema),
                    _ => old.push(item.clone()),
                }
            }
        }
        (Form::Values, Value::Array(old), Value::Array(new)) => {
            for item in new {
                if !old.contains(item) {
                    old.push(item.clone());
                }
            }
        }
        (_, old, new) => *old = new.clone(),
    }
}

/// Removes fields from an object.
pub(super) fn remove(object: &mut Map<String, Value>, fields: &Fields, schema: Schema) {
    for (element, set) in &fields.children {
        let Element::Field(name) = element else { continue };
        let field = schema.and_then(|message| message.field(name));
        if let Some(value) = object.get_mut(name)
            && remove_in(value, set, field)
        {
            object.remove(name);
        }
    }
}

/// Removes fields from a value. Returns whether the value itself must be removed.
fn remove_in(value: &mut Value, fields: &Fields, field: Option<&'static Field>) -> bool {
    match (Form::of(field, value), value) {
        (Form::Fields(schema), Value::Object(object)) => {
            remove(object, fields, schema);
            fields.member && object.is_empty()
        }
        (Form::Keys(schema), Value::Object(entries)) => {
            for (element, set) in &fields.children {
                let Element::Field(key) = element else { continue };
                if set.member {
                    entries.remove(key);
                } else if let Some(Value::Object(inner)) = entries.get_mut(key) {
                    remove(inner, set, schema);
                }
            }
            entries.is_empty()
        }
        (Form::Elements(keys, schema), Value::Array(items)) => {
            for (element, set) in &fields.children {
                if set.member {
                    items.retain(|item| element_of(keys, item) != *element);
                } else if let Some(Value::Object(item)) = items.iter_mut().find(|i| element_of(keys, i) == *element) {
                    remove(item, set, schema);
                }
            }
            items.is_empty()
        }
        (Form::Values, Value::Array(items)) => {
            items.retain(|item| !fields.children.contains_key(&value_of(item)));
            items.is_empty()
        }
        _ => fields.member,
    }
}
