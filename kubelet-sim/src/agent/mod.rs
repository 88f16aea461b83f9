//! The kubelet: registers its node, renews its Lease, runs a worker for each pod bound to it, sends the service table
//! to its runtime, and serves requests from apiservers.

mod addresses;
mod config;
mod hooks;
mod images;
mod node;
mod pods;
mod probes;
mod runtime_client;
mod service;
mod services;
mod steps;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use squall_client::events::Recorder;
use squall_client::{Client, Gate, over_tls};
use squall_daemon::TimingProfile;
use squall_daemon::tls::TlsArgs;
use squall_faults::{FaultArgs, may_see};
use tokio::sync::watch;

use addresses::PodRange;

/// The flags of a kubelet.
#[derive(Debug, Clone, Args)]
pub struct AgentArgs {
    /// The name of the node
    #[arg(long)]
    node: String,

    /// Address range of the node and its pods; the first address is the node's
    #[arg(long, value_name = "CIDR", value_parser = PodRange::parse)]
    pod_cidr: PodRange,

    /// The Unix socket of the node's runtime
    #[arg(long, value_name = "FILE")]
    runtime: PathBuf,

    /// Address of an apiserver; repeat the flag for each one
    #[arg(long, value_name = "URL", required = true)]
    apiserver: Vec<String>,

    /// Set of timing constants
    #[arg(long, value_enum, default_value_t)]
    timing: TimingProfile,

    /// Reach apiservers through link proxies that listen on this port of their addresses
    #[arg(long, value_name = "PORT")]
    link_port: Option<u16>,

    #[command(flatten)]
    faults: FaultArgs,

    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs until `stopping` becomes true. The pods keep running without it.
pub async fn run_agent(args: AgentArgs, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let timing = args.timing.timing();
    let connect = over_tls(args.tls.client()?, args.link_port);
    let gate: Gate = Arc::new(|kind, namespace, name| Box::pin(may_see(kind.info().kind, namespace, name)));
    let client = Client::connect(&args.apiserver, connect).context("creating a client of the apiservers")?.gated(gate);
    args.faults.begin()?;
    let runtime = runtime_client::connect(&args.runtime);
    let (recorder, telling) = Recorder::new(client.clone(), "kubelet", &args.node);
    let node = node::NodeAgent {
        name: args.node.clone(),
        range: args.pod_cidr,
        client: client.clone(),
        recorder: recorder.clone(),
        timing,
    };
    tracing::info!(node = args.node, ?timing, "started");
    tokio::select! {
        () = telling => bail!("the event recorder stopped"),
        error = client.follow_apiservers() => bail!("the watch of the apiservers failed permanently: {error}"),
        error = node.run() => bail!("could not keep the node up to date: {error}"),
        error = pods::follow(&args.node, args.pod_cidr, &client, &runtime, &recorder, timing) => {
            bail!("the watch of the pods failed permanently: {error}")
        }
        served = service::serve((args.pod_cidr.node(), service::PORT).into(), &args.tls, runtime.clone()) => {
            served.and_then(|()| bail!("the kubelet's server stopped"))
        }
        error = services::follow(args.pod_cidr, &client, &runtime) => {
            bail!("the watch of the services failed permanently: {error}")
        }
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    }
}
