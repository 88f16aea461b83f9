//! The arithmetic of a rolling update, on plain numbers.
//!
//! An example with 3 replicas, maxSurge 1 and maxUnavailable 0: the total may be 3+1=4, so the new set starts with 1
//! (1). No old replica may go until that one is available: 4-3-1=0 (2). Then 4-3-0=1 may go (2), which makes room for
//! the next new one (1).

use squall_api::counts;
pub use squall_api::limits::Limits;

/// The sizes of a ReplicaSet: its requested replicas, and how many of them are available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// `spec.replicas`.
    pub spec: i32,
    /// The available replicas, never more than `spec`.
    pub available: i32,
}

impl Sizes {
    /// Creates the sizes of a ReplicaSet with `spec` requested and `reported` available replicas. Available replicas
    /// beyond `spec` are already due to be deleted and do not count. Kubernetes counts them, and may delete too many.
    #[must_use]
    pub fn of(spec: i32, reported: i32) -> Self {
        Self { spec, available: reported.min(spec) }
    }
}

/// (1) The size the new ReplicaSet should have now; `total` is the sum over all ReplicaSets.
#[must_use]
pub fn new_size(limits: &Limits, new: i32, total: i32) -> i32 {
    if new > limits.desired {
        return limits.desired;
    }
    let room = limits.max_total().saturating_sub(total);
    if room <= 0 { new } else { new.saturating_add(room.min(limits.desired.saturating_sub(new))) }
}

/// (2) The sizes the old ReplicaSets should have now, oldest first.
#[must_use]
pub fn old_sizes(limits: &Limits, new: Sizes, old: &[Sizes]) -> Vec<i32> {
    let mut sizes: Vec<i32> = old.iter().map(|set| set.spec).collect();
    let unavailable_new = new.spec.saturating_sub(new.available);
    let total = counts::total(sizes.iter().copied().chain([new.spec]));
    let may_go = total.saturating_sub(limits.min_available()).saturating_sub(unavailable_new);
    if may_go <= 0 {
        return sizes;
    }
    // Unavailable replicas go first: they serve no requests.
    let mut left = may_go;
    for (size, set) in sizes.iter_mut().zip(old) {
        let down = left.min(set.spec.saturating_sub(set.available)).max(0);
        *size = size.saturating_sub(down);
        left = left.saturating_sub(down);
    }
    // Then available replicas go, as long as enough stay available.
    let available = counts::total(old.iter().map(|set| set.available).chain([new.available]));
    let mut spare = available.saturating_sub(limits.min_available());
    for size in &mut sizes {
        let down = spare.min(*size).max(0);
        *size = size.saturating_sub(down);
        spare = spare.saturating_sub(down);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::intstr::IntOrString;

    fn limits(desired: i32, surge: &str, unavailable: &str) -> Limits {
        let amount = |text: &str| text.parse().map_or_else(|_| IntOrString::string(text), IntOrString::int);
        Limits::resolve(desired, &amount(surge), &amount(unavailable))
    }

    #[test]
    fn percentages_round_up_for_surge_and_down_for_unavailable() {
        for (desired, surge, unavailable, expected) in [
            (3, "25%", "25%", (1, 0)),
            (4, "25%", "25%", (1, 1)),
            (10, "25%", "25%", (3, 2)),
            (3, "0", "1%", (0, 1)),
            (3, "0", "5", (0, 3)),
            (0, "25%", "25%", (0, 0)),
        ] {
            let limits = limits(desired, surge, unavailable);
            assert_eq!((limits.max_surge, limits.max_unavailable), expected, "{desired} {surge} {unavailable}");
        }
    }

    #[test]
    fn what_was_given_up_already_is_not_given_up_again() {
        // Three old replicas are requested, and two more are not reported as gone yet.
        let (new, old) = (Sizes::of(4, 3), Sizes::of(3, 5));
        assert_eq!(old_sizes(&limits(6, "25%", "25%"), new, &[old]), [2], "3 new and 2 old replicas are 6 minus 1");
    }

    #[test]
    fn a_version_that_never_becomes_available_stops_the_rollout() {
        let limits = limits(10, "25%", "25%");
        let (new, old) = (Sizes { spec: 5, available: 0 }, Sizes { spec: 8, available: 8 });
        assert_eq!(old_sizes(&limits, new, &[old]), [8]);
        assert_eq!(old_sizes(&limits, old, &[Sizes { spec: 5, available: 0 }]), [0], "and an undo removes it at once");
    }
}
