//! Scenarios: what is done to a cluster, which faults occur when, and what is expected. They are data, not programs.
//!
//! `read` parses them from YAML (`form` the steps, `words` command lines, `matrix` repeated arms) and `check`s them. `step`
//! has their steps, `condition` the conditions that they wait for, `count` expected counts, `built_in` the built-in ones.

pub mod built_in;
mod check;
mod condition;
mod count;
mod form;
mod matrix;
mod read;
mod step;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use squall_checkers::clients::Others;
use squall_referee::evidence::Floor;

pub use condition::{Condition, Seen};
pub use count::Count;
pub use step::{
    Apply, Await, Ctl, Drain, Exit, Expectation, FaultStep, Heal, Healing, Load, Moment, Objects, Rest, Resume, Run,
    StartLoad, Step,
};

/// A scenario, as read from its file or drawn at random.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The name on the command line, such as `client-interrupted`.
    pub name: String,
    /// A one-sentence summary.
    pub title: String,
    /// What it shows, and why that matters.
    pub explain: String,
    /// The number of members of its cluster.
    pub cluster: Shape,
    /// The time limit for all arms.
    pub limit: Duration,
    /// How long the cluster may take to recover after all faults are healed.
    pub settle: Duration,
    /// The protection without which the scenario must fail.
    pub mutant: Option<String>,
    /// The arms, which run side by side.
    pub arms: Vec<Arm>,
    /// Not every fault has to take effect, because they are drawn at random.
    pub faults_may_miss: bool,
    /// The images of its pods, beside the built-in ones.
    pub images: Option<Images>,
    /// The folder of the files that its commands use.
    pub folder: PathBuf,
}

/// Simulated images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Images {
    /// A file, in the scenario's folder.
    File(PathBuf),
    /// The images themselves, as such a file lists them.
    Inline(Vec<serde_json::Map<String, Value>>),
}

/// The number of members of a scenario's cluster.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Shape {
    /// The number of apiservers.
    pub apiservers: usize,
    /// The number of controller-managers.
    pub controller_managers: usize,
    /// The number of nodes.
    pub nodes: usize,
    /// Its members reach each other over links that faults can break.
    pub links: bool,
    /// Its services try another pod when one refuses a connection, which Kubernetes does not.
    pub retry_backends: bool,
    /// The number of clients that write, read and watch config maps and check every answer; 0 disables the checks.
    pub checkers: usize,
    /// The number of clients that only read, beside the checkers.
    pub readers: usize,
    /// The number of clients that only watch, beside the checkers.
    pub watchers: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            apiservers: 3,
            controller_managers: 2,
            nodes: 3,
            links: true,
            retry_backends: false,
            checkers: 0,
            readers: 2,
            watchers: 2,
        }
    }
}

/// One of several sequences of steps that run side by side, each in its own namespace.
#[derive(Debug, Clone)]
pub struct Arm {
    /// The name of the arm and of its namespace.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The conditions that must hold in the end.
    pub expect: Vec<Expectation>,
    /// Failed client requests are the point of this arm and do not degrade the verdict.
    pub clients_may_fail: bool,
    /// The numbers of ready pods that it never falls below.
    pub never_fewer: Vec<Floor>,
}

impl Shape {
    /// The clients that only read or watch, beside the checkers.
    #[must_use]
    pub fn others(&self) -> Others {
        Others { readers: self.readers, watchers: self.watchers }
    }
}

impl Scenario {
    /// Returns the scenario with only this arm, or `None` if there is no such arm.
    #[must_use]
    pub fn only(&self, arm: &str) -> Option<Self> {
        let arms: Vec<Arm> = self.arms.iter().filter(|own| own.name == arm).cloned().collect();
        (!arms.is_empty()).then(|| Self { arms, ..self.clone() })
    }

    /// Returns the file with its images, which it writes into `folder` if it contains them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn catalogue(&self, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
        match &self.images {
            None => Ok(None),
            Some(Images::File(path)) => Ok(Some(self.folder.join(path))),
            Some(Images::Inline(images)) => {
                let path = folder.join("images.json");
                let text = serde_json::to_vec(&json!({"images": images})).context("writing the images")?;
                std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
                Ok(Some(path))
            }
        }
    }

    /// Returns every fault with the name of its arm.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &FaultStep)> {
        let steps = self.arms.iter().flat_map(|arm| arm.steps.iter().map(|step| (arm.name.as_str(), step)));
        steps.filter_map(|(arm, step)| Some((arm, step.fault()?)))
    }
}
