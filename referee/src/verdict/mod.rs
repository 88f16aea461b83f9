//! The verdict on a scenario: one outcome and its reasons.
//!
//! `outage` finds the times in which a loaded service had no ready endpoint, `dips` those with too few ready pods, `endings`
//! the pods that ended. `floor` judges how few pods an arm may have. `cause` finds the likely cause of each, and `charge` that of each failed request.

mod cause;
mod charge;
mod dips;
mod endings;
mod floor;
mod outage;

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

pub use dips::Dip;
pub use outage::Outage;
use serde::Serialize;

use crate::evidence::{ArmRecord, Checked, Expected, FaultRecord, Lane};
use crate::history::History;
use crate::judge::{Judgement, judge};

/// The outcome of a scenario, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Everything held, no client request failed, and each loaded service had a ready pod all the time.
    Pass,
    /// Everything held, but client requests failed, or a loaded service had no ready pod for a while.
    Degraded,
    /// Unknown: a fault had no effect, or a change was not recorded.
    Inconclusive,
    /// A requirement was violated.
    Fail,
}

impl Outcome {
    /// Returns the exit code of a command that ran a scenario. (2 is for an invalid command line.)
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Degraded => 3,
            Self::Inconclusive => 4,
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Degraded => "DEGRADED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Fail => "FAIL",
        })
    }
}

/// A reason for an outcome other than a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// The outcome that this reason alone would cause.
    pub outcome: Outcome,
    /// The description for the user.
    pub text: String,
}

/// The verdict on a scenario.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The worst outcome of all reasons.
    pub outcome: Outcome,
    /// Every reason, worst first.
    pub reasons: Vec<Reason>,
    /// The referee's findings in the history; `None` if the history is incomplete.
    pub referee: Option<Judgement>,
    /// The findings of the checkers; `None` if there were none.
    pub checked: Option<Checked>,
    /// The times with too few ready pods, and their causes.
    pub dips: Vec<Dip>,
    /// The times in which a loaded service had no ready endpoint, and their causes.
    pub outages: Vec<Outage>,
    /// The revision and the hash of the final state that all apiservers share.
    pub agreed: Option<(u64, String)>,
}

/// Everything that the verdict is based on.
pub struct Evidence<'a> {
    /// The expectations and the requests of each arm.
    pub arms: &'a mut [ArmRecord],
    /// Every fault with its receipt.
    pub faults: &'a [FaultRecord],
    /// It is enough if one of the faults took effect.
    pub faults_may_miss: bool,
    /// The final state that all members share.
    pub agreed: Result<(u64, u64), String>,
    /// The findings of the checkers.
    pub checked: Result<Checked, String>,
    /// The history and the revisions that it covers.
    pub recorded: Result<(RangeInclusive<u64>, History), String>,
    /// Removed pods that still serve.
    pub zombies: Vec<String>,
    /// A member that exited by itself.
    pub ended: Option<String>,
    /// The leaders over time.
    pub lanes: &'a [Lane],
}

/// Reaches the verdict. Returns the history too, for reports.
#[must_use]
pub fn reach(evidence: Evidence<'_>) -> (Verdict, History) {
    let mut reasons = Reasons::default();
    for zombie in evidence.zombies {
        reasons.add(Outcome::Fail, zombie);
    }
    if let Some(ended) = evidence.ended {
        reasons.add(Outcome::Fail, format!("a member exited unexpectedly: {ended}"));
    }
    let enough = evidence.faults_may_miss && evidence.faults.iter().any(|fault| fault.receipt.bit);
    for fault in evidence.faults.iter().filter(|fault| !fault.receipt.bit && (fault.receipt.failed || !enough)) {
        let FaultRecord { arm, name, text, receipt, .. } = fault;
        reasons.add(Outcome::Inconclusive, format!("{arm}: the fault {name} ({text}) had no effect: {}", receipt.text));
    }
    let agreed = match evidence.agreed {
        Ok((revision, hash)) => Some((revision, format!("{hash:016x}"))),
        Err(error) => {
            reasons.add(Outcome::Fail, format!("the apiservers do not agree in the end: {error}"));
            None
        }
    };
    let checked = match evidence.checked {
        Ok(checked) => {
            checked.violations.iter().for_each(|text| reasons.add(Outcome::Fail, text.clone()));
            (checked.acknowledged > 0).then_some(checked)
        }
        Err(error) => {
            reasons.add(Outcome::Fail, format!("acknowledged writes cannot be read back: {error}"));
            None
        }
    };
    let (history, judged) = match evidence.recorded {
        Ok((range, history)) => {
            let judged = judge(range, &history);
            for violation in &judged.violations {
                let led = leading(evidence.lanes, violation.at);
                reasons.add(Outcome::Fail, format!("{violation}; {led}"));
            }
            (history, Some(judged))
        }
        Err(error) => {
            reasons.add(Outcome::Inconclusive, format!("the history is incomplete: {error}"));
            (History::default(), None)
        }
    };
    let outages = evidence.arms.iter().flat_map(|arm| outage::outages(arm, evidence.faults, &history));
    let outages: Vec<Outage> = outages.collect();
    charge::charge(evidence.arms, evidence.faults, &outages, &history);
    for arm in evidence.arms.iter_mut() {
        // An arm that was stopped promises nothing.
        let floors = if arm.stopped.is_none() { arm.floors.clone() } else { Vec::new() };
        for promise in floors {
            let instead = floor::broken(&promise, arm, &history).err();
            arm.expected.push(Expected { text: promise.to_string(), instead, why: Vec::new() });
        }
        of_arm(arm, &mut reasons);
        outages.iter().filter(|outage| outage.arm == arm.name).for_each(|outage| of_outage(arm, outage, &mut reasons));
    }
    let dips = dips::dips(&history, evidence.arms, evidence.faults);
    let (outcome, reasons) = (reasons.outcome(), reasons.sorted());
    (Verdict { outcome, reasons, referee: judged, checked, dips, outages, agreed }, history)
}

