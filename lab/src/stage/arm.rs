//! Runs the steps of one arm, in order, in the arm's own namespace.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::future::join_all;
use squall_api::core::v1::Namespace;
use squall_checkers::service;
use squall_checkers::traffic::Traffic;
use squall_client::Api;
use squall_cluster::ClientCommand;
use squall_referee::evidence::{ArmRecord, Expected, Requests, StepRecord};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::faults::{self, Order};
use super::record::requests_of;
use super::shared::{LOOK, Shared};
use super::state::Stage;
use crate::faults::Commands;
use crate::scenario::{Arm, Ctl, Exit, Expectation, FaultStep, Load, Moment, Run, Step};

/// The namespace that always exists.
const DEFAULT: &str = "default";

/// An arm while it runs.
pub struct ArmStage {
    shared: Arc<Shared>,
    arm: Arc<Arm>,
    /// Faults that wait for their moment or are in force.
    living: JoinSet<()>,
    orders: BTreeMap<String, watch::Sender<Order>>,
    stopped: Option<String>,
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
        Ok(Self { shared, arm: Arc::new(arm), living, orders, stopped: None, steps, commands: 0 })
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

    /// Records why the arm was not run to its end.
    pub fn stopped_by(&mut self, error: &anyhow::Error) {
        if self.stopped.is_none() {
            self.shared.note(format!("stopped: {error:#}"));
            self.stopped = Some(format!("{error:#}"));
        }
    }

    async fn take(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Ctl(ctl) => self.command(ctl).await,
            Step::Run(run) => self.run(run).await,
            Step::Await(step) => {
                let (condition, within) = (&step.condition, step.within);
                let waited = self.shared.until(condition, within).await;
                waited.map_err(|seen| anyhow::anyhow!("waited {within:?} for: {condition}; last seen: {seen}"))
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
        let mut process = stage.cluster.lock().await.start_client(&command)?;
        let line = format!("$ {}", Step::Ctl(step.clone()));
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
            bail!("{line} exited with {code}: {}", process.last_line());
        }
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

    async fn load(&self, load: &Load) -> anyhow::Result<()> {
        let address = service::address(&self.shared.stage.client, &self.shared.name, &load.service).await?;
        self.shared.note(format!("{} clients send requests to {address}", load.clients));
        let traffic = Traffic::recorded(address, load.clients);
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
        Ok(())
    }

    /// Checks the expectations.
    pub async fn expectations(&self) -> Vec<Expected> {
        join_all(self.arm.expect.iter().map(|expectation| self.expectation(expectation))).await
    }

    async fn expectation(&self, expectation: &Expectation) -> Expected {
        let condition = &expectation.condition;
        let reached = self.shared.until(condition, expectation.within).await;
        let held = match reached {
            Ok(()) => self.shared.stays(condition, expectation.stays).await,
            Err(seen) => Err(format!("it did not hold within {:?}: {seen}", expectation.within)),
        };
        Expected { text: condition.to_string(), instead: held.err() }
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
        ArmRecord {
            name: self.shared.name.clone(),
            stopped: self.stopped,
            steps: self.steps,
            expected,
            requests,
            clients_may_fail,
        }
    }
}
