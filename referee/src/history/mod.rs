//! The complete history of a rollout: every change of every Deployment, ReplicaSet, ReplicationController, pod, service,
//! endpoint slice and event, and every election of `kube-system`, in the order in which the store made them.
//!
//! `world` is the state at one revision, `authors` reads the write logs of the apiservers.

mod authors;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use squall_api::Object;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Event, Pod, ReplicationController, Service};
use squall_api::discovery::v1::EndpointSlice;
use squall_api::metav1::v1::ObjectMeta;

pub use authors::{Author, WriteLog, read as read_authors};
pub use world::World;

/// An object of the history.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Subject {
    Deployment(Box<Deployment>),
    ReplicaSet(Box<ReplicaSet>),
    Pod(Box<Pod>),
    ReplicationController(Box<ReplicationController>),
    Service(Box<Service>),
    EndpointSlice(Box<EndpointSlice>),
    Event(Box<Event>),
    Lease(Box<Lease>),
}

impl Subject {
    /// Returns `None` for kinds that the history does not contain.
    #[must_use]
    pub fn of(object: Object) -> Option<Self> {
        match object {
            Object::Deployment(deployment) => Some(Self::Deployment(deployment)),
            Object::ReplicaSet(set) => Some(Self::ReplicaSet(set)),
            Object::Pod(pod) => Some(Self::Pod(pod)),
            Object::ReplicationController(controller) => Some(Self::ReplicationController(controller)),
            Object::Service(service) => Some(Self::Service(service)),
            Object::EndpointSlice(slice) => Some(Self::EndpointSlice(slice)),
            Object::Event(event) => Some(Self::Event(event)),
            Object::Lease(lease) => Some(Self::Lease(lease)),
            _ => None,
        }
    }
}

impl Subject {
    /// Returns the object's metadata.
    #[must_use]
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Deployment(object) => &object.metadata,
            Self::ReplicaSet(object) => &object.metadata,
            Self::Pod(object) => &object.metadata,
            Self::ReplicationController(object) => &object.metadata,
            Self::Service(object) => &object.metadata,
            Self::EndpointSlice(object) => &object.metadata,
            Self::Event(object) => &object.metadata,
            Self::Lease(object) => &object.metadata,
        }
    }
}

/// Whether an object exists after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The object was created or changed.
    Stored,
    /// The object was removed.
    Removed,
}

/// A change of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The store's revision after it.
    pub revision: u64,
    /// The object after the change; for a removal, its last state.
    pub subject: Subject,
    /// Whether the object still exists.
    pub fate: Fate,
    /// When the recorder saw it, since the start of the recording.
    pub at: Duration,
}

/// A change with its context.
pub struct Transition<'a> {
    /// The change itself.
    pub change: &'a Change,
    /// The object before the change; `None` if it is new.
    pub previous: Option<Subject>,
    /// The whole state after the change.
    pub world: &'a World,
}

/// All changes between two revisions.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The state before the first change.
    pub start: World,
    /// The changes, by ascending revision.
    pub changes: Vec<Change>,
    /// The divisor of a second in objects: 10 for `fast` timing.
    pub seconds_divided_by: u32,
    /// The revisions that the leading apiserver reported, in order.
    pub seen_at: Vec<Sighting>,
    /// The author of each revision, as far as it is known.
    pub authors: BTreeMap<u64, Author>,
}

/// A revision that the leading apiserver reported.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// When the query was sent.
    pub asked: Duration,
    /// When the answer arrived.
    pub answered: Duration,
    /// The reported revision.
    pub revision: u64,
}

impl History {
    /// Returns when the recorder saw a revision; for an unrecorded revision, when it saw the one before.
    #[must_use]
    pub fn time_of(&self, revision: u64) -> Duration {
        let place = self.changes.partition_point(|change| change.revision <= revision);
        place.checked_sub(1).map_or(Duration::ZERO, |place| self.changes[place].at)
    }

    /// Returns a moment at which the revision did not exist yet.
    #[must_use]
    pub fn not_before(&self, revision: u64) -> Duration {
        let earlier = self.seen_at.iter().filter(|sighting| sighting.revision < revision);
        earlier.map(|sighting| sighting.asked).max().unwrap_or(Duration::ZERO)
    }

    /// Returns a moment at which the revision existed.
    #[must_use]
    pub fn not_after(&self, revision: u64) -> Duration {
        let later = self.seen_at.iter().filter(|sighting| sighting.revision >= revision);
        later.map(|sighting| sighting.answered).chain([self.time_of(revision)]).min().unwrap_or(Duration::MAX)
    }

    /// Visits all changes in order.
    pub fn walk(&self, mut visit: impl FnMut(Transition<'_>)) {
        let mut world = self.start.clone();
        for change in &self.changes {
            let previous = world.apply(change);
            visit(Transition { change, previous, world: &world });
        }
    }
}
