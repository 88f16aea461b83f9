//! What happens to an object between a request and the store: pure functions from objects to objects.

mod create;
mod delete;
mod patch;
mod services;
mod update;

pub use create::{Birth, create};
pub use delete::{DeleteOptions, Deletion, delete};
pub use patch::{PatchType, patch};
pub use services::{Claim, Range, choose_addresses, claims};
pub use update::{bind, scale_of, set_scale, update, update_status};
