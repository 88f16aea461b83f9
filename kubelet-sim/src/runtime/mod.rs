//! The runtime of a node: containers that serve HTTP, and the service data plane, behind a Unix socket.

mod app;
mod containers;
mod log;
mod log_stream;
mod proxy;
mod service;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use squall_daemon::Gateway;
use squall_faults::FaultArgs;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;

use crate::catalogue::Catalogue;

/// The flags of a runtime.
#[derive(Debug, Clone, Args)]
pub struct RuntimeArgs {
    /// The Unix socket the kubelet connects to
    #[arg(long, value_name = "FILE")]
    socket: PathBuf,

    /// Image catalogue to use in addition to the built-in images
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,

    #[command(flatten)]
    gateway: Gateway,

    #[command(flatten)]
    faults: FaultArgs,
}

/// Serves until `stopping` becomes true. Its containers end with it.
pub async fn run_runtime(args: RuntimeArgs, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    args.faults.begin()?;
    let catalogue = Catalogue::load(args.images.as_deref())?;
    // A runtime that was killed leaves its socket behind.
    match std::fs::remove_file(&args.socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("removing the old socket");
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(&args.socket).with_context(|| format!("listening on {}", args.socket.display()))?;
    tracing::info!(socket = %args.socket.display(), "serving");
    let server = tonic::transport::Server::builder()
        .add_service(service::RuntimeService::server(catalogue, args.gateway))
        .serve_with_incoming(UnixListenerStream::new(listener));
    tokio::select! {
        result = server => result.context("serving"),
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    }
}
