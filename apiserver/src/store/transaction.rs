//! Transactions: comparisons that must hold, and writes that then happen together.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The number of changes so far. Each put or delete increments it. The revision of a key is that of its last change.
pub type Revision = u64;

/// A random ID by which a repeated transaction is recognized.
pub type RequestId = [u8; 16];

/// Writes that happen together, if all comparisons hold when the transaction is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Identifies repetitions.
    pub request_id: RequestId,
    /// Conditions for the writes.
    pub compares: Vec<Compare>,
    /// Changes to make if all conditions hold.
    pub writes: Vec<Write>,
}

/// A condition on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// The key to compare.
    pub key: String,
    /// Required revision or value.
    pub target: Target,
}

/// The required revision or value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Revision of its last change; 0 if the key does not exist.
    ModRevision(Revision),
    /// Current value.
    Value(Bytes),
}

/// A change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key to change.
    pub key: String,
    /// The new value; `None` deletes the key.
    pub value: Option<Bytes>,
}

/// The result of a transaction.
// openraft asks for serde; our own encoding is in `raft::codec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All writes happened. Holds the revision of the last one.
    Applied(Revision),
    /// Nothing happened because the comparison at this index failed. Also holds the store's revision at that time.
    Refused(usize, Revision),
}

impl Outcome {
    /// Returns the revision after the transaction, if it was applied.
    #[must_use]
    pub const fn applied(self) -> Option<Revision> {
        match self {
            Self::Applied(revision) => Some(revision),
            Self::Refused(..) => None,
        }
    }

    /// Returns the store's revision after the transaction, applied or not.
    #[must_use]
    pub const fn revision(self) -> Revision {
        match self {
            Self::Applied(revision) | Self::Refused(_, revision) => revision,
        }
    }
}
