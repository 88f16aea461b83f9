//! Defaults must be values that the schema allows.

use squall_proto::apiextensions::v1::JsonSchemaProps;

use super::super::compile::{compile, value};
use super::super::{Root, check, prune};
use crate::field::{Errors, Path};

/// Checks every default of a structural schema.
pub(super) fn check_defaults(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    if schema.default.is_some() {
        let found = check_default(schema, &path.child("default"), errors);
        if let Err(problem) = found {
            errors.invalid(path, &"", &problem);
        }
    }
    for (name, field) in &schema.properties {
        check_defaults(field, &path.child("properties").key(name), errors);
    }
    if let Some(items) = schema.items.as_ref().and_then(|items| items.schema.as_deref()) {
        check_defaults(items, &path.child("items"), errors);
    }
    if let Some(more) = schema.additional_properties.as_ref().and_then(|more| more.schema.as_deref()) {
        check_defaults(more, &path.child("additionalProperties"), errors);
    }
}

fn check_default(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) -> Result<(), String> {
    let Some(default) = &schema.default else { return Ok(()) };
    let (default, schema) = (value(default)?, compile(schema)?);
    if default.is_null() {
        return Ok(());
    }
    if !prune(&mut default.clone(), &schema, Root::Value).is_empty() {
        errors.invalid(path, &default, "must not have unknown fields");
    }
    check(&default, &schema, path, errors);
    Ok(())
}
