//! Group membership and leadership: members join and leave a running group.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::Instant;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::impls::BasicNode;

use super::member::{Member, MemberStatus, ProposeError};
use super::types::TypeConfig;

/// How long a stopping leader waits for its successor.
const HAND_ON: Duration = Duration::from_millis(500);
/// A member counts as silent if it has not answered a heartbeat for this long.
const HEARD: Duration = Duration::from_secs(1);

type Changed<T> = Result<T, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

impl Member {
    /// Makes a running member a voter. The member learns first and votes once it has caught up. The call waits for
    /// that, without a time limit. Does nothing if the member is already a voter. This member must be the leader.
    pub async fn add_voter(&self, id: u64, address: String) -> Result<(), ProposeError> {
        // Only a leader can tell, and it now knows of every earlier change.
        self.read_index_here().await?;
        if self.group().is_settled_voter(id) {
            return Ok(());
        }
        changed(self.raft().add_learner(id, BasicNode { addr: address }, false).await)?;
        self.caught_up(id).await?;
        changed(self.raft().change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await)
    }

    /// Waits until a learner has everything that is in the log now. openraft's own wait accepts a learner that lags by
    /// a few thousand entries, and so one that has never answered: its vote would block a group of one.
    async fn caught_up(&self, id: u64) -> Result<(), ProposeError> {
        let wanted = self.status().last_log_index;
        let mut metrics = self.raft().metrics();
        loop {
            {
                let now = metrics.borrow_watched();
                // Only a leader replicates.
                let replication = now.replication.as_ref().ok_or(ProposeError::NotLeader(now.current_leader))?;
                let matched = replication.get(&id).and_then(Option::as_ref);
                if matched.is_some_and(|log_id| log_id.index >= wanted) {
                    return Ok(());
                }
            }
            metrics.changed().await.map_err(|_| ProposeError::Stopped("raft has shut down".to_owned()))?;
        }
    }

    /// Removes a member. Does nothing if the ID is unknown. This member must be the leader; if it removes itself, it
    /// hands over leadership and returns `NotLeader`. Refuses if too few of the remaining voters respond: the group
    /// could then not commit anything, not even undo the change (etcd: strict reconfiguration check).
    pub async fn remove_member(&self, id: u64) -> Result<(), ProposeError> {
        self.read_index_here().await?;
        let group = self.group();
        if !group.is_known(id) {
            return Ok(());
        }
        let left: BTreeSet<u64> = group.voters.iter().copied().filter(|voter| *voter != id).collect();
        let heard = left.iter().filter(|voter| group.heard.contains(voter)).count();
        if group.voters.contains(&id) && heard <= left.len() / 2 {
            return Err(ProposeError::Unsafe(format!(
                "this removal would leave {} voters, {heard} responding: start the others, or remove them first",
                left.len()
            )));
        }
        if group.own == id {
            self.hand_on().await;
            return Err(ProposeError::NotLeader(None));
        }
        let change = match group.voters.contains(&id) {
            true => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
            false => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        };
        changed(self.raft().change_membership(change, false).await)
    }

    /// Returns the other voter with the longest log, because a dead one falls behind.
    fn successor(&self, status: &MemberStatus) -> Option<u64> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let replication = metrics.replication.as_ref()?;
        let others = replication.iter().filter(|(id, _)| **id != status.id && status.voters.contains_key(id));
        others.max_by_key(|(_, matched)| **matched).map(|(id, _)| *id)
    }

    /// Hands over leadership to another member, if this member has it.
    pub(super) async fn hand_on(&self) {
        let status = self.status();
        if status.leader == Some(status.id)
            && let Some(successor) = self.successor(&status)
            && self.raft().trigger().transfer_leader(successor).await.is_ok()
        {
            let wait = self.raft().wait(Some(HAND_ON));
            if wait.metrics(|metrics| metrics.current_leader != Some(status.id), "handed on").await.is_err() {
                tracing::warn!("no other member took over in time");
            }
        }
    }

    fn group(&self) -> Group {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let heartbeats = metrics.heartbeat.iter().flatten();
        let recent = heartbeats.filter(|(_, at)| at.is_some_and(|at| at.elapsed() < HEARD));
        Group {
            own: metrics.id,
            voters: membership.voter_ids().collect(),
            nodes: membership.nodes().map(|(id, _)| *id).collect(),
            is_joint: membership.get_joint_config().len() > 1,
            heard: recent.map(|(id, _)| *id).chain([metrics.id]).collect(),
        }
    }
}

/// The group as its leader sees it.
struct Group {
    own: u64,
    voters: BTreeSet<u64>,
    nodes: BTreeSet<u64>,
    /// Whether a membership change is in progress.
    is_joint: bool,
    /// Members that answered recently, including the leader.
    heard: BTreeSet<u64>,
}

impl Group {
    fn is_known(&self, id: u64) -> bool {
        self.nodes.contains(&id)
    }

    fn is_settled_voter(&self, id: u64) -> bool {
        self.voters.contains(&id) && !self.is_joint
    }
}

fn changed<T>(result: Changed<T>) -> Result<(), ProposeError> {
    match result {
        Ok(_) => Ok(()),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
            Err(ProposeError::NotLeader(forward.leader_id))
        }
        Err(RaftError::APIError(error)) => Err(ProposeError::Unavailable(error.to_string())),
        Err(RaftError::Fatal(fatal)) => Err(ProposeError::Stopped(fatal.to_string())),
    }
}
