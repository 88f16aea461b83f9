//! The stage on which a scenario is played: a cluster with links, everybody who looks on, and the arms side by side.
//!
//! `arm` does the steps of one, `faults` lets each fault live its life, `commands` are the processes that run beside, `lanes`
//! notes who leads, `aftermath` looks at what is left, `record` is what comes of it all.

mod aftermath;
mod arm;
mod commands;
mod faults;
mod lanes;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use squall_client::Client;
use squall_cluster::{CLIENTS, Cluster, Lifetime, Options, wait_until_ready};
use tokio::sync::{Mutex, watch};

pub use commands::Commands;
pub use record::{Note, Record};

use crate::scenario::Scenario;
use arm::ArmStage;
use faults::Order;
use squall_checkers::agreement;
use squall_checkers::{Checkers, Recorder, Witness};
use squall_client::{PATIENCE, wait_for};
use squall_referee::evidence::{ArmRecord, FaultRecord};
use squall_referee::history::{Author, History, WriteLog, read_authors};
use squall_referee::invariants::owners;
use squall_referee::verdict::{self, Evidence};

/// By what `fast` timing divides.
const FAST: u32 = 10;

/// How a scenario is played.
#[derive(Debug, Clone)]
pub struct Playing {
    /// `fast` or `k8s`.
    pub timing: String,
    /// The protection that is left out.
    pub mutant: Option<String>,
    /// Where the cluster and the files of the scenario go.
    pub folder: PathBuf,
}

/// Hears what happens.
type Told = Box<dyn Fn(&Note) + Send + Sync>;

/// What all arms share.
pub struct Stage {
    cluster: Mutex<Cluster>,
    /// A client that no fault concerns.
    client: Client,
    witness: Witness,
    start: Instant,
    folder: PathBuf,
    faults: StdMutex<Vec<FaultRecord>>,
    told: Told,
    notes: StdMutex<Vec<Note>>,
}

impl Stage {
    fn new(cluster: Cluster, client: &Client, recorder: &Recorder, folder: &Path, told: Told) -> Self {
        Self {
            cluster: Mutex::new(cluster),
            client: client.clone(),
            witness: recorder.witness(),
            start: recorder.start_time(),
            folder: folder.to_owned(),
            faults: StdMutex::default(),
            told,
            notes: StdMutex::default(),
        }
    }

    /// Something happened.
    fn note(&self, arm: &str, text: String) {
        let note = Note { at: self.start.elapsed(), arm: arm.to_owned(), text };
        (self.told)(&note);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What has happened, and what was broken, in order.
    fn taken(&self) -> (Vec<Note>, Vec<FaultRecord>) {
        let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        let mut faults = std::mem::take(&mut *self.faults.lock().unwrap_or_else(PoisonError::into_inner));
        faults.sort_by_key(|fault| fault.from);
        (notes, faults)
    }

    fn keep(&self, fault: FaultRecord) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

/// Plays a scenario on a cluster of its own, and judges it. `told` hears what happens meanwhile. An error means that it could
/// not be played; whether it passed is in the record.
pub async fn play(
    scenario: &Scenario,
    playing: &Playing,
    told: impl Fn(&Note) + Send + Sync + 'static,
) -> anyhow::Result<Record> {
    let began = Instant::now();
    let (cluster, client) = raise(scenario, playing).await?;
    let mut recorder = Recorder::start(client.clone()).await?;
    let stage = Arc::new(Stage::new(cluster, &client, &recorder, &scenario.folder, Box::new(told)));
    let lanes = lanes::watch(&client, stage.start);
    let (checkers, enough) = (Checkers::new(scenario.cluster.checkers), watch::Sender::new(false));
    let playing_it = async {
        let played = perform(scenario, &stage).await;
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
    let recorded = recorder.finish().await;
    let (lanes, seen_at) = lanes.end().await;
    let authors = authors(stage.cluster.lock().await.write_logs());
    let seconds_divided_by = if playing.timing == "fast" { FAST } else { 1 };
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
        timing: playing.timing.clone(),
        mutant: playing.mutant.clone(),
        seconds: began.elapsed().as_secs_f64(),
        played: stage.start.elapsed(),
        verdict,
        arms,
        faults,
        lanes,
        notes,
        history,
    })
}

/// Who made each revision, by the write logs of the apiservers.
fn authors(logs: Vec<PathBuf>) -> anyhow::Result<BTreeMap<u64, Author>> {
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading the write log {name}"))?;
        Ok(WriteLog { name, text })
    };
    let logs: Vec<WriteLog> = logs.into_iter().map(read).collect::<anyhow::Result<_>>()?;
    read_authors(&logs).map_err(anyhow::Error::msg)
}

/// A cluster for a scenario, ready.
async fn raise(scenario: &Scenario, playing: &Playing) -> anyhow::Result<(Cluster, Client)> {
    let shape = &scenario.cluster;
    ensure!(scenario.arms.len() <= CLIENTS, "a scenario has at most {CLIENTS} arms: each has a client of its own");
    let options = Options {
        apiservers: shape.apiservers,
        controller_managers: shape.controller_managers,
        nodes: shape.nodes,
        timing: playing.timing.clone(),
        links: true,
        write_log: true,
        mutant: playing.mutant.clone(),
        ..Options::default()
    };
    let mut cluster = Cluster::create(&playing.folder.join("cluster"), options, Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await.context("the cluster")?;
    Ok((cluster, client))
}

/// Does all steps of all arms, heals what is broken then, and looks whether all is as expected.
async fn perform(scenario: &Scenario, stage: &Arc<Stage>) -> anyhow::Result<Vec<ArmRecord>> {
    let mut arms = Vec::new();
    for (slot, arm) in scenario.arms.iter().enumerate() {
        arms.push(ArmStage::enter(stage.clone(), arm.clone(), slot).await?);
    }
    let played = within(scenario.limit, async {
        let played = join_all(arms.iter_mut().map(ArmStage::play)).await;
        played.into_iter().collect::<anyhow::Result<()>>()
    })
    .await;
    // Whatever came of the steps: nothing stays broken. What has an end of its own comes to it, unless there is no time.
    let order = if played.is_err() { Order::Heal } else { Order::Over };
    arms.iter().for_each(|arm| arm.order(order));
    join_all(arms.iter_mut().map(ArmStage::healed)).await.into_iter().collect::<anyhow::Result<()>>()?;
    if let Err(error) = played {
        for arm in &mut arms {
            arm.stopped_by(&error);
        }
    }
    let expected = join_all(arms.iter().map(ArmStage::expectations)).await;
    let finished = arms.into_iter().zip(expected).map(|(arm, expected)| arm.finish(expected));
    Ok(join_all(finished).await)
}

/// Waits until what has lost its owner is collected; what is left then is the referee's.
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
        Err(_) => bail!("not done after {limit:?}"),
    }
}
