//! Checks a value against a schema, with the messages of Kubernetes' validator (kube-openapi).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Bound, Limits, ListType, Schema, Type, formats};
use crate::field::{Errors, Path};

pub use super::lists::check_lists;

/// Checks a value and reports what the schema does not allow.
pub fn check(value: &Value, schema: &Schema, path: &Path, errors: &mut Errors) {
    check_change(value, None, schema, path, errors);
}

/// Like [`check`], for a value that replaces an old one: whatever is the same as before is not checked again
/// (Kubernetes: `CRDValidationRatcheting`), so that an object which an earlier schema allowed can still be repaired.
pub fn check_change(value: &Value, old: Option<&Value>, schema: &Schema, path: &Path, errors: &mut Errors) {
    let mut found = Vec::new();
    Place { name: String::new() }.value(value, old, schema, &mut found);
    for problem in found {
        problem.report(path, errors);
    }
}

/// How many findings are kept of a value. More would be larger than the value.
const MAX_FOUND: usize = 256;
/// The longest path of a field in an error, in bytes: keys are as long as their sender likes.
const LONGEST_NAME: usize = 1024;

/// Returns the beginning of a path.
pub(super) fn shortened(name: &str) -> String {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned()
}

/// A finding, before it is an error of a field.
struct Found {
    name: String,
    problem: Problem,
}

enum Problem {
    Required,
    /// The value has a type that is not allowed; the text is a whole message.
    Type {
        found: &'static str,
        message: String,
    },
    Value {
        value: Value,
        message: String,
    },
    NotSupported {
        value: Value,
        allowed: Vec<String>,
    },
    TooLong(u64),
    TooMany {
        count: usize,
        most: u64,
    },
    /// A message about no field.
    Whole(String),
}

impl Found {
    fn report(self, base: &Path, errors: &mut Errors) {
        let name = self.name.trim_start_matches('.');
        let path = if name.is_empty() { base.clone() } else { base.child(name) };
        match self.problem {
            Problem::Required => errors.required(&path, ""),
            Problem::Type { found, message } => errors.type_invalid(&path, &found, &message),
            Problem::Value { value, message } => errors.invalid(&path, &value, &message),
            Problem::NotSupported { value, allowed } => {
                let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                errors.not_supported(&path, &value, &allowed);
            }
            Problem::TooLong(most) => {
                let bytes = if most == 1 { "byte" } else { "bytes" };
                errors.too_long(&path, &format!("may not be more than {most} {bytes}"));
            }
            Problem::TooMany { count, most } => {
                errors.too_many(&path, count, usize::try_from(most).unwrap_or(usize::MAX));
            }
            Problem::Whole(message) => errors.invalid(base, &"", &message),
        }
    }
}

/// The place of a value.
struct Place {
    /// The path from the base: `spec.list[0]`.
    name: String,
}

impl Place {
    fn value(&mut self, value: &Value, old: Option<&Value>, schema: &Schema, found: &mut Vec<Found>) {
        if old == Some(value) {
            return;
        }
        self.check_type(value, schema, found);
        if value.is_null() {
            return self.check_values(value, &schema.limits, found);
        }
        self.check_alternatives(value, &schema.limits, found);
        match value {
            Value::String(text) => self.check_text(text, value, schema, found),
            Value::Number(_) => self.check_number(value, schema, found),
            Value::Array(items) => self.check_items(items, old, schema, found),
            _ => {}
        }
        self.check_values(value, &schema.limits, found);
        if let Value::Object(fields) = value {
            self.check_fields(fields, old, schema, found);
        }
    }

    fn check_type(&self, value: &Value, schema: &Schema, found: &mut Vec<Found>) {
        if schema.types.is_empty()
            || (value.is_null() && schema.nullable)
            || schema.types.iter().any(|of| of.fits(value))
        {
            return;
        }
        let wanted: Vec<&str> = schema.types.iter().map(|wanted| wanted.name()).collect();
        let is = type_name(value);
        let message = format!("{} must be of type {}: {is:?}", self.in_body(), wanted.join(","));
        self.add(found, Problem::Type { found: is, message });
    }

