//! Scenarios: what is done to a cluster, what is broken meanwhile and when, and what is expected. Data, and no program.
//!
//! `read` reads them from YAML, `step` is what they consist of, `condition` what they wait for, `victim` whom they mean,
//! `count` how many, `built_in` are those that come with Squall.

pub mod built_in;
mod condition;
mod count;
mod read;
mod step;
mod victim;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use condition::{ClientState, Condition, Seen};
pub use count::Count;
pub use step::{Exit, Expectation, FaultStep, Healing, Load, Moment, Step};
pub use victim::{Place, Victim};

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// By which it is run: `client-interrupted`.
    pub name: String,
    /// In a sentence.
    pub title: String,
    /// What it shows, and why that matters.
    pub explain: String,
    /// What the cluster consists of.
    pub cluster: Shape,
    /// How long all its arms may take.
    pub limit: Duration,
    /// How long clusters may take to be as they should be again when all is healed.
    pub settle: Duration,
    /// The protection without which it has to fail.
    pub mutant: Option<String>,
    /// What it does, side by side.
    pub arms: Vec<Arm>,
    /// Not every fault has to find something to bite: they are drawn at random.
    pub faults_may_miss: bool,
    /// Where the files are that its commands name.
    pub folder: PathBuf,
}

/// What a scenario's cluster consists of.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Shape {
    /// How many apiservers.
    pub apiservers: usize,
    /// How many controller-managers.
    pub controller_managers: usize,
    /// How many nodes.
    pub nodes: usize,
    /// Clients that write, read and watch config maps meanwhile, and whose every answer is checked.
    pub checkers: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { apiservers: 3, controller_managers: 2, nodes: 3, checkers: 0 }
    }
}

/// One of several things that are done side by side, each in a namespace of its own.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name, and its namespace's.
    pub name: String,
    /// One after the other.
    pub steps: Vec<Step>,
    /// What has to be so in the end.
    pub expect: Vec<Expectation>,
    /// That clients are failed is what it shows, and no fault of ours.
    pub clients_may_fail: bool,
}

impl Scenario {
    /// The same scenario, of which only one arm is run.
    #[must_use]
    pub fn only(&self, arm: &str) -> Option<Self> {
        let arms: Vec<Arm> = self.arms.iter().filter(|own| own.name == arm).cloned().collect();
        (!arms.is_empty()).then(|| Self { arms, ..self.clone() })
    }

    /// Every fault, by the name of its arm.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &FaultStep)> {
        self.arms.iter().flat_map(|arm| {
            arm.steps.iter().filter_map(|step| match step {
                Step::Fault(fault) => Some((arm.name.as_str(), fault)),
                _ => None,
            })
        })
    }
}

/// Values that an arm is repeated for, by name: `${step}` in its texts becomes each of them.
pub type Matrix = BTreeMap<String, Vec<String>>;
