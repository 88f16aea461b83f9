//! Who is in the group, and who leads it next: members come and go while it works.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::Instant;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::impls::BasicNode;

use super::member::{Member, MemberStatus, ProposeError};
use super::types::TypeConfig;

/// How long a leader that stops waits for its successor.
const HAND_ON: Duration = Duration::from_millis(500);
/// Who has not answered a heartbeat for so long is not counted on.
const HEARD: Duration = Duration::from_secs(1);

type Changed<T> = Result<T, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

impl Member {
    /// Makes a running member one that votes. It learns first, and votes when it has caught up, for which this waits as long
    /// as it is polled. Nothing is done if it votes already. This member must lead.
    pub async fn add_voter(&self, id: u64, address: String) -> Result<(), ProposeError> {
        // Only a leader knows, and knows by now of what was asked of it before.
        self.read_index_here().await?;
        if self.group().is_settled_voter(id) {
            return Ok(());
        }
        changed(self.raft().add_learner(id, BasicNode { addr: address }, false).await)?;
        self.caught_up(id).await?;
        changed(self.raft().change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await)
    }

    /// Waits until a learner has everything that is in the log now. openraft's own wait takes one for caught up that lags by
    /// a few thousand entries, and so one that has never answered: with its vote a group of one would be stuck.
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
            metrics.changed().await.map_err(|_| ProposeError::Stopped("raft is gone".to_owned()))?;
        }
    }

    /// Takes a member out. Nothing is done if there is none of this number. This member must lead; if it is the one, it
    /// hands leadership on, and says that it does not lead. Refused if too few of those that would be left are heard of: the
    /// group could then do nothing any more, not even take the change back (etcd: strict reconfiguration check).
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
                "without this member {} would be left, of which {heard} answer: start those that do not, or remove them first",
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

    /// The other voter that has most of the log: one that is dead falls behind.
    fn successor(&self, status: &MemberStatus) -> Option<u64> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let replication = metrics.replication.as_ref()?;
        let others = replication.iter().filter(|(id, _)| **id != status.id && status.voters.contains_key(id));
        others.max_by_key(|(_, matched)| **matched).map(|(id, _)| *id)
    }

    /// Makes another member lead, if this one does.
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

/// Who is in the group, as its leader sees it.
struct Group {
    own: u64,
    voters: BTreeSet<u64>,
    nodes: BTreeSet<u64>,
    /// A change is under way.
    is_joint: bool,
    /// Those that have answered lately, the leader among them.
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
