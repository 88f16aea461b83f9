//! What came of a scenario: everything that a report shows.

use std::time::{Duration, Instant};

use serde::Serialize;

use squall_checkers::traffic::{Asked, Tally, version_of};
use squall_referee::evidence::{ArmRecord, FailedRequest, FaultRecord, Lane, Requests, TimedRequest};
use squall_referee::history::History;
use squall_referee::verdict::Verdict;

/// A played scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its name.
    pub scenario: String,
    /// In a sentence.
    pub title: String,
    /// What it shows.
    pub explain: String,
    /// Squall's version.
    pub version: String,
    /// Which constants were used.
    pub timing: String,
    /// The protection that was left out.
    pub mutant: Option<String>,
    /// How long it took, from the first process to the verdict.
    pub seconds: f64,
    /// How long of it was recorded.
    #[serde(with = "squall_api::duration")]
    pub played: Duration,
    /// What it came to.
    pub verdict: Verdict,
    /// Its arms.
    pub arms: Vec<ArmRecord>,
    /// What was broken.
    pub faults: Vec<FaultRecord>,
    /// Who led.
    pub lanes: Vec<Lane>,
    /// What happened, in order.
    pub notes: Vec<Note>,
    /// Every change of the store.
    #[serde(skip)]
    pub history: History,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When.
    #[serde(with = "squall_api::duration")]
    pub at: Duration,
    /// In which arm.
    pub arm: String,
    /// What.
    pub text: String,
}

/// Sums up the requests of a load; times count from `start`. Failures are not charged yet.
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
