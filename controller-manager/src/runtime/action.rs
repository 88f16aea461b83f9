//! The effects that a controller can ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_api::happening::Happening;
use squall_api::metav1::v1::OwnerReference;
use squall_api::{Kind, Object};

/// One effect, performed by the executor.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the object.
    Create(Box<Object>),
    /// Create an object whose name the server generates, and record an event.
    CreateNamed {
        /// The object, with `generateName`.
        object: Box<Object>,
        /// The event to record on success; the name is appended to its message.
        told: Happening,
    },
    /// Store the object, if it has not changed since it was read.
    Update(Box<Object>),
    /// Store the object's status, if it has not changed since it was read.
    UpdateStatus(Box<Object>),
    /// Store the finalizers in the spec of a namespace, if it has not changed since it was read.
    Finalize(Box<Object>),
    /// Delete the object with this uid; succeeds if it is already gone.
    Delete {
        /// Kind of the object.
        kind: Kind,
        /// Empty for cluster-scoped objects.
        namespace: String,
        /// Name of the object.
        name: String,
        /// A precondition: another object of the same name stays.
        uid: String,
        /// "Background", "Foreground", "Orphan" or empty.
        propagation: &'static str,
    },
    /// Delete the object, if it has not changed since it was read; succeeds if it is already gone.
    DeleteUnchanged {
        /// The object as it was read.
        object: Box<Object>,
        /// "Background", "Foreground" or "Orphan".
        propagation: &'static str,
    },
    /// Delete the pod with this uid without waiting for its kubelet; succeeds if it is already gone.
    DeleteNow {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// A precondition: another pod of the same name stays.
        uid: String,
    },
    /// Delete all objects of a kind in a namespace. Fails if some stay, held by finalizers.
    DeleteAll {
        /// A namespaced kind.
        kind: Kind,
        /// The namespace to empty of that kind.
        namespace: String,
    },
    /// Bind a pod to a node.
    Bind {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        name: String,
        /// Name of the node.
        node: String,
    },
    /// Replace the object's owner references, if it has not changed since it was read.
    SetOwners {
        /// The object as it was read.
        object: Box<Object>,
        /// The complete new list.
        owners: Vec<OwnerReference>,
    },
    /// Perform the actions in batches that double in size (Kubernetes: slow start). No batch follows an error.
    Together(Vec<Action>),
    /// Perform all actions concurrently, even if some fail. Fails with the first error.
    AtOnce(Vec<Action>),
    /// Perform an action, and record an event about it.
    Telling {
        /// The action to perform.
        action: Box<Action>,
        /// The event to record on success.
        done: Happening,
        /// The event to record on failure; the error is appended to its message.
        failed: Option<Happening>,
    },
    /// Record an event.
    Tell(Happening),
}

impl Action {
    /// Adds the kinds of objects that the action writes.
    pub fn collect_kinds(&self, kinds: &mut BTreeSet<Kind>) {
        match self {
            Self::Create(object) | Self::Update(object) | Self::UpdateStatus(object) | Self::Finalize(object) => {
                kinds.insert(object.kind());
            }
            Self::CreateNamed { object, .. }
            | Self::SetOwners { object, .. }
            | Self::DeleteUnchanged { object, .. } => {
                kinds.insert(object.kind());
            }
            Self::Delete { kind, .. } | Self::DeleteAll { kind, .. } => {
                kinds.insert(*kind);
            }
            Self::DeleteNow { .. } | Self::Bind { .. } => {
                kinds.insert(Kind::Pod);
            }
            Self::Together(actions) | Self::AtOnce(actions) => {
                actions.iter().for_each(|action| action.collect_kinds(kinds));
            }
            Self::Telling { action, .. } => action.collect_kinds(kinds),
            Self::Tell(_) => {}
        }
    }
}

/// The actions to perform, and when to reconcile again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Performed in this order.
    pub actions: Vec<Action>,
    /// Time until the next reconciliation, if no change comes earlier.
    pub wake_after: Option<Duration>,
    /// Minimum time until the next reconciliation, so that a costly one covers several changes.
    pub rest: Duration,
}

impl Plan {
    /// Creates a plan with these actions and nothing to wait for.
    #[must_use]
    pub fn of(actions: Vec<Action>) -> Self {
        Self { actions, ..Self::default() }
    }

    /// Schedules a reconciliation after this time, unless an earlier one is planned already.
    pub fn wake(&mut self, after: Duration) {
        self.wake_after = Some(self.wake_after.map_or(after, |earlier| earlier.min(after)));
    }
}
