//! Server-side apply: merges a configuration into an object and records field ownership, or reports the conflicts.

use serde_json::Value;
use squall_api::apply::{Manager, OnConflict, ambiguities, applied};
use squall_api::decode::{Decoded, FieldValidation, from_json, unknown_fields};
use squall_api::metav1::v1::Time;
use squall_api::{Error, Object};

use super::patch::expected;
use crate::request::ResourceRef;

/// The manager's name, the subresource that it writes, and the current time.
type Who<'a> = (&'a str, &'a str, Time);

/// Applies a configuration to the stored object.
pub fn apply(
    stored: &Object,
    config: &Value,
    who: Who<'_>,
    on_conflict: OnConflict,
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    let meta = stored.meta();
    let said =
        |field: &str| config.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or_default();
    if config.get("metadata").and_then(|metadata| metadata.get("managedFields")).is_some_and(|books| !books.is_null()) {
        return Err(Error::bad_request("metadata.managedFields must be nil"));
    }
    if !said("name").is_empty() && said("name") != meta.name {
        let message =
            format!("the name of the object ({}) does not match the name on the URL ({})", said("name"), meta.name);
        return Err(Error::bad_request(message));
    }
    if !said("resourceVersion").is_empty() && said("resourceVersion") != meta.resource_version {
        return Err(Error::modified(stored.kind(), &meta.name));
    }
    refuse_undeclared(stored, config)?;
    // Unknown fields in the configuration are reported as they are for a whole object.
    let warnings = from_json(expected(stored), config.clone(), validation)?.warnings;
    refuse_ambiguities(stored, config)?;
    let (name, subresource, now) = who;
    let merged = applied(stored, config, &Manager { name, subresource, now }, on_conflict)
        .map_err(|conflicts| Error::apply_conflict(&conflicts))?;
    let object = from_json(expected(stored), merged, FieldValidation::Ignore)?.object;
    Ok(Decoded { object, warnings })
}

/// Kubernetes: a field that the schema of a custom kind does not declare has no owner, whatever `fieldValidation` says.
fn refuse_undeclared(stored: &Object, config: &Value) -> Result<(), Error> {
    if !stored.kind().is_custom() {
        return Ok(());
    }
    let fields = unknown_fields(expected(stored), config);
    let problems: Vec<String> = fields.iter().map(|field| format!(".{field}: field not declared in schema")).collect();
    refuse_untyped(stored, &problems)
}

/// An element that a configuration has twice has no one value, and one without keys is nobody's. Kubernetes answers 500.
fn refuse_ambiguities(stored: &Object, config: &Value) -> Result<(), Error> {
    refuse_untyped(stored, &ambiguities(stored.kind(), config))
}

/// Fails if a configuration is none of the object's type.
fn refuse_untyped(stored: &Object, problems: &[String]) -> Result<(), Error> {
    let list = match problems {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let (meta, info) = (stored.meta(), stored.kind().info());
    Err(Error::unexplained(format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): {list}",
        meta.namespace,
        meta.name,
        info.api_version(),
        info.kind
    )))
}

/// Returns the object that a configuration creates when none exists.
pub fn apply_to_nothing(
    resource: &ResourceRef,
    config: &Value,
    who: Who<'_>,
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    let mut nothing = Object::decode(resource.kind, &[])?;
    nothing.follow(resource.version.as_ref());
    nothing.meta_mut().name.clone_from(&resource.name);
    nothing.meta_mut().namespace.clone_from(&resource.namespace);
    let mut decoded = apply(&nothing, config, who, OnConflict::Refuse, validation)?;
    decoded.object.meta_mut().resource_version.clear();
    Ok(decoded)
}
