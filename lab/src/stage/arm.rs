//! Runs the steps of one arm, in order, in the arm's own namespace.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use serde_json::{Value, json};
use squall_api::core::v1::Namespace;
use squall_checkers::service;
use squall_checkers::traffic::Traffic;
use squall_client::Api;
use squall_cluster::{ClientCommand, ClientProcess};
use squall_referee::evidence::{ArmRecord, Expected, Loaded, Requests, StepRecord};
use squall_referee::history::World;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::drain::{self, Scheduling};
use super::faults::{self, Order};
use super::reasons::reasons;
use super::record::requests_of;
use super::shared::{LOOK, Shared};
use super::state::Stage;
use crate::faults::Commands;
use crate::scenario::{Apply, Arm, Ctl, Drain, Exit, Expectation, FaultStep, Load, Moment, Objects, Run, Step};

/// The namespace that always exists.
const DEFAULT: &str = "default";

/// An arm while it runs.
pub struct ArmStage {
    shared: Arc<Shared>,
    arm: Arc<Arm>,
    /// Faults that wait for their moment or are in force.
    living: JoinSet<()>,
    orders: BTreeMap<String, watch::Sender<Order>>,
    /// The nodes that do not take pods until they are healed.
    drained: Vec<Drain>,
    stopped: Option<String>,
    /// The service under load, and since when.
    loaded: Option<(String, Duration)>,
    steps: Vec<StepRecord>,
    commands: usize,
}

impl ArmStage {
    /// Creates the arm's namespace.
    pub async fn enter(stage: Arc<Stage>, arm: Arm, slot: usize) -> anyhow::Result<Self> {
        if arm.name != DEFAULT {
            let mut namespace = Namespace::default();
            namespace.metadata.name.clone_from(&arm.name);
            Api::new(stage.client.clone(), "").create(namespace).await.context("creating a namespace")?;
        }
        let (name, commands, healed) = (arm.name.clone(), Commands::default(), watch::Sender::default());
        let shared = Arc::new(Shared { stage, name, commands, slot, healed });
        let (living, orders, steps) = (JoinSet::new(), BTreeMap::new(), Vec::new());
        let (drained, stopped, loaded) = (Vec::new(), None, None);
        Ok(Self { shared, arm: Arc::new(arm), living, orders, drained, stopped, loaded, steps, commands: 0 })
    }

    /// Runs the steps. An error in a step ends the arm, not the scenario.
    pub async fn play(&mut self) -> anyhow::Result<()> {
        let arm = self.arm.clone();
        for step in &arm.steps {
            let from = self.shared.stage.now();
            let taken = self.take(step).await;
            self.steps.push(StepRecord { text: step.to_string(), from, to: self.shared.stage.now() });
            if let Err(error) = taken {
                self.stopped_by(&error);
                break;
            }
        }
        Ok(())
    }

