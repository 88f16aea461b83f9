//! A live view of a run: pods, leaders and requests at one moment.

use std::collections::BTreeMap;

use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_referee::history::World;

/// The pods of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VersionPods {
    /// Pods that are ready to serve.
    pub ready: usize,
    /// All pods that are not terminating.
    pub all: usize,
}

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Pods by the version that they run.
    pub pods: BTreeMap<String, VersionPods>,
    /// The apiserver that leads; empty if none does.
    pub raft_leader: String,
    /// The controller-manager that leads; empty if none is known.
    pub elected: String,
    /// Answered requests of all arms, by version.
    pub requests: BTreeMap<String, usize>,
    /// Failed requests of all arms.
    pub failed: usize,
}

/// Counts pods by the tag of their first image.
pub fn by_version(world: &World) -> BTreeMap<String, VersionPods> {
    let mut pods: BTreeMap<String, VersionPods> = BTreeMap::new();
    for pod in world.pods().filter(|pod| is_pod_active(pod)) {
        let image = pod.spec.containers.first().map_or("", |container| container.image.as_str());
        let version = image.rsplit_once(':').map_or(image, |(_, tag)| tag);
        let of_version = pods.entry(version.to_owned()).or_default();
        of_version.all += 1;
        of_version.ready += usize::from(is_pod_ready(pod));
    }
    pods
}
