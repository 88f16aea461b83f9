//! The kubelet: registers its node, renews its Lease, keeps a worker for each pod bound to it, tells its runtime of the
//! services, and answers apiservers.

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

    /// The addresses of the node and its pods: the first is the node's
    #[arg(long, value_name = "CIDR", value_parser = PodRange::parse)]
    pod_cidr: PodRange,

    /// The Unix socket of the node's runtime
    #[arg(long, value_name = "FILE")]
    runtime: PathBuf,

    /// An apiserver's address, once for each
    #[arg(long, value_name = "URL", required = true)]
    apiserver: Vec<String>,

    /// Which constants to use
    #[arg(long, value_enum, default_value_t)]
    timing: TimingProfile,

    /// Reach apiservers over links, at this port of their addresses
    #[arg(long, value_name = "PORT")]
    link_port: Option<u16>,

    #[command(flatten)]
    faults: FaultArgs,

    #[command(flatten)]
    tls: TlsArgs,
}

/// Runs until `stopping` says otherwise. The pods go on without it.
pub async fn run_agent(args: AgentArgs, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let timing = args.timing.timing();
    let connect = over_tls(args.tls.client()?, args.link_port);
    let gate: Gate = Arc::new(|kind, namespace, name| Box::pin(may_see(kind.info().kind, namespace, name)));
    let client = Client::connect(&args.apiserver, connect).context("the apiservers")?.gated(gate);
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
        () = telling => bail!("the recorder of events ended"),
        error = client.follow_apiservers() => bail!("the apiservers could not be followed: {error}"),
        error = node.run() => bail!("the node could not be kept up to date: {error}"),
        error = pods::follow(&args.node, args.pod_cidr, &client, &runtime, &recorder, timing) => bail!("the pods could not be followed: {error}"),
        served = service::serve((args.pod_cidr.node(), service::PORT).into(), &args.tls, runtime.clone()) => {
            served.and_then(|()| bail!("the kubelet's own server ended"))
        }
        error = services::follow(args.pod_cidr, &client, &runtime) => bail!("the services could not be followed: {error}"),
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    }
}
