//! Finds the likely cause of each failed request, and sums the requests up by it.

use std::collections::BTreeMap;

use super::cause;
use super::endings::{ended_during, endings};
use super::outage::Outage;
use crate::evidence::{ArmRecord, FailedRequest, FaultRecord, Requests};
use crate::history::History;

/// Number of causes that a summary names.
const NAMED: usize = 4;

/// Fills in the cause of each failed request.
pub fn charge(arms: &mut [ArmRecord], faults: &[FaultRecord], outages: &[Outage], history: &History) {
    let endings = endings(history);
    for arm in arms {
        let charged = arm.requests.failures.iter().map(|failure| {
            let during = (failure.at, failure.at + failure.took);
            pod(&failure.error)
                .or_else(|| gap(outages, arm, failure))
                .or_else(|| is_refusal(&failure.error).then(|| ended_during(&endings, &arm.name, during)).flatten())
                .unwrap_or_else(|| cause::of(Some(arm), faults, during))
        });
        let charged: Vec<String> = charged.collect();
        for (failure, charged) in arm.requests.failures.iter_mut().zip(charged) {
            failure.charged_to = charged;
        }
    }
}

/// Returns the pod that answered, from the text of the simulated images: `... This is pod kubia-x`.
fn pod(error: &str) -> Option<String> {
    let answer = error.strip_prefix("HTTP ")?;
    let name = answer.split_once("pod ")?.1.split_whitespace().next()?;
    Some(format!("the pod {name}, which answered with an error"))
}

fn gap(outages: &[Outage], arm: &ArmRecord, failure: &FailedRequest) -> Option<String> {
    let (from, to) = (failure.at, failure.at + failure.took);
    let mut outages = outages.iter().filter(|outage| outage.arm == arm.name);
    let outage = outages.find(|outage| outage.from <= to && from <= outage.to)?;
    Some(format!("a gap in which {} had no ready endpoint, caused by {}", outage.service, outage.charged_to))
}

/// Whether nobody listened at the address, or someone stopped in the middle. A time-out is neither: a process that
/// ended refuses at once.
fn is_refusal(error: &str) -> bool {
    !error.starts_with("HTTP ") && !error.starts_with("no answer within ")
}

/// Sums up failed requests: how many are charged to which cause, most first, with the first error of each.
pub fn summary(requests: &Requests) -> String {
    let mut causes: BTreeMap<&str, Vec<&FailedRequest>> = BTreeMap::new();
    for failure in &requests.failures {
        causes.entry(&failure.charged_to).or_default().push(failure);
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.len()));
    let all = requests.answered.values().sum::<usize>() + requests.failed;
    let named = causes.iter().take(NAMED).filter_map(|(cause, failures)| {
        let first = failures.first()?;
        let (count, at) = (failures.len(), first.at.as_secs_f64());
        Some(format!("{count} charged to {cause} (the first after {at:.1} s: {})", first.error))
    });
    let mut parts: Vec<String> = named.collect();
    let others: usize = causes.iter().skip(NAMED).map(|(_, failures)| failures.len()).sum();
    if others > 0 {
        parts.push(format!("{others} to {} other causes", causes.len() - NAMED));
    }
    format!("{} of {all} requests failed: {}", requests.failed, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failure(second: u64, error: &str, cause: &str) -> FailedRequest {
        let (at, took) = (Duration::from_secs(second), Duration::ZERO);
        FailedRequest { at, took, error: error.to_owned(), charged_to: cause.to_owned() }
    }

    #[test]
    fn pods_that_answer_badly_are_named() {
        let error = "HTTP 500 Internal Server Error: Some internal error has occurred! This is pod kubia-x";
        assert_eq!(pod(error).as_deref(), Some("the pod kubia-x, which answered with an error"));
        assert_eq!(pod("connection refused"), None);
    }

    #[test]
    fn answers_and_time_outs_are_no_refusals() {
        assert!(is_refusal("connection refused") && is_refusal("connection reset by peer"));
        assert!(!is_refusal("HTTP 503 Service Unavailable") && !is_refusal("no answer within 5s"));
    }

    #[test]
    fn a_gap_is_charged_when_the_request_was_within_it() {
        let outage = Outage {
            arm: "arm".to_owned(),
            service: "web".to_owned(),
            from: Duration::from_secs(2),
            to: Duration::from_secs(4),
            in_the_end: None,
            charged_to: "the step \"ctl drain node-1\"".to_owned(),
        };
        let arm = |name: &str| ArmRecord { name: name.to_owned(), ..ArmRecord::default() };
        let found = |name, second| gap(std::slice::from_ref(&outage), &arm(name), &failure(second, "refused", ""));
        let text = "a gap in which web had no ready endpoint, caused by the step \"ctl drain node-1\"";
        assert_eq!(found("arm", 3).as_deref(), Some(text));
        assert_eq!((found("arm", 5), found("other", 3)), (None, None));
    }

    #[test]
    fn failures_are_summed_up_by_their_cause_and_not_named_by_the_first() {
        let mut failures = vec![failure(1, "reset", "the pod a")];
        failures.extend((2..5).map(|second| failure(second, "refused", "a gap")));
        failures.extend(["c", "d", "e"].map(|cause| failure(6, "reset", cause)));
        let answered = [("v1".to_owned(), 93)].into();
        let requests = Requests { failed: failures.len(), failures, answered, ..Requests::default() };
        let expected = "7 of 100 requests failed: 3 charged to a gap (the first after 2.0 s: refused); \
                        1 charged to c (the first after 6.0 s: reset); 1 charged to d (the first after 6.0 s: reset); \
                        1 charged to e (the first after 6.0 s: reset); 1 to 1 other causes";
        assert_eq!(summary(&requests), expected);
    }
}
