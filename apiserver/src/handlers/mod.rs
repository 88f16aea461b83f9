//! The API calls on behalf of one caller, for gRPC and REST alike: check permissions, read the body, call the
//! `registry`. Neither interface has rules of its own.

mod body;
mod logs;
mod read;
mod review;
mod write;

use squall_api::{Error, Kind};
use squall_daemon::identity::Caller;

use crate::authorization::{Action, Target, Verb};
use crate::registry::Registry;
use crate::request::ResourceRef;

pub use body::{Body, PROTOBUF_MAGIC};
pub use logs::LogQuery;
pub use read::{ListQuery, WatchQuery};
pub use write::{Deleting, PatchBody, TOKEN_REQUEST};

/// Access to the objects on behalf of one caller.
#[derive(Clone)]
pub struct Handlers {
    registry: Registry,
    caller: Caller,
}

impl Handlers {
    /// Creates the handlers of a caller.
    #[must_use]
    pub fn new(registry: Registry, caller: Caller) -> Self {
        Self { registry, caller }
    }

    /// Returns the caller that all calls act for.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the registry, which does not check permissions.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns an error if the caller may not use the verb on an object or a collection.
    pub fn authorize(&self, verb: Verb, resource: &ResourceRef) -> Result<(), Error> {
        let info = resource.kind.info();
        let target = Target::Resource {
            group: info.group,
            resource: info.plural,
            subresource: resource.subresource.as_str(),
            // Kubernetes: a namespace is in itself, so that a RoleBinding there permits to read it.
            namespace: if resource.kind == Kind::Namespace { &resource.name } else { &resource.namespace },
            name: &resource.name,
        };
        self.authorize_action(&Action { verb: verb.as_str(), target })
    }

    /// Returns an error if the caller may not perform an action.
    pub fn authorize_action(&self, action: &Action<'_>) -> Result<(), Error> {
        match self.registry.permitting(&self.caller, action) {
            Some(_) => Ok(()),
            None => Err(action.forbidden(self.caller.user())),
        }
    }

    /// Returns an error if the caller may not read a path that is not an object.
    pub fn authorize_path(&self, path: &str) -> Result<(), Error> {
        self.authorize_action(&Action { verb: Verb::Get.as_str(), target: Target::Path(path) })
    }
}
