//! What the demo came to: figures, and every reason why it did not pass.

use std::collections::BTreeMap;

use serde::Serialize;
use squall_cluster::MemberName;

use super::view::VersionPods;
use squall_checkers::traffic::Tally;
use squall_referee::judge::{Extremes, Judgement};

/// A member that was killed, and who took over.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Who was killed.
    pub killed: MemberName,
    /// What it led.
    pub led: &'static str,
    /// The Raft term, or how often the Lease had changed hands, when it was killed.
    pub epoch: u64,
    /// Who leads since.
    pub successor: MemberName,
    /// The term or the count since then.
    pub successor_epoch: u64,
    /// How long it took until the successor led, as seen from outside.
    pub seconds: f64,
}

impl Fault {
    /// Whether it did anything: leadership went to another, under a later epoch.
    #[must_use]
    pub fn bit(&self) -> bool {
        self.successor != self.killed && self.successor_epoch > self.epoch
    }
}

/// The whole result.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Why it did not pass; empty if it did.
    pub reasons: Vec<String>,
    /// Which constants were used.
    pub timing: String,
    /// From the first process to the last node being ready.
    pub ready_seconds: f64,
    /// From the change of the image to the last pod being available.
    pub rollout_seconds: f64,
    /// The whole demo.
    pub total_seconds: f64,
    /// Answered requests by version.
    pub requests: BTreeMap<String, usize>,
    /// Requests that failed.
    pub failed_requests: usize,
    /// The longest wait for an answer, in milliseconds.
    pub slowest_request_ms: f64,
    /// What was broken.
    pub faults: Vec<Fault>,
    /// Pods that run at the end, by version.
    #[serde(skip)]
    pub pods: BTreeMap<String, VersionPods>,
    /// What the referee says.
    pub verdict: Judgement,
    /// What there was to see of pods during the rollout.
    pub extremes: Extremes,
    /// The revision and the hash of the state that all apiservers have.
    pub agreed: (u64, String),
}

/// Adds up why the demo did not pass.
pub fn reasons(
    tally: &Tally,
    pods: &BTreeMap<String, VersionPods>,
    faults: &[Fault],
    verdict: &Judgement,
    replicas: usize,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if tally.failed > 0 {
        let first = tally.failures.first().map_or("", String::as_str);
        reasons.push(format!("{} requests failed, the first with: {first}", tally.failed));
    }
    if ["v1", "v2"].iter().any(|version| !tally.by_version.contains_key(*version)) {
        reasons.push(format!("not both versions answered requests: {:?}", tally.by_version));
    }
    let wanted = BTreeMap::from([("v2".to_owned(), VersionPods { ready: replicas, all: replicas })]);
    if *pods != wanted {
        reasons.push(format!("not every pod runs v2 and is ready: {pods:?}"));
    }
    for fault in faults.iter().filter(|fault| !fault.bit()) {
        reasons.push(format!("killing {} did not make another lead: the demo showed nothing", fault.killed));
    }
    for violation in &verdict.violations {
        reasons.push(violation.to_string());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> (Tally, BTreeMap<String, VersionPods>, Vec<Fault>, Judgement) {
        let tally = Tally { by_version: [("v1".to_owned(), 5), ("v2".to_owned(), 7)].into(), ..Tally::default() };
        let fault = Fault {
            killed: "apiserver-0".parse().unwrap(),
            led: "Raft",
            epoch: 1,
            successor: "apiserver-1".parse().unwrap(),
            successor_epoch: 2,
            seconds: 0.5,
        };
        let verdict = Judgement { revisions: 1..=9, changes: 3, invariants: Vec::new(), violations: Vec::new() };
        (tally, [("v2".to_owned(), VersionPods { ready: 3, all: 3 })].into(), vec![fault], verdict)
    }

    #[test]
    fn everything_that_must_hold_is_a_reason_when_it_does_not() {
        let (tally, pods, faults, verdict) = good();
        let count = |tally: &Tally, pods: &BTreeMap<_, _>, faults: &[Fault], verdict: &Judgement| {
            reasons(tally, pods, faults, verdict, 3).len()
        };
        assert_eq!(count(&tally, &pods, &faults, &verdict), 0);
        let failed = Tally { failed: 1, failures: vec!["HTTP 500".to_owned()], ..tally.clone() };
        assert_eq!(count(&failed, &pods, &faults, &verdict), 1);
        assert_eq!(count(&Tally::default(), &pods, &faults, &verdict), 1);
        let mixed = [("v1".to_owned(), VersionPods { ready: 3, all: 3 })].into();
        assert_eq!(count(&tally, &mixed, &faults, &verdict), 1);
        let unready = [("v2".to_owned(), VersionPods { ready: 2, all: 3 })].into();
        assert_eq!(count(&tally, &unready, &faults, &verdict), 1);
        let in_vain = vec![Fault { successor: faults[0].killed, ..faults[0].clone() }];
        assert_eq!(count(&tally, &pods, &in_vain, &verdict), 1);
    }
}
