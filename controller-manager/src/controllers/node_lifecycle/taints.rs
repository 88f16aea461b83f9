//! The taints that follow from a node's state. Taints set by others stay.

use jiff::Timestamp;
use squall_api::core::v1::{Node, Taint};
use squall_api::metav1::v1::Time;

use super::health::Trouble;
use super::ready_status;

pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Returns the key of the taint that the node's state requires, if any.
fn key_of(node: &Node) -> Option<&'static str> {
    match ready_status(node) {
        "True" => None,
        "Unknown" => Some(UNREACHABLE),
        _ => Some(NOT_READY),
    }
}

/// Whether the node needs a NoExecute taint that it does not have yet.
pub fn needs_giving_up(node: &Node) -> bool {
    key_of(node).is_some_and(|key| !has(&node.spec.taints, key, "NoExecute"))
}

fn has(taints: &[Taint], key: &str, effect: &str) -> bool {
    taints.iter().any(|taint| taint.key == key && taint.effect == effect)
}

/// Returns the taints that the node should have. A node that is not ready gets no new pods. Its own pods have to leave
/// only when it is the node's turn, and not at all while all nodes are unhealthy.
pub fn wanted(node: &Node, may_give_up: bool, trouble: Trouble, now: Timestamp) -> Vec<Taint> {
    let key = key_of(node);
    let stays = |taint: &&Taint| match taint.key.as_str() {
        UNREACHABLE | NOT_READY => {
            Some(taint.key.as_str()) == key && (trouble != Trouble::All || taint.effect != "NoExecute")
        }
        UNSCHEDULABLE => node.spec.unschedulable,
        _ => true,
    };
    let mut taints: Vec<Taint> = node.spec.taints.iter().filter(stays).cloned().collect();
    // A taint that a user sets has no time. Tolerations count from the first look at it, however often this process is
    // replaced: the time is kept with the taint.
    for taint in taints.iter_mut().filter(|taint| taint.effect == "NoExecute" && taint.time_added.is_none()) {
        taint.time_added = Some(Time::from_timestamp(now));
    }
    let mut add = |key: &str, effect: &str| {
        if !has(&taints, key, effect) {
            let time_added = Some(Time::from_timestamp(now));
            taints.push(Taint { key: key.to_owned(), effect: effect.to_owned(), time_added, ..Taint::default() });
        }
    };
    if node.spec.unschedulable {
        add(UNSCHEDULABLE, "NoSchedule");
    }
    if let Some(key) = key {
        add(key, "NoSchedule");
        if may_give_up && trouble != Trouble::All {
            add(key, "NoExecute");
        }
    }
    taints
}
