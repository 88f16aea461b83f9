//! Admission: what happens to an object between the request and the store. All functions are pure.

mod apply;
mod create;
mod delete;
mod node;
mod patch;
mod quota;
mod services;
mod update;

pub use apply::{apply, apply_to_nothing};
pub use create::{Birth, create};
pub use delete::{DeleteOptions, Deletion, delete, has_finalizers};
pub use node::{
    no_relationship, reads_from, restrict_node, restrict_node_change, restrict_node_get, restrict_node_list,
};
pub use patch::{patch, patch_scale};
pub use quota::{charge, may_count, recount};
pub use services::{Claim, Range, choose_addresses, claims};
pub use update::{bind, finalize, scale_of, set_scale, update, update_status};
