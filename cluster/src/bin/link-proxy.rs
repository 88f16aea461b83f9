//! The process that carries the links of a cluster. It works in the cluster's folder.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use squall_cluster::{Cluster, Lifetime, Proxy};
use squall_flags::{LinkProxyFlags, ProcessFlags};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Carries the connections between members, and can delay or break them.
#[derive(Debug, Parser)]
#[command(name = "link-proxy", version)]
struct Arguments {
    #[command(flatten)]
    link_proxy: LinkProxyFlags,

    #[command(flatten)]
    process: ProcessFlags,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    squall_daemon::run(&arguments.process, |stopping| Box::pin(run(arguments.link_proxy, stopping)))
}

async fn run(flags: LinkProxyFlags, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let proxy = Arc::new(Proxy::default());
    // Registered first: a cluster may grow at any time.
    let mut grown = signal(SignalKind::hangup())?;
    squall_faults::serve(&flags.faults, proxy.clone())?;
    tracing::info!(name = flags.name, "started");
    let connect = || Cluster::open(Path::new("."), Lifetime::Detached)?.connect_links(&proxy);
    connect()?;
    loop {
        tokio::select! {
            // Existing links keep working even if new ones fail.
            _ = grown.recv() => connect().unwrap_or_else(|error| tracing::error!("{error:#}")),
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}
