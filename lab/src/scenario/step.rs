//! The steps of a scenario's arm, which run in order: one type for each form that a step has in a file.

use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use squall_api::duration;

use super::condition::Condition;
use super::words;
use crate::faults::Fault;

/// The timeout of conditions that name none.
pub const fn within() -> Duration {
    Duration::from_secs(60)
}

/// How long an expectation must keep holding, unless it says otherwise.
const fn stays() -> Duration {
    Duration::from_secs(2)
}

/// One step of an arm. `form` reads it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// Runs a `ctl` command.
    Ctl(Ctl),
    /// Runs the user's own program in the background.
    Run(Run),
    /// Applies objects that the scenario contains.
    Apply(Apply),
    /// Drains a node of the arm's pods.
    Drain(Drain),
    /// Waits until a condition holds.
    Await(Await),
    /// Waits for a fixed time.
    Rest(Rest),
    /// Sends requests to a service from now on.
    Load(StartLoad),
    /// Injects a fault, now or at its moment.
    Fault(FaultStep),
    /// Heals a fault.
    Heal(Heal),
    /// Resumes a stopped command.
    Resume(Resume),
}

/// Runs a `ctl` command as the arm's own client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ctl {
    /// The arguments of `ctl`.
    #[serde(rename = "ctl", with = "words")]
    pub words: Vec<String>,
    /// The name of a background command; `None` waits until the command exits.
    #[serde(rename = "as")]
    pub background: Option<String>,
    /// The accepted exit code.
    #[serde(default)]
    pub exit: Exit,
}

/// Runs the user's own program in the background, such as a controller. It starts again when a kill is healed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The program and its arguments.
    #[serde(rename = "run", with = "words")]
    pub words: Vec<String>,
    /// The name by which conditions and faults refer to it.
    #[serde(rename = "as")]
    pub name: String,
}

/// Applies objects that the scenario contains, with `ctl apply`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The objects.
    #[serde(rename = "apply")]
    pub objects: Objects,
}

/// One object or several, as a manifest has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Objects {
    /// Several objects.
    Many(Vec<serde_json::Map<String, Value>>),
    /// One object.
    One(serde_json::Map<String, Value>),
}

impl Objects {
    /// Each object.
    pub fn iter(&self) -> impl Iterator<Item = &serde_json::Map<String, Value>> {
        match self {
            Self::Many(objects) => objects.iter(),
            Self::One(object) => std::slice::from_ref(object).iter(),
        }
    }
}

/// Cordons a node and evicts the arm's pods from it. Other arms keep theirs. It is healed like a fault: the node takes pods
/// again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The node: `node-1`.
    #[serde(rename = "drain")]
    pub node: String,
    /// The timeout for its pods to be gone.
    #[serde(default = "within", with = "duration")]
    pub within: Duration,
    /// The name by which it is healed; the node's without one.
    #[serde(default)]
    pub name: String,
}

/// Waits until a condition holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// The condition to wait for.
    #[serde(rename = "await")]
    pub condition: Condition,
    /// The timeout.
    #[serde(default = "within", with = "duration")]
    pub within: Duration,
}

/// Waits for a fixed time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// The time.
    #[serde(rename = "rest", with = "duration")]
    pub time: Duration,
}

/// Sends requests to a service until the arm ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartLoad {
    /// The requests.
    pub load: Load,
}

/// Requests to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// The service's name.
    pub service: String,
    /// The number of concurrent clients.
    #[serde(default = "few")]
    pub clients: usize,
}

const fn few() -> usize {
    2
}

/// Heals a fault before its time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heal {
    /// The fault's name.
    #[serde(rename = "heal")]
    pub fault: String,
}

/// Resumes a stopped command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The command's name.
    #[serde(rename = "resume")]
    pub command: String,
}

/// The accepted exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exit {
    /// Exit code 0.
    #[default]
    Success,
    /// Any exit code except 0.
    Failure,
    /// Any exit code.
    Any,
}

/// A fault and its moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FaultForm", into = "FaultForm")]
pub struct FaultStep {
    /// The name by which it is healed and reported; empty until its arm numbers it.
    pub name: String,
    /// The fault to inject.
    pub fault: Fault,
    /// When it is injected.
    pub moment: Moment,
    /// When it is healed.
    pub healing: Healing,
}

/// When a fault is injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// At once; the following steps wait for it.
    Now,
    /// This long after its step.
    After(Duration),
    /// This long after a condition holds.
    When(Condition, Duration),
}

/// When a fault is healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healing {
    /// When a step heals it, or when all arms are done.
    InTheEnd,
    /// After this time.
    After(Duration),
    /// When a condition holds.
    When(Condition),
}

