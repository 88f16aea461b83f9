//! Each rule on small histories: what it must find, and what it must not.

use std::time::Duration;

use squall_api::apps::v1::{Deployment, ReplicaSet, RollingUpdateDeployment};
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::{Container, Pod, PodCondition};
use squall_api::intstr::IntOrString;
use squall_api::metav1::v1::OwnerReference;
use squall_api::revision::REVISION;

use super::limits::Limits;
use super::{Finding, Invariant, availability, deposed, min_ready, owners, replicas, revisions, surge};
use crate::history::{Author, Change, Election, Fate, History, Sighting, Subject};

fn owner(uid: &str) -> Vec<OwnerReference> {
    vec![OwnerReference {
        uid: uid.to_owned(),
        name: uid.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    }]
}

fn deployment(replicas: i32, surge: &str, unavailable: &str) -> Subject {
    let amount = |text: &str| Some(text.parse().map_or_else(|_| IntOrString::string(text), IntOrString::int));
    let mut deployment = Deployment::default();
    deployment.metadata.uid = "kubia".to_owned();
    deployment.metadata.name = "kubia".to_owned();
    deployment.spec.replicas = Some(replicas);
    deployment.spec.strategy.rolling_update =
        Some(RollingUpdateDeployment { max_surge: amount(surge), max_unavailable: amount(unavailable) });
    Subject::Deployment(Box::new(deployment))
}

/// A ReplicaSet of the Deployment, of so many pods, so many of them available.
fn set(uid: &str, size: i32, available: i32) -> Subject {
    generation(uid, size, available, 1, 1)
}

fn generation(uid: &str, size: i32, available: i32, generation: i64, observed: i64) -> Subject {
    let mut set = ReplicaSet::default();
    set.metadata.uid = uid.to_owned();
    set.metadata.name = uid.to_owned();
    set.metadata.owner_references = owner("kubia");
    set.metadata.generation = generation;
    set.spec.replicas = Some(size);
    set.status.available_replicas = available;
    set.status.observed_generation = observed;
    Subject::ReplicaSet(Box::new(set))
}

fn pod(uid: &str, set: &str) -> Subject {
    let mut pod = Pod::default();
    pod.metadata.uid = uid.to_owned();
    pod.metadata.name = uid.to_owned();
    pod.metadata.owner_references = owner(set);
    Subject::Pod(Box::new(pod))
}

fn found(invariant: &Invariant, subjects: Vec<Subject>) -> Vec<Finding> {
    let changes = (1..).zip(subjects).map(|(revision, subject)| Change {
        revision,
        subject,
        fate: Fate::Stored,
        at: Duration::ZERO,
    });
    (invariant.check)(&History { changes: changes.collect(), ..History::default() })
}

#[test]
fn limits_round_as_kubernetes_does() {
    let limits = |replicas, surge, unavailable| match deployment(replicas, surge, unavailable) {
        Subject::Deployment(deployment) => (Limits::of(&deployment).most, Limits::of(&deployment).least),
        _ => unreachable!("it is a Deployment"),
    };
    assert_eq!(limits(3, "25%", "25%"), (4, 3));
    assert_eq!(limits(10, "25%", "25%"), (13, 8));
    assert_eq!(limits(3, "0", "1%"), (3, 2), "one may be unavailable when both come to nothing");
    assert_eq!(limits(3, "1", "5"), (4, 0));
}

#[test]
fn more_than_the_surge_is_found() {
    let start = || vec![deployment(3, "1", "0"), set("old", 3, 3)];
    let with = |more: Vec<Subject>| found(&surge::INVARIANT, start().into_iter().chain(more).collect());
    assert_eq!(with(vec![set("new", 1, 0)]), []);
    let too_many = with(vec![set("new", 2, 0)]);
    assert_eq!(too_many, [(3, "new was scaled from 0 to 2, so that kubia asks for 5 of at most 4 pods".to_owned())]);
    assert_eq!(with(vec![set("new", 1, 0), set("old", 2, 3), set("new", 2, 1)]), []);
    assert_eq!(with(vec![set("new", 1, 0), set("new", 2, 1)]).len(), 1);
}

