//! Measures how long pods have been ready, by our own clock.
//!
//! Kubernetes 29229: the time in a pod's condition comes from its node's clock. Compared with another clock, it makes a
//! pod available too early or too late. So we time every transition that we see. We trust the node only for transitions
//! before we started.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use squall_api::core::v1::Pod;
use squall_api::kinds::pod_condition;
use squall_api::metav1::v1::Time;
use squall_faults::mutants::Mutant;

use crate::runtime::Key;

/// The last seen readiness of each owner's pods.
#[derive(Default)]
pub struct Seen {
    owners: Mutex<HashMap<Key, HashMap<String, State>>>,
}

/// The readiness of a pod when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    NotReady,
    /// It was already ready when we first saw its owner.
    ReadyBefore(Time),
    /// We saw it become ready: the time in its condition, and the time by our clock.
    Ready(Time, Instant),
}

impl Seen {
    /// Records the readiness of an owner's pods. Returns, by uid, how long each has been ready if we saw it become so.
    pub fn look<'a>(&self, owner: &Key, pods: impl Iterator<Item = &'a Pod>) -> HashMap<String, Duration> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let before = owners.get(owner);
        let now = Instant::now();
        let states: HashMap<String, State> = pods
            .map(|pod| {
                let uid = &pod.metadata.uid;
                let known = before.map(|pods| pods.get(uid).copied());
                (uid.clone(), next(known, ready_since(pod), now))
            })
            .collect();
        let ready_for = states.iter().filter_map(|(uid, state)| match state {
            State::Ready(_, since) => Some((uid.clone(), now.duration_since(*since))),
            State::NotReady | State::ReadyBefore(_) => None,
        });
        let ready_for = ready_for.collect();
        owners.insert(owner.clone(), states);
        if Mutant::TrustClocks.is_on() { HashMap::new() } else { ready_for }
    }

    /// Forgets an owner that is gone.
    pub fn forget(&self, owner: &Key) {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

/// Since when the pod has been ready, according to its condition.
fn ready_since(pod: &Pod) -> Option<Time> {
    pod_condition(pod, "Ready").filter(|ready| ready.status == "True").map(|ready| ready.last_transition_time)
}

/// Returns the state of a pod now. `known` is its previous state; the outer `None` means that its owner is new to us.
fn next(known: Option<Option<State>>, ready: Option<Time>, now: Instant) -> State {
    match (known, ready) {
        (_, None) => State::NotReady,
        (None, Some(since)) => State::ReadyBefore(since),
        (Some(Some(state @ (State::ReadyBefore(before) | State::Ready(before, _)))), Some(since))
            if before == since =>
        {
            state
        }
        // It was not ready, did not exist, or was briefly not ready in between.
        (Some(_), Some(since)) => State::Ready(since, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;

    fn pod(ready: Option<i64>) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.uid = "p".to_owned();
        pod.status.conditions.extend(ready.map(|seconds| PodCondition {
            r#type: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Time { seconds, nanos: 0 },
            ..PodCondition::default()
        }));
        pod
    }

    #[test]
    fn what_we_saw_is_measured_by_our_clock() {
        let (seen, owner) = (Seen::default(), Key::new("default", "kubia"));
        let look = |ready| seen.look(&owner, std::iter::once(&pod(ready))).get("p").copied();
        assert_eq!(look(None), None);
        let first = look(Some(1)).unwrap();
        assert!(first < Duration::from_secs(60), "whatever the node's clock says");
        assert!(look(Some(1)).unwrap() >= first);
        assert!(look(Some(2)).is_some(), "it was not ready in between");
        assert_eq!(look(None), None);
    }

    #[test]
    fn what_was_before_us_is_the_nodes_word() {
        let (seen, owner) = (Seen::default(), Key::new("default", "kubia"));
        let look = |ready| seen.look(&owner, std::iter::once(&pod(ready))).get("p").copied();
        assert_eq!(look(Some(1)), None);
        assert_eq!(look(Some(1)), None);
        assert!(look(Some(5)).is_some());
        seen.forget(&owner);
        assert_eq!(look(Some(5)), None);
    }
}
