//! The gRPC face: requests into calls of the registry, and back.

mod admin;
mod objects;

pub use admin::AdminService;
pub use objects::ObjectsService;
