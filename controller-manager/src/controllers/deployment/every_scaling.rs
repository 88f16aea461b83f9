//! All small rollouts in which a user changes the number of replicas, and perhaps the strategy, after any number of
//! steps. Each rollout finishes and never exceeds the allowed number of replicas.

use squall_api::revision::DESIRED;

use super::rolling::Limits;
use super::world::World;

/// A user's change in the middle of a rollout.
#[derive(Debug, Clone, Copy)]
struct Scaling {
    /// Number of steps before the change.
    after: usize,
    replicas: i32,
    recreate: bool,
}

/// Counts the steps of a rollout from v1 to v2, including those in which one more replica becomes available.
fn steps(replicas: i32, surge: &str, unavailable: &str) -> usize {
    let mut world = World::new(replicas, surge, unavailable);
    world.settle(|_| true);
    world.set_image("luksa/kubia:v2");
    let mut count = 0;
    while world.step() || world.one_more_available(|_| true) {
        count += 1;
    }
    count
}

/// Rolls from v1 to v2, with the change in the middle, until nothing changes any more. Returns the world and the
/// highest total that was ever allowed.
fn play(replicas: i32, surge: &str, unavailable: &str, change: Scaling) -> (World, i32) {
    let mut world = World::new(replicas, surge, unavailable);
    world.settle(|_| true);
    world.trace.clear();
    world.set_image("luksa/kubia:v2");
    for _ in 0..change.after {
        if !world.step() {
            world.one_more_available(|_| true);
        }
    }
    let before = Limits::of(&world.deployment).max_total();
    world.deployment.spec.replicas = Some(change.replicas);
    if change.recreate {
        world.deployment.spec.strategy.r#type = "Recreate".to_owned();
        world.deployment.spec.strategy.rolling_update = None;
    }
    world.deployment.metadata.generation += 1;
    world.settle(|_| true);
    let after = Limits::of(&world.deployment).max_total();
    (world, before.max(after))
}

/// Kubernetes 102551: a rollout hung for ever if the old ReplicaSet already had the new number of replicas. 125568: so
/// did one whose strategy changed to Recreate at the same time.
#[test]
fn a_rollout_that_is_scaled_in_the_middle_comes_to_its_end() {
    for (replicas, wanted) in (1..=4).flat_map(|replicas| (0..=5).map(move |wanted| (replicas, wanted))) {
        for (surge, unavailable) in [("0", "1"), ("1", "0"), ("1", "1"), ("25%", "25%"), ("100%", "0")] {
            let all_steps = 0..=steps(replicas, surge, unavailable);
            for (after, recreate) in all_steps.flat_map(|after| [(after, false), (after, true)]) {
                let change = Scaling { after, replicas: wanted, recreate };
                let (world, most) = play(replicas, surge, unavailable, change);
                let context = format!("{replicas} {surge} {unavailable} {change:?}: {:?}", world.trace);
                let sizes: Vec<i32> = world.sets.iter().map(|set| set.spec.replicas.unwrap()).collect();
                assert_eq!(sizes, [0, wanted], "{context}");
                let noted = &world.sets[1].metadata.annotations[DESIRED];
                assert!(wanted == 0 || *noted == wanted.to_string(), "{noted} is noted, {context}");
                let total = |sizes: &str| sizes.split(',').map(|size| size.parse::<i32>().unwrap()).sum::<i32>();
                assert!(world.trace.iter().all(|sizes| total(sizes) <= most), "too many, {context}");
            }
        }
    }
}
