//! Asks a process to be broken, and to be whole again.

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

/// A process that does not answer in this time is frozen.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a process has not done what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// Nobody answers: it has ended, is only starting, or is frozen.
    #[error("{0}")]
    NoAnswer(String),
    /// It knows of no such fault. It may have been started anew, and be whole.
    #[error("{0}")]
    NoSuchFault(String),
    /// That cannot be done to it.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a process, made when first used.
#[derive(Debug, Clone)]
pub struct Switch {
    client: FaultsClient<Channel>,
}

impl Switch {
    /// Of the process behind a socket in a folder.
    pub fn of(folder: &Path, socket: &str) -> anyhow::Result<Self> {
        // By the folder's descriptor: the path of a socket may not be long.
        let folder = File::open(folder).with_context(|| format!("opening {}", folder.display()))?;
        let (folder, socket) = (Arc::new(folder), socket.to_owned());
        // The address is never looked up: the connector knows where to go.
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

    /// Puts a fault in force.
    pub async fn inject(&self, fault: Fault) -> Result<(), SwitchError> {
        let asked = self.client.clone().inject(InjectRequest { fault: Some(fault) }).await;
        answered(asked).map(drop)
    }

    /// Ends a fault; its receipt.
    pub async fn heal(&self, name: &str) -> Result<Receipt, SwitchError> {
        let asked = self.client.clone().heal(HealRequest { name: name.to_owned() }).await;
        answered(asked)?.receipt.ok_or_else(|| SwitchError::Refused("a fault without a receipt".to_owned()))
    }

    /// The faults that are in force.
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
