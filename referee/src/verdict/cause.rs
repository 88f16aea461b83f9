//! The likeliest cause of what clients saw in a span of time: a fault in force, or a step of the user.

use std::time::Duration;

use crate::evidence::{ArmRecord, FaultRecord, StepRecord};

/// How long after its end a fault may still cause failures.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Verbs of `ctl` that change nothing.
const READERS: [&str; 14] = [
    "api-resources",
    "api-versions",
    "auth",
    "describe",
    "diff",
    "events",
    "explain",
    "get",
    "logs",
    "top",
    "version",
    "wait",
    "watch",
    "why",
];

/// A span of time, from its beginning to its end.
pub type Span = (Duration, Duration);

/// Returns the cause in an arm. A fault comes before a step: the scenario meant it to do harm.
pub fn of(arm: Option<&ArmRecord>, faults: &[FaultRecord], during: Span) -> String {
    let step = || arm.and_then(|arm| step(&arm.steps, during));
    fault(faults, during).or_else(step).unwrap_or_else(|| "an unknown cause".to_owned())
}

/// Returns the fault that was in force at a time, or shortly before. The one that began last is the likeliest.
fn fault(faults: &[FaultRecord], (from, to): Span) -> Option<String> {
    let in_force = |fault: &&FaultRecord| {
        let has_begun = !fault.victims.is_empty() || fault.from < fault.to || fault.receipt.bit;
        has_begun && fault.from <= to && from <= fault.to + AFTERMATH
    };
    let fault = faults.iter().filter(in_force).max_by_key(|fault| fault.from)?;
    Some(format!("the fault {} ({})", fault.name, fault.text))
}

/// Returns the last change that a user made before the end of a span: it works on until the next one.
fn step(steps: &[StepRecord], (_, to): Span) -> Option<String> {
    let step = steps.iter().filter(|step| changes(&step.text) && step.from <= to).max_by_key(|step| step.from)?;
    Some(format!("the step \"{}\"", step.text))
}

/// Whether a step is a command that changes something.
fn changes(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("ctl"), Some("rollout"), Some(verb)) => !matches!(verb, "status" | "history"),
        (Some("ctl"), Some(verb), _) => !READERS.contains(&verb),
        (Some("run" | "drain" | "apply" | "create"), Some(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Receipt;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn arm(steps: &[(&str, u64, u64)]) -> ArmRecord {
        let record = |(text, from, to): &(&str, u64, u64)| StepRecord {
            text: (*text).to_owned(),
            from: seconds(*from),
            to: seconds(*to),
        };
        ArmRecord { steps: steps.iter().map(record).collect(), ..ArmRecord::default() }
    }

    fn fault(from: u64, to: u64) -> FaultRecord {
        FaultRecord {
            arm: "arm".to_owned(),
            name: "cut".to_owned(),
            text: "cut node-1".to_owned(),
            victims: vec!["node-1".to_owned()],
            from: seconds(from),
            to: seconds(to),
            receipt: Receipt { bit: true, failed: false, text: String::new() },
        }
    }

    #[test]
    fn a_users_last_change_is_a_cause_and_a_fault_in_force_a_likelier_one() {
        let arm = arm(&[
            ("ctl create -f app.yaml", 0, 1),
            ("ctl drain node-0", 10, 14),
            ("ctl get pods", 15, 16),
            ("ctl rollout status deployment kubia", 16, 30),
            ("ctl drain node-1", 40, 50),
        ]);
        let faults = [fault(18, 20)];
        let cause = |from, to| of(Some(&arm), &faults, (seconds(from), seconds(to)));
        assert_eq!(cause(12, 13), "the step \"ctl drain node-0\"", "while it runs");
        assert_eq!(cause(16, 17), "the step \"ctl drain node-0\"", "its effect lasts; reading has none");
        assert_eq!(cause(19, 20), "the fault cut (cut node-1)");
        assert_eq!(cause(22, 22), "the fault cut (cut node-1)", "its effect lasts a little");
        assert_eq!(cause(30, 45), "the step \"ctl drain node-1\"");
        assert_eq!(of(None, &[], (seconds(1), seconds(2))), "an unknown cause");
    }

    #[test]
    fn a_fault_that_never_began_caused_nothing() {
        let never = FaultRecord {
            victims: Vec::new(),
            receipt: Receipt { bit: false, failed: false, text: "its moment never came".to_owned() },
            ..fault(5, 5)
        };
        assert_eq!(of(None, &[never], (seconds(5), seconds(6))), "an unknown cause");
    }
}
