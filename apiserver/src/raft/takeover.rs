//! Takes over from a leader whose process is gone, without waiting for the election timeout.
//!
//! When a leader's append stream breaks, the follower connects to its address. A refused connection proves that no
//! process listens there: the host answers and refuses. The followers then act as if the leader had handed over
//! leadership: openraft lets such an election bypass the leader's lease. A leader that is merely unreachable is left to
//! the election timeout. Reads never trust leases, so a wrong guess costs only an election.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::TransferLeaderRequest;
use squall_proto::squall::raft::v1 as proto;

use super::member::Member;
use super::types::{LogId, Vote};
use super::wire;
use crate::host::Network;

/// Timeout of a connection attempt, and of a request to another follower.
const ASK: Duration = Duration::from_millis(200);
/// Number of connection attempts, and the pause between them.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_millis(15);
/// The followers stand for election one after the other, to avoid a split vote. An election takes a few milliseconds.
const STAGGER: Duration = Duration::from_millis(50);

/// Lives as long as an append stream. When dropped, it checks whether the stream's leader is gone.
pub struct StreamEnd {
    member: Member,
    leader: Option<Vote>,
}

impl StreamEnd {
    /// Creates this at the start of a stream.
    pub fn new(member: Member) -> Self {
        Self { member, leader: None }
    }

    /// Records the leader that sent an append.
    pub fn heard(&mut self, vote: Vote) {
        self.leader = Some(vote);
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        // Without a runtime, this process is about to exit.
        if let (Some(vote), Ok(runtime)) = (self.leader.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(take_over_from(self.member.clone(), vote));
        }
    }
}

async fn take_over_from(member: Member, vote: Vote) {
    let leader = vote.leader_id.node_id;
    let status = member.status();
    let Some(url) = status.voters.get(&leader) else { return };
    let Some(address) = member.peers().route(url).rsplit("//").next().map(str::to_owned) else { return };
    if status.leader != Some(leader)
        || !status.voters.contains_key(&status.id)
        || !is_refused(member.peers().network(), &address).await
    {
        return;
    }
    let Ok(own) = member.last_log_id().await else { return };
    let others = status.voters.iter().filter(|(id, _)| **id != leader && **id != status.id);
    let asked = others.map(async |(id, url)| last_log(&member, url).await.map(|last| (*id, last)));
    let others: Vec<(u64, Option<LogId>)> = join_all(asked).await.into_iter().flatten().collect();
    tokio::time::sleep(STAGGER.saturating_mul(turn((status.id, own), &others))).await;
    let metrics = member.raft().server_metrics().borrow_watched().clone();
    if metrics.vote != vote {
        return;
    }
    tracing::info!(leader, %address, "the leader's process is gone: standing for election");
    if let Err(error) = member.raft().handle_transfer_leader(TransferLeaderRequest::new(vote, status.id, None)).await {
        tracing::debug!(%error, "could not stand for election");
    }
}

/// Returns the last log ID of another member; `None` if it does not answer.
async fn last_log(member: &Member, url: &str) -> Option<Option<LogId>> {
    let mut client = member.peers().client(url).ok()?;
    let reply = tokio::time::timeout(ASK, client.last_log(proto::LastLogRequest {})).await.ok()?.ok()?;
    wire::log_id_from(reply.into_inner().last).ok()
}

/// Whether nothing listens at an address. A process that is just ending may still hold its port for a moment.
async fn is_refused(network: &dyn Network, address: &str) -> bool {
    for _ in 0..ATTEMPTS {
        match tokio::time::timeout(ASK, network.probe(address.to_owned())).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return true,
            Ok(_) => tokio::time::sleep(PAUSE).await,
            // An address that does not answer at all is unreachable, not gone.
            Err(_) => return false,
        }
    }
    false
}

/// Returns how many go first: those with a longer log, because no one else can win, then those with a smaller ID.
fn turn(own: (u64, Option<LogId>), others: &[(u64, Option<LogId>)]) -> u32 {
    let goes_first = |other: &&(u64, Option<LogId>)| other.1 > own.1 || (other.1 == own.1 && other.0 < own.0);
    u32::try_from(others.iter().filter(goes_first).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::types::LeaderId;

    #[test]
    fn the_longest_log_goes_first_and_then_the_smallest_number() {
        let log = |term, index| Some(LogId::new(LeaderId { term, node_id: 9 }, index));
        let members = [(1, log(2, 5)), (2, log(2, 7)), (3, log(1, 99)), (4, log(2, 7)), (5, None)];
        let turns = members.map(|own| {
            let others: Vec<_> = members.into_iter().filter(|other| other.0 != own.0).collect();
            turn(own, &others)
        });
        assert_eq!(turns, [2, 0, 3, 1, 4]);
    }
}
