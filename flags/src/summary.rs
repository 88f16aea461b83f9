//! The output of `apiserver summary` and `apiserver restore`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A summary of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSummary {
    /// The store's revision when it was taken.
    pub revision: u64,
    /// The checksum of the state, as members report it.
    pub state_hash: u64,
    /// Number of objects, including internal ones such as the claims on service addresses.
    pub objects: u64,
    /// The URLs of the apiservers of the cluster that it was taken from, by Raft ID.
    pub members: BTreeMap<u64, String>,
}
