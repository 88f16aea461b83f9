//! Explains what a pod is waiting for.

use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::{ContainerStatus, Event, Pod};
use squall_api::duration;
use squall_api::kinds::{is_pod_ready, is_pod_terminal, pod_condition};
use squall_api::timing::lasts;

use crate::facts::Facts;
use crate::{Answer, Evidence};

/// Explains what keeps a pod from being available, given the seconds for which it has to stay ready.
pub fn of(pod: &Pod, facts: &Facts, min_ready_seconds: i32, now: Timestamp) -> Answer {
    let evidence = |says: &str| Evidence::of(pod.clone(), says);
    let status = &pod.status;
    if let Some(deleted) = pod.metadata.deletion_timestamp {
        let left = deleted.timestamp().duration_since(now);
        let says = if left.is_negative() {
            format!(
                "should have been gone {} ago, but its kubelet has not confirmed it",
                human(left.saturating_mul(-1))
            )
        } else {
            format!("is being deleted, and has {} left to terminate", human(left))
        };
        return Answer::held("Terminating", says).with([evidence("it has a deletionTimestamp")]);
    }
    if is_pod_terminal(pod) {
        let why = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
        return Answer::free(format!("has ended ({}){why}", status.phase))
            .with([evidence(&format!("phase {}", status.phase))]);
    }
    if pod.spec.node_name.is_empty() {
        let scheduled = pod_condition(pod, "PodScheduled").filter(|condition| condition.status == "False");
        let message = scheduled.map_or("", |condition| condition.message.as_str());
        let says = if message.is_empty() {
            "is waiting for the scheduler".to_owned()
        } else {
            format!("fits on no node: {}", trimmed(message))
        };
        return Answer::held("Scheduling", says).with([evidence("no nodeName")]);
    }
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses);
    if let Some((container, reason, message)) = statuses.filter_map(waiting).next() {
        let about = if message.is_empty() { String::new() } else { format!(": {}", trimmed(&message)) };
        let mount = facts.last_event(&pod.metadata.uid, &["FailedMount"]).filter(|_| reason == "ContainerCreating");
        let answer = match (reason.as_str(), mount) {
            ("ContainerCreating" | "PodInitializing", None) => {
                Answer::held("Starting", format!("is starting its container {container} ({reason})"))
            }
            (_, Some(event)) => {
                Answer::held("Volumes", format!("is waiting for a volume: {}", trimmed(&event.message)))
            }
            (gate, None) => {
                let end = last_end(pod, facts, &container).unwrap_or_default();
                Answer::held(gate_of(gate), format!("has container {container} waiting ({reason}){about}{end}"))
            }
        };
        return answer.with([evidence(&format!("container {container} waiting: {reason}"))]);
    }
    if !is_pod_ready(pod) {
        return unready(pod, facts).with([evidence("its condition Ready is False")]);
    }
    let since = pod_condition(pod, "Ready").map_or(now, |condition| condition.last_transition_time.timestamp());
    let ready_for = now.duration_since(since);
    let wanted =
        SignedDuration::try_from(lasts(min_ready_seconds.into(), facts.node.as_ref())).unwrap_or(SignedDuration::MAX);
    if min_ready_seconds > 0 && ready_for < wanted {
        let says = format!(
            "is ready, and counts as available in {} (minReadySeconds {min_ready_seconds})",
            human(wanted.saturating_sub(ready_for))
        );
        return Answer::held("MinReadySeconds", says).with([evidence(&format!("ready for {}", human(ready_for)))]);
    }
    Answer::free("is ready").with([evidence(&format!("ready for {}", human(ready_for)))])
}

/// Explains a pod whose containers are running, but which is not ready.
fn unready(pod: &Pod, facts: &Facts) -> Answer {
    let ready = pod_condition(pod, "Ready");
    let (reason, message) = ready.map_or(("", ""), |condition| (condition.reason.as_str(), condition.message.as_str()));
    if reason == "ReadinessGatesNotReady" {
        return Answer::held("ReadinessGate", format!("is waiting for a readiness gate: {}", trimmed(message)));
    }
    match facts.last_event(&pod.metadata.uid, &["Unhealthy"]) {
        Some(event) => {
            let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
            Answer::held("Probe", format!("is not ready: {}{times}", trimmed(&event.message)))
                .with([Evidence::of(event.clone(), format!("event {}: {}", event.reason, trimmed(&event.message)))])
        }
        None if facts.last_event(&pod.metadata.uid, &["NodeNotReady"]).is_some() => {
            Answer::held("Node", format!("is not ready: its node {} has stopped reporting", pod.spec.node_name))
        }
        None => Answer::held("Probe", "is running, but its probes have not passed yet"),
    }
}

