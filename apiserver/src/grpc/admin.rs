//! The admin service: status, metrics, membership and snapshots of a member.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use squall_api::timing::later;
use squall_proto::squall::admin::v1 as proto;
use squall_proto::squall::admin::v1::admin_server::{Admin, AdminServer};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::raft::ProposeError;
use crate::registry::Registry;

/// A member is not ready if no quorum answers within this time.
const READY_PATIENCE: Duration = Duration::from_millis(500);
/// How long to wait for a snapshot to be written.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(120);

/// Serves the administrators of the cluster.
pub struct AdminService {
    name: String,
    registry: Registry,
}

impl AdminService {
    /// Returns the gRPC server for a member.
    #[must_use]
    pub fn server(name: String, registry: Registry) -> AdminServer<Self> {
        AdminServer::new(Self { name, registry })
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    type SnapshotStream = BoxStream<'static, Result<proto::SnapshotChunk, Status>>;

    async fn snapshot(&self, _: Request<proto::SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let chunks = self.registry.member().backup(later(Instant::now(), SNAPSHOT_PATIENCE)).await;
        let chunks = chunks.map_err(refused)?.map(|data| match data {
            Ok(data) => Ok(proto::SnapshotChunk { data }),
            Err(error) => Err(Status::internal(format!("reading the snapshot: {error}"))),
        });
        Ok(Response::new(chunks.boxed()))
    }

    async fn metrics(&self, _: Request<proto::MetricsRequest>) -> Result<Response<proto::MetricsReply>, Status> {
        let text = self.registry.member().metrics_text();
        let text = text.map_err(|error| Status::internal(format!("{error:#}")))?;
        Ok(Response::new(proto::MetricsReply { text }))
    }

    async fn add_member(
        &self,
        request: Request<proto::AddMemberRequest>,
    ) -> Result<Response<proto::AddMemberReply>, Status> {
        let proto::AddMemberRequest { id, address } = request.into_inner();
        self.registry.member().add_voter(id, address).await.map_err(refused)?;
        Ok(Response::new(proto::AddMemberReply {}))
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberReply>, Status> {
        self.registry.member().remove_member(request.into_inner().id).await.map_err(refused)?;
        Ok(Response::new(proto::RemoveMemberReply {}))
    }

    async fn status(&self, _: Request<proto::StatusRequest>) -> Result<Response<proto::StatusReply>, Status> {
        let member = self.registry.member();
        let quorum = member.read_barrier(later(Instant::now(), READY_PATIENCE)).await.is_ok();
        let ready = quorum && self.registry.has_begun();
        let status = member.status();
        let state = member.view().state();
        let now = (state.revision(), state.hash());
        let recent = member.view().recent_hashes().into_iter().filter(|(revision, _)| *revision <= now.0).chain([now]);
        Ok(Response::new(proto::StatusReply {
            id: status.id,
            name: self.name.clone(),
            leader: status.leader.unwrap_or(0),
            term: status.term,
            last_log_index: status.last_log_index,
            applied_index: status.applied_index,
            revision: state.revision(),
            state_hash: state.hash(),
            ready,
            objects: state.len() as u64,
            recent: recent.map(|(revision, state_hash)| proto::StateAt { revision, state_hash }).collect(),
            voters: status.voters.into_iter().map(|(id, address)| proto::Voter { id, address }).collect(),
        }))
    }
}

fn refused(error: ProposeError) -> Status {
    match error {
        ProposeError::NotLeader(_) => Status::failed_precondition(error.to_string()),
        ProposeError::Unsafe(_) => Status::aborted(error.to_string()),
        ProposeError::Overloaded => Status::resource_exhausted(error.to_string()),
        ProposeError::Unavailable(_) | ProposeError::Stopped(_) => Status::unavailable(error.to_string()),
    }
}
