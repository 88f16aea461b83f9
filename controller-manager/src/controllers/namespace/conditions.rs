//! What still keeps a namespace that is being deleted, as Kubernetes' namespace controller reports it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use squall_api::Object;
use squall_api::core::v1::NamespaceCondition;
use squall_api::counts::tally;
use squall_api::metav1::v1::Time;

const REMAINING: &str = "NamespaceContentRemaining";
const FINALIZERS: &str = "NamespaceFinalizersRemaining";

/// The conditions, in Kubernetes' order: the type, and the reason and message when nothing is wrong.
const ALL: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    (REMAINING, "ContentRemoved", "All content successfully removed"),
    (FINALIZERS, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];

/// Returns the conditions of a namespace in which these objects remain. A condition that says the same as before keeps
/// the time of its last transition.
pub fn conditions(before: &[NamespaceCondition], remaining: &[Object], now: Timestamp) -> Vec<NamespaceCondition> {
    let resources = tally(remaining.iter().map(|object| {
        let info = object.kind().info();
        format!("{}.{}", info.plural, info.group)
    }));
    let finalizers = tally(remaining.iter().flat_map(|object| object.meta().finalizers.clone()));
    let wrong = |of: &str| match of {
        REMAINING if !resources.is_empty() => {
            let list = listed(&resources, |name, count| format!("{name} has {count} resource instances"));
            Some(("SomeResourcesRemain", format!("Some resources are remaining: {list}")))
        }
        FINALIZERS if !finalizers.is_empty() => {
            let list = listed(&finalizers, |name, count| format!("{name} in {count} resource instances"));
            let message = format!("Some content in the namespace has finalizers remaining: {list}");
            Some(("SomeFinalizersRemain", message))
        }
        _ => None,
    };
    let condition = |(of, reason, message): &(&str, &str, &str)| {
        let (status, reason, message) = match wrong(of) {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", *reason, (*message).to_owned()),
        };
        let new = NamespaceCondition {
            r#type: (*of).to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            last_transition_time: Time::from_timestamp(now),
        };
        let is_same = |old: &&NamespaceCondition| {
            NamespaceCondition { last_transition_time: new.last_transition_time, ..(*old).clone() } == new
        };
        before.iter().find(is_same).cloned().unwrap_or(new)
    };
    ALL.iter().map(condition).collect()
}

fn listed(counts: &BTreeMap<String, usize>, text: impl Fn(&str, usize) -> String) -> String {
    counts.iter().map(|(name, count)| text(name, *count)).collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use squall_api::apps::v1::Deployment;
    use squall_api::core::v1::ConfigMap;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn texts(conditions: &[NamespaceCondition]) -> Vec<(&str, &str)> {
        conditions.iter().map(|condition| (condition.status.as_str(), condition.message.as_str())).collect()
    }

    #[test]
    fn what_remains_is_counted_by_kind_and_by_finalizer() {
        let mut guarded = ConfigMap::default();
        guarded.metadata.finalizers = vec!["example.com/audit".to_owned()];
        let remaining = [guarded.clone().into(), Deployment::default().into(), guarded.into()];
        let found = conditions(&[], &remaining, at(1));
        assert_eq!(
            texts(&found)[3..],
            [
                (
                    "True",
                    "Some resources are remaining: configmaps. has 2 resource instances, deployments.apps has 1 \
                     resource instances"
                ),
                (
                    "True",
                    "Some content in the namespace has finalizers remaining: example.com/audit in 2 resource instances"
                ),
            ]
        );
        let later = conditions(&found, &remaining[1..2], at(9));
        let times: Vec<i64> = later.iter().map(|condition| condition.last_transition_time.seconds).collect();
        assert_eq!(times, [1, 1, 1, 9, 9]);
        assert_eq!(texts(&later)[4], ("False", "All content-preserving finalizers finished"));
    }
}
