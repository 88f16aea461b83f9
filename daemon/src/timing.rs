//! The timing of a cluster: Kubernetes' constants, or all of them divided by ten.

use std::time::Duration;

use squall_flags::TimingProfile;

/// The constants of controllers and kubelets, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The divisor of seconds in objects (probe periods, grace periods, minReadySeconds).
    pub divisor: u32,
    /// How long a leader's Lease lasts.
    pub leader_lease: Duration,
    /// How often a leader renews its Lease, and a candidate checks it.
    pub leader_retry: Duration,
    /// How long a node's Lease lasts.
    pub node_lease: Duration,
    /// How often a kubelet renews its node's Lease.
    pub node_renew: Duration,
    /// How often a kubelet reports a status that has not changed.
    pub node_status: Duration,
    /// How often the node controller checks for silent nodes.
    pub node_monitor: Duration,
    /// How long a node may be silent before its state is unknown.
    pub node_grace: Duration,
    /// The first delay before a crashed container restarts or a failed pull is retried; doubles each time.
    pub backoff_first: Duration,
    /// The longest such delay.
    pub backoff_max: Duration,
}

impl Timing {
    /// Kubernetes' constants.
    pub const KUBERNETES: Self = Self {
        divisor: 1,
        leader_lease: Duration::from_secs(15),
        leader_retry: Duration::from_secs(2),
        node_lease: Duration::from_secs(40),
        node_renew: Duration::from_secs(10),
        node_status: Duration::from_secs(300),
        node_monitor: Duration::from_secs(5),
        node_grace: Duration::from_secs(50),
        backoff_first: Duration::from_secs(10),
        backoff_max: Duration::from_secs(300),
    };

    /// Returns the constants of a profile.
    #[must_use]
    pub fn of(profile: TimingProfile) -> Self {
        match profile {
            TimingProfile::K8s => Self::KUBERNETES,
            TimingProfile::Fast => Self::KUBERNETES.divided_by(10),
        }
    }

    fn divided_by(self, divisor: u32) -> Self {
        let shorter = |constant: Duration| constant.checked_div(divisor).unwrap_or(constant);
        Self {
            divisor: self.divisor.saturating_mul(divisor),
            leader_lease: shorter(self.leader_lease),
            leader_retry: shorter(self.leader_retry),
            node_lease: shorter(self.node_lease),
            node_renew: shorter(self.node_renew),
            node_status: shorter(self.node_status),
            node_monitor: shorter(self.node_monitor),
            node_grace: shorter(self.node_grace),
            backoff_first: shorter(self.backoff_first),
            backoff_max: shorter(self.backoff_max),
        }
    }

    /// Converts seconds from an object to real time in this profile. Negative numbers count as 0.
    #[must_use]
    pub fn seconds(&self, seconds: i64) -> Duration {
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        seconds.checked_div(self.divisor).unwrap_or(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_keeps_the_ratios() {
        let (fast, slow) = (Timing::of(TimingProfile::Fast), Timing::of(TimingProfile::K8s));
        assert_eq!(fast.leader_lease * 10, slow.leader_lease);
        assert_eq!(fast.node_grace * 10, slow.node_grace);
        assert_eq!(fast.seconds(30), Duration::from_secs(3));
        assert_eq!(slow.seconds(-1), Duration::ZERO);
    }
}
