//! A request in typed form: its resource with the subresource, and the options of a write. Plain values, which every layer
//! below the faces shares.

mod fence;
mod options;
mod resource;
mod served;
mod subresource;

pub use fence::Fence;
pub use options::{Ownership, WriteOptions};
pub use resource::ResourceRef;
pub use served::{BuiltIn, Kinds, Served};
pub use subresource::Subresource;
