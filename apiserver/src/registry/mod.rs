//! The calls of the API, for gRPC and REST alike: reads and writes with the store's guarantees.
//!
//! `read` serves gets and lists (`freshness` selects the state, `page` the start of the next page). Every change goes
//! through the loop in `change`: read, decide, charge, write, retry. `write` and `evict` are the verbs, as pure decisions.
//! `ownership` records who wrote a field, `service` adds the claims of services, and `quota` the cost. `grants` are the
//! stored roles, `definitions` the custom kinds. `transaction` is
//! what the store executes: `fence` lets only elected leaders write, `repeated` answers repeated requests, and `pending`
//! reports outcomes to the write log. `bootstrap` creates the initial objects, and `contact` detects a lost quorum.

mod accounts;
mod bootstrap;
mod change;
mod contact;
mod definitions;
mod evict;
mod expiry;
mod fence;
mod first_roles;
mod freshness;
mod grants;
mod ownership;
mod page;
mod pending;
mod quota;
mod read;
mod repeated;
mod service;
mod stored;
mod tokens;
mod transaction;
mod write;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use squall_api::Error;
use squall_api::timing::later;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::admission::Range;
use crate::heavy::HEAVY_BYTES;
use crate::host::{Clock, Network};
use crate::keys;
use crate::raft::{Member, ProposeError};
use crate::request::ResourceRef;
use crate::tokens::Tokens;
use crate::write_log::WriteLog;

pub use contact::out_of_touch;
pub use definitions::definition_key;
pub use freshness::{Freshness, VersionOptions, WatchStart};
pub use page::Continuation;
pub use read::{ListOptions, Listing, Selection};
pub use stored::{any, any_len, decode, decode_stored};
pub use tokens::Unproven;
pub use write::Reply;

/// Time limit of a request.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait for a revision that this member has not reached yet.
const REVISION_PATIENCE: Duration = Duration::from_secs(3);

/// The objects of a cluster, as one member serves them. Clones share the same objects.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
    /// Where heavy writes run.
    heavy: Option<Handle>,
    /// The key of service accounts' tokens, if there is one.
    tokens: Option<Arc<Tokens>>,
}

struct Inner {
    member: Member,
    network: Arc<dyn Network>,
    service_range: Range,
    clock: Clock,
    /// The cluster's CA (PEM), which every namespace has in a config map.
    ca: Option<String>,
    quota_turn: quota::Turn,
    grants: grants::Known,
    definitions: definitions::Known,
    contact: contact::Contact,
    write_log: Option<WriteLog>,
}

impl Registry {
    /// Creates the registry of a member. Services get addresses from `service_range`, objects get times from `clock`,
    /// and namespaces get `ca`. Writes are reported to `write_log`.
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
                grants: grants::Known::default(),
                definitions: definitions::Known::default(),
                contact: contact::Contact::default(),
                write_log,
            }),
            heavy: None,
            tokens: None,
        }
    }

    /// Sets where heavy writes run.
    #[must_use]
    pub fn with_heavy_thread(self, heavy: Option<Handle>) -> Self {
        Self { heavy, ..self }
    }

    /// Sets the key of service accounts' tokens.
    #[must_use]
    pub fn with_tokens(self, tokens: Option<Tokens>) -> Self {
        Self { tokens: tokens.map(Arc::new), ..self }
    }

    /// Whether an address may be a pod's of this cluster.
    #[must_use]
    pub fn may_be_pod(&self, address: Ipv4Addr) -> bool {
        self.inner.service_range.may_be_pod(address)
    }

    /// Returns the thread for heavy work, if there is one.
    #[must_use]
    pub fn heavy(&self) -> Option<&Handle> {
        self.heavy.as_ref()
    }

    /// Returns the thread for a write with a body of this length; `None` if this one will do. A small patch of a large
    /// object is heavy, too.
    #[must_use]
    pub fn heavy_thread(&self, resource: &ResourceRef, bytes: usize) -> Option<&Handle> {
        let heavy = self.heavy.as_ref()?;
        let stored = || {
            let key = keys::object(resource.kind, &resource.namespace, &resource.name);
            self.member().view().state().get(&key).map_or(0, |entry| entry.value.len())
        };
        (bytes >= HEAVY_BYTES || stored() >= HEAVY_BYTES).then_some(heavy)
    }

    /// Returns the network that connects to kubelets.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        self.inner.network.as_ref()
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        (self.inner.clock)()
    }

    /// Returns the Raft member that stores the objects.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.inner.member
    }

    fn deadline(&self) -> Instant {
        later(Instant::now(), DEADLINE)
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::Overloaded => Self::too_many_requests(format!("{error}, please try again later")),
            error => Self::unavailable(format!("{error:#}")),
        }
    }
}
