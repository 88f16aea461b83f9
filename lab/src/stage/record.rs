//! The result of a scenario: the data for all reports.

use std::time::{Duration, Instant};

use serde::Serialize;

use squall_checkers::traffic::{Asked, Tally, version_of};
use squall_referee::evidence::{ArmRecord, FailedRequest, FaultRecord, Lane, Requests, TimedRequest};
use squall_referee::history::History;
use squall_referee::verdict::Verdict;

/// The result of running a scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's one-sentence summary.
    pub title: String,
    /// The scenario's explanation.
    pub explain: String,
    /// Squall's version.
    pub version: String,
    /// The timing profile.
    pub timing: String,
    /// The protection that was left out.
    pub mutant: Option<String>,
    /// The time from the first process to a ready cluster, in seconds.
    pub ready_seconds: f64,
    /// The time from the first process to the verdict, in seconds.
    pub seconds: f64,
    /// The recorded part of that time.
    #[serde(with = "squall_api::duration")]
    pub played: Duration,
    /// The outcome with its reasons.
    pub verdict: Verdict,
    /// The results of each arm.
    pub arms: Vec<ArmRecord>,
    /// Every fault, by its start.
    pub faults: Vec<FaultRecord>,
    /// The leaders over time.
    pub lanes: Vec<Lane>,
    /// The notes, in order.
    pub notes: Vec<Note>,
    /// Every recorded change of the store.
    #[serde(skip)]
    pub history: History,
}

/// An event during a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When it happened, since the start of the recording.
    #[serde(with = "squall_api::duration")]
    pub at: Duration,
    /// The arm in which it happened.
    pub arm: String,
    /// A description for the user.
    pub text: String,
}

/// Summarizes the requests of a load; times count from `start`. The causes of failures are not known yet.
#[must_use]
pub fn requests_of(tally: Tally, all: Vec<Asked>, start: Instant) -> Requests {
    let mut times: Vec<Duration> = all.iter().filter(|asked| asked.answer.is_ok()).map(|asked| asked.took).collect();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let failed = |asked: &Asked| {
        let error = asked.answer.as_ref().err()?.clone();
        let at = asked.at.saturating_duration_since(start);
        Some(FailedRequest { at, took: asked.took, error, charged_to: String::new() })
    };
    let seen = |asked: Asked| TimedRequest {
        at: asked.at.saturating_duration_since(start),
        took: asked.took,
        version: asked.answer.ok().map(|answer| version_of(&answer).to_owned()),
    };
    Requests {
        slowest_ms: milliseconds(times.last().copied().unwrap_or_default()),
        median_ms: milliseconds(at(50)),
        p99_ms: milliseconds(at(99)),
        failures: all.iter().filter_map(failed).collect(),
        failed: tally.failed,
        answered: tally.by_version,
        all: all.into_iter().map(seen).collect(),
    }
}
