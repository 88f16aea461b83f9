//! The gRPC service that injects faults into a process.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use squall_proto::squall::faults::v1::faults_server::{Faults, FaultsServer};
use squall_proto::squall::faults::v1::{
    Fault, HealReply, HealRequest, InForce, InjectReply, InjectRequest, ListReply, ListRequest, Receipt,
};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};

use crate::board::process;

/// A target of faults: a process, or the links of a cluster.
pub trait Target: Send + Sync + 'static {
    /// Activates a fault, replacing one of the same name. The error says why that is impossible.
    fn inject(&self, fault: Fault) -> Result<(), String>;
    /// Removes a fault and returns its receipt. `None` if there is no fault of this name.
    fn heal(&self, name: &str) -> Option<Receipt>;
    /// Returns the active faults.
    fn list(&self) -> Vec<InForce>;
}

struct Service(Arc<dyn Target>);

#[tonic::async_trait]
impl Faults for Service {
    async fn inject(&self, request: Request<InjectRequest>) -> Result<Response<InjectReply>, Status> {
        let fault = request.into_inner().fault.ok_or_else(|| Status::invalid_argument("the request has no fault"))?;
        let text = format!("{fault:?}");
        self.0.inject(fault).map_err(Status::invalid_argument)?;
        tracing::warn!(fault = text, "fault injected");
        Ok(Response::new(InjectReply {}))
    }

    async fn heal(&self, request: Request<HealRequest>) -> Result<Response<HealReply>, Status> {
        let name = request.into_inner().name;
        let receipt = self.0.heal(&name);
        let receipt = receipt.ok_or_else(|| Status::not_found(format!("no active fault is named {name:?}")))?;
        tracing::warn!(fault = name, receipt = receipt.text, "fault healed");
        Ok(Response::new(HealReply { receipt: Some(receipt) }))
    }

    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListReply>, Status> {
        Ok(Response::new(ListReply { faults: self.0.list() }))
    }
}

/// Accepts faults for this process on a socket, until the current runtime shuts down.
pub fn listen(socket: &Path) -> anyhow::Result<()> {
    serve(socket, process())
}

/// Like [`listen`], for another target.
pub fn serve(socket: &Path, target: Arc<dyn Target>) -> anyhow::Result<()> {
    // A killed process leaves its socket behind.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("removing an old socket");
        }
        _ => {}
    }
    let listener = UnixListener::bind(socket).with_context(|| format!("listening on {}", socket.display()))?;
    let server = tonic::transport::Server::builder().add_service(FaultsServer::new(Service(target)));
    tokio::spawn(async move {
        if let Err(error) = server.serve_with_incoming(UnixListenerStream::new(listener)).await {
            tracing::error!(%error, "the faults service stopped");
        }
    });
    Ok(())
}
