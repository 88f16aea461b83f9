//! What a pod's containers need next and what its status says: a pure function of the pod, of what the runtime holds,
//! and of what the probes found.
//!
//! `container` decides for one container, `backoff` how long it waits, `status` says how the pod is.

mod backoff;
mod container;
mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use squall_api::core::v1::{Container, ContainerState, Pod, PodStatus};
use squall_client::events::EventType;
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;

pub use backoff::pull_wait;
pub use status::container_id;

/// How many attempts before the newest are remembered of a container: the wait is longest well before.
const REMEMBERED: usize = 12;

/// What is said of a pod that was active for longer than it may be.
const DEADLINE: (&str, &str) = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");

/// What is known of a container of a pod.
#[derive(Debug, Clone, Default)]
pub struct ContainerView {
    /// Whether its image is there for the next start.
    pub image: Image,
    /// The id of the image that it was started with last.
    pub image_id: String,
    /// Its newest attempt, running or ended.
    pub current: Option<cri::Container>,
    /// The attempts before, which have ended, oldest first.
    pub ended: Vec<cri::Container>,
    /// A step for it is being taken.
    pub busy: Busy,
    /// It has been asked to end, with this much time.
    pub stopping: Option<Duration>,
    /// What its startup probe says; true without one.
    pub started: bool,
    /// What its readiness probe says; true without one.
    pub ready: bool,
    /// This probe has failed: it should be started anew.
    pub unhealthy: Option<Unhealthy>,
    /// It could not be started.
    pub start_failure: Option<Failure>,
}

impl ContainerView {
    /// Whether the newest attempt runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|container| container.exit.is_none())
    }

    /// Takes over a newer attempt.
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

/// A step that is being taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Busy {
    /// None.
    #[default]
    No,
    /// Its image is asked for.
    Pulling,
    /// It is started.
    Starting,
}

/// Whether an image is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Image {
    /// It has not been asked for since the last start.
    #[default]
    Unknown,
    /// It is there.
    Present,
    /// It is not to be had.
    Failed(Failure),
}

/// Something that failed and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In one word: `ErrImagePull`.
    pub reason: &'static str,
    /// Why.
    pub message: String,
    /// When it failed.
    pub since: Timestamp,
    /// When to try again.
    pub retry_at: Timestamp,
    /// How often it has failed in a row.
    pub failures: u32,
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// Whether it can take requests.
    Readiness,
    /// Whether it should go on living.
    Liveness,
    /// Whether it has started: until then it is not asked anything else.
    Startup,
}

/// A probe has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unhealthy {
    /// Which.
    pub probe: ProbeKind,
    /// How many seconds the container is given to end, if the probe says so.
    pub grace_seconds: Option<i64>,
}

/// Something to do for a container, named by its place among [`all_containers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Get its image.
    Pull(usize),
    /// Start it, for the so-manieth time counted from 0.
    Start(usize, i32),
    /// Ask it to end, with this much time.
    Stop(usize, Duration),
    /// All has ended: the pod can be forgotten.
    Finish,
}

/// Something to tell of a container, or of the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its place among [`all_containers`]; `None`: it is the pod.
    pub container: Option<usize>,
    /// Whether it is as it should be.
    pub event_type: EventType,
    /// In one word.
    pub reason: &'static str,
    /// In a sentence.
    pub message: String,
}

/// What follows from a look at a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What its status should say.
    pub status: PodStatus,
    /// What to do.
    pub steps: Vec<Step>,
    /// What to tell.
    pub told: Vec<Told>,
    /// When to look again, if nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// Where a pod lives.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its own address.
    pub pod_ip: &'a str,
    /// Its node's address.
    pub host_ip: &'a str,
}

/// What a container is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next is started.
    Init,
    /// An init container that goes on beside the others (Kubernetes: `restartPolicy: Always`).
    Sidecar,
    /// The application.
    Main,
}

/// The containers of a pod with what each is there for, in the order in which they are started.
pub fn all_containers(pod: &Pod) -> impl Iterator<Item = (Role, &Container)> {
    let role = |container: &Container| match container.restart_policy.as_deref() {
        Some("Always") => Role::Sidecar,
        _ => Role::Init,
    };
    let init = pod.spec.init_containers.iter().map(move |container| (role(container), container));
    init.chain(pod.spec.containers.iter().map(|container| (Role::Main, container)))
}

/// One look at a pod.
struct Look<'a> {
    pod: &'a Pod,
    slots: Vec<(Role, &'a Container, &'a ContainerView)>,
    timing: &'a Timing,
    now: Timestamp,
    /// It has been active for longer than it may be (Kubernetes: `activeDeadlineSeconds`).
    expired: bool,
    steps: Vec<Step>,
    told: Vec<Told>,
    wake_at: Option<Timestamp>,
}

/// Decides. There is one view for each of [`all_containers`].
#[must_use]
pub fn decide(pod: &Pod, views: &[ContainerView], place: Place<'_>, timing: &Timing, now: Timestamp) -> Decision {
    let slots = all_containers(pod).zip(views).map(|((role, container), view)| (role, container, view)).collect();
    let mut look = Look { pod, slots, timing, now, expired: false, steps: Vec::new(), told: Vec::new(), wake_at: None };
    look.check_deadline();
    let states: Vec<ContainerState> = (0..look.slots.len()).map(|index| look.state(index)).collect();
    let finished =
        look.is_deleted() && look.slots.iter().all(|(_, _, view)| !view.is_running() && view.busy != Busy::Starting);
    if finished {
        look.steps = vec![Step::Finish];
    }
    let status = status::status(&look, states, place, finished);
    Decision { status, steps: look.steps, told: look.told, wake_at: look.wake_at }
}

impl Look<'_> {
    fn is_deleted(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// Whether its containers are to end and no other is to be started.
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

    /// Whether the container has done what those after it wait for.
    fn is_initialized(&self, index: usize) -> bool {
        let (role, _, view) = &self.slots[index];
        match role {
            Role::Init => view.current.as_ref().and_then(|c| c.exit.as_ref()).is_some_and(|exit| exit.code == 0),
            Role::Sidecar => view.is_running() && view.started,
            Role::Main => true,
        }
    }

    /// Whether an init container has failed for good: the application is never started.
    fn has_failed_to_initialize(&self) -> bool {
        self.slots.iter().any(|(role, _, view)| {
            let ended = view.current.as_ref().and_then(|current| current.exit.as_ref());
            *role == Role::Init && self.pod.spec.restart_policy == "Never" && ended.is_some_and(|exit| exit.code != 0)
        })
    }

    /// Whether the application has ended for good, so that the sidecars can end too.
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
