//! The gRPC services of an apiserver.

mod access;
mod admin;
mod objects;
mod status;

use squall_daemon::identity::Caller;
use tonic::{Request, Status};

use crate::handlers::Handlers;
use crate::registry::Registry;

pub use access::AccessService;
pub use admin::AdminService;
pub use objects::ObjectsService;

/// Returns the caller that the connection has identified, or the anonymous one.
fn caller_of<T>(request: &Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_else(Caller::anonymous)
}

/// Returns the handlers that act on behalf of the request's caller.
fn handlers_of<T>(registry: &Registry, request: &Request<T>) -> Handlers {
    Handlers::new(registry.clone(), caller_of(request))
}

/// Rejects everyone except the callers that the server trusts like itself: other members and administrators.
pub fn masters_only(request: Request<()>) -> Result<Request<()>, Status> {
    let caller = caller_of(&request);
    if caller.is_master() {
        return Ok(request);
    }
    let detail = format!("User {:?} is not in the group \"system:masters\"", caller.user());
    Err(status::status(squall_api::Error::refused("", "", "", &detail)))
}
