//! The calls of the API as one caller may make them, whatever face they come through: permission, reading of bodies,
//! then the `registry`. Neither face has a rule that is not here.

mod body;
mod logs;
mod read;
mod review;
mod write;

use squall_api::Error;
use squall_daemon::identity::Caller;

use crate::authorization::{Action, Target, Verb, authorize};
use crate::registry::{Registry, Resource};

pub use body::{Body, PROTOBUF_MAGIC};
pub use logs::LogQuery;
pub use read::{ListQuery, WatchQuery};
pub use write::{Deleting, PatchBody};

/// One caller's way to the objects.
#[derive(Clone)]
pub struct Handlers {
    registry: Registry,
    caller: Caller,
}

impl Handlers {
    /// The objects of a registry, for a caller.
    #[must_use]
    pub fn new(registry: Registry, caller: Caller) -> Self {
        Self { registry, caller }
    }

    /// Who is asking.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the server has, without asking who wants it.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Refuses what the caller may not do with an object or a collection.
    pub fn authorize(&self, verb: Verb, resource: &Resource) -> Result<(), Error> {
        let info = resource.kind.info();
        let target = Target::Resource {
            group: info.group,
            resource: info.plural,
            subresource: &resource.subresource,
            namespace: &resource.namespace,
            name: &resource.name,
        };
        authorize(&self.caller, &Action { verb, target })
    }

    /// Refuses a path that is no object.
    pub fn authorize_path(&self, path: &str) -> Result<(), Error> {
        authorize(&self.caller, &Action { verb: Verb::Get, target: Target::Path(path) })
    }
}
