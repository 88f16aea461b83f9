//! The rules for lists whose elements are told apart.

use std::collections::BTreeSet;

use squall_proto::apiextensions::v1::JsonSchemaProps;

use crate::field::{Errors, Path};

/// Checks the type of a list, and that its elements fit it.
pub(super) fn check(schema: &JsonSchemaProps, path: &Path, errors: &mut Errors) {
    let (list_type, keys) = (schema.x_kubernetes_list_type.as_deref(), &schema.x_kubernetes_list_map_keys);
    let place = path.child("x-kubernetes-list-type");
    let element = schema.items.as_ref().and_then(|items| items.schema.as_deref());
    if list_type.is_some() && schema.r#type != "array" {
        let detail = "must be array if x-kubernetes-list-type is specified";
        match schema.r#type.as_str() {
            "" => errors.required(&path.child("type"), detail),
            is => errors.invalid(&path.child("type"), &is, detail),
        }
    } else if list_type == Some("set") {
        check_set_element(element, &path.child("items"), errors);
    }
    if let Some(list_type) = list_type {
        errors.one_of(&place, list_type, &["atomic", "set", "map"]);
    }
    if !keys.is_empty() {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        match list_type {
            None => errors.required(&place, detail),
            Some("map") => {}
            Some(other) => errors.invalid(&place, &other, detail),
        }
    }
    if list_type == Some("map") {
        check_map(schema, element, path, errors);
    }
    if let Some(list_type @ ("map" | "set")) = list_type
        && element.is_some_and(|element| element.nullable)
    {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.forbidden(&path.child("items").child("nullable"), &detail);
    }
}

fn check_set_element(element: Option<&JsonSchemaProps>, path: &Path, errors: &mut Errors) {
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let Some(element) = element else { return };
    match (element.r#type.as_str(), &element.x_kubernetes_list_type, &element.x_kubernetes_map_type) {
        ("array", Some(list_type), _) if list_type != "atomic" => {
            errors.invalid(&path.child("x-kubernetes-list-type"), list_type, detail);
        }
        ("object", list_type, map_type) if map_type.as_deref() != Some("atomic") => {
            errors.invalid(&path.child("x-kubernetes-map-type"), list_type, detail);
        }
        _ => {}
    }
}

fn check_map(schema: &JsonSchemaProps, element: Option<&JsonSchemaProps>, path: &Path, errors: &mut Errors) {
    let keys = &schema.x_kubernetes_list_map_keys;
    let place = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.required(&place, "must not be empty if x-kubernetes-list-type is map");
    }
    let Some(element) = element else {
        return errors.required(&path.child("items"), "must have a schema if x-kubernetes-list-type is map");
    };
    if element.r#type != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        return errors.invalid(&path.child("items").child("type"), &element.r#type, detail);
    }
    let mut seen = BTreeSet::new();
    for key in keys {
        let field_path = path.child("items").child("properties").key(key);
        match element.properties.get(key) {
            None => errors.invalid(&place, keys, "entries must all be names of item properties"),
            Some(field) => {
                if matches!(field.r#type.as_str(), "array" | "object") {
                    let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    errors.invalid(&field_path.child("type"), &element.r#type, detail);
                }
                if field.nullable {
                    errors.forbidden(
                        &field_path.child("nullable"),
                        "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
                    );
                }
                if field.default.is_none() && !element.required.contains(key) {
                    errors.required(
                        &field_path.child("default"),
                        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                    );
                }
            }
        }
        if !seen.insert(key) {
            errors.invalid(&place, keys, "must not contain duplicate entries");
        }
    }
}
