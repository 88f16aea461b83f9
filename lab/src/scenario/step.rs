//! What an arm of a scenario does, one thing after the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use crate::faults::Fault;

/// One thing.
#[derive(Debug, Clone)]
pub enum Step {
    /// A command of `ctl`, by the arm's own client.
    Ctl {
        /// What stands after `ctl`.
        words: Vec<String>,
        /// It goes on beside the steps, by this name.
        background: Option<String>,
        /// How it may end.
        exit: Exit,
    },
    /// A program of somebody's own, beside the steps: a controller, say. Healed of being killed, it is started again.
    Run {
        /// The program and its arguments.
        words: Vec<String>,
        /// By which name.
        name: String,
    },
    /// Goes on when something is so.
    Await {
        /// What.
        condition: Condition,
        /// How long that may take.
        within: Duration,
    },
    /// Goes on after a while.
    Rest(Duration),
    /// From now on a service is asked.
    Load(Load),
    /// Something is broken, now or at its moment.
    Fault(FaultStep),
    /// What was broken under this name is mended.
    Heal(String),
    /// A command that has stopped goes on.
    Resume(String),
}

/// How a command may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exit {
    /// With 0.
    Success,
    /// With anything else.
    Failure,
    /// As it likes.
    Any,
}

/// Requests through a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// The service's name.
    pub service: String,
    /// How many ask at the same time.
    #[serde(default = "few")]
    pub clients: usize,
}

const fn few() -> usize {
    2
}

/// A fault and its moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultStep {
    /// By which it is healed and reported.
    pub name: String,
    /// What is broken.
    pub fault: Fault,
    /// When.
    pub moment: Moment,
    /// Until when.
    pub healing: Healing,
}

/// When something is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// When its turn comes; the steps after it wait for it.
    Now,
    /// So long after its turn has come.
    After(Duration),
    /// When something is so.
    When(Condition),
}

/// Until when something is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Healing {
    /// Until a step heals it, or all arms are done.
    InTheEnd,
    /// So long.
    After(Duration),
    /// Until something is so.
    When(Condition),
}

/// Something that must be so in the end.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// What.
    pub condition: Condition,
    /// How long it may take until it is so.
    pub within: Duration,
    /// How long it has to stay so.
    pub stays: Duration,
}
