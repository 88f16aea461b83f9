//! The soak: clients write and read while apiservers are killed, frozen, restarted and cut off from each other at random;
//! nothing acknowledged may be lost, no read may go back, no watch may miss a change.
//!
//! Each key has one writer, which writes on condition of its own last revision. A lost or doubled write breaks that
//! chain, and the writer finds it at its next write. `ledger` judges, `clients` ask, `faults` break.

mod faults;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::join_all;
use serde::Serialize;
use squall_client::Client;
use squall_cluster::{Cluster, Lifetime, Options, wait_until_ready};

pub use faults::Fault;
use squall_checkers::agreement;
use squall_checkers::clients;
use squall_checkers::ledger::Ledger;
use squall_client::{PATIENCE, wait_for};

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Decides which faults come when.
    pub seed: u64,
    /// At least so many writes are acknowledged.
    pub writes: u64,
    /// At least so many faults are made.
    pub faults: u64,
    /// How many clients write, each at its own keys.
    pub writers: usize,
    /// How many clients read any key.
    pub readers: usize,
    /// How many watches there are.
    pub watchers: usize,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What must not be; empty if all held.
    pub violations: Vec<String>,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes without an answer; whether they happened was read back.
    pub unknown: u64,
    /// Reads that were checked.
    pub reads: u64,
    /// Events of watches that were checked.
    pub watched: u64,
    /// How often each kind of fault was made.
    pub faults: Vec<(Fault, u64)>,
    /// How long it took.
    pub seconds: f64,
    /// The longest time in which no write was acknowledged, in seconds.
    pub longest_silence_seconds: f64,
}

/// Runs a soak on a cluster of its own. `told` hears of each fault.
pub async fn run(plan: &Plan, options: Options, mut told: impl FnMut(String)) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::create(folder.path(), Options { links: true, ..options }, Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await?;
    let ledger = RefCell::new(Ledger::new(plan.writers * clients::KEYS_OF_A_WRITER));
    let start = Instant::now();
    let writers: Vec<_> = clients::writers(&client, plan.writers).collect();
    join_all(writers.iter().map(|writer| writer.prepare(&ledger))).await.into_iter().collect::<Result<(), _>>()?;
    let faults = break_under_load(plan, &mut cluster, &client, writers, &ledger, &mut told)
        .await
        .with_context(|| format!("seed {}", plan.seed))?;
    wait_for("all members to agree", || agreement::agreed(&client)).await?;
    clients::read_back(&client, &ledger).await?;
    cluster.down()?;
    let mut ledger = ledger.into_inner();
    ledger.check_watches();
    if !ledger.violations.is_empty() {
        told(format!("the logs of the cluster are in {}", folder.keep().join("logs").display()));
    }
    Ok(Report {
        seed: plan.seed,
        acknowledged: ledger.acknowledged,
        unknown: ledger.unknown,
        reads: ledger.reads,
        watched: ledger.watched(),
        faults,
        seconds: start.elapsed().as_secs_f64(),
        longest_silence_seconds: ledger.longest_silence.as_secs_f64(),
        violations: ledger.violations,
    })
}

/// Lets the clients ask while the faults are made; returns the faults.
async fn break_under_load(
    plan: &Plan,
    cluster: &mut Cluster,
    client: &Client,
    writers: Vec<clients::Writer>,
    ledger: &RefCell<Ledger>,
    told: &mut impl FnMut(String),
) -> anyhow::Result<Vec<(Fault, u64)>> {
    let enough = tokio::sync::watch::Sender::new(false);
    let others = clients::Others { readers: plan.readers, watchers: plan.watchers };
    let mut work = std::pin::pin!(clients::ask(client, writers, others, ledger, enough.subscribe()));
    let faults = tokio::select! {
        faults = faults::run(plan, cluster, client, ledger, told) => faults?,
        () = &mut work => bail!("the clients ended before the faults"),
    };
    enough.send_replace(true);
    tokio::time::timeout(PATIENCE, work).await.context("the clients did not come to an end")?;
    Ok(faults)
}

/// A short wait of a random length.
fn random_pause(random: &mut fastrand::Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}
