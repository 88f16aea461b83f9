//! What changes the state: comparisons that must hold, and writes that then happen together.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The number of changes there have been. Each put or delete counts one up; the revision of a key is that of its last
/// change.
pub type Revision = u64;

/// By which a repeated transaction is known; random.
pub type RequestId = [u8; 16];

/// Writes that happen together, if all comparisons hold when the transaction is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// By which a repetition is known.
    pub request_id: RequestId,
    /// What must hold.
    pub compares: Vec<Compare>,
    /// What is then written.
    pub writes: Vec<Write>,
}

/// Something that must hold of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// The key.
    pub key: String,
    /// What of it.
    pub target: Target,
}

/// What must hold of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The revision of its last change; 0 when it does not exist.
    ModRevision(Revision),
    /// Its value.
    Value(Bytes),
}

/// A change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: String,
    /// The new value; `None` deletes the key.
    pub value: Option<Bytes>,
}

/// What became of a transaction.
// openraft asks for serde; our own encoding is in `raft::codec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All writes happened; the revision of the last of them.
    Applied(Revision),
    /// Nothing happened: this comparison (by its place) did not hold. The revision is the store's at that moment.
    Refused(usize, Revision),
}

impl Outcome {
    /// The revision after the transaction, if it happened.
    #[must_use]
    pub const fn applied(self) -> Option<Revision> {
        match self {
            Self::Applied(revision) => Some(revision),
            Self::Refused(..) => None,
        }
    }

    /// The store's revision after the transaction.
    #[must_use]
    pub const fn revision(self) -> Revision {
        match self {
            Self::Applied(revision) | Self::Refused(_, revision) => revision,
        }
    }
}
