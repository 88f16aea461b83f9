//! One arm: its steps, one after the other, in a namespace of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::join_all;
use squall_api::core::v1::Namespace;
use squall_client::Api;
use squall_cluster::ClientCommand;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::faults::{self, Order};
use super::record::requests_of;
use super::{Commands, Stage};
use crate::faults::Scene;
use crate::scenario::{Arm, Condition, Exit, Expectation, FaultStep, Load, Moment, Seen, Step};
use squall_checkers::service;
use squall_checkers::traffic::Traffic;
use squall_referee::evidence::{ArmRecord, Expected, Requests};

/// How often it is looked for what no change of the store tells of.
const LOOK: Duration = Duration::from_millis(20);
/// The namespace that is there without an arm.
const DEFAULT: &str = "default";

/// What those who live longer than a step share.
pub struct Shared {
    pub stage: Arc<Stage>,
    /// The arm's name, which is that of its namespace.
    pub name: String,
    commands: Commands,
    slot: usize,
    traffic: Mutex<Option<Traffic>>,
    /// The faults that have come to their end.
    healed: watch::Sender<BTreeSet<String>>,
}

/// An arm on the stage.
pub struct ArmStage {
    shared: Arc<Shared>,
    arm: Arc<Arm>,
    /// Faults that wait for their moment or are in force.
    living: JoinSet<()>,
    orders: BTreeMap<String, watch::Sender<Order>>,
    stopped: Option<String>,
    commands: usize,
}

impl Shared {
    pub fn note(&self, text: String) {
        self.stage.note(&self.name, text);
    }

