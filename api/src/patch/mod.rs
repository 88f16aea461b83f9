//! Patches: Kubernetes' three types, and the three-way merge patch of `apply`. Pure, on JSON.

mod json;
mod merge;
mod strategic;
mod three_way;

use serde_json::Value;
use squall_proto::schema::Message;

use crate::error::Error;

pub use three_way::three_way;

/// The content type of a merge patch.
pub const MERGE: &str = "application/merge-patch+json";
/// The content type of a strategic merge patch.
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// The content type of a JSON patch.
pub const JSON: &str = "application/json-patch+json";
/// The content type of a configuration for server-side apply.
pub const APPLY: &str = "application/apply-patch+yaml";

/// The type of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902: a list of operations.
    Json,
    /// RFC 7386: `null` deletes, objects merge, everything else replaces.
    Merge,
    /// Like a merge patch, but lists of objects merge by a key from the schema.
    Strategic,
}

impl PatchType {
    /// Returns the type for a content type.
    pub fn parse(content_type: &str) -> Result<Self, Error> {
        match content_type {
            JSON => Ok(Self::Json),
            MERGE => Ok(Self::Merge),
            STRATEGIC => Ok(Self::Strategic),
            _ => Err(Error::unsupported_patch_type()),
        }
    }
}

/// Why a patch fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The patch is malformed.
    Malformed(String),
    /// The patch cannot be applied to this document.
    Inapplicable(String),
}

/// A parsed patch.
#[derive(Debug, Clone)]
pub enum Patch {
    /// A list of operations.
    Json(json::Operations),
    /// A document to merge.
    Merge(Value),
    /// A document to merge, with directives.
    Strategic(Value),
}

impl Patch {
    /// Parses a patch.
    pub fn parse(patch_type: PatchType, bytes: &[u8]) -> Result<Self, Problem> {
        if patch_type == PatchType::Json {
            return json::Operations::parse(bytes).map(Self::Json);
        }
        let document: Value = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
        if !document.is_object() {
            return Err(Problem::Malformed("a patch must be a JSON object".to_owned()));
        }
        Ok(if patch_type == PatchType::Merge { Self::Merge(document) } else { Self::Strategic(document) })
    }

    /// Applies the patch to a document with this schema. After an error, the document is unusable.
    pub fn apply(&self, target: &mut Value, schema: Option<&'static Message>) -> Result<(), Problem> {
        match self {
            Self::Json(operations) => operations.apply(target),
            Self::Merge(document) => {
                merge::apply(target, document);
                Ok(())
            }
            Self::Strategic(document) => strategic::apply(target, document, schema),
        }
    }
}

/// Converts a parse error to Go's message.
fn malformed(error: &serde_json::Error) -> Problem {
    Problem::Malformed(if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() })
}
