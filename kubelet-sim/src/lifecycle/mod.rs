//! Decides the next steps for a pod's containers and computes its status: a pure function of the pod, the runtime's
//! containers and the results of the probes.
//!
//! `views` folds `reports` of steps and probes into the known state of the containers. `container` decides for one
//! container, `backoff` computes its waits, and `status` builds the pod's status.

mod backoff;
mod container;
mod reports;
mod status;
#[cfg(test)]
mod tests;
mod views;

use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::{Container, ContainerState, Pod, PodStatus};
use squall_api::happening::EventType;
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;

pub use reports::{Problem, PullFailure, StartProblem};
pub use views::{ProbeReport, ReadinessRule, Views, probes_of};

/// Number of earlier attempts to remember for each container: the back-off reaches its maximum well before.
const REMEMBERED: usize = 12;

/// Reason and message for a pod that exceeds its `activeDeadlineSeconds`.
const DEADLINE: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

/// The known state of a container of a pod.
#[derive(Debug, Clone, Default)]
pub struct ContainerView {
    /// Whether its image is present for the next start.
    pub image: Image,
    /// The id of the image that it was last started with.
    pub image_id: String,
    /// Its newest attempt, running or ended.
    pub current: Option<cri::Container>,
    /// The earlier attempts, all ended, oldest first.
    pub ended: Vec<cri::Container>,
    /// The step in progress for it.
    pub busy: Busy,
    /// The grace period it was given when it was asked to end; `None` if it was not.
    pub stopping: Option<Duration>,
    /// Whether its startup probe has succeeded; true without one.
    pub started: bool,
    /// Whether its readiness probe succeeds; true without one.
    pub ready: bool,
    /// The failed probe because of which it should restart, if any.
    pub unhealthy: Option<Unhealthy>,
    /// Why it could not be started, if so.
    pub start_failure: Option<Failure>,
}

impl ContainerView {
    /// Whether the newest attempt is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|container| container.exit.is_none())
    }

    /// Makes a newer attempt the current one.
    pub fn begin(&mut self, container: cri::Container) {
        self.ended.extend(self.current.take());
        let surplus = self.ended.len().saturating_sub(REMEMBERED);
        self.ended.drain(..surplus);
        self.current = Some(container);
        self.stopping = None;
        self.unhealthy = None;
        self.start_failure = None;
        self.image = Image::Unknown;
    }
}

/// A step in progress for a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Busy {
    /// No step is in progress.
    #[default]
    No,
    /// Its image has been requested.
    Pulling,
    /// It is being started.
    Starting,
}

/// Whether an image is present on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Image {
    /// It has not been requested since the last start.
    #[default]
    Unknown,
    /// It is present.
    Present,
    /// It could not be obtained.
    Failed(Failure),
}

/// A failed pull or start that will be retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason in the container's waiting state: `ErrImagePull`.
    pub reason: &'static str,
    /// The message in the container's waiting state.
    pub message: String,
    /// When it failed.
    pub since: Timestamp,
    /// When to retry.
    pub retry_at: Timestamp,
    /// Number of consecutive failures.
    pub failures: u32,
}

/// The kind of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// Checks whether the container can take requests.
    Readiness,
    /// Checks whether the container should keep running.
    Liveness,
    /// Checks whether the container has started. Until then, no other probe runs.
    Startup,
}

/// A liveness or startup probe that has reached its failure threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unhealthy {
    /// The kind of the failed probe.
    pub probe: ProbeKind,
    /// The probe's own grace period in seconds; `None` for that of the pod.
    pub grace_seconds: Option<i64>,
}

/// A step for a container, identified by its index in [`all_containers`], or for the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Get its image.
    Pull(usize),
    /// Start it. The second number is the attempt, counted from 0.
    Start(usize, i32),
    /// Ask it to end within this grace period.
    Stop(usize, Duration),
    /// Forget the pod, because all its containers have ended.
    Finish,
}

/// An event to record about a container or the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The container's index in [`all_containers`]; `None` for the pod.
    pub container: Option<usize>,
    /// Normal or Warning.
    pub event_type: EventType,
    /// One word in CamelCase: `BackOff`.
    pub reason: &'static str,
    /// A sentence for users.
    pub message: String,
}

/// The decision about a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status that the pod should have.
    pub status: PodStatus,
    /// The steps to start now.
    pub steps: Vec<Step>,
    /// The events to record.
    pub told: Vec<Told>,
    /// When to decide again, if nothing changes earlier.
    pub wake_at: Option<Timestamp>,
}

/// The addresses of a pod and its node.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// The address of the pod.
    pub pod_ip: &'a str,
    /// The address of the node.
    pub host_ip: &'a str,
}

