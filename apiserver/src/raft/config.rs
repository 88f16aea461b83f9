//! How a member is set up, and what openraft makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use openraft::SnapshotPolicy;

use crate::folder::DataFolder;
use crate::host::Network;

/// One append holds at most so many entries.
const MAX_APPEND_ENTRIES: u64 = 64;
/// How many requests may wait for openraft; those beyond wait where they came from.
const QUEUE: u64 = 4_096;

/// How a member is set up.
pub struct Config {
    /// Its number in the group.
    pub id: u64,
    /// Where it keeps its log and snapshots.
    pub folder: DataFolder,
    /// The members of a group that is being founded, by number; empty when the group exists.
    pub founders: BTreeMap<u64, String>,
    /// How it reaches the others.
    pub network: Arc<dyn Network>,
    /// The port of other members' addresses at which they are reached, if it is not their own: that of a link.
    pub link_port: Option<u16>,
    /// How often a leader says that it lives.
    pub heartbeat: Duration,
    /// After how much silence a member stands for election: a random time between the two.
    pub election: (Duration, Duration),
    /// How long its log may grow.
    pub log: LogLimits,
}

/// How long a log may grow.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// A segment that has grown to so many bytes is closed.
    pub segment_bytes: u64,
    /// No snapshot for less log than this.
    pub snapshot_bytes: u64,
    /// So many entries are kept behind a snapshot for members that lag.
    pub kept_entries: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, snapshot_bytes: 2 << 20, kept_entries: 2_000 }
    }
}

impl Config {
    /// The same in openraft's words.
    pub(super) fn to_openraft(&self) -> anyhow::Result<openraft::Config> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let raft = openraft::Config {
            cluster_name: "squall".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election.0),
            election_timeout_max: millis(self.election.1),
            max_payload_entries: MAX_APPEND_ENTRIES,
            // By bytes: `compaction`.
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: self.log.kept_entries,
            purge_batch_size: 256,
            // A write that was just confirmed says the same as a heartbeat. openraft: the two together, and a tick, must be
            // shorter than the shortest election time.
            heartbeat_min_interval: Some(millis(self.heartbeat / 2)),
            api_channel_size: Some(QUEUE),
            notification_channel_size: Some(QUEUE),
            enable_pre_vote: Some(true),
            // A restarted leader does not know what it had committed: as leader it would answer reads from before its death
            // (found by the soak). It has to be elected again.
            enable_leader_restore: Some(false),
            ..openraft::Config::default()
        };
        raft.validate().context("the raft timing")
    }
}