/// No ready pod is an outage even if no client noticed. A service that stays without one has lost its pods for good.
fn of_outage(arm: &ArmRecord, outage: &Outage, reasons: &mut Reasons) {
    let Outage { arm: name, service, from, to, in_the_end, charged_to } = outage;
    let from_on = from.as_secs_f64();
    if let Some(why) = in_the_end {
        let text = format!("{name}: the service {service} has had no ready endpoint since {from_on:.1} s: {why}");
        reasons.add(Outcome::Fail, format!("{text}; charged to {charged_to}"));
    } else if !arm.clients_may_fail {
        let lasted = to.saturating_sub(*from).as_secs_f64();
        let text = format!("{name}: the service {service} had no ready endpoint for {lasted:.1} s");
        reasons.add(Outcome::Degraded, format!("{text}, from {from_on:.1} s on, charged to {charged_to}"));
    }
}

/// Returns the controller leader at a moment.
fn leading(lanes: &[Lane], at: Duration) -> String {
    let mut controllers = lanes.iter().filter(|lane| lane.what == "controllers" && lane.from <= at);
    match controllers.next_back() {
        Some(lane) => format!("{} led (election {})", lane.leader, lane.epoch),
        None => "no leader was seen".to_owned(),
    }
}

fn of_arm(arm: &ArmRecord, reasons: &mut Reasons) {
    let name = &arm.name;
    if let Some(stopped) = &arm.stopped {
        reasons.add(Outcome::Fail, format!("{name}: a step failed: {stopped}"));
    }
    for expected in &arm.expected {
        if let Some(instead) = &expected.instead {
            let why: String = expected.why.iter().map(|why| format!("\n    {why}")).collect();
            reasons.add(Outcome::Fail, format!("{name}: expected that {}; {instead}{why}", expected.text));
        }
    }
    if arm.requests.failed > 0 && !arm.clients_may_fail {
        reasons.add(Outcome::Degraded, format!("{name}: {}", charge::summary(&arm.requests)));
    }
}

#[derive(Default)]
struct Reasons(Vec<Reason>);

impl Reasons {
    fn add(&mut self, outcome: Outcome, text: String) {
        self.0.push(Reason { outcome, text });
    }

    fn outcome(&self) -> Outcome {
        self.0.iter().map(|reason| reason.outcome).max().unwrap_or(Outcome::Pass)
    }

    fn sorted(mut self) -> Vec<Reason> {
        self.0.sort_by_key(|reason| std::cmp::Reverse(reason.outcome));
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Receipt;

    fn fault(bit: bool) -> FaultRecord {
        FaultRecord {
            arm: "arm".to_owned(),
            name: "cut".to_owned(),
            text: "cut".to_owned(),
            victims: Vec::new(),
            from: Duration::ZERO,
            to: Duration::from_secs(1),
            receipt: Receipt { bit, failed: false, text: "nothing was sent".to_owned() },
        }
    }

    fn outcome(instead: Option<&str>, bit: bool, whole: bool) -> Outcome {
        let expected =
            vec![Expected { text: "it holds".to_owned(), instead: instead.map(str::to_owned), why: Vec::new() }];
        let arm = ArmRecord { name: "arm".to_owned(), expected, ..ArmRecord::default() };
        let recorded = if whole { Ok((0..=0, History::default())) } else { Err("missed".to_owned()) };
        let (verdict, _) = reach(Evidence {
            arms: &mut [arm],
            faults: &[fault(bit)],
            faults_may_miss: false,
            agreed: Ok((1, 2)),
            checked: Ok(Checked::default()),
            recorded,
            zombies: Vec::new(),
            ended: None,
            lanes: &[],
        });
        verdict.outcome
    }

    #[test]
    fn what_is_worse_decides() {
        assert_eq!(outcome(None, true, true), Outcome::Pass);
        assert_eq!(outcome(None, false, true), Outcome::Inconclusive);
        assert_eq!(outcome(None, true, false), Outcome::Inconclusive);
        assert_eq!(outcome(Some("not so"), false, false), Outcome::Fail);
    }
}
