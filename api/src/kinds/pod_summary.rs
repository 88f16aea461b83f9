//! The summary of a pod's state that kubectl prints (Kubernetes: `printPod`).

use std::collections::HashSet;

use jiff::Timestamp;
use squall_proto::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::pod::{is_pod_ready, is_pod_terminal, pod_condition};
use crate::age;
use crate::counts::total;

/// The columns READY, STATUS and RESTARTS of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Number of ready containers, sidecars among them.
    pub ready: usize,
    /// Number of containers and sidecars.
    pub total: usize,
    /// The status in one word: "Running".
    pub text: String,
    restarts: i32,
    last_restart: Option<Timestamp>,
}

impl Summary {
    /// Formats the restarts: `2 (5s ago)`.
    #[must_use]
    pub fn restarts(&self, now: Timestamp) -> String {
        match self.last_restart {
            Some(last) if self.restarts > 0 => {
                let last = squall_proto::meta::v1::Time::from_timestamp(last);
                format!("{} ({} ago)", self.restarts, age::since(&last, now))
            }
            _ => self.restarts.to_string(),
        }
    }
}

/// Summarizes a pod.
#[must_use]
pub fn summarize(pod: &Pod) -> Summary {
    let sidecars: HashSet<&str> = pod
        .spec
        .init_containers
        .iter()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"))
        .map(|container| container.name.as_str())
        .collect();
    let is_sidecar = |status: &ContainerStatus| sidecars.contains(status.name.as_str());
    let runs = |status: &ContainerStatus| is_sidecar(status) && status.started == Some(true);
    let init = &pod.status.init_container_statuses;
    let incomplete = init.iter().position(|status| !has_completed(status) && !runs(status));
    let begun = init.iter().take(incomplete.unwrap_or(init.len()));
    let mut ready = begun.filter(|status| runs(status) && status.ready && !has_completed(status)).count();
    let mut text = first_word(pod);
    let is_initialized = pod_condition(pod, "Initialized").is_some_and(|condition| condition.status == "True");
    if let Some(index) = incomplete {
        text = init_text(pod, index);
    }
    let counted: Vec<&ContainerStatus> = if incomplete.is_none() || is_initialized {
        let statuses = &pod.status.container_statuses;
        let (words, running) = main_text(statuses, text);
        text = words;
        if text == "Completed" && running > 0 {
            (if is_pod_ready(pod) { "Running" } else { "NotReady" }).clone_into(&mut text);
        }
        ready = ready.saturating_add(running);
        init.iter().filter(|status| is_sidecar(status)).chain(statuses).collect()
    } else {
        init.iter().collect()
    };
    if pod.metadata.deletion_timestamp.is_some() {
        if pod.status.reason == "NodeLost" {
            "Unknown".clone_into(&mut text);
        } else if !is_pod_terminal(pod) {
            "Terminating".clone_into(&mut text);
        }
    }
    Summary {
        ready,
        total: pod.spec.containers.len().saturating_add(sidecars.len()),
        text,
        restarts: total(counted.iter().map(|status| status.restart_count)),
        last_restart: last_restart(&counted),
    }
}

fn first_word(pod: &Pod) -> String {
    let is_gated = pod_condition(pod, "PodScheduled").is_some_and(|condition| condition.reason == "SchedulingGated");
    match (&pod.status.reason, is_gated) {
        (_, true) => "SchedulingGated".to_owned(),
        (reason, _) if !reason.is_empty() => reason.clone(),
        _ => pod.status.phase.clone(),
    }
}

fn has_completed(status: &ContainerStatus) -> bool {
    status.state.terminated.as_ref().is_some_and(|state| state.exit_code == 0)
}

fn init_text(pod: &Pod, index: usize) -> String {
    let status = &pod.status.init_container_statuses[index];
    if let Some(terminated) = &status.state.terminated {
        return format!("Init:{}", end_text(terminated));
    }
    match &status.state.waiting {
        Some(waiting) if !waiting.reason.is_empty() && waiting.reason != "PodInitializing" => {
            format!("Init:{}", waiting.reason)
        }
        _ => format!("Init:{index}/{}", pod.spec.init_containers.len()),
    }
}

