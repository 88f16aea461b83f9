//! Explains the state of a node.

use jiff::Timestamp;
use squall_api::core::v1::Node;

use crate::facts::Facts;
use crate::pod::human;
use crate::{Answer, Evidence};

/// Explains whether a node accepts pods, and if not, why.
pub fn of(node: &Node, facts: &Facts, now: Timestamp) -> Answer {
    let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
    let (status, message) = ready.map_or(("", ""), |condition| (condition.status.as_str(), condition.message.as_str()));
    let heard =
        facts.lease.as_ref().and_then(|lease| lease.spec.renew_time).map(|time| now.duration_since(time.timestamp()));
    let pods = facts.pods.len();
    let evidence = Evidence::of(
        node.clone(),
        format!("condition Ready is {}: {message}", if status.is_empty() { "missing" } else { status }),
    );
    let lease = facts.lease.iter().map(|lease| {
        Evidence::of(
            lease.clone(),
            heard.map_or_else(|| "never renewed".to_owned(), |ago| format!("renewed {} ago", human(ago))),
        )
    });
    let taints: Vec<String> = node.spec.taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
    let answer = match status {
        "True" if node.spec.unschedulable => Answer::held(
            "Cordoned",
            format!("is healthy but cordoned: it keeps its {pods} pods and accepts no new ones"),
        ),
        "True" if !taints.is_empty() => {
            Answer::held("Tainted", format!("is healthy, and accepts only pods that tolerate {}", taints.join(", ")))
        }
        "True" => Answer::free(format!("is ready, and has {pods} pods")),
        "" => Answer::held("Starting", "has never reported its status"),
        _ => {
            let ago = heard.map_or_else(String::new, |ago| format!(" for {}", human(ago)));
            let evicts = taints.iter().any(|taint| taint.ends_with(":NoExecute"));
            let next =
                if evicts { "its pods are evicted when their toleration expires" } else { "its pods stay for now" };
            Answer::held("Silent", format!("has not reported{ago}: is its kubelet running? It has {pods} pods; {next}"))
        }
    };
    answer.with(std::iter::once(evidence).chain(lease))
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::{NodeCondition, Taint};

    fn gate(ready: &str, unschedulable: bool, taint: Option<&str>) -> Option<&'static str> {
        let mut node = Node::default();
        if !ready.is_empty() {
            let condition =
                NodeCondition { r#type: "Ready".to_owned(), status: ready.to_owned(), ..NodeCondition::default() };
            node.status.conditions.push(condition);
        }
        node.spec.unschedulable = unschedulable;
        node.spec.taints.extend(taint.map(|effect| Taint {
            key: "k".to_owned(),
            effect: effect.to_owned(),
            ..Taint::default()
        }));
        of(&node, &Facts::default(), Timestamp::UNIX_EPOCH).gate
    }

    #[test]
    fn what_keeps_pods_away_is_named() {
        assert_eq!(gate("True", false, None), None);
        assert_eq!(gate("True", true, Some("NoSchedule")), Some("Cordoned"));
        assert_eq!(gate("True", false, Some("NoSchedule")), Some("Tainted"));
        assert_eq!(gate("Unknown", false, Some("NoExecute")), Some("Silent"));
        assert_eq!(gate("", false, None), Some("Starting"));
    }
}
