//! The order of a merged list (Kubernetes: structured-merge-diff, `visitListItems`): what both lists have comes in the
//! order of the applied one, and the rest stays near its neighbours.

use std::collections::BTreeSet;

use super::fields::Element;
use crate::counts::tally;

/// An item of a merged list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The item at this place of the old list, which the applied one lacks.
    Old(usize),
    /// The item at this place of the applied list.
    New(usize),
}

/// Returns the items of two lists in their merged order, each once.
pub(super) fn merged(old: &[Element], new: &[Element]) -> Vec<Item> {
    let (in_old, in_new): (BTreeSet<&Element>, BTreeSet<&Element>) = (old.iter().collect(), new.iter().collect());
    let mut shared = new.iter().filter(|element| in_old.contains(element));
    let mut next_shared = shared.next();
    let mut taken: BTreeSet<&Element> = BTreeSet::new();
    let (mut items, mut left, mut right) = (Vec::new(), 0, 0);
    while left < old.len() || right < new.len() {
        if let (Some(one), Some(other)) = (old.get(left), new.get(right)) {
            if one == other {
                items.push(Item::New(right));
                taken.insert(other);
                (left, right) = (left.saturating_add(1), right.saturating_add(1));
                next_shared = shared.next();
                continue;
            }
            // It is in both lists, and its turn has not come.
            if in_new.contains(one) && next_shared.is_some_and(|next| next != one) {
                left = left.saturating_add(1);
                continue;
            }
        }
        if let Some(one) = old.get(left) {
            if !in_new.contains(one) {
                items.push(Item::Old(left));
                left = left.saturating_add(1);
                continue;
            }
            if taken.contains(one) {
                left = left.saturating_add(1);
            }
        }
        if let Some(other) = new.get(right) {
            items.push(Item::New(right));
            taken.insert(other);
            right = right.saturating_add(1);
            if next_shared == Some(other) {
                next_shared = shared.next();
            }
        }
    }
    items
}

/// The steps that occur more than once.
pub(super) fn repeated(elements: impl Iterator<Item = Element>) -> Vec<Element> {
    tally(elements).into_iter().filter(|(_, count)| *count > 1).map(|(element, _)| element).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str) -> Vec<Element> {
        text.chars().map(|name| Element::Value(name.to_string())).collect()
    }

    fn order(old: &str, new: &str) -> String {
        let (left, right) = (elements(old), elements(new));
        let name = |item| match item {
            Item::Old(place) => old.chars().nth(place).unwrap(),
            Item::New(place) => new.chars().nth(place).unwrap(),
        };
        merged(&left, &right).into_iter().map(name).collect()
    }

    #[test]
    fn the_applied_list_decides_and_the_rest_stays_near_its_neighbours() {
        for (old, new, expected) in [
            ("abc", "abc", "abc"),
            ("abc", "cba", "cba"),
            ("abc", "", "abc"),
            ("", "abc", "abc"),
            ("ab", "ba", "ba"),
            ("axb", "ba", "xba"),
            ("ax", "ab", "axb"),
            ("xa", "ba", "xba"),
            ("abxc", "ac", "abxc"),
            ("ab", "acb", "acb"),
        ] {
            assert_eq!(order(old, new), expected, "{old:?} {new:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled(old in "[a-h]{0,8}", new in "[a-h]{0,8}") {
            let unique = |text: &str| {
                let mut seen = BTreeSet::new();
                text.chars().filter(|name| seen.insert(*name)).collect::<String>()
            };
            let (old, new) = (unique(&old), unique(&new));
            let found = order(&old, &new);
            let all: BTreeSet<char> = old.chars().chain(new.chars()).collect();
            prop_assert_eq!(found.chars().count(), all.len());
            prop_assert_eq!(found.chars().collect::<BTreeSet<char>>(), all);
            let applied: String = found.chars().filter(|name| new.contains(*name)).collect();
            prop_assert_eq!(&applied, &new);
            let rest = |text: &str| text.chars().filter(|name| !new.contains(*name)).collect::<String>();
            prop_assert_eq!(rest(&found), rest(&old));
        }
    }
}
