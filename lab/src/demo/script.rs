//! What happens in the demo, step by step.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;
use squall_api::apps::v1::Deployment;
use squall_api::{Kind, manifest};
use squall_client::{Api, Client, Encoding, Manifest, ResourceRef, WriteOptions};
use squall_cluster::{Cluster, Lifetime, MemberName, wait_until_ready};
use tokio::sync::watch;

use super::summary::{Fault, Summary, reasons};
use super::view::{Phase, View, by_version};
use squall_checkers::agreement;
use squall_checkers::service;
use squall_checkers::traffic::Traffic;
use squall_checkers::{Recorder, Witness};
use squall_client::{PATIENCE, wait_for};
use squall_cluster::leaders;
use squall_referee::history::World;
use squall_referee::judge;

const MANIFEST: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");
const NAME: &str = "kubia";
const NAMESPACE: &str = "default";
const REPLICAS: usize = 3;
/// The new ReplicaSet's size at which the leaders are killed: some pods of each version are there.
const KILL_AT: i32 = 2;
/// How many clients ask without a pause.
const CLIENTS: usize = 4;
/// How often the view is renewed.
const LOOK: Duration = Duration::from_millis(100);
/// Who leads is asked of someone who may be gone: not for long.
const ASK: Duration = Duration::from_secs(1);

/// How the demo is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the cluster consists of.
    pub cluster: squall_cluster::Options,
}

/// Runs the demo in an empty folder. `views` gets what can be seen meanwhile. An error means that the demo could not
/// be carried through; whether it passed is in the summary.
pub async fn run(folder: &Path, options: Options, views: watch::Sender<View>) -> anyhow::Result<Summary> {
    let start = Instant::now();
    let mut cluster = Cluster::create(folder, options.cluster, Lifetime::Attached)?;
    cluster.start_all()?;
    let client = cluster.client()?;
    wait_until_ready(&mut cluster, &client, PATIENCE).await?;
    let ready_seconds = start.elapsed().as_secs_f64();
    let recorder = Recorder::start(client.clone()).await?;
    let stage = Stage { cluster, client, recorder, traffic: Arc::default(), views };
    stage.perform(start, ready_seconds).await
}

/// Everything that is on the stage.
struct Stage {
    cluster: Cluster,
    client: Client,
    recorder: Recorder,
    /// Once it has begun.
    traffic: Arc<Mutex<Option<Traffic>>>,
    views: watch::Sender<View>,
}

impl Stage {
    async fn perform(mut self, start: Instant, ready_seconds: f64) -> anyhow::Result<Summary> {
        let watcher = tokio::spawn(look_on(
            self.client.with_deadline(ASK),
            self.recorder.witness(),
            self.traffic.clone(),
            self.views.clone(),
        ));
        let result = self.play(start, ready_seconds).await;
        watcher.abort();
        result
    }

