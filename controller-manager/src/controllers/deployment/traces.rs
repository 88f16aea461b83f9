//! Golden traces: the (old, new) sizes during rollouts with ReplicaSets that change their size at once.

use std::sync::Arc;

use jiff::Timestamp;
use squall_api::apps::v1::{Deployment, ReplicaSet};
use squall_daemon::Timing;

use super::world::World;
use super::{Observed, plan};
use crate::runtime::Action;

/// Rolls to v2. `available` lists the number of available new replicas after each time the rollout has settled.
fn roll(replicas: i32, surge: &str, unavailable: &str, available: &[i32]) -> String {
    let mut world = World::new(replicas, surge, unavailable);
    world.settle(|_| true);
    world.trace.clear();
    world.set_image("luksa/kubia:v2");
    world.settle(|_| false);
    world.becomes_available(available);
    world.trace.join(" ")
}

/// Each trace was observed on Kubernetes 1.36: the sizes of the old and the new ReplicaSet after each change.
#[test]
fn rollouts_take_the_steps_of_kubernetes() {
    let one_by_one = [1, 2, 3];
    for (replicas, surge, unavailable, available, trace) in [
        (3, "1", "0", &one_by_one[..], "3,1 2,1 2,2 1,2 1,3 0,3"),
        (3, "0", "1", &one_by_one, "3,0 2,0 2,1 1,1 1,2 0,2 0,3"),
        (3, "1", "1", &one_by_one, "3,1 2,1 2,2 1,2 1,3 0,3"),
        (3, "25%", "25%", &one_by_one, "3,1 2,1 2,2 1,2 1,3 0,3"),
        (10, "25%", "25%", &[1, 3, 5, 6, 7, 8, 9, 10], "10,3 8,3 8,5 7,5 7,6 5,6 5,8 3,8 3,10 2,10 1,10 0,10"),
        (10, "3", "2", &[1, 3, 5, 6, 7, 8, 9, 10], "10,3 8,3 8,5 7,5 7,6 5,6 5,8 3,8 3,10 2,10 1,10 0,10"),
        (4, "100%", "0", &[1, 4], "4,4 3,4 0,4"),
        (4, "0", "100%", &[4], "4,0 0,0 0,4"),
        (1, "25%", "25%", &[1], "1,1 0,1"),
        (0, "25%", "25%", &[], "0,0"),
    ] {
        assert_eq!(roll(replicas, surge, unavailable, available), trace, "{replicas} {surge} {unavailable}");
    }
}

/// As above, with v4 applied at half of v2. Kubernetes 28145, 98457: a rollover counted the same pods twice.
#[test]
fn a_rollover_takes_the_steps_of_kubernetes() {
    let mut world = World::new(10, "25%", "25%");
    world.settle(|_| true);
    world.trace.clear();
    world.set_image("luksa/kubia:v2");
    world.settle(|_| false);
    world.becomes_available(&[1, 5]);
    assert_eq!(world.trace.join(" "), "10,3 8,3 8,5 7,5 7,6 3,6 3,10");
    world.trace.clear();
    world.set_image("luksa/kubia:v4");
    world.settle(|_| false);
    assert_eq!(world.trace.join(" "), "3,10,0 3,5,0 3,5,5");
    world.trace.clear();
    world.becomes_available(&[1, 2, 3, 4, 5, 6, 7, 8, 10]);
    let expected = "2,5,5 2,5,6 1,5,6 1,5,7 0,5,7 0,5,8 0,4,8 0,4,9 0,3,9 0,3,10 0,2,10 0,1,10 0,0,10";
    assert_eq!(world.trace.join(" "), expected);
}

#[test]
fn recreate_ends_the_old_version_before_the_new_one_begins() {
    let mut world = World::new(3, "1", "0");
    world.settle(|_| true);
    world.trace.clear();
    world.deployment.spec.strategy.r#type = "Recreate".to_owned();
    world.deployment.spec.strategy.rolling_update = None;
    world.set_image("luksa/kubia:v2");
    world.settle(|_| true);
    assert_eq!(world.trace.join(" "), "0 0,3");
}

