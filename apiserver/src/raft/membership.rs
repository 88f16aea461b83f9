//! Who is in the group: members come and go while it works.

use std::collections::BTreeSet;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::impls::BasicNode;

use super::member::{Member, ProposeError};
use super::types::TypeConfig;

type Changed<T> = Result<T, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

impl Member {
    /// Makes a running member one that votes. It learns first, and votes when it has caught up, for which this waits as long
    /// as it is polled. Nothing is done if it votes already. This member must lead.
    pub async fn add_voter(&self, id: u64, address: String) -> Result<(), ProposeError> {
        if self.status().voters.contains_key(&id) {
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
    /// hands leadership on, and says that it does not lead.
    pub async fn remove_member(&self, id: u64) -> Result<(), ProposeError> {
        let status = self.status();
        if status.id == id && status.leader == Some(id) && status.voters.len() > 1 {
            self.hand_on().await;
            return Err(ProposeError::NotLeader(None));
        }
        let is_known = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow_watched();
            metrics.membership_config.membership().get_node(&id).is_some()
        };
        if !is_known {
            // Only a leader knows for sure.
            return self.read_index_here().await.map(drop);
        }
        let change = match status.voters.contains_key(&id) {
            true => ChangeMembers::RemoveVoters(BTreeSet::from([id])),
            false => ChangeMembers::RemoveNodes(BTreeSet::from([id])),
        };
        changed(self.raft().change_membership(change, false).await)
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
