//! Administrative requests to apiservers: status, metrics, members and snapshots.

use std::time::Duration;

use squall_api::timing::later;
use squall_proto::squall::admin::v1::admin_client::AdminClient;
use squall_proto::squall::admin::v1::{
    AddMemberRequest, MetricsRequest, RemoveMemberRequest, SnapshotRequest, StatusReply, StatusRequest,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use crate::bearer::Wire;
use crate::client::{Client, no_answer, unreachable};
use crate::error::Error;

/// The timeout for each chunk of a snapshot. The first one arrives when the whole snapshot is on the apiserver's disk.
const PIECE: Duration = Duration::from_secs(120);
/// The timeout for asking an apiserver whether it leads.
const LOOK: Duration = Duration::from_secs(2);
/// The pause before all apiservers are asked again.
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Returns the status of one apiserver.
    pub async fn member_status(&self, endpoint: &str) -> Result<StatusReply, Error> {
        let channel = self.channel(endpoint)?;
        let mut request = Request::new(StatusRequest {});
        request.set_timeout(self.deadline());
        let mut admin = AdminClient::new(channel);
        let answer =
            tokio::time::timeout(self.deadline(), admin.status(request)).await.unwrap_or_else(|_| Err(no_answer()));
        answer.map(Response::into_inner).map_err(|status| unreachable(&[endpoint.to_owned()], &status))
    }

    /// Returns the metrics of one apiserver, in the text format of OpenMetrics.
    pub async fn metrics(&self, endpoint: &str) -> Result<String, Error> {
        let channel = self.channel(endpoint)?;
        let mut admin = AdminClient::new(channel);
        let answer = tokio::time::timeout(self.deadline(), admin.metrics(MetricsRequest {})).await;
        let answer = answer.unwrap_or_else(|_| Err(no_answer()));
        answer.map(|reply| reply.into_inner().text).map_err(|status| unreachable(&[endpoint.to_owned()], &status))
    }

    fn channel(&self, endpoint: &str) -> Result<Wire, Error> {
        let found = self.channels().into_iter().find(|(address, _)| address == endpoint);
        let missing = || Error::Config(format!("{endpoint} is not an apiserver of this cluster"));
        found.map(|(_, channel)| channel).ok_or_else(missing)
    }

    /// Adds a running apiserver to the Raft group. Returns when it has caught up and votes.
    pub async fn add_member(&self, id: u64, address: &str) -> Result<(), Error> {
        let request = AddMemberRequest { id, address: address.to_owned() };
        self.ask_leader(|mut admin| {
            let request = request.clone();
            async move { admin.add_member(request).await.map(drop) }
        })
        .await
    }

    /// Removes an apiserver from the Raft group, whether or not it is running. Succeeds if it is no longer a member.
    pub async fn remove_member(&self, id: u64) -> Result<(), Error> {
        self.ask_leader(|mut admin| async move { admin.remove_member(RemoveMemberRequest { id }).await.map(drop) })
            .await
    }

    /// Calls the leader. Retries until the call succeeds or the deadline passes.
    async fn ask_leader<F>(&self, call: impl Fn(AdminClient<Wire>) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Status>>,
    {
        let deadline = later(Instant::now(), self.deadline());
        let mut last = no_answer();
        while Instant::now() < deadline {
            for (_, channel) in self.channels() {
                // A frozen apiserver must not use up the time that the leader needs.
                if !matches!(tokio::time::timeout(LOOK, leads(&channel)).await, Ok(true)) {
                    continue;
                }
                match tokio::time::timeout_at(deadline, call(AdminClient::new(channel))).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(status)) if status.code() == Code::Aborted => {
                        return Err(Error::Config(status.message().to_owned()));
                    }
                    Ok(Err(status)) => last = status,
                    Err(_) => return Err(unreachable(&self.endpoints(), &no_answer())),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(unreachable(&self.endpoints(), &last))
    }

    /// Writes a snapshot with every write acknowledged before the call and returns its length in bytes. If an apiserver
    /// does not start to answer, the next is tried. If a stream breaks off, the call fails and the output is worthless.
    pub async fn snapshot(&self, out: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Error> {
        let mut last = no_answer();
        for (address, channel) in self.channels() {
            match self.snapshot_of(channel, out).await {
                Ok(len) => return Ok(len),
                Err(Broken::Before(status)) => last = status,
                Err(Broken::Midway(status)) => return Err(unreachable(&[address], &status)),
                Err(Broken::Here(error)) => return Err(Error::Config(format!("writing the snapshot: {error}"))),
            }
        }
        Err(unreachable(&self.endpoints(), &last))
    }

    async fn snapshot_of(&self, channel: Wire, out: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Broken> {
        let mut admin = AdminClient::new(channel);
        let begin = tokio::time::timeout(PIECE, admin.snapshot(SnapshotRequest {}));
        let mut pieces = begin.await.unwrap_or_else(|_| Err(no_answer())).map_err(Broken::Before)?.into_inner();
        let mut len = 0_u64;
        loop {
            let next = tokio::time::timeout(PIECE, pieces.message()).await.unwrap_or_else(|_| Err(no_answer()));
            match next.map_err(Broken::Midway)? {
                Some(piece) => {
                    out.write_all(&piece.data).await.map_err(Broken::Here)?;
                    len = len.saturating_add(piece.data.len() as u64);
                }
                None => return Ok(len),
            }
        }
    }
}

/// Whether an apiserver says that it leads.
async fn leads(channel: &Wire) -> bool {
    let status = AdminClient::new(channel.clone()).status(StatusRequest {}).await;
    status.is_ok_and(|reply| reply.get_ref().leader == reply.get_ref().id)
}

/// Why a snapshot failed.
enum Broken {
    /// The apiserver sent nothing.
    Before(Status),
    /// The stream broke off.
    Midway(Status),
    /// Writing the output failed.
    Here(std::io::Error),
}