    fn check_values(&self, value: &Value, limits: &Limits, found: &mut Vec<Found>) {
        let is_full = found.len() >= MAX_FOUND;
        if is_full || limits.values.is_empty() || limits.values.iter().any(|allowed| is_same(allowed, value)) {
            return;
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let allowed = limits.values.iter().map(text).collect();
        self.add(found, Problem::NotSupported { value: value.clone(), allowed });
    }

    fn check_text(&self, text: &str, value: &Value, schema: &Schema, found: &mut Vec<Found>) {
        let limits = &schema.limits;
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(most) = limits.max_length.filter(|most| length > *most) {
            self.add(found, Problem::TooLong(most));
        }
        if let Some(least) = limits.min_length.filter(|least| length < *least) {
            self.invalid(found, value, &format!("should be at least {least} chars long"));
        }
        if let Some(pattern) = limits.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
            self.invalid(found, value, &format!("should match '{}'", pattern.text));
        }
        let is_text = schema.types.is_empty() || schema.types.contains(&Type::String);
        if is_text && !formats::is(&limits.format, text) {
            self.invalid(found, value, &format!("must be of type {}: {text:?}", limits.format));
        }
    }

    fn check_number(&self, value: &Value, schema: &Schema, found: &mut Vec<Found>) {
        let limits = &schema.limits;
        let Some(number) = value.as_f64() else { return };
        if let Some(problem) = multiple_of(value, number, limits.multiple_of) {
            match problem {
                Factor::None(factor) => {
                    let place = self.name.trim_start_matches('.');
                    let message = format!("factor MultipleOf declared for {place} must be positive: {factor}");
                    self.add(found, Problem::Value { value: factor.into(), message });
                }
                Factor::Of(factor) => self.invalid(found, value, &format!("should be a multiple of {factor}")),
            }
        }
        if let Some(Bound { value: most, exclusive }) = limits.maximum
            && (number > most || (exclusive && number >= most))
        {
            let words = if exclusive { "less than" } else { "less than or equal to" };
            self.invalid(found, value, &format!("should be {words} {most}"));
        }
        if let Some(Bound { value: least, exclusive }) = limits.minimum
            && (number < least || (exclusive && number <= least))
        {
            let words = if exclusive { "greater than" } else { "greater than or equal to" };
            self.invalid(found, value, &format!("should be {words} {least}"));
        }
        let too_large = limits.format == "int32" && value.as_i64().is_none_or(|number| i32::try_from(number).is_err());
        if schema.types == [Type::Integer] && (too_large || !Type::Integer.fits(value)) {
            let format = match limits.format.as_str() {
                format @ ("int32" | "int64") => format!("with format {format}"),
                _ => "(default format)".to_owned(),
            };
            let place = self.name.trim_start_matches('.');
            self.add(found, Problem::Whole(format!("Checked value must be of type integer {format} in {place}")));
        }
    }

    fn check_items(&mut self, items: &[Value], old: Option<&Value>, schema: &Schema, found: &mut Vec<Found>) {
        if let Some(element) = schema.items.as_deref() {
            let before = Elements::of(old, &schema.list);
            for (index, item) in items.iter().enumerate() {
                self.within(&format!("[{index}]"), |place| place.value(item, before.like(item), element, found));
            }
        }
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if let Some(least) = schema.limits.min_items.filter(|least| count < *least) {
            self.invalid(found, &count.into(), &format!("should have at least {least} items"));
        }
        if let Some(most) = schema.limits.max_items.filter(|most| count > *most) {
            self.add(found, Problem::TooMany { count: items.len(), most });
        }
    }

