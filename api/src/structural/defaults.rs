//! Fills in the fields that are left out.

use serde_json::Value;

use super::Schema;

/// Removes nulls that are no values and have no default.
pub fn drop_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let field = schema.and_then(|schema| schema.field(name));
            let is_nothing = value.is_null() && field.is_some_and(|field| !field.nullable && field.default.is_none());
            if !is_nothing {
                drop_nulls(value, field);
            }
            !is_nothing
        }),
        Value::Array(items) => {
            let element = schema.and_then(|schema| schema.items.as_deref());
            items.iter_mut().for_each(|item| drop_nulls(item, element));
        }
        _ => {}
    }
}

/// Gives every field that is left out, or null without null being a value, its default.
pub fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, field) in &schema.properties {
                if let Some(default) = &field.default
                    && fields.get(name).is_none_or(|value| value.is_null() && !field.nullable)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields {
                if let Some(field) = schema.field(name) {
                    refill(value, field);
                }
            }
        }
        Value::Array(items) => {
            if let Some(element) = schema.items.as_deref() {
                items.iter_mut().for_each(|item| refill(item, element));
            }
        }
        _ => {}
    }
}

/// Writes numbers without a fraction without it, as Go does: 2 and not 2.0.
pub fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, reason = "the number is whole and within the range")]
            if float.fract() == 0.0 && float.abs() < EXACT {
                *number = (float as i64).into();
            }
        }
        _ => {}
    }
}

/// Beyond this, a floating-point number need not be exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn refill(value: &mut Value, schema: &Schema) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default
    {
        value.clone_from(default);
    }
    fill(value, schema);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::compile;
    use super::*;

    #[test]
    fn what_is_left_out_gets_its_default_and_a_null_that_is_no_value_goes() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "string", "nullable": true, "default": "y"},
            "c": {"type": "string"},
            "d": {"type": "object", "default": {"e": 1}, "properties": {
                "e": {"type": "integer"}, "f": {"type": "integer", "default": 2}}},
            "g": {"type": "array", "items": {"type": "object", "properties": {"h": {"type": "boolean", "default": true}}}},
            "i": {"type": "object", "properties": {"j": {"type": "string", "default": "no parent, no default"}}},
        }});
        let schema = compile(&serde_json::from_value(schema).unwrap()).unwrap();
        let mut value = json!({"a": null, "b": null, "c": null, "g": [{}, {"h": false}], "z": null});
        drop_nulls(&mut value, Some(&schema));
        assert_eq!(value, json!({"a": null, "b": null, "g": [{}, {"h": false}], "z": null}));
        fill(&mut value, &schema);
        let expected = json!({"a": "x", "b": null, "d": {"e": 1, "f": 2}, "g": [{"h": true}, {"h": false}], "z": null});
        assert_eq!(value, expected);
        assert!(schema.has_defaults() && !Schema::default().has_defaults());
    }
}
