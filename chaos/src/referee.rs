//! The referee: judges a history by every invariant, and says beside it what there was to see.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::history::{Author, History, World};
use crate::invariants::{ALL, Invariant, Violation};

/// What the referee found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The first and the last revision that were judged.
    pub revisions: RangeInclusive<u64>,
    /// How many changes of Deployments, ReplicaSets and pods there were.
    pub changes: usize,
    /// The rules.
    pub invariants: Vec<&'static str>,
    /// What broke them, by revision.
    pub violations: Vec<Violation>,
}

/// Judges a history.
#[must_use]
pub fn judge(revisions: RangeInclusive<u64>, history: &History) -> Verdict {
    let mut violations = Vec::new();
    for invariant in ALL {
        let found = (invariant.check)(history).into_iter();
        violations.extend(found.map(|(revision, message)| Violation {
            revision,
            writer: writer(invariant, history, revision),
            at: history.time_of(revision),
            invariant: invariant.name,
            message,
        }));
    }
    violations.sort_by_key(|violation| violation.revision);
    Verdict {
        revisions,
        changes: history.changes.len(),
        invariants: ALL.iter().map(|invariant| invariant.name).collect(),
        violations,
    }
}

/// Who made a write that breaks an invariant.
fn writer(invariant: &Invariant, history: &History, revision: u64) -> String {
    let author = history.authors.get(&revision).filter(|_| !invariant.is_of_the_end);
    match author {
        Some(Author { elected: Some(election), .. }) => format!("{} of {}", invariant.writer, election.holder),
        Some(Author { elected: None, user }) => user.clone(),
        None => invariant.writer.to_owned(),
    }
}

/// What there was to see of pods, over all revisions after one. No rule: pods may break at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Extremes {
    /// The smallest number of pods that were ready and not asked to end.
    pub least_ready: usize,
    /// The largest number of pods that neither ended nor were asked to end.
    pub most_active: usize,
}

/// The extremes of a history after a revision.
#[must_use]
pub fn extremes(history: &History, after: u64) -> Extremes {
    let mut extremes = Extremes { least_ready: usize::MAX, most_active: 0 };
    let mut look = |world: &World| {
        extremes.least_ready = extremes.least_ready.min(world.ready_pods());
        extremes.most_active = extremes.most_active.max(world.active_pods().count());
    };
    if history.changes.first().is_none_or(|first| first.revision > after) {
        look(&history.start);
    }
    history.walk(|step| {
        if step.change.revision > after {
            look(step.world);
        }
    });
    extremes
}
