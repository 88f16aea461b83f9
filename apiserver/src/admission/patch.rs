//! A patch applied to an object gives an object, or says what is wrong.

use serde_json::Value;
use squall_api::decode::{Decoded, FieldValidation, from_json};
use squall_api::{Error, Object, merge_patch};

/// The patch types the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 7386.
    Merge,
}

impl PatchType {
    /// By content type.
    pub fn parse(content_type: &str) -> Result<Self, Error> {
        match content_type {
            "application/merge-patch+json" => Ok(Self::Merge),
            other => Err(Error::unsupported_media_type(other)),
        }
    }
}

/// The stored object with the patch applied. Its resource version is that of the patch, if the patch sets one.
pub fn patch(
    stored: &Object,
    patch_type: PatchType,
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<Decoded, Error> {
    let patch: Value = serde_json::from_slice(bytes).map_err(|error| {
        let message = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
        Error::bad_request(message)
    })?;
    if !patch.is_object() {
        return Err(Error::bad_request("a patch must be a JSON object"));
    }
    let mut json = stored.to_json();
    match patch_type {
        PatchType::Merge => merge_patch::apply(&mut json, &patch),
    }
    for field in ["apiVersion", "kind"] {
        if json.get(field) != stored.to_json().get(field) {
            return Err(Error::bad_request(format!("the patch changes {field}, which is not possible")));
        }
    }
    let decoded = from_json(stored.kind(), json, validation)?;
    let (new, old) = (decoded.object.meta(), stored.meta());
    if new.name != old.name {
        let message =
            format!("the name of the object ({}) does not match the name on the URL ({})", new.name, old.name);
        return Err(Error::bad_request(message));
    }
    if new.namespace != old.namespace {
        return Err(Error::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(decoded)
}
