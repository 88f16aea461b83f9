//! A client that injects faults into a process and heals them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper_util::rt::TokioIo;
use squall_proto::squall::faults::v1::faults_client::FaultsClient;
use squall_proto::squall::faults::v1::{Fault, HealRequest, InForce, InjectRequest, ListRequest, Receipt};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};

/// The timeout of a request; a process that does not answer in time is probably frozen.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a request to a process failed.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No answer: the process has exited, is still starting, or is frozen.
    #[error("{0}")]
    NoAnswer(String),
    /// The process has no such fault. It may have restarted, which removes all faults.
    #[error("{0}")]
    NoSuchFault(String),
    /// The process does not support the fault.
    #[error("{0}")]
    Refused(String),
}

/// A lazy connection to the faults service of a process.
#[derive(Debug, Clone)]
pub struct Switch {
    client: FaultsClient<Channel>,
}

impl Switch {
    /// Creates a client for the process that listens on a socket in a folder.
    pub fn of(folder: &Path, socket: &str) -> anyhow::Result<Self> {
        // Goes through the folder's descriptor, because the path of a socket must be short.
        let folder = File::open(folder).with_context(|| format!("opening {}", folder.display()))?;
        let (folder, socket) = (Arc::new(folder), socket.to_owned());
        // The address is a placeholder: the connector ignores it.
        let channel = Endpoint::from_static("http://faults").timeout(LIMIT).connect_with_connector_lazy(
            tower::service_fn(move |_: Uri| {
                let (folder, socket) = (folder.clone(), socket.clone());
                async move {
                    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(socket);
                    UnixStream::connect(path).await.map(TokioIo::new)
                }
            }),
        );
        Ok(Self { client: FaultsClient::new(channel) })
    }

    /// Activates a fault, replacing one of the same name.
    pub async fn inject(&self, fault: Fault) -> Result<(), SwitchError> {
        let asked = self.client.clone().inject(InjectRequest { fault: Some(fault) }).await;
        answered(asked).map(drop)
    }

    /// Removes a fault and returns its receipt.
    pub async fn heal(&self, name: &str) -> Result<Receipt, SwitchError> {
        let asked = self.client.clone().heal(HealRequest { name: name.to_owned() }).await;
        answered(asked)?.receipt.ok_or_else(|| SwitchError::Refused("the reply has no receipt".to_owned()))
    }

    /// Returns the active faults.
    pub async fn list(&self) -> Result<Vec<InForce>, SwitchError> {
        Ok(answered(self.client.clone().list(ListRequest {}).await)?.faults)
    }
}

fn answered<T>(answer: Result<Response<T>, Status>) -> Result<T, SwitchError> {
    answer.map(Response::into_inner).map_err(|status| {
        let text = status.message().to_owned();
        match status.code() {
            Code::NotFound => SwitchError::NoSuchFault(text),
            Code::InvalidArgument => SwitchError::Refused(text),
            _ => SwitchError::NoAnswer(text),
        }
    })
}
