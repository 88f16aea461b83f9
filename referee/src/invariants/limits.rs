//! The limits of a Deployment. Computed anew, not taken from the controller: the referee must not share its mistakes.

use squall_api::apps::v1::Deployment;
use squall_api::intstr::IntOrString;

/// The limits as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of replicas.
    pub most: i32,
    /// The minimum number of available replicas.
    pub least: i32,
}

impl Limits {
    /// Rounds as Kubernetes does: maxSurge up, maxUnavailable down; if both are zero, one may be unavailable. Recreate
    /// allows all replicas to be unavailable, and none beyond the desired number.
    pub fn of(deployment: &Deployment) -> Self {
        let desired = deployment.spec.replicas.unwrap_or(1);
        if deployment.spec.strategy.r#type == "Recreate" {
            return Self { most: desired, least: 0 };
        }
        let rolling = deployment.spec.strategy.rolling_update.clone().unwrap_or_default();
        let share = |amount: Option<IntOrString>| {
            let amount = amount.unwrap_or_else(|| IntOrString::string("25%"));
            match amount.as_str().and_then(|text| text.trim_end_matches('%').parse::<f64>().ok()) {
                Some(percent) => f64::from(desired) * percent / 100.0,
                None => f64::from(amount.as_int().unwrap_or(0)),
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "replicas are far below 2^31, and so are whole shares of them"
        )]
        let (surge, unavailable) =
            (share(rolling.max_surge).ceil() as i32, share(rolling.max_unavailable).floor() as i32);
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        Self { most: desired.saturating_add(surge), least: desired.saturating_sub(unavailable).max(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Subject;
    use crate::invariants::fixtures::deployment;

    #[test]
    fn limits_round_as_kubernetes_does() {
        let limits = |replicas, surge, unavailable| match deployment(replicas, surge, unavailable) {
            Subject::Deployment(deployment) => (Limits::of(&deployment).most, Limits::of(&deployment).least),
            _ => unreachable!("it is a Deployment"),
        };
        assert_eq!(limits(3, "25%", "25%"), (4, 3));
        assert_eq!(limits(10, "25%", "25%"), (13, 8));
        assert_eq!(limits(3, "0", "1%"), (3, 2), "one may be unavailable when both are zero");
        assert_eq!(limits(3, "1", "5"), (4, 0));
    }
}
