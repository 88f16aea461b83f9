//! Decides how many pods to create or delete now, and computes the status.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_api::Kind;
use squall_api::core::v1::Pod;
use squall_api::happening::{EventType, Happening};
use squall_api::kinds::{is_pod_active, is_pod_ready, is_pod_terminal, pod_condition};
use squall_api::metav1::v1::Time;
use squall_daemon::Timing;

use super::ranking;
use super::{Counts, Failure, Observed, Owner};
use crate::runtime::ownership::{Claim, claim};
use crate::runtime::{Action, Plan};

/// Maximum number of pods to create or delete at once, as in Kubernetes.
const BURST: usize = 500;

/// Rest after a reconciliation, for each hundred pods of the owner.
const REST: Duration = Duration::from_millis(2);

/// Decides what to do for an owner.
pub fn plan(observed: &Observed, timing: &Timing, now: Timestamp) -> Plan {
    let owner = &observed.owner;
    let claims: Vec<(Claim, &Arc<Pod>)> =
        observed.pods.iter().map(|pod| (claim(&owner.meta, &owner.selector, &pod.metadata), pod)).collect();
    let mut actions: Vec<Action> = claims
        .iter()
        .filter(|(_, pod)| !is_pod_terminal(pod))
        .filter_map(|(claim, pod)| settle(*claim, owner, pod))
        .collect();
    if !actions.is_empty() {
        return Plan::of(actions);
    }
    let mine: Vec<&Pod> =
        claims.iter().filter(|(claim, _)| *claim == Claim::Keep).map(|(_, pod)| pod.as_ref()).collect();
    let active: Vec<&Pod> = mine.iter().copied().filter(|pod| is_pod_active(pod)).collect();
    let (counts, wake_after) = count(observed, &mine, &active, timing, now);
    let wanted = usize::try_from(owner.replicas).unwrap_or(0);
    let failure = failure(observed, active.len(), wanted, now);
    if counts != owner.status || failure != owner.failure || owner.observed_generation != owner.meta.generation {
        actions.push(Action::UpdateStatus(Box::new((observed.with_status)(counts, failure))));
    }
    if owner.meta.deletion_timestamp.is_none() {
        if active.len() < wanted {
            actions.push(Action::Together(create(owner, wanted.saturating_sub(active.len()).min(BURST))));
        } else if active.len() > wanted {
            actions.push(delete(observed, active, wanted, now));
        }
    }
    // Among a thousand pods some are always changing, and each reconciliation counts them all.
    let rest = REST.saturating_mul(u32::try_from(observed.pods.len() / 100).unwrap_or(u32::MAX).min(10));
    Plan { actions, wake_after, rest }
}

fn settle(claim: Claim, owner: &Owner, pod: &Pod) -> Option<Action> {
    let mut owners = pod.metadata.owner_references.clone();
    match claim {
        Claim::Ignore | Claim::Keep => return None,
        Claim::Adopt => owners.push(owner.reference.clone()),
        Claim::Release => owners.retain(|reference| reference.uid != owner.meta.uid),
    }
    Some(Action::SetOwners { object: Box::new(pod.clone().into()), owners })
}

fn create(owner: &Owner, count: usize) -> Vec<Action> {
    let template = &owner.template;
    let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
    pod.metadata.generate_name = format!("{}-", owner.meta.name);
    pod.metadata.namespace.clone_from(&owner.meta.namespace);
    pod.metadata.labels.clone_from(&template.metadata.labels);
    pod.metadata.annotations.clone_from(&template.metadata.annotations);
    pod.metadata.finalizers.clone_from(&template.metadata.finalizers);
    pod.metadata.owner_references.push(owner.reference.clone());
    let one = Action::CreateNamed {
        object: Box::new(pod.into()),
        told: Happening {
            object: owner.id.clone(),
            event_type: EventType::Normal,
            reason: "SuccessfulCreate",
            message: "Created pod: ".to_owned(),
        },
    };
    vec![one; count]
}

fn delete(observed: &Observed, mut active: Vec<&Pod>, wanted: usize, now: Timestamp) -> Action {
    let excess = active.len().saturating_sub(wanted).min(BURST);
    ranking::sort(&mut active, &observed.related_on_node, now);
    let told =
        |event_type, reason, message| Happening { object: observed.owner.id.clone(), event_type, reason, message };
    let deletions = active.into_iter().take(excess).map(|pod| Action::Telling {
        action: Box::new(Action::Delete {
            kind: Kind::Pod,
            namespace: pod.metadata.namespace.clone(),
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
            propagation: "",
        }),
        done: told(EventType::Normal, "SuccessfulDelete", format!("Deleted pod: {}", pod.metadata.name)),
        failed: Some(told(EventType::Warning, "FailedDelete", "Error deleting: ".to_owned())),
    });
    Action::AtOnce(deletions.collect())
}

/// Returns the counts, and how long until the next pod becomes available without any change.
fn count(
    observed: &Observed,
    mine: &[&Pod],
    active: &[&Pod],
    timing: &Timing,
    now: Timestamp,
) -> (Counts, Option<Duration>) {
    let owner = &observed.owner;
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let waits: Vec<Option<Duration>> = active.iter().map(|pod| until_available(observed, pod, timing, now)).collect();
    let labels = &owner.template.metadata.labels;
    let fully_labeled = |pod: &&&Pod| labels.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value));
    let terminating =
        mine.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some() && !is_pod_terminal(pod)).count();
    let counts = Counts {
        replicas: number(active.len()),
        fully_labeled: number(active.iter().filter(fully_labeled).count()),
        ready: number(active.iter().filter(|pod| is_pod_ready(pod)).count()),
        available: number(waits.iter().filter(|wait| **wait == Some(Duration::ZERO)).count()),
        terminating: (owner.reference.kind == "ReplicaSet").then_some(number(terminating)),
    };
    (counts, waits.into_iter().flatten().filter(|wait| !wait.is_zero()).min())
}