fn end_text(terminated: &ContainerStateTerminated) -> String {
    match (terminated.reason.as_str(), terminated.signal) {
        ("", 0) => format!("ExitCode:{}", terminated.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Returns the text of the first container that has one, and how many containers are ready.
fn main_text(statuses: &[ContainerStatus], mut text: String) -> (String, usize) {
    let mut running = 0_usize;
    for status in statuses.iter().rev() {
        let waits = status.state.waiting.as_ref().filter(|waiting| !waiting.reason.is_empty());
        match (waits, &status.state.terminated) {
            (Some(waiting), _) => text.clone_from(&waiting.reason),
            (None, Some(terminated)) => text = end_text(terminated),
            (None, None) if status.ready && status.state.running.is_some() => running = running.saturating_add(1),
            (None, None) => {}
        }
    }
    (text, running)
}

fn last_restart(statuses: &[&ContainerStatus]) -> Option<Timestamp> {
    let ends = statuses.iter().filter_map(|status| status.last_state.terminated.as_ref());
    ends.filter(|end| !end.finished_at.is_zero()).map(|end| end.finished_at.timestamp()).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(spec: Value, status: Value) -> Pod {
        serde_json::from_value(json!({"spec": spec, "status": status})).unwrap()
    }

    fn columns(pod: &Pod) -> (String, String, String) {
        let summary = summarize(pod);
        let now = Timestamp::from_second(100).unwrap();
        (format!("{}/{}", summary.ready, summary.total), summary.text.clone(), summary.restarts(now))
    }

    fn told(ready: &str, text: &str, restarts: &str) -> (String, String, String) {
        (ready.to_owned(), text.to_owned(), restarts.to_owned())
    }

    /// A pod with an init container, a sidecar and a main container.
    fn spec() -> Value {
        json!({"containers": [{"name": "m"}], "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]})
    }

    #[test]
    fn sidecars_count_as_containers() {
        let done = json!({"name": "i", "restartCount": 3, "state": {"terminated": {"exitCode": 0}}});
        let runs = json!({"name": "s", "started": true, "ready": true, "restartCount": 1, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "1970-01-01T00:01:35Z"}}});
        let main = json!({"name": "m", "ready": true, "restartCount": 2, "state": {"running": {}}});
        let status = json!({"phase": "Running", "initContainerStatuses": [done, runs], "containerStatuses": [main]});
        assert_eq!(columns(&pod(spec(), status)), told("2/2", "Running", "3 (5s ago)"));
    }

    #[test]
    fn an_init_container_comes_first() {
        let waits = |reason: &str| json!({"name": "i", "restartCount": 2, "state": {"waiting": {"reason": reason}}});
        let of = |init: Value| columns(&pod(spec(), json!({"phase": "Pending", "initContainerStatuses": [init]})));
        assert_eq!(of(waits("PodInitializing")), told("0/2", "Init:0/2", "2"));
        assert_eq!(of(waits("CrashLoopBackOff")), told("0/2", "Init:CrashLoopBackOff", "2"));
        let failed = json!({"name": "i", "state": {"terminated": {"exitCode": 3}}});
        assert_eq!(of(failed), told("0/2", "Init:ExitCode:3", "0"));
        let starts =
            json!([{"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "s", "state": {"running": {}}}]);
        let starting = pod(spec(), json!({"phase": "Pending", "initContainerStatuses": starts}));
        assert_eq!(columns(&starting), told("0/2", "Init:1/2", "0"));
    }

    #[test]
    fn a_gate_comes_before_everything() {
        let conditions = json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]);
        let gated = pod(json!({"containers": [{"name": "m"}]}), json!({"phase": "Pending", "conditions": conditions}));
        assert_eq!(columns(&gated), told("0/1", "SchedulingGated", "0"));
    }
}
