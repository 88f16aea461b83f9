//! Judges a history by every invariant, and sums up the extremes that it shows.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::history::{Author, History, World};
use crate::invariants::{ALL, Invariant, Scope, Violation};

/// The result of judging a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The first and the last revision that were judged.
    pub revisions: RangeInclusive<u64>,
    /// The number of changes that were judged.
    pub changes: usize,
    /// The rules, as sentences.
    pub invariants: Vec<&'static str>,
    /// Each broken rule, by revision.
    pub violations: Vec<Breach>,
}

/// A write that breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The revision of the write.
    pub revision: u64,
    /// The controller that made it, with its process where that is known.
    pub writer: String,
    /// The moment at which the recorder saw it.
    #[serde(with = "squall_api::duration")]
    pub at: Duration,
    /// The rule that it breaks.
    pub invariant: &'static str,
    /// The details; serialized as a sentence.
    #[serde(rename = "message", serialize_with = "in_words")]
    pub violation: Violation,
}

fn in_words<S: Serializer>(violation: &Violation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(violation)
}

impl Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, writer, invariant, violation, at } = self;
        write!(f, "revision {revision}, written by {writer} after {:.1} s: {violation} ({invariant})", at.as_secs_f64())
    }
}

/// Judges a history.
#[must_use]
pub fn judge(revisions: RangeInclusive<u64>, history: &History) -> Judgement {
    let mut violations = Vec::new();
    for invariant in ALL {
        let found = (invariant.check)(history).into_iter();
        violations.extend(found.map(|finding| Breach {
            revision: finding.revision,
            writer: writer(invariant, history, finding.revision),
            at: history.time_of(finding.revision),
            invariant: invariant.rule.name,
            violation: finding.violation,
        }));
    }
    violations.sort_by_key(|violation| violation.revision);
    Judgement {
        revisions,
        changes: history.changes.len(),
        invariants: ALL.iter().map(|invariant| invariant.rule.name).collect(),
        violations,
    }
}

/// Returns the author of a write that breaks an invariant.
fn writer(invariant: &Invariant, history: &History, revision: u64) -> String {
    let usual = invariant.rule.writer;
    let author = match invariant.rule.scope {
        Scope::EveryWrite => history.authors.get(&revision),
        Scope::TheEnd => None,
    };
    match author {
        Some(Author { elected: Some(election), .. }) => format!("{usual} of {}", election.holder),
        Some(Author { elected: None, user }) => user.clone(),
        None => usual.to_owned(),
    }
}

/// The extremes of the pod counts over all revisions after a given one. Not a rule: pods may fail at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extremes {
    /// The smallest number of ready pods that were not terminating.
    pub least_ready: usize,
    /// The largest number of pods that were neither terminated nor terminating.
    pub most_active: usize,
}

/// Returns the extremes of a history after a moment.
#[must_use]
pub fn extremes(history: &History, since: Duration) -> Extremes {
    let mut extremes = Extremes { least_ready: usize::MAX, most_active: 0 };
    let mut look = |world: &World| {
        extremes.least_ready = extremes.least_ready.min(world.ready_pods());
        extremes.most_active = extremes.most_active.max(world.active_pods().count());
    };
    if history.changes.first().is_none_or(|first| first.at > since) {
        look(&history.start);
    }
    history.walk(|step| {
        if step.change.at > since {
            look(step.world);
        }
    });
    extremes
}
