//! Finds the likely cause of a failed request: a pod with a bad answer, a time without endpoints, a fault.

use std::time::Duration;

use crate::evidence::{ArmRecord, FaultRecord};
use crate::history::{History, Subject, World};

/// How long after its end a fault may still cause failures.
const AFTERMATH: Duration = Duration::from_secs(3);

/// Fills in the cause of each failed request.
pub fn charge(arms: &mut [ArmRecord], faults: &[FaultRecord], history: &History) {
    for arm in arms {
        let gaps = gaps(history, &arm.name);
        for failure in &mut arm.requests.failures {
            let during = (failure.at, failure.at + failure.took);
            failure.charged_to = pod(&failure.error)
                .or_else(|| gap(&gaps, during))
                .or_else(|| fault(faults, during))
                .unwrap_or_else(|| "an unknown cause".to_owned());
        }
    }
}

/// Returns the pod that answered, from the text of the simulated images: `... This is pod kubia-x`.
fn pod(error: &str) -> Option<String> {
    let answer = error.strip_prefix("HTTP ")?;
    let name = answer.split_once("pod ")?.1.split_whitespace().next()?;
    Some(format!("the pod {name}"))
}

/// Returns the times in which a namespace had endpoint slices, but no ready endpoint.
fn gaps(history: &History, namespace: &str) -> Vec<(Duration, Duration)> {
    let mut gaps = Vec::new();
    let mut since = None;
    let mut look = |world: &World, at: Duration| match (ready(world, namespace), since) {
        (Some(0), None) => since = Some(at),
        (Some(1..), Some(from)) => {
            gaps.push((from, at));
            since = None;
        }
        _ => {}
    };
    look(&history.start, Duration::ZERO);
    history.walk(|step| {
        if matches!(step.change.subject, Subject::EndpointSlice(_)) {
            look(step.world, step.change.at);
        }
    });
    gaps.extend(since.map(|from| (from, Duration::MAX)));
    gaps
}

fn ready(world: &World, namespace: &str) -> Option<usize> {
    let slices: Vec<_> = world.slices().filter(|slice| slice.metadata.namespace == namespace).collect();
    let is_ready = |endpoint: &&squall_api::discovery::v1::Endpoint| endpoint.conditions.ready.unwrap_or(true);
    let count = slices.iter().flat_map(|slice| &slice.endpoints).filter(is_ready).count();
    (!slices.is_empty()).then_some(count)
}

fn gap(gaps: &[(Duration, Duration)], (from, to): (Duration, Duration)) -> Option<String> {
    let found = gaps.iter().find(|(begin, end)| *begin <= to && from <= *end)?;
    Some(format!("a gap: the service had no ready endpoint from {:.1} s on", found.0.as_secs_f64()))
}

/// Returns the fault that was in force at a time, or shortly before.
pub fn fault(faults: &[FaultRecord], (from, to): (Duration, Duration)) -> Option<String> {
    let in_force = |fault: &&FaultRecord| fault.from <= to && from <= fault.to + AFTERMATH;
    // The fault that started last is the likeliest cause.
    let fault = faults.iter().filter(in_force).max_by_key(|fault| fault.from)?;
    Some(format!("the fault {} ({})", fault.name, fault.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_answer_badly_are_named() {
        let error = "HTTP 500 Internal Server Error: Some internal error has occurred! This is pod kubia-x";
        assert_eq!(pod(error).as_deref(), Some("the pod kubia-x"));
        assert_eq!(pod("connection refused"), None);
    }

    #[test]
    fn a_gap_is_charged_when_the_request_was_within_it() {
        let seconds = Duration::from_secs;
        let gaps = [(seconds(2), seconds(4))];
        assert!(gap(&gaps, (seconds(3), seconds(3))).is_some() && gap(&gaps, (seconds(1), seconds(9))).is_some());
        assert!(gap(&gaps, (seconds(5), seconds(6))).is_none());
    }
}