    /// What the arm's faults may break.
    pub fn scene(&self) -> Scene<'_> {
        let (cluster, client) = (&self.stage.cluster, &self.stage.client);
        Scene { cluster, client, commands: &self.commands, slot: self.slot }
    }

    /// A fault has come to its end.
    pub fn note_healed(&self, fault: &str) {
        self.healed.send_modify(|healed| {
            healed.insert(fault.to_owned());
        });
    }

    async fn is_healed(&self, fault: &str) {
        // The sender is one's own.
        drop(self.healed.subscribe().wait_for(|healed| healed.contains(fault)).await);
    }

    /// Whether something is so now; the error says what there is instead.
    fn check(&self, condition: &Condition) -> Result<(), String> {
        let traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = traffic.as_ref().map(Traffic::tally).unwrap_or_default();
        drop(traffic);
        let (answers, failed) = (tally.by_version, tally.failed);
        let commands = self.commands.states();
        self.stage
            .witness
            .look(|world| condition.holds(&Seen { world, namespace: &self.name, commands, answers, failed }))
    }

    /// Waits until something is so; the error says what was last seen.
    pub async fn until(&self, condition: &Condition, limit: Duration) -> Result<(), String> {
        let (start, mut news) = (Instant::now(), self.stage.witness.news());
        loop {
            news.borrow_and_update();
            let Err(seen) = self.check(condition) else { return Ok(()) };
            if start.elapsed() >= limit {
                return Err(seen);
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Waits as long as something is so; the error says when it no longer was.
    async fn stays(&self, condition: &Condition, time: Duration) -> Result<(), String> {
        let (start, mut news) = (Instant::now(), self.stage.witness.news());
        while start.elapsed() < time {
            news.borrow_and_update();
            self.check(condition).map_err(|seen| {
                format!("it was so, but after {:.1} s no longer: {seen}", start.elapsed().as_secs_f64())
            })?;
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(())
    }
}

impl ArmStage {
    /// Makes its namespace.
    pub async fn enter(stage: Arc<Stage>, arm: Arm, slot: usize) -> anyhow::Result<Self> {
        if arm.name != DEFAULT {
            let mut namespace = Namespace::default();
            namespace.metadata.name.clone_from(&arm.name);
            Api::new(stage.client.clone(), "").create(namespace).await.context("making a namespace")?;
        }
        let (name, commands, traffic) = (arm.name.clone(), Commands::default(), Mutex::default());
        let healed = watch::Sender::default();
        let shared = Arc::new(Shared { stage, name, commands, slot, traffic, healed });
        let (living, orders) = (JoinSet::new(), BTreeMap::new());
        Ok(Self { shared, arm: Arc::new(arm), living, orders, stopped: None, commands: 0 })
    }

    /// Does its steps. What goes wrong with one ends the arm, not the scenario.
    pub async fn play(&mut self) -> anyhow::Result<()> {
        let arm = self.arm.clone();
        for step in &arm.steps {
            if let Err(error) = self.take(step).await {
                self.stopped_by(&error);
                break;
            }
        }
        Ok(())
    }

    /// It was not played to its end.
    pub fn stopped_by(&mut self, error: &anyhow::Error) {
        if self.stopped.is_none() {
            self.shared.note(format!("stopped: {error:#}"));
            self.stopped = Some(format!("{error:#}"));
        }
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Ctl { words, background, exit } => self.command(words, background.as_deref(), *exit).await,
            Step::Run { words, name } => self.run(words, name).await,
            Step::Await { condition, within } => {
                let waited = self.shared.until(condition, *within).await;
                waited.map_err(|seen| anyhow::anyhow!("waited {within:?} until {condition}; last seen: {seen}"))
            }
            Step::Rest(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Step::Load(load) => self.load(load).await,
            Step::Fault(fault) => {
                self.fault(fault).await;
                Ok(())
            }
            Step::Heal(name) => {
                let order = self.orders.get(name).with_context(|| format!("no fault is named {name}"))?;
                order.send_replace(Order::Heal);
                self.shared.is_healed(name).await;
                Ok(())
            }
            Step::Resume(name) => self.shared.commands.resume(name),
        }
    }

    async fn command(&mut self, words: &[String], background: Option<&str>, exit: Exit) -> anyhow::Result<()> {
        self.commands += 1;
        let stage = &self.shared.stage;
        let mut all = words.to_vec();
        all.extend(["--namespace".to_owned(), self.shared.name.clone()]);
        let command = self.started_with(None, all);
        let mut process = stage.cluster.lock().await.start_client(&command)?;
        let line = format!("$ ctl {}", shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default());
        if let Some(name) = background {
            self.shared.note(format!("{line} &   # {name}"));
            self.shared.commands.add(name, process, None);
            return Ok(());
        }
        self.shared.note(line.clone());
        let code = loop {
            match process.ended()? {
                Some(code) => break code,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let as_wanted = match exit {
            Exit::Success => code == 0,
            Exit::Failure => code != 0,
            Exit::Any => true,
        };
        if !as_wanted {
            bail!("{line} ended with {code}: {}", process.last_line());
        }
        Ok(())
    }

    fn started_with(&self, program: Option<PathBuf>, words: Vec<String>) -> ClientCommand {
        let (slot, folder) = (self.shared.slot, self.shared.stage.folder.clone());
        ClientCommand { program, words, slot, folder, log: format!("{}-{}.log", self.shared.name, self.commands) }
    }

    async fn run(&mut self, words: &[String], name: &str) -> anyhow::Result<()> {
        self.commands += 1;
        let (program, arguments) = words.split_first().context("a program without a name")?;
        // A path is meant from the scenario's folder.
        let beside = self.shared.stage.folder.join(program);
        let program = if program.contains('/') { beside } else { PathBuf::from(program) };
        let command = self.started_with(Some(program), arguments.to_vec());
        let process = self.shared.stage.cluster.lock().await.start_client(&command)?;
        self.shared.note(format!("$ {} &   # {name}", words.join(" ")));
        self.shared.commands.add(name, process, Some(command));
        Ok(())
    }

    async fn load(&self, load: &Load) -> anyhow::Result<()> {
        let address = service::address(&self.shared.stage.client, &self.shared.name, &load.service).await?;
        self.shared.note(format!("{} clients ask {address}", load.clients));
        let traffic = Traffic::recorded(address, load.clients);
        *self.shared.traffic.lock().unwrap_or_else(PoisonError::into_inner) = Some(traffic);
        Ok(())
    }

    async fn fault(&mut self, step: &FaultStep) {
        let (order, mut orders) = watch::channel(Order::Live);
        self.orders.insert(step.name.clone(), order);
        let (shared, step) = (self.shared.clone(), step.clone());
        // It lives on when whoever waits for it is gone: it has to be healed all the same.
        let (begun, is_begun) = oneshot::channel();
        let is_now = step.moment == Moment::Now;
        self.living.spawn(async move {
            if !faults::moment(&shared, &step, &mut orders).await {
                return faults::never_came(&shared, &step);
            }
            let active = faults::begin(&shared, &step).await;
            // Only a fault that comes at once is waited for.
            begun.send(()).ok();
            if let Some(active) = active {
                faults::live(shared, step, active, orders).await;
            }
        });
        if is_now {
            is_begun.await.ok();
        }
    }

    /// Tells its faults to end: those that have no end of their own, or all of them.
    pub fn order(&self, order: Order) {
        for orders in self.orders.values() {
            // One that was told to heal is not told less.
            orders.send_if_modified(|given| std::mem::replace(given, (*given).max(order)) != *given);
        }
    }

    /// Waits until all its faults are healed.
    pub async fn healed(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.living.join_next().await {
            ended.context("a fault")?;
        }
        Ok(())
    }

    /// What was expected, and whether it is so.
    pub async fn expectations(&self) -> Vec<Expected> {
        join_all(self.arm.expect.iter().map(|expectation| self.expectation(expectation))).await
    }

    async fn expectation(&self, expectation: &Expectation) -> Expected {
        let condition = &expectation.condition;
        let reached = self.shared.until(condition, expectation.within).await;
        let held = match reached {
            Ok(()) => self.shared.stays(condition, expectation.stays).await,
            Err(seen) => Err(format!("not so within {:?}: {seen}", expectation.within)),
        };
        Expected { text: condition.to_string(), instead: held.err() }
    }

    /// Ends what goes on, and says what came of it.
    pub async fn finish(self, expected: Vec<Expected>) -> ArmRecord {
        for (name, code, last) in self.shared.commands.ends() {
            let how = if code == -1 { "was ended by a signal".to_owned() } else { format!("ended with {code}") };
            self.shared.note(format!("{name} {how}: {last}"));
        }
        let clients_may_fail = self.arm.clients_may_fail;
        let traffic = self.shared.traffic.lock().unwrap_or_else(PoisonError::into_inner).take();
        let requests = match traffic {
            Some(traffic) => {
                let (tally, all) = traffic.end_with_requests().await;
                requests_of(tally, all, self.shared.stage.start)
            }
            None => Requests::default(),
        };
        ArmRecord {
            name: self.shared.name.clone(),
            stopped: self.stopped,
            steps: Vec::new(),
            expected,
            requests,
            clients_may_fail,
        }
    }
}
