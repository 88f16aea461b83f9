//! One member of the group. It gives the rest of the apiserver writes that are on a quorum's disks, the index up to
//! which a read must wait, and the member's status. Any member accepts calls and forwards them to its leader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::impls::BasicNode;
use openraft::raft::ReadPolicy;
use squall_api::timing::later;
use tokio::time::Instant;

use super::codec;
use super::config::Config;
use super::in_flight::{InFlight, Share};
use super::log::{CANNOT_RECOVER, LogStorage};
use super::machine::StateMachine;
use super::network::Links;
use super::peers::Peers;
use super::promises;
use super::snapshot::SnapshotFolder;
use super::tasks;
use super::types::{Leadership, LogId, Raft};
use crate::folder::DataFolder;
use crate::host::Disk;
use crate::metrics::{self, Metrics, Reading};
use crate::store::{Outcome, Transaction, View};

/// How long to wait for a leadership change before retrying. A new leader that reaches a quorum signals no change.
const LEADER_PATIENCE: Duration = Duration::from_millis(20);

/// Why a write failed, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// This member is not the leader. The given member may be.
    #[error("this member does not lead")]
    NotLeader(Option<u64>),
    /// Too many bytes of other writes are in flight. This write did not happen.
    #[error("too many bytes of writes are in flight")]
    Overloaded,
    /// No leader, no quorum, or no answer in time. The write may have happened; its request ID shows whether it did.
    #[error("{0}")]
    Unavailable(String),
    /// The change would leave a group that cannot commit.
    #[error("{0}")]
    Unsafe(String),
    /// This member has stopped permanently.
    #[error("this member has stopped: {0}")]
    Stopped(String),
}

/// A member's view of itself and its group.
#[derive(Debug, Clone)]
pub struct MemberStatus {
    /// Raft ID.
    pub id: u64,
    /// Known leader, if any.
    pub leader: Option<u64>,
    /// Current Raft term.
    pub term: u64,
    /// Index of the last entry in its log.
    pub last_log_index: u64,
    /// Index of the last applied entry.
    pub applied_index: u64,
    /// Addresses of the voting members, by Raft ID.
    pub voters: BTreeMap<u64, String>,
}

/// A running member. Clones share the same member.
#[derive(Clone)]
pub struct Member {
    inner: Arc<Inner>,
}

struct Inner {
    raft: Raft,
    view: Arc<View>,
    peers: Peers,
    snapshots: SnapshotFolder,
    in_flight: InFlight,
    metrics: Arc<Metrics>,
    /// Stays locked as long as this lives.
    folder: DataFolder,
}

impl Member {
    /// Recovers the data on disk and joins the group.
    pub async fn start(mut config: Config) -> anyhow::Result<Self> {
        let openraft = Arc::new(config.to_openraft()?);
        let metrics = Metrics::new();
        let disk = config.folder.disk().clone();
        let log = LogStorage::open(config.folder.log(), config.log, metrics.fsync.clone());
        let log = log.context("opening the raft log")?;
        config.folder.log_has_begun()?;
        let snapshots =
            SnapshotFolder::open(disk.clone(), &config.folder.snapshots()).context("opening the snapshots")?;
        let machine = StateMachine::open(config.id, snapshots.clone(), config.log, metrics.apply.clone())
            .context("reading the newest snapshot")?;
        promises::check(log.vote(), log.purged(), machine.applied())
            .map_err(|what| anyhow!("{}: {what}; {CANNOT_RECOVER}", config.folder.path().display()))?;
        let (view, compaction) = (machine.view(), machine.compaction());
        let peers = Peers::new(config.network.clone(), config.link_port);
        let links = Links::new(peers.clone(), disk);
        let raft = Raft::new(config.id, openraft, links, log.clone(), machine).await.context("starting raft")?;
        let founders: BTreeMap<u64, BasicNode> =
            config.founders.into_iter().map(|(id, address)| (id, BasicNode { addr: address })).collect();
        if !founders.is_empty() && !raft.is_initialized().await.context("asking raft")? {
            let is_first = founders.keys().next() == Some(&config.id);
            let patience = if is_first { Duration::ZERO } else { config.election.1 };
            tokio::spawn(tasks::found(raft.clone(), founders, patience));
        }
        tokio::spawn(tasks::compact(raft.clone(), compaction, log, config.log.kept_bytes));
        tokio::spawn(tasks::count_leaders(raft.clone(), metrics.leader_changes.clone()));
        let in_flight = InFlight::new();
        Ok(Self { inner: Arc::new(Inner { raft, view, peers, snapshots, in_flight, metrics, folder: config.folder }) })
    }

