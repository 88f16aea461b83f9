//! The status of a Deployment: the counts, and the conditions with their reasons.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use squall_api::counts::total;
use squall_api::metav1::v1::Time;
use squall_daemon::Timing;

use super::rolling::Limits;

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// In Kubernetes, this value means no deadline.
const NO_DEADLINE: i32 = i32::MAX;

/// Whether a Deployment has a progress deadline.
pub fn has_deadline(deployment: &Deployment) -> bool {
    deployment.spec.progress_deadline_seconds.is_some_and(|seconds| seconds != NO_DEADLINE)
}

fn condition<'a>(status: &'a DeploymentStatus, kind: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().find(|condition| condition.r#type == kind)
}

/// Sets a condition, unless its status and reason are the same as before. The transition time changes only with the
/// status.
pub fn set_condition(
    status: &mut DeploymentStatus,
    kind: &str,
    value: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) {
    let now = Time::from_timestamp(now);
    let before = condition(status, kind);
    if before.is_some_and(|before| before.status == value && before.reason == reason) {
        return;
    }
    let transition = before.filter(|before| before.status == value).map_or(now, |before| before.last_transition_time);
    status.conditions.retain(|condition| condition.r#type != kind);
    status.conditions.push(DeploymentCondition {
        r#type: kind.to_owned(),
        status: value.to_owned(),
        reason: reason.to_owned(),
        message,
        last_update_time: now,
        last_transition_time: transition,
    });
}

/// Sets the Progressing condition.
pub fn set_progressing(status: &mut DeploymentStatus, value: &str, reason: &str, message: String, now: Timestamp) {
    set_condition(status, PROGRESSING, value, reason, message, now);
}

/// Whether the status has a Progressing condition yet.
pub fn has_progressing(status: &DeploymentStatus) -> bool {
    condition(status, PROGRESSING).is_some()
}

/// Notes in the status that the Deployment was paused or resumed. Returns true if the status changed.
pub fn note_pause(deployment: &Deployment, status: &mut DeploymentStatus, now: Timestamp) -> bool {
    let reason = condition(status, PROGRESSING).map_or("", |condition| condition.reason.as_str());
    if !has_deadline(deployment) || reason == TIMED_OUT {
        return false;
    }
    match (deployment.spec.paused, reason == PAUSED) {
        (true, false) => set_progressing(status, "Unknown", PAUSED, "Deployment is paused".to_owned(), now),
        (false, true) => {
            set_progressing(status, "Unknown", "DeploymentResumed", "Deployment is resumed".to_owned(), now);
        }
        _ => return false,
    }
    true
}

/// Returns the status with new counts and an up-to-date Available condition. Other conditions stay as they were.
pub fn counted(
    deployment: &Deployment,
    sets: &[&ReplicaSet],
    new: Option<&ReplicaSet>,
    limits: &Limits,
    now: Timestamp,
) -> DeploymentStatus {
    let sum = |count: fn(&ReplicaSet) -> i32| total(sets.iter().map(|set| count(set)));
    let available = sum(|set| set.status.available_replicas);
    let terminating: Option<Vec<i32>> = sets.iter().map(|set| set.status.terminating_replicas).collect();
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: sum(|set| set.status.replicas),
        updated_replicas: new.map_or(0, |set| set.status.replicas),
        ready_replicas: sum(|set| set.status.ready_replicas),
        available_replicas: available,
        unavailable_replicas: sum(|set| set.spec.replicas.unwrap_or(1)).saturating_sub(available).max(0),
        terminating_replicas: terminating.map(total),
        collision_count: deployment.status.collision_count,
        conditions: deployment.status.conditions.clone(),
    };
    let (value, reason, message) = if available >= limits.min_available() {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set_condition(&mut status, AVAILABLE, value, reason, message.to_owned(), now);
    status
}

/// Whether the rollout is complete, according to the counts.
pub fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let desired = deployment.spec.replicas.unwrap_or(1);
    status.updated_replicas == desired
        && status.replicas == desired
        && status.available_replicas == desired
        && status.observed_generation >= deployment.metadata.generation
}

/// Updates the Progressing condition by comparing the counts with the stored status. Returns the time until the next
/// check.
pub fn estimate_progress(
    deployment: &Deployment,
    status: &mut DeploymentStatus,
    new: Option<&ReplicaSet>,
    timing: &Timing,
    now: Timestamp,
) -> Option<Duration> {
    if !has_deadline(deployment) {
        status.conditions.retain(|condition| condition.r#type != PROGRESSING);
        return None;
    }
    let subject = match new {
        Some(set) => format!("ReplicaSet {:?}", set.metadata.name),
        None => format!("Deployment {:?}", deployment.metadata.name),
    };
    let stored = condition(&deployment.status, PROGRESSING);
    let settled =
        status.replicas == status.updated_replicas && stored.is_some_and(|condition| condition.reason == NEW_AVAILABLE);
    if settled {
        return None;
    }
    if is_complete(deployment, status) {
        set_progressing(status, "True", NEW_AVAILABLE, format!("{subject} has successfully progressed."), now);
        return None;
    }
    if has_progressed(status, &deployment.status) {
        // The deadline starts again, even with the same reason.
        let before = condition(status, PROGRESSING)
            .filter(|before| before.status == "True")
            .map(|before| before.last_transition_time);
        status.conditions.retain(|condition| condition.r#type != PROGRESSING);
        set_progressing(status, "True", "ReplicaSetUpdated", format!("{subject} is progressing."), now);
        if let (Some(before), Some(condition)) = (before, status.conditions.last_mut()) {
            condition.last_transition_time = before;
        }
    } else if let Some(condition) = stored.filter(|condition| condition.reason != NEW_AVAILABLE)
        && (condition.reason == TIMED_OUT || deadline(deployment, condition, timing) < now)
    {
        set_progressing(status, "False", TIMED_OUT, format!("{subject} has timed out progressing."), now);
        return None;
    }
    let current = condition(status, PROGRESSING)?;
    let left = deadline(deployment, current, timing).duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default().saturating_add(timing.seconds(1)))
}

fn deadline(deployment: &Deployment, condition: &DeploymentCondition, timing: &Timing) -> Timestamp {
    let allowed = timing.seconds(deployment.spec.progress_deadline_seconds.unwrap_or(NO_DEADLINE).into());
    let allowed = SignedDuration::try_from(allowed).unwrap_or(SignedDuration::MAX);
    condition.last_update_time.timestamp().checked_add(allowed).unwrap_or(Timestamp::MAX)
}

fn has_progressed(new: &DeploymentStatus, old: &DeploymentStatus) -> bool {
    new.updated_replicas > old.updated_replicas
        || new.replicas.saturating_sub(new.updated_replicas) < old.replicas.saturating_sub(old.updated_replicas)
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

/// Copies the ReplicaFailure condition from the ReplicaSets; the new one takes precedence.
pub fn note_failure(status: &mut DeploymentStatus, sets: &[&ReplicaSet], new: Option<&ReplicaSet>, now: Timestamp) {
    let failure = |set: &ReplicaSet| {
        set.status.conditions.iter().find(|c| c.r#type == REPLICA_FAILURE && c.status == "True").cloned()
    };
    match new.and_then(failure).or_else(|| sets.iter().find_map(|set| failure(set))) {
        Some(failure) => set_condition(status, REPLICA_FAILURE, "True", &failure.reason, failure.message, now),
        None => status.conditions.retain(|condition| condition.r#type != REPLICA_FAILURE),
    }
}