    async fn play(&mut self, start: Instant, ready_seconds: f64) -> anyhow::Result<Summary> {
        self.enter(Phase::Deploying);
        create(&self.client).await?;
        self.rolled_out(1).await?;
        let address = service::address(&self.client, NAMESPACE, NAME).await?;
        *lock(&self.traffic) = Some(Traffic::start(address, CLIENTS));
        wait_for("v1 to answer", || async { self.has_answered("v1") }).await?;

        self.enter(Phase::RollingOut);
        let before = self.revision().await?;
        let rollout = Instant::now();
        let patch =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "nodejs", "image": "luksa/kubia:v2"}]}}}});
        self.deployments().patch(NAME, &patch).await.context("setting the image")?;
        self.recorder.until("the rollout to be half done", PATIENCE, is_half_done).await?;
        let faults = self.kill_leaders().await?;
        self.rolled_out(2).await?;
        let rollout_seconds = rollout.elapsed().as_secs_f64();

        self.enter(Phase::Rejoining);
        for fault in &faults {
            self.cluster.start(fault.killed)?;
        }
        wait_for("v2 to answer", || async { self.has_answered("v2") }).await?;
        let members = wait_for("all members to agree", || agreement::agreed(&self.client)).await?;
        if let Some(failure) = self.cluster.first_failure() {
            bail!("{failure}");
        }
        let pods = by_version(&self.recorder.latest());
        let traffic = lock(&self.traffic).take();
        let tally = traffic.context("there was no traffic")?.end().await;

        self.enter(Phase::Judging);
        let (revisions, history) = self.recorder.finish().await?;
        let verdict = judge::judge(revisions, &history);
        Ok(Summary {
            reasons: reasons(&tally, &pods, &faults, &verdict, REPLICAS),
            timing: self.cluster.options().timing.clone(),
            ready_seconds,
            rollout_seconds,
            total_seconds: start.elapsed().as_secs_f64(),
            failed_requests: tally.failed,
            slowest_request_ms: tally.slowest.as_secs_f64() * 1_000.0,
            requests: tally.by_version,
            faults,
            pods,
            extremes: judge::extremes(&history, before),
            verdict,
            agreed: members.first().map(|m| (m.revision, format!("{:016x}", m.state_hash))).unwrap_or_default(),
        })
    }

    fn enter(&self, phase: Phase) {
        self.views.send_modify(|view| view.phase = phase);
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::new(self.client.clone(), NAMESPACE)
    }

    async fn revision(&self) -> anyhow::Result<u64> {
        let (revision, _) = self.client.list(&ResourceRef::collection(Kind::Deployment, NAMESPACE), "", "", "").await?;
        Ok(squall_api::meta::parse_resource_version(&revision)?)
    }

    fn has_answered(&self, version: &str) -> Result<(), String> {
        let tally = lock(&self.traffic).as_ref().map(Traffic::tally).unwrap_or_default();
        if tally.by_version.contains_key(version) { Ok(()) } else { Err(format!("{tally:?}")) }
    }

    /// Waits until the Deployment says that this generation of it is rolled out.
    async fn rolled_out(&mut self, generation: i64) -> anyhow::Result<()> {
        self.recorder.until("the rollout to finish", PATIENCE, |world| is_rolled_out(world, generation)).await
    }

    /// Kills whoever leads the apiservers and whoever leads the controller-managers, at the same moment, and waits for
    /// their successors.
    async fn kill_leaders(&mut self) -> anyhow::Result<Vec<Fault>> {
        let asked = self.client.with_deadline(ASK);
        let (store, term) = wait_for("a Raft leader", || leaders::raft_leader(&asked)).await?;
        let (manager, transitions) = wait_for("an elected controller-manager", || leaders::elected(&asked)).await?;
        self.cluster.kill(store)?;
        self.cluster.kill(manager)?;
        self.enter(Phase::Leaderless);
        let killed = Instant::now();
        let next_store = async {
            let successor =
                wait_for("another Raft leader", || async { other_than(store, leaders::raft_leader(&asked).await?) });
            successor.await.map(|(member, term)| (member, term, killed.elapsed()))
        };
        let next_manager = async {
            let successor = wait_for("another controller-manager to be elected", || async {
                other_than(manager, leaders::elected(&asked).await?)
            });
            successor.await.map(|(member, transitions)| (member, transitions, killed.elapsed()))
        };
        let (next_store, next_manager) = tokio::try_join!(next_store, next_manager)?;
        let epoch = |transitions: i32| u64::try_from(transitions).unwrap_or(0);
        Ok(vec![
            Fault {
                killed: store,
                led: "Raft",
                epoch: term,
                successor: next_store.0,
                successor_epoch: next_store.1,
                seconds: next_store.2.as_secs_f64(),
            },
            Fault {
                killed: manager,
                led: "the controllers",
                epoch: epoch(transitions),
                successor: next_manager.0,
                successor_epoch: epoch(next_manager.1),
                seconds: next_manager.2.as_secs_f64(),
            },
        ])
    }
}

fn lock(traffic: &Mutex<Option<Traffic>>) -> std::sync::MutexGuard<'_, Option<Traffic>> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

fn other_than<E>(killed: MemberName, leader: (MemberName, E)) -> Result<(MemberName, E), String> {
    if leader.0 == killed { Err(format!("{killed} still counts as leading")) } else { Ok(leader) }
}

fn is_half_done(world: &World) -> Option<()> {
    let deployment = world.deployments().find(|deployment| deployment.metadata.name == NAME)?;
    let mut sets: Vec<_> = world.sets_of(&deployment.metadata.uid).collect();
    let newest = squall_api::revision::find_new(deployment, &mut sets)?;
    (sets.len() > 1 && sets[newest].spec.replicas.unwrap_or(1) >= KILL_AT).then_some(())
}

fn is_rolled_out(world: &World, generation: i64) -> Option<()> {
    let deployment = world.deployments().find(|deployment| deployment.metadata.name == NAME)?;
    let status = &deployment.status;
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    let all = deployment.spec.replicas.unwrap_or(1);
    let observed = status.observed_generation >= generation && deployment.metadata.generation >= generation;
    (observed && counts == [all; 3]).then_some(())
}

async fn create(client: &Client) -> anyhow::Result<()> {
    for json in manifest::documents(MANIFEST).map_err(anyhow::Error::msg)? {
        let word = |field: &str| json.get(field).and_then(|value| value.as_str()).unwrap_or_default();
        let kind = Kind::of_manifest(word("apiVersion"), word("kind")).context("the example has a kind")?;
        let manifest = Manifest { encoding: Some(Encoding::Json(json.to_string().into())) };
        client.create(&ResourceRef::collection(kind, NAMESPACE), manifest, WriteOptions::default()).await?;
    }
    Ok(())
}

/// Keeps the view up to date, until it is stopped.
async fn look_on(client: Client, witness: Witness, traffic: Arc<Mutex<Option<Traffic>>>, views: watch::Sender<View>) {
    loop {
        let (raft_leader, elected) = tokio::join!(leaders::raft_leader(&client), leaders::elected(&client));
        let tally = lock(&traffic).as_ref().map(Traffic::tally);
        views.send_modify(|view| {
            view.pods = witness.look(by_version);
            view.raft_leader = raft_leader.ok().map(|(member, _)| member);
            view.elected = elected.ok().map(|(member, _)| member);
            if let Some(tally) = tally {
                view.requests = tally.by_version;
                view.failed = tally.failed;
            }
        });
        tokio::time::sleep(LOOK).await;
    }
}