fn condition<'a>(world: &'a World, kind: &str) -> &'a str {
    world
        .deployment
        .status
        .conditions
        .iter()
        .find(|condition| condition.r#type == kind)
        .map_or("", |condition| &condition.reason)
}

#[test]
fn a_version_that_never_becomes_available_times_out_and_is_undone() {
    let mut world = World::new(3, "1", "0");
    world.settle(|_| true);
    assert_eq!(condition(&world, "Progressing"), "NewReplicaSetAvailable");
    world.set_image("luksa/kubia:v3");
    let good = |set: &ReplicaSet| !set.spec.template.spec.containers[0].image.ends_with("v3");
    world.settle(good);
    assert_eq!(world.trace.last().unwrap(), "3,1");
    world.seconds += 601;
    world.settle(good);
    assert_eq!(condition(&world, "Progressing"), "ProgressDeadlineExceeded");
    assert_eq!(condition(&world, "Available"), "MinimumReplicasAvailable");
    world.set_image("luksa/kubia:v1");
    world.settle(good);
    assert_eq!(world.trace.last().unwrap(), "3,0");
    let revisions: Vec<i64> = world.sets.iter().map(squall_api::revision::revision).collect();
    assert_eq!(revisions, [3, 2], "the old ReplicaSet is reused with a new revision");
}

#[test]
fn a_paused_rollout_stays_and_scales_in_proportion() {
    let mut world = World::new(3, "1", "0");
    world.settle(|_| true);
    world.set_image("luksa/kubia:v4");
    world.step();
    world.deployment.spec.paused = true;
    world.settle(|_| true);
    assert_eq!(world.trace.last().unwrap(), "3,1");
    assert_eq!(condition(&world, "Progressing"), "DeploymentPaused");
    world.deployment.spec.replicas = Some(10);
    world.settle(|_| true);
    let sum: i32 = world.sets.iter().map(|set| set.spec.replicas.unwrap()).sum();
    assert_eq!(sum, 11);
    world.deployment.spec.paused = false;
    world.settle(|_| true);
    assert_eq!(world.trace.last().unwrap(), "0,10");
}

/// Kubernetes 119536: one of three ReplicaSets is old and broken when the Deployment shrinks by one replica. Kubernetes
/// removes a good replica.
#[test]
fn the_broken_old_version_shrinks_before_the_new_one() {
    let mut world = World::new(5, "0", "1");
    world.settle(|_| true);
    for image in ["luksa/kubia:v2", "luksa/kubia:v3"] {
        world.set_image(image);
        world.step();
    }
    for (set, (size, available)) in world.sets.iter_mut().zip([(3, 3), (1, 0), (1, 1)]) {
        set.spec.replicas = Some(size);
        set.status.replicas = size;
        set.status.available_replicas = available;
    }
    world.deployment.spec.replicas = Some(4);
    world.trace.clear();
    world.step();
    assert_eq!(world.trace.last().unwrap(), "3,0,1");
}

#[test]
fn a_replica_set_that_cannot_be_made_is_told_of() {
    let world = World::new(3, "1", "0");
    let observed = Observed {
        deployment: Arc::new(world.deployment),
        replica_sets: Vec::new(),
        taken_names: Vec::new(),
        pods: Vec::new(),
        failure: Some("exceeded quota".to_owned()),
    };
    let plan = plan::plan(&observed, &Timing::KUBERNETES, Timestamp::UNIX_EPOCH);
    let [Action::Tell(told), Action::UpdateStatus(object), Action::Create(_), ..] = &plan.actions[..] else {
        unreachable!("{plan:?}");
    };
    assert!(told.message.starts_with("Failed to create new replica set \"kubia-"), "{}", told.message);
    assert!(told.message.ends_with("\": exceeded quota"), "{}", told.message);
    let deployment = Deployment::try_from(object.as_ref().clone()).unwrap();
    let progressing = &deployment.status.conditions[0];
    assert_eq!((progressing.status.as_str(), progressing.reason.as_str()), ("False", "ReplicaSetCreateError"));
}
