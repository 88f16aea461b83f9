//! The invariants of a structural schema: each value has one type, and logic only restricts it.

use serde_json::json;
use squall_proto::apiextensions::v1::JsonSchemaProps;

use super::super::compile::regex;
use super::Level;
use crate::field::{Errors, Path};

/// Checks a schema that defines a value.
pub(super) fn check(schema: &JsonSchemaProps, level: Level, path: &Path, errors: &mut Errors) {
    let items = schema.items.as_ref().and_then(|items| items.schema.as_deref());
    if schema.r#type == "array" && schema.items.is_none() {
        errors.required(&path.child("items"), "must be specified");
    }
    if let Some(items) = items {
        check(items, Level::Item, &path.child("items"), errors);
    }
    for (name, field) in &schema.properties {
        check(field, Level::Field, &path.child("properties").key(name), errors);
    }
    if let Some(more) = &schema.additional_properties {
        if level == Level::Root {
            errors.forbidden(&path.child("additionalProperties"), "must not be used at the root");
        }
        if let Some(more) = more.schema.as_deref() {
            check(more, Level::Field, &path.child("additionalProperties"), errors);
        }
    }
    check_extensions(schema, path, errors);
    check_logic(schema, path, errors);
    check_type(schema, level, path, errors);
    check_resource(schema, level, path, errors);
}

fn preserves(schema: &JsonSchemaProps) -> bool {
    schema.x_kubernetes_preserve_unknown_fields == Some(true)
}

fn check_extensions(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    if !schema.x_kubernetes_int_or_string {
        return;
    }
    let detail = "must be false if x-kubernetes-int-or-string is true";
    if preserves(schema) {
        errors.invalid(&path.child("x-kubernetes-preserve-unknown-fields"), &true, detail);
    }
    if schema.x_kubernetes_embedded_resource {
        errors.invalid(&path.child("x-kubernetes-embedded-resource"), &true, detail);
    }
}

fn check_type(schema: &JsonSchemaProps, level: Level, path: &Path, errors: &mut Errors) {
    let (is, place) = (schema.r#type.as_str(), path.child("type"));
    if schema.x_kubernetes_embedded_resource && is != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        match is {
            "" => errors.required(&place, detail),
            is => errors.invalid(&place, &is, detail),
        }
    } else if is.is_empty() && !schema.x_kubernetes_int_or_string && !preserves(schema) {
        let whose = match level {
            Level::Root => "at the root",
            Level::Item => "for specified array items",
            Level::Field => "for specified object fields",
        };
        errors.required(&place, &format!("must not be empty {whose}"));
    }
    if level == Level::Root && !matches!(is, "" | "object") {
        errors.invalid(&place, &is, "must be object at the root");
    }
}

fn check_resource(schema: &JsonSchemaProps, level: Level, path: &Path, errors: &mut Errors) {
    let is_resource = schema.x_kubernetes_embedded_resource;
    if is_resource && schema.additional_properties.is_some() {
        let detail = "must not be used if x-kubernetes-embedded-resource is set";
        errors.forbidden(&path.child("additionalProperties"), detail);
    }
    if is_resource && !preserves(schema) && schema.properties.is_empty() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        errors.required(&path.child("properties"), detail);
    }
    if level != Level::Root && !is_resource {
        return;
    }
    for (name, wanted) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
        let Some(field) = schema.properties.get(name) else { continue };
        let path = path.child("properties").key(name);
        if field.r#type != wanted {
            errors.invalid(&path.child("type"), &field.r#type, &format!("must be {wanted}"));
        }
        if name == "metadata" && level == Level::Root && !restricts_names_only(field) {
            let detail =
                "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errors.forbidden(&path, detail);
        }
    }
}

/// Whether a schema of metadata says nothing but the form of names.
fn restricts_names_only(metadata: &JsonSchemaProps) -> bool {
    let mut rest = metadata.clone();
    rest.properties.retain(|name, _| name != "name" && name != "generateName");
    rest.r#type.clear();
    rest.default = None;
    rest == JsonSchemaProps::default()
}

/// Checks the parts of a schema that only restrict the value.
fn check_logic(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    let pattern = &schema.pattern;
    if !pattern.is_empty()
        && let Err(error) = regex(pattern)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.invalid(&path.child("pattern"), pattern, &detail);
    }
    let is_any = |schemas: &[JsonSchemaProps]| is_integer_or_string(schemas);
    if !is_any(&schema.any_of) {
        check_each(&schema.any_of, &path.child("anyOf"), errors);
    }
    for (index, nested) in schema.all_of.iter().enumerate() {
        let path = path.child("allOf").index(index);
        if index == 0 && is_any(&nested.any_of) {
            check_nested(&JsonSchemaProps { any_of: Vec::new(), ..nested.clone() }, &path, errors);
        } else {
            check_nested(nested, &path, errors);
        }
    }
    check_each(&schema.one_of, &path.child("oneOf"), errors);
    if let Some(not) = schema.not.as_deref() {
        check_nested(not, &path.child("not"), errors);
    }
}

/// Kubernetes: "anyOf" an integer and a string is the one place where logic may name types.
fn is_integer_or_string(schemas: &[JsonSchemaProps]) -> bool {
    let is = |name: &str| JsonSchemaProps { r#type: name.to_owned(), ..JsonSchemaProps::default() };
    schemas == [is("integer"), is("string")]
}

fn check_each(schemas: &[JsonSchemaProps], path: &Path, errors: &mut Errors) {
    for (index, schema) in schemas.iter().enumerate() {
        check_nested(schema, &path.index(index), errors);
    }
}

fn check_nested(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    check_logic(schema, path, errors);
    if let Some(items) = schema.items.as_ref().and_then(|items| items.schema.as_deref()) {
        check_nested(items, &path.child("items"), errors);
    }
    for (name, field) in &schema.properties {
        check_nested(field, &path.child("properties").key(name), errors);
    }
    for (name, is_set, must) in forbidden_parts(schema) {
        if is_set {
            errors.forbidden(&path.child(name), &format!("must be {must} to be structural"));
        }
    }
    if schema.properties.contains_key("metadata") {
        errors.forbidden(&path.child("properties").key("metadata"), "must not be specified in a nested context");
    }
}

/// The parts that define a value and do not restrict it.
fn forbidden_parts(schema: &JsonSchemaProps) -> [(&'static str, bool, &'static str); 13] {
    let default = schema.default.as_ref().is_some_and(|default| default.raw != json!(null).to_string().as_bytes());
    [
        ("type", !schema.r#type.is_empty(), "empty"),
        ("additionalProperties", schema.additional_properties.is_some(), "undefined"),
        ("default", default, "undefined"),
        ("title", !schema.title.is_empty(), "empty"),
        ("description", !schema.description.is_empty(), "empty"),
        ("nullable", schema.nullable, "false"),
        ("x-kubernetes-preserve-unknown-fields", preserves(schema), "false"),
        ("x-kubernetes-embedded-resource", schema.x_kubernetes_embedded_resource, "false"),
        ("x-kubernetes-int-or-string", schema.x_kubernetes_int_or_string, "false"),
        ("x-kubernetes-list-map-keys", !schema.x_kubernetes_list_map_keys.is_empty(), "empty"),
        ("x-kubernetes-list-type", schema.x_kubernetes_list_type.is_some(), "undefined"),
        ("x-kubernetes-map-type", schema.x_kubernetes_map_type.is_some(), "undefined"),
        ("x-kubernetes-validations", !schema.x_kubernetes_validations.is_empty(), "empty"),
    ]
}
