//! What can be seen of the demo while it runs.

use std::collections::BTreeMap;

use squall_api::kinds::{is_pod_active, is_pod_ready};
use squall_cluster::MemberName;

use squall_referee::history::World;

/// Where the demo is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The processes are started.
    Starting,
    /// The first version is rolled out.
    Deploying,
    /// The second version is rolled out, under load.
    RollingOut,
    /// Those who led have been killed; the rollout goes on.
    Leaderless,
    /// Those who were killed are started again.
    Rejoining,
    /// The history is judged.
    Judging,
}

impl Phase {
    /// In a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting the cluster",
            Self::Deploying => "deploying v1",
            Self::RollingOut => "rolling out v2 under load",
            Self::Leaderless => "both leaders killed, rolling on",
            Self::Rejoining => "starting the killed members again",
            Self::Judging => "judging every revision",
        }
    }
}

/// The pods of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VersionPods {
    /// Those that can take requests.
    pub ready: usize,
    /// All that have not been asked to end.
    pub all: usize,
}

/// A moment of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Where it is.
    pub phase: Phase,
    /// Pods by the version that they run.
    pub pods: BTreeMap<String, VersionPods>,
    /// The apiserver that leads, if one does.
    pub raft_leader: Option<MemberName>,
    /// The controller-manager that leads, if one does.
    pub elected: Option<MemberName>,
    /// Answered requests by version.
    pub requests: BTreeMap<String, usize>,
    /// Requests that failed.
    pub failed: usize,
}

impl View {
    /// Nothing is there yet.
    #[must_use]
    pub const fn beginning() -> Self {
        Self {
            phase: Phase::Starting,
            pods: BTreeMap::new(),
            raft_leader: None,
            elected: None,
            requests: BTreeMap::new(),
            failed: 0,
        }
    }
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