#[test]
fn a_controller_may_be_late_but_not_later_than_its_own_write() {
    // It may not have seen that 6 became 3 when it scales to 6; after that write it must have.
    let late = vec![deployment(6, "0", "1"), set("old", 3, 3), deployment(3, "0", "1"), set("new", 3, 0)];
    assert_eq!(found(&surge::INVARIANT, late.clone()), []);
    let later = late.into_iter().chain([set("new", 2, 0), set("new", 3, 0)]).collect();
    assert_eq!(found(&surge::INVARIANT, later).len(), 1);
}

#[test]
fn giving_up_a_pod_that_is_needed_is_found() {
    let start = || vec![deployment(3, "1", "0"), set("old", 3, 3), set("new", 1, 0)];
    let with = |more: Vec<Subject>| found(&availability::INVARIANT, start().into_iter().chain(more).collect());
    let too_early = with(vec![set("old", 2, 3)]);
    let expected = "old was scaled from 3 to 2, which leaves kubia 2 of at least 3 available pods";
    assert_eq!(too_early, [(4, expected.to_owned())]);
    assert_eq!(with(vec![set("new", 1, 1), set("old", 2, 3)]), []);
    assert_eq!(with(vec![set("new", 1, 1), set("old", 1, 3)]).len(), 1, "two at once");
    assert_eq!(with(vec![set("new", 1, 1), set("old", 2, 3), set("old", 1, 2)]).len(), 1, "one after the other");
}

#[test]
fn giving_up_what_does_not_work_costs_nothing() {
    let broken = vec![deployment(3, "1", "0"), set("old", 3, 1), set("new", 1, 0), set("old", 1, 1)];
    assert_eq!(found(&availability::INVARIANT, broken), []);
}

#[test]
fn a_state_that_has_passed_may_have_been_the_one_that_was_seen() {
    // The new pod was available and then was not, before the controller acted on the first.
    let flapping = vec![
        deployment(3, "1", "0"),
        set("old", 3, 3),
        set("new", 1, 0),
        set("new", 1, 1),
        set("new", 1, 0),
        set("old", 2, 3),
    ];
    assert_eq!(found(&availability::INVARIANT, flapping), []);
}

#[test]
fn a_pod_too_many_is_found() {
    let start = || vec![deployment(3, "1", "0"), generation("old", 2, 0, 1, 0), pod("a", "old"), pod("b", "old")];
    let with = |more: Vec<Subject>| found(&replicas::INVARIANT, start().into_iter().chain(more).collect());
    assert_eq!(with(vec![]), []);
    assert_eq!(with(vec![pod("c", "old")]), [(5, "c was made, so that old has 3 pods of at most 2".to_owned())]);
    // It has not said yet that it has seen the smaller size.
    assert_eq!(with(vec![generation("old", 3, 0, 2, 1), generation("old", 1, 0, 3, 1), pod("c", "old")]), []);
    assert_eq!(with(vec![generation("old", 3, 0, 2, 1), generation("old", 1, 0, 3, 3), pod("c", "old")]).len(), 1);
}

/// A ReplicaSet of the Deployment, of a version and a revision.
fn versioned(uid: &str, image: &str, revision: i64) -> Subject {
    let Subject::ReplicaSet(mut set) = set(uid, 1, 0) else { unreachable!("it is a ReplicaSet") };
    let container = Container { image: image.to_owned(), ..Container::default() };
    set.spec.template.spec.containers.push(container);
    set.metadata.annotations.insert(REVISION.to_owned(), revision.to_string());
    Subject::ReplicaSet(set)
}

#[test]
fn a_second_replica_set_of_a_template_and_a_revision_that_falls_are_found() {
    let start = || vec![deployment(3, "1", "0"), versioned("one", "v1", 1)];
    let with = |more: Vec<Subject>| found(&revisions::INVARIANT, start().into_iter().chain(more).collect());
    assert_eq!(with(vec![versioned("two", "v2", 2)]), []);
    // Going back to an old version gives its ReplicaSet a new number.
    assert_eq!(with(vec![versioned("two", "v2", 2), versioned("one", "v1", 3)]), []);
    let twice = with(vec![versioned("two", "v1", 2)]);
    assert_eq!(twice, [(3, "two was made, though kubia had one of the same template".to_owned())]);
    let falls = with(vec![versioned("two", "v2", 5), versioned("one", "v1", 4)]);
    assert_eq!(falls, [(4, "one became revision 4, though there had been revision 5".to_owned())]);
}

