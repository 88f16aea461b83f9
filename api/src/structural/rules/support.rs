//! The parts of OpenAPI that schemas may use.

use squall_proto::apiextensions::v1::{JsonSchemaProps, ValidationRule};

use super::lists;
use crate::field::{Errors, Path};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// The surroundings of a schema.
#[derive(Clone)]
pub(super) struct Context {
    is_root: bool,
    /// It is within the type or the metadata of an object.
    in_metadata: bool,
    /// Why it may have no default.
    no_default: Option<String>,
}

impl Context {
    pub(super) fn root() -> Self {
        Self { is_root: true, in_metadata: false, no_default: None }
    }

    fn below(&self) -> Self {
        Self { is_root: false, ..self.clone() }
    }

    fn without_default(self, why: &str) -> Self {
        Self { no_default: Some(why.to_owned()), ..self }
    }
}

/// Checks a schema and everything within it.
pub(super) fn check(schema: &JsonSchemaProps, path: &Path, context: Context, errors: &mut Errors) {
    check_parts(schema, path, &context, errors);
    check_extensions(schema, path, errors);
    lists::check(schema, path, errors);
    for (index, rule) in schema.x_kubernetes_validations.iter().enumerate() {
        check_rule(rule, &path.child("x-kubernetes-validations").index(index), errors);
    }
    if let Some(more) = &schema.additional_properties {
        let place = path.child("additionalProperties");
        if !schema.properties.is_empty() && (!more.allows || more.schema.is_some()) {
            errors.forbidden(&place, "additionalProperties and properties are mutual exclusive");
        }
        if let Some(more) = more.schema.as_deref() {
            let below = context.below();
            let below = match context.in_metadata {
                true => below.without_default("inside additionalProperties applying to object metadata"),
                false => below,
            };
            check(more, &place, below, errors);
        }
    }
    for (name, field) in &schema.properties {
        let mut below = context.below();
        let is_meta = matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
        if is_meta && (context.is_root || schema.x_kubernetes_embedded_resource) {
            below.in_metadata = true;
            if context.is_root {
                below = below.without_default(&format!("in top-level {name}"));
            }
        }
        check(field, &path.child("properties").key(name), below, errors);
    }
    if let Some(items) = &schema.items {
        if let Some(one) = items.schema.as_deref() {
            check(one, &path.child("items"), context.below(), errors);
        }
        for (index, one) in items.schemas.iter().enumerate() {
            check(one, &path.child("items").index(index), context.below(), errors);
        }
    }
    for (name, schemas) in [("allOf", &schema.all_of), ("oneOf", &schema.one_of), ("anyOf", &schema.any_of)] {
        for (index, one) in schemas.iter().enumerate() {
            check(one, &path.child(name).index(index), context.below(), errors);
        }
    }
    if let Some(not) = schema.not.as_deref() {
        check(not, &path.child("not"), context.below(), errors);
    }
}

fn check_parts(schema: &JsonSchemaProps, path: &Path, context: &Context, errors: &mut Errors) {
    let is = schema.r#type.as_str();
    if !is.is_empty() {
        errors.one_of(&path.child("type"), is, &TYPES);
    }
    if is == "null" {
        errors.forbidden(&path.child("type"), "type cannot be set to null, use nullable as an alternative");
    }
    if let Some(why) = context.no_default.as_ref().filter(|_| schema.default.is_some()) {
        errors.forbidden(&path.child("default"), &format!("must not be set {why}"));
    }
    for (name, is_set) in [
        ("id", !schema.id.is_empty()),
        ("additionalItems", schema.additional_items.is_some()),
        ("patternProperties", !schema.pattern_properties.is_empty()),
        ("definitions", !schema.definitions.is_empty()),
        ("dependencies", !schema.dependencies.is_empty()),
        ("$ref", schema.r#ref.is_some()),
        ("$schema", !schema.schema.is_empty()),
    ] {
        if is_set {
            errors.forbidden(&path.child(name), &format!("{name} is not supported"));
        }
    }
    if schema.items.as_ref().is_some_and(|items| !items.schemas.is_empty()) {
        errors.forbidden(&path.child("items"), "items must be a schema object and not an array");
    }
    if context.in_metadata && schema.x_kubernetes_embedded_resource {
        errors.forbidden(&path.child("x-kubernetes-embedded-resource"), "must not be used inside of resource meta");
    }
    if schema.unique_items {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.forbidden(&path.child("uniqueItems"), detail);
    }
}

fn check_extensions(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    if schema.x_kubernetes_preserve_unknown_fields == Some(false) {
        errors.invalid(&path.child("x-kubernetes-preserve-unknown-fields"), &false, "must be true or undefined");
    }
    let Some(map_type) = &schema.x_kubernetes_map_type else { return };
    let detail = "must be object if x-kubernetes-map-type is specified";
    match schema.r#type.as_str() {
        "object" => {}
        "" => errors.required(&path.child("type"), detail),
        is => errors.invalid(&path.child("type"), &is, detail),
    }
    errors.one_of(&path.child("x-kubernetes-map-type"), map_type, &["atomic", "granular"]);
}

/// Checks the form of a rule. Nothing checks its meaning yet.
fn check_rule(rule: &ValidationRule, path: &Path, errors: &mut Errors) {
    let has_lines = |text: &str| text.contains(['\n', '\r']);
    let (text, message) = (rule.rule.trim(), rule.message.trim());
    if text.is_empty() {
        errors.required(&path.child("rule"), "rule is not specified");
    } else if !rule.message.is_empty() && message.is_empty() {
        errors.invalid(&path.child("message"), &rule.message, "must be non-empty if specified");
    } else if has_lines(message) {
        errors.invalid(&path.child("message"), &rule.message, "must not contain line breaks");
    } else if has_lines(text) && message.is_empty() {
        errors.required(&path.child("message"), "message must be specified if rule contains line breaks");
    }
    if !rule.message_expression.is_empty() && rule.message_expression.trim().is_empty() {
        errors.required(&path.child("messageExpression"), "messageExpression must be non-empty if specified");
    }
    if let Some(reason) = &rule.reason {
        errors.one_of(&path.child("reason"), reason, &REASONS);
    }
    if !rule.field_path.is_empty() && rule.field_path.trim().is_empty() {
        errors.invalid(&path.child("fieldPath"), &rule.field_path, "must be non-empty if specified");
    }
    if has_lines(&rule.field_path) {
        errors.invalid(&path.child("fieldPath"), &rule.field_path, "must not contain line breaks");
    }
}
