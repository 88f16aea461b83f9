//! The condition of one direction of a link, with all the faults that affect it.

use std::time::Duration;

use squall_faults::{LinkFault, Passage};

use super::way::{End, Way};
use crate::member::{MemberName, Role};

/// The condition of one direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    pub passage: Passage,
    pub delay: Duration,
    pub jitter: Duration,
    /// 0 for no limit.
    pub bytes_per_second: u64,
}

impl Condition {
    /// No restriction, as without a proxy.
    pub const WHOLE: Self =
        Self { passage: Passage::Open, delay: Duration::ZERO, jitter: Duration::ZERO, bytes_per_second: 0 };

    /// Adds another fault; the worse of each value counts.
    pub fn and(self, fault: &LinkFault) -> Self {
        let limits = [self.bytes_per_second, fault.bytes_per_second];
        Self {
            passage: if fault.passage > self.passage as i32 { fault.passage() } else { self.passage },
            delay: self.delay.max(Duration::from_millis(fault.delay_ms)),
            jitter: self.jitter.max(Duration::from_millis(fault.jitter_ms)),
            bytes_per_second: limits.into_iter().filter(|limit| *limit > 0).min().unwrap_or(0),
        }
    }
}

/// One end of a fault; `None` for any.
type AnyOr = Option<End>;

/// Parses the ends that a fault names. The error names the invalid one.
pub fn ends(fault: &LinkFault) -> Result<(AnyOr, AnyOr), String> {
    let end = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
    Ok((end(&fault.from)?, end(&fault.to)?))
}

/// Whether a fault affects a direction.
pub fn concerns(fault: &LinkFault, (from, to): (AnyOr, AnyOr), way: Way) -> bool {
    let is = |wanted: AnyOr, end: End| wanted.is_none_or(|wanted| wanted == end);
    let along = |way: Way| is(from, way.from) && is(to, way.to);
    along(way) || (!fault.one_way && along(way.back()))
}

/// Whether a link connects the two ends: one of them is an apiserver, or both are nodes.
pub fn is_way(way: Way) -> bool {
    let is_of = |end, wanted| matches!(end, End::Member(MemberName { role, .. }) if role == wanted);
    let one_is = |role| is_of(way.from, role) || is_of(way.to, role);
    let both_are = |role| is_of(way.from, role) && is_of(way.to, role);
    way.from != way.to && (one_is(Role::Apiserver) || both_are(Role::Kubelet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: &str, to: &str) -> Way {
        Way { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn a_fault_concerns_what_it_names_in_one_direction_or_both() {
        let mut fault = LinkFault { from: "apiserver-0".to_owned(), ..LinkFault::default() };
        let concerns = |fault: &LinkFault, way| concerns(fault, ends(fault).unwrap(), way);
        assert!(concerns(&fault, way("apiserver-0", "kubelet-1")) && concerns(&fault, way("kubelet-1", "apiserver-0")));
        assert!(!concerns(&fault, way("apiserver-1", "kubelet-1")));
        fault.one_way = true;
        assert!(
            concerns(&fault, way("apiserver-0", "kubelet-1")) && !concerns(&fault, way("kubelet-1", "apiserver-0"))
        );
        assert!(ends(&LinkFault { to: "moon".to_owned(), ..LinkFault::default() }).is_err());
    }

    #[test]
    fn the_worse_of_each_counts() {
        let slow = LinkFault { delay_ms: 20, bytes_per_second: 5, ..LinkFault::default() };
        let cut =
            LinkFault { passage: Passage::Reset as i32, delay_ms: 10, bytes_per_second: 9, ..LinkFault::default() };
        let both = Condition::WHOLE.and(&slow).and(&cut);
        assert_eq!((both.passage, both.delay.as_millis(), both.bytes_per_second), (Passage::Reset, 20, 5));
        assert_eq!(Condition::WHOLE.and(&cut).and(&slow), both);
    }
}
