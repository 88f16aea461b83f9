//! Scaling in the middle of a rollout: every ReplicaSet grows or shrinks in proportion to its size.

/// An active ReplicaSet, largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `spec.replicas`.
    pub spec: i32,
    /// The total that was allowed when it got that size; 0 if it is not known.
    pub max_before: i32,
}

/// The new sizes. `allowed` is the total that is allowed now.
#[must_use]
pub fn scale(parts: &[Part], allowed: i32) -> Vec<i32> {
    let to_add = allowed - parts.iter().map(|part| part.spec).sum::<i32>();
    let mut added = 0;
    let mut sizes = Vec::new();
    for part in parts {
        let left = to_add - added;
        let fraction = if allowed == 0 { -part.spec } else { fraction(part, allowed) };
        let share = match to_add {
            0 => 0,
            _ if part.spec == 0 || left == 0 => 0,
            1.. => fraction.min(left),
            _ => fraction.max(left),
        };
        added += share;
        sizes.push(part.spec + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

/// Rounded half away from zero, as Kubernetes does.
fn fraction(part: &Part, allowed: i32) -> i32 {
    if part.max_before == 0 {
        return 0;
    }
    let (numerator, denominator) = (i64::from(part.spec) * i64::from(allowed), i64::from(part.max_before));
    let rounded = (2 * numerator + denominator) / (2 * denominator);
    i32::try_from(rounded).unwrap_or(i32::MAX) - part.spec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(sizes: &[i32], max_before: i32) -> Vec<Part> {
        sizes.iter().map(|spec| Part { spec: *spec, max_before }).collect()
    }

    #[test]
    fn sizes_keep_their_proportion() {
        assert_eq!(scale(&parts(&[8, 5], 13), 18), [11, 7], "10 to 15 replicas in the middle of a rollout");
        assert_eq!(scale(&parts(&[3, 1], 4), 13), [10, 3], "3 to 10, paused");
        assert_eq!(scale(&parts(&[3, 1], 4), 4), [3, 1]);
        assert_eq!(scale(&parts(&[8, 5], 13), 0), [0, 0]);
        assert_eq!(scale(&parts(&[8, 5], 13), 7), [4, 3]);
    }

    /// Kubernetes 28145, 29357: scaling in the middle of a rollout went wrong when it was resumed.
    #[test]
    fn every_small_scaling_adds_up_to_what_is_allowed() {
        for (first, second, third) in (0..=8).flat_map(|a| (0..=a).flat_map(move |b| (0..=b).map(move |c| (a, b, c)))) {
            let total = first + second + third;
            for max_before in [total, total + 1, total + 3].into_iter().filter(|max| *max > 0) {
                for allowed in 0..=14 {
                    let before = parts(&[first, second, third], max_before);
                    let after = scale(&before, allowed);
                    assert!(after.iter().all(|size| *size >= 0), "{before:?} {allowed}: {after:?}");
                    assert_eq!(after.iter().sum::<i32>(), allowed, "{before:?}: {after:?}");
                    // With another total noted than there is, Kubernetes shrinks some while others grow.
                    let grows = allowed >= total;
                    let right_way =
                        |(part, size): (&Part, &i32)| if grows { *size >= part.spec } else { *size <= part.spec };
                    assert!(
                        max_before != total || before.iter().zip(&after).all(right_way),
                        "{before:?} {allowed}: {after:?}"
                    );
                }
            }
        }
    }
}
