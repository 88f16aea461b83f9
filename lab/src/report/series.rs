//! The pods of a namespace over time, from the history of the store.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_api::kinds::{is_pod_active, is_pod_ready};

use squall_referee::history::{History, Subject, World};

/// The state from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The time since the start of the recording.
    pub at: Duration,
    /// The number of ready pods that are not terminating, by version.
    pub ready: BTreeMap<String, usize>,
    /// The number of pods that are not terminating.
    pub active: usize,
    /// The number of available pods in the controllers' status.
    pub available: i32,
}

/// Returns one point for each change of these counts.
#[must_use]
pub fn series(history: &History, namespace: &str) -> Vec<Point> {
    let mut points = vec![point(&history.start, namespace, Duration::ZERO)];
    history.walk(|step| {
        let meta = step.change.subject.meta();
        if meta.namespace != namespace || matches!(step.change.subject, Subject::Event(_) | Subject::EndpointSlice(_)) {
            return;
        }
        let next = point(step.world, namespace, step.change.at);
        let same = points.last().is_some_and(|last| Point { at: next.at, ..last.clone() } == next);
        if !same {
            points.push(next);
        }
    });
    points
}

fn point(world: &World, namespace: &str, at: Duration) -> Point {
    let mut point = Point { at, ready: BTreeMap::new(), active: 0, available: 0 };
    for pod in world.pods().filter(|pod| pod.metadata.namespace == namespace && is_pod_active(pod)) {
        let image = pod.spec.containers.first().map_or("", |container| container.image.as_str());
        let version = image.rsplit_once(':').map_or(image, |(_, tag)| tag).to_owned();
        point.active += 1;
        *point.ready.entry(version).or_default() += usize::from(is_pod_ready(pod));
    }
    let of_deployments = world.deployments().map(|object| (&object.metadata, object.status.available_replicas));
    let of_controllers = world.controllers().map(|object| (&object.metadata, object.status.available_replicas));
    let here = of_deployments.chain(of_controllers).filter(|(meta, _)| meta.namespace == namespace);
    point.available = here.map(|(_, available)| available).sum();
    point
}

/// Returns the state at a moment.
#[must_use]
pub fn at(points: &[Point], moment: Duration) -> &Point {
    let later = points.partition_point(|point| point.at <= moment);
    // The first point is at the beginning.
    &points[later.saturating_sub(1)]
}
