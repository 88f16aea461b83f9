//! What those who look after a cluster ask of its apiservers.

use std::time::Duration;

use squall_proto::squall::admin::v1::admin_client::AdminClient;
use squall_proto::squall::admin::v1::{SnapshotRequest, StatusReply, StatusRequest};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::client::{Client, no_answer, unreachable};
use crate::error::Error;

/// A piece of a snapshot may take this long to come. The first comes when the whole is on the apiserver's disk.
const PIECE: Duration = Duration::from_secs(120);

impl Client {
    /// What one apiserver says of itself.
    pub async fn member_status(&self, endpoint: &str) -> Result<StatusReply, Error> {
        let (address, channel) = self
            .channels()
            .into_iter()
            .find(|(address, _)| address == endpoint)
            .ok_or_else(|| Error::Config(format!("{endpoint} is not an apiserver of this cluster")))?;
        let mut request = Request::new(StatusRequest {});
        request.set_timeout(self.deadline());
        let mut admin = AdminClient::new(channel);
        let answer =
            tokio::time::timeout(self.deadline(), admin.status(request)).await.unwrap_or_else(|_| Err(no_answer()));
        answer.map(Response::into_inner).map_err(|status| unreachable(&[address], &status))
    }

    /// Writes a snapshot with everything that was acknowledged before the call; returns its length in bytes. An apiserver
    /// that does not begin to answer is left for the next; one that breaks off is an error, and what was written worth
    /// nothing.
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

    async fn snapshot_of(&self, channel: Channel, out: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Broken> {
        let mut admin = AdminClient::new(channel);
        let begin = tokio::time::timeout(PIECE, admin.snapshot(SnapshotRequest {}));
        let mut pieces = begin.await.unwrap_or_else(|_| Err(no_answer())).map_err(Broken::Before)?.into_inner();
        let mut len = 0;
        loop {
            let next = tokio::time::timeout(PIECE, pieces.message()).await.unwrap_or_else(|_| Err(no_answer()));
            match next.map_err(Broken::Midway)? {
                Some(piece) => {
                    out.write_all(&piece.data).await.map_err(Broken::Here)?;
                    len += piece.data.len() as u64;
                }
                None => return Ok(len),
            }
        }
    }
}

/// Why a snapshot did not come.
enum Broken {
    /// Nothing came.
    Before(Status),
    /// Not all came.
    Midway(Status),
    /// It could not be written.
    Here(std::io::Error),
}
