//! Every small rollout: each state that a Deployment of up to eight replicas can be in, and the next step from it.
//!
//! The tests show for each state that there are never too many replicas, that no needed replica is removed, and that
//! the step makes progress or some replica is still becoming available. Each change reduces `old + |new - desired|`, so
//! every rollout finishes after a bounded number of changes.

use squall_api::intstr::IntOrString;

use super::rolling::{Limits, Sizes, new_size, old_sizes};

/// A state: the new ReplicaSet, and the old ones, oldest first.
#[derive(Debug, Clone, Copy)]
struct State {
    new: Sizes,
    old: [Sizes; 3],
}

const NONE: Sizes = Sizes { spec: 0, available: 0 };

impl State {
    fn total(&self) -> i32 {
        self.new.spec + self.old_total()
    }

    fn old_total(&self) -> i32 {
        self.old.iter().map(|set| set.spec).sum()
    }

    fn available(&self) -> i32 {
        self.new.available + self.old.iter().map(|set| set.available).sum::<i32>()
    }

    fn distance(&self, limits: &Limits) -> i32 {
        self.old_total() + (self.new.spec - limits.desired).abs()
    }

    /// One step: resizes the new set, or else the old ones. A set that shrinks loses its unavailable replicas first, as
    /// ReplicaSets do.
    fn look(mut self, limits: &Limits) -> Self {
        let wanted = new_size(limits, self.new.spec, self.total());
        if wanted != self.new.spec {
            self.new = resized(self.new, wanted);
            return self;
        }
        let wanted = old_sizes(limits, self.new, &self.old);
        for (set, wanted) in self.old.iter_mut().zip(wanted) {
            *set = resized(*set, wanted);
        }
        self
    }
}

fn resized(set: Sizes, spec: i32) -> Sizes {
    Sizes { spec, available: set.available.min(spec) }
}

fn check(limits: &Limits, before: State) {
    let after = before.look(limits);
    let context = || format!("{limits:?}: {before:?} became {after:?}");
    assert!(after.total() <= before.total().max(limits.max_total()), "too many, {}", context());
    let needed = limits.min_available().min(before.available());
    assert!(after.available() >= needed, "too few are left, {}", context());
    assert!(after.old.iter().zip(&before.old).all(|(after, before)| after.spec <= before.spec), "grew, {}", context());
    if after.distance(limits) < before.distance(limits) {
        return;
    }
    let unchanged = after.new.spec == before.new.spec && after.old_total() == before.old_total();
    assert!(unchanged, "no progress, {}", context());
    let done = after.new.spec == limits.desired && after.old_total() == 0;
    let waits = after.new.available < after.new.spec;
    assert!(done || waits, "stuck with nothing to wait for, {}", context());
}

/// Visits every state in which all sets together have at most the allowed total, with any number of replicas available.
/// Returns the number of states.
fn every_state(limits: &Limits, olds: usize, visit: &dyn Fn(&Limits, State)) -> usize {
    let mut count = 0;
    each_set(limits.max_total(), &mut |new, left| {
        let mut sets = [NONE; 3];
        fill(left, olds, &mut sets, 0, &mut |old| {
            count += 1;
            visit(limits, State { new, old });
        });
    });
    count
}

fn each_set(most: i32, with: &mut dyn FnMut(Sizes, i32)) {
    for spec in 0..=most {
        for available in 0..=spec {
            with(Sizes { spec, available }, most - spec);
        }
    }
}

fn fill(left: i32, olds: usize, sets: &mut [Sizes; 3], place: usize, with: &mut dyn FnMut([Sizes; 3])) {
    if place == olds {
        return with(*sets);
    }
    let mut all = Vec::new();
    each_set(left, &mut |set, left| all.push((set, left)));
    for (set, left) in all {
        sets[place] = set;
        fill(left, olds, sets, place + 1, with);
    }
}

#[test]
fn every_state_of_every_small_rollout_keeps_its_limits_and_leads_to_the_end() {
    let mut count = 0;
    for desired in 0..=8 {
        for surge in 0..=4 {
            for unavailable in 0..=4 {
                let limits = Limits::resolve(desired, &IntOrString::int(surge), &IntOrString::int(unavailable));
                count += every_state(&limits, 3, &check);
            }
        }
    }
    assert!(count > 3_000_000, "only {count} states were checked");
}

#[test]
fn percentages_keep_their_limits_too() {
    let percent = |number: i32| IntOrString::string(format!("{number}%"));
    for desired in 0..=8 {
        for surge in [0, 1, 10, 25, 33, 50, 75, 99, 100] {
            for unavailable in [0, 1, 10, 25, 33, 50, 75, 99, 100] {
                let limits = Limits::resolve(desired, &percent(surge), &percent(unavailable));
                assert_eq!(limits.max_surge, (desired * surge + 99) / 100, "maxSurge rounds up");
                let down = desired * unavailable / 100;
                let expected = if limits.max_surge == 0 && down == 0 { 1.min(desired) } else { down };
                assert_eq!(limits.max_unavailable, expected, "maxUnavailable rounds down");
                every_state(&limits, 1, &check);
            }
        }
    }
}
