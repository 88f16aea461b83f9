//! Keeps the caches warm, stands for election, and runs the controllers while it leads.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use squall_client::{Client, Elector, ElectorConfig, Gate, Term, over_tls};
use squall_daemon::tls::TlsArgs;
use squall_daemon::{Timing, TimingProfile};
use squall_faults::mutants::Mutant;
use squall_faults::{FaultArgs, may_see};
use tokio::sync::watch;

use crate::controllers;
use crate::runtime::Caches;

/// The flags of a controller-manager.
#[derive(Debug, Clone, Args)]
pub struct ManagerArgs {
    /// The name of this process, by which it is elected: controller-manager-0
    #[arg(long)]
    name: String,

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

/// Runs until `stopping` says otherwise.
pub async fn run(args: ManagerArgs, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let timing = args.timing.timing();
    let connect = over_tls(args.tls.client()?, args.link_port);
    let gate: Gate = Arc::new(|kind, namespace, name| Box::pin(may_see(kind.info().kind, namespace, name)));
    let client = Client::connect(&args.apiserver, connect).context("the apiservers")?.gated(gate);
    args.faults.begin()?;
    let caches = Caches::new();
    let config = ElectorConfig {
        namespace: "kube-system".to_owned(),
        name: "kube-controller-manager".to_owned(),
        identity: args.name.clone(),
        duration: timing.leader_lease,
        retry: timing.leader_retry,
        clock: squall_faults::now,
    };
    tracing::info!(name = args.name, ?timing, "started");
    tokio::select! {
        error = caches.follow(&client) => bail!("a watch failed for good: {error}"),
        error = client.follow_apiservers() => bail!("the apiservers could not be followed: {error}"),
        () = lead(config, &client, &caches, timing, &mut stopping) => Ok(()),
    }
}

/// One term after the other, until asked to stop.
async fn lead(
    config: ElectorConfig,
    client: &Client,
    caches: &Caches,
    timing: Timing,
    stopping: &mut watch::Receiver<bool>,
) {
    tokio::select! {
        () = caches.complete() => {}
        _ = stopping.wait_for(|stop| *stop) => return,
    }
    let mut elector = Elector::new(config, client.clone(), caches.leases.clone());
    loop {
        let term = tokio::select! {
            term = elector.win() => term,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let fenced = client.fenced(elector.fence(&term)).persistent();
        let controllers = async || {
            // What the leader before wrote last may be on its way here: nothing is decided without it.
            if !Mutant::StaleReads.is_on() {
                caches.wait_for_all(term.revision).await;
            }
            controllers::all(caches, &fenced, timing)
        };
        let stop = rule(&mut elector, &term, controllers, stopping).await;
        if stop {
            if let Err(error) = elector.resign(&term).await {
                tracing::warn!(%error, "could not resign");
            }
            return;
        }
    }
}

/// One term: the controllers work until the Lease is lost, or until asked to stop. Whether it was that.
async fn rule<C>(
    elector: &mut Elector,
    term: &Term,
    controllers: impl AsyncFnOnce() -> C,
    stopping: &mut watch::Receiver<bool>,
) -> bool {
    tracing::info!(transitions = term.transitions, "became leader");
    let working = async {
        let _handles = controllers().await;
        tracing::info!("the controllers work");
        std::future::pending::<()>().await;
    };
    let stop = tokio::select! {
        () = elector.hold(term) => false,
        _ = stopping.wait_for(|stop| *stop) => true,
        () = working => false,
    };
    tracing::info!("stopped leading");
    stop
}
