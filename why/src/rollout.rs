//! Explains what a rollout or a set of pods is waiting for.

use jiff::{SignedDuration, Timestamp};
use squall_api::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use squall_api::core::v1::{Pod, ReplicationController};
use squall_api::kinds::is_pod_active;
use squall_api::limits::Limits;
use squall_api::revision;
use squall_api::timing::lasts;
use squall_api::{Object, kinds::is_pod_ready};

use crate::facts::Facts;
use crate::pod::{self, human};
use crate::{Answer, Evidence};

/// The replicas of a ReplicaSet or ReplicationController.
pub struct Replicas {
    pub desired: i32,
    pub have: i32,
    pub available: i32,
    /// Why it cannot create or delete pods.
    pub failure: Option<String>,
    pub min_ready_seconds: i32,
}

/// Why a ReplicaSet cannot create pods.
pub fn failure_of_set(set: &ReplicaSet) -> Option<String> {
    let mut conditions = set.status.conditions.iter();
    conditions.find(|c| c.r#type == "ReplicaFailure" && c.status == "True").map(|condition| condition.message.clone())
}

/// Why a ReplicationController cannot create pods.
pub fn failure_of_controller(controller: &ReplicationController) -> Option<String> {
    let mut conditions = controller.status.conditions.iter();
    conditions.find(|c| c.r#type == "ReplicaFailure" && c.status == "True").map(|condition| condition.message.clone())
}

/// Explains the state of a ReplicaSet or ReplicationController.
pub fn of_replicas(object: &Object, replicas: &Replicas, facts: &Facts, now: Timestamp) -> Answer {
    let own = Evidence::of(
        object.clone(),
        format!("{} of {} pods, {} available", replicas.have, replicas.desired, replicas.available),
    );
    if let Some(failure) = &replicas.failure {
        return Answer::held("ReplicaFailure", format!("cannot create pods: {failure}")).with([own]);
    }
    if let Some((pod, answer)) = worst(facts.pods.iter(), facts, replicas.min_ready_seconds, now) {
        let says = format!(
            "has {} of {} pods available: pod {} {}",
            replicas.available, replicas.desired, pod.metadata.name, answer.says
        );
        return Answer { says, ..answer }.with([own]);
    }
    if replicas.have != replicas.desired {
        let says = format!("has {} of {} pods: its controller has not acted yet", replicas.have, replicas.desired);
        return Answer::held("Controller", says).with([own]);
    }
    Answer::free(format!("has its {} pods, all available", replicas.desired)).with([own])
}

/// Explains the state of a Deployment.
pub fn of_deployment(deployment: &Deployment, facts: &Facts, now: Timestamp) -> Answer {
    let (status, limits) = (&deployment.status, Limits::of(deployment));
    let own = Evidence::of(
        deployment.clone(),
        format!(
            "{} of {} pods updated, {} in all (at most {}), {} available (at least {})",
            status.updated_replicas,
            limits.desired,
            status.replicas,
            limits.max_total(),
            status.available_replicas,
            limits.min_available()
        ),
    );
    let answer = deployment_answer(deployment, &limits, facts, now);
    let deadline = deadline(deployment, facts, now).filter(|_| answer.gate.is_some_and(|gate| gate != "Paused"));
    let says = match deadline {
        Some(deadline) => format!("{}; {deadline}", answer.says),
        None => answer.says.clone(),
    };
    let mut evidence = vec![own];
    evidence.extend(answer.evidence.clone());
    Answer { gate: answer.gate, says, evidence }
}

fn deployment_answer(deployment: &Deployment, limits: &Limits, facts: &Facts, now: Timestamp) -> Answer {
    let status = &deployment.status;
    let complete = status.updated_replicas == limits.desired
        && status.replicas == limits.desired
        && status.available_replicas == limits.desired;
    let observed = deployment.metadata.generation <= status.observed_generation;
    if complete && observed {
        let held = if deployment.spec.paused { " (paused)" } else { "" };
        return Answer::free(format!(
            "is rolled out{held}: its {} pods have the newest template and are available",
            limits.desired
        ));
    }
    if deployment.spec.paused {
        let says = "is paused: nothing is rolled out until 'ctl rollout resume'";
        return Answer::held("Paused", says);
    }
    if !observed {
        let (is, seen) = (deployment.metadata.generation, status.observed_generation);
        let says = format!(
            "has a change that its controller has not seen (generation {is}, seen {seen}): is a controller-manager \
             elected?"
        );
        return Answer::held("Controller", says);
    }
    if let Some(failure) = condition(deployment, "ReplicaFailure").filter(|condition| condition.status == "True") {
        return Answer::held("ReplicaFailure", format!("cannot create pods: {}", failure.message));
    }
    let mut sets = facts.sets.clone();
    let Some(new) = revision::find_new(deployment, &mut sets).and_then(|index| sets.get(index)) else {
        return Answer::held("Controller", "has no ReplicaSet for its template yet");
    };
    let number = Evidence::of(
        new.clone(),
        format!(
            "revision {}: {} of {} pods, {} available",
            revision::revision(new),
            new.status.replicas,
            new.spec.replicas.unwrap_or(0),
            new.status.available_replicas
        ),
    );
    if let Some(failure) = failure_of_set(new) {
        return Answer::held("ReplicaFailure", format!("cannot create pods: {failure}")).with([number]);
    }
    if let Some((pod, answer)) = worst(facts.pods_of(new), facts, deployment.spec.min_ready_seconds, now) {
        let says = format!(
            "is waiting for a new pod: {} {}{}",
            pod.metadata.name,
            answer.says,
            consequence(limits, status.replicas, status.available_replicas)
        );
        let evidence = answer.evidence.clone();
        return Answer { gate: answer.gate, says, evidence: vec![number] }.with(evidence);
    }
    rest(deployment, limits, new, facts, now).with([number])
}

/// The existing new pods are fine: explains what else delays the next step.
fn rest(deployment: &Deployment, limits: &Limits, new: &ReplicaSet, facts: &Facts, now: Timestamp) -> Answer {
    let status = &deployment.status;
    let old = || facts.pods.iter().filter(|pod| !facts.pods_of(new).any(|own| own.metadata.uid == pod.metadata.uid));
    if let Some(going) = old().find(|pod| !is_pod_active(pod)) {
        let answer = pod::of(going, facts, 0, now);
        let says = format!("is waiting for an old pod to terminate: {} {}", going.metadata.name, answer.says);
        return Answer::held("Terminating", says).with(answer.evidence);
    }
    if status.available_replicas < limits.min_available()
        && let Some((pod, answer)) = worst(old(), facts, deployment.spec.min_ready_seconds, now)
    {
        let says = format!(
            "has only {} pods available and may delete none: old pod {} {}",
            status.available_replicas, pod.metadata.name, answer.says
        );
        return Answer::held("Available", says).with(answer.evidence);
    }
    if status.replicas >= limits.max_total() && new.spec.replicas.unwrap_or(0) < limits.desired {
        let says =
            format!("has as many pods as allowed ({}): an old one must go before a new one comes", limits.max_total());
        return Answer::held("Surge", says);
    }
    let says = "is progressing: the next step is up to its controller (is a controller-manager elected?)";
    Answer::held("Controller", says)
}

/// The consequence of a new pod that is not available.
fn consequence(limits: &Limits, total: i32, available: i32) -> String {
    let mut parts = Vec::new();
    if total >= limits.max_total() {
        parts.push(format!("no more pods may be created (at most {})", limits.max_total()));
    }
    if available <= limits.min_available() {
        parts.push(format!("no old one may be deleted (at least {} available)", limits.min_available()));
    }
    if parts.is_empty() { String::new() } else { format!("; until then {}", parts.join(" and ")) }
}

/// The pod that is furthest from being available, and why. Problems that need action rank above those that need time.
fn worst<'a>(
    pods: impl Iterator<Item = &'a Pod>,
    facts: &Facts,
    min_ready_seconds: i32,
    now: Timestamp,
) -> Option<(&'a Pod, Answer)> {
    let active = pods.filter(|pod| is_pod_active(pod));
    let held = active.map(|pod| (pod, pod::of(pod, facts, min_ready_seconds, now)));
    let rank = |(pod, answer): &(&Pod, Answer)| match answer.gate {
        None => 0,
        Some("MinReadySeconds") => 1,
        Some("Starting") => 2,
        Some(_) if is_pod_ready(pod) => 3,
        Some(_) => 4,
    };
    held.max_by_key(rank).filter(|(_, answer)| answer.gate.is_some())
}

fn condition<'a>(deployment: &'a Deployment, kind: &str) -> Option<&'a DeploymentCondition> {
    deployment.status.conditions.iter().find(|condition| condition.r#type == kind)
}

