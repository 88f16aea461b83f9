//! The rules for schemas (Kubernetes: `ValidateCustomResourceDefinitionOpenAPISchema` and `ValidateStructural`).

mod completeness;
mod lists;
mod structure;
mod support;
mod values;

use squall_proto::apiextensions::v1::JsonSchemaProps;

use super::formats;
use crate::field::{Errors, Path};

/// How deep a schema may be, and how many schemas it may have within it. A deeper one could not be read back from the
/// store.
const MAX_DEPTH: usize = 40;
const MAX_SCHEMAS: usize = 65_536;
/// Every pattern is kept as a program.
const MAX_PATTERNS: usize = 1_000;

/// Where a schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// It is that of the whole object.
    Root,
    /// It is that of the elements of a list.
    Item,
    /// It is that of a field.
    Field,
}

/// Checks the schema of a custom kind.
pub fn validate(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    let mut counts = Counts::default();
    if !is_small(schema, 0, &mut counts) {
        let detail = format!(
            "must have at most {MAX_SCHEMAS} schemas, at most {MAX_DEPTH} within each other, and {MAX_PATTERNS} patterns"
        );
        return errors.invalid(path, &"", &detail);
    }
    let mut found = Errors::default();
    structure::check(schema, Level::Root, path, &mut found);
    completeness::check(schema, path, &mut found);
    let is_structural = found.is_empty();
    errors.append(found);
    if schema.nullable {
        errors.forbidden(&path.child("nullable"), "nullable cannot be true at the root");
    }
    support::check(schema, path, support::Context::root(), errors);
    if is_structural && errors.is_empty() {
        values::check_defaults(schema, path, errors);
    }
}

/// Calls `visit` with every schema directly within a schema.
fn each_child<'a>(schema: &'a JsonSchemaProps, mut visit: impl FnMut(&'a JsonSchemaProps)) {
    if let Some(items) = &schema.items {
        items.schema.as_deref().into_iter().chain(&items.schemas).for_each(&mut visit);
    }
    let lists = [&schema.all_of, &schema.any_of, &schema.one_of];
    lists.into_iter().flatten().for_each(&mut visit);
    let maps = [&schema.properties, &schema.pattern_properties, &schema.definitions];
    maps.into_iter().flat_map(|map| map.values()).for_each(&mut visit);
    schema.not.as_deref().into_iter().for_each(&mut visit);
    let more = [&schema.additional_properties, &schema.additional_items];
    more.into_iter().flatten().filter_map(|more| more.schema.as_deref()).for_each(&mut visit);
    schema.dependencies.values().filter_map(|dependency| dependency.schema.as_ref()).for_each(&mut visit);
}

/// Returns the formats of a schema, and of all within it, that nothing checks.
#[must_use]
pub fn unrecognized_formats(schema: &JsonSchemaProps) -> Vec<String> {
    let known: &[&str] = match schema.r#type.as_str() {
        "" | "string" if formats::is_known(&schema.format) => &[&schema.format],
        "integer" => &["int32", "int64"],
        "number" => &["float", "double"],
        _ => &[],
    };
    let is_known = schema.format.is_empty() || known.contains(&schema.format.as_str());
    let mut found: Vec<String> = (!is_known).then(|| schema.format.clone()).into_iter().collect();
    each_child(schema, |child| found.extend(unrecognized_formats(child)));
    found
}

/// Whether a schema, or one within it, has rules in CEL.
#[must_use]
pub fn has_rules(schema: &JsonSchemaProps) -> bool {
    let mut found = !schema.x_kubernetes_validations.is_empty();
    each_child(schema, |child| found = found || has_rules(child));
    found
}

/// How many schemas and patterns there are.
#[derive(Default)]
struct Counts {
    schemas: usize,
    patterns: usize,
}

