//! Fences: an elected leader's write succeeds only until someone else is elected.

use bytes::Bytes;
use squall_api::Object;

use crate::keys;
use crate::request::Fence;
use crate::store::{Compare, Target, Write};

/// Returns the election that a Lease records. Node heartbeats are not elections.
fn of(object: &Object) -> Option<Fence> {
    let Object::Lease(lease) = object else { return None };
    let meta = &lease.metadata;
    (meta.namespace != "kube-node-lease").then(|| Fence {
        namespace: meta.namespace.clone(),
        lease: meta.name.clone(),
        holder: lease.spec.holder_identity.clone().unwrap_or_default(),
        transitions: lease.spec.lease_transitions.unwrap_or(0),
    })
}

/// Records the election that an object stands for, if it stands for one.
pub(super) fn put(object: &Object) -> Option<Write> {
    of(object).map(|fence| Write { key: key(&fence), value: Some(value(&fence)) })
}

/// Requires that the election is the latest one.
pub(super) fn holds(fence: &Fence) -> Compare {
    Compare { key: key(fence), target: Target::Value(value(fence)) }
}

fn key(fence: &Fence) -> String {
    keys::fence(&fence.namespace, &fence.lease)
}

fn value(fence: &Fence) -> Bytes {
    format!("{}/{}", fence.transitions, fence.holder).into()
}
