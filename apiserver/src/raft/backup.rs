//! A whole state as a file to keep, and new groups that begin with one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use openraft::Membership;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::impls::BasicNode;
use serde::Serialize;
use tokio::time::Instant;

use super::member::{Member, ProposeError};
use super::snapshot::{self, SnapshotFolder};
use super::types::{LeaderId, LogId, SnapshotMeta, StoredMembership};
use crate::folder::DataFolder;
use crate::host::LocalDisk;

/// How long a quorum may take to confirm what is to be in a snapshot.
const QUORUM_PATIENCE: Duration = Duration::from_secs(5);
/// How often a snapshot is asked for until there is one that is new enough.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The store's revision.
    pub revision: u64,
    /// The checksum of the state, as members show it.
    pub state_hash: u64,
    /// How many objects there are, bookkeeping such as the claims on service addresses among them.
    pub objects: usize,
    /// The members of the group that it was taken from, by number.
    pub members: BTreeMap<u64, String>,
}

impl Member {
    /// A file with everything that was acknowledged before the call, in pieces.
    pub async fn backup(&self, deadline: Instant) -> Result<BoxStream<'static, io::Result<Bytes>>, ProposeError> {
        // Without a quorum there is no use in waiting as long as for a large snapshot.
        self.read_barrier(deadline.min(Instant::now() + QUORUM_PATIENCE)).await?;
        let wanted = self.status().applied_index;
        let stopped = |error: String| ProposeError::Stopped(error);
        let raft = self.raft();
        let mut metrics = raft.metrics();
        // One that is being written already may be too old, and openraft then makes no other: it is asked again.
        let mut ask = tokio::time::interval(ASK_AGAIN);
        loop {
            let have = metrics.borrow_watched().snapshot.map_or(0, |log_id| log_id.index);
            if have >= wanted
                && let Some(newest) = raft.get_snapshot().await.map_err(|error| stopped(error.to_string()))?
                // A newer one may have taken its place just now: then that one is there.
                && let Ok(chunks) = snapshot::chunks(self.disk().clone(), &newest.snapshot)
            {
                return Ok(chunks);
            }
            tokio::select! {
                changed = metrics.changed() => changed.map_err(|_| stopped("raft is gone".to_owned()))?,
                _ = ask.tick() => raft.trigger().snapshot().await.map_err(|fatal| stopped(fatal.to_string()))?,
                () = tokio::time::sleep_until(deadline) => {
                    return Err(ProposeError::Unavailable("no snapshot was made in time".to_owned()));
                }
            }
        }
    }
}

/// Reads a file to its end. Any damage is an error that names file and place.
pub fn summary(path: &Path) -> anyhow::Result<Summary> {
    let contents = snapshot::read(&LocalDisk, path)?;
    let membership = contents.meta.last_membership.membership();
    let members = membership.nodes().map(|(id, node)| (*id, node.addr.clone()));
    Ok(Summary {
        revision: contents.state.revision(),
        state_hash: contents.state.hash(),
        objects: contents.state.len(),
        members: members.collect(),
    })
}

/// Puts the state of a file into the folder of a member that has none, as the beginning of a new group. Each member of
/// that group must begin with the same file.
pub fn restore(file: &Path, folder: &DataFolder, founders: &BTreeMap<u64, String>) -> anyhow::Result<Summary> {
    let contents = snapshot::read(&LocalDisk, file)?;
    let snapshots = SnapshotFolder::open(Arc::new(LocalDisk), &folder.snapshots()).context("opening the snapshots")?;
    ensure!(snapshots.newest()?.is_none(), "{} holds data already", folder.snapshots().display());
    let index = contents.meta.last_log_id.map_or(0, |log_id| log_id.index);
    let meta = first_meta(index, founders)?;
    let temporary = snapshots.temporary();
    snapshot::write(&LocalDisk, &temporary, &meta, &contents.state, &contents.requests)
        .context("writing the snapshot")?;
    let kept = snapshots.keep(&temporary, index).context("keeping the snapshot")?;
    summary(&kept)
}

/// Terms begin anew: to the new group, everything in the file is from before its first election.
fn first_meta(index: u64, founders: &BTreeMap<u64, String>) -> anyhow::Result<SnapshotMeta> {
    let log_id = LogId::new(LeaderId { term: 0, node_id: 0 }, index);
    let voters: BTreeSet<u64> = founders.keys().copied().collect();
    let nodes: BTreeMap<u64, BasicNode> =
        founders.iter().map(|(id, address)| (*id, BasicNode { addr: address.clone() })).collect();
    let membership = Membership::new(vec![voters], nodes).context("the members of the new group")?;
    Ok(SnapshotMeta { last_log_id: Some(log_id), last_membership: StoredMembership::new(Some(log_id), membership) })
}
