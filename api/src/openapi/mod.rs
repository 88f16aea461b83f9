//! Generates the OpenAPI documents of the API from the schema of its messages and the list of kinds. `kubectl explain`
//! shows them, and clients read them before a dry run. Pure.

mod custom;
mod definitions;
mod operations;
mod swagger;
mod v2;
mod v3;

pub use custom::{Custom, document as custom};
pub use swagger::document as swagger;
pub use v2::document as v2;
pub use v3::{document as v3, groups as v3_groups};

/// The title of the documents.
const TITLE: &str = "Squall";
/// The version of Kubernetes that the API follows.
const VERSION: &str = "v1.36.0";
