//! Compiles a schema.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use squall_proto::apiextensions::v1::{Json, JsonSchemaProps};

use super::{Additional, Bound, Limits, ListType, Pattern, Schema, Type};

/// The longest pattern, in bytes, and the size of its program: one that explodes is refused.
const MAX_PATTERN: usize = 4096;
const MAX_PROGRAM: usize = 1 << 17;

/// Compiles a schema. Fails if it is not structural; the error says where.
pub fn compile(props: &JsonSchemaProps) -> Result<Schema, String> {
    refuse_unsupported(props)?;
    let items = match &props.items {
        Some(items) if !items.schemas.is_empty() => {
            return Err("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
        }
        Some(items) => items.schema.as_deref().map(compile).transpose()?.map(Box::new),
        None => None,
    };
    let fields = props.properties.iter().map(|(name, field)| Ok((name.clone(), compile(field)?)));
    let mut schema = Schema {
        types: types(props)?,
        nullable: props.nullable,
        default: props.default.as_ref().map(value).transpose()?,
        properties: fields.collect::<Result<_, String>>()?,
        additional: match &props.additional_properties {
            None => None,
            Some(more) => Some(Additional {
                schema: more.schema.as_deref().map(compile).transpose()?.map(Box::new),
                allowed: more.allows,
            }),
        },
        items,
        preserves_unknown: props.x_kubernetes_preserve_unknown_fields == Some(true),
        is_resource: props.x_kubernetes_embedded_resource,
        list: match props.x_kubernetes_list_type.as_deref() {
            Some("set") => ListType::Set,
            Some("map") => ListType::Map(props.x_kubernetes_list_map_keys.clone()),
            _ => ListType::Atomic,
        },
        has_keyed_lists: false,
        limits: limits(props)?,
    };
    let more = schema.additional.as_ref().and_then(|more| more.schema.as_deref());
    let mut below = schema.properties.values().chain(schema.items.as_deref()).chain(more);
    schema.has_keyed_lists = schema.list != ListType::Atomic || below.any(|below| below.has_keyed_lists);
    Ok(schema)
}

fn refuse_unsupported(props: &JsonSchemaProps) -> Result<(), String> {
    let unsupported = [
        ("id", !props.id.is_empty()),
        ("$schema", !props.schema.is_empty()),
        ("$ref", props.r#ref.as_ref().is_some_and(|reference| !reference.is_empty())),
        ("patternProperties", !props.pattern_properties.is_empty()),
        ("dependencies", !props.dependencies.is_empty()),
        ("additionalItems", props.additional_items.is_some()),
        ("definitions", !props.definitions.is_empty()),
    ];
    match unsupported.into_iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(format!("OpenAPIV3Schema '{name}' is not supported")),
        None => Ok(()),
    }
}

fn types(props: &JsonSchemaProps) -> Result<Vec<Type>, String> {
    if props.x_kubernetes_int_or_string {
        return Ok(vec![Type::Integer, Type::String]);
    }
    Ok(match props.r#type.as_str() {
        "" => Vec::new(),
        "object" => vec![Type::Object],
        "array" => vec![Type::Array],
        "string" => vec![Type::String],
        "integer" => vec![Type::Integer],
        "number" => vec![Type::Number],
        "boolean" => vec![Type::Boolean],
        other => return Err(format!("OpenAPIV3Schema type {other:?} is not supported")),
    })
}

fn limits(props: &JsonSchemaProps) -> Result<Limits, String> {
    let all = |schemas: &[JsonSchemaProps]| schemas.iter().map(compile).collect::<Result<Vec<_>, _>>();
    let bound = |value: Option<f64>, exclusive| value.map(|value| Bound { value, exclusive });
    Ok(Limits {
        format: props.format.clone(),
        maximum: bound(props.maximum, props.exclusive_maximum),
        minimum: bound(props.minimum, props.exclusive_minimum),
        multiple_of: props.multiple_of,
        max_length: count(props.max_length),
        min_length: count(props.min_length),
        pattern: if props.pattern.is_empty() { None } else { Some(pattern(&props.pattern)?) },
        max_items: count(props.max_items),
        min_items: count(props.min_items),
        max_properties: count(props.max_properties),
        min_properties: count(props.min_properties),
        values: props.r#enum.iter().map(value).collect::<Result<_, _>>()?,
        required: props.required.clone(),
        all_of: all(&props.all_of)?,
        any_of: all(&props.any_of)?,
        one_of: all(&props.one_of)?,
        not: props.not.as_deref().map(compile).transpose()?.map(Box::new),
    })
}

/// Nothing has a negative count: such a limit is that of zero.
fn count(limit: Option<i64>) -> Option<u64> {
    limit.map(|limit| u64::try_from(limit).unwrap_or(0))
}

/// Compiles a pattern. Matching takes linear time, and a program that would be large is an error.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    if text.len() > MAX_PATTERN {
        return Err(format!("the expression is longer than {MAX_PATTERN} bytes"));
    }
    RegexBuilder::new(text).size_limit(MAX_PROGRAM).build().map_err(|error| error.to_string())
}

fn pattern(text: &str) -> Result<Pattern, String> {
    let regex = regex(text).map_err(|error| format!("pattern {text:?}: {error}"))?;
    Ok(Pattern { text: text.to_owned(), regex })
}

/// Parses a JSON value in a schema.
pub(super) fn value(json: &Json) -> Result<Value, String> {
    if json.raw.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&json.raw).map_err(|error| error.to_string())
}
