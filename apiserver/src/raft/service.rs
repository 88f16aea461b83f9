//! The receiving end of a link, and the requests of followers to a leader.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use openraft::alias::SnapshotOf;
use openraft::raft::AppendEntriesRequest;
use squall_api::timing::later;
use squall_proto::squall::raft::v1 as proto;
use squall_proto::squall::raft::v1::raft_server::{Raft as RaftApi, RaftServer};
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::member::{Member, ProposeError};
use super::peers::MAX_MESSAGE_BYTES;
use super::snapshot;
use super::takeover::StreamEnd;
use super::types::TypeConfig;
use super::wire;
use super::{check, codec};
use crate::host::{Work, waited};
use crate::store::Outcome;

/// How long a forwarded write waits for room. Its member then tries again, for as long as its caller waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves the other members.
pub struct RaftService {
    member: Member,
}

impl RaftService {
    /// Returns the gRPC server for a member.
    #[must_use]
    pub fn server(member: Member) -> RaftServer<Self> {
        RaftServer::new(Self { member })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

fn bad(error: impl ToString) -> Status {
    Status::invalid_argument(error.to_string())
}

fn failed(error: impl ToString) -> Status {
    Status::internal(error.to_string())
}

fn read_append(request: proto::AppendRequest) -> io::Result<AppendEntriesRequest<TypeConfig>> {
    let request = wire::append_from(request)?;
    check::append(&request).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))?;
    Ok(request)
}

#[tonic::async_trait]
impl RaftApi for RaftService {
    type AppendStream = BoxStream<'static, Result<proto::AppendReply, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let mut end = StreamEnd::new(self.member.clone());
        let requests = request.into_inner().map(move |request| {
            // A broken stream.
            let request = request.map_err(drop)?;
            match read_append(request) {
                Ok(request) => {
                    end.heard(request.vote);
                    Ok(request)
                }
                Err(error) => {
                    tracing::warn!(%error, "refused an append request");
                    Err(())
                }
            }
        });
        // An unreadable request ends the stream: later requests must not be appended.
        let requests = requests
            .take_while(|request| std::future::ready(request.is_ok()))
            .filter_map(|request| std::future::ready(request.ok()));
        let replies = self.member.raft().stream_append(requests).map(|reply| match reply {
            Ok(reply) => Ok(wire::append_reply_to(&reply)),
            Err(fatal) => Err(failed(fatal)),
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn vote(&self, request: Request<proto::VoteRequest>) -> Result<Response<proto::VoteReply>, Status> {
        let request = request.into_inner();
        let pre_vote = request.pre_vote;
        let request = wire::vote_request_from(request).map_err(bad)?;
        check::vote_request(&request).map_err(bad)?;
        let raft = self.member.raft();
        let reply = if pre_vote { raft.pre_vote(request).await } else { raft.vote(request).await };
        Ok(Response::new(wire::vote_reply_to(&reply.map_err(failed)?)))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<proto::SnapshotChunk>>,
    ) -> Result<Response<proto::SnapshotReply>, Status> {
        let mut chunks = request.into_inner();
        let head =
            chunks.message().await?.and_then(|chunk| chunk.head).ok_or_else(|| bad("the snapshot has no head"))?;
        let vote = wire::vote_from(head.vote).map_err(bad)?;
        check::snapshot(&vote, None).map_err(bad)?;
        let path = self.member.temporary_snapshot();
        let received = self.receive(&mut chunks, path.clone()).await.and_then(|snapshot| {
            check::snapshot(&vote, snapshot.meta.last_log_id.as_ref()).map_err(bad)?;
            Ok(snapshot)
        });
        let snapshot = match received {
            Ok(snapshot) => snapshot,
            Err(status) => {
                // Any leftover file is removed at the next start.
                drop(self.member.disk().remove(&path));
                return Err(status);
            }
        };
        let reply = self.member.raft().install_full_snapshot(vote, snapshot).await.map_err(failed)?;
        Ok(Response::new(proto::SnapshotReply { vote: Some(wire::vote_to(&reply.vote)) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderReply>, Status> {
        let request = wire::transfer_from(request.into_inner()).map_err(bad)?;
        check::transfer(&request).map_err(bad)?;
        match self.member.raft().handle_transfer_leader(request).await.map_err(failed)? {
            Ok(()) => Ok(Response::new(proto::TransferLeaderReply {})),
            Err(declined) => Err(Status::failed_precondition(declined.to_string())),
        }
    }

    async fn propose(&self, request: Request<proto::ProposeRequest>) -> Result<Response<proto::ProposeReply>, Status> {
        let transactions = request
            .into_inner()
            .transactions
            .into_iter()
            .map(codec::from_proto)
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad)?;
        transactions.iter().try_for_each(check::transaction).map_err(bad)?;
        let deadline = later(Instant::now(), PATIENCE);
        let proposed = self.member.propose_here(transactions, deadline).await;
        let (outcomes, applied_index) = proposed.map_err(|error| match error {
            ProposeError::NotLeader(_) => Status::failed_precondition(error.to_string()),
            ProposeError::Overloaded => Status::resource_exhausted(error.to_string()),
            ProposeError::Unavailable(_) | ProposeError::Unsafe(_) => Status::unavailable(error.to_string()),
            ProposeError::Stopped(_) => failed(error),
        })?;
        let results = outcomes.into_iter().map(|outcome| proto::TransactionResult {
            revision: outcome.revision(),
            failed_compare: match outcome {
                Outcome::Applied(_) => 0,
                Outcome::Refused(place, _) => u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1),
            },
        });
        Ok(Response::new(proto::ProposeReply { results: results.collect(), applied_index }))
    }

    async fn read_index(&self, _: Request<proto::ReadIndexRequest>) -> Result<Response<proto::ReadIndexReply>, Status> {
        let index =
            self.member.read_index_here().await.map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(proto::ReadIndexReply { index }))
    }

    async fn last_log(&self, _: Request<proto::LastLogRequest>) -> Result<Response<proto::LastLogReply>, Status> {
        let last = self.member.last_log_id().await.map_err(failed)?;
        Ok(Response::new(proto::LastLogReply { last: last.as_ref().map(wire::log_id_to) }))
    }
}

impl RaftService {
    /// Receives a snapshot into a file, makes it durable and reads its metadata.
    async fn receive(
        &self,
        chunks: &mut Streaming<proto::SnapshotChunk>,
        path: PathBuf,
    ) -> Result<SnapshotOf<TypeConfig, PathBuf>, Status> {
        let disk = self.member.disk();
        let mut file = disk.create(&path).map_err(failed)?;
        while let Some(chunk) = chunks.message().await? {
            // In small steps: one large sync would keep the log from the disk.
            let written = move || file.write_all(&chunk.data).and_then(|()| file.sync()).map(|()| file);
            file = waited(disk.as_ref(), Work::Waited, written).await.map_err(failed)?;
        }
        let (from, checked) = (disk.clone(), path.clone());
        let contents = waited(disk.as_ref(), Work::Waited, move || {
            let contents = snapshot::read(from.as_ref(), &checked)?;
            contents.check().map(|()| contents)
        });
        let contents = contents.await.map_err(bad)?;
        Ok(openraft::storage::Snapshot { meta: contents.meta, snapshot: path })
    }
}