fn is_small(schema: &JsonSchemaProps, depth: usize, counts: &mut Counts) -> bool {
    counts.schemas = counts.schemas.saturating_add(1);
    counts.patterns = counts.patterns.saturating_add(usize::from(!schema.pattern.is_empty()));
    let mut small = depth <= MAX_DEPTH && counts.schemas <= MAX_SCHEMAS && counts.patterns <= MAX_PATTERNS;
    each_child(schema, |child| small = small && is_small(child, depth.saturating_add(1), counts));
    small
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(schema: Value) -> Vec<String> {
        let schema = serde_json::from_value(schema).unwrap();
        let mut errors = Errors::default();
        validate(&schema, &Path::new("s"), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    /// Checks the schema of a field `a`.
    fn of_field(schema: Value) -> Vec<String> {
        found(json!({"type": "object", "properties": {"a": schema}}))
    }

    #[test]
    fn structural_schemas_pass() {
        for schema in [
            json!({"type": "object"}),
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
            json!({"type": "object", "properties": {"metadata": {"type": "object"}, "kind": {"type": "string"}}}),
            json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {
                "name": {"type": "string", "maxLength": 8}}}}}),
        ] {
            assert_eq!(found(schema), [""; 0]);
        }
        for schema in [
            json!({"x-kubernetes-int-or-string": true}),
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"type": "string", "default": "x", "enum": ["x", "y"]}),
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
            json!({"type": "object", "properties": {"b": {"type": "integer"}}, "anyOf": [{"required": ["b"]}]}),
        ] {
            assert_eq!(of_field(schema), [""; 0]);
        }
    }

    #[test]
    fn schemas_that_are_not_structural_are_told_as_kubernetes_does() {
        assert_eq!(found(json!({})), ["s.type: Required value: must not be empty at the root"]);
        assert_eq!(
            found(json!({"type": "array", "items": {"type": "string"}})),
            ["s.type: Invalid value: \"array\": must be object at the root"]
        );
        for (schema, expected) in [
            (json!({}), "s.properties[a].type: Required value: must not be empty for specified object fields"),
            (json!({"type": "array"}), "s.properties[a].items: Required value: must be specified"),
            (
                json!({"type": "array", "items": {}}),
                "s.properties[a].items.type: Required value: must not be empty for specified array items",
            ),
            (
                json!({"type": "string", "not": {"type": "integer"}}),
                "s.properties[a].not.type: Forbidden: must be empty to be structural",
            ),
            (json!({"type": "string", "$ref": "#/x"}), "s.properties[a].$ref: Forbidden: $ref is not supported"),
            (
                json!({"type": "text"}),
                "s.properties[a].type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \
                 \"integer\", \"number\", \"object\", \"string\"",
            ),
            (
                json!({"type": "array", "uniqueItems": true, "items": {"type": "string"}}),
                "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity \
                 becomes quadratic",
            ),
            (
                json!({"type": "string", "default": 1}),
                "s.properties[a].default: Invalid value: \"integer\":  in body must be of type string: \"integer\"",
            ),
            (
                json!({"type": "object", "default": {"b": 1}}),
                "s.properties[a].default: Invalid value: {\"b\":1}: must not have unknown fields",
            ),
            (
                json!({"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                    "x-kubernetes-list-type": "map"}),
                "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if \
                 x-kubernetes-list-type is map",
            ),
        ] {
            assert_eq!(of_field(schema.clone()), [expected], "{schema}");
        }
    }

    #[test]
    fn whatever_logic_at_the_root_restricts_is_defined() {
        let expected = "s.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]";
        let schema = json!({"type": "object", "anyOf": [{"properties": {"b": {"minimum": 1}}}]});
        assert_eq!(found(schema), [expected]);
    }

    #[test]
    fn a_pattern_that_explodes_or_a_schema_that_is_too_deep_is_refused() {
        let found_in = of_field(json!({"type": "string", "pattern": "((a{1000}){1000}){1000}"}));
        assert!(found_in[0].contains("must be a valid regular expression, but isn't"), "{found_in:?}");
        let mut deep = json!({"type": "object"});
        for _ in 0..50 {
            deep = json!({"type": "object", "properties": {"a": deep}});
        }
        assert!(found(deep)[0].contains("at most 40 within each other"));
    }
}
