//! The sending end of a link: openraft's requests to one other member, over gRPC.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture};
use openraft::error::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BasicNode;
use openraft::network::{Backoff, RPCOption, RaftNetworkFactory, v2::RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, alias::SnapshotOf};
use squall_proto::squall::raft::v1 as proto;
use squall_proto::squall::raft::v1::raft_client::RaftClient;
use tonic::transport::Channel;

use super::peers::Peers;
use super::pipe::{Exchange, Pipe};
use super::snapshot;
use super::types::{TypeConfig, Vote};
use super::wire;
use crate::host::Disk;

/// Delay before retrying an unreachable member. Constant: a member that comes back should be served immediately.
const RETRY: Duration = Duration::from_millis(100);

/// Creates the links of one member.
pub struct Links {
    peers: Peers,
    /// Disk that holds the snapshots to send.
    disk: Arc<dyn Disk>,
}

impl Links {
    /// Creates links over these connections.
    pub fn new(peers: Peers, disk: Arc<dyn Disk>) -> Self {
        Self { peers, disk }
    }
}

impl RaftNetworkFactory<TypeConfig> for Links {
    type Network = Link;

    async fn new_client(&mut self, _target: u64, node: &BasicNode) -> Link {
        let client = self.peers.client(&node.addr).map_err(|error| error.to_string());
        Link { client, idle: None, disk: self.disk.clone() }
    }
}

/// A link to one other member.
pub struct Link {
    /// Holds the error if the address is unusable.
    client: Result<RaftClient<Channel>, String>,
    /// The stream of the last exchange, if it ended cleanly.
    idle: Option<Pipe>,
    disk: Arc<dyn Disk>,
}

pub(super) type RpcError = RPCError<TypeConfig>;

pub(super) fn unreachable(error: impl ToString) -> RpcError {
    Unreachable::from_string(error).into()
}

pub(super) fn network(error: impl ToString) -> RpcError {
    NetworkError::from_string(error).into()
}

impl Link {
    fn client(&self) -> Result<RaftClient<Channel>, RpcError> {
        self.client.clone().map_err(unreachable)
    }
}

/// A transport status means that the member is unreachable; any other status means that it refused the request.
pub(super) fn from_status(status: tonic::Status) -> RpcError {
    match status.code() {
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled => unreachable(status),
        _ => network(status),
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, tonic::Status>>) -> Result<T, RpcError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(from_status),
        Err(_) => Err(unreachable("no answer in time")),
    }
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = PathBuf;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let mut replies = self.stream_append(stream::iter([request]).boxed(), option).await?;
        match replies.next().await {
            Some(reply) => reply.map(AppendEntriesResponse::from),
            None => Err(network("the stream ended without a reply")),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        async move {
            // After an error, openraft waits before it yields the next request. Waiting for that request first avoids
            // retrying an unreachable member in a tight loop.
            let Some(first) = input.next().await else { return Ok(stream::empty().boxed()) };
            let input = stream::iter([first]).chain(input);
            let pipe = match self.idle.take().filter(Pipe::is_open) {
                Some(pipe) => pipe,
                None => within(option.soft_ttl(), Pipe::open(self.client()?)).await?,
            };
            Ok(Exchange::new(&mut self.idle, pipe, input, option.soft_ttl()).replies().boxed())
        }
        .boxed()
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(wire::vote_request_to(&request), option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let request = proto::VoteRequest { pre_vote: true, ..wire::vote_request_to(&request) };
        self.ask_for_vote(request, option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, PathBuf>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let mut client = self.client().map_err(to_streaming)?;
        let chunks = snapshot::chunks(self.disk.clone(), &snapshot.snapshot);
        let chunks = chunks.map_err(|error| to_streaming(network(error)))?;
        let send = client.snapshot(messages(vote, chunks));
        tokio::select! {
            reply = send => {
                let reply = reply.map_err(|status| to_streaming(from_status(status)))?.into_inner();
                let vote = wire::vote_from(reply.vote).map_err(|error| to_streaming(network(error)))?;
                Ok(SnapshotResponse::new(vote))
            }
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        within(option.soft_ttl(), client.transfer_leader(wire::transfer_to(&request))).await?;
        Ok(Ok(()))
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(RETRY)))
    }
}

impl Link {
    async fn ask_for_vote(
        &mut self,
        request: proto::VoteRequest,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let mut client = self.client()?;
        let reply = within(option.soft_ttl(), client.vote(request)).await?.into_inner();
        wire::vote_reply_from(reply).map_err(network)
    }
}

fn to_streaming(error: RpcError) -> StreamingError<TypeConfig> {
    StreamingError::Unreachable(Unreachable::from_string(error))
}

/// Returns the messages of a snapshot transfer: the sender's vote, then the file.
fn messages(
    vote: Vote,
    chunks: BoxStream<'static, io::Result<Bytes>>,
) -> impl Stream<Item = proto::SnapshotChunk> + use<> {
    let head = proto::SnapshotChunk {
        head: Some(proto::SnapshotHead { vote: Some(wire::vote_to(&vote)) }),
        ..Default::default()
    };
    // A read error ends the stream; the receiver then finds the file incomplete and refuses it.
    let body = chunks
        .take_while(|data| std::future::ready(data.is_ok()))
        .map(|data| proto::SnapshotChunk { head: None, data: data.unwrap_or_default() });
    stream::iter([head]).chain(body)
}