/// Describes when the progress deadline of a rollout expires.
fn deadline(deployment: &Deployment, facts: &Facts, now: Timestamp) -> Option<String> {
    let seconds = deployment.spec.progress_deadline_seconds.filter(|seconds| *seconds < i32::MAX)?;
    let progressing = condition(deployment, "Progressing")?;
    if progressing.reason == "ProgressDeadlineExceeded" {
        return Some("its progress deadline has expired".to_owned());
    }
    let allowed = SignedDuration::try_from(lasts(seconds.into(), facts.node.as_ref())).unwrap_or(SignedDuration::MAX);
    let left = allowed.saturating_sub(now.duration_since(progressing.last_update_time.timestamp()));
    Some(format!("its progress deadline is in {}", if left.is_negative() { "0s".to_owned() } else { human(left) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use squall_api::Kind;

    fn deployment(spec: Value, status: Value) -> Deployment {
        let json = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kubia", "uid": "d", "generation": 2},
            "spec": spec, "status": status});
        Deployment::try_from(Object::from_json(Kind::Deployment, json).unwrap()).unwrap()
    }

    fn spec() -> Value {
        json!({"replicas": 3, "progressDeadlineSeconds": 600, "minReadySeconds": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}})
    }

    fn status(updated: i32, replicas: i32, available: i32) -> Value {
        json!({"observedGeneration": 2, "updatedReplicas": updated, "replicas": replicas, "availableReplicas": available,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "lastUpdateTime": "1970-01-01T00:10:00Z"}]})
    }

    fn facts(pod_status: Value) -> Facts {
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "kubia-1", "uid": "s"}, "spec": {"replicas": 1}, "status": {"replicas": 1}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kubia-1-x", "uid": "p",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "kubia-1", "uid": "s", "controller": true}]},
            "spec": {"nodeName": "n"}, "status": pod_status});
        Facts {
            sets: vec![ReplicaSet::try_from(Object::from_json(Kind::ReplicaSet, set).unwrap()).unwrap()],
            pods: vec![Pod::try_from(Object::from_json(Kind::Pod, pod).unwrap()).unwrap()],
            ..Facts::default()
        }
    }

    fn answered(deployment: &Deployment, facts: &Facts) -> Answer {
        of_deployment(deployment, facts, Timestamp::from_second(700).unwrap())
    }

    #[test]
    fn a_new_pod_that_is_not_ready_holds_the_rollout() {
        let answer = answered(&deployment(spec(), status(1, 4, 3)), &facts(json!({})));
        assert_eq!(answer.gate, Some("Probe"));
        assert_eq!(
            answer.says,
            "is waiting for a new pod: kubia-1-x is running, but its probes have not passed yet; until then no \
             more pods may be created (at most 4) and no old one may be deleted (at least 3 available); its progress \
             deadline is in 8m20s"
        );
        let objects: Vec<&str> = answer.evidence.iter().map(|evidence| evidence.object.as_str()).collect();
        assert_eq!(objects, ["deployment.apps/kubia", "replicaset.apps/kubia-1", "pod/kubia-1-x"]);
    }

    #[test]
    fn a_new_pod_that_is_ready_has_to_stay_so() {
        let ready =
            json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:11:37Z"}]});
        let answer = answered(&deployment(spec(), status(1, 4, 3)), &facts(ready));
        assert_eq!(answer.gate, Some("MinReadySeconds"));
        assert!(answer.says.contains("counts as available in 7s"), "{}", answer.says);
    }

    #[test]
    fn done_paused_unseen_and_refused_come_first() {
        assert_eq!(answered(&deployment(spec(), status(3, 3, 3)), &Facts::default()).gate, None);
        let mut paused = deployment(spec(), status(1, 4, 4));
        paused.spec.paused = true;
        assert_eq!(answered(&paused, &Facts::default()).gate, Some("Paused"));
        let mut unseen = deployment(spec(), status(3, 3, 3));
        unseen.metadata.generation = 3;
        assert_eq!(answered(&unseen, &Facts::default()).gate, Some("Controller"));
        let mut refused = deployment(spec(), status(0, 3, 3));
        let failure =
            json!({"type": "ReplicaFailure", "status": "True", "message": "pods \"x\" is forbidden: exceeded quota"});
        refused.status.conditions.push(serde_json::from_value(failure).unwrap());
        let answer = answered(&refused, &Facts::default());
        assert!(answer.gate == Some("ReplicaFailure") && answer.says.contains("exceeded quota"), "{answer:?}");
    }
}
