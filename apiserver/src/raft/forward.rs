//! Passes calls on to the leader, if that is another member.

use openraft::async_runtime::watch::WatchReceiver;
use prost::Message;
use squall_proto::squall::raft::v1 as proto;
use tokio::time::Instant;

use super::codec;
use super::member::{Member, ProposeError};
use crate::store::{Outcome, Transaction};

impl Member {
    pub(super) async fn propose_there(
        &self,
        address: &str,
        transaction: Transaction,
        deadline: Instant,
    ) -> Result<(Vec<Outcome>, u64), ProposeError> {
        let mut client = self.peers().client(address).map_err(|error| ProposeError::Unavailable(error.to_string()))?;
        let request = proto::ProposeRequest { transactions: vec![codec::to_proto(transaction)] };
        let _share = self.admit(request.encoded_len(), deadline).await?;
        let reply = self.while_led_by(address, deadline, client.propose(request)).await?;
        let outcomes = reply.results.into_iter().map(|result| match result.failed_compare {
            0 => Outcome::Applied(result.revision),
            place => Outcome::Refused((place as usize).saturating_sub(1), result.revision),
        });
        Ok((outcomes.collect(), reply.applied_index))
    }

    pub(super) async fn read_index_there(&self, address: &str, deadline: Instant) -> Result<u64, ProposeError> {
        let mut client = self.peers().client(address).map_err(|error| ProposeError::Unavailable(error.to_string()))?;
        Ok(self.while_led_by(address, deadline, client.read_index(proto::ReadIndexRequest {})).await?.index)
    }

    /// Waits for a leader's answer, but only while that member leads.
    async fn while_led_by<T>(
        &self,
        address: &str,
        deadline: Instant,
        call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, ProposeError> {
        let deposed = async {
            let mut metrics = self.raft().server_metrics();
            while self.leader_elsewhere().as_deref() == Some(address) && metrics.changed().await.is_ok() {}
        };
        tokio::select! {
            reply = tokio::time::timeout_at(deadline, call) => match reply {
                Ok(Ok(reply)) => Ok(reply.into_inner()),
                Ok(Err(status)) => Err(ProposeError::Unavailable(status.message().to_owned())),
                Err(_) => Err(ProposeError::Unavailable("the leader did not answer in time".to_owned())),
            },
            () = deposed => Err(ProposeError::Unavailable("the leader changed".to_owned())),
        }
    }

    /// Returns the leader's address, if the leader is known and is another member.
    pub(super) fn leader_elsewhere(&self) -> Option<String> {
        let metrics = self.raft().server_metrics().borrow_watched().clone();
        let leader = metrics.current_leader.filter(|leader| *leader != metrics.id)?;
        metrics.membership_config.membership().get_node(&leader).map(|node| node.addr.clone())
    }
}
