//! Checks what a step says of the steps before it: the commands, faults and loads that it refers to.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Shape;
use super::condition::Condition;
use super::step::{Drain, FaultStep, Step};

/// The names that the steps so far have introduced.
pub struct Known {
    commands: BTreeSet<String>,
    faults: BTreeSet<String>,
    is_loaded: bool,
    nodes: usize,
    has_links: bool,
    has_checkers: bool,
}

impl Known {
    /// Nothing yet, on a cluster of this shape.
    pub fn of(cluster: &Shape) -> Self {
        let (commands, faults) = (BTreeSet::new(), BTreeSet::new());
        let (has_links, has_checkers) = (cluster.links, cluster.checkers > 0);
        Self { commands, faults, is_loaded: false, nodes: cluster.nodes, has_links, has_checkers }
    }

    /// Checks a step, and learns its names. Gives a fault without a name its number.
    pub fn check(&mut self, step: &mut Step) -> Result<(), String> {
        match step {
            Step::Ctl(ctl) => self.commands.extend(ctl.background.clone()),
            Step::Run(run) => drop(self.commands.insert(run.name.clone())),
            Step::Apply(step) => return step.objects.iter().try_for_each(check_object),
            Step::Drain(drain) => return self.check_drain(drain),
            Step::Await(step) => return self.check_condition(&step.condition),
            Step::Rest(_) => {}
            Step::Load(_) if self.is_loaded => {
                return Err("an arm loads one service; load another service in another arm".to_owned());
            }
            Step::Load(_) => self.is_loaded = true,
            Step::Fault(fault) => return self.check_fault(fault),
            Step::Heal(heal) if !self.faults.contains(&heal.fault) => {
                return Err(format!("no earlier step injects a fault named {:?}", heal.fault));
            }
            Step::Heal(_) => {}
            Step::Resume(resume) => return self.check_command(&resume.command),
        }
        Ok(())
    }

    fn check_fault(&mut self, step: &mut FaultStep) -> Result<(), String> {
        if let Some(command) = step.fault.command() {
            self.check_command(command)?;
        }
        if step.fault.needs_links() && !self.has_links {
            return Err("this scenario has no links to break: `cluster.links` is false".to_owned());
        }
        if step.name.is_empty() {
            step.name = format!("fault-{}", self.faults.len() + 1);
        }
        match self.faults.insert(step.name.clone()) {
            true => Ok(()),
            false => Err(format!("duplicate fault name {:?}", step.name)),
        }
    }

    fn check_drain(&mut self, drain: &mut Drain) -> Result<(), String> {
        let index = drain.node.strip_prefix("node-").and_then(|index| index.parse::<usize>().ok());
        if index.is_none_or(|index| index >= self.nodes) {
            return Err(format!("this cluster has no node {:?}: it has {} nodes", drain.node, self.nodes));
        }
        if drain.name.is_empty() {
            drain.name.clone_from(&drain.node);
        }
        match self.faults.insert(drain.name.clone()) {
            true => Ok(()),
            false => Err(format!("duplicate fault name {:?}", drain.name)),
        }
    }

    fn check_command(&self, name: &str) -> Result<(), String> {
        match self.commands.contains(name) {
            true => Ok(()),
            false => Err(format!("no earlier step starts a command named {name:?}")),
        }
    }

    /// Refuses conditions that can never hold, or always do.
    pub fn check_condition(&self, condition: &Condition) -> Result<(), String> {
        match condition {
            Condition::Served { .. } | Condition::FailedRequests(_) if !self.is_loaded => {
                Err("this arm sends no requests: it has no `load` step before this one".to_owned())
            }
            Condition::Acknowledged(_) if !self.has_checkers => {
                Err("this scenario has no checkers: set `cluster.checkers`".to_owned())
            }
            Condition::Command { name, .. } => self.check_command(name),
            Condition::All(conditions) if conditions.is_empty() => Err("an empty `all` always holds".to_owned()),
            Condition::All(conditions) => conditions.iter().try_for_each(|condition| self.check_condition(condition)),
            Condition::Served { .. }
            | Condition::FailedRequests(_)
            | Condition::Acknowledged(_)
            | Condition::RolledOut { .. }
            | Condition::NewReplicaSet { .. }
            | Condition::OldReplicaSets { .. }
            | Condition::Controller { .. }
            | Condition::NoController(_)
            | Condition::Pods { .. }
            | Condition::Endpoints { .. }
            | Condition::Restarts { .. }
            | Condition::Events { .. } => Ok(()),
        }
    }
}

/// Refuses an object that no client could send.
fn check_object(object: &Map<String, Value>) -> Result<(), String> {
    let has = |field: &str| object.get(field).is_some_and(Value::is_string);
    match ["apiVersion", "kind"].into_iter().find(|field| !has(field)) {
        Some(field) => Err(format!("an object to apply has no {field}")),
        None => Ok(()),
    }
}
