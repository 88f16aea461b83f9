//! A run from beginning to end: cluster, observers, arms, verdict.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::future::{LocalBoxFuture, join_all};
use squall_checkers::{Checkers, Recorder, Witness, agreement};
use squall_client::{Client, PATIENCE, wait_for};
use squall_cluster::{CLIENTS, Cluster, Lifetime, Options, TimingProfile, wait_until_ready};
use squall_referee::evidence::ArmRecord;
use squall_referee::history::{Author, History, WriteLog, read_authors};
use squall_referee::invariants::owners;
use squall_referee::verdict::{self, Evidence};
use tokio::sync::watch;

use super::arm::ArmStage;
use super::faults::Order;
use super::record::Record;
use super::state::{Audience, Stage};
use super::{aftermath, lanes};
use crate::scenario::Scenario;

/// The divisor of `fast` timing.
const FAST: u32 = 10;

/// How to run a scenario.
#[derive(Debug, Clone)]
pub struct Playing {
    /// The set of timing constants.
    pub timing: TimingProfile,
    /// The protection to leave out.
    pub mutant: Option<String>,
    /// The folder for the cluster and the scenario's files.
    pub folder: PathBuf,
    /// Ends the arms when it becomes true, as if their steps were done.
    pub enough: watch::Receiver<bool>,
}

impl Playing {
    /// Runs a scenario to the end of its steps, in a folder.
    #[must_use]
    pub fn to_the_end(timing: TimingProfile, mutant: Option<String>, folder: PathBuf) -> Self {
        Self { timing, mutant, folder, enough: watch::Sender::new(false).subscribe() }
    }
}

/// Runs a scenario on its own cluster and judges it. An error means that the scenario could not be run; the record says
/// whether it passed.
///
/// The future is boxed, so that it is compiled here and not again in each crate that awaits it.
pub fn play<'a>(
    scenario: &'a Scenario,
    playing: &'a Playing,
    audience: Audience,
) -> LocalBoxFuture<'a, anyhow::Result<Record>> {
    Box::pin(played(scenario, playing, audience))
}

async fn played(scenario: &Scenario, playing: &Playing, audience: Audience) -> anyhow::Result<Record> {
    let began = Instant::now();
    let (cluster, client) = raise(scenario, playing).await?;
    let ready_seconds = began.elapsed().as_secs_f64();
    let mut recorder = Recorder::start(client.clone()).await?;
    let checkers = Checkers::new(scenario.cluster.checkers, scenario.cluster.others());
    let acknowledged = checkers.acknowledged();
    let stage = Arc::new(Stage::new(cluster, &client, &recorder, &scenario.folder, acknowledged, audience));
    let (lanes, enough) = (lanes::watch(stage.clone()), watch::Sender::new(false));
    let playing_it = async {
        let played = perform(scenario, &stage, playing.enough.clone()).await;
        enough.send_replace(true);
        played
    };
    let (arms, asked) = tokio::join!(playing_it, checkers.ask_at_most(&client, enough.subscribe()));
    let mut arms = arms?;
    collected(&stage.witness, scenario.settle).await;
    let agreed = within(scenario.settle, wait_for("all members to agree", || agreement::agreed(&client))).await;
    let checked = match asked {
        Ok(()) => checkers.judge(&client).await,
        Err(error) => Err(error),
    };
    // Without nodes there is no rollout to judge.
    let recorded = match scenario.cluster.nodes {
        0 => Ok((0..=0, History::default())),
        _ => recorder.finish().await,
    };
    let (lanes, seen_at) = lanes.end().await;
    let authors = authors(stage.cluster.lock().await.write_logs());
    let seconds_divided_by = if playing.timing == TimingProfile::Fast { FAST } else { 1 };
    let recorded = recorded.and_then(|(range, history)| {
        Ok((range, History { seconds_divided_by, seen_at, authors: authors?, ..history }))
    });
    let zombies = match &recorded {
        Ok((_, history)) => aftermath::zombies(history, &recorder.latest()).await,
        Err(_) => Vec::new(),
    };
    let (notes, faults) = stage.taken();
    let agreed = agreed.map(|members| members.first().map_or((0, 0), |member| (member.revision, member.state_hash)));
    let ended = stage.cluster.lock().await.first_failure();
    let evidence = Evidence {
        arms: &mut arms,
        faults: &faults,
        faults_may_miss: scenario.faults_may_miss,
        agreed: agreed.map_err(|error| format!("{error:#}")),
        checked: checked.map_err(|error| format!("{error:#}")),
        recorded: recorded.map_err(|error| format!("{error:#}")),
        zombies,
        ended,
        lanes: &lanes,
    };
    let (verdict, history) = verdict::reach(evidence);
    Ok(Record {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        explain: scenario.explain.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timing: playing.timing.as_str().to_owned(),
        mutant: playing.mutant.clone(),
        ready_seconds,
        seconds: began.elapsed().as_secs_f64(),
        played: stage.now(),
        verdict,
        arms,
        faults,
        lanes,
        notes,
        history,
    })
}