/// The pod when it became ready, and the ReplicaSet when it counts it as available: at these moments, in milliseconds.
fn counted(ready_at: u64, counted_at: u64) -> Vec<Finding> {
    let Subject::ReplicaSet(mut before) = set("set", 1, 0) else { unreachable!("it is a ReplicaSet") };
    before.spec.min_ready_seconds = 10;
    let mut after = before.clone();
    after.status.available_replicas = 1;
    let Subject::Pod(mut ready) = pod("a", "set") else { unreachable!("it is a pod") };
    let condition = PodCondition { r#type: "Ready".to_owned(), status: "True".to_owned(), ..PodCondition::default() };
    ready.status.conditions.push(condition);
    let subjects =
        [(0, Subject::ReplicaSet(before)), (ready_at, Subject::Pod(ready)), (counted_at, Subject::ReplicaSet(after))];
    let changes = (1..).zip(subjects).map(|(revision, (at, subject))| Change {
        revision,
        subject,
        fate: Fate::Stored,
        at: Duration::from_millis(at),
    });
    // The apiserver was looked at every 50 ms.
    let revision = |at| {
        if at >= counted_at {
            3
        } else if at >= ready_at {
            2
        } else {
            1
        }
    };
    let seen = |look: u64| {
        let at = Duration::from_millis(look * 50);
        Sighting { asked: at, answered: at, revision: revision(look * 50) }
    };
    let seen_at = (0..40).map(seen).collect();
    let history = History { changes: changes.collect(), seconds_divided_by: 10, seen_at, ..History::default() };
    (min_ready::INVARIANT.check)(&history)
}

#[test]
fn a_pod_that_counts_too_early_is_found() {
    // Ten seconds are one in `fast` timing, and when exactly it was is known to 50 ms at either end.
    assert_eq!(counted(100, 1_150), []);
    assert_eq!(counted(100, 1_060), []);
    assert_eq!(counted(100, 900).len(), 1);
    assert_eq!(counted(100, 150).len(), 1);
}

#[test]
fn what_is_left_without_its_owner_is_found() {
    let removed = |subject, revision| Change { revision, subject, fate: Fate::Removed, at: Duration::ZERO };
    let stored = |subject, revision| Change { fate: Fate::Stored, ..removed(subject, revision) };
    let mut changes = vec![stored(deployment(1, "1", "0"), 1), stored(set("set", 1, 0), 2), stored(pod("a", "set"), 3)];
    let check = |changes: &[Change]| {
        (owners::INVARIANT.check)(&History { changes: changes.to_vec(), ..History::default() }).len()
    };
    // The owners above are of no kind that is recorded.
    assert_eq!(check(&changes), 0);
    changes.push(removed(deployment(1, "1", "0"), 4));
    let Subject::ReplicaSet(mut set) = set("set", 1, 0) else { unreachable!("it is a ReplicaSet") };
    set.metadata.owner_references[0].kind = "Deployment".to_owned();
    changes.push(stored(Subject::ReplicaSet(set), 5));
    assert_eq!(check(&changes), 1);
}

#[test]
fn a_leader_that_another_has_followed_writes_no_more() {
    let lease = |holder: &str, transitions| {
        let mut lease = Lease::default();
        lease.metadata.name = "managers".to_owned();
        lease.metadata.uid = "managers".to_owned();
        lease.spec.holder_identity = Some(holder.to_owned());
        lease.spec.lease_transitions = Some(transitions);
        lease
    };
    let by = |holder: &str, transitions| Author {
        user: "system:kube-controller-manager".to_owned(),
        elected: Some(Election::of(&lease(holder, transitions))),
    };
    let elected = |revision, holder, transitions| Change {
        revision,
        subject: Subject::Lease(Box::new(lease(holder, transitions))),
        fate: Fate::Stored,
        at: Duration::ZERO,
    };
    let mut history = History { changes: vec![elected(5, "b", 2)], ..History::default() };
    let mut known = lease("a", 1);
    known.metadata.resource_version = "2".to_owned();
    let known = Change { subject: Subject::Lease(Box::new(known)), ..elected(2, "a", 1) };
    history.start.apply(&known);
    history.authors.extend([(1, by("b", 0)), (3, by("a", 1)), (4, by("a", 1)), (6, by("b", 2))]);
    assert_eq!((deposed::INVARIANT.check)(&history), [], "everybody wrote in time");
    history.authors.insert(7, by("a", 1));
    let message = "a wrote as the winner of election 1, but b had won election 2 at revision 5";
    assert_eq!((deposed::INVARIANT.check)(&history), [(7, message.to_owned())]);
}
