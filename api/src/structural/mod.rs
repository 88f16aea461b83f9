//! Structural schemas: how the objects of a custom kind are pruned, filled in and checked.
//!
//! A schema is compiled once for each change of its definition. `rules` says which schemas are structural; compiling
//! one that is not gives an error. Every walk goes over the value and the schema side by side, so its cost is that of the
//! value.

mod check;
mod compile;
mod defaults;
mod formats;
mod lists;
mod prune;
mod rules;

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

pub use check::{check, check_change, check_lists};
pub use compile::compile;
pub use defaults::{drop_nulls, fill, whole_numbers};
pub use prune::{Root, prune};
pub use rules::{has_rules, unrecognized_formats, validate};

/// A schema, compiled.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The types that a value may have; empty for any.
    types: Vec<Type>,
    /// Whether null is a value.
    nullable: bool,
    /// The value of a field that is left out.
    default: Option<Value>,
    /// The fields of an object.
    properties: BTreeMap<String, Self>,
    /// The other fields of an object, if it may have others.
    additional: Option<Additional>,
    /// The elements of a list.
    items: Option<Box<Self>>,
    /// Whether fields that the schema does not name are kept.
    preserves_unknown: bool,
    /// Whether the value is an object with apiVersion, kind and metadata.
    is_resource: bool,
    list: ListType,
    /// Whether a list is told apart by its elements, here or below.
    has_keyed_lists: bool,
    limits: Limits,
}

/// A type of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// The fields that a schema does not name.
#[derive(Debug, Clone)]
struct Additional {
    /// `None`: any value.
    schema: Option<Box<Schema>>,
    /// Whether there may be such fields.
    allowed: bool,
}

/// How the elements of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum ListType {
    /// They are not.
    #[default]
    Atomic,
    /// By their values.
    Set,
    /// By these fields.
    Map(Vec<String>),
}

/// The limits of a value.
#[derive(Debug, Clone, Default)]
struct Limits {
    format: String,
    maximum: Option<Bound>,
    minimum: Option<Bound>,
    multiple_of: Option<f64>,
    max_length: Option<u64>,
    min_length: Option<u64>,
    pattern: Option<Pattern>,
    max_items: Option<u64>,
    min_items: Option<u64>,
    max_properties: Option<u64>,
    min_properties: Option<u64>,
    values: Vec<Value>,
    required: Vec<String>,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

/// The largest or the smallest number.
#[derive(Debug, Clone, Copy)]
struct Bound {
    value: f64,
    exclusive: bool,
}

/// A regular expression and its text.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    regex: Regex,
}

impl Schema {
    /// Returns the schema of a field of an object.
    fn field(&self, name: &str) -> Option<&Self> {
        let additional = || self.additional.as_ref().and_then(|additional| additional.schema.as_deref());
        self.properties.get(name).or_else(additional)
    }

    /// Whether a field may be left out and gets a value then, anywhere below.
    #[must_use]
    pub fn has_defaults(&self) -> bool {
        self.default.is_some()
            || self.properties.values().any(Self::has_defaults)
            || self.items.as_deref().is_some_and(Self::has_defaults)
            || self.additional.as_ref().and_then(|more| more.schema.as_deref()).is_some_and(Self::has_defaults)
    }

    /// Returns the schema at a path of field names; `None` if the path leads elsewhere.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |schema, name| schema.properties.get(*name))
    }

    /// Whether values are strings, booleans or integers, by which field selectors can choose.
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        matches!(self.types.as_slice(), [Type::String | Type::Boolean | Type::Integer])
    }
}
