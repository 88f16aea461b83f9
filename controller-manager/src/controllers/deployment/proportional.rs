//! Scaling in the middle of a rollout: every ReplicaSet grows or shrinks in proportion to its size.

use squall_api::counts::total;

/// An active ReplicaSet, largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `spec.replicas`.
    pub spec: i32,
    /// The total that was allowed when it got that size; 0 if unknown.
    pub max_before: i32,
    /// Number of dispensable replicas: the unavailable ones of an old ReplicaSet.
    pub unmissed: i32,
}

/// Returns the new sizes. `allowed` is the total that is allowed now.
#[must_use]
pub fn scale(parts: &[Part], allowed: i32) -> Vec<i32> {
    let mut parts = parts.to_vec();
    give_up_unmissed(&mut parts, allowed);
    share(&parts, allowed)
}

/// Removes dispensable replicas first; the rest then shrinks in proportion. Kubernetes shrinks all in proportion,
/// available or not (kubernetes 119536).
fn give_up_unmissed(parts: &mut [Part], allowed: i32) {
    let total = total(parts.iter().map(|part| part.spec));
    let excess = total.saturating_sub(allowed).max(0);
    let mut left = excess;
    for part in &mut *parts {
        let down = part.unmissed.min(left);
        part.spec = part.spec.saturating_sub(down);
        left = left.saturating_sub(down);
    }
    let given_up = excess.saturating_sub(left);
    // No base may be smaller than the remaining total, or a part would grow now.
    for part in parts.iter_mut().filter(|part| given_up > 0 && part.max_before > 0) {
        part.max_before = part.max_before.max(total).saturating_sub(given_up).max(1);
    }
}

fn share(parts: &[Part], allowed: i32) -> Vec<i32> {
    let to_add = allowed.saturating_sub(total(parts.iter().map(|part| part.spec)));
    let mut added = 0_i32;
    let mut sizes = Vec::new();
    for part in parts {
        let left = to_add.saturating_sub(added);
        let fraction = if allowed == 0 { part.spec.saturating_neg() } else { fraction(part, allowed) };
        let share = match to_add {
            0 => 0,
            _ if part.spec == 0 || left == 0 => 0,
            1.. => fraction.min(left),
            _ => fraction.max(left),
        };
        added = added.saturating_add(share);
        sizes.push(part.spec.saturating_add(share));
    }
    let largest = (0..parts.len()).rev().max_by_key(|place| parts[*place].spec);
    if let Some(place) = largest {
        sizes[place] = sizes[place].saturating_add(to_add.saturating_sub(added)).max(0);
    }
    sizes
}

/// Returns the proportional change of a part, rounded half away from zero as in Kubernetes.
fn fraction(part: &Part, allowed: i32) -> i32 {
    if part.max_before == 0 {
        return 0;
    }
    let (numerator, denominator) = (i64::from(part.spec).saturating_mul(allowed.into()), i64::from(part.max_before));
    let doubled = numerator.saturating_mul(2).saturating_add(denominator);
    let rounded = doubled.checked_div(denominator.saturating_mul(2)).unwrap_or(0);
    i32::try_from(rounded).unwrap_or(i32::MAX).saturating_sub(part.spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sizes: &[i32], max_before: i32) -> Vec<Part> {
        sizes.iter().map(|spec| Part { spec: *spec, max_before, unmissed: 0 }).collect()
    }

    #[test]
    fn sizes_keep_their_proportion() {
        assert_eq!(scale(&parts(&[8, 5], 13), 18), [11, 7], "10 to 15 replicas in the middle of a rollout");
        assert_eq!(scale(&parts(&[3, 1], 4), 13), [10, 3], "3 to 10, paused");
        assert_eq!(scale(&parts(&[3, 1], 4), 4), [3, 1]);
        assert_eq!(scale(&parts(&[8, 5], 13), 0), [0, 0]);
        assert_eq!(scale(&parts(&[8, 5], 13), 7), [4, 3]);
    }

    /// Kubernetes 119536: an old ReplicaSet kept its broken pod, and another lost a good one.
    #[test]
    fn what_is_not_available_shrinks_first() {
        let sets = |unmissed: [i32; 3]| {
            [3, 1, 1].iter().zip(unmissed).map(|(spec, unmissed)| Part { spec: *spec, max_before: 5, unmissed })
        };
        assert_eq!(scale(&sets([0, 1, 0]).collect::<Vec<_>>(), 4), [3, 0, 1], "5 replicas to 4");
        assert_eq!(scale(&sets([1, 1, 0]).collect::<Vec<_>>(), 2), [1, 0, 1], "then in proportion");
        assert_eq!(scale(&sets([3, 1, 0]).collect::<Vec<_>>(), 6), [4, 1, 1], "nothing is removed when scaling up");
    }

    /// Kubernetes 28145, 29357: scaling in the middle of a rollout went wrong when it was resumed.
    #[test]
    fn every_small_scaling_adds_up_to_what_is_allowed() {
        for before in every_three() {
            for allowed in 0..=12 {
                check(&before, allowed);
            }
        }
    }

    /// All combinations of three ReplicaSets, largest first, with any number of dispensable replicas.
    fn every_three() -> Vec<[Part; 3]> {
        let mut all = Vec::new();
        for (first, second, third) in (0..=6).flat_map(|a| (0..=a).flat_map(move |b| (0..=b).map(move |c| (a, b, c)))) {
            let total = first + second + third;
            // The noted totals may differ: maxSurge was different when one of the sets was sized.
            let notes = [total, total + 1, total + 3].into_iter().filter(|max| *max > 0);
            let low = (total - 4).max(1);
            let differing = [[low, total, low], [total, low, low]].into_iter().filter(|_| total > 0);
            let alike = notes.flat_map(|max| [[max; 3], [max, total + 4, max], [total, max, max]]);
            for [one, two, three] in alike.chain(differing) {
                let unmissed =
                    (0..=first).flat_map(|a| (0..=second).flat_map(move |b| (0..=third).map(move |c| [a, b, c])));
                let part = |(spec, max_before, unmissed)| Part { spec, max_before, unmissed };
                all.extend(unmissed.map(|[a, b, c]| [(first, one, a), (second, two, b), (third, three, c)].map(part)));
            }
        }
        all
    }

    fn check(before: &[Part; 3], allowed: i32) {
        let after = scale(before, allowed);
        let context = || format!("{before:?} {allowed}: {after:?}");
        let total: i32 = before.iter().map(|part| part.spec).sum();
        let unmissed: i32 = before.iter().map(|part| part.unmissed).sum();
        assert!(after.iter().all(|size| *size >= 0), "{}", context());
        let is_noted = before.iter().all(|part| part.max_before == total);
        let gives_up = allowed < total && unmissed > 0;
        let is_less_noted = before.iter().any(|part| part.max_before < total);
        assert!((is_less_noted && !gives_up) || after.iter().sum::<i32>() == allowed, "{}", context());
        if !is_noted && !gives_up {
            // If the noted totals are not the actual one, Kubernetes shrinks some sets while others grow. If they are
            // smaller, the sum may exceed what is allowed.
            return;
        }
        let right_way =
            |(part, size): (&Part, &i32)| if allowed >= total { *size >= part.spec } else { *size <= part.spec };
        assert!(before.iter().zip(&after).all(right_way), "{}", context());
        let missed: i32 = before.iter().zip(&after).map(|(part, size)| (part.spec - part.unmissed - size).max(0)).sum();
        assert_eq!(missed, (total - unmissed - allowed).max(0), "{}", context());
    }
}
