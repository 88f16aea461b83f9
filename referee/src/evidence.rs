//! The evidence of a scenario beside its history: arms, requests, faults with their receipts, leaders, checkers.
//!
//! Times count from the start of the recording.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One arm of a scenario.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmRecord {
    /// The arm's name, which is that of its namespace.
    pub name: String,
    /// The error of the step that ended the arm early. Nothing is expected of such an arm.
    pub stopped: Option<String>,
    /// The steps that were begun, in order.
    pub steps: Vec<StepRecord>,
    /// Each expectation, and whether it held.
    pub expected: Vec<Expected>,
    /// The service that its load was for; `None` without a load.
    pub loaded: Option<Loaded>,
    /// The requests of its load.
    pub requests: Requests,
    /// Failed client requests are the point of the arm and do not degrade the verdict.
    pub clients_may_fail: bool,
    /// The numbers of ready pods that it never falls below.
    pub floors: Vec<Floor>,
}

/// A number of ready pods that an arm never falls below once it has reached it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The number of ready pods, without those that terminate.
    pub ready: usize,
    /// The labels of the counted pods; none counts all pods of the arm.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are never fewer than {} ready pods", self.ready)?;
        let labels: Vec<String> = self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if labels.is_empty() { Ok(()) } else { write!(f, " with {}", labels.join(",")) }
    }
}

/// A service under load.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loaded {
    /// The service's name.
    pub service: String,
    /// The first request.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The last request.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
}

/// One step of an arm.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The step's description, as in the scenario.
    pub text: String,
    /// The beginning of the step.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The end of the step.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
}

/// An expectation of a scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// The description of the condition.
    pub text: String,
    /// The state that was observed instead; `None` if the expectation held.
    pub instead: Option<String>,
    /// The reasons of the objects that it is about, as `ctl why` knows them at that moment.
    pub why: Vec<String>,
}

/// The requests of an arm's load.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// The number of answers, by the version that answered.
    pub answered: BTreeMap<String, usize>,
    /// The number of failures.
    pub failed: usize,
    /// The slowest answer, in milliseconds.
    pub slowest_ms: f64,
    /// The median of the answers, in milliseconds.
    pub median_ms: f64,
    /// The 99th percentile of the answers, in milliseconds.
    pub p99_ms: f64,
    /// Each failure.
    pub failures: Vec<FailedRequest>,
    /// Every request, in the order in which they ended.
    #[serde(skip)]
    pub all: Vec<TimedRequest>,
}

/// A request as a timeline shows it.
#[derive(Debug, Clone)]
pub struct TimedRequest {
    /// The beginning of the request.
    pub at: Duration,
    /// The time until its answer or its failure.
    pub took: Duration,
    /// The version that answered; `None` if the request failed.
    pub version: Option<String>,
}

/// A request that failed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedRequest {
    /// The beginning of the request.
    #[serde(with = "squall_api::duration")]
    pub at: Duration,
    /// The time until it failed.
    #[serde(with = "squall_api::duration")]
    pub took: Duration,
    /// The error that the client saw.
    pub error: String,
    /// The cause: a pod, a gap without endpoints, a fault.
    pub charged_to: String,
}

/// A fault of a scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultRecord {
    /// The arm that it belongs to.
    pub arm: String,
    /// The name of its step.
    pub name: String,
    /// The fault's description, such as `kill raft-leader`.
    pub text: String,
    /// The affected members and commands.
    pub victims: Vec<String>,
    /// The moment at which it began.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The moment at which it was healed.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
    /// The fault's effect, as far as it is known.
    pub receipt: Receipt,
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The fault had an effect.
    pub bit: bool,
    /// The fault could not be injected or healed: its effect is unknown.
    pub failed: bool,
    /// A description of the effect.
    pub text: String,
}

impl Receipt {
    /// The receipt of a fault that could not be injected or healed.
    #[must_use]
    pub fn failed(text: String) -> Self {
        Self { bit: false, failed: true, text }
    }
}

/// A span of time with one leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// The role: `Raft` or `controllers`.
    pub what: &'static str,
    /// The leader's name; empty while there was none.
    pub leader: String,
    /// The Raft term, or the number of times that the Lease changed hands.
    pub epoch: u64,
    /// The first moment at which it was seen to lead.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The last moment at which it was seen to lead.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
}

/// The findings of clients that write, read and watch config maps and check every answer.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Acknowledged writes, each of which was found again.
    pub acknowledged: u64,
    /// Writes without an answer; their outcome was read back.
    pub unknown: u64,
    /// Reads, none of which may go back in time.
    pub reads: u64,
    /// Steps of a counter that several clients increment, none of which may be lost or applied twice.
    pub steps: u64,
    /// Watch events, none of which may be missed.
    pub watched: u64,
    /// The longest time in which no write was acknowledged, in seconds.
    pub longest_silence_seconds: f64,
    /// Contradictions, as sentences.
    pub violations: Vec<String>,
}
