//! Saves the whole state to a file, and starts new groups from such a file.

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
use squall_api::timing::later;
use squall_flags::SnapshotSummary;
use tokio::time::Instant;

use super::member::{Member, ProposeError};
use super::snapshot::{self, SnapshotFolder};
use super::types::{LeaderId, LogId, SnapshotMeta, StoredMembership};
use crate::folder::DataFolder;
use crate::host::LocalDisk;

/// How long to wait for a quorum to confirm the contents of a snapshot.
const QUORUM_PATIENCE: Duration = Duration::from_secs(5);
/// Interval between snapshot requests until a snapshot is recent enough.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl Member {
    /// Streams a snapshot that contains everything acknowledged before the call.
    pub async fn backup(&self, deadline: Instant) -> Result<BoxStream<'static, io::Result<Bytes>>, ProposeError> {
        // Without a quorum, waiting as long as for a large snapshot is pointless.
        self.read_barrier(deadline.min(later(Instant::now(), QUORUM_PATIENCE))).await?;
        let wanted = self.status().applied_index;
        let stopped = |error: String| ProposeError::Stopped(error);
        let raft = self.raft();
        let mut metrics = raft.metrics();
        // A snapshot in progress may be too old, and openraft starts no other one meanwhile. So ask again.
        let mut ask = tokio::time::interval(ASK_AGAIN);
        loop {
            let have = metrics.borrow_watched().snapshot.map_or(0, |log_id| log_id.index);
            if have >= wanted
                && let Some(newest) = raft.get_snapshot().await.map_err(|error| stopped(error.to_string()))?
                // A newer snapshot may have just replaced this file: then the next round finds that one.
                && let Ok(chunks) = snapshot::chunks(self.disk().clone(), &newest.snapshot)
            {
                return Ok(chunks);
            }
            tokio::select! {
                changed = metrics.changed() => changed.map_err(|_| stopped("raft has shut down".to_owned()))?,
                _ = ask.tick() => raft.trigger().snapshot().await.map_err(|fatal| stopped(fatal.to_string()))?,
                () = tokio::time::sleep_until(deadline) => {
                    return Err(ProposeError::Unavailable("no snapshot was written in time".to_owned()));
                }
            }
        }
    }
}

/// Reads a whole snapshot file. Damage is an error that names the file.
pub fn summary(path: &Path) -> anyhow::Result<SnapshotSummary> {
    let contents = snapshot::read(&LocalDisk, path)?;
    let membership = contents.meta.last_membership.membership();
    let members = membership.nodes().map(|(id, node)| (*id, node.addr.clone()));
    Ok(SnapshotSummary {
        revision: contents.state.revision(),
        state_hash: contents.state.hash(),
        objects: contents.state.len() as u64,
        members: members.collect(),
    })
}

/// Restores a snapshot into the empty folder of a member, as the start of a new group. Every member of that group must
/// start from the same snapshot.
pub fn restore(file: &Path, folder: &DataFolder, founders: &BTreeMap<u64, String>) -> anyhow::Result<SnapshotSummary> {
    let contents = snapshot::read(&LocalDisk, file)?;
    contents.check().with_context(|| file.display().to_string())?;
    let snapshots = SnapshotFolder::open(Arc::new(LocalDisk), &folder.snapshots()).context("opening the snapshots")?;
    ensure!(snapshots.newest()?.is_none(), "{} already holds data", folder.snapshots().display());
    let index = contents.meta.last_log_id.map_or(0, |log_id| log_id.index);
    let meta = first_meta(index, founders)?;
    let temporary = snapshots.temporary();
    // Nobody watches the new group yet.
    let contents = snapshot::Contents { meta, changes: Vec::new(), ..contents };
    snapshot::write(&LocalDisk, &temporary, &contents).context("writing the snapshot")?;
    let kept = snapshots.keep(&temporary, index).context("keeping the snapshot")?;
    summary(&kept.path)
}

/// Terms start over: for the new group, everything in the file is older than its first election.
fn first_meta(index: u64, founders: &BTreeMap<u64, String>) -> anyhow::Result<SnapshotMeta> {
    let log_id = LogId::new(LeaderId { term: 0, node_id: 0 }, index);
    let voters: BTreeSet<u64> = founders.keys().copied().collect();
    let nodes: BTreeMap<u64, BasicNode> =
        founders.iter().map(|(id, address)| (*id, BasicNode { addr: address.clone() })).collect();
    let membership = Membership::new(vec![voters], nodes).context("building the membership of the new group")?;
    Ok(SnapshotMeta { last_log_id: Some(log_id), last_membership: StoredMembership::new(Some(log_id), membership) })
}
