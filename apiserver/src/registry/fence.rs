//! Fences: a write of an elected leader happens only while nobody else has been elected.

use bytes::Bytes;
use serde::Serialize;
use squall_api::Object;

use crate::keys;
use crate::store::{Compare, Target, Write};

/// An election that someone has won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fence {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub lease: String,
    /// Who has won.
    pub holder: String,
    /// The election's number.
    pub transitions: i32,
}

impl Fence {
    /// The election that a Lease stands for. Node heartbeats are no elections.
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

    /// Writes down that it was won.
    pub(super) fn put(&self) -> Write {
        Write { key: self.key(), value: Some(self.value()) }
    }

    /// That it is the last one.
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
