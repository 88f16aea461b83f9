//! The election that a writer has won.

use squall_api::write_log::Election;

/// A won election. A write that names one succeeds only while it is the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub lease: String,
    /// Identity of the winner.
    pub holder: String,
    /// Number of the election, from the Lease's `leaseTransitions`.
    pub transitions: i32,
}

impl Fence {
    /// Returns the election for the write log.
    #[must_use]
    pub fn election(&self) -> Election {
        Election {
            namespace: self.namespace.clone(),
            lease: self.lease.clone(),
            holder: self.holder.clone(),
            transitions: self.transitions,
        }
    }
}
