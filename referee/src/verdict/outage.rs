//! Times in which a service under load had no ready endpoint.

use std::time::Duration;

use serde::Serialize;
use squall_api::core::v1::{Pod, Service};
use squall_api::kinds::is_pod_active;

use super::cause::{self, Span};
use crate::evidence::{ArmRecord, FaultRecord, Loaded};
use crate::history::{Change, History, Subject, World};

/// A time without a ready endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// The arm, which is a namespace.
    pub arm: String,
    /// The service.
    pub service: String,
    /// The beginning.
    #[serde(with = "squall_api::duration")]
    pub from: Duration,
    /// The end; that of the load if the service had no ready endpoint until then.
    #[serde(with = "squall_api::duration")]
    pub to: Duration,
    /// Why the service had none in the end; `None` if it had one again.
    pub in_the_end: Option<String>,
    /// The likely cause.
    pub charged_to: String,
}

/// Returns all outages of an arm's load by their beginning.
pub fn outages(arm: &ArmRecord, faults: &[FaultRecord], history: &History) -> Vec<Outage> {
    let Some(loaded) = &arm.loaded else { return Vec::new() };
    let (gaps, last) = gaps(history, &arm.name, loaded);
    gaps.into_iter()
        .map(|gap| Outage {
            arm: arm.name.clone(),
            service: loaded.service.clone(),
            from: gap.during.0,
            to: gap.during.1,
            in_the_end: gap.is_open.then(|| why_none(&last, &arm.name, &loaded.service)),
            charged_to: cause::of(Some(arm), faults, gap.during),
        })
        .collect()
}

struct Gap {
    during: Span,
    /// It lasts beyond the load.
    is_open: bool,
}

/// Returns the gaps within a load, and the state at its end.
fn gaps(history: &History, namespace: &str, loaded: &Loaded) -> (Vec<Gap>, World) {
    let mut gaps = Vec::new();
    let mut since = None;
    let mut was_ready = false;
    let mut look = |world: &World, at: Duration| match (ready(world, namespace, &loaded.service), since) {
        (0, None) if was_ready => since = Some(at),
        (1.., Some(from)) => {
            gaps.push(Gap { during: (from, at), is_open: false });
            since = None;
        }
        (1.., None) => was_ready = true,
        _ => {}
    };
    let mut world = history.start.clone();
    let mut changes = history.changes.iter().peekable();
    let within = |change: &&Change, end: Duration| change.at <= end;
    while let Some(change) = changes.next_if(|change| within(change, loaded.from)) {
        world.apply(change);
    }
    // The load begins only after a first answer. The nodes may know of that endpoint before the recorder does.
    look(&world, loaded.from);
    while let Some(change) = changes.next_if(|change| within(change, loaded.to)) {
        world.apply(change);
        if matches!(change.subject, Subject::EndpointSlice(_)) {
            look(&world, change.at);
        }
    }
    gaps.extend(since.map(|from| Gap { during: (from, loaded.to), is_open: true }));
    (gaps, world)
}

fn ready(world: &World, namespace: &str, service: &str) -> usize {
    world.endpoints_of(namespace, service).filter(|endpoint| endpoint.conditions.ready.unwrap_or(true)).count()
}

/// Explains why a service has no ready endpoint.
fn why_none(world: &World, namespace: &str, name: &str) -> String {
    let Some(service) = world.service(namespace, name) else { return "the service is gone".to_owned() };
    let pods: Vec<&Pod> =
        world.pods().filter(|pod| pod.metadata.namespace == namespace && is_pod_active(pod)).collect();
    let selected = pods.iter().filter(|pod| missing_label(service, pod).is_none()).count();
    let nearest = pods.iter().filter_map(|pod| missing_label(service, pod)).min();
    match (selected, nearest) {
        (0, Some((_, label))) => format!("its selector matches no pod: none has the label {label}"),
        (0, None) => "there is no pod".to_owned(),
        (1, _) => "its only pod is not ready".to_owned(),
        (count, _) => format!("none of its {count} pods is ready"),
    }
}

