//! Keeps the caches warm, takes part in leader election, and runs the controllers while it leads.

use std::sync::Arc;

use anyhow::{Context, bail};
use squall_client::{Client, Elector, ElectorConfig, Gate, Term, over_tls};
use squall_daemon::{Timing, Work, tls};
use squall_faults::may_see;
use squall_faults::mutants::Mutant;
use squall_flags::ControllerManagerFlags;
use tokio::sync::watch;

use crate::controllers;
use crate::runtime::Caches;

/// Runs until `stopping` becomes true.
pub fn run(flags: ControllerManagerFlags, stopping: watch::Receiver<bool>) -> Work {
    Box::pin(work(flags, stopping))
}

async fn work(flags: ControllerManagerFlags, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let timing = Timing::of(flags.timing);
    let connect = over_tls(tls::client(&flags.tls)?, flags.link_port);
    let gate: Gate = Arc::new(|kind, namespace, name| Box::pin(may_see(kind.info().kind, namespace, name)));
    let client = Client::connect(&flags.apiserver, connect).context("creating a client of the apiservers")?.gated(gate);
    squall_faults::begin(&flags.faults)?;
    let caches = Caches::new();
    let config = ElectorConfig {
        namespace: "kube-system".to_owned(),
        name: "kube-controller-manager".to_owned(),
        identity: flags.name.clone(),
        duration: timing.leader_lease,
        retry: timing.leader_retry,
        clock: squall_faults::now,
    };
    tracing::info!(name = flags.name, ?timing, "started");
    tokio::select! {
        error = caches.follow(&client) => bail!("a watch failed permanently: {error}"),
        error = client.follow_apiservers() => bail!("the watch of the apiservers failed permanently: {error}"),
        () = lead(config, &client, &caches, timing, &mut stopping) => Ok(()),
    }
}

/// Serves one term of leadership after another, until asked to stop.
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
            // The caches may not show the previous leader's last writes yet: no decision without them.
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

/// Runs the controllers for one term: until the Lease is lost, or until asked to stop. Returns true if asked to stop.
async fn rule<C>(
    elector: &mut Elector,
    term: &Term,
    controllers: impl AsyncFnOnce() -> C,
    stopping: &mut watch::Receiver<bool>,
) -> bool {
    tracing::info!(transitions = term.transitions, "became leader");
    let working = async {
        let _handles = controllers().await;
        tracing::info!("the controllers are running");
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
