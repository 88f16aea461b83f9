//! Occurrences to report as events: what a plan says of an object. A recorder makes events of them.

use crate::metav1::v1::ObjectMeta;
use crate::{KindInfo, Object, Resource};

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Everything is as it should be.
    Normal,
    /// A problem that may need attention.
    Warning,
}

/// An occurrence to report as an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Happening {
    /// The object that the event is about.
    pub object: ObjectId,
    /// Normal, or a problem.
    pub event_type: EventType,
    /// The reason, in one word: `ScalingReplicaSet`.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

/// The identity of the object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ObjectId {
    /// The API version: `apps/v1`.
    pub api_version: String,
    /// The kind: `Deployment`.
    pub kind: &'static str,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid, which tells apart objects of one name.
    pub uid: String,
    /// The part of the object: `spec.containers{nodejs}`, or empty.
    pub field_path: String,
}

impl ObjectId {
    /// Returns the identity of an object.
    #[must_use]
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::of_kind(&K::INFO, object.meta())
    }

    /// Returns the identity of an object of any kind.
    #[must_use]
    pub fn of_object(object: &Object) -> Self {
        Self::of_kind(object.kind().info(), object.meta())
    }

    fn of_kind(info: &KindInfo, meta: &ObjectMeta) -> Self {
        Self {
            api_version: info.api_version(),
            kind: info.kind,
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            field_path: String::new(),
        }
    }
}