/// Explains why a container does not run any more: the probe that ended it, or its exit code.
fn last_end(pod: &Pod, facts: &Facts, container: &str) -> Option<String> {
    let uid = &pod.metadata.uid;
    let by_probe = |event: &&Event| {
        event.message.contains("failed liveness probe") || event.message.contains("failed startup probe")
    };
    if let Some(killing) = facts.last_event(uid, &["Killing"]).filter(by_probe) {
        let unhealthy = facts.last_event(uid, &["Unhealthy"]).map(|event| format!(" ({})", trimmed(&event.message)));
        return Some(format!("; {}{}", trimmed(&killing.message), unhealthy.unwrap_or_default()));
    }
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let status = statuses.into_iter().find(|status| status.name == container)?;
    let ended = status.last_state.terminated.as_ref().or(status.state.terminated.as_ref())?;
    Some(format!("; its last run ended with exit code {} ({})", ended.exit_code, ended.reason))
}

fn gate_of(reason: &str) -> &'static str {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => "Image",
        "CrashLoopBackOff" => "CrashLoop",
        "CreateContainerConfigError" => "Config",
        _ => "Container",
    }
}

/// The name, the reason and the message of a waiting container.
fn waiting(status: &ContainerStatus) -> Option<(String, String, String)> {
    let waiting = status.state.waiting.as_ref().filter(|waiting| !waiting.reason.is_empty())?;
    Some((status.name.clone(), waiting.reason.clone(), waiting.message.clone()))
}

fn trimmed(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

/// `7s`, `1m30s`, `400ms`.
pub fn human(time: SignedDuration) -> String {
    let time = time.unsigned_abs();
    let rounded = if time.as_secs() > 0 {
        std::time::Duration::from_secs(time.as_secs())
    } else {
        std::time::Duration::from_millis(u64::from(time.subsec_millis()))
    };
    duration::format(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use squall_api::core::v1::ObjectReference;
    use squall_api::{Kind, Object};

    fn pod(spec: Value, status: Value) -> Pod {
        let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u", "resourceVersion": "7"},
            "spec": spec, "status": status});
        Pod::try_from(Object::from_json(Kind::Pod, json).unwrap()).unwrap()
    }

    fn told(spec: Value, status: Value, min_ready_seconds: i32) -> (Option<&'static str>, String) {
        let now = Timestamp::from_second(1_000).unwrap();
        let answer = of(&pod(spec, status), &Facts::default(), min_ready_seconds, now);
        assert_eq!(answer.evidence[0].resource_version, "7");
        (answer.gate, answer.says)
    }

    fn bound() -> Value {
        json!({"nodeName": "n"})
    }

    #[test]
    fn each_reason_has_its_words() {
        let unscheduled = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
        assert_eq!(
            told(json!({}), unscheduled, 0),
            (Some("Scheduling"), "fits on no node: 0/3 nodes are available: 3 Insufficient cpu".to_owned())
        );
        let waits = |reason: &str, message: &str| json!({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason, "message": message}}}]});
        assert_eq!(told(bound(), waits("ImagePullBackOff", "Back-off pulling image \"x\""), 0).0, Some("Image"));
        assert_eq!(told(bound(), waits("CrashLoopBackOff", "back-off 10s"), 0).0, Some("CrashLoop"));
        assert_eq!(told(bound(), waits("ContainerCreating", ""), 0).0, Some("Starting"));
        let mut crashed = waits("CrashLoopBackOff", "back-off 10s");
        crashed["containerStatuses"][0]["lastState"] = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        let says =
            "has container c waiting (CrashLoopBackOff): back-off 10s; its last run ended with exit code 3 (Error)";
        assert_eq!(told(bound(), crashed, 0).1, says);
        let ready =
            |since: &str| json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}]});
        assert_eq!(
            told(bound(), ready("1970-01-01T00:16:37Z"), 10),
            (Some("MinReadySeconds"), "is ready, and counts as available in 7s (minReadySeconds 10)".to_owned())
        );
        assert_eq!(told(bound(), ready("1970-01-01T00:16:30Z"), 10), (None, "is ready".to_owned()));
        assert_eq!(told(bound(), json!({}), 0).0, Some("Probe"));
        assert_eq!(told(bound(), json!({"phase": "Failed"}), 0), (None, "has ended (Failed)".to_owned()));
    }

    #[test]
    fn a_container_that_a_probe_ended_is_blamed_on_the_probe() {
        let event = |reason: &str, message: &str| Event {
            involved_object: ObjectReference { uid: "u".to_owned(), ..ObjectReference::default() },
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Event::default()
        };
        let facts = Facts {
            events: vec![
                event("Killing", "Container c failed liveness probe, will be restarted"),
                event("Unhealthy", "Liveness probe failed: connection refused"),
            ],
            ..Facts::default()
        };
        let waiting = json!({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137}}}]});
        let answer = of(&pod(bound(), waiting), &facts, 0, Timestamp::from_second(1_000).unwrap());
        let says = "has container c waiting (CrashLoopBackOff); Container c failed liveness probe, will be restarted \
                    (Liveness probe failed: connection refused)";
        assert_eq!(answer.says, says);
    }
}
