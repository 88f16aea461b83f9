//! Server-side apply: the ownership of fields, and the merge of an applied configuration. Pure, on JSON.
//!
//! Kubernetes: structured-merge-diff. `fields` is a set of fields, `form` says how fields are owned, `walk` finds the
//! fields of a document and the differences between two, `merge` merges a configuration into a document and removes
//! fields from it, `order` decides the order of merged lists, `owners` tracks the owners of fields.

mod conflict;
mod fields;
mod form;
mod merge;
mod order;
mod owners;
#[cfg(test)]
mod suite;
mod walk;

pub use conflict::{Conflict, OnConflict};
pub use owners::{Manager, Operation, applied, updated};
pub use walk::ambiguities;
