//! Fences: an elected leader's write succeeds only until someone else is elected.

use bytes::Bytes;
use serde::Serialize;
use squall_api::Object;

use crate::keys;
use crate::store::{Compare, Target, Write};

/// A won election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fence {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub lease: String,
    /// Identity of the winner.
    pub holder: String,
    /// Number of the election, from the Lease's `leaseTransitions`.
    pub transitions: i32,
}

impl Fence {
    /// Returns the election that a Lease records. Node heartbeats are not elections.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let Object::Lease(lease) = object else { return None };
        let meta = &lease.metadata;
        (meta.namespace != "kube-node-lease").then(|| Self {
            namespace: meta.namespace.clone(),
            lease: meta.name.clone(),
            holder: lease.spec.holder_identity.clone().unwrap_or_default(),
            transitions: lease.spec.lease_transitions.unwrap_or(0),
        })
    }

    /// Records that the election was won.
    pub(super) fn put(&self) -> Write {
        Write { key: self.key(), value: Some(self.value()) }
    }

    /// Requires that the election is the latest one.
    pub(super) fn holds(&self) -> Compare {
        Compare { key: self.key(), target: Target::Value(self.value()) }
    }

    fn key(&self) -> String {
        keys::fence(&self.namespace, &self.lease)
    }

    fn value(&self) -> Bytes {
        format!("{}/{}", self.transitions, self.holder).into()
    }
}
