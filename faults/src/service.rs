//! The service by which a process is told what is broken in it.

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

/// What can be broken.
pub trait Target: Send + Sync + 'static {
    /// Puts a fault in force; one of the same name is replaced. The error says why it cannot be.
    fn inject(&self, fault: Fault) -> Result<(), String>;
    /// Ends a fault; its receipt. `None` if there is none of this name.
    fn heal(&self, name: &str) -> Option<Receipt>;
    /// What is in force.
    fn list(&self) -> Vec<InForce>;
}

struct Service(Arc<dyn Target>);

#[tonic::async_trait]
impl Faults for Service {
    async fn inject(&self, request: Request<InjectRequest>) -> Result<Response<InjectReply>, Status> {
        let fault = request.into_inner().fault.ok_or_else(|| Status::invalid_argument("no fault was given"))?;
        let text = format!("{fault:?}");
        self.0.inject(fault).map_err(Status::invalid_argument)?;
        tracing::warn!(fault = text, "broken on purpose");
        Ok(Response::new(InjectReply {}))
    }

    async fn heal(&self, request: Request<HealRequest>) -> Result<Response<HealReply>, Status> {
        let name = request.into_inner().name;
        let receipt = self.0.heal(&name);
        let receipt = receipt.ok_or_else(|| Status::not_found(format!("there is no fault {name:?} here")))?;
        tracing::warn!(fault = name, receipt = receipt.text, "healed");
        Ok(Response::new(HealReply { receipt: Some(receipt) }))
    }

    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListReply>, Status> {
        Ok(Response::new(ListReply { faults: self.0.list() }))
    }
}

/// Serves at a socket as long as the runtime goes on in which this is called: what can be broken in this process.
pub fn listen(socket: &Path) -> anyhow::Result<()> {
    serve(socket, process())
}

/// The same for another target.
pub fn serve(socket: &Path, target: Arc<dyn Target>) -> anyhow::Result<()> {
    // A socket of a process that was killed is still there.
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
            tracing::error!(%error, "nothing can be broken any more");
        }
    });
    Ok(())
}