    fn check_fields(
        &mut self,
        fields: &serde_json::Map<String, Value>,
        old: Option<&Value>,
        schema: &Schema,
        found: &mut Vec<Found>,
    ) {
        let limits = &schema.limits;
        let count = u64::try_from(fields.len()).unwrap_or(u64::MAX);
        if let Some(least) = limits.min_properties.filter(|least| count < *least) {
            self.invalid(found, &count.into(), &format!("should have at least {least} properties"));
        }
        if let Some(most) = limits.max_properties.filter(|most| count > *most) {
            self.add(found, Problem::TooMany { count: fields.len(), most });
        }
        let forbids = schema.additional.as_ref().is_some_and(|additional| !additional.allowed);
        for (name, value) in fields {
            match schema.field(name) {
                Some(field) => {
                    let old = old.and_then(|old| old.get(name));
                    self.within(&format!(".{name}"), |place| place.value(value, old, field, found));
                }
                None if forbids => {
                    let message =
                        format!("{}.{name} in body is a forbidden property", self.name.trim_start_matches('.'));
                    self.add(found, Problem::Value { value: name.as_str().into(), message });
                }
                None => {}
            }
        }
        for name in limits.required.iter().filter(|name| !fields.contains_key(*name)) {
            self.within(&format!(".{name}"), |place| place.add(found, Problem::Required));
        }
    }

    fn check_alternatives(&mut self, value: &Value, limits: &Limits, found: &mut Vec<Found>) {
        let mut tries = |schemas: &[Schema]| -> Vec<Vec<Found>> {
            let attempt = |schema: &Schema| {
                let mut found = Vec::new();
                self.value(value, None, schema, &mut found);
                found
            };
            schemas.iter().map(attempt).collect()
        };
        let (any, one, all) = (tries(&limits.any_of), tries(&limits.one_of), tries(&limits.all_of));
        let not = limits.not.as_deref().map(|schema| tries(std::slice::from_ref(schema)));
        let name = self.name.trim_start_matches('.').to_owned();
        let valid = |tries: &[Vec<Found>]| tries.iter().filter(|found| found.is_empty()).count();
        if !any.is_empty() && valid(&any) == 0 {
            self.add(found, Problem::Whole(format!("{name:?} must validate at least one schema (anyOf)")));
            found.extend(any.into_iter().next().unwrap_or_default());
        }
        if !one.is_empty() && valid(&one) != 1 {
            let why = match valid(&one) {
                0 => "Found none valid".to_owned(),
                count => format!("Found {count} valid alternatives"),
            };
            self.add(found, Problem::Whole(format!("{name:?} must validate one and only one schema (oneOf). {why}")));
            if valid(&one) == 0 {
                found.extend(one.into_iter().next().unwrap_or_default());
            }
        }
        if valid(&all) < all.len() {
            let none = if valid(&all) == 0 { ". None validated" } else { "" };
            found.extend(all.into_iter().flatten());
            self.add(found, Problem::Whole(format!("{name:?} must validate all the schemas (allOf){none}")));
        }
        if not.is_some_and(|not| valid(&not) > 0) {
            self.add(found, Problem::Whole(format!("{name:?} must not validate the schema (not)")));
        }
    }

    fn invalid(&self, found: &mut Vec<Found>, value: &Value, rule: &str) {
        let message = format!("{} {rule}", self.in_body());
        self.add(found, Problem::Value { value: value.clone(), message });
    }

    /// Kubernetes calls a place `spec.a in body`.
    fn in_body(&self) -> String {
        format!("{} in body", self.name.trim_start_matches('.'))
    }

    fn add(&self, found: &mut Vec<Found>, problem: Problem) {
        if found.len() < MAX_FOUND {
            found.push(Found { name: shortened(&self.name), problem });
        }
    }

    fn within(&mut self, place: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.name.len();
        self.name.push_str(place);
        walk(self);
        self.name.truncate(length);
    }
}

/// The old elements of a list whose elements are told apart by fields. Others cannot be compared with new ones.
struct Elements<'a> {
    keys: &'a [String],
    by_keys: BTreeMap<Vec<Option<String>>, &'a Value>,
}

