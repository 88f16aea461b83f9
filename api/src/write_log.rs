//! The write log of an apiserver: a line of JSON for each completed write. Apiservers write it, and the referee reads it.

use serde::{Deserialize, Serialize};

use crate::coordination::v1::Lease;

/// A line of the write log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteLine {
    /// When the apiserver learned that the write had completed (RFC 3339).
    #[serde(default)]
    pub time: String,
    /// The revision of the first key.
    pub first: u64,
    /// The revision of the last key.
    pub last: u64,
    /// The written keys.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The authenticated user.
    pub user: String,
    /// The election that the writer had won, if only elected leaders may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elected: Option<Election>,
}

/// An election of a leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Election {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub lease: String,
    /// The winner.
    pub holder: String,
    /// The number of the Lease's transitions.
    pub transitions: i32,
}

impl Election {
    /// Returns the election that a Lease records.
    #[must_use]
    pub fn of(lease: &Lease) -> Self {
        Self {
            namespace: lease.metadata.namespace.clone(),
            lease: lease.metadata.name.clone(),
            holder: lease.spec.holder_identity.clone().unwrap_or_default(),
            transitions: lease.spec.lease_transitions.unwrap_or(0),
        }
    }

    /// Returns whether both elections are for the same Lease.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.namespace, &self.lease) == (&other.namespace, &other.lease)
    }
}