/// Returns how many labels of a selector a pod does not have, and the first of them; `None` if it has all.
fn missing_label(service: &Service, pod: &Pod) -> Option<(usize, String)> {
    let missing: Vec<String> = service
        .spec
        .selector
        .iter()
        .filter(|(key, value)| pod.metadata.labels.get(*key) != Some(value))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    missing.first().map(|first| (missing.len(), first.clone()))
}

#[cfg(test)]
mod tests {
    use squall_api::discovery::v1::{Endpoint, EndpointConditions, EndpointSlice};

    use super::*;
    use crate::history::Fate;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn change(revision: u64, subject: Subject) -> Change {
        Change { revision, subject, fate: Fate::Stored, at: seconds(revision) }
    }

    fn slice(ready: &[bool]) -> Subject {
        let mut slice = EndpointSlice::default();
        "slice".clone_into(&mut slice.metadata.uid);
        "arm".clone_into(&mut slice.metadata.namespace);
        slice.metadata.labels.insert("kubernetes.io/service-name".to_owned(), "web".to_owned());
        slice.endpoints.extend(ready.iter().map(|ready| Endpoint {
            conditions: EndpointConditions { ready: Some(*ready), ..EndpointConditions::default() },
            ..Endpoint::default()
        }));
        Subject::EndpointSlice(Box::new(slice))
    }

    fn pod(labels: &[(&str, &str)]) -> Subject {
        let mut pod = Pod::default();
        "pod".clone_into(&mut pod.metadata.uid);
        "arm".clone_into(&mut pod.metadata.namespace);
        pod.metadata.labels.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Subject::Pod(Box::new(pod))
    }

    fn service() -> Subject {
        let mut service = Service::default();
        "web".clone_into(&mut service.metadata.name);
        "arm".clone_into(&mut service.metadata.namespace);
        service
            .spec
            .selector
            .extend([("app", "a"), ("tier", "web")].map(|(key, value)| (key.to_owned(), value.to_owned())));
        Subject::Service(Box::new(service))
    }

    fn found(changes: Vec<Change>) -> Vec<(u64, u64, Option<String>)> {
        let loaded = Some(Loaded { service: "web".to_owned(), from: seconds(2), to: seconds(10) });
        let arm = ArmRecord { name: "arm".to_owned(), loaded, ..ArmRecord::default() };
        let history = History { changes, ..History::default() };
        let all = outages(&arm, &[], &history).into_iter();
        all.map(|outage| (outage.from.as_secs(), outage.to.as_secs(), outage.in_the_end)).collect()
    }

    #[test]
    fn a_time_without_a_ready_endpoint_is_found_while_there_is_load() {
        let changes = vec![
            change(1, slice(&[false])),
            change(2, slice(&[true, true])),
            change(3, slice(&[false, true])),
            change(4, slice(&[false, false])),
            change(6, slice(&[false, true])),
            change(11, slice(&[])),
        ];
        assert_eq!(found(changes), [(4, 6, None)]);
        let late = vec![change(3, slice(&[false])), change(4, slice(&[true]))];
        assert_eq!(found(late), [], "the recorder lags behind the first answer");
    }

    #[test]
    fn a_service_that_finds_nobody_in_the_end_says_why() {
        let in_the_end = |pods: Vec<Subject>| {
            let mut changes = vec![change(1, service()), change(2, slice(&[true]))];
            changes.extend(pods.into_iter().map(|pod| change(3, pod)));
            changes.push(change(5, slice(&[])));
            found(changes).remove(0).2.unwrap()
        };
        let dropped = pod(&[("app", "a")]);
        assert_eq!(in_the_end(vec![dropped]), "its selector matches no pod: none has the label tier=web");
        assert_eq!(in_the_end(vec![pod(&[("app", "a"), ("tier", "web")])]), "its only pod is not ready");
        assert_eq!(in_the_end(Vec::new()), "there is no pod");
        assert_eq!(found(vec![change(1, slice(&[true]))]), [], "it had one all the time");
    }
}
