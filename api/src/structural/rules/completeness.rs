//! Whatever logic restricts must be defined outside of it.

use squall_proto::apiextensions::v1::JsonSchemaProps;

use crate::field::{Errors, Path};

/// A schema that defines values, with the place where it is or should be.
#[derive(Clone, Copy)]
struct Defined<'a> {
    schema: Option<&'a JsonSchemaProps>,
    path: &'a Path,
}

/// Checks that every field and list that logic at the root restricts is defined. Kubernetes: that below is not checked.
pub(super) fn check(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    check_logic(schema, Defined { schema: Some(schema), path }, path, errors);
}

fn check_logic(logic: &JsonSchemaProps, defined: Defined<'_>, path: &Path, errors: &mut Errors) {
    if let Some(not) = logic.not.as_deref() {
        check_nested(not, defined, &path.child("not"), errors);
    }
    for (name, schemas) in [("allOf", &logic.all_of), ("anyOf", &logic.any_of), ("oneOf", &logic.one_of)] {
        for (index, schema) in schemas.iter().enumerate() {
            check_nested(schema, defined, &path.child(name).index(index), errors);
        }
    }
}

fn check_nested(logic: &JsonSchemaProps, defined: Defined<'_>, path: &Path, errors: &mut Errors) {
    let Some(schema) = defined.schema else {
        return errors.required(defined.path, &format!("because it is defined in {path}"));
    };
    check_logic(logic, defined, path, errors);
    if let Some(items) = logic.items.as_ref().and_then(|items| items.schema.as_deref()) {
        let of_schema = schema.items.as_ref().and_then(|items| items.schema.as_deref());
        let place = defined.path.child("items");
        check_nested(items, Defined { schema: of_schema, path: &place }, &path.child("items"), errors);
    }
    for (name, field) in &logic.properties {
        let place = defined.path.child("properties").key(name);
        let below = Defined { schema: schema.properties.get(name), path: &place };
        check_nested(field, below, &path.child("properties").key(name), errors);
    }
}
