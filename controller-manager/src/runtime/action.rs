//! What a controller can want done.

use std::collections::BTreeSet;
use std::time::Duration;

use squall_api::metav1::v1::OwnerReference;
use squall_api::{Kind, Object};
use squall_client::events::Happening;

/// One effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the object.
    Create(Box<Object>),
    /// Create an object whose name the server makes up, and tell of it: the name is added to the message.
    CreateNamed {
        /// The object.
        object: Box<Object>,
        /// What to tell.
        told: Happening,
    },
    /// Store the object, if it has not changed since it was read.
    Update(Box<Object>),
    /// Store the object's status, if it has not changed since it was read.
    UpdateStatus(Box<Object>),
    /// Delete this very object; that it is gone already is as good.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// "Background", "Foreground", "Orphan" or empty.
        propagation: &'static str,
    },
    /// Delete this very object, if it has not changed since it was read; that it is gone already is as good.
    DeleteUnchanged {
        /// The object as it was read.
        object: Box<Object>,
        /// "Background", "Foreground" or "Orphan".
        propagation: &'static str,
    },
    /// Delete this very pod without waiting for its kubelet; that it is gone already is as good.
    DeleteNow {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// Delete everything of a kind in a namespace.
    DeleteAll {
        /// The kind.
        kind: Kind,
        /// The namespace.
        namespace: String,
    },
    /// Put a pod on a node.
    Bind {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The node.
        node: String,
    },
    /// Give the object these owners, if it has not changed since it was read.
    SetOwners {
        /// The object as it was read.
        object: Box<Object>,
        /// Its owners from now on.
        owners: Vec<OwnerReference>,
    },
    /// Several at a time, more and more as long as all succeed (Kubernetes: slow start). The first error ends it.
    Together(Vec<Action>),
    /// All at the same time, whatever becomes of the others. The first error is that of all.
    AtOnce(Vec<Action>),
    /// Do it, and tell of it.
    Telling {
        /// What to do.
        action: Box<Action>,
        /// What to tell when it is done.
        done: Happening,
        /// What to tell when it could not be done, with the error behind it.
        failed: Option<Happening>,
    },
    /// Tell people.
    Tell(Happening),
}

impl Action {
    /// Adds the kinds of object that it writes.
    pub fn collect_kinds(&self, kinds: &mut BTreeSet<Kind>) {
        match self {
            Self::Create(object) | Self::Update(object) | Self::UpdateStatus(object) => {
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

/// What is to be done, in this order, and when to look again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The effects.
    pub actions: Vec<Action>,
    /// When to look again, if nothing happens before.
    pub wake_after: Option<Duration>,
    /// For how long not to look again, whatever happens: where a look is costly, one sees several changes.
    pub rest: Duration,
}

impl Plan {
    /// These effects, and nothing to wait for.
    #[must_use]
    pub fn of(actions: Vec<Action>) -> Self {
        Self { actions, ..Self::default() }
    }

    /// Looks again after this time, or sooner if that was planned already.
    pub fn wake(&mut self, after: Duration) {
        self.wake_after = Some(self.wake_after.map_or(after, |earlier| earlier.min(after)));
    }
}
