//! How many pods of a set may be taken away: what a disruption budget comes to. Pure.
//!
//! Kubernetes: the disruption controller; percentages round up.

use squall_api::core::v1::Pod;
use squall_api::intstr::IntOrString;
use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_api::policy::v1::PodDisruptionBudget;

/// What a budget comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many pods there are to be.
    pub expected: i32,
    /// How many of them are healthy.
    pub healthy: i32,
    /// How many must stay so.
    pub desired: i32,
}

impl Budget {
    /// How many may be taken away.
    #[must_use]
    pub fn allowed(&self) -> i32 {
        (self.healthy - self.desired).max(0)
    }
}

/// What the budget comes to for its pods; `expected` is how many their controllers want.
#[must_use]
pub fn budget(budget: &PodDisruptionBudget, pods: &[Pod], expected: i32) -> Budget {
    let healthy = pods.iter().filter(|pod| is_pod_active(pod) && is_pod_ready(pod)).count();
    let spec = &budget.spec;
    let desired = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), _) => amount(min, expected),
        (None, Some(max)) => expected - amount(max, expected),
        // Kubernetes: a budget that says nothing lets nothing go below one.
        (None, None) => 1,
    };
    Budget { expected, healthy: i32::try_from(healthy).unwrap_or(i32::MAX), desired: desired.max(0) }
}

fn amount(amount: &IntOrString, of: i32) -> i32 {
    let percent = amount.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse::<i64>().ok());
    match (amount.as_int(), percent) {
        (Some(number), _) => number,
        (None, Some(percent)) => i32::try_from((i64::from(of) * percent + 99).div_euclid(100)).unwrap_or(i32::MAX),
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::PodCondition;

    fn pods(ready: usize, unready: usize) -> Vec<Pod> {
        let pod = |ready: bool| {
            let mut pod = Pod::default();
            let status = if ready { "True" } else { "False" }.to_owned();
            pod.status.conditions.push(PodCondition { r#type: "Ready".to_owned(), status, ..PodCondition::default() });
            pod
        };
        (0..ready).map(|_| pod(true)).chain((0..unready).map(|_| pod(false))).collect()
    }

    #[test]
    fn a_budget_is_a_number_or_a_percentage_that_rounds_up() {
        let of = |min: Option<IntOrString>, max: Option<IntOrString>| {
            let mut wanted = PodDisruptionBudget::default();
            (wanted.spec.min_available, wanted.spec.max_unavailable) = (min, max);
            budget(&wanted, &pods(3, 1), 4).allowed()
        };
        assert_eq!(of(Some(IntOrString::int(2)), None), 1);
        assert_eq!(of(Some(IntOrString::string("50%")), None), 1);
        assert_eq!(of(Some(IntOrString::string("51%")), None), 0);
        assert_eq!(of(None, Some(IntOrString::int(1))), 0, "one is unavailable already");
        assert_eq!(of(None, Some(IntOrString::int(2))), 1);
        assert_eq!(of(None, Some(IntOrString::string("100%"))), 3);
    }
}