    /// Records why the arm was not run to its end. Its faults end at once.
    pub fn stopped_by(&mut self, error: &anyhow::Error) {
        if self.stopped.is_none() {
            self.shared.note(format!("stopped: {error:#}"));
            self.stopped = Some(format!("{error:#}"));
        }
        self.order(Order::Heal);
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Ctl(ctl) => self.command(ctl).await,
            Step::Run(run) => self.run(run).await,
            Step::Apply(apply) => self.apply(apply).await,
            Step::Drain(drain) => self.drain(drain).await,
            Step::Await(step) => {
                let (condition, within) = (&step.condition, step.within);
                let Err(seen) = self.shared.until(condition, within).await else { return Ok(()) };
                let why: String =
                    reasons(&self.shared, condition).await.iter().map(|why| format!("\n    {why}")).collect();
                bail!("waited {within:?} for: {condition}; last seen: {seen}{why}")
            }
            Step::Rest(rest) => {
                tokio::time::sleep(rest.time).await;
                Ok(())
            }
            Step::Load(start) => self.load(&start.load).await,
            Step::Fault(fault) => {
                self.fault(fault).await;
                Ok(())
            }
            Step::Heal(heal) => {
                let name = &heal.fault;
                if let Some(place) = self.drained.iter().position(|drain| drain.name == *name) {
                    let drain = self.drained.remove(place);
                    return self.undrain(&drain).await;
                }
                let order = self.orders.get(name).with_context(|| format!("no fault is named {name}"))?;
                order.send_replace(Order::Heal);
                self.shared.is_healed(name).await;
                Ok(())
            }
            Step::Resume(resume) => self.shared.commands.resume(&resume.command),
        }
    }

    async fn command(&mut self, step: &Ctl) -> anyhow::Result<()> {
        let Ctl { words, background, exit } = step;
        self.commands += 1;
        let stage = &self.shared.stage;
        let mut all = words.clone();
        all.extend(["--namespace".to_owned(), self.shared.name.clone()]);
        let command = self.started_with(None, all);
        let process = stage.cluster.lock().await.start_client(&command)?;
        let line = format!("$ {}", Step::Ctl(step.clone()));
        if let Some(name) = background {
            self.shared.note(format!("{line} &   # {name}"));
            self.shared.commands.add(name, process, None);
            return Ok(());
        }
        self.shared.note(line.clone());
        waited(process, &line, *exit).await
    }

    /// Applies the objects, as a user would from a file.
    async fn apply(&mut self, step: &Apply) -> anyhow::Result<()> {
        self.commands += 1;
        let file = tempfile::Builder::new().suffix(".json").tempfile().context("making a manifest")?;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": step.objects});
        let list = match &step.objects {
            Objects::Many(_) => list,
            Objects::One(object) => Value::Object(object.clone()),
        };
        serde_json::to_writer(file.as_file(), &list).context("writing a manifest")?;
        let path = file.path().display().to_string();
        let words = ["apply", "-f", &path, "--namespace", &self.shared.name].map(str::to_owned).to_vec();
        let process = self.shared.stage.cluster.lock().await.start_client(&self.started_with(None, words))?;
        let line = format!("$ {}", Step::Apply(step.clone()));
        self.shared.note(line.clone());
        waited(process, &line, Exit::Success).await
    }

    async fn drain(&mut self, step: &Drain) -> anyhow::Result<()> {
        self.shared.note(format!("$ {}", Step::Drain(step.clone())));
        self.drained.push(step.clone());
        let (client, node) = (&self.shared.stage.client, &step.node);
        match tokio::time::timeout(step.within, drain::drain(client, node, &self.shared.name)).await {
            Ok(evicted) => {
                let evicted = evicted.with_context(|| format!("draining {node}"))?;
                self.shared.note(format!("drained: {node}, {evicted} pods evicted"));
                Ok(())
            }
            Err(_) => bail!("waited {:?} until the pods were gone from {node}", step.within),
        }
    }

    async fn undrain(&self, step: &Drain) -> anyhow::Result<()> {
        drain::schedule(&self.shared.stage.client, &step.node, Scheduling::Allowed).await?;
        self.shared.note(format!("healed: drain {}", step.node));
        Ok(())
    }

    fn started_with(&self, program: Option<PathBuf>, words: Vec<String>) -> ClientCommand {
        let (slot, folder) = (self.shared.slot, self.shared.stage.folder.clone());
        ClientCommand { program, words, slot, folder, log: format!("{}-{}.log", self.shared.name, self.commands) }
    }

    async fn run(&mut self, Run { words, name }: &Run) -> anyhow::Result<()> {
        self.commands += 1;
        let (program, arguments) = words.split_first().context("`run` names no program")?;
        // A path is relative to the scenario's folder.
        let beside = self.shared.stage.folder.join(program);
        let program = if program.contains('/') { beside } else { PathBuf::from(program) };
        let command = self.started_with(Some(program), arguments.to_vec());
        let process = self.shared.stage.cluster.lock().await.start_client(&command)?;
        self.shared.note(format!("$ {} &   # {name}", words.join(" ")));
        self.shared.commands.add(name, process, Some(command));
        Ok(())
    }

    async fn load(&mut self, load: &Load) -> anyhow::Result<()> {
        let address = service::address(&self.shared.stage.client, &self.shared.name, &load.service).await?;
        self.shared.note(format!("{} clients send requests to {address}", load.clients));
        let traffic = Traffic::recorded(address, load.clients);
        self.loaded = Some((load.service.clone(), self.shared.stage.now()));
        self.shared.stage.start_load(&self.shared.name, traffic);
        Ok(())
    }

    async fn fault(&mut self, step: &FaultStep) {
        let (order, mut orders) = watch::channel(Order::Live);
        self.orders.insert(step.name.clone(), order);
        let (shared, step) = (self.shared.clone(), step.clone());
        // The task keeps running when its waiter is gone: the fault must still be healed.
        let (begun, is_begun) = oneshot::channel();
        let is_now = step.moment == Moment::Now;
        self.living.spawn(async move {
            if !faults::moment(&shared, &step, &mut orders).await {
                return faults::never_came(&shared, &step);
            }
            let active = faults::begin(&shared, &step).await;
            // Only a fault that starts at once is waited for.
            begun.send(()).ok();
            if let Some(active) = active {
                faults::live(shared, step, active, orders).await;
            }
        });
        if is_now {
            is_begun.await.ok();
        }
    }

    /// Tells the arm's faults to end: those without their own end, or all of them.
    pub fn order(&self, order: Order) {
        for orders in self.orders.values() {
            // Never weaken an order: a fault that was told to heal must heal.
            orders.send_if_modified(|given| std::mem::replace(given, (*given).max(order)) != *given);
        }
    }

    /// Waits until all faults are healed.
    pub async fn healed(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.living.join_next().await {
            ended.context("a fault")?;
        }
        for drain in std::mem::take(&mut self.drained) {
            self.undrain(&drain).await?;
        }
        Ok(())
    }

    /// Waits until no pod of the arm is terminating: until then, clients may still be sent to one.
    pub async fn quiet(&self, limit: Duration) {
        let witness = &self.shared.stage.witness;
        let mut news = witness.news();
        let is_quiet = |world: &World| {
            let mut pods = world.pods().filter(|pod| pod.metadata.namespace == self.shared.name);
            !pods.any(|pod| pod.metadata.deletion_timestamp.is_some())
        };
        let all_gone = async {
            while self.stopped.is_none() && !witness.look(is_quiet) {
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(limit, all_gone).await.is_err() {
            self.shared.note(format!("some pods still terminate after {limit:?}"));
        }
    }

    /// Checks the expectations. Nothing is expected of an arm that was stopped.
    pub async fn expectations(&self) -> Vec<Expected> {
        let expect = if self.stopped.is_none() { self.arm.expect.as_slice() } else { &[] };
        join_all(expect.iter().map(|expectation| self.expectation(expectation))).await
    }

    async fn expectation(&self, expectation: &Expectation) -> Expected {
        let condition = &expectation.condition;
        let reached = self.shared.until(condition, expectation.within).await;
        let held = match reached {
            Ok(()) => self.shared.stays(condition, expectation.stays).await,
            Err(seen) => Err(format!("it did not hold within {:?}: {seen}", expectation.within)),
        };
        let why = match &held {
            Ok(()) => Vec::new(),
            Err(_) => reasons(&self.shared, condition).await,
        };
        Expected { text: condition.to_string(), instead: held.err(), why }
    }

    /// Ends the background commands and the load, and returns the arm's record.
    pub async fn finish(self, expected: Vec<Expected>) -> ArmRecord {
        for (name, code, last) in self.shared.commands.ends() {
            let how = if code == -1 { "was killed by a signal".to_owned() } else { format!("exited with {code}") };
            self.shared.note(format!("{name} {how}: {last}"));
        }
        let clients_may_fail = self.arm.clients_may_fail;
        let requests = match self.shared.stage.take_load(&self.shared.name) {
            Some(traffic) => {
                let (tally, all) = traffic.end_with_requests().await;
                requests_of(tally, all, self.shared.stage.start)
            }
            None => Requests::default(),
        };
        let to = self.shared.stage.now();
        ArmRecord {
            name: self.shared.name.clone(),
            stopped: self.stopped,
            loaded: self.loaded.map(|(service, from)| Loaded { service, from, to }),
            steps: self.steps,
            expected,
            requests,
            clients_may_fail,
            floors: self.arm.never_fewer.clone(),
        }
    }
}

/// Waits for a command of the arm, and checks how it ended.
async fn waited(mut process: ClientProcess, line: &str, wanted: Exit) -> anyhow::Result<()> {
    let code = loop {
        match process.ended()? {
            Some(code) => break code,
            None => tokio::time::sleep(LOOK).await,
        }
    };
    let is_as_wanted = match wanted {
        Exit::Success => code == 0,
        Exit::Failure => code != 0,
        Exit::Any => true,
    };
    ensure!(is_as_wanted, "{line} exited with {code}: {}", process.last_line());
    Ok(())
}
