//! The limits of a Deployment's rollout: how many surplus and how many unavailable pods it may have.

use squall_proto::apps::v1::Deployment;
use squall_proto::intstr::IntOrString;

/// The limits of a Deployment, resolved to numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The desired number of replicas.
    pub desired: i32,
    /// How many pods may exist beyond the desired number.
    pub max_surge: i32,
    /// How many of the desired pods may be unavailable.
    pub max_unavailable: i32,
}

impl Limits {
    /// Returns the limits of a Deployment. `Recreate` has none: it removes all old pods before it creates new ones.
    #[must_use]
    pub fn of(deployment: &Deployment) -> Self {
        let desired = deployment.spec.replicas.unwrap_or(1);
        let zero = IntOrString::int(0);
        let strategy = &deployment.spec.strategy;
        match strategy.rolling_update.as_ref().filter(|_| strategy.r#type == "RollingUpdate") {
            Some(rolling) => Self::resolve(
                desired,
                rolling.max_surge.as_ref().unwrap_or(&zero),
                rolling.max_unavailable.as_ref().unwrap_or(&zero),
            ),
            None => Self { desired, max_surge: 0, max_unavailable: 0 },
        }
    }

    /// Resolves percentages. Kubernetes: maxSurge rounds up, maxUnavailable rounds down; if both are 0, one pod may be
    /// unavailable.
    #[must_use]
    pub fn resolve(desired: i32, surge: &IntOrString, unavailable: &IntOrString) -> Self {
        let max_surge = resolve(surge, desired, Round::Up);
        let max_unavailable = match resolve(unavailable, desired, Round::Down) {
            0 if max_surge == 0 => 1,
            number => number,
        };
        Self { desired, max_surge, max_unavailable: max_unavailable.min(desired) }
    }

    /// Returns how many pods must be available.
    #[must_use]
    pub fn min_available(&self) -> i32 {
        self.desired.saturating_sub(self.max_unavailable)
    }

    /// Returns how many pods may exist in total.
    #[must_use]
    pub fn max_total(&self) -> i32 {
        self.desired.saturating_add(self.max_surge)
    }
}

enum Round {
    Up,
    Down,
}

fn resolve(amount: &IntOrString, of: i32, round: Round) -> i32 {
    let percent = amount.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse::<i64>().ok());
    match (amount.as_int(), percent) {
        (Some(number), _) => number,
        (None, None) => 0,
        (None, Some(percent)) => {
            let hundredths = percent.saturating_mul(of.into());
            let number = match round {
                Round::Up => hundredths.saturating_add(99) / 100,
                Round::Down => hundredths / 100,
            };
            i32::try_from(number).unwrap_or(i32::MAX.saturating_sub(of))
        }
    }
}
