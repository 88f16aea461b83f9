//! The election that a writer has won.

use serde::Serialize;

/// A won election. A write that names one succeeds only while it is the latest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
