//! The kubelet: registers its node, renews its Lease, runs a worker for each pod bound to it, sends the service table
//! to its runtime, and serves requests from apiservers.

mod addresses;
mod config;
mod hooks;
mod images;
mod node;
mod pods;
mod probes;
mod routes;
mod runtime_client;
mod service;
mod services;
mod steps;
mod worker;

use std::sync::Arc;

use anyhow::{Context, bail};
use squall_client::events::Recorder;
use squall_client::{Cache, Client, Gate, over_tls};
use squall_daemon::{Timing, Work, tls};
use squall_faults::may_see;
use squall_flags::KubeletFlags;
use tokio::sync::{Notify, watch};

use addresses::PodRange;

/// Runs until `stopping` becomes true. The pods keep running without it.
pub fn run_agent(flags: KubeletFlags, stopping: watch::Receiver<bool>) -> Work {
    Box::pin(work(flags, stopping))
}

async fn work(flags: KubeletFlags, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let timing = Timing::of(flags.timing);
    let range = PodRange::of(flags.pod_cidr).map_err(anyhow::Error::msg)?;
    let connect = over_tls(tls::client(&flags.tls)?, flags.link_port);
    let gate: Gate = Arc::new(|kind, namespace, name| Box::pin(may_see(kind.info().kind, namespace, name)));
    let client = Client::connect(&flags.apiserver, connect).context("creating a client of the apiservers")?.gated(gate);
    squall_faults::begin(&flags.faults)?;
    let runtime = runtime_client::connect(&flags.runtime);
    let (recorder, telling) = Recorder::new(client.clone(), "kubelet", &flags.node);
    let node =
        node::NodeAgent { name: flags.node.clone(), range, client: client.clone(), recorder: recorder.clone(), timing };
    let placed = pods::Placed { pods: Cache::new(), services: Cache::new(), changed: Arc::new(Notify::new()) };
    tracing::info!(node = flags.node, ?timing, "started");
    tokio::select! {
        () = telling => bail!("the event recorder stopped"),
        error = client.follow_apiservers() => bail!("the watch of the apiservers failed permanently: {error}"),
        error = node.run() => bail!("could not keep the node up to date: {error}"),
        error = pods::follow(&flags.node, range, &client, &runtime, &recorder, timing, &placed) => {
            bail!("the watch of the pods failed permanently: {error}")
        }
        served = service::serve((range.node(), service::PORT).into(), &flags.tls, runtime.clone()) => {
            served.and_then(|()| bail!("the kubelet's server stopped"))
        }
        error = services::follow(range, &client, &runtime, &recorder, &placed) => {
            bail!("the watch of the services failed permanently: {error}")
        }
        _ = stopping.wait_for(|stop| *stop) => Ok(()),
    }
}
