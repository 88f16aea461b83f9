//! Pods that ended while their service still listed them, or a moment later: nodes that had not heard of it yet sent them
//! requests.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_api::core::v1::Pod;
use squall_api::kinds::is_pod_terminal;

use super::cause::Span;
use crate::history::{Fate, History, Subject};

/// How long nodes may go on sending requests to a pod that has ended.
const LISTED: Duration = Duration::from_secs(3);
/// How long before the recorder saw it a pod may have ended: its kubelet reports that with its next status.
const UNREPORTED: Duration = Duration::from_secs(1);

/// The end of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    namespace: String,
    pod: String,
    at: Duration,
}

/// Returns the ends of all pods that were ready once, in order.
pub fn endings(history: &History) -> Vec<Ending> {
    let mut serving: BTreeMap<String, bool> = BTreeMap::new();
    let mut endings = Vec::new();
    let mut look = |pod: &Pod, fate: Fate, at: Duration| {
        let runs = fate == Fate::Stored && runs(pod);
        let ran = serving.insert(pod.metadata.uid.clone(), runs).unwrap_or(false);
        if ran && !runs {
            let (namespace, pod) = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
            endings.push(Ending { namespace, pod, at });
        }
    };
    history.start.pods().for_each(|pod| look(pod, Fate::Stored, Duration::ZERO));
    for change in &history.changes {
        if let Subject::Pod(pod) = &change.subject {
            look(pod, change.fate, change.at);
        }
    }
    endings
}

/// Whether all containers of a pod run.
fn runs(pod: &Pod) -> bool {
    let mut statuses = pod.status.container_statuses.iter().peekable();
    statuses.peek().is_some() && statuses.all(|status| status.state.running.is_some()) && !is_pod_terminal(pod)
}

/// Returns the pod of a namespace that had ended when a request began, or ended during it. The last one is the likeliest.
pub fn ended_during(endings: &[Ending], namespace: &str, (from, to): Span) -> Option<String> {
    let near =
        |ending: &&Ending| ending.namespace == namespace && ending.at <= to + UNREPORTED && from <= ending.at + LISTED;
    let ending = endings.iter().filter(near).max_by_key(|ending| ending.at)?;
    Some(format!("the pod {}, which ended while nodes still sent it requests", ending.pod))
}

#[cfg(test)]
mod tests {
    use squall_api::core::v1::{ContainerState, ContainerStateRunning, ContainerStatus};

    use super::*;
    use crate::history::Change;

    fn change(second: u64, name: &str, running: bool, fate: Fate) -> Change {
        let mut pod = Pod::default();
        name.clone_into(&mut pod.metadata.uid);
        name.clone_into(&mut pod.metadata.name);
        "arm".clone_into(&mut pod.metadata.namespace);
        let running = running.then(ContainerStateRunning::default);
        let state = ContainerState { running, ..ContainerState::default() };
        pod.status.container_statuses.push(ContainerStatus { state, ..ContainerStatus::default() });
        Change { revision: second, subject: Subject::Pod(Box::new(pod)), fate, at: Duration::from_secs(second) }
    }

    #[test]
    fn a_pod_ends_when_a_container_stops_or_when_it_is_removed() {
        let changes = vec![
            change(1, "a", false, Fate::Stored),
            change(2, "a", true, Fate::Stored),
            change(3, "b", true, Fate::Stored),
            change(5, "a", false, Fate::Stored),
            change(6, "a", false, Fate::Removed),
            change(7, "b", true, Fate::Removed),
        ];
        let endings = endings(&History { changes, ..History::default() });
        let told: Vec<_> = endings.iter().map(|ending| (ending.pod.as_str(), ending.at.as_secs())).collect();
        assert_eq!(told, [("a", 5), ("b", 7)]);
        let during = |namespace, from: u64, to: u64| {
            let span = (Duration::from_millis(from), Duration::from_millis(to));
            ended_during(&endings, namespace, span).map(|text| text[..9].to_owned())
        };
        assert_eq!(during("arm", 5_500, 5_600), Some("the pod a".to_owned()));
        assert_eq!(during("arm", 3_000, 3_100), None, "long before");
        assert_eq!(during("arm", 6_500, 6_600), Some("the pod b".to_owned()), "its kubelet had not reported it yet");
        assert_eq!(during("other", 5_500, 5_600), None);
        assert_eq!(during("arm", 20_000, 20_100), None);
    }
}
