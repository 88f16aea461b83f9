//! The complete history of what rollouts are made of: every change of every Deployment, ReplicaSet and pod, in the
//! order in which the store made them.
//!
//! `world` is the state at one revision, `recorder` writes the history down while it happens.

mod recorder;
mod world;

use squall_api::Object;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_api::core::v1::Pod;

pub use recorder::Recorder;
pub use world::World;

/// An object that the history is about.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Subject {
    Deployment(Box<Deployment>),
    ReplicaSet(Box<ReplicaSet>),
    Pod(Box<Pod>),
}

impl Subject {
    /// `None` for kinds that the history is not about.
    #[must_use]
    pub fn of(object: Object) -> Option<Self> {
        match object {
            Object::Deployment(deployment) => Some(Self::Deployment(deployment)),
            Object::ReplicaSet(set) => Some(Self::ReplicaSet(set)),
            Object::Pod(pod) => Some(Self::Pod(pod)),
            _ => None,
        }
    }
}

/// Whether an object is there after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was made or changed.
    Stored,
    /// It was removed.
    Removed,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The store's revision after it.
    pub revision: u64,
    /// The object after it; as it last was, if it was removed.
    pub subject: Subject,
    /// Whether it is there.
    pub fate: Fate,
}

/// A change in its place.
pub struct Step<'a> {
    /// The change.
    pub change: &'a Change,
    /// The object before; `None` if it is new.
    pub previous: Option<Subject>,
    /// Everything, after the change.
    pub world: &'a World,
}

/// All changes between two revisions.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The state before the first change.
    pub start: World,
    /// The changes, by ascending revision.
    pub changes: Vec<Change>,
}

impl History {
    /// Goes through all changes in order.
    pub fn walk(&self, mut visit: impl FnMut(Step<'_>)) {
        let mut world = self.start.clone();
        for change in &self.changes {
            let previous = world.apply(change);
            visit(Step { change, previous, world: &world });
        }
    }
}
