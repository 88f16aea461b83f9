//! Node health: which nodes are silent, how much of a zone is unhealthy, and how fast nodes may be given up.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use squall_api::core::v1::Node;
use squall_daemon::Timing;

const ZONE: &str = "topology.kubernetes.io/zone";

/// The heartbeats of nodes, timed by our own clock.
#[derive(Default)]
pub struct Health {
    /// The last heartbeat of each node and when it was seen.
    heard: HashMap<String, (String, Instant)>,
    /// Nodes that `is_new` has been called for.
    known: HashSet<String>,
    /// When a node of each zone was last given up, that is, tainted for eviction.
    given_up: HashMap<String, Instant>,
}

/// How much of the cluster is unhealthy. Kubernetes: if all nodes are, a network fault is more likely than a fault of
/// every node, and no pod is evicted; if most of a zone is, eviction is slow or stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Fewer than most nodes of the zone, or a whole zone while others are healthy.
    Some,
    /// Most nodes of the zone.
    Most {
        /// Whether the zone has more than 50 nodes.
        large: bool,
    },
    /// All nodes of the cluster.
    All,
}

impl Health {
    /// Returns true on the first call for a node.
    pub fn is_new(&mut self, node: &str) -> bool {
        self.known.insert(node.to_owned())
    }

    /// Returns how long a node has been silent, given its latest heartbeat.
    pub fn silence(&mut self, node: &str, beat: &str) -> Duration {
        match self.heard.get(node) {
            Some((last, since)) if last == beat => since.elapsed(),
            _ => {
                self.heard.insert(node.to_owned(), (beat.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }

    /// Forgets nodes that no longer exist.
    pub fn keep(&mut self, there: &HashSet<&str>) {
        self.heard.retain(|node, _| there.contains(node.as_str()));
        self.known.retain(|node| there.contains(node.as_str()));
    }

    /// Whether one more node of the zone may be given up now; if so, counts it as given up. Kubernetes: one every 10 s,
    /// and one every 100 s in a large zone that is mostly unhealthy.
    pub fn may_give_up(&mut self, node: &Node, trouble: Trouble, timing: &Timing) -> bool {
        let seconds = match trouble {
            Trouble::Some => 10,
            Trouble::Most { large: true } => 100,
            Trouble::Most { large: false } | Trouble::All => return false,
        };
        let zone = zone(node);
        let waited = self.given_up.get(zone).is_none_or(|last| last.elapsed() >= timing.seconds(seconds));
        if waited {
            self.given_up.insert(zone.to_owned(), Instant::now());
        }
        waited
    }
}

fn zone(node: &Node) -> &str {
    node.metadata.labels.get(ZONE).map_or("", String::as_str)
}

/// Returns how much of the cluster around a node is unhealthy. `nodes` are all nodes, each with whether it is healthy.
pub fn trouble<'a>(node: &Node, nodes: impl Iterator<Item = (&'a Node, bool)>) -> Trouble {
    let (mut any_well, mut size, mut unwell) = (false, 0usize, 0usize);
    for (other, well) in nodes {
        any_well |= well;
        if zone(other) == zone(node) {
            size = size.saturating_add(1);
            unwell = unwell.saturating_add(usize::from(!well));
        }
    }
    match () {
        () if !any_well => Trouble::All,
        // Kubernetes: at least 55 % of the zone, and more than two nodes.
        () if unwell > 2 && unwell < size && unwell.saturating_mul(100) >= size.saturating_mul(55) => {
            Trouble::Most { large: size > 50 }
        }
        () => Trouble::Some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_daemon::Timing;

    fn around(zones: &[(&str, bool)]) -> Trouble {
        let nodes: Vec<(Node, bool)> = zones
            .iter()
            .map(|(zone, well)| {
                let mut node = Node::default();
                node.metadata.labels.insert(ZONE.to_owned(), (*zone).to_owned());
                (node, *well)
            })
            .collect();
        trouble(&nodes[0].0, nodes.iter().map(|(node, well)| (node, *well)))
    }

    #[test]
    fn trouble_is_counted_by_zone() {
        assert_eq!(around(&[("a", false), ("a", true), ("a", true)]), Trouble::Some);
        assert_eq!(around(&[("a", false), ("a", false), ("a", true)]), Trouble::Some, "two nodes are not many");
        assert_eq!(around(&[("a", false), ("a", false), ("a", false), ("a", true)]), Trouble::Most { large: false });
        assert_eq!(
            around(&[("a", false), ("a", false), ("a", false), ("b", true)]),
            Trouble::Some,
            "the zone as a whole"
        );
        assert_eq!(around(&[("a", false), ("b", false)]), Trouble::All);
        assert_eq!(around(&[("a", false)]), Trouble::All);
        let large: Vec<(&str, bool)> = (0..60).map(|number| ("a", number >= 40)).collect();
        assert_eq!(around(&large), Trouble::Most { large: true });
    }

    #[test]
    fn nodes_are_given_up_one_after_the_other() {
        let (mut health, timing, node) = (Health::default(), Timing::KUBERNETES, Node::default());
        assert!(!health.may_give_up(&node, Trouble::All, &timing));
        assert!(!health.may_give_up(&node, Trouble::Most { large: false }, &timing));
        assert!(health.may_give_up(&node, Trouble::Some, &timing));
        assert!(!health.may_give_up(&node, Trouble::Some, &timing), "ten seconds have not passed");
    }

    #[test]
    fn a_node_is_silent_since_its_last_heartbeat_was_seen() {
        let mut health = Health::default();
        assert!(health.is_new("a") && !health.is_new("a"));
        assert_eq!(health.silence("a", "1"), Duration::ZERO);
        // It ends as soon as the clock has moved.
        while health.silence("a", "1").is_zero() {}
        assert_eq!(health.silence("a", "2"), Duration::ZERO);
        health.keep(&HashSet::new());
        assert!(health.is_new("a"));
    }
}
