//! What came of a scenario: everything that a report shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::faults::Receipt;
use crate::history::History;
use crate::traffic::{Asked, Tally, version_of};
use crate::verdict::Verdict;

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
    #[serde(with = "crate::span")]
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

/// One arm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmRecord {
    /// Its name.
    pub name: String,
    /// Why it could not be played to its end, if so.
    pub stopped: Option<String>,
    /// What was expected, and whether it was so.
    pub expected: Vec<Expected>,
    /// What clients saw.
    pub requests: Requests,
    /// That clients are failed is what it shows.
    pub clients_may_fail: bool,
}

/// Something that was expected.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// What.
    pub text: String,
    /// What there was instead, if it was not so.
    pub instead: Option<String>,
}

/// Requests of an arm.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// How many were answered, by version.
    pub answered: BTreeMap<String, usize>,
    /// How many failed.
    pub failed: usize,
    /// The slowest answer, in milliseconds.
    pub slowest_ms: f64,
    /// Half of the answers were at least as fast, in milliseconds.
    pub median_ms: f64,
    /// 99 of 100 were, in milliseconds.
    pub p99_ms: f64,
    /// Each that failed.
    pub failures: Vec<FailedRequest>,
    /// All of them, in the order in which they ended.
    #[serde(skip)]
    pub all: Vec<Seen>,
}

/// A request, as a timeline needs it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When it began.
    pub since_start: Duration,
    /// How long it took.
    pub took: Duration,
    /// Which version answered; `None`: it failed.
    pub version: Option<String>,
}

/// A request that failed, and what it is charged to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedRequest {
    /// When it began.
    #[serde(with = "crate::span")]
    pub at: Duration,
    /// How long it took to fail.
    #[serde(with = "crate::span")]
    pub took: Duration,
    /// What went wrong.
    pub error: String,
    /// Whose doing it was: a pod, a gap, a fault.
    pub charged_to: String,
}

/// A fault as it was.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultRecord {
    /// In which arm.
    pub arm: String,
    /// Its name.
    pub name: String,
    /// What it was.
    pub text: String,
    /// When it came.
    #[serde(with = "crate::span")]
    pub from: Duration,
    /// When it was healed.
    #[serde(with = "crate::span")]
    pub to: Duration,
    /// What it did.
    pub receipt: Receipt,
}

/// Who led for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// What: `Raft` or `controllers`.
    pub what: &'static str,
    /// Who; nobody: empty.
    pub leader: String,
    /// In which term, or after how many changes of hands.
    pub epoch: u64,
    /// Since when.
    #[serde(with = "crate::span")]
    pub from: Duration,
    /// Until when.
    #[serde(with = "crate::span")]
    pub to: Duration,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// When.
    #[serde(with = "crate::span")]
    pub at: Duration,
    /// In which arm.
    pub arm: String,
    /// What.
    pub text: String,
}

impl Requests {
    /// Sums up what clients saw; times count from `start`. What failures are charged to is not known yet.
    #[must_use]
    pub fn of(tally: Tally, all: Vec<Asked>, start: Instant) -> Self {
        let mut times: Vec<Duration> =
            all.iter().filter(|asked| asked.answer.is_ok()).map(|asked| asked.took).collect();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        let failed = |asked: &Asked| {
            let error = asked.answer.as_ref().err()?.clone();
            let at = asked.at.saturating_duration_since(start);
            Some(FailedRequest { at, took: asked.took, error, charged_to: String::new() })
        };
        let seen = |asked: Asked| Seen {
            since_start: asked.at.saturating_duration_since(start),
            took: asked.took,
            version: asked.answer.ok().map(|answer| version_of(&answer).to_owned()),
        };
        Self {
            slowest_ms: milliseconds(times.last().copied().unwrap_or_default()),
            median_ms: milliseconds(at(50)),
            p99_ms: milliseconds(at(99)),
            failures: all.iter().filter_map(failed).collect(),
            failed: tally.failed,
            answered: tally.by_version,
            all: all.into_iter().map(seen).collect(),
        }
    }
}
