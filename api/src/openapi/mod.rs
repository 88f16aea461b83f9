//! The API as OpenAPI documents, made from the schema of its messages and the list of kinds: what `kubectl explain` shows,
//! and what clients look up before they ask for a dry run. Pure.

mod definitions;
mod operations;
mod v2;
mod v3;

pub use v2::document as v2;
pub use v3::{document as v3, groups as v3_groups};

/// What the documents call the API.
const TITLE: &str = "Squall";
/// The Kubernetes whose API it is.
const VERSION: &str = "v1.36.0";