/// Reads the author of each revision from the apiservers' write logs.
fn authors(logs: Vec<PathBuf>) -> anyhow::Result<BTreeMap<u64, Author>> {
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading the write log {name}"))?;
        Ok(WriteLog { name, text })
    };
    let logs: Vec<WriteLog> = logs.into_iter().map(read).collect::<anyhow::Result<_>>()?;
    read_authors(&logs).map_err(anyhow::Error::msg)
}

/// Starts a cluster for a scenario and waits until it is ready.
async fn raise(scenario: &Scenario, playing: &Playing) -> anyhow::Result<(Cluster, Client)> {
    let shape = &scenario.cluster;
    ensure!(scenario.arms.len() <= CLIENTS, "a scenario has at most {CLIENTS} arms: each has a client of its own");
    let options = Options {
        apiservers: shape.apiservers,
        controller_managers: shape.controller_managers,
        nodes: shape.nodes,
        timing: playing.timing,
        images: scenario.catalogue(&playing.folder)?,
        strict_images: false,
        links: shape.links,
        retry_backends: shape.retry_backends,
        // It is about the writes of controllers to rollouts, and grows with every write.
        write_log: shape.nodes > 0,
        mutant: playing.mutant.clone(),
    };
    let mut cluster = Cluster::create(&playing.folder.join("cluster"), options, Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await.context("waiting for the cluster")?;
    Ok((cluster, client))
}

/// Runs all steps of all arms, heals all faults, and checks the expectations.
async fn perform(
    scenario: &Scenario,
    stage: &Arc<Stage>,
    mut enough: watch::Receiver<bool>,
) -> anyhow::Result<Vec<ArmRecord>> {
    let mut arms = Vec::new();
    for (slot, arm) in scenario.arms.iter().enumerate() {
        arms.push(ArmStage::enter(stage.clone(), arm.clone(), slot).await?);
    }
    let played = within(scenario.limit, async {
        let enough = async {
            if enough.wait_for(|enough| *enough).await.is_err() {
                // Nobody is left who could say so.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            played = join_all(arms.iter_mut().map(ArmStage::play)) => played.into_iter().collect::<anyhow::Result<()>>(),
            () = enough => Ok(()),
        }
    })
    .await;
    // Heal every fault, whatever the result of the steps. A fault with its own end gets there, unless time is up.
    let order = if played.is_err() { Order::Heal } else { Order::Over };
    arms.iter().for_each(|arm| arm.order(order));
    join_all(arms.iter_mut().map(ArmStage::healed)).await.into_iter().collect::<anyhow::Result<()>>()?;
    if let Err(error) = played {
        for arm in &mut arms {
            arm.stopped_by(&error);
        }
    }
    join_all(arms.iter().map(|arm| arm.quiet(scenario.settle))).await;
    let expected = join_all(arms.iter().map(ArmStage::expectations)).await;
    let finished = arms.into_iter().zip(expected).map(|(arm, expected)| arm.finish(expected));
    Ok(join_all(finished).await)
}

/// Waits until objects without an owner are collected; the referee reports those that remain.
async fn collected(witness: &Witness, limit: Duration) {
    let mut news = witness.news();
    let all_gone = async {
        loop {
            news.borrow_and_update();
            if witness.look(|world| owners::orphans(world).is_empty()) || news.changed().await.is_err() {
                return;
            }
        }
    };
    drop(tokio::time::timeout(limit, all_gone).await);
}

async fn within<T, E: Into<anyhow::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => bail!("timed out after {limit:?}"),
    }
}