impl<'a> Elements<'a> {
    fn of(old: Option<&'a Value>, list: &'a ListType) -> Self {
        let ListType::Map(keys) = list else { return Self { keys: &[], by_keys: BTreeMap::new() } };
        let items = old.and_then(Value::as_array).into_iter().flatten();
        Self { keys, by_keys: items.map(|item| (identity(item, keys), item)).collect() }
    }

    fn like(&self, item: &Value) -> Option<&'a Value> {
        if self.by_keys.is_empty() { None } else { self.by_keys.get(&identity(item, self.keys)).copied() }
    }
}

fn identity(item: &Value, keys: &[String]) -> Vec<Option<String>> {
    keys.iter().map(|key| item.get(key).map(Value::to_string)).collect()
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::String, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(number)) => {
                number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            _ => false,
        }
    }
}

/// Why a number is no multiple of a factor.
enum Factor {
    /// Kubernetes: an integer is divided by the whole part of the factor, which must not be zero.
    None(i64),
    Of(f64),
}

fn multiple_of(value: &Value, number: f64, factor: Option<f64>) -> Option<Factor> {
    let factor = factor?;
    let Some(whole) = value.as_i64() else {
        return ((number / factor).fract() != 0.0).then_some(Factor::Of(factor));
    };
    #[expect(clippy::cast_possible_truncation, reason = "the whole part is meant, and the cast saturates")]
    let by = factor as i64;
    match whole.checked_rem(by) {
        _ if by <= 0 => Some(Factor::None(by)),
        Some(0) | None => None,
        Some(_) => Some(Factor::Of(factor)),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether two values are equal; 1 and 1.0 are.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && one.as_f64() == other.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compile;
    use super::*;

    fn found(schema: Value, value: &Value) -> Vec<String> {
        let schema = compile(&serde_json::from_value(schema).unwrap()).unwrap();
        let mut errors = Errors::default();
        check(value, &schema, &Path::default(), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    /// Checks the value of a field `a` of the spec.
    fn of_field(schema: Value, value: Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": schema}}}});
        found(schema, &json!({"spec": {"a": value}}))
    }

    #[test]
    fn each_limit_has_kubernetes_message() {
        for (schema, value, expected) in [
            (
                json!({"type": "integer"}),
                json!("x"),
                r#"Invalid value: "string": spec.a in body must be of type integer: "string""#,
            ),
            (
                json!({"type": "string"}),
                json!(null),
                r#"Invalid value: "null": spec.a in body must be of type string: "null""#,
            ),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                r#"Invalid value: "boolean": spec.a in body must be of type integer,string: "boolean""#,
            ),
            (
                json!({"type": "integer", "minimum": 1}),
                json!(0),
                "Invalid value: 0: spec.a in body should be greater than or equal to 1",
            ),
            (
                json!({"type": "integer", "maximum": 10, "exclusiveMaximum": true}),
                json!(10),
                "Invalid value: 10: spec.a in body should be less than 10",
            ),
            (
                json!({"type": "number", "multipleOf": 0.5}),
                json!(0.7),
                "Invalid value: 0.7: spec.a in body should be a multiple of 0.5",
            ),
            (
                json!({"type": "string", "pattern": "^[a-z]+$"}),
                json!("A"),
                r#"Invalid value: "A": spec.a in body should match '^[a-z]+$'"#,
            ),
            (json!({"type": "string", "maxLength": 2}), json!("äbc"), "Too long: may not be more than 2 bytes"),
            (
                json!({"type": "string", "minLength": 2}),
                json!("ä"),
                r#"Invalid value: "ä": spec.a in body should be at least 2 chars long"#,
            ),
            (
                json!({"type": "string", "enum": ["x", "y"]}),
                json!("z"),
                r#"Unsupported value: "z": supported values: "x", "y""#,
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
                json!([1, 2]),
                "Too many: 2: must have at most 1 item",
            ),
            (
                json!({"type": "array", "minItems": 1, "items": {"type": "integer"}}),
                json!([]),
                "Invalid value: 0: spec.a in body should have at least 1 items",
            ),
            (
                json!({"type": "string", "format": "date-time"}),
                json!("today"),
                r#"Invalid value: "today": spec.a in body must be of type date-time: "today""#,
            ),
        ] {
            assert_eq!(of_field(schema.clone(), value.clone()), [format!("spec.a: {expected}")], "{schema} {value}");
        }
    }

    #[test]
    fn values_within_the_limits_pass() {
        for (schema, value) in [
            (json!({"type": "integer"}), json!(2.0)),
            (json!({"type": "number"}), json!(1)),
            (json!({"type": "string", "nullable": true}), json!(null)),
            (json!({"x-kubernetes-int-or-string": true}), json!("10%")),
            (json!({"type": "integer", "enum": [1]}), json!(1.0)),
            (json!({"type": "string", "format": "no-such-format"}), json!("x")),
            (json!({"x-kubernetes-preserve-unknown-fields": true}), json!({"any": ["thing"]})),
        ] {
            assert_eq!(of_field(schema.clone(), value.clone()), [""; 0], "{schema} {value}");
        }
    }

    #[test]
    fn fields_that_are_missing_and_elements_that_are_wrong_are_named() {
        let schema = json!({"type": "object", "required": ["spec"], "properties": {"spec": {"type": "object",
            "required": ["b"], "properties": {"list": {"type": "array", "items": {"type": "object",
            "required": ["c"], "properties": {"c": {"type": "string"}}}}}}}});
        assert_eq!(found(schema.clone(), &json!({})), ["spec: Required value"]);
        let value = json!({"spec": {"list": [{"c": "x"}, {"c": 1}, {}]}});
        assert_eq!(
            found(schema, &value),
            [
                "spec.list[1].c: Invalid value: \"integer\": spec.list[1].c in body must be of type string: \"integer\"",
                "spec.list[2].c: Required value",
                "spec.b: Required value",
            ]
        );
    }

    #[test]
    fn a_value_that_has_not_changed_is_not_checked_again() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "integer"},
            "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
        }});
        let schema = compile(&serde_json::from_value(schema).unwrap()).unwrap();
        let old = json!({"a": "x", "list": [{"k": "one", "v": "x"}, {"k": "two", "v": "y"}]});
        let found = |new: &Value| {
            let mut errors = Errors::default();
            check_change(new, Some(&old), &schema, &Path::default(), &mut errors);
            errors.iter().count()
        };
        assert_eq!(found(&old), 0);
        assert_eq!(found(&json!({"a": "y", "list": [{"k": "two", "v": "y"}]})), 1);
        assert_eq!(found(&json!({"a": "x", "list": [{"k": "three", "v": "y"}, {"k": "one", "v": "z"}]})), 2);
    }

    #[test]
    fn alternatives_are_tried_and_told() {
        let schema = |word: &str| {
            json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "a": {"type": "integer"}, "b": {"type": "integer"}},
                word: [{"required": ["a"]}, {"required": ["b"]}]}}})
        };
        assert_eq!(
            found(schema("anyOf"), &json!({"spec": {}})),
            [
                "<nil>: Invalid value: \"\": \"spec\" must validate at least one schema (anyOf)",
                "spec.a: Required value"
            ]
        );
        assert_eq!(found(schema("anyOf"), &json!({"spec": {"a": 1, "b": 2}})), [""; 0]);
        assert_eq!(
            found(schema("oneOf"), &json!({"spec": {"a": 1, "b": 2}})),
            [
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found 2 valid alternatives"
            ]
        );
        assert_eq!(
            found(schema("allOf"), &json!({"spec": {"a": 1}})),
            ["spec.b: Required value", "<nil>: Invalid value: \"\": \"spec\" must validate all the schemas (allOf)"]
        );
        let not = json!({"type": "object", "properties": {"spec": {"type": "object", "not": {"required": ["a"]}}}});
        assert_eq!(
            found(not, &json!({"spec": {"a": 1}})),
            ["<nil>: Invalid value: \"\": \"spec\" must not validate the schema (not)"]
        );
    }
}
