//! The calls of the API, whatever face they came through: reading, writing, with the store's guarantees.
//!
//! `read` answers gets and lists (`freshness` says from which state, `page` where the next part begins), `change` holds the loop of read, decide, compare-and-write that every change goes
//! through, `write` are the verbs made of it, `repeated` answers those that come again, `fence` lets only the elected write, `pending` tells the write log what became of a write, `evict` takes a pod away if its budget allows it, `service` adds the claims of
//! services to it, `quota` what it costs, `bootstrap` makes what every cluster has, `contact` knows whether a member hears of the others.

mod bootstrap;
mod change;
mod contact;
mod evict;
mod fence;
mod freshness;
mod page;
mod pending;
mod quota;
mod read;
mod repeated;
mod service;
mod stored;
mod write;

use std::sync::Arc;
use std::time::Duration;

use squall_api::{Error, Kind};
use squall_proto::squall::api::v1 as proto;
use tokio::time::Instant;

use crate::admission::Range;
use crate::host::{Clock, Network};
use crate::raft::{Member, ProposeError};
use crate::write_log::WriteLog;

pub use contact::out_of_touch;
pub use fence::Fence;
pub use freshness::{Freshness, VersionOptions, WatchStart};
pub use page::Continuation;
pub use read::{ListOptions, Listing, Selection};
pub use stored::{any, any_len, decode, decode_stored};
pub use write::{Ownership, Reply, WriteOptions};

/// A request that has not succeeded after this time has failed.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait for a revision that this member has not reached.
const REVISION_PATIENCE: Duration = Duration::from_secs(3);

/// The objects of a cluster, as one member serves them. Clones are the same.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    member: Member,
    network: Arc<dyn Network>,
    service_range: Range,
    clock: Clock,
    /// The cluster's CA (PEM), which every namespace has in a config map.
    ca: Option<String>,
    quota_turn: quota::Turn,
    contact: contact::Contact,
    write_log: Option<WriteLog>,
}

/// Which collection or object a request is about.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for cluster-scoped kinds and for all namespaces.
    pub namespace: String,
    /// Its name; empty for a collection.
    pub name: String,
    /// "status", "scale", "binding" or empty.
    pub subresource: String,
}

impl Resource {
    /// Reads a request's resource.
    pub fn parse(resource: Option<proto::Resource>) -> Result<Self, Error> {
        let resource = resource.ok_or_else(|| Error::bad_request("the request names no resource"))?;
        let kind = Kind::find(&resource.group, &resource.plural)
            .filter(|kind| kind.info().version == resource.version)
            .ok_or_else(|| Error::bad_request("the server could not find the requested resource"))?;
        if !kind.info().is_namespaced() && !resource.namespace.is_empty() {
            return Err(Error::bad_request(format!("{} do not live in namespaces", kind.info().plural)));
        }
        Ok(Self { kind, namespace: resource.namespace, name: resource.name, subresource: resource.subresource })
    }

    /// The key of the object; an error if the request names none.
    fn key(&self) -> Result<String, Error> {
        if self.name.is_empty() {
            return Err(Error::bad_request("the request names no object"));
        }
        if self.kind.info().is_namespaced() && self.namespace.is_empty() {
            return Err(Error::bad_request("an empty namespace may not be set when a resource name is provided"));
        }
        Ok(crate::keys::object(self.kind, &self.namespace, &self.name))
    }
}

impl Registry {
    /// The objects that a member has. Services get addresses of this range, objects the times of this clock, namespaces
    /// this CA; writes are told to this log.
    #[must_use]
    pub fn new(
        member: Member,
        network: Arc<dyn Network>,
        service_range: Range,
        clock: Clock,
        ca: Option<String>,
        write_log: Option<WriteLog>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                member,
                network,
                service_range,
                clock,
                ca,
                quota_turn: quota::Turn::default(),
                contact: contact::Contact::default(),
                write_log,
            }),
        }
    }

    /// How kubelets are reached.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        self.inner.network.as_ref()
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        (self.inner.clock)()
    }

    /// The member behind it.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.inner.member
    }

    fn deadline(&self) -> Instant {
        Instant::now() + DEADLINE
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Self {
        Self::unavailable(format!("{error:#}"))
    }
}
