//! The summary of a played demo: figures, and every reason why it did not pass.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use squall_referee::evidence::{FaultRecord, Lane, Requests};
use squall_referee::judge::{Extremes, Judgement, extremes};
use squall_referee::verdict::Outcome;

use crate::stage::Record;

/// A leader that was killed, and its successor.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Takeover {
    /// The member that was killed.
    pub killed: String,
    /// The office that it held: `Raft` or `controllers`.
    pub led: &'static str,
    /// The Raft term, or the number of times that the Lease had changed hands, when it was killed.
    pub epoch: u64,
    /// The member that leads since then.
    pub successor: String,
    /// The term or the number since then.
    pub successor_epoch: u64,
    /// The time until the successor was seen to lead, in seconds.
    pub seconds: f64,
}

/// The whole result.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Every reason why it did not pass; empty if it did.
    pub reasons: Vec<String>,
    /// The timing profile.
    pub timing: String,
    /// The time from the first process to a ready cluster, in seconds.
    pub ready_seconds: f64,
    /// The time from the change of the image until the rollout was complete, in seconds.
    pub rollout_seconds: f64,
    /// The time of the whole demo, in seconds.
    pub total_seconds: f64,
    /// Answered requests by version.
    pub requests: BTreeMap<String, usize>,
    /// Failed requests.
    pub failed_requests: usize,
    /// The slowest answer, in milliseconds.
    pub slowest_request_ms: f64,
    /// The leaders that were killed.
    pub faults: Vec<Takeover>,
    /// The judgement of the history; `None` if the history is not complete.
    pub verdict: Option<Judgement>,
    /// The extremes of pods during the rollout.
    pub extremes: Extremes,
    /// The revision and the hash of the state that all apiservers have.
    pub agreed: (u64, String),
}

impl Summary {
    /// Sums up a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let offices = [("raft-leader", "Raft"), ("controller-leader", "controllers")];
        let takeovers = offices.map(|(fault, office)| takeover(&record.faults, &record.lanes, fault, office));
        let verdict = &record.verdict;
        let failed = verdict.reasons.iter().filter(|reason| reason.outcome != Outcome::Pass);
        let in_vain = takeovers.iter().filter_map(|takeover| takeover.as_ref().err().cloned());
        let (from, to) = rollout(record);
        let Requests { answered, failed: failed_requests, slowest_ms, .. } =
            record.arms.first().map(|arm| arm.requests.clone()).unwrap_or_default();
        Self {
            reasons: failed.map(|reason| reason.text.clone()).chain(in_vain).collect(),
            timing: record.timing.clone(),
            ready_seconds: record.ready_seconds,
            rollout_seconds: to.saturating_sub(from).as_secs_f64(),
            total_seconds: record.seconds,
            requests: answered,
            failed_requests,
            slowest_request_ms: slowest_ms,
            faults: takeovers.into_iter().filter_map(Result::ok).collect(),
            verdict: verdict.referee.clone(),
            extremes: extremes(&record.history, from),
            agreed: verdict.agreed.clone().unwrap_or_default(),
        }
    }
}

/// The time of the rollout to v2: from its command to the end of the wait that follows it.
fn rollout(record: &Record) -> (Duration, Duration) {
    let mut steps = record.arms.iter().flat_map(|arm| &arm.steps).skip_while(|step| !step.text.contains("set image"));
    let from = steps.next().map_or(Duration::ZERO, |step| step.from);
    (from, steps.next().map_or(from, |step| step.to))
}

/// The takeover after a fault; the error says why there was none.
fn takeover(faults: &[FaultRecord], lanes: &[Lane], name: &str, office: &'static str) -> Result<Takeover, String> {
    let fault = faults.iter().find(|fault| fault.name == name).ok_or_else(|| format!("{name} was not killed"))?;
    let killed = fault.victims.first().ok_or_else(|| format!("{name} was not killed: {}", fault.receipt.text))?;
    let of_office = || lanes.iter().filter(|lane| lane.what == office && !lane.leader.is_empty());
    let before = of_office().rfind(|lane| lane.from <= fault.from && lane.leader == *killed);
    let epoch = before.map_or(0, |lane| lane.epoch);
    let successor = of_office().find(|lane| lane.to > fault.from && lane.leader != *killed && lane.epoch > epoch);
    let successor = successor.ok_or_else(|| format!("no other member took over after {killed} was killed"))?;
    Ok(Takeover {
        killed: killed.clone(),
        led: office,
        epoch,
        successor: successor.leader.clone(),
        successor_epoch: successor.epoch,
        seconds: successor.from.saturating_sub(fault.from).as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_referee::evidence::Receipt;

    fn lane(leader: &str, epoch: u64, from: u64, to: u64) -> Lane {
        let [from, to] = [from, to].map(Duration::from_secs);
        Lane { what: "Raft", leader: leader.to_owned(), epoch, from, to }
    }

    fn fault(victims: &[&str]) -> FaultRecord {
        FaultRecord {
            arm: "default".to_owned(),
            name: "raft-leader".to_owned(),
            text: "kill raft-leader".to_owned(),
            victims: victims.iter().map(|victim| (*victim).to_owned()).collect(),
            from: Duration::from_secs(5),
            to: Duration::from_secs(9),
            receipt: Receipt { bit: true, failed: false, text: "ended by SIGKILL".to_owned() },
        }
    }

    #[test]
    fn the_successor_is_whoever_leads_next() {
        let lanes = [lane("a", 1, 0, 5), lane("", 0, 5, 6), lane("b", 2, 6, 12)];
        let found = takeover(&[fault(&["a"])], &lanes, "raft-leader", "Raft").unwrap();
        assert_eq!((found.epoch, found.successor.as_str(), found.successor_epoch), (1, "b", 2));
        assert!((found.seconds - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_successor_the_demo_shows_nothing() {
        let takeover =
            |faults: &[FaultRecord], lanes: &[Lane]| takeover(faults, lanes, "raft-leader", "Raft").unwrap_err();
        assert!(takeover(&[fault(&["a"])], &[lane("a", 1, 0, 12)]).contains("took over"));
        assert!(takeover(&[fault(&[])], &[lane("a", 1, 0, 5), lane("b", 2, 6, 12)]).contains("was not killed"));
        assert!(takeover(&[], &[]).contains("was not killed"));
    }
}
