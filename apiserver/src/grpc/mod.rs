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
pub(crate) use status::status;

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
    only(request, Caller::is_master, "is not in the group \"system:masters\"")
}

/// Rejects everyone except other members: not even an administrator speaks for one.
pub fn members_only(request: Request<()>) -> Result<Request<()>, Status> {
    only(request, Caller::is_member, "is no member of the group of apiservers")
}

fn only(request: Request<()>, fits: fn(&Caller) -> bool, reason: &str) -> Result<Request<()>, Status> {
    let caller = caller_of(&request);
    if fits(&caller) {
        return Ok(request);
    }
    let detail = format!("User {:?} {reason}", caller.user());
    Err(status(squall_api::Error::refused("", "", "", &detail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_speak_raft_and_only_masters_administer() {
        let admin = Caller::new("admin", &["system:masters"]);
        let kubelet = Caller::new("system:node:node-0", &["system:nodes"]);
        for (caller, speaks, administers) in [
            (Caller::member(), true, true),
            (admin, false, true),
            (kubelet, false, false),
            (Caller::anonymous(), false, false),
        ] {
            let request = || {
                let mut request = Request::new(());
                request.extensions_mut().insert(caller.clone());
                request
            };
            assert_eq!(members_only(request()).is_ok(), speaks, "{caller:?}");
            assert_eq!(masters_only(request()).is_ok(), administers, "{caller:?}");
        }
    }
}
