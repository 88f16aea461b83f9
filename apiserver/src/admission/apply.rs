//! Server-side apply: merges a configuration into an object and records field ownership, or reports the conflicts.

use serde_json::Value;
use squall_api::apply::{Manager, OnConflict, ambiguities, applied};
use squall_api::decode::{Decoded, FieldValidation, from_json};
use squall_api::metav1::v1::Time;
use squall_api::{Error, Object};

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
    // Unknown fields in the configuration are reported as they are for a whole object.
    let warnings = from_json(stored.kind(), config.clone(), validation)?.warnings;
    refuse_ambiguities(stored, config)?;
    let (name, subresource, now) = who;
    let merged = applied(stored, config, &Manager { name, subresource, now }, on_conflict)
        .map_err(|conflicts| Error::apply_conflict(&conflicts))?;
    let object = from_json(stored.kind(), merged, FieldValidation::Ignore)?.object;
    Ok(Decoded { object, warnings })
}

/// An element that a configuration has twice has no one value, and one without keys is nobody's. Kubernetes answers 500.
fn refuse_ambiguities(stored: &Object, config: &Value) -> Result<(), Error> {
    let found = ambiguities(stored.kind(), config);
    let list = match found.as_slice() {
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
    nothing.meta_mut().name.clone_from(&resource.name);
    nothing.meta_mut().namespace.clone_from(&resource.namespace);
    let mut decoded = apply(&nothing, config, who, OnConflict::Refuse, validation)?;
    decoded.object.meta_mut().resource_version.clear();
    Ok(decoded)
}
