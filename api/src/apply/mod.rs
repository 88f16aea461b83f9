//! Server-side apply: who owns which fields of an object, and what applying a configuration makes of it. Pure, on JSON.
//!
//! Kubernetes: structured-merge-diff. `fields` is a set of fields, `walk` finds the fields of a document and what differs
//! between two, `merge` puts a configuration into a document and takes fields out of it, `owners` keeps the books.

mod fields;
mod form;
mod merge;
mod owners;
mod walk;

pub use owners::{Conflict, Manager, Operation, applied, updated};
