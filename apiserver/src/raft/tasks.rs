//! What a member does by itself, beside what it is asked: begins its group, takes snapshots, counts leaders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::impls::BasicNode;
use prometheus_client::metrics::counter::Counter;

use super::compaction::Compaction;
use super::types::Raft;

/// Begins a group. All founders say the same; but each then stands for election, and those that stand at the same moment
/// must wait for a second one. So all but the first wait for a while to be asked for their vote.
pub async fn found(raft: Raft, founders: BTreeMap<u64, BasicNode>, patience: Duration) {
    let mut metrics = raft.server_metrics();
    let asked = async {
        while raft.is_initialized().await.is_ok_and(|is_initialized| !is_initialized) && metrics.changed().await.is_ok()
        {
        }
    };
    // When nobody has asked, the first may never come.
    drop(tokio::time::timeout(patience, asked).await);
    if let Err(error) = raft.initialize(founders).await {
        tracing::debug!(%error, "the group was founded by another member");
    }
}

/// Takes a snapshot whenever one is due, until raft is gone.
pub async fn compact(raft: Raft, compaction: Arc<Compaction>) {
    loop {
        compaction.wait().await;
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Counts until raft is gone.
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
