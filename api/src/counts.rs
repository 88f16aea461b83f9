//! Sums and tallies of numbers from outside: they saturate.

use std::collections::BTreeMap;

/// Sums the counts of objects, such as replicas.
pub fn total(counts: impl IntoIterator<Item = i32>) -> i32 {
    counts.into_iter().fold(0, i32::saturating_add)
}

/// Counts how often each item occurs.
pub fn tally<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for item in items {
        let count = counts.entry(item).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_at_the_largest_number() {
        assert_eq!(total([1, 2, 3]), 6);
        assert_eq!(total([i32::MAX, 1]), i32::MAX);
        assert_eq!(total([i32::MIN, -1]), i32::MIN);
        assert_eq!(tally(["a", "b", "a"]), BTreeMap::from([("a", 2), ("b", 1)]));
    }
}
