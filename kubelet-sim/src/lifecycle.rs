//! What a pod's containers need next and what its status says: a pure function of the pod, of what the runtime holds,
//! and of what the probes found.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use squall_api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIp, Pod, PodCondition, PodIp, PodStatus,
};
use squall_api::metav1::v1::Time;
use squall_daemon::Timing;
use squall_proto::squall::cri::v1 as cri;

/// What is known of a container of a pod.
#[derive(Debug, Clone, Default)]
pub struct ContainerView {
    /// Whether its image is there.
    pub image: ImageState,
    /// Its newest attempt, running or ended.
    pub current: Option<cri::Container>,
    /// The attempt before, which has ended.
    pub previous: Option<cri::Container>,
    /// A step for it is being taken.
    pub busy: bool,
    /// It has been asked to end.
    pub stopping: bool,
    /// What its readiness probe says; true without one.
    pub ready: bool,
    /// Its liveness probe has failed: it should be started anew.
    pub unhealthy: bool,
}

/// Whether an image is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ImageState {
    /// It has not been asked for.
    #[default]
    Unknown,
    /// It is there, under this id.
    Present(String),
    /// It could not be pulled; tried again at a time.
    Failed {
        /// Why.
        message: String,
        /// When to try again.
        retry_at: Timestamp,
        /// How often it has failed.
        failures: u32,
    },
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Get the image of the container with this place.
    Pull(usize),
    /// Start it, for the so-manieth time counted from 0.
    Start(usize, i32),
    /// Ask it to end, with this much time.
    Stop(usize, Duration),
    /// All has ended: the pod can be forgotten.
    Finish,
}

/// What follows from a look at a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What its status should say.
    pub status: PodStatus,
    /// What to do.
    pub steps: Vec<Step>,
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

/// Decides. There is one view for each container of the pod's spec, in its order.
#[must_use]
pub fn decide(pod: &Pod, views: &[ContainerView], place: Place<'_>, timing: &Timing, now: Timestamp) -> Decision {
    let mut decision = Decision { status: PodStatus::default(), steps: Vec::new(), wake_at: None };
    let deleting = pod.metadata.deletion_timestamp.is_some();
    let mut statuses = Vec::new();
    for (index, (container, view)) in pod.spec.containers.iter().zip(views).enumerate() {
        let state = look(pod, index, view, timing, now, &mut decision);
        statuses.push(container_status(container, view, state));
    }
    let all_ended = views.iter().all(|view| !is_running(view) && !view.busy);
    if deleting && all_ended {
        decision.steps = vec![Step::Finish];
    }
    decision.status = status(pod, statuses, place, deleting && all_ended, now);
    decision
}

fn is_running(view: &ContainerView) -> bool {
    view.current.as_ref().is_some_and(|container| container.exit.is_none())
}

/// The state of one container, and the step it needs.
fn look(
    pod: &Pod,
    index: usize,
    view: &ContainerView,
    timing: &Timing,
    now: Timestamp,
    decision: &mut Decision,
) -> ContainerState {
    let deleting = pod.metadata.deletion_timestamp.is_some();
    match &view.current {
        Some(current) if current.exit.is_none() => {
            if (deleting || view.unhealthy) && !view.stopping {
                let seconds = pod
                    .metadata
                    .deletion_grace_period_seconds
                    .or(pod.spec.termination_grace_period_seconds)
                    .unwrap_or(30);
                decision.steps.push(Step::Stop(index, timing.seconds(seconds)));
            }
            running(current)
        }
        Some(ended) if deleting || !restarts(pod, ended) => terminated(ended),
        Some(ended) => {
            let due = finished_at(ended) + signed(restart_wait(ended.attempt, timing));
            if now < due {
                wake(decision, due);
                let message = format!(
                    "back-off {}s restarting failed container={} pod={}_{}({})",
                    restart_wait(ended.attempt, timing).as_secs().max(1),
                    ended.name,
                    pod.metadata.name,
                    pod.metadata.namespace,
                    pod.metadata.uid
                );
                return waiting("CrashLoopBackOff", &message);
            }
            start(index, ended.attempt + 1, view, now, decision)
        }
        None if deleting => waiting("ContainerCreating", ""),
        None => start(index, 0, view, now, decision),
    }
}

