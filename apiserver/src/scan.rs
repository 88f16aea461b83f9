//! Reads single fields of stored objects without decoding the objects, for selectors and indexes.
//!
//! The position of a field comes from the schema. A test compares the result with the decoded object for every kind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use squall_api::labels::Labels;
use squall_api::{Error, Kind};
use squall_proto::schema::{self, Message};

/// A field that can be read without decoding the object.
#[derive(Debug)]
pub struct Field {
    /// Name in a field selector.
    pub name: &'static str,
    /// Whether the index finds objects by it.
    pub indexed: bool,
    numbers: Vec<u32>,
}

/// Lists the kind-specific fields, each with whether it is indexed.
fn names(kind: Kind) -> &'static [(&'static str, bool)] {
    match kind {
        Kind::Pod => &[("spec.nodeName", true), ("status.phase", true), ("status.podIP", false)],
        Kind::Event => &[
            ("involvedObject.kind", true),
            ("involvedObject.namespace", true),
            ("involvedObject.name", true),
            ("involvedObject.uid", true),
            ("reason", false),
            ("type", false),
        ],
        _ => &[],
    }
}

/// The fields that every kind has.
const COMMON: [(&str, bool); 2] = [("metadata.name", false), ("metadata.namespace", false)];

static FIELDS: LazyLock<BTreeMap<Kind, Vec<Field>>> = LazyLock::new(|| {
    let of_kind = |kind: &Kind| {
        let all = COMMON.iter().chain(names(*kind));
        let field = |(name, indexed): &(&'static str, bool)| {
            Some(Field { name, indexed: *indexed, numbers: numbers(kind.info().message, name)? })
        };
        (*kind, all.filter_map(field).collect())
    };
    Kind::ALL.iter().map(of_kind).collect()
});

/// The fields of custom objects, whose metadata have the same place as those of all others.
static CUSTOM: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let field = |(name, indexed): &(&'static str, bool)| {
        Some(Field { name, indexed: *indexed, numbers: numbers(Kind::Pod.info().message, name)? })
    };
    COMMON.iter().filter_map(field).collect()
});

/// Returns the protobuf field numbers along a field path.
fn numbers(message: &str, path: &str) -> Option<Vec<u32>> {
    let mut message = Message::find(message);
    let mut numbers = Vec::new();
    for name in path.split('.') {
        let field = message?.field(name)?;
        numbers.push(field.number);
        message = match field.kind {
            schema::Kind::Message(index) => schema::MESSAGES.get(index),
            _ => None,
        };
    }
    Some(numbers)
}

/// Returns all fields of a kind that can be read without decoding.
#[must_use]
pub fn fields(kind: Kind) -> &'static [Field] {
    if kind.is_custom() { &CUSTOM } else { FIELDS.get(&kind).map_or(&[], Vec::as_slice) }
}

/// Finds a field of a kind by its name in a selector.
#[must_use]
pub fn find(kind: Kind, name: &str) -> Option<&'static Field> {
    fields(kind).iter().find(|field| field.name == name)
}

impl Field {
    /// Reads the field's text from a stored object; empty if the field is not set.
    pub fn read<'a>(&self, value: &'a [u8]) -> Result<&'a str, Error> {
        let mut bytes = value;
        for number in &self.numbers {
            match last(bytes, *number)? {
                Some(inner) => bytes = inner,
                None => return Ok(""),
            }
        }
        text(bytes)
    }
}

const METADATA: u32 = 1;
const LABELS: u32 = 11;
const MAP_KEY: u32 = 1;
const MAP_VALUE: u32 = 2;

/// Reads the labels of a stored object.
pub fn labels(value: &[u8]) -> Result<Labels, Error> {
    let mut labels = Labels::new();
    for_each_label(value, |key, value| {
        labels.insert(key.to_owned(), value.to_owned());
    })?;
    Ok(labels)
}

/// Calls `take` with each label of a stored object.
pub fn for_each_label<'a>(value: &'a [u8], mut take: impl FnMut(&'a str, &'a str)) -> Result<(), Error> {
    let Some(metadata) = last(value, METADATA)? else { return Ok(()) };
    each(metadata, |number, entry| {
        if number == LABELS {
            let half = |number| last(entry, number).and_then(|half| text(half.unwrap_or_default()));
            take(half(MAP_KEY)?, half(MAP_VALUE)?);
        }
        Ok(())
    })
}

/// Returns the content of a length-delimited field, or the last one if the field is repeated.
fn last(message: &[u8], wanted: u32) -> Result<Option<&[u8]>, Error> {
    let mut found = None;
    each(message, |number, content| {
        if number == wanted {
            found = Some(content);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Calls `take` with the number and the content of each length-delimited field.
fn each<'a>(mut message: &'a [u8], mut take: impl FnMut(u32, &'a [u8]) -> Result<(), Error>) -> Result<(), Error> {
    while !message.is_empty() {
        let (number, wire) = decode_key(&mut message).map_err(unreadable)?;
        if wire == WireType::LengthDelimited {
            let length = decode_varint(&mut message).map_err(unreadable)?;
            let length = usize::try_from(length).map_err(unreadable)?;
            let (content, rest) = message.split_at_checked(length).ok_or_else(|| unreadable("a field is cut off"))?;
            message = rest;
            take(number, content)?;
        } else {
            skip_field(wire, number, &mut message, DecodeContext::default()).map_err(unreadable)?;
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("reading stored data: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use squall_api::Object;
    use squall_api::decode::{FieldValidation, from_json};

    /// Returns an object with this text in this field.
    fn with_text(kind: Kind, path: &str, text: &str) -> Object {
        let mut json = path.split('.').rev().fold(json!(text), |inner, name| json!({ name: inner }));
        json["metadata"]["labels"] = json!({"app": "kubia", "empty": ""});
        json["apiVersion"] = Value::from(kind.info().api_version());
        json["kind"] = Value::from(kind.info().kind);
        from_json(kind, json, FieldValidation::Strict).unwrap().object
    }

    #[test]
    fn what_is_scanned_is_what_the_object_says() {
        for kind in Kind::ALL {
            let fields = fields(*kind);
            assert_eq!(fields.len(), 2 + names(*kind).len(), "{kind:?}");
            for field in fields {
                let object = with_text(*kind, field.name, "x");
                let stored = object.encode();
                for other in fields {
                    assert_eq!(
                        Some(other.read(&stored).unwrap().to_owned()),
                        object.selectable(other.name),
                        "{}",
                        other.name
                    );
                }
                assert_eq!(labels(&stored).unwrap(), object.meta().labels);
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let stored = with_text(Kind::Pod, "spec.nodeName", "node-0").encode();
        for end in 1..stored.len() {
            // Either a field boundary, or an error; never a panic.
            let _ = labels(&stored[..end]);
        }
        assert!(labels(&[METADATA as u8 * 8 + 2, 9, 0]).is_err());
        assert!(labels(&[0xff; 12]).is_err());
    }
}
