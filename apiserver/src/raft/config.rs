//! The configuration of a member, and its translation to openraft's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use openraft::SnapshotPolicy;

use crate::folder::DataFolder;
use crate::host::Network;

/// Maximum number of entries in one append.
const MAX_APPEND_ENTRIES: u64 = 64;
/// Maximum number of requests queued for openraft. Further requests wait at their source.
const QUEUE: u64 = 4_096;

/// The configuration of a member.
pub struct Config {
    /// Raft ID, unique in the group.
    pub id: u64,
    /// Holds the log and the snapshots.
    pub folder: DataFolder,
    /// Addresses of the founding members of a new group, by Raft ID; empty if the group exists.
    pub founders: BTreeMap<u64, String>,
    /// Connections to the other members.
    pub network: Arc<dyn Network>,
    /// Port to use instead of the other members' own, to reach them through a link.
    pub link_port: Option<u16>,
    /// Interval of the leader's heartbeats.
    pub heartbeat: Duration,
    /// Minimum and maximum election timeout; each timeout is a random time between the two.
    pub election: (Duration, Duration),
    /// When to close segments, take snapshots and purge entries.
    pub log: LogLimits,
}

/// Limits on the size of a log.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// A segment is closed when it reaches this size.
    pub segment_bytes: u64,
    /// Minimum log size for a snapshot.
    pub snapshot_bytes: u64,
    /// Number of entries kept behind a snapshot for members that lag.
    pub kept_entries: u64,
    /// Length of the entries kept behind a snapshot. Whichever limit is reached first counts.
    pub kept_bytes: usize,
    /// Length of the entries in memory. Older ones are read from disk.
    pub held_bytes: usize,
    /// Length of the last changes that a snapshot contains, so that watches continue after a restart: more than what is
    /// written between two bookmarks.
    pub history_bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            snapshot_bytes: 2 << 20,
            kept_entries: 2_000,
            kept_bytes: 32 << 20,
            held_bytes: 16 << 20,
            history_bytes: 4 << 20,
        }
    }
}

impl Config {
    /// Converts this to openraft's configuration.
    pub(super) fn to_openraft(&self) -> anyhow::Result<openraft::Config> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let raft = openraft::Config {
            cluster_name: "squall".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election.0),
            election_timeout_max: millis(self.election.1),
            max_payload_entries: MAX_APPEND_ENTRIES,
            // `compaction` decides, by bytes.
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: self.log.kept_entries,
            purge_batch_size: 256,
            // A recently confirmed write counts as a heartbeat. openraft: the two intervals together, plus a tick, must
            // be shorter than the minimum election timeout.
            heartbeat_min_interval: self.heartbeat.checked_div(2).map(millis),
            api_channel_size: Some(QUEUE),
            notification_channel_size: Some(QUEUE),
            enable_pre_vote: Some(true),
            // A restarted leader does not know what it had committed. As leader, it would serve reads from before its
            // crash (found by the soak test). It must be elected again.
            enable_leader_restore: Some(false),
            ..openraft::Config::default()
        };
        raft.validate().context("checking the raft timing")
    }
}