/// The role of a container in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to completion before the next container starts.
    Init,
    /// An init container that keeps running beside the others (Kubernetes: `restartPolicy: Always`).
    Sidecar,
    /// Part of the application.
    Main,
}

/// Returns the containers of a pod with their roles, in the order in which they start.
pub fn all_containers(pod: &Pod) -> impl Iterator<Item = (Role, &Container)> {
    let role = |container: &Container| match container.restart_policy.as_deref() {
        Some("Always") => Role::Sidecar,
        _ => Role::Init,
    };
    let init = pod.spec.init_containers.iter().map(move |container| (role(container), container));
    init.chain(pod.spec.containers.iter().map(|container| (Role::Main, container)))
}

/// A decision about a pod while it is being made.
struct Look<'a> {
    pod: &'a Pod,
    slots: Vec<(Role, &'a Container, &'a ContainerView)>,
    timing: &'a Timing,
    now: Timestamp,
    /// Whether the pod has exceeded its `activeDeadlineSeconds`.
    expired: bool,
    steps: Vec<Step>,
    told: Vec<Told>,
    wake_at: Option<Timestamp>,
}

/// Decides what a pod needs now. There is one view for each of [`all_containers`].
#[must_use]
pub fn decide(
    pod: &Pod,
    views: &[ContainerView],
    addresses: Addresses<'_>,
    timing: &Timing,
    now: Timestamp,
) -> Decision {
    let slots = all_containers(pod).zip(views).map(|((role, container), view)| (role, container, view)).collect();
    let mut look = Look { pod, slots, timing, now, expired: false, steps: Vec::new(), told: Vec::new(), wake_at: None };
    look.check_deadline();
    let states: Vec<ContainerState> = (0..look.slots.len()).map(|index| look.state(index)).collect();
    if look.is_finished() {
        look.steps = vec![Step::Finish];
    }
    let status = status::status(&look, states, addresses);
    Decision { status, steps: look.steps, told: look.told, wake_at: look.wake_at }
}

impl Look<'_> {
    fn is_deleted(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Whether the pod was deleted and all its containers have ended.
    fn is_finished(&self) -> bool {
        let ended = |view: &ContainerView| !view.is_running() && view.busy != Busy::Starting;
        self.is_deleted() && self.slots.iter().all(|(_, _, view)| ended(view))
    }

    /// Whether its containers have to end and no more may start.
    fn is_ending(&self) -> bool {
        self.expired || self.is_deleted()
    }

    fn check_deadline(&mut self) {
        let status = &self.pod.status;
        let (Some(seconds), Some(start)) = (self.pod.spec.active_deadline_seconds, status.start_time) else { return };
        let is_told = status.reason == DEADLINE.0;
        let due = backoff::after(start.timestamp(), self.timing.seconds(seconds));
        let has_ended = matches!(status.phase.as_str(), "Succeeded" | "Failed") && !is_told;
        self.expired = !has_ended && self.now >= due;
        if self.expired && !is_told {
            let (reason, message) = (DEADLINE.0, DEADLINE.1.to_owned());
            self.told.push(Told { container: None, event_type: EventType::Normal, reason, message });
        } else if !has_ended && !self.expired {
            self.wake(due);
        }
    }

    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Whether the containers after this one may start.
    fn is_initialized(&self, index: usize) -> bool {
        let (role, _, view) = &self.slots[index];
        match role {
            Role::Init => view.current.as_ref().and_then(|c| c.exit.as_ref()).is_some_and(|exit| exit.code == 0),
            Role::Sidecar => view.is_running() && view.started,
            Role::Main => true,
        }
    }

    /// Whether an init container has failed permanently, so that the application never starts.
    fn has_failed_to_initialize(&self) -> bool {
        self.slots.iter().any(|(role, _, view)| {
            let ended = view.current.as_ref().and_then(|current| current.exit.as_ref());
            *role == Role::Init && self.pod.spec.restart_policy == "Never" && ended.is_some_and(|exit| exit.code != 0)
        })
    }

    /// Whether the application has ended permanently, so that the sidecars can end too.
    fn is_over(&self) -> bool {
        let mut mains = self.slots.iter().filter(|(role, _, _)| *role == Role::Main);
        self.has_failed_to_initialize()
            || mains.all(|(role, _, view)| {
                let ended = view.current.as_ref().filter(|current| current.exit.is_some());
                match ended {
                    Some(ended) => self.is_ending() || !container::restarts(self.pod, *role, ended),
                    None => self.is_ending() && !view.is_running() && view.busy != Busy::Starting,
                }
            })
    }
}
