//! The runtime of a node: containers that serve HTTP, and the service data plane, behind a Unix socket.

mod app;
mod containers;
mod log;
mod log_stream;
mod order;
mod program;
mod proxy;
mod service;
mod site;

use anyhow::Context;
use squall_daemon::{Gateway, Work};
use squall_flags::RuntimeFlags;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;

use crate::catalogue::{Catalogue, Others};
use proxy::Retries;

/// Serves until `stopping` becomes true. Its containers end with it.
pub fn run_runtime(flags: RuntimeFlags, stopping: watch::Receiver<bool>) -> Work {
    Box::pin(work(flags, stopping))
}

async fn work(flags: RuntimeFlags, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    squall_faults::begin(&flags.faults)?;
    let retries = if flags.retry_backends { Retries::EachBackend } else { Retries::None };
    let others = if flags.strict_images { Others::Refuse } else { Others::Run };
    let catalogue = Catalogue::load(flags.images.as_deref())?.with_others(others);
    // A runtime that was killed leaves its socket behind.
    match std::fs::remove_file(&flags.socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("removing the old socket");
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(&flags.socket).with_context(|| format!("listening on {}", flags.socket.display()))?;
    tracing::info!(socket = %flags.socket.display(), "serving");
    let server = tonic::transport::Server::builder()
        .add_service(service::RuntimeService::server(catalogue, Gateway::new(flags.gateway), retries))
        .serve_with_incoming(UnixListenerStream::new(listener));
    tokio::select! {
        result = server => result.context("serving"),
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    }
}
