//! How a field is owned: as a whole, field by field, or element by element. The schema decides.

use serde_json::{Map, Value};
use squall_proto::schema::{Field, Kind, MESSAGES, Message, Shape};

use super::fields::Element;

/// The schema of a value; `None` if there is none.
pub(super) type Schema = Option<&'static Message>;

/// How a value is owned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As a whole.
    Whole,
    /// Field by field; the message defines the fields.
    Fields(Schema),
    /// Key by key; each value is owned field by field if it has a schema, otherwise as a whole.
    Keys(Schema),
    /// A list, element by element; these keys identify the elements.
    Elements(&'static [&'static str], Schema),
    /// A list, value by value.
    Values,
}

impl Form {
    /// Returns the form of a field. If the schema does not know the field, its value decides.
    pub(super) fn of(field: Option<&'static Field>, value: &Value) -> Self {
        let Some(field) = field else {
            return if value.is_object() { Self::Keys(None) } else { Self::Whole };
        };
        let message = match field.kind {
            Kind::Message(index) => Some(&MESSAGES[index]),
            _ => None,
        };
        let granular = message.filter(|message| !message.custom_json && !message.atomic);
        match field.shape {
            _ if field.atomic || value.is_null() => Self::Whole,
            Shape::Single => granular.map_or(Self::Whole, |message| Self::Fields(Some(message))),
            Shape::Map => Self::Keys(granular),
            Shape::List if !field.map_keys.is_empty() => Self::Elements(field.map_keys, granular),
            Shape::List if field.patch_strategy.contains(&"merge") => Self::Values,
            Shape::List => Self::Whole,
        }
    }
}

/// Kubernetes: the only key of a list that has a default.
const PROTOCOL: &str = "protocol";

/// Returns the step to an element of a list whose elements are identified by keys.
pub(super) fn element_of(keys: &[&str], item: &Value) -> Element {
    let mut named = Map::new();
    for key in keys {
        match item.get(key).filter(|value| !value.is_null()) {
            Some(value) => {
                named.insert((*key).to_owned(), value.clone());
            }
            None if *key == PROTOCOL => {
                named.insert((*key).to_owned(), "TCP".into());
            }
            None => {}
        }
    }
    Element::Key(Value::Object(named).to_string())
}

/// Whether an element has this key, or the key has a default.
pub(super) fn has_key(item: &Map<String, Value>, key: &str) -> bool {
    key == PROTOCOL || item.get(key).is_some_and(|value| !value.is_null())
}

/// Returns the step to a value of a list.
pub(super) fn value_of(item: &Value) -> Element {
    Element::Value(item.to_string())
}