fn start(index: usize, attempt: i32, view: &ContainerView, now: Timestamp, decision: &mut Decision) -> ContainerState {
    match &view.image {
        ImageState::Failed { retry_at, message, failures } if now < *retry_at => {
            wake(decision, *retry_at);
            // Kubernetes tells of the error first, then of the wait.
            let (reason, message) = match failures {
                1 => ("ErrImagePull", message.clone()),
                _ => ("ImagePullBackOff", format!("Back-off pulling image: {message}")),
            };
            return waiting(reason, &message);
        }
        ImageState::Present(_) if !view.busy => decision.steps.push(Step::Start(index, attempt)),
        ImageState::Unknown | ImageState::Failed { .. } if !view.busy => decision.steps.push(Step::Pull(index)),
        _ => {}
    }
    waiting("ContainerCreating", "")
}

fn wake(decision: &mut Decision, at: Timestamp) {
    decision.wake_at = Some(decision.wake_at.map_or(at, |earlier| earlier.min(at)));
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn restarts(pod: &Pod, ended: &cri::Container) -> bool {
    let code = ended.exit.as_ref().map_or(0, |exit| exit.code);
    match pod.spec.restart_policy.as_str() {
        "Never" => false,
        "OnFailure" => code != 0,
        _ => true,
    }
}

/// Kubernetes: the first restart is at once, then the wait doubles up to a limit.
fn restart_wait(attempt: i32, timing: &Timing) -> Duration {
    match u32::try_from(attempt).unwrap_or(0) {
        0 => Duration::ZERO,
        number => timing.backoff_first.saturating_mul(1 << (number - 1).min(16)).min(timing.backoff_max),
    }
}

/// The wait before a failed pull is tried again.
#[must_use]
pub fn pull_wait(failures: u32, timing: &Timing) -> Duration {
    restart_wait(i32::try_from(failures.max(1)).unwrap_or(i32::MAX), timing)
}

fn time(nanos: i64) -> Time {
    Time::from_timestamp(Timestamp::from_nanosecond(nanos.into()).unwrap_or_default())
}

fn finished_at(ended: &cri::Container) -> Timestamp {
    time(ended.exit.as_ref().map_or(0, |exit| exit.finished_at)).timestamp()
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: reason.to_owned(), message: message.to_owned() };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn running(container: &cri::Container) -> ContainerState {
    ContainerState {
        running: Some(ContainerStateRunning { started_at: time(container.started_at) }),
        ..ContainerState::default()
    }
}

fn terminated(container: &cri::Container) -> ContainerState {
    let exit = container.exit.clone().unwrap_or_default();
    let terminated = ContainerStateTerminated {
        exit_code: exit.code,
        reason: exit.reason,
        started_at: time(container.started_at),
        finished_at: time(exit.finished_at),
        container_id: container_id(&container.id),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// The id of a container, as a status shows it.
#[must_use]
pub fn container_id(id: &str) -> String {
    format!("squall://{id}")
}

fn container_status(container: &Container, view: &ContainerView, state: ContainerState) -> ContainerStatus {
    let is_running = state.running.is_some();
    let newest = view.current.as_ref();
    let last = if state.terminated.is_some() || is_running {
        view.previous.as_ref()
    } else {
        newest.or(view.previous.as_ref())
    };
    ContainerStatus {
        name: container.name.clone(),
        ready: is_running && view.ready,
        started: Some(is_running),
        restart_count: newest.map_or(0, |container| container.attempt),
        image: container.image.clone(),
        image_id: match &view.image {
            ImageState::Present(id) => id.clone(),
            _ => String::new(),
        },
        container_id: newest.map(|container| container_id(&container.id)).unwrap_or_default(),
        last_state: last.map(terminated).unwrap_or_default(),
        state,
        ..ContainerStatus::default()
    }
}

fn status(pod: &Pod, containers: Vec<ContainerStatus>, place: Place<'_>, finished: bool, now: Timestamp) -> PodStatus {
    let unready: Vec<&str> =
        containers.iter().filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    let phase = phase(pod, &containers, finished);
    let ended = matches!(phase, "Succeeded" | "Failed");
    let (reason, message) = match (unready.is_empty(), phase) {
        (true, _) => ("", String::new()),
        (_, "Succeeded") => ("PodCompleted", String::new()),
        (_, "Failed") => ("PodFailed", String::new()),
        _ => ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    let is_ready = unready.is_empty() && !ended;
    let condition =
        |kind: &str, holds: bool, reason: &str, message: &str| condition(pod, kind, holds, reason, message, now);
    let address = place.pod_ip.to_owned();
    PodStatus {
        phase: phase.to_owned(),
        conditions: vec![
            condition("PodReadyToStartContainers", !address.is_empty(), "", ""),
            condition("Initialized", true, "", ""),
            condition("Ready", is_ready, reason, &message),
            condition("ContainersReady", is_ready, reason, &message),
            condition("PodScheduled", true, "", ""),
        ],
        host_ip: place.host_ip.to_owned(),
        host_ips: vec![HostIp { ip: place.host_ip.to_owned() }],
        pod_ips: vec![PodIp { ip: address.clone() }],
        pod_ip: address,
        start_time: Some(pod.status.start_time.unwrap_or_else(|| Time::from_timestamp(now))),
        container_statuses: containers,
        qos_class: pod.status.qos_class.clone(),
        ..PodStatus::default()
    }
}

fn phase(pod: &Pod, containers: &[ContainerStatus], finished: bool) -> &'static str {
    let terminated = |status: &ContainerStatus| status.state.terminated.as_ref().map(|state| state.exit_code);
    let started = |status: &ContainerStatus| status.state.running.is_some() || status.last_state.terminated.is_some();
    if containers.iter().all(|status| terminated(status).is_some()) && (finished || pod.spec.restart_policy != "Always")
    {
        return if containers.iter().all(|status| terminated(status) == Some(0)) { "Succeeded" } else { "Failed" };
    }
    if containers.iter().any(|status| started(status) || terminated(status).is_some()) { "Running" } else { "Pending" }
}

/// A condition; the time of its transition stays unless its status changes.
fn condition(pod: &Pod, kind: &str, holds: bool, reason: &str, message: &str, now: Timestamp) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let before = squall_api::kinds::pod_condition(pod, kind).filter(|before| before.status == status);
    PodCondition {
        r#type: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: before.map_or_else(|| Time::from_timestamp(now), |before| before.last_transition_time),
        ..PodCondition::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_daemon::TimingProfile;

    const PLACE: Place<'static> = Place { pod_ip: "127.64.64.2", host_ip: "127.64.64.1" };

    fn pod(restart_policy: &str) -> Pod {
        let mut pod = Pod::default();
        pod.spec.restart_policy = restart_policy.to_owned();
        pod.spec.containers.push(Container { name: "nodejs".to_owned(), ..Container::default() });
        pod
    }

    fn attempt(number: i32, exit: Option<(i32, i64)>) -> cri::Container {
        let exit = exit.map(|(code, second)| cri::Exit {
            code,
            finished_at: second * 1_000_000_000,
            reason: "Error".to_owned(),
        });
        cri::Container {
            id: number.to_string(),
            name: "nodejs".to_owned(),
            attempt: number,
            exit,
            ..cri::Container::default()
        }
    }

    fn present() -> ContainerView {
        ContainerView { image: ImageState::Present("i".to_owned()), ready: true, ..ContainerView::default() }
    }

    fn decided(pod: &Pod, view: &ContainerView, second: i64) -> Decision {
        let now = Timestamp::from_second(second).unwrap();
        decide(pod, std::slice::from_ref(view), PLACE, &TimingProfile::K8s.timing(), now)
    }

    #[test]
    fn a_pod_is_pulled_started_and_then_runs() {
        let pod = pod("Always");
        let first = decided(&pod, &ContainerView::default(), 1);
        assert_eq!((first.steps, first.status.phase.as_str()), (vec![Step::Pull(0)], "Pending"));
        assert_eq!(decided(&pod, &present(), 1).steps, [Step::Start(0, 0)]);
        assert!(decided(&pod, &ContainerView { busy: true, ..present() }, 1).steps.is_empty());
        let running = decided(&pod, &ContainerView { current: Some(attempt(0, None)), ..present() }, 2);
        assert_eq!((running.steps.len(), running.status.phase.as_str()), (0, "Running"));
        assert_eq!(running.status.conditions[2].status, "True");
        let unready = decided(&pod, &ContainerView { current: Some(attempt(0, None)), ready: false, ..present() }, 2);
        assert_eq!(unready.status.conditions[2].message, "containers with unready status: [nodejs]");
    }

    #[test]
    fn crashes_wait_longer_each_time() {
        let pod = pod("Always");
        let ended = |number| ContainerView { current: Some(attempt(number, Some((1, 100)))), ..present() };
        assert_eq!(decided(&pod, &ended(0), 100).steps, [Step::Start(0, 1)], "the first restart is at once");
        for (number, wait) in [(1, 10), (2, 20), (3, 40), (9, 300)] {
            let early = decided(&pod, &ended(number), 100 + wait - 1);
            assert_eq!((early.steps.len(), early.wake_at.unwrap().as_second()), (0, 100 + wait));
            assert_eq!(early.status.container_statuses[0].state.waiting.as_ref().unwrap().reason, "CrashLoopBackOff");
            assert_eq!(early.status.phase, "Running");
            assert_eq!(decided(&pod, &ended(number), 100 + wait).steps, [Step::Start(0, number + 1)]);
        }
    }

    #[test]
    fn the_restart_policy_decides_whether_an_end_is_final() {
        for (policy, code, phase) in [
            ("Never", 0, "Succeeded"),
            ("Never", 1, "Failed"),
            ("OnFailure", 0, "Succeeded"),
            ("OnFailure", 1, "Running"),
        ] {
            let view = ContainerView { current: Some(attempt(1, Some((code, 100)))), ..present() };
            assert_eq!(decided(&pod(policy), &view, 100).status.phase, phase, "{policy} {code}");
        }
    }

    #[test]
    fn a_deleted_pod_is_stopped_and_then_forgotten() {
        let mut pod = pod("Always");
        pod.metadata.deletion_timestamp = Some(Time { seconds: 130, nanos: 0 });
        pod.metadata.deletion_grace_period_seconds = Some(30);
        let running = ContainerView { current: Some(attempt(0, None)), ..present() };
        assert_eq!(decided(&pod, &running, 100).steps, [Step::Stop(0, Duration::from_secs(30))]);
        assert!(decided(&pod, &ContainerView { stopping: true, ..running }, 100).steps.is_empty());
        let ended = ContainerView { current: Some(attempt(0, Some((0, 101)))), ..present() };
        let last = decided(&pod, &ended, 102);
        assert_eq!((last.steps, last.status.phase.as_str()), (vec![Step::Finish], "Succeeded"));
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_tried_again() {
        let pod = pod("Always");
        let retry_at = Timestamp::from_second(110).unwrap();
        let failed = |failures| ContainerView {
            image: ImageState::Failed { message: "not found".to_owned(), retry_at, failures },
            ..ContainerView::default()
        };
        let reason = |decision: &Decision| decision.status.container_statuses[0].state.waiting.clone().unwrap().reason;
        assert_eq!(reason(&decided(&pod, &failed(1), 100)), "ErrImagePull");
        assert_eq!(reason(&decided(&pod, &failed(2), 100)), "ImagePullBackOff");
        assert_eq!(decided(&pod, &failed(2), 110).steps, [Step::Pull(0)]);
    }
}