    /// Returns the state that this member has applied.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.inner.view
    }

    /// Returns the member's counters and timers.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Formats the metrics as text.
    pub fn metrics_text(&self) -> anyhow::Result<String> {
        let (status, state) = (self.status(), self.view().state());
        let reading = Reading {
            term: status.term,
            leads: status.leader == Some(status.id),
            revision: state.revision(),
            objects: state.len(),
            log_bytes: size_of(self.disk(), &self.inner.folder.log().path)?,
            snapshot_bytes: size_of(self.disk(), &self.inner.folder.snapshots())?,
        };
        Ok(self.inner.metrics.text(&reading)?)
    }

    pub(super) fn raft(&self) -> &Raft {
        &self.inner.raft
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        self.inner.folder.disk()
    }

    pub(super) fn peers(&self) -> &Peers {
        &self.inner.peers
    }

    /// Returns the ID of the last entry in this member's log.
    pub(super) async fn last_log_id(&self) -> Result<Option<LogId>, ProposeError> {
        let last = self.inner.raft.with_raft_state(|state| state.log_ids.last().copied()).await;
        last.map_err(|fatal| ProposeError::Stopped(fatal.to_string()))
    }

    pub(super) fn temporary_snapshot(&self) -> PathBuf {
        self.inner.snapshots.temporary()
    }

    /// Returns the member's current status.
    #[must_use]
    pub fn status(&self) -> MemberStatus {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters = membership.voter_ids().filter_map(|id| Some((id, membership.get_node(&id)?.addr.clone())));
        MemberStatus {
            id: metrics.id,
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log_index: metrics.last_log_index.unwrap_or(0),
            // Readers see this state; openraft's own index lags behind it.
            applied_index: *self.inner.view.watch_applied().borrow(),
            voters: voters.collect(),
        }
    }

    /// Applies a transaction on the current leader. When this returns, a quorum has it on disk and this member has
    /// applied it. Retries under the same request ID until there is an answer or the deadline expires.
    pub async fn propose(&self, transaction: Transaction, deadline: Instant) -> Result<Outcome, ProposeError> {
        let start = Instant::now();
        let result = self.propose_until(transaction, deadline).await;
        let metrics = self.metrics();
        match &result {
            Ok(outcome) => {
                metrics.commit.observe(start.elapsed());
                metrics.proposed(match outcome {
                    Outcome::Applied(_) => metrics::Outcome::Applied,
                    Outcome::Refused(..) => metrics::Outcome::Refused,
                });
            }
            Err(_) => metrics.proposed(metrics::Outcome::Unconfirmed),
        }
        result
    }

    async fn propose_until(&self, transaction: Transaction, deadline: Instant) -> Result<Outcome, ProposeError> {
        let mut last = "no leader is known".to_owned();
        let mut is_repeated = false;
        let mut leadership = self.inner.raft.server_metrics();
        while Instant::now() < deadline {
            // Any change from here on ends the wait below.
            drop(leadership.borrow_and_update());
            let attempt = match self.leader_elsewhere() {
                None => self.propose_here(vec![transaction.clone()], deadline).await,
                Some(address) => self.propose_there(&address, transaction.clone(), deadline).await,
            };
            match attempt {
                Ok((outcomes, applied_index)) => {
                    self.wait_applied(applied_index, deadline).await?;
                    return outcomes
                        .first()
                        .copied()
                        .ok_or_else(|| ProposeError::Unavailable("the leader returned no result".to_owned()));
                }
                Err(ProposeError::Stopped(reason)) => return Err(ProposeError::Stopped(reason)),
                Err(ProposeError::Overloaded) if !is_repeated => return Err(ProposeError::Overloaded),
                Err(error) => last = error.to_string(),
            }
            is_repeated = true;
            wait_for_news(&mut leadership, deadline).await?;
        }
        Err(ProposeError::Unavailable(format!("the write was not confirmed in time: {last}")))
    }

    /// Whether a quorum is reachable. Asks only once; requests retry.
    pub async fn is_in_touch(&self, deadline: Instant) -> bool {
        let asked = async {
            match self.leader_elsewhere() {
                None => self.read_index_here().await,
                Some(address) => self.read_index_there(&address, deadline).await,
            }
        };
        matches!(tokio::time::timeout_at(deadline, asked).await, Ok(Ok(_)))
    }

    /// Waits until this member has applied everything that was acknowledged before the call.
    pub async fn read_barrier(&self, deadline: Instant) -> Result<(), ProposeError> {
        let mut last = "no leader is known".to_owned();
        let mut leadership = self.inner.raft.server_metrics();
        while Instant::now() < deadline {
            // Any change from here on ends the wait below.
            drop(leadership.borrow_and_update());
            let attempt = match self.leader_elsewhere() {
                None => self.read_index_here().await,
                Some(address) => self.read_index_there(&address, deadline).await,
            };
            match attempt {
                Ok(index) => return self.wait_applied(index, deadline).await,
                Err(ProposeError::Stopped(reason)) => return Err(ProposeError::Stopped(reason)),
                Err(error) => last = error.to_string(),
            }
            wait_for_news(&mut leadership, deadline).await?;
        }
        Err(ProposeError::Unavailable(format!("no quorum answered in time: {last}")))
    }

    pub(super) async fn admit(&self, bytes: usize, deadline: Instant) -> Result<Share, ProposeError> {
        self.inner.in_flight.admit(bytes, deadline).await.ok_or(ProposeError::Overloaded)
    }

    /// Applies transactions if this member is the leader. Also returns the index at which it applied them.
    pub(super) async fn propose_here(
        &self,
        transactions: Vec<Transaction>,
        deadline: Instant,
    ) -> Result<(Vec<Outcome>, u64), ProposeError> {
        let command = codec::encode_command(transactions);
        let share = self.admit(command.0.len(), deadline).await?;
        let raft = self.inner.raft.clone();
        // A task of its own: a caller that gives up does not take the write out of the queues that the share stands for.
        let write = tokio::spawn(async move {
            let result = raft.client_write(command).await;
            drop(share);
            result
        });
        match write.await.map_err(|error| ProposeError::Stopped(error.to_string()))? {
            Ok(reply) => Ok((reply.data.0, reply.log_id.index)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(ProposeError::NotLeader(forward.leader_id))
            }
            Err(RaftError::APIError(error)) => Err(ProposeError::Unavailable(error.to_string())),
            Err(RaftError::Fatal(fatal)) => Err(ProposeError::Stopped(fatal.to_string())),
        }
    }

    /// Returns the index up to which a read must wait, if this member is the leader and a quorum confirms it.
    pub(super) async fn read_index_here(&self) -> Result<u64, ProposeError> {
        match self.inner.raft.get_read_log_id(ReadPolicy::ReadIndex).await {
            Ok((read, _)) => Ok(read.index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                Err(ProposeError::NotLeader(forward.leader_id))
            }
            Err(RaftError::APIError(error)) => Err(ProposeError::Unavailable(error.to_string())),
            Err(RaftError::Fatal(fatal)) => Err(ProposeError::Stopped(fatal.to_string())),
        }
    }

    async fn wait_applied(&self, index: u64, deadline: Instant) -> Result<(), ProposeError> {
        let mut applied = self.inner.view.watch_applied();
        match tokio::time::timeout_at(deadline, applied.wait_for(|applied| *applied >= index)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ProposeError::Stopped("the state machine has shut down".to_owned())),
            Err(_) => Err(ProposeError::Unavailable("this member lags behind".to_owned())),
        }
    }

    /// Waits until raft stops by itself, for example after a disk error, and returns the reason.
    pub async fn stopped(&self) -> String {
        let mut metrics = self.inner.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return fatal.to_string();
            }
            if metrics.changed().await.is_err() {
                return "raft has shut down".to_owned();
            }
        }
    }

    /// Hands over leadership, if this member has it, and stops.
    pub async fn stop(&self) {
        self.hand_on().await;
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
    }
}

/// Waits briefly for a leadership change, after which a retry is worthwhile.
async fn wait_for_news(leadership: &mut Leadership, deadline: Instant) -> Result<(), ProposeError> {
    let patience = deadline.min(later(Instant::now(), LEADER_PATIENCE));
    match tokio::time::timeout_at(patience, leadership.changed()).await {
        Ok(Ok(())) | Err(_) => Ok(()),
        Ok(Err(_)) => Err(ProposeError::Stopped("raft has shut down".to_owned())),
    }
}

/// Returns the total size of a folder's files. A file may be removed meanwhile.
fn size_of(disk: &Arc<dyn Disk>, folder: &Path) -> std::io::Result<u64> {
    Ok(disk.files(folder)?.iter().filter_map(|file| disk.size(file).ok()).sum())
}