/// A fault as a file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultForm {
    fault: Fault,
    #[serde(default)]
    name: String,
    after: Option<Span>,
    when: Option<Condition>,
    r#for: Option<Span>,
    until: Option<Condition>,
}

/// A duration that may be missing.
#[derive(Serialize, Deserialize)]
struct Span(#[serde(with = "duration")] Duration);

impl TryFrom<FaultForm> for FaultStep {
    type Error = &'static str;

    fn try_from(form: FaultForm) -> Result<Self, Self::Error> {
        let moment = match (form.after, form.when) {
            (None, None) => Moment::Now,
            (Some(Span(time)), None) => Moment::After(time),
            (None, Some(condition)) => Moment::When(condition, Duration::ZERO),
            (Some(Span(time)), Some(condition)) => Moment::When(condition, time),
        };
        let healing = match (form.r#for, form.until) {
            (None, None) => Healing::InTheEnd,
            (Some(Span(time)), None) => Healing::After(time),
            (None, Some(condition)) => Healing::When(condition),
            (Some(_), Some(_)) => return Err("a fault has `for` or `until`, not both"),
        };
        Ok(Self { name: form.name, fault: form.fault, moment, healing })
    }
}

impl From<FaultStep> for FaultForm {
    fn from(step: FaultStep) -> Self {
        let (after, when) = match step.moment {
            Moment::Now => (None, None),
            Moment::After(time) => (Some(Span(time)), None),
            Moment::When(condition, Duration::ZERO) => (None, Some(condition)),
            Moment::When(condition, time) => (Some(Span(time)), Some(condition)),
        };
        let (r#for, until) = match step.healing {
            Healing::InTheEnd => (None, None),
            Healing::After(time) => (Some(Span(time)), None),
            Healing::When(condition) => (None, Some(condition)),
        };
        Self { fault: step.fault, name: step.name, after, when, r#for, until }
    }
}

/// A condition that must hold in the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The expected condition.
    #[serde(rename = "that")]
    pub condition: Condition,
    /// How long it may take until it holds.
    #[serde(default = "within", with = "duration")]
    pub within: Duration,
    /// How long it must keep holding.
    #[serde(default = "stays", with = "duration")]
    pub stays: Duration,
}

impl Step {
    /// A `ctl` command whose words have no spaces.
    #[must_use]
    pub fn ctl(line: &str, exit: Exit) -> Self {
        Self::Ctl(Ctl { words: line.split(' ').map(str::to_owned).collect(), background: None, exit })
    }

    /// Waits until a condition holds.
    #[must_use]
    pub fn until(condition: Condition, within: Duration) -> Self {
        Self::Await(Await { condition, within })
    }

    /// Waits for a fixed time.
    #[must_use]
    pub fn rest(time: Duration) -> Self {
        Self::Rest(Rest { time })
    }

    /// Heals the fault of a name.
    #[must_use]
    pub fn heal(fault: &str) -> Self {
        Self::Heal(Heal { fault: fault.to_owned() })
    }

    /// The fault that it injects, if it injects one.
    #[must_use]
    pub fn fault(&self) -> Option<&FaultStep> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Ctl(_)
            | Self::Run(_)
            | Self::Apply(_)
            | Self::Drain(_)
            | Self::Await(_)
            | Self::Rest(_)
            | Self::Load(_)
            | Self::Heal(_)
            | Self::Resume(_) => None,
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctl(step) => write!(f, "ctl {}", words::join(&step.words)),
            Self::Run(step) => write!(f, "run {}", words::join(&step.words)),
            Self::Apply(step) => {
                let text = |object: &serde_json::Map<String, Value>, path: &str| {
                    Value::Object(object.clone()).pointer(path).and_then(Value::as_str).unwrap_or("?").to_owned()
                };
                let named = |object| format!("{}/{}", text(object, "/kind"), text(object, "/metadata/name"));
                write!(f, "apply {}", step.objects.iter().map(named).collect::<Vec<_>>().join(", "))
            }
            Self::Drain(step) => write!(f, "drain {}", step.node),
            Self::Await(step) => write!(f, "await {}", step.condition),
            Self::Rest(step) => write!(f, "rest {}", duration::format(step.time)),
            Self::Load(step) => write!(f, "load of {}", step.load.service),
            Self::Fault(step) => write!(f, "fault {} ({})", step.name, step.fault),
            Self::Heal(step) => write!(f, "heal {}", step.fault),
            Self::Resume(step) => write!(f, "resume {}", step.command),
        }
    }
}
