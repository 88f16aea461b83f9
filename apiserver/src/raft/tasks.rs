//! The background tasks of a member: found its group, take snapshots, purge the log, count leader changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::impls::BasicNode;
use prometheus_client::metrics::counter::Counter;

use super::compaction::Compaction;
use super::log::LogStorage;
use super::types::Raft;

/// Founds a group. All founders propose the same group, but each then stands for election, and simultaneous candidates
/// need a second election. So all founders except the first wait a while for a vote request.
pub async fn found(raft: Raft, founders: BTreeMap<u64, BasicNode>, patience: Duration) {
    let mut metrics = raft.server_metrics();
    let asked = async {
        while raft.is_initialized().await.is_ok_and(|is_initialized| !is_initialized) && metrics.changed().await.is_ok()
        {
        }
    };
    // Without a vote request by then, the first founder may never start.
    drop(tokio::time::timeout(patience, asked).await);
    if let Err(error) = raft.initialize(founders).await {
        tracing::debug!(%error, "the group was founded by another member");
    }
}

/// Takes a snapshot whenever one is due, and then purges the entries that are more than `kept_bytes` behind it, until
/// raft shuts down. openraft itself limits their number.
pub async fn compact(raft: Raft, compaction: Arc<Compaction>, log: LogStorage, kept_bytes: usize) {
    let mut metrics = raft.data_metrics();
    loop {
        compaction.wait().await;
        let last = metrics.borrow_and_update().snapshot;
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
        while metrics.borrow_and_update().snapshot == last {
            if metrics.changed().await.is_err() {
                return;
            }
        }
        let snapshot = metrics.borrow_and_update().snapshot;
        if let Some(upto) = snapshot.and_then(|snapshot| log.purgeable(snapshot.index, kept_bytes))
            && raft.trigger().purge_log(upto).await.is_err()
        {
            return;
        }
    }
}

/// Counts leader changes until raft shuts down.
pub async fn count_leaders(raft: Raft, changes: Counter) {
    let mut metrics = raft.server_metrics();
    let mut last = None;
    loop {
        let leader = metrics.borrow_watched().current_leader;
        if leader.is_some() && leader != last {
            last = leader;
            changes.inc();
        }
        if metrics.changed().await.is_err() {
            return;
        }
    }
}
