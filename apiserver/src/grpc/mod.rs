//! The services of an apiserver over gRPC.

mod access;
mod admin;
mod objects;

use squall_daemon::identity::Caller;
use tonic::{Request, Status};

use crate::handlers::Handlers;
use crate::registry::Registry;

pub use access::AccessService;
pub use admin::AdminService;
pub use objects::ObjectsService;

/// Who a request is from: what its connection has found out.
fn caller_of<T>(request: &Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_else(Caller::anonymous)
}

/// The calls that whoever sent a request may make.
fn handlers_of<T>(registry: &Registry, request: &Request<T>) -> Handlers {
    Handlers::new(registry.clone(), caller_of(request))
}

/// Lets through only those whom the server trusts like itself: other members, and administrators.
pub fn masters_only(request: Request<()>) -> Result<Request<()>, Status> {
    let caller = caller_of(&request);
    if caller.is_master() {
        return Ok(request);
    }
    let detail = format!("User {:?} is not in the group \"system:masters\"", caller.user());
    Err(squall_api::Error::refused("", "", "", &detail).into())
}