/// Returns how long until the pod counts as available; `None` if it is not ready. Each pod has its own wait (Kubernetes
/// 108266: all pods were checked when the first was due, and never again).
fn until_available(observed: &Observed, pod: &Pod, timing: &Timing, now: Timestamp) -> Option<Duration> {
    let ready = pod_condition(pod, "Ready").filter(|condition| condition.status == "True")?;
    let needed = timing.seconds(observed.owner.min_ready_seconds.into());
    let by_its_word = || now.duration_since(ready.last_transition_time.timestamp());
    let passed = match observed.ready_for.get(&pod.metadata.uid) {
        Some(passed) => *passed,
        // A node's clock that runs ahead must not make a pod wait longer than necessary.
        None => Duration::try_from(by_its_word().max(SignedDuration::ZERO)).unwrap_or_default(),
    };
    Some(needed.saturating_sub(passed))
}

/// Returns the failure for the status. As in Kubernetes, the first failure stays until there is a success.
fn failure(observed: &Observed, active: usize, wanted: usize, now: Timestamp) -> Option<Failure> {
    let message = observed.failure.clone()?;
    if active == wanted {
        return None;
    }
    let reason = if active < wanted { "FailedCreate" } else { "FailedDelete" };
    let new = Failure { reason: reason.to_owned(), message, since: Time::from_timestamp(now) };
    Some(observed.owner.failure.clone().unwrap_or(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::replicas::Replicated;
    use squall_api::Object;
    use squall_api::apps::v1::ReplicaSet;
    use squall_api::core::v1::PodCondition;
    use squall_daemon::Timing;

    fn set(replicas: i32, min_ready_seconds: i32) -> ReplicaSet {
        let mut set = ReplicaSet::default();
        set.metadata.name = "kubia".to_owned();
        set.metadata.uid = "rs".to_owned();
        set.spec.replicas = Some(replicas);
        set.spec.min_ready_seconds = min_ready_seconds;
        set.spec.selector.get_or_insert_default().match_labels.insert("app".to_owned(), "kubia".to_owned());
        set.spec.template.metadata.labels.insert("app".to_owned(), "kubia".to_owned());
        set
    }

    fn pod(name: &str, ready_since: Option<i64>) -> Arc<Pod> {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod.metadata.labels.insert("app".to_owned(), "kubia".to_owned());
        pod.metadata.owner_references.push(squall_api::meta::controller_reference(&set(0, 0)));
        pod.status.conditions.extend(ready_since.map(|seconds| PodCondition {
            r#type: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Time { seconds, nanos: 0 },
            ..PodCondition::default()
        }));
        Arc::new(pod)
    }

    fn planned(set: &ReplicaSet, pods: Vec<Arc<Pod>>, failure: Option<&str>, now: i64) -> Plan {
        let changed = set.clone();
        let observed = Observed {
            owner: set.owner().unwrap(),
            pods,
            ready_for: Default::default(),
            related_on_node: Default::default(),
            failure: failure.map(str::to_owned),
            with_status: Box::new(move |counts, failure| Object::from(changed.with_status(counts, failure))),
        };
        plan(&observed, &Timing::KUBERNETES, Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn missing_pods_are_made_and_surplus_ones_deleted() {
        let made = planned(&set(3, 0), vec![pod("a", Some(1))], None, 10);
        assert!(matches!(made.actions.last(), Some(Action::Together(pods)) if pods.len() == 2));
        let deleted = planned(&set(1, 0), vec![pod("ready", Some(1)), pod("unready", None)], None, 10);
        let gone = deleted.actions.iter().find_map(|action| match action {
            Action::AtOnce(deletions) => deletions.first(),
            _ => None,
        });
        let Some(Action::Telling { action, done, .. }) = gone else { unreachable!("{deleted:?}") };
        assert!(matches!(action.as_ref(), Action::Delete { name, .. } if name == "unready"));
        assert_eq!(done.message, "Deleted pod: unready");
    }

    #[test]
    fn a_pod_is_available_after_it_was_ready_for_long_enough() {
        let early = planned(&set(1, 10), vec![pod("a", Some(5))], None, 10);
        assert_eq!(early.wake_after, Some(Duration::from_secs(5)));
        let status = |plan: &Plan| match plan.actions.first() {
            Some(Action::UpdateStatus(object)) => ReplicaSet::try_from((**object).clone()).unwrap().status,
            other => panic!("{other:?}"),
        };
        assert_eq!((status(&early).ready_replicas, status(&early).available_replicas), (1, 0));
        let late = planned(&set(1, 10), vec![pod("a", Some(5))], None, 15);
        assert_eq!((status(&late).available_replicas, late.wake_after), (1, None));
    }

    #[test]
    fn a_failure_is_told_until_there_is_a_success() {
        let failed = planned(&set(1, 0), vec![], Some("no quota"), 10);
        let Some(Action::UpdateStatus(object)) = failed.actions.first() else { panic!("{failed:?}") };
        let set = ReplicaSet::try_from((**object).clone()).unwrap();
        assert_eq!(set.status.conditions[0].reason, "FailedCreate");
        let fine = planned(&set, vec![pod("a", Some(1))], None, 11);
        let Some(Action::UpdateStatus(object)) = fine.actions.first() else { panic!("{fine:?}") };
        assert!(ReplicaSet::try_from((**object).clone()).unwrap().status.conditions.is_empty());
    }
}
